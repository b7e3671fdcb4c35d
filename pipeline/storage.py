"""Where bytes live: the one module that opens, lists, commits and deletes files.

Every path is a string. Input files may be addresses (https://, s3://, gs://), see `remote`. A
file is committed by writing a temporary name and renaming it: it is there whole, or it is not there.
"""

import contextlib
import errno
import fcntl
import json
import mmap
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import xxhash

from pipeline import remote
from pipeline.errors import InputError, StaleRunError, StorageError

PARTIAL = ".partial"
IDENTITY = "identity.json"  # in every step's folder: first written, last deleted
PLACES = "log/inputs.json"  # in the folder of a step that reads other runs: where they were
_OURS = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PARTIAL)}")
_TO_FIX = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again, it continues",
    errno.EDQUOT: "your disk quota is used up; free some space and run the same command again",
    errno.EROFS: "the disk is read-only; choose another folder with --out",
    errno.EACCES: "permission denied; choose another folder with --out, or change its permissions",
    errno.EPERM: "not permitted; choose another folder with --out, or change its permissions",
    errno.EEXIST: "there is a file where a folder should be; choose another folder with --out",
    errno.ENOTDIR: "there is a file where a folder should be; choose another folder with --out",
    errno.ENAMETOOLONG: "the name is too long for this disk; give the input file a shorter one",
}


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn an operating-system error while writing `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        remedy = _TO_FIX.get(error.errno or 0, "check the disk, then run the same command again")
        raise StorageError(f"cannot write {path}: {remedy} ({error.strerror or error})") from error


def open_input(path: str) -> IO[bytes]:
    """Open an input file for streaming, as a seekable binary file object."""
    if remote.is_remote(path):
        return remote.open_stream(path)
    try:
        return open(path, "rb", buffering=1 << 20)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; check the path") from error


def read_bytes(path: str) -> bytes:
    """The whole file."""
    with open_input(path) as file:
        return file.read()


def open_random(path: str) -> IO[bytes]:
    """Open an input file of which only parts are wanted: each read asks for just its bytes."""
    return cast(IO[bytes], remote.Parts(path)) if remote.is_remote(path) else open_input(path)


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes of an input file from `offset` on; fewer where it ends."""
    if remote.is_remote(path):
        return remote.read_range(path, offset, length)
    with open_input(path) as file:
        file.seek(offset)
        return file.read(length)


def mapped(path: str) -> memoryview:
    """The bytes of a file of ours, which all processes that map it have in memory once."""
    try:
        with open(path, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if length else b"")
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror or error}; it was moved after it was written: run with "
            "--redo and its step's name"
        ) from error


def read_json(path: str) -> Any:
    """The parsed file, or None when there is no such file; StorageError when it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot read {path}: {error}; it was damaged after it was written: run with --redo and the "
            "step's name"
        ) from error


def exists(path: str) -> bool:
    """Whether there is a file or folder of this name."""
    return os.path.exists(path)


def size(path: str) -> int:
    """Bytes in the file; of an address, without reading it."""
    if remote.is_remote(path):
        return remote.size(path)
    return os.stat(path).st_size


def checksum(path: str, algorithm: Callable[[], Any] = xxhash.xxh3_128) -> str:
    """Hash of the file's bytes, in hex; xxh3-128 if not told otherwise."""
    digest = algorithm()
    with open_input(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())


def checksum_bytes(data: bytes) -> str:
    """The same of bytes in memory."""
    return xxhash.xxh3_128_hexdigest(data)


def names(folder: str, suffix: str = "") -> list[str]:
    """Sorted names of what is in `folder` and ends in `suffix`, without it; nothing hidden or unfinished."""
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(e.removesuffix(suffix) for e in entries if e.endswith(suffix) and not e.startswith("."))


def folders(folder: str) -> list[str]:
    """Sorted names of the folders in `folder`; nothing hidden."""
    return [name for name in names(folder) if os.path.isdir(os.path.join(folder, name))]


def temporary(path: str) -> str:
    """A name beside `path` to write to before `commit`; hidden, and unique to this host and call."""
    folder, name = os.path.split(path)
    with explained(folder):
        os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f".{name}.{socket.gethostname()}.{secrets.token_hex(4)}{PARTIAL}")


def commit(partial: str, path: str) -> None:
    """Give a finished temporary file its name, replacing what was there."""
    with explained(path):
        _to_disk(partial)
        os.replace(partial, path)
        _to_disk(os.path.dirname(path))


def _to_disk(path: str) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk: a power cut must not undo a commit."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(partial: str) -> None:
    """Delete a temporary file, if it is there."""
    with explained(partial), contextlib.suppress(FileNotFoundError):
        os.unlink(partial)


def write_bytes(path: str, data: bytes) -> None:
    """Commit `data` as `path`."""
    partial = temporary(path)
    try:
        with explained(path):
            Path(partial).write_bytes(data)
        commit(partial, path)
    finally:
        discard(partial)


def write_json(path: str, value: Any) -> None:
    """Commit `value` as readable JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def append(path: str, line: str) -> None:
    """Add a line to a log."""
    with explained(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def sweep(folder: str) -> None:
    """Delete the temporary files that a killed run left anywhere below `folder`."""
    for root, _, files in os.walk(folder):
        for name in files:
            if _OURS.fullmatch(name):
                discard(os.path.join(root, name))


def remove_step(folder: str) -> None:
    """Delete a step's folder, so that a kill half-way leaves one that a plain run completes.

    What says that something is done goes before it: the manifest, then the task records; `identity.json` goes
    last. Of a link, the link goes and what it leads to stays.
    """
    order = {"manifest.json": 0, "tasks": 1, IDENTITY: 3}
    with explained(folder):
        if os.path.islink(folder):
            os.unlink(folder)
            return
        for entry in sorted(os.listdir(folder), key=lambda name: (order.get(name, 2), name)):
            path = os.path.join(folder, entry)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        os.rmdir(folder)


def remove_files(folder: str) -> None:
    """Delete a folder of files, if it is there."""
    with explained(folder), contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold `folder` for one run at a time; the lock dies with the process."""
    path = os.path.join(folder, ".lock")
    with explained(folder):
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    with open(descriptor, "w") as handle:
        with explained(folder):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StaleRunError(
                    f"another run is using {folder}; wait for it to end, or choose another folder with --out"
                ) from None
        yield
