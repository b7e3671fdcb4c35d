"""Benchmark text out of documents (GPT-3, appendix C)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.count_grams import COVERAGE
from stages.ngrams import Hits, Index, Pieces, cut_out, find, gram_hashes, index_of

_SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])


class Benchmarks(NamedTuple):
    """What to look for: the n-grams of benchmarks that are no common phrases."""

    words: int  # in a gram
    grams: Index
    names: pa.Array  # of the benchmarks, sorted
    owners: NDArray[np.int64]  # of each gram in the index: the position of its benchmark in `names`


@dataclass(frozen=True)
class Decontaminate(MapStage):
    """Cut benchmark text and its surroundings out of documents.

    Where an n-gram of a benchmark occurs, it and `window` characters on each side are cut, which leaves the
    document in pieces. The pieces are counted, then the short ones dropped; a document in too many pieces is
    rejected (`contaminated:pieces`), and so is one of which nothing is left (`contaminated:nothing_left`).
    Grams that many training documents hold are common phrases and stay. A document without hits is one whole
    piece, however short.

    Adds `pieces` (start and end in bytes of the text), `grams_hit` (occurrences) and `benchmarks` (names of
    those hit; a gram belongs to the benchmark that has it first). `text` stays whole; `encode` writes the
    pieces.

    Fields:
        window: characters cut on each side of a gram; 200 in GPT-3, appendix C
        max_pieces: a document split into more is rejected; 10 in the paper
        min_piece: characters below which a piece is dropped; 200 in the paper
        max_documents: a gram in more training documents than this is ignored; 10 in the paper
    """

    window: int = 200
    max_pieces: int = 10
    min_piece: int = 200
    max_documents: int = 10

    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "grams": "grams"}
    offsets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for field in ("window", "min_piece", "max_documents"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} = {getattr(self, field)} must not be negative")
        if self.max_pieces < 1:
            raise ValueError(f"max_pieces = {self.max_pieces} must be at least 1")

    def adds(self) -> pa.Schema:
        """`pieces`, `grams_hit` and `benchmarks`."""
        return pa.schema(
            [("pieces", pa.list_(_SPAN)), ("grams_hit", pa.int32()), ("benchmarks", pa.list_(pa.string()))]
        )

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Benchmarks:
        """The grams that at most `max_documents` training documents hold."""
        grams = inputs["grams"].read(["gram", "documents", "benchmark"]).combine_chunks()
        rare = grams.filter(pa.array(grams["documents"].to_numpy() <= self.max_documents))
        owners = rare["benchmark"].combine_chunks().dictionary_encode()
        names, order = owners.dictionary, pc.sort_indices(owners.dictionary)
        ranks = np.argsort(order.to_numpy())[owners.indices.to_numpy()]
        size = json.loads(inputs["grams"].side(COVERAGE))["words"]
        return Benchmarks(size, index_of(rare["gram"].to_numpy()), names.take(order), ranks)

    def process(self, documents: pa.Table, loaded: Benchmarks) -> pa.Table:
        """Find the grams, cut around them, judge what is left."""
        texts = documents["text"].combine_chunks()
        found = words(texts)
        hits = find(found, gram_hashes(found, loaded.words), loaded.grams)
        pieces = cut_out(texts, found, hits, loaded.words, self.window, self.min_piece)
        documents = with_column(documents, "pieces", _spans(pieces))
        documents = with_column(documents, "grams_hit", np.diff(hits.offsets).astype(np.int32))
        documents = with_column(documents, "benchmarks", _names(hits, loaded))
        return with_column(documents, REASON, self._reasons(pieces))

    def _reasons(self, pieces: Pieces) -> pa.Array:
        reasons = np.full(len(pieces.cut), None, object)
        reasons[np.diff(pieces.offsets) == 0] = "contaminated:nothing_left"
        reasons[pieces.cut > self.max_pieces] = "contaminated:pieces"
        return pa.array(reasons, pa.string())


def _spans(pieces: Pieces) -> pa.ListArray:
    spans = pa.StructArray.from_arrays([pa.array(pieces.starts), pa.array(pieces.ends)], fields=list(_SPAN))
    return pa.ListArray.from_arrays(pa.array(pieces.offsets, pa.int32()), spans)


def _names(hits: Hits, loaded: Benchmarks) -> pa.ListArray:
    """The benchmarks that each document hits, sorted, each once."""
    documents = np.repeat(np.arange(len(hits.offsets) - 1), np.diff(hits.offsets))
    pairs = np.unique(np.stack([documents, loaded.owners[hits.entries]], axis=1), axis=0)
    offsets = np.searchsorted(pairs[:, 0], np.arange(len(hits.offsets)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), loaded.names.take(pa.array(pairs[:, 1])))
