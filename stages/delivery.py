"""What tasks find out is brought to the shards whose documents it concerns, in bounded memory.

A crawl has too many shards for each to be a partition of its own. So rows go to blocks of neighbouring shards
first; there a task sorts them by shard, and each shard reads row groups of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.shards import read_schema
from pipeline.shuffle import (
    FAN_IN,
    GROUP_ROWS,
    PARTITION,
    exchange,
    partitions_for,
    read_partition,
    sorted_by_partition,
)
from pipeline.stage import Job, Output

T = TypeVar("T")

SHARD = "shard"  # column of what is delivered: index of the shard, uint32


@dataclass(frozen=True)
class Shards:
    """The shards of one or several datasets, in order of the datasets and then of their names."""

    names: tuple[str, ...]
    datasets: tuple[int, ...]  # place of the dataset of each

    @staticmethod
    def of(documents: Dataset) -> "Shards":
        """InputError when there are none."""
        owned = [(name, place) for place, part in enumerate(documents.parts) for name in sorted(part.shards)]
        if not owned:
            raise InputError(f"{documents} has no shards; look at what its step read: pipeline status")
        names, places = zip(*owned, strict=True)
        return Shards(names, places)

    @property
    def items(self) -> dict[str, int]:
        """Index of each shard, by task name."""
        return {name: index for index, name in enumerate(self.names)}


@dataclass(frozen=True)
class Budget:
    """Megabytes that a task may take, and the bytes that a row of its work takes. Never changes a result."""

    megabytes: int
    row_bytes: int

    @property
    def rows(self) -> int:
        """Rows that fit."""
        return max(1, (self.megabytes << 20) // self.row_bytes)

    def partitions(self, rows: int) -> int:
        """Parts of `rows` rows that fit each, if keys are spread evenly."""
        return partitions_for(rows * self.row_bytes, self.megabytes << 20)

    def blocks(self, sizes: Sequence[int]) -> NDArray[np.uint32]:
        """The block of each shard, by how many rows it may get: neighbours, as many as fit; at least one."""
        blocks, held = np.zeros(len(sizes), np.uint32), 0
        for shard, size in enumerate(sizes):
            held += size
            if shard:
                blocks[shard] = blocks[shard - 1] + (held > self.rows)
            if held > self.rows:
                held = size
        return blocks

    def scatter(self, output: Output, table: pa.Table, partitions: NDArray[np.uint32]) -> None:
        """Write `table` sorted by partition, in row groups of which FAN_IN fit, as a merge task holds."""
        rows = sorted_by_partition(table, partitions)
        group_rows = min(GROUP_ROWS, max(1024, self.rows // FAN_IN))
        output.table(rows.schema, group_rows=group_rows).write(rows)


def deliver(
    job: Job, part: str, fn: Callable[[T, Output], None], items: Mapping[str, T], blocks: NDArray[np.uint32]
) -> tuple[str, ...]:
    """Run fn for the items, which scatters rows with a column `shard` by `blocks[shard]`: a file a block."""
    count = int(blocks[-1]) + 1
    merged = exchange(job, part, fn, items, count)
    names = {f"{block:05d}": block for block in range(count)}
    files = tuple(job.map(f"{part}-told", partial(_by_shard, merged), names).values())
    job.discard(f"{part}-merged")
    return files


def told(files: Sequence[str], blocks: NDArray[np.uint32], shard: int) -> pa.Table:
    """What was delivered to a shard."""
    return read_partition([files[blocks[shard]]], shard)


def found_in(
    known: NDArray[np.uint64], keys: NDArray[np.uint64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which keys are among those `known`, ascending, and where."""
    if not len(known):
        return np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.int64)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return known[at] == keys, at


def _by_shard(merged: Sequence[str], block: int, output: Output) -> None:
    """Give each shard of a block row groups of its own."""
    columns = [name for name in read_schema(merged[0]).names if name != PARTITION]
    table = read_partition(merged, block, columns)
    rows = sorted_by_partition(table, table[SHARD].to_numpy())
    writer = output.table(rows.schema, group_rows=GROUP_ROWS)
    edges = np.flatnonzero(np.diff(rows[PARTITION].to_numpy().astype(np.int64), prepend=-1, append=-1))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        writer.write(rows.slice(start, end - start))
        writer.end_group()
