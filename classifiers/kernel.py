"""One way to compile a kernel: a pure function over flat arrays, the same bits on every machine."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


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
