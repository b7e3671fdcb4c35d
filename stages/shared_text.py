"""Which examples share grams with which documents: the cuts of one shard joined with the examples."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

FOUND = pa.schema([("gram", pa.uint64()), ("documents", pa.int64())])
BY_BENCHMARK = pa.schema([("benchmark", pa.string()), ("documents", pa.int64()), ("rejected", pa.int64())])
SHARED = pa.schema(
    [
        ("example", pa.int64()),  # row among the examples
        ("rank", pa.int64()),  # of the document among those of the shard that share text with the example
        ("documents", pa.int64()),  # how many those are; the same in each of their rows
        ("rejected", pa.int64()),
        ("grams", pa.int64()),  # different ones that the two share
        ("document", pa.string()),
        ("url", pa.string()),
        ("reason", pa.string()),
        ("at", pa.int64()),  # byte of the document's text with which `text` begins
        ("text", pa.large_string()),  # the cut that has most of them
        ("start", pa.int64()),  # bytes of `text` between which they are
        ("end", pa.int64()),
        ("first", pa.int64()),  # units of the example between which they are
        ("last", pa.int64()),
    ]
)


class Hits(NamedTuple):
    """The grams that were hit in the training documents of one shard."""

    cuts: pa.Table  # those documents' rows of `cuts`
    grams: NDArray[np.uint64]
    starts: Int64s  # bytes of the document's text
    ends: Int64s
    rows: Int64s  # the cut of each
    documents: Int64s  # the document of each cut, numbered in the order of ids


class Occurrences(NamedTuple):
    """Where grams are in examples."""

    grams: NDArray[np.uint64]
    examples: Int64s
    firsts: Int64s  # units
    lasts: Int64s

    def where(self, keep: NDArray[np.bool_]) -> "Occurrences":
        """Some of them."""
        return Occurrences(self.grams[keep], self.examples[keep], self.firsts[keep], self.lasts[keep])


def hits_of(cuts: pa.Table) -> Hits:
    """Of the documents that are not held out for validation."""
    cuts = cuts.filter(pc.fill_null(pc.not_equal(cuts["split"], "val"), True)).combine_chunks()
    lists = pa.concat_arrays([pa.array([], cuts.schema.field("hits").type), *cuts["hits"].chunks])
    hits = lists.flatten()
    gram, start, end = (np.asarray(hits.field(name)) for name in ("gram", "start", "end"))
    _, documents = np.unique(np.array(cuts["id"].to_pylist(), str), return_inverse=True)
    return Hits(cuts, gram, start, end, np.asarray(pc.list_parent_indices(lists)), documents)


def found_in(hits: Hits) -> pa.Table:
    """Each gram, and the documents that hold it."""
    documents = hits.documents[hits.rows]
    order = np.lexsort((documents, hits.grams))
    once = order[_changes(hits.grams[order], documents[order])]
    return pa.table(list(np.unique(hits.grams[once], return_counts=True)), schema=FOUND)


def among(grams: NDArray[np.uint64], batches: Iterable[Occurrences]) -> Occurrences:
    """The occurrences of these sorted grams."""
    nothing = np.empty(0, np.int64)
    parts = [Occurrences(np.empty(0, np.uint64), nothing, nothing, nothing)]
    parts += [batch.where(is_among(batch.grams, grams)) for batch in batches]
    gram, example, first, last = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Occurrences(gram, example, first, last)


def is_among(values: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the values are among sorted ones."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[at] == values)


def covered_units(found: Occurrences, examples: int) -> Int64s:
    """How many units of each example are in these occurrences, which are in their order in the examples."""
    ends = found.lasts + 1
    # Within an example the ends never fall, so what is new begins where the one before ended.
    before = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    same = np.concatenate([np.zeros(1, np.bool_), found.examples[1:] == found.examples[:-1]])
    fresh = ends - np.where(same, np.maximum(found.firsts, before), found.firsts)
    return np.bincount(found.examples, fresh, minlength=examples).astype(np.int64)


def shared(hits: Hits, occurrences: Occurrences, listed: int) -> pa.Table:
    """For each example the documents that share most grams with it, at most `listed` of them."""
    hit, occurrence = _joined(hits, occurrences)
    example, row = occurrences.examples[occurrence], hits.rows[hit]
    order = np.lexsort((hits.starts[hit], hits.grams[hit], hits.documents[row], example))
    hit, occurrence, example, row = (each[order] for each in (hit, occurrence, example, row))
    fresh = _changes(example, hits.documents[row], hits.grams[hit])  # each gram of a document once
    hit, occurrence, example, row = (each[fresh] for each in (hit, occurrence, example, row))
    order = np.lexsort((row, example))
    hit, occurrence, example, row = (each[order] for each in (hit, occurrence, example, row))
    begins = np.flatnonzero(_changes(example, row))  # of each cut that shares grams with an example
    columns = {
        "example": example[begins],
        "row": row[begins],
        "document": hits.documents[row[begins]],
        "grams": np.diff(np.append(begins, len(row))),
        "start": _reduced(np.minimum, hits.starts[hit], begins),
        "end": _reduced(np.maximum, hits.ends[hit], begins),
        "first": _reduced(np.minimum, occurrences.firsts[occurrence], begins),
        "last": _reduced(np.maximum, occurrences.lasts[occurrence], begins),
    }
    return _with_texts(_best(columns, _gone(hits)), hits.cuts, listed)


def by_benchmark(hits: Hits, occurrences: Occurrences, codes: Int64s, names: Sequence[str]) -> pa.Table:
    """Documents that share text with each benchmark; `codes` says of each example which it is of."""
    hit, occurrence = _joined(hits, occurrences)
    benchmarks, documents = codes[occurrences.examples[occurrence]], hits.documents[hits.rows[hit]]
    order = np.lexsort((documents, benchmarks))
    once = order[_changes(benchmarks[order], documents[order])]
    benchmarks, gone = benchmarks[once], _gone(hits)[documents[once]]
    found = np.bincount(benchmarks, minlength=len(names))
    rejected = np.bincount(benchmarks[gone], minlength=len(names))
    some = np.flatnonzero(found).tolist()
    return pa.table([[names[at] for at in some], found[some], rejected[some]], schema=BY_BENCHMARK)


def _joined(hits: Hits, occurrences: Occurrences) -> tuple[Int64s, Int64s]:
    """(hit, occurrence) of every hit and every example that has its gram, where it has it first."""
    order = np.lexsort((occurrences.examples, occurrences.grams))
    once = order[_changes(occurrences.grams[order], occurrences.examples[order])]
    grams = occurrences.grams[once]
    begins, ends = (np.searchsorted(grams, hits.grams, side) for side in ("left", "right"))
    counts = ends - begins
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(np.arange(len(hits.grams)), counts), once[np.repeat(begins, counts) + within]


def _gone(hits: Hits) -> NDArray[np.bool_]:
    """Which of the documents were rejected."""
    gone = np.zeros(len(hits.documents), np.bool_)
    gone[hits.documents[np.asarray(pc.is_valid(hits.cuts["reason"]))]] = True
    return gone


def _changes(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a row is not the same as the one before."""
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def _reduced(function: np.ufunc, values: Int64s, begins: Int64s) -> Int64s:
    """By group; there is no group without values."""
    return np.asarray(function.reduceat(values, begins) if len(begins) else values, np.int64)


