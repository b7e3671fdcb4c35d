"""The documents that a quality model learns from and is measured on: which they are, and what is held out.

Texts are counted once, in tasks of their own; what stays in memory of a document is one row without its text,
and of the counts as much as `memory` allows: the rest is read again whenever it is asked for.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.curve import Floats
from classifiers.features import Features, features, text_keys
from classifiers.logistic import Mask
from classifiers.terms import Reading, terms
from classifiers.words import words
from pipeline.hashing import hash_text, uniform
from pipeline.schema import estimated_tokens, with_column
from pipeline.shards import read_batches

Balance = Literal["sides", "sources", "none"]
SAMPLE = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("url", pa.string()),
        ("group", pa.string()),  # registered domain or, without one, <source>/<file>
        ("language", pa.string()),
        ("draw", pa.float64()),  # the smallest are in
        ("text", pa.large_string()),
    ]
)
LIGHT = pa.schema(
    [
        *(SAMPLE.field(name) for name in ("id", "source", "group", "language")),
        ("share", pa.int32()),  # number of the share of the sample that it stands for
        ("key", pa.uint64()),  # hash of its words
        ("words", pa.int64()),
        ("tokens", pa.int64()),  # estimated
    ]
)
COUNTS = pa.schema([*LIGHT, ("buckets", pa.list_(pa.int32())), ("counts", pa.list_(pa.int32()))])
FEWEST_GROUPS = 10  # a source of fewer domains or files is held out by document


class Counting(NamedTuple):
    """How texts become counts."""

    reading: Reading
    bits: int  # 2^bits buckets


class Counted:
    """The counts of all documents, batch by batch; those of the first `memory` bytes are read only once."""

    def __init__(self, paths: Sequence[str], memory: int) -> None:
        self._paths, self._memory = paths, memory
        self._kept: list[Features] = []
        self._skip: tuple[int, int] = (0, 0)  # files and batches in these that `_kept` holds

    def __iter__(self) -> Iterator[Features]:
        yield from self._kept
        first = not self._kept
        files, batches = self._skip
        for number, path in enumerate(self._paths[files:], files):
            for place, table in enumerate(read_batches(path, ["buckets", "counts"])):
                if number == files and place < batches:
                    continue
                found = _counts(table)
                if first and self._memory > 0:
                    self._memory -= found.buckets.nbytes + found.counts.nbytes
                    self._kept.append(found)
                    self._skip = (number, place + 1)
                yield found


class Sample(NamedTuple):
    """Documents of both sides, the good ones first."""

    documents: pa.Table  # LIGHT
    counts: Counted
    good: Mask
    held_out: Mask  # not trained on

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """Of the texts."""
        return np.asarray(self.documents["key"].to_numpy(), np.uint64)

    def of(self, source: str) -> Mask:
        """The good documents of one source."""
        return self.good & np.asarray(pc.equal(self.documents["source"], source), np.bool_)

    def speaks(self, languages: Sequence[str]) -> Mask:
        """Whether a document is in one of the languages."""
        return np.asarray(pc.is_in(self.documents["language"], pa.array(languages, pa.string())), np.bool_)

    def importance(self, among: Mask, balance: Balance) -> Floats:
        """The weight of each document, those of `among` weighing their number together; 0 for all others."""
        if balance == "none":
            return among.astype(np.float64)
        share = self.documents["share"].to_numpy() if balance == "sources" else self.good.astype(np.int32)
        weights = np.zeros(len(among))
        for side in (among & self.good, among & ~self.good):
            shares = np.unique(share[side])
            for number in shares.tolist():
                mine = side & (share == number)
                weights[mine] = among.sum() / 2 / len(shares) / mine.sum()
        return weights


def groups(documents: pa.Table) -> pa.Array:
    """The registered domain of each document; without one, its id up to the record: <source>/<file>."""
    files = pc.replace_substring_regex(documents["id"], "/[^/]*$", "")
    domains = pc.if_else(pc.equal(documents["domain"], ""), None, documents["domain"])
    return pc.coalesce(domains, files)


def quotas(size: int, rows: Sequence[int]) -> list[int]:
    """`size` documents of sources with so many `rows`: as many from each, and all of one too small."""
    found, left = [0] * len(rows), size
    for place, at in enumerate(sorted(range(len(rows)), key=lambda source: rows[source])):
        found[at] = min(rows[at], left // (len(rows) - place))
        left -= found[at]
    return found


def bound(size: int, rows: int) -> float:
    """Enough of `rows` draws are below it for a sample of `size` (by six deviations), and few more.

    Those below it are Poisson's: x of them are expected such that x - 6 sqrt(x) is the size.
    """
    return (3 + math.sqrt(9 + size)) ** 2 / max(rows, 1)


def cutoff(paths: Sequence[str], size: int) -> float:
    """The largest of the `size` smallest draws in the shards: who draws no more is in the sample."""
    found = [batch["draw"].to_numpy() for path in paths for batch in read_batches(path, ["draw"])]
    draws = np.concatenate([np.zeros(0), *found])
    return 1.0 if len(draws) <= size else float(np.partition(draws, size - 1)[size - 1])


def count(path: str, limit: float, share: int, counting: Counting) -> Iterator[pa.Table]:
    """The documents of a shard that draw at most `limit` and have words, and their counts (COUNTS)."""
    for batch in read_batches(path):
        chosen = batch.filter(pc.less_equal(batch["draw"], limit))
        split = words(chosen["text"])
        found = features(terms(chosen["text"], split, counting.reading), counting.bits)
        ends = pa.array(found.offsets, pa.int32())
        columns = {
            "share": np.full(chosen.num_rows, share, np.int32),
            "key": text_keys(split),
            "words": np.diff(split.offsets),
            "tokens": tokens(chosen["text"]),
            "buckets": pa.ListArray.from_arrays(ends, pa.array(found.buckets)),
            "counts": pa.ListArray.from_arrays(ends, pa.array(found.counts)),
        }
        for name, values in columns.items():
            chosen = with_column(chosen, name, values)
        yield chosen.filter(pa.array(columns["words"] > 0)).select(COUNTS.names)


def read_light(paths: Sequence[str]) -> pa.Table:
    """The rows of the documents, without their counts."""
    return pa.concat_tables(
        [LIGHT.empty_table(), *(batch for path in paths for batch in read_batches(path, LIGHT.names))]
    )


def tokens(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Estimated tokens of each text."""
    sizes = pc.binary_length(texts).to_numpy()
    beyond = sizes - pc.utf8_length(texts).to_numpy()
    return np.array([estimated_tokens(*row) for row in zip(sizes, beyond, strict=True)], np.int64)


