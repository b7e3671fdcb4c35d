"""Raw records: the bytes of a record as they lie in its archive, or a WARC record that says the same."""

import dataclasses

from stages.stream import GZIP, Source, first_bytes
from stages.warc import Record

RAW = "raw"  # the column: a WARC record each, in a gzip member of its own or plain
_MAGIC = b"WARC/"
_MOST = 1 << 26  # bytes that are remembered


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
