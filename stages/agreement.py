"""How much two texts of one page agree."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import words


def agreement(first: pa.ChunkedArray, second: pa.Array) -> pa.Array:
    """How much two columns of texts agree, row by row: F1 of their words with repetition, float32 in [0, 1].

    Null where there is no second text; two texts without words agree.
    """
    one, other = words(first), words(second)
    shares = f1(one.hashes, one.offsets, other.hashes, other.offsets)
    return pa.array(shares, pa.float32(), mask=second.is_null().to_numpy(zero_copy_only=False))


@kernel
def f1(
    one: NDArray[np.uint64], ones: NDArray[np.int64], other: NDArray[np.uint64], others: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Twice the words that both texts have over the words of both, for each pair of texts."""
    shares = np.ones(len(ones) - 1, np.float32)
    for d in range(len(shares)):
        a, b = np.sort(one[ones[d] : ones[d + 1]]), np.sort(other[others[d] : others[d + 1]])
        i = j = both = 0
        while i < len(a) and j < len(b):
            both += int(a[i] == b[j])
            step = a[i] <= b[j], b[j] <= a[i]
            i += int(step[0])
            j += int(step[1])
        if len(a) + len(b):
            shares[d] = np.float32(2 * both / (len(a) + len(b)))
    return shares
