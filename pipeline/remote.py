"""Files that are not on a disk of ours: https://, http://, s3:// and gs://, each read by its own module."""

import io
import re
from collections.abc import Callable
from typing import IO, Any, Protocol, TypeVar, cast

from pipeline import remote_cache, remote_http, remote_objects
from pipeline.errors import InputError
from pipeline.remote_file import HttpFile
from pipeline.remote_http import Version
from pipeline.remote_seek import Seekable
from pipeline.remote_settings import session

T = TypeVar("T")
WEB = ("https", "http")
_BUFFER = 1 << 20
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_remote(path: str) -> bool:
    """Whether a path is an address; InputError for one of a kind that we cannot read."""
    match = _SCHEME.match(path)
    if not match:
        return False
    if match[1] not in (*WEB, *remote_objects.SCHEMES):
        raise InputError(f"cannot read {path}: an address begins with https://, http://, s3:// or gs://")
    if path[match.end() :][:1] in ("", "/"):
        raise InputError(f"{path} names no {'host' if is_web(path) else 'bucket'}; check the address")
    return True


def is_web(path: str) -> bool:
    """Whether a path is an address on a web server: its `?` begins a query, and there are no folders."""
    return path.startswith(("https://", "http://"))


class Parts(Seekable):
    """A file of which each read is a request for just its bytes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._size = size(url)

    def _end(self) -> int:
        return self._size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Put what is there into `buffer`, all that fits; 0 only at the end of the file."""
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        data = read_range(self._url, self._at, length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_stream(url: str) -> IO[bytes]:
    """A seekable file that reads as it is needed; out of the cache, if there is one."""
    if session().network.cache:
        path = remote_cache.keep(url, _module(url).stat, _raw)
        if path:
            return open(path, "rb", buffering=_BUFFER)
    return cast(IO[bytes], io.BufferedReader(_raw(url), _BUFFER))


def size(url: str) -> int:
    """Bytes in the file; asked once in a run by a process."""
    version = stat(url)
    if version.size is None:
        raise InputError(f"cannot read {url}: its server does not say how long it is; copy it to a disk")
    return version.size


def stat(url: str) -> Version:
    """The file's version, when this process first asked in this run."""
    return once(("stat", url), lambda: _module(url).stat(url))


def read_range(url: str, start: int, length: int) -> bytes:
    """`length` bytes from `start` on, fewer where the file ends; out of the cache, if the file is there."""
    if session().network.cache and (path := remote_cache.find(url, stat(url))):
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(length)
    return _module(url).read_range(url, start, length)


def listed(pattern: str) -> list[str]:
    """The files that an address stands for: itself, or in s3:// and gs:// a folder's or a glob's."""
    if not is_web(pattern):
        return once(("listed", pattern), lambda: remote_objects.listed(pattern))
    if "*" in pattern:
        raise InputError(
            f"{pattern}: web servers list no files, so an address there has no wildcard; name each file, or "
            "a list of paths (warc.paths.gz)"
        )
    size(pattern)  # it is there
    return [pattern]


def once(key: tuple[str, str], ask: Callable[[], T]) -> T:
    """What `ask` says, asked once in a run by a process."""
    found = session().found
    if key not in found:
        found[key] = ask()
    return cast(T, found[key])


class _Reads(Protocol):
    """What each kind of address has."""

    def stat(self, url: str) -> Version: ...
    def read_range(self, url: str, start: int, length: int) -> bytes: ...


def _module(url: str) -> _Reads:
    return remote_http if is_web(url) else remote_objects


def _raw(url: str) -> Any:
    return HttpFile(url) if is_web(url) else remote_objects.ObjectFile(url)