def split_by(documents: pa.Table) -> dict[str, str]:
    """What each source is held out by: its domains or files if it has enough of them, else its documents."""
    counted = documents.group_by("source").aggregate([("group", "count_distinct"), ("group", "min")])
    found = {}
    for row in counted.sort_by("source").to_pylist():
        unit = "file" if "/" in row["group_min"] else "domain"
        found[row["source"]] = unit if row["group_count_distinct"] >= FEWEST_GROUPS else "document"
    return found


def hold_out(documents: pa.Table, share: float, seed: int, purpose: str) -> Mask:
    """Which documents of one side only measure: `share` of the groups of each source; never all of them."""
    alone = [source for source, unit in split_by(documents).items() if unit == "document"]
    by_document = pc.is_in(documents["source"], pa.array(alone, pa.string()))
    keys = pc.if_else(by_document, documents["id"], documents["group"])
    held_out = uniform(seed, purpose, hash_text(keys)) < share
    return held_out & ~held_out.all()


def _counts(table: pa.Table) -> Features:
    """The lists of a table as arrays."""
    buckets, counts = table["buckets"].combine_chunks(), table["counts"].combine_chunks()
    offsets = buckets.offsets.to_numpy().astype(np.int64)
    return Features(offsets - offsets[0], buckets.flatten().to_numpy(), counts.flatten().to_numpy())
