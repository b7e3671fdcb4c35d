"""GPT-3's quality classifier: logistic regression on hashed word counts (appendix A).

scikit-learn trains it; a kernel scores straight from word hashes. Weights are fixed-point integers and summed
as such, so no order of words can round differently, and what remains (one square root, one division, a tabled
sigmoid) is fixed by IEEE 754: whoever has the model gets the same scores, bit by bit.
"""

import math
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Curve, Floats, tabulate
from classifiers.features import Features, Normalize
from classifiers.kernel import kernel
from classifiers.words import Words


class Settings(NamedTuple):
    """How to train."""

    bits: int = 18  # 2^bits buckets
    normalize: Normalize = "l2"
    c: float = 10.0  # scikit-learn's C: the higher, the closer to the training documents
    balanced: bool = True  # both sides weigh the same, however many documents each has


class Logistic(NamedTuple):
    """A trained model: the logit of a document is (weights . counts / length + bias) / 2^scale_bits.

    Rounding the weights moves the score of a document of n words by at most (n + 1) 2^-(scale_bits + 3); with
    the "l2" length, by at most (sqrt(n) + 1) 2^-(scale_bits + 3): a millionth and less.
    """

    weights: NDArray[np.int32]  # [2^bits], times 2^scale_bits
    bias: int  # times 2^scale_bits
    scale_bits: int
    normalize: Normalize

    @property
    def bits(self) -> int:
        """log2 of the number of buckets."""
        return len(self.weights).bit_length() - 1

    def scores(self, words: Words) -> Floats:
        """The probability of each document to be one of the good ones; 0 for a document without words."""
        documents = len(words.offsets) - 1
        sums, squares = np.zeros(documents, np.int64), np.zeros(documents, np.int64)
        tally = np.zeros(len(self.weights), np.int32)
        shift = np.uint64(64 - self.bits)
        _sum(words.hashes, words.offsets, shift, self.weights, tally, (sums, squares))
        lengths = np.sqrt(np.maximum(squares, 1)) if self.normalize == "l2" else 1.0
        logits = (sums / lengths + self.bias) * 2.0**-self.scale_bits
        return np.where(squares > 0, sigmoid()(logits), 0.0)


def train(features: Features, good: NDArray[np.bool_], settings: Settings) -> Logistic:
    """Fit by L-BFGS in float64 on one thread, then round to fixed point; the same bytes again on one machine.

    `good` says of each document which side it is on. Raises ValueError unless there are documents on both.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if good.all() or not good.any():
        raise ValueError("a classifier needs documents on both sides")
    matrix = features.matrix(settings.bits, settings.normalize)
    weighting = "balanced" if settings.balanced else None
    fit = LogisticRegression(C=settings.c, class_weight=weighting, solver="lbfgs", max_iter=1000)
    with threadpool_limits(1):
        fit.fit(matrix, good)
    return fixed_point(fit.coef_[0], float(fit.intercept_[0]), settings.normalize)


def fixed_point(weights: Floats, bias: float, normalize: Normalize) -> Logistic:
    """Round to integers at the finest power of two, up to 2^30, at which each weight fits into 31 bits."""
    _, exponent = math.frexp(np.abs(weights).max())  # the largest weight is below 2^exponent
    scale_bits = 30 - max(exponent, 0)
    scaled = np.rint(np.ldexp(weights, scale_bits)).astype(np.int32)
    return Logistic(scaled, round(math.ldexp(bias, scale_bits)), scale_bits, normalize)


@cache
def sigmoid() -> Curve:
    """1 / (1 + e^-x) on [-40, 40], to within 2e-12 and, far to the left, to within 2e-11 of its value."""

    def logistic(x: Decimal) -> tuple[Decimal, Decimal]:
        value = 1 / (1 + (-x).exp())
        return value, value * (1 - value)

    return tabulate(logistic, -40, 40, per_unit=128)


@kernel
def _sum(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    shift: np.uint64,
    weights: NDArray[np.int32],
    tally: NDArray[np.int32],
    out: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Sum of weights over the words of each document, and sum of its squared counts by bucket.

    `tally` has a zero for each bucket, and has so again at the end.
    """
    sums, squares = out
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        total, square = np.int64(0), np.int64(0)
        for word in range(begin, end):
            bucket = np.int64(hashes[word] >> shift)
            total += np.int64(weights[bucket])
            square += 2 * np.int64(tally[bucket]) + 1  # (n + 1)^2 - n^2
            tally[bucket] += 1
        for word in range(begin, end):
            tally[np.int64(hashes[word] >> shift)] = 0
        sums[document], squares[document] = total, square
