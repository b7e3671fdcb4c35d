"""Parquet shards: the only reader and writer of them.

A shard's bytes depend on its rows alone, never on the batches they came in: row groups are refilled to 1,024
rows or 64 MB of text, whichever comes first, and every group is one contiguous block before it is written.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.errors import StorageError
from pipeline.schema import aligned

GROUP_ROWS = 1024
GROUP_BYTES = 64 << 20
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


class ShardWriter:
    """Writes one shard to a temporary name; the engine commits it when the task is whole."""

    def __init__(self, path: str, schema: pa.Schema, group_rows: int = GROUP_ROWS) -> None:
        schema = pa.schema([_as_read(field) for field in schema])
        self.path, self.schema, self.rows = path, schema, 0
        self.partial = storage.temporary(path)
        self._group_rows = group_rows
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0
        with storage.explained(path):
            self._writer = pq.ParquetWriter(
                self.partial,
                schema,
                compression="zstd",
                compression_level=3,
                write_page_checksum=True,
                **_encodings(schema),
            )

    def write(self, table: pa.Table) -> None:
        """Add rows; `table` must have exactly the columns of the schema, in any order."""
        table = table.select(self.schema.names).cast(self.schema)
        self.rows += table.num_rows
        while table.num_rows:
            room = self._fitting(table)
            self._wait(table.slice(0, room))
            table = table.slice(room)
            if table.num_rows:  # what is left did not fit
                self.end_group()

    def end_group(self) -> None:
        """Close the current row group, also an empty one."""
        table = pa.concat_tables(self._waiting) if self._waiting else self.schema.empty_table()
        with storage.explained(self.path):
            self._writer.write_table(table.combine_chunks(), row_group_size=max(1, table.num_rows))
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def close(self) -> None:
        """Write what waits and the footer; the file still has its temporary name."""
        if self._waiting_rows:
            self.end_group()
        with storage.explained(self.path):
            self._writer.close()

    def abandon(self) -> None:
        """Forget the file."""
        with contextlib.suppress(OSError):
            self._writer.close()
        storage.discard(self.partial)

    def _wait(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self._waiting_bytes += int(_row_bytes(table).sum())

    def _fitting(self, table: pa.Table) -> int:
        """How many leading rows of `table` fit into the current group; at least one into an empty one."""
        free = GROUP_BYTES - self._waiting_bytes
        by_bytes = int(np.searchsorted(_row_bytes(table).cumsum(), free, side="right"))
        room: int = min(self._group_rows - self._waiting_rows, by_bytes, table.num_rows)
        if room == 0 and self._waiting_rows:
            self.end_group()
            return self._fitting(table)
        return max(room, 1)


def _as_read(field: pa.Field) -> pa.Field:
    """The field as a reader gets it back: Parquet calls the values of a list `element`, Arrow `item`.

    A list read from a shard and one made in memory must give the same bytes.
    """
    if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
        list_of = pa.list_ if pa.types.is_list(field.type) else pa.large_list
        return field.with_type(list_of(_as_read(field.type.value_field).with_name("element")))
    if pa.types.is_fixed_size_list(field.type):
        values = _as_read(field.type.value_field).with_name("element")
        return field.with_type(pa.list_(values, field.type.list_size))
    return field


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """No dictionary for values that hardly repeat; differences for hashes and numbers of documents (uint64).

    To look for a dictionary in such columns takes most of the time of writing them.
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    numbers = [path for path, kind in leaves if kind == pa.uint64()]
    return {
        "use_dictionary": [
            path for path, kind in leaves if path not in numbers and not pa.types.is_fixed_size_binary(kind)
        ],
        "column_encoding": dict.fromkeys(numbers, "DELTA_BINARY_PACKED") or None,
    }


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """(path, type) of each column of values, as Parquet calls them."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind


def _row_bytes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Bytes of the variable-length values of each row: what makes rows heavy."""
    total = np.zeros(table.num_rows, np.int64)
    for field, column in zip(table.schema, table.columns, strict=True):
        if any(check(field.type) for check in _TEXTS):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy()
        elif pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            total += 4 * pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    return total


def read_batches(
    path: str, columns: Sequence[str] | None = None, schema: pa.Schema | None = None
) -> Iterator[pa.Table]:
    """Row groups of one shard, in order, with the columns of `schema` (null where the shard has none)."""
    with _open(path) as file:
        present = set(file.schema_arrow.names)
        wanted = None if columns is None else [name for name in columns if name in present]
        for group in range(file.num_row_groups):
            with _whole(path):
                table = file.read_row_group(group, columns=wanted)
            yield _shaped(table, columns, schema)


def read_group(path: str, group: int, columns: Sequence[str] | None = None) -> pa.Table:
    """One row group."""
    with _open(path) as file, _whole(path):
        return file.read_row_group(group, columns=None if columns is None else list(columns))


def read_rows(path: str, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
    """The rows at sorted positions `rows`, reading only the row groups that hold them."""
    pieces = []
    with _open(path) as file, _whole(path):
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        for group in range(len(sizes)):
            low, high = np.searchsorted(rows, starts[group : group + 2])
            if high > low:
                table = file.read_row_group(group, columns=list(columns))
                pieces.append(table.take(pa.array(rows[low:high] - starts[group])))
        empty = file.schema_arrow.empty_table().select(list(columns))
    return pa.concat_tables(pieces) if pieces else empty


def read_schema(path: str) -> pa.Schema:
    """The columns of a shard."""
    with _open(path) as file:
        return file.schema_arrow.remove_metadata()


def count_rows(path: str) -> int:
    """Rows in a shard, from its footer."""
    return int(read_footer(path).num_rows)


def read_footer(path: str) -> pq.FileMetaData:
    """What the footer says: row groups and their statistics."""
    with _open(path) as file:
        return file.metadata


def _open(path: str) -> pq.ParquetFile:
    with _whole(path):
        return pq.ParquetFile(path, page_checksum_verification=True)


@contextlib.contextmanager
def _whole(path: str) -> Iterator[None]:
    """Turn what Arrow says of a damaged shard into a StorageError that names it."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageError(
            f"cannot read the shard {path}: {error}; it was damaged or moved after it was written: run with "
            "--redo and its step's name"
        ) from error


def _shaped(table: pa.Table, columns: Sequence[str] | None, schema: pa.Schema | None) -> pa.Table:
    if schema is None:
        return table.replace_schema_metadata(None)
    return aligned(table, schema if columns is None else pa.schema([schema.field(name) for name in columns]))
