"""Vocabularies from counted pieces of text, and the `tokenizer.json` that any tool of Hugging Face opens.

Both kinds begin alike: the tokens 0 to 255 are the bytes, 256 is end-of-text, the others follow in the order
in which they were learnt. So nothing is unknown: what has no token of its own is spelled in bytes and decodes
to itself; and a smaller vocabulary of the same text is the beginning of a larger one, with the same ids.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.byte_pairs import BYTES, Limits, learn
from stages.tokenizer import END_OF_TEXT

Kind = Literal["byte_pairs", "characters"]

END: Final = END_OF_TEXT[0]
PIECES: Final = {
    # No token crosses these borders: GPT-2's words, but with marks among the letters (as in Hindi), three
    # digits at most, and the end of "don't" behind any apostrophe.
    "byte_pairs": r"['’]\p{L}{1,2}(?![\p{L}\p{M}])| ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+"
    r"|\s+(?!\S)|\s+",
    "characters": r"[\s\S]",
}
COUNTED = pa.schema([("piece", pa.large_string()), ("count", pa.int64())])


class Vocabulary(NamedTuple):
    """The tokens by id."""

    spellings: list[bytes]
    counts: list[int | None]  # in the sample: of a character, of a pair when it became one; none of a byte
    merges: list[tuple[int, int]]


def count_pieces(kind: Kind, texts: Iterable[str]) -> pa.Table:
    """The different pieces of texts, sorted, and how often each occurs."""
    counts: Counter[str] = Counter()
    if kind == "characters":
        for text in texts:
            counts.update(text)
    else:
        import regex

        find = regex.compile(PIECES[kind]).findall
        for text in texts:
            counts.update(find(text))
    pieces = sorted(counts)
    return pa.table([pieces, [counts[piece] for piece in pieces]], schema=COUNTED)


def add_up(tables: Iterable[pa.Table]) -> pa.Table:
    """The pieces of several tables, sorted, each once."""
    whole = pa.concat_tables([COUNTED.empty_table(), *tables])
    summed = whole.group_by("piece", use_threads=False).aggregate([("count", "sum")])
    return summed.rename_columns(COUNTED.names).cast(COUNTED).sort_by("piece").combine_chunks()


def make(kind: Kind, counted: pa.Table, size: int, least: int, longest: int) -> Vocabulary:
    """At most `size` tokens from pieces that are counted, sorted and different."""
    spellings = [*(bytes([byte]) for byte in range(BYTES)), END.encode()]
    counts: list[int | None] = [None] * len(spellings)
    if kind == "characters":
        beyond = counted.filter(pc.greater(pc.binary_length(counted["piece"]), 1))  # ASCII has its bytes
        often = beyond.filter(pc.greater_equal(beyond["count"], least))
        chosen = often.sort_by([("count", "descending"), ("piece", "ascending")])
        chosen = chosen.slice(0, size - len(spellings))
        characters = [character.encode() for character in chosen["piece"].to_pylist()]
        return Vocabulary([*spellings, *characters], [*counts, *chosen["count"].to_pylist()], [])
    found = learn(*_flat(counted), Limits(size, least, longest))
    pairs: list[tuple[int, int]] = [tuple(pair) for pair in found.pairs.tolist()]
    for pair, token, count in zip(pairs, found.tokens.tolist(), found.counts.tolist(), strict=True):
        if token == len(spellings):
            spellings.append(spellings[pair[0]] + spellings[pair[1]])
            counts.append(count)
    return Vocabulary(spellings, counts, pairs)


def _flat(counted: pa.Table) -> tuple[Any, Any, Any]:
    """The bytes of all pieces, where each begins, how often each occurs."""
    pieces = pa.concat_arrays([pa.array([], pa.large_string()), *counted["piece"].chunks])
    _, offsets, data = pieces.buffers()
    limits = np.frombuffer(offsets, np.int64)[: len(pieces) + 1] if len(pieces) else np.zeros(1, np.int64)
    return np.frombuffer(data or b"", np.uint8), limits, counted["count"].to_numpy()


def tokenizer_json(kind: Kind, made: Vocabulary) -> bytes:
    """The file of a byte-level tokenizer; a character-level one is of pieces that are looked up whole."""
    names = [END if number == BYTES else _letters(word) for number, word in enumerate(made.spellings)]
    words = {"type": "Split", "pattern": {"Regex": PIECES[kind]}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    end = {"id": BYTES, "content": END, "single_word": False, "lstrip": False, "rstrip": False}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": kind == "characters",
        "vocab": {name: number for number, name in enumerate(names)},
        "merges": [[names[left], names[right]] for left, right in made.merges],
    }
    body = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end | {"normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [words, level]},
        "post_processor": None,
        "decoder": level,
        "model": model,
    }
    return f"{json.dumps(body, indent=1, ensure_ascii=False)}\n".encode()


_PLAIN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]  # bytes that stand for themselves
_OTHERS = [byte for byte in range(BYTES) if byte not in _PLAIN]
_ALPHABET = {byte: chr(byte) for byte in _PLAIN} | {byte: chr(BYTES + n) for n, byte in enumerate(_OTHERS)}


def _letters(word: bytes) -> str:
    """Bytes as such files spell them: in GPT-2's alphabet of 256 printable letters."""
    return "".join(_ALPHABET[byte] for byte in word)
