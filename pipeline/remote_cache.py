"""Whole remote files kept in a folder up to a size; those not read for longest go first.

A file's name is a hash of its address, size and mark, so another version is another file. It is downloaded
under a temporary name of its full size and renamed: it is there whole, or it is not there, whoever is killed.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from pipeline.errors import StorageError
from pipeline.remote_http import FEW, Changed, Version
from pipeline.remote_settings import session

_PARTIAL = ".partial"
_ABANDONED = 3600.0  # seconds without a byte
_PIECE = 1 << 20


def find(url: str, version: Version) -> str | None:
    """Where this version of the file is kept, if it is; it counts as read now."""
    path = _path(url, version)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if os.stat(path).st_size == version.size:
            os.utime(path)
            return path
    return None


def keep(url: str, stat: Callable[[str], Version], open_raw: Callable[[str], Any]) -> str | None:
    """Have the file in the cache and say where; None if it is larger than the cache.

    A file that changes while it is downloaded is downloaded again.
    """
    for attempt in range(FEW):
        version = stat(url)
        if version.size is None or version.size > _limit():
            return None
        if path := find(url, version):
            return path
        with _disk_explained():
            partial = _make_room(version.size)
        try:
            with _disk_explained(), open(partial, "r+b") as file:
                complete = _download(open_raw(url), file, version)
            if complete:
                with _disk_explained():
                    os.replace(partial, _path(url, version))
                return _path(url, version)
        except Changed:
            if attempt == FEW - 1:
                raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)
    raise StorageError(f"{url} is another file at every attempt to read it; try again when nobody changes it")


def _download(raw: Any, file: IO[bytes], version: Version) -> bool:
    """Copy it; whether it was the version that is wanted, whole."""
    with contextlib.closing(raw):
        if raw.version != version:
            return False
        size = 0
        while piece := raw.read(_PIECE):
            file.write(piece)
            size += len(piece)
        return bool(size == version.size)


def _make_room(size: int) -> str:
    """A temporary file of `size` bytes, after what was not read for longest has gone."""
    folder = session().network.cache
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = sorted(_kept(folder))
        total = sum(entry_size for _, _, entry_size in kept)
        for read, path, entry_size in kept:
            partial = path.endswith(_PARTIAL)
            if (total + size > _limit() and not partial) or (partial and read < time.time() - _ABANDONED):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                total -= entry_size
        path = os.path.join(folder, f"{secrets.token_hex(8)}{_PARTIAL}")
        with open(path, "xb") as file:
            file.truncate(size)
        return path


def _kept(folder: str) -> Iterator[tuple[float, str, int]]:
    """(when it was last read, path, bytes) of each of our files in the folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((_PARTIAL, ".kept")):
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat()
                    yield about.st_mtime, entry.path, about.st_size


def _path(url: str, version: Version) -> str:
    name = hashlib.sha256(f"{url}\n{version.size}\n{version.mark}".encode()).hexdigest()[:32]
    return os.path.join(session().network.cache, f"{name}.kept")


def _limit() -> float:
    return session().network.cache_gb * 1e9


@contextlib.contextmanager
def _disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = session().network.cache
        raise StorageError(
            f"cannot keep files in {folder}: {error.strerror or error}; free some space, set a smaller "
            "cache_gb or another cache in [network]"
        ) from error
