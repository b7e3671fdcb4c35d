"""One way to compile a kernel: a pure function over flat arrays, the same bits on every machine."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile `function` with numba: cached on disk, no GIL, and no fastmath, which reorders sums."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))
