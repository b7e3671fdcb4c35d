"""Raw records: the bytes of a record as they lie in its archive, or a WARC record that says the same."""

import dataclasses
import struct
import zlib

from stages.stream import GZIP, Source, first_bytes
from stages.warc import Record

RAW = "raw"  # the column: a WARC record each, in a gzip member of its own or plain
_MAGIC = b"WARC/"
_MOST = 1 << 26  # bytes that are remembered
_NOTHING = b"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Length: %010d\r\n\r\n\r\n\r\n"
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_GZIP_ENDS = len(_GZIP_HEAD) + 8  # and checksum and size
_STORED, _BLOCK_HEAD = 0xFFFF, 5  # bytes of a block that is not deflated, and before it


class Recent:
    """A file that is read in order, and remembers what it gave since the last record that was taken."""

    def __init__(self, file: Source, most: int = _MOST) -> None:
        self._file, self._most = file, most
        self._bytes = bytearray()  # those of the file
        self._start = 0  # from here on
        self._position = 0

    def seek(self, position: int) -> int:
        """Read on from another place."""
        self._position = self._file.seek(position)
        return self._position

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        known = self._start + len(self._bytes) - self._position  # of them, read once more
        if not 0 <= known <= len(self._bytes):
            self._bytes.clear()
            self._start, known = self._position, 0
        self._bytes += data[known:]
        self._position += len(data)
        self._forget(len(self._bytes) - self._most)
        return data

    def take(self, record: Record) -> Record:
        """The record with its bytes, if it is alone in its gzip member and they are still known."""
        begin = record.offset - self._start
        end = begin + (record.length or 0)
        known = record.length is not None and begin >= 0 and end <= len(self._bytes)
        taken = dataclasses.replace(record, raw=bytes(self._bytes[begin:end])) if known else record
        self._forget(end)
        return taken

    def _forget(self, size: int) -> None:
        if size > 0:
            size = min(size, len(self._bytes))
            del self._bytes[:size]
            self._start += size


def warc_bytes(record: Record, date: str | None) -> bytes:
    """A WARC record: the bytes it was read from, if they are one, else one that says the same.

    That is so in an ARC file, and where several records share a gzip member.
    """
    begun = first_bytes(record.raw, len(_MAGIC)) if record.raw.startswith(GZIP) else record.raw
    if begun.startswith(_MAGIC):
        return record.raw
    fields = record.headers | {"content-length": str(len(record.block))}
    if date:
        fields["warc-date"] = date
    lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + record.block + b"\r\n\r\n"


def nothing(length: int) -> bytes:
    """A gzip member of so many bytes, of a WARC record that says nothing; zeros, if that is too few for one.

    Stored, not deflated: no compressor decides how long it is.
    """
    blocks = max(1, -(-(length - _GZIP_ENDS) // (_STORED + _BLOCK_HEAD)))
    room = length - _GZIP_ENDS - blocks * _BLOCK_HEAD - len(_NOTHING % 0)
    if room < 0:
        return bytes(length)
    data = _NOTHING % room
    data = data[:-4] + b" " * room + data[-4:]
    parts = [_GZIP_HEAD]
    for at in range(blocks):
        part = data[at * _STORED : (at + 1) * _STORED]
        head = struct.pack("<BHH", at == blocks - 1, len(part), len(part) ^ 0xFFFF)
        parts += [head, part]
    return b"".join([*parts, struct.pack("<II", zlib.crc32(data), len(data))])
