"""Parquet as the shuffle, in two levels.

A map task writes one file whose rows are sorted by the uint32 column `partition`. A merge task joins up to
FAN_IN such files into one, sorted too, in which every partition has row groups of its own. To read a
partition is to read its row groups in each merged file, in the order of the files.
"""

import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice, pairwise
from operator import itemgetter
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.shards import read_batches, read_footer, read_group, read_schema
from pipeline.stage import Job, Output

T = TypeVar("T")

PARTITION = "partition"
FAN_IN = 256  # files that a merge task holds open, with one row group of each in memory
GROUP_ROWS = 1 << 16  # the writer closes a group of wide rows earlier


def partitions_for(total_bytes: int, limit_bytes: int) -> int:
    """The least power of two that keeps an even share of `total_bytes` within `limit_bytes`; at least 1."""
    shares = -(-total_bytes // limit_bytes)
    return 1 << max(0, shares - 1).bit_length()


def key_partitions(keys: NDArray[np.uint64], partitions: int) -> NDArray[np.uint32]:
    """Equal keys to one of at most 2^32 partitions, by their upper bits."""
    return ((keys >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.uint32)


def sorted_by_partition(table: pa.Table, partitions: NDArray[np.uint32]) -> pa.Table:
    """The rows of `table` with a last column `partition`, sorted by it; equal partitions keep their order."""
    few = int(partitions.max(initial=0)) < 1 << 16  # numpy sorts 16 bits by radix
    order = np.argsort(partitions.astype(np.uint16) if few else partitions, kind="stable")
    column = pa.array(partitions[order], pa.uint32())
    return table.take(pa.array(order)).append_column(PARTITION, column)


def scatter(output: Output, table: pa.Table, partitions: NDArray[np.uint32]) -> None:
    """Write `table` sorted by partition as the file of a map task."""
    rows = sorted_by_partition(table, partitions)
    output.table(rows.schema, group_rows=GROUP_ROWS).write(rows)


def exchange(
    job: Job, part: str, fn: Callable[[T, Output], None], items: Mapping[str, T], partitions: int
) -> tuple[str, ...]:
    """Map, then merge what the tasks wrote by partition; only what was merged stays."""
    merged = merge(job, f"{part}-merged", tuple(job.map(part, fn, items, {}).values()), partitions)
    job.discard(part)
    return merged


def merge(job: Job, part: str, files: Sequence[str], partitions: int) -> tuple[str, ...]:
    """Join every FAN_IN files (sorted by partition, one schema) into one, by tasks of the job's part `part`.

    How many files come back follows from the number of `files` only. Fails when a file is not sorted or has a
    partition that is not below `partitions`.
    """
    fans = [tuple(files[start : start + FAN_IN]) for start in range(0, len(files), FAN_IN)]
    items = {f"{number:05d}": fan for number, fan in enumerate(fans)}
    reads = {name: [os.path.basename(path) for path in fan] for name, fan in items.items()}
    return tuple(job.map(part, partial(_join, partitions), items, reads).values())


def read_partition(merged: Sequence[str], partition: int, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one partition: its part of every merged file, in order."""
    empty = read_schema(merged[0]).empty_table()
    tables = stream_partition(merged, partition, columns)
    return pa.concat_tables([empty if columns is None else empty.select(columns), *tables])


def stream_partition(
    merged: Sequence[str], partition: int, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The same rows, one row group after another, for partitions that should not be in memory at once."""
    for path in merged:
        for group in _groups_of(path, partition):
            yield read_group(path, group, columns)


def partitions_of(files: Sequence[str]) -> Iterator[tuple[int, Iterator[pa.Table]]]:
    """(partition, its rows in the order of the files) for every partition that has any, ascending.

    The files, sorted by partition, are open all at once: merge first when they are many.
    """
    runs = heapq.merge(*map(_runs, files), key=itemgetter(0))
    for partition, group in groupby(runs, key=itemgetter(0)):
        yield partition, (rows for _, rows in group)


def sorted_runs(files: Sequence[str], by: tuple[str, str], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of files, each of them sorted by two uint64 columns, as tables that go on in that order.

    In memory is one row group of each file.
    """
    waiting = [_Run(read_batches(path, [*by, *columns]), by) for path in files]
    while waiting := [run for run in waiting if run.fill()]:
        last = min((run.last for run in waiting if run.more), default=None)
        table = pa.concat_tables([run.take(last) for run in waiting])
        yield table.take(pa.array(np.lexsort([table[name].to_numpy() for name in reversed(by)])))


def merge_sorted(
    job: Job, part: str, files: Sequence[str], by: tuple[str, str], group_rows: int
) -> tuple[str, ...]:
    """Join every FAN_IN files, each sorted by two columns, into one that is too, unless they are so few."""
    if len(files) <= FAN_IN:
        return tuple(files)
    fans = [tuple(files[start : start + FAN_IN]) for start in range(0, len(files), FAN_IN)]
    items = {f"{number:05d}": fan for number, fan in enumerate(fans)}
    return tuple(job.map(part, partial(_join_sorted, by, group_rows), items, {}).values())


class _Run:
    """What is read of a sorted file and not yet taken."""

    def __init__(self, batches: Iterator[pa.Table], by: tuple[str, str]) -> None:
        self._batches, self._by = batches, by
        self._table: pa.Table | None = None
        self._next = next(batches, None)

    @property
    def more(self) -> bool:
        """Whether the file has rows that are not read yet."""
        return self._next is not None

    @property
    def last(self) -> tuple[int, int]:
        """The greatest key that is read."""
        assert self._table is not None
        high, low = (self._table[name][-1].as_py() for name in self._by)
        return high, low

    def fill(self) -> bool:
        """Read on if nothing is left; False at the end of the file."""
        while (self._table is None or not self._table.num_rows) and self._next is not None:
            self._table, self._next = self._next, next(self._batches, None)
        return self._table is not None and self._table.num_rows > 0

    def take(self, last: tuple[int, int] | None) -> pa.Table:
        """The rows up to and with the key `last`; all if there is none."""
        assert self._table is not None
        end = self._table.num_rows
        if last is not None:
            high, low = (self._table[name].to_numpy() for name in self._by)
            start, stop = (
                np.searchsorted(high, np.uint64(last[0]), "left"),
                np.searchsorted(high, np.uint64(last[0]), "right"),
            )
            end = int(start + np.searchsorted(low[start:stop], np.uint64(last[1]), "right"))
        taken, self._table = self._table.slice(0, end), self._table.slice(end)
        return taken


def _join_sorted(by: tuple[str, str], group_rows: int, files: tuple[str, ...], output: Output) -> None:
    """Merge files sorted by two columns."""
    schema = read_schema(files[0])
    writer = output.table(schema, group_rows=group_rows)
    for table in sorted_runs(files, by, [name for name in schema.names if name not in by]):
        writer.write(table)


def _groups_of(path: str, partition: int) -> list[int]:
    """The row groups of a merged file that hold `partition`, by the statistics in its footer."""
    footer = read_footer(path)
    leaf = [footer.schema.column(number).path for number in range(footer.num_columns)].index(PARTITION)
    groups = (footer.row_group(number).column(leaf) for number in range(footer.num_row_groups))
    return [number for number, column in enumerate(groups) if column.statistics.min == partition]


def _join(partitions: int, files: tuple[str, ...], output: Output) -> None:
    """Merge sorted files by partition."""
    writer = output.table(read_schema(files[0]), group_rows=GROUP_ROWS)
    last = -1
    for partition, tables in partitions_of(files):
        if not last < partition < partitions:
            raise ValueError(f"partition {partition} comes after {last}, of {partitions}, in one of {files}")
        while some := list(islice(tables, FAN_IN)):
            writer.write(pa.concat_tables(some))
        writer.end_group()
        last = partition


def _runs(path: str) -> Iterator[tuple[int, pa.Table]]:
    """(partition, its rows) along one sorted file; a run that crosses row groups comes in pieces."""
    for table in read_batches(path):
        partitions = table[PARTITION].to_numpy()
        starts = np.flatnonzero(np.diff(partitions.astype(np.int64), prepend=-1))
        for start, end in pairwise([*starts.tolist(), len(partitions)]):
            yield int(partitions[start]), table.slice(start, end - start)
