"""Bytes that arrive in pieces and can be looked at before they are consumed; gzip members as such bytes."""

import contextlib
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

from fastwarc.stream_io import GzipReader

PIECE = 1 << 20  # bytes asked of a file at once
GZIP = b"\x1f\x8b\x08"  # how a gzip member begins
_SMALLEST = 18  # bytes of a gzip member
_LARGEST = 1 << 23  # bytes inflated at once
_STEP = 16  # compressed bytes before the place where a member breaks that may be lost


class Source(Protocol):
    """As much of a binary file as is used here."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""

    def seek(self, position: int, /) -> int:
        """Go to a place."""


class Stream:
    """A window that slides over bytes from `read`; it holds what was looked at and not yet dropped."""

    def __init__(self, read: Callable[[int], bytes], position: int = 0) -> None:
        self.buffer = bytearray()
        self.position = position  # of buffer[0] among all bytes
        self.ended = False  # whether the buffer holds the last byte
        self._read = read

    def fill(self, size: int) -> int:
        """Have `size` bytes in the buffer, or all there are; returns how many."""
        while len(self.buffer) < size and not self.ended:
            piece = self._read(PIECE)
            self.ended = not piece
            self.buffer += piece
        return min(size, len(self.buffer))

    def copy(self, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of the buffer."""
        with memoryview(self.buffer) as view:
            return bytes(view[start:end])

    def drop(self, size: int) -> None:
        """Slide on by `size` bytes of the buffer."""
        size = min(size, len(self.buffer))
        del self.buffer[:size]
        self.position += size


class Member:
    """The inflated bytes of the gzip member that begins where `raw` stands; `raw` ends up behind it."""

    def __init__(self, raw: Stream) -> None:
        self.failure = ""  # why there is no more to read: truncated or corrupt; empty at a good end
        self._raw = raw
        self._inflater = zlib.decompressobj(wbits=31)
        self._given = 0  # compressed bytes that the inflater has and `raw` still holds
        self._begun = self._done = False

    def read(self, size: int) -> bytes:
        """Inflated bytes: all of a small member, else about `size`; none at its end, or where it fails."""
        if not self._begun:
            self._begun = True
            data = self._at_once()
            self._done = bool(data)
            return data or self.read(size)
        while not (self._done or self.failure):
            compressed = self._inflater.unconsumed_tail or self._more()
            before = self._inflater.copy()
            try:
                data = self._inflater.decompress(compressed, size)
            except zlib.error:
                self.failure = "corrupt"
                return until_error(before, compressed, size)
            if self._inflater.eof:
                self._raw.drop(self._given - len(self._inflater.unused_data))
                self._done = True
            elif not compressed:
                self.failure = "truncated"
            if data:
                return data
        return b""

    def _at_once(self) -> bytes:
        """The whole member, if it ends where another seems to begin, and its last bytes agree; else nothing.

        FastWARC inflates twice as fast as zlib, but tells nobody where a member ends.
        """
        raw = self._raw
        end = raw.buffer.find(GZIP, _SMALLEST)
        if end < 0:
            known = len(raw.buffer)
            raw.fill(known + PIECE)
            end = raw.buffer.find(GZIP, max(_SMALLEST, known - len(GZIP)))
        if end < 0 and raw.ended:
            end = len(raw.buffer)
        data = raw.copy(0, max(end, 0))
        size = int.from_bytes(data[-4:], "little")
        if 0 < size <= _LARGEST:
            with contextlib.suppress(OSError):
                inflated = bytes(GzipReader(BytesIO(data)).read(size + 1))
                if len(inflated) == size:
                    raw.drop(end)
                    return inflated
        return b""

    def _more(self) -> bytes:
        self._raw.drop(self._given)
        self._given = self._raw.fill(1 << 15)
        return self._raw.copy(0, self._given)


def first_bytes(data: bytes, size: int) -> bytes:
    """The first bytes of the gzip member that `data` begins, `size` at most: as far as it can be inflated."""
    return until_error(zlib.decompressobj(wbits=31), data, size)


def until_error(inflater: "zlib._Decompress", data: bytes, size: int) -> bytes:
    """What is inflated of the data before it turns out to be corrupt, `size` bytes at most."""
    inflated = bytearray()
    with contextlib.suppress(zlib.error):
        for at in range(0, len(data), _STEP):
            inflated += inflater.decompress(data[at : at + _STEP], size - len(inflated))
            if len(inflated) == size:
                break
    return bytes(inflated)


def from_position(file: Source, position: int) -> Stream:
    """The bytes of a seekable file from `position` on."""
    file.seek(position)
    return Stream(file.read, position)