def _best(columns: dict[str, Int64s], gone: NDArray[np.bool_]) -> dict[str, Int64s]:
    """Of each document the cut that shares most with an example; ranked among those of the example."""
    order = np.lexsort((columns["row"], -columns["grams"], columns["document"], columns["example"]))
    columns = {name: column[order] for name, column in columns.items()}
    begins = np.flatnonzero(_changes(columns["example"], columns["document"]))
    total = _reduced(np.add, columns["grams"], begins)
    columns = {name: column[begins] for name, column in columns.items()} | {"grams": total}
    order = np.lexsort((columns["document"], -columns["grams"], columns["example"]))
    columns = {name: column[order] for name, column in columns.items()}
    begins = np.flatnonzero(_changes(columns["example"]))
    sizes = np.diff(np.append(begins, len(columns["example"])))
    rejected = _reduced(np.add, gone[columns["document"]].astype(np.int64), begins)
    return columns | {
        "rank": np.arange(len(columns["example"])) - np.repeat(begins, sizes),
        "documents": np.repeat(sizes, sizes),
        "rejected": np.repeat(rejected, sizes),
    }


def _with_texts(columns: dict[str, Int64s], cuts: pa.Table, listed: int) -> pa.Table:
    """The rows of SHARED."""
    keep = columns["rank"] < listed
    columns = {name: column[keep] for name, column in columns.items()}
    mine = cuts.take(pa.array(columns["row"]))
    begins = mine["start"].to_numpy()
    known = {name: mine[other] for name, other in (("document", "id"), *((n, n) for n in ("url", "reason")))}
    places = {"at": begins, "start": columns["start"] - begins, "end": columns["end"] - begins}
    values = {**columns, **known, **places, "text": mine["text"]}
    return pa.table([values[name] for name in SHARED.names], schema=SHARED)
