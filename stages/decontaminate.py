"""Benchmark text out of documents (GPT-3, appendix C)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.output import Output
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.cut import Spans, between, cut_out, spans_of, without_short
from stages.known_grams import Known, known
from stages.ngrams import Hits, find

_SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])
_HIT = pa.struct([("gram", pa.uint64()), ("start", pa.int32()), ("end", pa.int32())])
_CUT = pa.struct([*_SPAN, pa.field("hits", pa.list_(_HIT))])

CUTS = "cuts"  # a table beside each shard, also of documents that were rejected
CUT = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("split", pa.string()),
        ("reason", pa.string()),  # why the document was rejected, if it was
        ("start", pa.int32()),  # bytes of the document's text
        ("end", pa.int32()),
        ("text", pa.large_string()),  # what was cut
        ("hits", pa.list_(_HIT)),  # the grams in it; start and end are bytes of the document's text
    ]
)


@dataclass(frozen=True)
class Decontaminate(MapStage):
    """Cut benchmark text and its surroundings out of documents.

    Where an n-gram of a benchmark occurs, it and `window` characters on each side are cut, which leaves the
    document in pieces. The pieces are counted, then the short ones dropped; a document in too many pieces is
    rejected (`contaminated:pieces`), and so is one of which nothing is left (`contaminated:nothing_left`).
    Grams that many training documents hold are common phrases and stay. A document without hits is one whole
    piece, however short. What is left of a word that a cut goes through may belong to a gram with the words
    beside it: such a gram is cut out too, so that no piece has any.

    Adds `pieces` (start and end in bytes of the text), `grams_hit` (occurrences) and `benchmarks` (names of
    those that have a gram which was hit). `text` stays whole; `encode` writes the pieces. What was cut stands
    in the folder `cuts`, a file for each shard, for the stage `contamination`.

    `grams` may be those of an earlier run, so that a later crawl is cut as that was; or several, to which
    benchmarks were added later: the first that has a gram says how common it is.

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

    version: ClassVar[int] = 2
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

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Known:
        """The grams that at most `max_documents` training documents hold."""
        return known(inputs["grams"], self.max_documents)

    def process(self, documents: pa.Table, loaded: Known) -> pa.Table:
        """Find the grams, cut around them, judge what is left; with a column CUTS for `save`."""
        texts = documents["text"].combine_chunks()
        found = words(texts)
        hits = find(texts, found, loaded.grams)
        spans = spans_of(found, hits)
        pieces = cut_out(texts, found, spans, loaded.grams, self.window)
        kept = without_short(texts, pieces, spans, self.min_piece)
        documents = with_column(documents, "pieces", _list(kept.offsets, _SPAN, kept.starts, kept.ends))
        documents = with_column(documents, "grams_hit", np.diff(hits.offsets).astype(np.int32))
        documents = with_column(documents, "benchmarks", _names(hits, loaded))
        documents = with_column(documents, REASON, self._reasons(pieces, kept))
        grams = loaded.grams.grams[hits.entries]
        return with_column(documents, CUTS, _cuts(between(texts, pieces, spans), spans, grams))

    def save(self, documents: pa.Table, output: Output) -> pa.Table:
        """Write what was cut; count documents by benchmark."""
        writer = output.table_beside(CUTS, CUT)
        cut = documents.filter(pc.greater(documents["grams_hit"], 0))
        rejected = pc.is_valid(cut[REASON]).to_pylist()
        for names, gone in zip(cut["benchmarks"].to_pylist(), rejected, strict=True):
            for name in names:
                output.count(**{f"documents:{name}": 1, f"rejected:{name}": int(gone)})
        writer.write(_rows(cut))
        return documents.drop_columns([CUTS])

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """Documents that were cut for each benchmark."""
        totals = dataset.manifests[0].totals
        names = sorted(name.split(":", 1)[1] for name in totals if name.startswith("documents:"))
        return {
            "documents with text of benchmarks": [
                {
                    "benchmark": name,
                    "documents": totals[f"documents:{name}"],
                    "rejected": totals[f"rejected:{name}"],
                }
                for name in names
            ]
        }

    def _reasons(self, pieces: Spans, kept: Spans) -> pa.Array:
        reasons = np.full(len(pieces.offsets) - 1, None, object)
        reasons[np.diff(kept.offsets) == 0] = "contaminated:nothing_left"
        reasons[np.diff(pieces.offsets) > self.max_pieces] = "contaminated:pieces"
        return pa.array(reasons, pa.string())


def _list(offsets: NDArray[np.int64], struct: pa.DataType, *columns: Any) -> pa.ListArray:
    """Lists of structs, from columns of their values."""
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(arrays, fields=list(struct))
    )


def _names(hits: Hits, loaded: Known) -> pa.ListArray:
    """The benchmarks that have a gram of each document, sorted, each once."""
    documents = np.repeat(np.arange(len(hits.offsets) - 1), np.diff(hits.offsets))
    starts = loaded.offsets[hits.entries]
    counts = loaded.offsets[hits.entries + 1] - starts
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    owners = loaded.owners[np.repeat(starts, counts) + within]
    pairs = np.unique(np.repeat(documents, counts) * max(1, len(loaded.names)) + owners)
    ends = np.searchsorted(pairs, np.arange(len(hits.offsets)) * max(1, len(loaded.names)))
    names = loaded.names.take(pa.array(pairs % max(1, len(loaded.names))))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names)


def _cuts(cuts: Spans, spans: Spans, grams: NDArray[np.uint64]) -> pa.ListArray:
    """For each document its cuts, and in each of them the hits."""
    # A cut and a hit by their document and their place in it: no text has 2^31 bytes.
    keys = [(each.owners << np.int64(31)) + each.starts for each in (cuts, spans)]
    inside = np.searchsorted(keys[0], keys[1], side="right") - 1
    ends = np.searchsorted(inside, np.arange(len(cuts.starts) + 1))
    hits = _list(ends, _HIT, grams, spans.starts, spans.ends)
    return _list(cuts.offsets, _CUT, cuts.starts, cuts.ends, hits)


def _rows(documents: pa.Table) -> pa.Table:
    """A row for each cut of documents with a column CUTS."""
    lists = documents[CUTS].combine_chunks()
    owners, cuts = pc.list_parent_indices(lists), lists.flatten()
    starts, ends = cuts.field("start"), cuts.field("end")
    texts = documents["text"].combine_chunks().cast(pa.large_binary())
    parts = [
        texts[row].as_buffer()[start:end].to_pybytes()
        for row, start, end in zip(*(each.to_pylist() for each in (owners, starts, ends)), strict=True)
    ]
    mine = documents.select(["id", "url", "split", REASON]).take(owners)
    cut = pa.array(parts, pa.large_binary()).cast(pa.large_string())
    columns = [*mine.columns, starts, ends, cut, cuts.field("hits")]
    return pa.table(columns, schema=CUT)
