"""Read curated text: files of any compression, lines of JSON, rows of Parquet."""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline.errors import InputError

Numbered = tuple[int, Mapping[str, Any] | None, str]  # (line or row from 1, its fields, or why it has none)
_PIECE = 1 << 18
_LONGEST_LINE = 1 << 28  # bytes
_ROWS = 256
_DECOMPRESSORS: Mapping[str, Callable[[], Any]] = {
    "gz": lambda: zlib.decompressobj(wbits=31),
    "zst": lambda: zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj(),
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}
COMPRESSED = frozenset(_DECOMPRESSORS)


class Damage(Exception):
    """The rest of a compressed file cannot be read; says `truncated` or `corrupt`."""


def inflated(file: IO[bytes], compression: str) -> Iterator[bytes]:
    """The content of a file in pieces, decompressed by its suffix, from one frame or many. Raises Damage."""
    start = _DECOMPRESSORS.get(compression)
    if start is None:
        while data := file.read(_PIECE):
            yield data
        return
    frame = start()
    while data := file.read(_PIECE):
        while data:
            if frame.eof:
                data = data.lstrip(b"\0")
                frame = start()
            try:
                yield frame.decompress(data)
            except (OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
                raise Damage("corrupt") from error
            data = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise Damage("truncated")


def json_lines(content: Iterable[bytes]) -> Iterator[Numbered]:
    """The objects of a file of JSON lines; a line that is none has the error `json`, a broken end its own."""
    number = 0
    try:
        for number, line in enumerate(lines(content), 1):
            if line.strip():
                yield number, *_parsed(line)
    except Damage as damage:
        yield number + 1, None, str(damage)


def _parsed(line: bytes) -> tuple[Mapping[str, Any] | None, str]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested a thousand deep
        return None, "json"
    return (value, "") if isinstance(value, dict) else (None, "json")


def lines(content: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of a file that comes in pieces; one that is too long is cut short, and then no JSON."""
    parts: list[bytes] = []
    size = 0
    for piece in content:
        first, *others = piece.split(b"\n")
        if size <= _LONGEST_LINE:
            parts.append(first)
            size += len(first)
        if others:
            yield b"".join(parts)
            yield from others[:-1]
            parts, size = [others[-1]], len(others[-1])
    yield b"".join(parts)


def parquet_rows(
    file: IO[bytes], path: str, required: Sequence[str], wanted: Sequence[str]
) -> Iterator[Numbered]:
    """The rows of a Parquet file; what cannot be read of a row group is one row with the error `parquet`.

    Strings come as bytes, as Parquet does not promise UTF-8. Raises InputError for a missing column.
    """
    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        remedy = "name one, or take it out of the recipe"
        raise InputError(f"{path} is no Parquet file ({error}); {remedy}") from error
    names = table.schema_arrow.names
    if missing := [name for name in required if name not in names]:
        raise InputError(f"{path} has no column '{missing[0]}'; it has: {', '.join(names)}")
    columns = [name for name in dict.fromkeys((*required, *wanted)) if name in names]
    number = 1
    for group in range(table.num_row_groups):
        done = 0
        try:
            for batch in table.iter_batches(_ROWS, row_groups=[group], columns=columns):
                rows = pa.Table.from_batches([batch.cast(_as_bytes(batch.schema))]).to_pylist()
                yield from ((number + done + at, row, "") for at, row in enumerate(rows))
                done += len(rows)
        except (pa.ArrowException, OSError):
            yield number + done, None, "parquet"
        number += table.metadata.row_group(group).num_rows


def _as_bytes(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f.with_type(pa.large_binary()) if _is_text(f.type) else f for f in schema])


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
