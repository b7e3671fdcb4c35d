"""Where the reader of a remote file stands, which has nothing to do with how its bytes are fetched."""

import io
import os


class Seekable(io.RawIOBase):
    """A file to read, with a place where the reader stands."""

    _at = 0

    def _end(self) -> int:
        """The size of the file, in bytes."""
        raise NotImplementedError

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the reader stands."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Stand elsewhere; nothing is asked for before the next read."""
        start = self._end() if whence == os.SEEK_END else {os.SEEK_SET: 0, os.SEEK_CUR: self._at}[whence]
        if start + offset < 0:
            raise ValueError(f"no place {start + offset} in a file")
        self._at = start + offset
        return self._at
