"""Rows go through the shuffle like through a stable sort by partition, for any number of files."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import shuffle
from pipeline.errors import TaskFailedError
from pipeline.executors import Inline, Processes
from pipeline.shuffle import merge, partitions_for, read_partition, sorted_by_partition, stream_partition
from pipeline.stage import Job, Output

SCHEMA = pa.schema([("file", pa.int64()), ("row", pa.int64()), ("words", pa.list_(pa.string()))])
PARTITIONS = 5


@dataclass(frozen=True)
class Scatter:
    """A map task: row r of file f goes to partition (3 f + r * r) % PARTITIONS, or where `to` says."""

    to: tuple[int, ...] = ()

    def __call__(self, item: tuple[int, int], output: Output) -> None:
        file, rows = item
        numbers = np.arange(rows)
        table = pa.table([[file] * rows, numbers, [["a"] * (n % 3) for n in range(rows)]], schema=SCHEMA)
        where = self.to or (3 * file + numbers * numbers) % PARTITIONS
        table = sorted_by_partition(table, np.array(where, np.uint32))
        writer = output.table(table.schema, group_rows=7)
        writer.write(table)


def scattered(folder: Path, sizes: list[int]) -> tuple[Job, list[str]]:
    job = Job("step", {}, str(folder), Inline())
    items = {f"{n:03d}": (n, rows) for n, rows in enumerate(sizes)}
    return job, list(job.map("scattered", Scatter(), items, {}).values())


def rows(table: pa.Table) -> list[tuple[int, int]]:
    return list(zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_partition_holds_its_rows_in_the_order_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, sizes
):
    job, files = scattered(tmp_path_factory.mktemp("shuffle"), sizes)
    merged = merge(job, "merged", files, PARTITIONS)
    assert len(merged) == 1
    for partition in range(PARTITIONS):
        expected = [
            (f, r) for f, size in enumerate(sizes) for r in range(size) if (3 * f + r * r) % 5 == partition
        ]
        table = read_partition(merged, partition)
        assert rows(table) == expected
        assert table["words"].to_pylist() == [["a"] * (r % 3) for _, r in expected]
        assert set(table["partition"].to_pylist()) <= {partition}


def test_the_number_of_merged_files_follows_from_the_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "FAN_IN", 3)
    sizes = [4, 0, 9, 2, 30, 1, 8]
    job, files = scattered(tmp_path, sizes)
    merged = merge(job, "merged", files, PARTITIONS)
    assert len(merged) == 3
    together = [rows(read_partition(merged, partition)) for partition in range(PARTITIONS)]
    assert sorted(chain(*together)) == [(f, r) for f, size in enumerate(sizes) for r in range(size)]
    assert all(part == sorted(part) for part in together)


def test_columns_can_be_chosen(tmp_path):
    job, files = scattered(tmp_path, [10, 10])
    merged = merge(job, "merged", files, PARTITIONS)
    assert read_partition(merged, 1, ["row"]).column_names == ["row"]


def test_a_partition_streams_in_pieces_when_it_is_large(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 4)
    job, files = scattered(tmp_path, [50, 50])
    merged = merge(job, "merged", files, PARTITIONS)
    pieces = list(stream_partition(merged, 0))
    assert len(pieces) > 1 and max(piece.num_rows for piece in pieces) <= 4
    assert rows(pa.concat_tables(pieces)) == rows(read_partition(merged, 0))


def test_workers_make_the_same_bytes(tmp_path):
    contents = []
    for executor in (Inline(), Processes(2)):
        folder = tmp_path / type(executor).__name__
        _, files = scattered(folder, [30, 20, 0, 5])
        [merged] = merge(Job("step", {}, str(folder), executor), "merged", files, PARTITIONS)
        executor.close()
        contents.append(Path(merged).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("partitions", [[2, 1, 3], [0, 1, 9]])
def test_a_file_that_breaks_the_contract_is_refused(tmp_path, partitions):
    column = pa.array(partitions, pa.uint32())
    pq.write_table(pa.table({"partition": column}), tmp_path / "bad.parquet")
    with pytest.raises(TaskFailedError, match="ValueError: partition"):
        merge(Job("step", {}, str(tmp_path), Inline()), "merged", [str(tmp_path / "bad.parquet")], PARTITIONS)


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_partitions_keep_an_even_share_within_the_limit(total, limit):
    partitions = partitions_for(total, limit)
    assert partitions & (partitions - 1) == 0
    assert total <= partitions * limit
    assert partitions == 1 or total > partitions // 2 * limit


@given(st.lists(st.integers(0, 3), max_size=50))
def test_sorting_is_stable(partitions):
    table = sorted_by_partition(pa.table({"row": range(len(partitions))}), np.array(partitions, np.uint32))
    assert table["row"].to_pylist() == sorted(range(len(partitions)), key=lambda row: partitions[row])
    assert table["partition"].to_pylist() == sorted(partitions)


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**64 - 1))), min_size=1, max_size=7))
@settings(max_examples=50, deadline=None)
def test_sorted_files_become_one_order(tmp_path_factory: pytest.TempPathFactory, files):
    folder = tmp_path_factory.mktemp("sorted")
    paths = []
    for number, keys in enumerate(files):
        table = pa.table(
            [[key[n] for key in sorted(keys)] for n in (0, 1)] + [[number] * len(keys)],
            schema=pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("file", pa.int64())]),
        )
        paths.append(str(folder / f"{number}.parquet"))
        pq.write_table(table, paths[-1], row_group_size=3)
    job = Job("step", {}, str(folder / "job"), Inline())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle, "FAN_IN", 2)
        merged = shuffle.merge_sorted(job, "merged", paths, ("high", "low"), 2)
    assert len(merged) == -(-len(paths) // 2) if len(paths) > 2 else merged == tuple(paths)
    rows = [
        tuple(row.values())
        for table in shuffle.sorted_runs(merged, ("high", "low"), ["file"])
        for row in table.to_pylist()
    ]
    assert [row[:2] for row in rows] == sorted(key for keys in files for key in keys)
    assert sorted(rows) == sorted((*key, number) for number, keys in enumerate(files) for key in keys)
