"""One way to compile a kernel: a pure function over flat arrays, the same bits on every machine."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

_config: Any = numba.config
_PACKAGES = ("classifiers", "stages")  # those with kernels
_KEPT = 7 * 24 * 3600  # seconds


def state_of(folder: Path) -> str:
    """Names the state of all sources that kernels are compiled from, in these packages of `folder`."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((folder / package).glob("*.py")):
            data = path.read_bytes()
            digest.update(f"{package}/{path.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]


def _use_own_cache() -> None:
    """Keep compiled kernels apart by the state of the sources.

    By itself, numba looks for changes in the file of a kernel alone, and not in the files of what that calls:
    after an update it may go on with old machine code. What was not used for a week is deleted: not at once,
    because a run that began before the update may still write there.
    """
    root = Path(__file__).resolve().parents[1]
    folder = Path(__file__).parent / "__pycache__"
    own = folder / f"kernels-{state_of(root)}"
    try:
        own.mkdir(parents=True, exist_ok=True)
        os.utime(own)
        old = [path for path in folder.glob("kernels-*") if path.stat().st_mtime < time.time() - _KEPT]
    except OSError:  # read-only: numba finds a place of its own
        return
    _config.CACHE_DIR = str(own)
    for path in old:
        shutil.rmtree(path, ignore_errors=True)


if not _config.CACHE_DIR:  # a user's NUMBA_CACHE_DIR counts
    _use_own_cache()


def kernel(function: F) -> F:
    """Compile `function` with numba: cached on disk, no GIL, and no fastmath, which reorders sums."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


# numba documents `_nrt` nowhere, but uses it itself for code that runs without its reference counts.
_LEAN: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}


def lean(function: F) -> F:
    """Compile a kernel that makes no array and returns numbers: without reference counts.

    Counting the references to arrays takes most of the time of small functions that call one another: a
    tokenizer became three times as fast without.
    """
    return cast(F, numba.njit(**_LEAN)(function))
