"""Which documents to compare: they are numbered, put in order of precedence, and paired where keys meet.

A document's number is the index of its shard << 32 | its row there; it never leaves the step. Its rank packs
what decides which of two similar documents stays into one uint64; the lesser stays.

    bit 63      0 for the split "val", 1 otherwise
    bits 56-62  place of its dataset among those given
    bits 32-55  2^24 - 1 - number of words: the longer text first
    bits 0-31   a hash of its words, so that copies of one text in one dataset have one rank

Equal ranks go by number, that is by shard name and row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from pipeline.dataset import Dataset

HEADS = 8  # members of a bucket that all others are compared with, so that its cost is linear
BLOCKS = 1_024  # documents are exchanged between at most so many blocks of neighbouring shards,
BLOCK_ROWS = 4_096  # and a block has about so many documents or more, unless it is one shard
DATASETS = 128  # that one step can put in order

_ROW = np.uint64(0xFFFFFFFF)
_MOST_WORDS = (1 << 24) - 1
_TEXT = np.uint64((1 << 56) - 1)  # the bits of a rank that copies of one text share in all datasets
_EXACT = np.uint64(1)  # the lowest bit of a key tells whole texts from bands

KEYS = pa.schema([("key", pa.uint64()), ("number", pa.uint64()), ("rank", pa.uint64())])
KEY_BYTES = 24
PAIRS = pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("copy", pa.bool_())])


@dataclass(frozen=True)
class Numbering:
    """The shards of a step in order of their datasets and then of their names."""

    names: tuple[str, ...]
    rows: tuple[int, ...]  # documents in each
    datasets: tuple[int, ...]  # place of the dataset of each

    @staticmethod
    def of(documents: Dataset) -> "Numbering":
        """Of the shards of one or several datasets."""
        owned = [(name, place) for place, part in enumerate(documents.parts) for name in sorted(part.shards)]
        names, places = zip(*owned, strict=True) if owned else ((), ())
        return Numbering(names, tuple(documents.rows[name] for name in names), places)

    @property
    def shards(self) -> dict[str, int]:
        """Index of each shard, by name."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Place of each shard's first document in the row of all documents; the last entry counts all."""
        return np.array([0, *accumulate(self.rows)], np.int64)

    @cached_property
    def width(self) -> int:
        """Shards in a block: as many as make blocks few and worth a task."""
        shards = len(self.names)
        return max(-(-shards // BLOCKS), shards * BLOCK_ROWS // max(self.total, 1), 1)

    @property
    def total(self) -> int:
        """All documents."""
        return int(self.starts[-1])

    @property
    def blocks(self) -> dict[str, int]:
        """Blocks of neighbouring shards, by task name."""
        return {f"{block:05d}": block for block in range(-(-len(self.names) // self.width))}

    def shards_of(self, block: int) -> range:
        """Indexes of the shards in a block."""
        return range(block * self.width, min((block + 1) * self.width, len(self.names)))

    def block_of(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """The block of each document."""
        return (shard_of(numbers) // self.width).astype(np.uint32)

    def places(self, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Place of each document in the row of all documents."""
        return self.starts[shard_of(numbers)] + row_of(numbers)


def numbers(shard: int, start: int, count: int) -> NDArray[np.uint64]:
    """The numbers of `count` documents of a shard, from row `start`."""
    return np.arange(start, start + count, dtype=np.uint64) + np.uint64(shard << 32)


def shard_of(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Index of each document's shard."""
    return (numbers >> np.uint64(32)).astype(np.int64)


def row_of(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Each document's row in its shard."""
    return (numbers & _ROW).astype(np.int64)


def by_shard(numbers: NDArray[np.uint64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(shard, rows) of ascending numbers."""
    shards = shard_of(numbers)
    for shard in np.unique(shards).tolist():
        low, high = np.searchsorted(shards, [shard, shard + 1])
        yield shard, row_of(numbers[low:high])


def ranks(
    val: NDArray[np.bool_], dataset: int, words: NDArray[np.int64], digests: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Precedence as a number, the layout is above; `digests` [documents, 2] stand for the words."""
    fewness = (_MOST_WORDS - np.minimum(words, _MOST_WORDS)).astype(np.uint64)
    high = (~val).astype(np.uint64) << np.uint64(63) | np.uint64(dataset << 56)
    packed: NDArray[np.uint64] = high | fewness << np.uint64(32) | digests[:, 1] >> np.uint64(32)
    return packed


def rank_classes(ranks: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """A coarse rank below RANK_CLASSES: split, dataset, and length in steps of a sixteenth of an octave."""
    words = _MOST_WORDS - (ranks >> np.uint64(32) & np.uint64(_MOST_WORDS)).astype(np.int64)
    mantissas, exponents = np.frexp(words.astype(np.float64))
    lengths = exponents * 16 + np.maximum((mantissas * 32).astype(np.int64) - 16, 0)
    classes: NDArray[np.uint32] = ((ranks >> np.uint64(56)) * np.uint64(512)).astype(np.uint32)
    return classes + (511 - lengths).astype(np.uint32)


RANK_CLASSES = 256 * 512


def exact_keys(digests: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The key under which copies of a text meet."""
    return digests[:, 0] | _EXACT


def near_keys(band_keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys under which texts with an equal band meet, none of them a key of copies."""
    return band_keys & ~_EXACT


def key_partitions(keys: NDArray[np.uint64], partitions: int) -> NDArray[np.uint32]:
    """Equal keys to one partition, by their upper bits."""
    return ((keys >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.uint32)


def pair_up(
    keys: NDArray[np.uint64], numbers: NDArray[np.uint64], ranks: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    """(first, second, whether a copy of the first) for the members of each bucket; the first has precedence.

    A copy is paired with the first copy of its text only, and that one stands for it in all other buckets.
    There each member is paired with the first HEADS. A pair comes once for each bucket that has both.
    """
    order = np.argsort(keys)
    order = order[_runs(keys[order])]  # most keys have one member: leave those out
    keys, numbers, ranks = keys[order], numbers[order], ranks[order]
    order = np.lexsort((numbers, ranks, ranks & _TEXT, keys))
    keys, numbers, ranks = keys[order], numbers[order], ranks[order]
    again = np.zeros(len(keys), np.bool_)
    again[1:] = (keys[1:] == keys[:-1]) & (ranks[1:] & _TEXT == ranks[:-1] & _TEXT)
    exact = keys & _EXACT == _EXACT
    leaders = np.maximum.accumulate(np.where(again, 0, np.arange(len(keys))))
    copies = exact & again
    near = _near(*_members(keys, numbers, ranks, ~exact & ~again))
    firsts = np.concatenate([numbers[leaders[copies]], near[0]])
    seconds = np.concatenate([numbers[copies], near[1]])
    return firsts, seconds, np.arange(len(firsts)) < np.count_nonzero(copies)


def _runs(ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values have an equal neighbour."""
    equal = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(ordered), np.bool_)
    shared[1:] |= equal
    shared[:-1] |= equal
    return shared


def _members(
    keys: NDArray[np.uint64],
    numbers: NDArray[np.uint64],
    ranks: NDArray[np.uint64],
    chosen: NDArray[np.bool_],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Keys and numbers of the chosen rows, by key and then by precedence."""
    keys, numbers, ranks = keys[chosen], numbers[chosen], ranks[chosen]
    order = np.lexsort((numbers, ranks, keys))
    return keys[order], numbers[order]


def _near(keys: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> Sequence[NDArray[np.uint64]]:
    pairs = np.empty((2, _count_pairs(keys)), np.uint64)
    _fill_pairs(keys, numbers, pairs)
    return pairs[0], pairs[1]


@kernel
def _count_pairs(keys: NDArray[np.uint64]) -> int:
    start = pairs = 0
    for member in range(len(keys)):
        if keys[member] != keys[start]:
            start = member
        pairs += min(member - start, HEADS)
    return pairs


@kernel
def _fill_pairs(keys: NDArray[np.uint64], numbers: NDArray[np.uint64], pairs: NDArray[np.uint64]) -> None:
    """Write each member of a run of equal keys with those of its first HEADS members that are before it."""
    start = end = 0
    for member in range(len(keys)):
        if keys[member] != keys[start]:
            start = member
        for head in range(start, min(member, start + HEADS)):
            pairs[0, end], pairs[1, end] = numbers[head], numbers[member]
            end += 1


def unique_pairs(
    firsts: NDArray[np.uint64], seconds: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Each pair once, ascending by first and then by second."""
    order = np.lexsort((seconds, firsts))
    firsts, seconds = firsts[order], seconds[order]
    new = np.ones(len(firsts), np.bool_)
    new[1:] = (firsts[1:] != firsts[:-1]) | (seconds[1:] != seconds[:-1])
    return firsts[new], seconds[new]
