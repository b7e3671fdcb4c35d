"""Linear classifiers of hashed counts: the same scores on every machine, whoever trained the weights.

GPT-3's classifier is a logistic regression (appendix A); a fastText classifier of two labels is one too, of
the mean of its terms. Weights are fixed-point integers and summed as such, so no order of terms can round
differently, and what remains (one square root, one division, a tabled sigmoid) is fixed by IEEE 754: whoever
has the model gets the same scores, bit by bit.
"""

import math
from decimal import Decimal
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.curve import Curve, Floats, tabulate
from classifiers.features import Features, text_keys
from classifiers.kernel import kernel
from classifiers.terms import Reading, Terms, terms
from classifiers.words import Words

Normalize = Literal["l2", "mean", "none"]
Mask = NDArray[np.bool_]
Folds = NDArray[np.int64]


class Sums(NamedTuple):
    """What a model adds up of each document."""

    weights: NDArray[np.int64]  # of its terms
    squares: NDArray[np.int64]  # of its counts by bucket
    terms: NDArray[np.int64]


class Logistic(NamedTuple):
    """One or more trained models; which of them scores a document depends on the hash of its words.

    The logit of a document is, in units of 2^-scale_bits, (its sum of weights) / length + bias, where the
    length is that of the vector of its counts ("l2") or 1 ("none"); or, as in fastText, (sum of weights +
    bias) / (number of terms + 1) ("mean"). Rounding the weights moves the score of a document of n terms by
    at most (n + 1) 2^-(scale_bits + 3); with "l2", by at most (sqrt(n) + 1) 2^-(scale_bits + 3); with
    "mean", by 2^-(scale_bits + 3): a millionth and less.
    """

    weights: NDArray[np.int32]  # [folds, 2^bits], times 2^scale_bits
    bias: NDArray[np.int64]  # [folds], times 2^scale_bits
    scale_bits: int
    normalize: Normalize
    reading: Reading = Reading()

    @property
    def bits(self) -> int:
        """log2 of the number of buckets."""
        return int(self.weights.shape[1]).bit_length() - 1

    def scores(self, texts: pa.Array | pa.ChunkedArray, split: Words) -> Floats:
        """The probability of each text to be one of the good ones; 0 for one without terms.

        `split` are the words of `texts`.
        """
        return self.scores_of(terms(texts, split, self.reading), text_keys(split))

    def scores_of(self, found: Terms | Features, keys: NDArray[np.uint64]) -> Floats:
        """The same, bit by bit, from the terms of texts, or their counts, and the hashes of the texts."""
        fold = folds(keys, len(self.weights))
        sums = Sums(*(np.zeros(len(fold), np.int64) for _ in Sums._fields))
        if isinstance(found, Features):
            _add_counts(found, fold, self.weights, sums)
        else:
            tally = np.zeros(1 << self.bits, np.int32)
            _add_terms(found, np.uint64(64 - self.bits), (fold, self.weights), tally, sums)
        return np.where(sums.terms > 0, sigmoid()(self._logits(sums, self.bias[fold])), 0.0)

    def _logits(self, sums: Sums, bias: NDArray[np.int64]) -> Floats:
        if self.normalize == "mean":
            return (sums.weights + bias) / (sums.terms + 1) * 2.0**-self.scale_bits
        lengths = np.sqrt(np.maximum(sums.squares, 1)) if self.normalize == "l2" else 1.0
        logits: Floats = (sums.weights / lengths + bias) * 2.0**-self.scale_bits
        return logits


def folds(keys: NDArray[np.uint64], number: int) -> Folds:
    """Which of `number` folds each text is in, by its hash, so that all copies of a text are in one."""
    return (keys % np.uint64(number)).astype(np.int64)


def fixed_point(weights: Floats, bias: Floats, normalize: Normalize, reading: Reading) -> Logistic:
    """Round to integers at the finest power of two, up to 2^30, at which each weight fits into 31 bits."""
    _, exponent = math.frexp(np.abs(weights).max())  # the largest weight is below 2^exponent
    scale_bits = 30 - max(exponent, 0)
    scaled = np.rint(np.ldexp(weights, scale_bits)).astype(np.int32)
    rounded_bias = np.rint(np.ldexp(bias, scale_bits)).astype(np.int64)
    return Logistic(scaled, rounded_bias, scale_bits, normalize, reading)


@cache
def sigmoid() -> Curve:
    """1 / (1 + e^-x) on [-40, 40], to within 2e-12 and, far to the left, to within 2e-11 of its value."""

    def logistic(x: Decimal) -> tuple[Decimal, Decimal]:
        value = 1 / (1 + (-x).exp())
        return value, value * (1 - value)

    return tabulate(logistic, -40, 40, per_unit=128)


@kernel
def _add_terms(
    found: Terms,
    shift: np.uint64,
    model: tuple[Folds, NDArray[np.int32]],
    tally: NDArray[np.int32],
    sums: Sums,
) -> None:
    """Add up the terms of each document. `model` is which weights each document takes, and all weights.

    `tally` has a zero for each bucket, and has so again at the end.
    """
    fold, weights = model
    for document in range(len(fold)):
        begin, end = found.offsets[document], found.offsets[document + 1]
        mine = weights[fold[document]]
        total, square = np.int64(0), np.int64(0)
        for term in range(begin, end):
            bucket = np.int64(found.hashes[term] >> shift)
            total += np.int64(mine[bucket])
            square += 2 * np.int64(tally[bucket]) + 1  # (n + 1)^2 - n^2
            tally[bucket] += 1
        for term in range(begin, end):
            tally[np.int64(found.hashes[term] >> shift)] = 0
        sums.weights[document], sums.squares[document], sums.terms[document] = total, square, end - begin


@kernel
def _add_counts(features: Features, fold: Folds, weights: NDArray[np.int32], sums: Sums) -> None:
    """What `_add_terms` adds up, from counts."""
    for document in range(len(fold)):
        mine = weights[fold[document]]
        total, square, number = np.int64(0), np.int64(0), np.int64(0)
        for entry in range(features.offsets[document], features.offsets[document + 1]):
            count = np.int64(features.counts[entry])
            total += np.int64(mine[features.buckets[entry]]) * count
            square += count * count
            number += count
        sums.weights[document], sums.squares[document], sums.terms[document] = total, square, number
