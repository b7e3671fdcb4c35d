"""GPT-3's quality classifier: logistic regression on hashed word counts (appendix A).

scikit-learn trains it; a kernel scores straight from word hashes. Weights are fixed-point integers and summed
as such, so no order of words can round differently, and what remains (one square root, one division, a tabled
sigmoid) is fixed by IEEE 754: whoever has the model gets the same scores, bit by bit.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Curve, Floats, tabulate
from classifiers.features import Features, Normalize, text_keys
from classifiers.kernel import kernel
from classifiers.words import Words

Mask = NDArray[np.bool_]
Folds = NDArray[np.int64]


class Settings(NamedTuple):
    """How to train."""

    bits: int = 18  # 2^bits buckets
    normalize: Normalize = "l2"
    c: float = 10.0  # scikit-learn's C: the higher, the closer to the training documents
    balanced: bool = True  # both sides weigh the same, however many documents each has


class Logistic(NamedTuple):
    """One or more trained models; which of them scores a document depends on the hash of its words.

    The logit of a document is (weights . counts / length + bias) / 2^scale_bits. Rounding the weights moves
    the score of a document of n words by at most (n + 1) 2^-(scale_bits + 3); with the "l2" length, by at
    most (sqrt(n) + 1) 2^-(scale_bits + 3): a millionth and less.
    """

    weights: NDArray[np.int32]  # [folds, 2^bits], times 2^scale_bits
    bias: NDArray[np.int64]  # [folds], times 2^scale_bits
    scale_bits: int
    normalize: Normalize

    @property
    def bits(self) -> int:
        """log2 of the number of buckets."""
        return int(self.weights.shape[1]).bit_length() - 1

    def scores(self, words: Words) -> Floats:
        """The probability of each document to be one of the good ones; 0 for a document without words."""
        fold = folds(text_keys(words), len(self.weights))
        sums, squares = np.zeros(len(fold), np.int64), np.zeros(len(fold), np.int64)
        tally = np.zeros(1 << self.bits, np.int32)
        shift = np.uint64(64 - self.bits)
        _add_words(words.hashes, words.offsets, shift, (fold, self.weights), tally, (sums, squares))
        return self._probabilities(fold, sums, squares)

    def scores_of(self, features: Features, keys: NDArray[np.uint64]) -> Floats:
        """The same, bit by bit, from the counts of words and the hashes of the texts."""
        fold = folds(keys, len(self.weights))
        sums, squares = np.zeros(len(fold), np.int64), np.zeros(len(fold), np.int64)
        _add_counts(features, fold, self.weights, sums, squares)
        return self._probabilities(fold, sums, squares)

    def _probabilities(self, fold: Folds, sums: NDArray[np.int64], squares: NDArray[np.int64]) -> Floats:
        lengths = np.sqrt(np.maximum(squares, 1)) if self.normalize == "l2" else 1.0
        logits = (sums / lengths + self.bias[fold]) * 2.0**-self.scale_bits
        return np.where(squares > 0, sigmoid()(logits), 0.0)


def folds(keys: NDArray[np.uint64], number: int) -> Folds:
    """Which of `number` folds each text is in, by its hash, so that all copies of a text are in one."""
    return (keys % np.uint64(number)).astype(np.int64)


def train(features: Features, good: Mask, uses: Sequence[Mask], settings: Settings) -> Logistic:
    """Fit by L-BFGS in float64 on one thread, then round to fixed point; the same bytes again on one machine.

    `good` says which side each document is on. There is one model for each of `uses`, the documents that it
    learns from. Raises ValueError unless these are of both sides.
    """
    fits = [_fit(features, np.flatnonzero(use), good[use], settings) for use in uses]
    weights, bias = zip(*fits, strict=True)
    return fixed_point(np.array(weights), np.array(bias), settings.normalize)


def _fit(features: Features, rows: Folds, good: Mask, settings: Settings) -> tuple[Floats, float]:
    """The weight of each bucket, 0 for one without words, and the bias."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if good.all() or not good.any():
        raise ValueError("a classifier needs documents of both sides")
    matrix, used = _columns_used(features.take(rows), settings)
    weighting = "balanced" if settings.balanced else None
    fit = LogisticRegression(C=settings.c, class_weight=weighting, solver="lbfgs", max_iter=1000)
    with threadpool_limits(1):
        fit.fit(matrix, good)
    weights = np.zeros(1 << settings.bits)
    weights[used] = fit.coef_[0]
    return weights, float(fit.intercept_[0])


def _columns_used(features: Features, settings: Settings) -> tuple[Any, NDArray[np.int64]]:
    """The matrix without the columns of buckets that no word is in, and the buckets that have one."""
    used = np.flatnonzero(np.bincount(features.buckets, minlength=1 << settings.bits))
    column = np.zeros(1 << settings.bits, np.int32)
    column[used] = np.arange(len(used))
    features.buckets[:] = column[features.buckets]  # in place: at scale, each array here is half a gigabyte
    return features.matrix(len(used), settings.normalize), used


def fixed_point(weights: Floats, bias: Floats, normalize: Normalize) -> Logistic:
    """Round to integers at the finest power of two, up to 2^30, at which each weight fits into 31 bits."""
    _, exponent = math.frexp(np.abs(weights).max())  # the largest weight is below 2^exponent
    scale_bits = 30 - max(exponent, 0)
    scaled = np.rint(np.ldexp(weights, scale_bits)).astype(np.int32)
    return Logistic(scaled, np.rint(np.ldexp(bias, scale_bits)).astype(np.int64), scale_bits, normalize)


@cache
def sigmoid() -> Curve:
    """1 / (1 + e^-x) on [-40, 40], to within 2e-12 and, far to the left, to within 2e-11 of its value."""

    def logistic(x: Decimal) -> tuple[Decimal, Decimal]:
        value = 1 / (1 + (-x).exp())
        return value, value * (1 - value)

    return tabulate(logistic, -40, 40, per_unit=128)


@kernel
def _add_words(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    shift: np.uint64,
    model: tuple[Folds, NDArray[np.int32]],
    tally: NDArray[np.int32],
    out: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Sum of the weights of the words of each document, and sum of its squared counts by bucket.

    `model` is which weights each document takes, and all weights. `tally` has a zero for each bucket, and
    has so again at the end.
    """
    fold, weights = model
    sums, squares = out
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        mine = weights[fold[document]]
        total, square = np.int64(0), np.int64(0)
        for word in range(begin, end):
            bucket = np.int64(hashes[word] >> shift)
            total += np.int64(mine[bucket])
            square += 2 * np.int64(tally[bucket]) + 1  # (n + 1)^2 - n^2
            tally[bucket] += 1
        for word in range(begin, end):
            tally[np.int64(hashes[word] >> shift)] = 0
        sums[document], squares[document] = total, square


@kernel
def _add_counts(
    features: Features,
    fold: Folds,
    weights: NDArray[np.int32],
    sums: NDArray[np.int64],
    squares: NDArray[np.int64],
) -> None:
    """What `_add_words` adds up, from counts."""
    for document in range(len(fold)):
        mine = weights[fold[document]]
        total, square = np.int64(0), np.int64(0)
        for entry in range(features.offsets[document], features.offsets[document + 1]):
            count = np.int64(features.counts[entry])
            total += np.int64(mine[features.buckets[entry]]) * count
            square += count * count
        sums[document], squares[document] = total, square
