"""Read WARC archives record by record, whatever state they are in.

One rule carries it: *a record ends where the next one begins*. Its Content-Length is believed when another
record, or the end, follows the bytes that it counts; else the record runs to the next `WARC/1.x` line, or to
the end of its gzip member. What cannot be read is a record with an `error`, and reading goes on behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from pipeline.errors import InputError
from stages.response import parse_fields
from stages.stream import GZIP, PIECE, Member, Stream, begins_member, from_position

ROWS = frozenset({"response", "conversion", "resource"})  # types of records that can hold a document
_MAGIC = b"WARC/"
_START = re.compile(rb"WARC/\d\.\d+[ \t\r]*\n")
_NEXT = re.compile(rb"\n(?=WARC/\d\.\d+[ \t\r]*\n)")
_BLANK_LINE = re.compile(rb"\n\r*\n")
_NO_PADDING = re.compile(rb"[^\r\n\0]")
_LOOK = 64  # bytes that show whether a record begins
_LONGEST_HEADER = 1 << 16
_LIMIT = 1 << 26  # bytes of a block that are kept in memory


@dataclass(frozen=True, slots=True)
class Record:
    """One record, or one stretch of bytes that is none."""

    offset: int  # where its bytes begin in the file; in .gz, where its gzip member does
    length: int | None  # bytes from there to the next record; None in a member that holds several
    ordinal: int = 0  # its place among the records of its gzip member
    headers: dict[str, str] = field(default_factory=dict)  # WARC header fields by lowercase name
    block: bytes = b""  # its content; of types in ROWS only
    error: str = ""  # why it could not be read: truncated, corrupt, record or too_large

    @property
    def type(self) -> str:
        """response, conversion, request, …; empty for a stretch of bytes."""
        return self.headers.get("warc-type", "").lower()

    @property
    def url(self) -> str:
        """What was fetched (wget puts it in angle brackets)."""
        return self.headers.get("warc-target-uri", "").strip("<> ")

    @property
    def address(self) -> str:
        """Where it is, in short: no two records of a file have the same."""
        return f"{self.offset}.{self.ordinal}" if self.ordinal else str(self.offset)


class _Parsed(NamedTuple):
    headers: dict[str, str]
    block: bytes = b""
    error: str = ""


def read_records(file: IO[bytes], name: str, limit: int = _LIMIT) -> Iterator[Record]:
    """Every record of a WARC file, plain or gzipped in one member or many, in order.

    `file` is seekable, `name` is for messages. A block of more than `limit` bytes is an error, and never in
    memory as a whole. Raises InputError for a file without a single record.
    """
    raw = from_position(file, 0)
    raw.fill(len(GZIP))
    found = False
    for record in _members(file, raw, limit) if raw.buffer.startswith(GZIP) else _plain(raw, limit):
        found = found or bool(record.headers)
        yield record
    if not found:
        raise InputError(
            f"{name} is no WARC file: it has no record that begins with 'WARC/1.0'; name WARC or WET files, "
            "plain or gzipped (an ARC file becomes one by: warcio recompress old.arc.gz new.warc.gz)"
        )


def _plain(raw: Stream, limit: int) -> Iterator[Record]:
    """The records of an archive that is not compressed."""
    while _skip_padding(raw):
        offset = raw.position
        parsed = _next_record(raw, limit, bounded=False)
        _skip_padding(raw)
        yield Record(offset, raw.position - offset, 0, *parsed)


def _members(file: IO[bytes], raw: Stream, limit: int) -> Iterator[Record]:
    """The records of an archive of gzip members: usually one in each."""
    while _skip_padding(raw):
        offset, ordinal, parsed = raw.position, 0, _Parsed({})
        member = Member(raw)
        inside = Stream(member.read)
        while _skip_padding(inside):
            parsed = _next_record(inside, limit, bounded=True)
            more = _skip_padding(inside)
            if member.failure and not more:
                break  # the record ran into the place where inflating failed
            length = None if ordinal or more else raw.position - offset
            yield Record(offset, length, ordinal, *parsed)
            ordinal, parsed = ordinal + 1, _Parsed({})
        if member.failure:
            raw = _next_member(file, offset + 1)
            length = None if ordinal else raw.position - offset
            yield Record(offset, length, ordinal, parsed.headers, error=member.failure)


def _next_record(stream: Stream, limit: int, bounded: bool) -> _Parsed:
    """The record that begins here; the stream moves on behind it.

    In a `bounded` stream, a gzip member, the end is as sure a sign as another record.
    """
    stream.fill(_LOOK)
    header = _search(stream, _BLANK_LINE, 0, _LONGEST_HEADER) if _START.match(stream.buffer) else -1
    if header < 0:
        cut = stream.ended and _may_start(stream, 0) and len(stream.buffer) <= _LONGEST_HEADER
        _seek_record(stream)
        return _Parsed({}, error="truncated" if cut else "record")
    headers = parse_fields(stream.copy(0, header).partition(b"\n")[2])
    kind, declared = headers.get("warc-type", "").lower(), headers.get("content-length", "")
    size = int(declared) if re.fullmatch("[0-9]{1,18}", declared) else -1
    believed = 0 <= size <= limit and _ends(stream, header + size)
    end = header + size if believed else _search(stream, _NEXT, header - 1, header + limit)
    if end < 0:
        if len(stream.buffer) > header + limit:
            _seek_record(stream)
            return _Parsed(headers, error="too_large")
        end = len(stream.buffer)
        if header + size > end and not bounded:
            stream.drop(end)
            return _Parsed(headers, error="truncated")
    block = stream.copy(header, end) if kind in ROWS else b""
    stream.drop(end)
    if not believed:
        block = block.removesuffix(b"\r\n\r\n" if block.endswith(b"\r\n\r\n") else b"\n\n")
    return _Parsed(headers, block, "" if kind else "record")


def _ends(stream: Stream, at: int) -> bool:
    """Whether a record of `at` bytes is followed by another one, or by the end."""
    return stream.fill(at + _LOOK) >= at and _may_start(stream, _padding(stream, at))


def _may_start(stream: Stream, at: int) -> bool:
    """Whether what is there of the buffer from `at` on, perhaps nothing, can begin a record."""
    return _MAGIC.startswith(stream.copy(at, at + len(_MAGIC)))


def _search(stream: Stream, pattern: re.Pattern[bytes], start: int, limit: int) -> int:
    """Where the first match from `start` on ends; -1 if it does not end within `limit` bytes."""
    while not (match := pattern.search(stream.buffer, start)):
        if stream.ended or len(stream.buffer) > limit:
            return -1
        start = max(start, len(stream.buffer) - _LOOK)
        stream.fill(len(stream.buffer) + 1)
    return match.end() if match.end() <= limit else -1


def _seek_record(stream: Stream) -> None:
    """Move on to the next line that begins a record, or to the end."""
    while not (match := _NEXT.search(stream.buffer)) and not stream.ended:
        stream.drop(max(0, len(stream.buffer) - _LOOK))
        stream.fill(PIECE)
    stream.drop(match.end() if match else len(stream.buffer))


def _next_member(file: IO[bytes], position: int) -> Stream:
    """The file from the next gzip member that holds a record, or from its end."""
    raw = from_position(file, position)
    while raw.fill(PIECE):
        at = raw.buffer.find(GZIP)
        if at < 0:
            raw.drop(len(raw.buffer) - (0 if raw.ended else len(GZIP)))
            continue
        raw.drop(at)
        if begins_member(raw.copy(0, raw.fill(1 << 12)), _MAGIC):
            break
        raw.drop(1)
    return raw


def _skip_padding(stream: Stream) -> bool:
    """Drop line ends and NULs; whether anything else follows."""
    while stream.fill(_LOOK):
        size = _padding(stream, 0)
        more = size < len(stream.buffer)
        stream.drop(size)
        if more:
            return True
    return False


def _padding(stream: Stream, at: int) -> int:
    """Where the line ends and NULs at `at` end, or the buffer does."""
    other = _NO_PADDING.search(stream.buffer, at)
    return other.start() if other else len(stream.buffer)
