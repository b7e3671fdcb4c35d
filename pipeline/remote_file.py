"""A file on a web server as a seekable stream, taken up where a connection was cut, of one version only."""

from collections.abc import Callable
from typing import TypeVar

from urllib3.exceptions import HTTPError

from pipeline.errors import InputError
from pipeline.remote_http import Answer, Changed, Version, ask, failure, lie
from pipeline.remote_pace import Patience, Trouble, shown
from pipeline.remote_seek import Seekable

T = TypeVar("T")
_FORGIVEN = 1 << 20  # bytes that come through make up for the failures before
_SKIPPED = 1 << 18  # bytes ahead that are read over rather than asked for


class HttpFile(Seekable):
    """Reads from where one stands to the end in one request; to `seek` elsewhere is another one.

    Raises InputError for a file that is not there or changes, StorageError when the network does not recover.
    """

    version: Version

    def __init__(self, url: str) -> None:
        self._url = url
        self._patience = Patience(url)
        self._received = 0  # bytes since the last failure
        self._begun = False  # whether the reader has seen any byte
        self._answer: Answer | None = None
        self._answer_at = 0  # where the connection stands
        self.version = Version(None, "")
        self._persist(self._connect)

    def _end(self) -> int:
        if self.version.size is None:
            raise InputError(f"{shown(self._url)} can only be read from its start: its length is unknown")
        return self.version.size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Put what has arrived into `buffer`; 0 only at the end of the file."""
        return self._persist(lambda: self._receive(buffer)) if len(buffer) else 0

    def close(self) -> None:
        """Let the connection go."""
        self._drop()
        super().close()

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Attempt it until it succeeds; bytes that came through in between make up for failures."""
        while True:
            try:
                return attempt()
            except Trouble as trouble:
                self._drop()
                if self._received >= _FORGIVEN:
                    self._patience.forgive()
                self._received = 0
                self._patience.wait(trouble)
            except BaseException:
                self._drop()
                raise

    def _connect(self) -> None:
        """Have an answer that begins at, or not far before, where the reader stands."""
        self._drop()
        if self._begun and not self.version.mark:
            raise Changed(
                f"cannot read {shown(self._url)} in parts: its server gives neither ETag nor Last-Modified, "
                "and it could change unnoticed; copy it to a disk, or set cache = <folder> in [network]"
            )
        self._answer = ask(self._url, self._at, None, self.version if self._begun else None)
        self._answer_at = self._answer.start
        self.version = self._answer.version

    def _receive(self, buffer: memoryview) -> int:
        if self.version.size is not None and self._at >= self.version.size:
            return 0
        if self._answer is None or not 0 <= self._at - self._answer_at <= _SKIPPED:
            self._connect()
        while self._answer_at < self._at:
            if not self._arrived(min(_SKIPPED, self._at - self._answer_at)):
                return 0
        data = self._arrived(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        self._begun = True
        return len(data)

    def _arrived(self, size: int) -> bytes:
        """Up to `size` bytes as soon as there are some; none at the end of the file."""
        assert self._answer is not None
        try:
            data: bytes = self._answer.body.read1(size)
        except (HTTPError, OSError) as error:
            raise failure(self._url, error) from error
        self._answer_at += len(data)
        self._received += len(data)
        end = self._answer.end
        if end is not None and self._answer_at > end:
            raise lie(f"it announced bytes up to {end}, and sent more")
        if not data:
            if self.version.size is None:
                self.version = self.version._replace(size=self._answer_at)
            elif self._answer_at < self.version.size:
                raise Trouble(f"the connection ended at byte {self._answer_at} of {self.version.size}")
        return data

    def _drop(self) -> None:
        if self._answer is not None:
            self._answer.body.close()
            self._answer = None
