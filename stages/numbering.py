"""Documents as numbers: one says where a document is, another which of two similar ones stays.

A document's number is the index of its shard << 32 | its row there; it never leaves the step. Its rank packs
the order of precedence into one uint64; of two the lesser stays.

    bits 56-63  the order of its dataset: references first, then split "val", then as the datasets are listed
    bits 44-55  4,095 - its quality: a score from 0 to 1 in as many steps
    bits 28-43  2^16 - 1 - its length in words: exact to 8,191 words, then to one in 4,096
    bits 0-27   a hash of its id

Equal ranks go by number, that is by shard name and row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Rows = NDArray[np.int64]

ORDERS = 1 << 8
_ORDER_BIT, _QUALITY_BIT, _LENGTH_BIT = (np.uint64(bit) for bit in (56, 44, 28))
_BEST = (1 << 12) - 1
_LONGEST = (1 << 16) - 1
_EXACT_BITS = 12  # of a length
_ROW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Numbering:
    """The shards that one step compares: references, which nothing is removed from, then its own."""

    rows: tuple[int, ...]  # documents in each shard
    references: int  # so many shards, the first ones, are references
    block_rows: int  # neighbouring shards are one block until it has so many documents

    @cached_property
    def starts(self) -> Rows:
        """Place of each shard's first document in the row of all documents; the last entry counts all."""
        return np.array([0, *accumulate(self.rows)], np.int64)

    @property
    def own_start(self) -> int:
        """Documents of references."""
        return int(self.starts[self.references])

    @property
    def total(self) -> int:
        """All documents."""
        return int(self.starts[-1])

    @cached_property
    def block_starts(self) -> Rows:
        """The first shard of each block; the last entry counts all shards."""
        starts, held = [0], 0
        for shard, rows in enumerate(self.rows):
            if held and held + rows > self.block_rows:
                starts.append(shard)
                held = 0
            held += rows
        return np.array([*starts, len(self.rows)], np.int64)

    @property
    def blocks(self) -> dict[str, int]:
        """All blocks, by task name."""
        return {f"{block:05d}": block for block in range(len(self.block_starts) - 1)}

    def shards_of(self, block: int) -> range:
        """Indexes of the shards in a block."""
        return range(int(self.block_starts[block]), int(self.block_starts[block + 1]))

    def block_of_shard(self, shard: int) -> int:
        """The block that a shard belongs to."""
        return int(np.searchsorted(self.block_starts, shard, side="right")) - 1

    def block_of(self, numbers: Numbers) -> NDArray[np.uint32]:
        """The block of each document."""
        blocks = np.searchsorted(self.block_starts, np.arange(len(self.rows)), side="right") - 1
        return blocks[shard_of(numbers)].astype(np.uint32)

    def places(self, numbers: Numbers) -> Rows:
        """Place of each document in the row of all documents."""
        return self.starts[shard_of(numbers)] + row_of(numbers)

    def is_reference(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Which documents nothing can remove."""
        return shard_of(numbers) < self.references


def numbered(shard: int, rows: Rows) -> Numbers:
    """The numbers of the documents at `rows` of a shard."""
    return rows.astype(np.uint64) + np.uint64(shard << 32)


def shard_of(numbers: Numbers) -> Rows:
    """Index of each document's shard."""
    return (numbers >> np.uint64(32)).astype(np.int64)


def row_of(numbers: Numbers) -> Rows:
    """Each document's row in its shard."""
    return (numbers & _ROW).astype(np.int64)


def by_shard(numbers: Numbers) -> Iterator[tuple[int, Rows]]:
    """(shard, rows) of ascending numbers."""
    shards = shard_of(numbers)
    for shard in np.unique(shards).tolist():
        low, high = np.searchsorted(shards, [shard, shard + 1])
        yield shard, row_of(numbers[low:high])


def ranks(orders: Rows, qualities: NDArray[np.float64], words: Rows, ids: Numbers) -> Numbers:
    """Precedence as numbers, the layout is above; `ids` are 64-bit hashes; NaN is the least quality."""
    good = np.rint(np.nan_to_num(qualities, nan=0.0).clip(0, 1) * _BEST).astype(np.uint64)
    packed: Numbers = (
        orders.astype(np.uint64) << _ORDER_BIT
        | (np.uint64(_BEST) - good) << _QUALITY_BIT
        | (_LONGEST - _length_codes(words)).astype(np.uint64) << _LENGTH_BIT
        | ids >> np.uint64(64 - int(_LENGTH_BIT))
    )
    return packed


def moved(ranks: Numbers, by: int) -> Numbers:
    """The same ranks with orders greater by `by`, which may be negative."""
    return ranks + np.uint64((by << int(_ORDER_BIT)) % (1 << 64))  # uint64 wraps around


def _length_codes(words: Rows) -> Rows:
    """Lengths as short floating-point numbers, four bits of exponent; they grow with the lengths."""
    words = np.minimum(words, (1 << 26) - 1)
    exponents = np.maximum(np.frexp(words.astype(np.float64))[1] - _EXACT_BITS, 0)
    mantissas = words >> np.maximum(exponents - 1, 0)
    codes: Rows = np.where(
        exponents > 0, (exponents << _EXACT_BITS) + mantissas - (1 << _EXACT_BITS), mantissas
    )
    return codes


def lengths_of(ranks: Numbers) -> Rows:
    """Words of the documents of these ranks; beyond 8,191 a little fewer than there were."""
    codes = _LONGEST - (ranks >> _LENGTH_BIT & np.uint64(_LONGEST)).astype(np.int64)
    exponents = codes >> _EXACT_BITS
    mantissas = codes - np.maximum(exponents - 1, 0) * (1 << _EXACT_BITS)
    lengths: Rows = mantissas << np.maximum(exponents - 1, 0)
    return lengths
