"""Read WARC and ARC archives record by record, whatever state they are in.

One rule carries it: *a record ends where the next one begins*. Its Content-Length is believed when another
record, or the end, follows the bytes that it counts; else the record runs to the next line that begins one
(`WARC/1.x`, or an ARC's), or to the end of its gzip member. What cannot be read is a record with an `error`,
and reading goes on behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import NamedTuple

from pipeline.errors import InputError
from stages import arc
from stages.response import parse_fields
from stages.stream import GZIP, PIECE, Member, Source, Stream, first_bytes, from_position

ROWS = frozenset({"response", "conversion", "resource"})  # types of records that can hold a document
_MAGIC = b"WARC/"
_START = re.compile(rb"WARC/\d\.\d+[ \t\r]*\n|" + arc.LINE)
_NEXT = re.compile(rb"\n(?=" + _START.pattern + rb")")
_BLANK_LINE = re.compile(rb"\n\r*\n")
_NO_PADDING = re.compile(rb"[^\r\n\0]")
_LOOK = arc.LONGEST  # bytes that show whether a record begins
_LONGEST_HEADER = 1 << 16
_LIMIT = 1 << 26  # bytes of a block that are kept in memory


class Place(NamedTuple):
    """Where a record is: the one of this number in what begins at this byte."""

    offset: int = 0
    ordinal: int = 0


START = Place()


@dataclass(frozen=True, slots=True)
class Record:
    """One record, or one stretch of bytes that is none."""

    offset: int  # where its bytes begin in the file; in .gz, where its gzip member does
    length: int | None  # bytes from there to the next record; None in a member that holds several
    ordinal: int = 0  # its place among the records of its gzip member
    headers: dict[str, str] = field(default_factory=dict)  # WARC header fields by lowercase name
    block: bytes = b""  # its content; of types in ROWS only
    error: str = ""  # why it could not be read: truncated, corrupt, record or too_large
    raw: bytes = b""  # it all, as it lies in the file; where somebody remembers that (stages/raw.py)

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

    @property
    def after(self) -> Place:
        """Where the next record is."""
        if self.length is None:
            return Place(self.offset, self.ordinal + 1)
        return Place(self.offset + self.length)


class _Parsed(NamedTuple):
    headers: dict[str, str]
    block: bytes = b""
    error: str = ""


def read_records(
    file: Source, name: str, limit: int = _LIMIT, place: Place = START, broken: str = ""
) -> Iterator[Record]:
    """Every record of an archive, plain or gzipped in one member or many, in order, from a place on.

    `file` is seekable, `name` is for messages. A block of more than `limit` bytes is an error, and never in
    memory as a whole. With `broken`, the record at `place` is not read, and has this error. Raises InputError
    for a file without a single record.
    """
    raw = from_position(file, 0)
    raw.fill(len(GZIP))
    members = raw.buffer.startswith(GZIP)
    found = place != START
    if found:
        raw = from_position(file, place.offset)
    if broken:
        raw, skipped = _passed(file, raw, place, members, broken)
        yield skipped
    records = _members(file, raw, limit) if members else _plain(raw, limit)
    for record in dropwhile(lambda record: (record.offset, record.ordinal) < place, records):
        found = found or bool(record.headers)
        yield record
    if not found:
        raise InputError(
            f"{name} is no web archive: it has no record that begins as one of WARC or ARC does; "
            "name WARC, WET or ARC files, plain or gzipped"
        )


def _passed(file: Source, raw: Stream, place: Place, members: bool, error: str) -> tuple[Stream, Record]:
    """The file from behind a place that must not be read: the next member, or line that begins a record."""
    _skip_padding(raw)
    offset = raw.position
    if members:
        raw = _next_member(file, offset + 1)
    else:
        _seek_record(raw)
    return raw, Record(offset, None if place.ordinal else raw.position - offset, place.ordinal, error=error)


def _plain(raw: Stream, limit: int) -> Iterator[Record]:
    """The records of an archive that is not compressed."""
    while _skip_padding(raw):
        offset = raw.position
        parsed = _next_record(raw, limit, bounded=False)
        _skip_padding(raw)
        yield Record(offset, raw.position - offset, 0, *parsed)


def _members(file: Source, raw: Stream, limit: int) -> Iterator[Record]:
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
    start = _START.match(stream.buffer)
    ends = (b"\n",) if start and start["url"] else (b"\r\n\r\n", b"\n\n")  # of a block
    headers, header = _header(stream, start) if start else ({}, -1)
    if header < 0:
        cut = stream.ended and _may_start(stream, 0) and len(stream.buffer) <= _LONGEST_HEADER
        _seek_record(stream)
        return _Parsed({}, error="truncated" if cut else "record")
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
        block = block.removesuffix(next(filter(block.endswith, ends), b""))
    return _Parsed(headers, block, "" if kind else "record")


def _header(stream: Stream, start: re.Match[bytes]) -> tuple[dict[str, str], int]:
    """(fields of the record that starts here, bytes of its header; -1 where it has no end)."""
    if start["url"]:
        return arc.warc_fields(start), start.end()
    size = _search(stream, _BLANK_LINE, 0, _LONGEST_HEADER)
    return parse_fields(stream.copy(0, size).partition(b"\n")[2]) if size > 0 else {}, size


def _ends(stream: Stream, at: int) -> bool:
    """Whether a record of `at` bytes is followed by another one, or by the end."""
    return stream.fill(at + _LOOK) >= at and _may_start(stream, _padding(stream, at))


def _may_start(stream: Stream, at: int) -> bool:
    """Whether what is there of the buffer from `at` on, perhaps nothing, can begin a record."""
    if _MAGIC.startswith(stream.copy(at, at + len(_MAGIC))):
        return True
    there = stream.copy(at, at + _LOOK)
    cut = stream.ended and len(there) < _LOOK
    return bool(_START.match(there) or (cut and arc.BEGUN.fullmatch(there)))


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


def _next_member(file: Source, position: int) -> Stream:
    """The file from the next gzip member that holds a record, or from its end."""
    raw = from_position(file, position)
    while raw.fill(PIECE):
        at = raw.buffer.find(GZIP)
        if at < 0:
            raw.drop(len(raw.buffer) - (0 if raw.ended else len(GZIP)))
            continue
        raw.drop(at)
        first = first_bytes(raw.copy(0, raw.fill(1 << 13)), _LOOK)
        if first.startswith(_MAGIC) or _START.match(first):
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
