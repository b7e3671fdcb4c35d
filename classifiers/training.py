"""Training on more documents than fit into memory: an optimiser that reads them again for each of its steps.

The objective is that of scikit-learn's `LogisticRegression` (L2 penalty, intercept free), which minimises it
with SciPy's L-BFGS too, but wants all documents in memory at once. Here only the vectors of weights and of
gradients are. Identical for one type of processor.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.features import Features
from classifiers.kernel import kernel
from classifiers.logistic import Mask, Normalize

Batches = Iterable[Features]  # the documents in order; each `iter` begins anew
_UNUSED = -1  # the column of a bucket without terms


class Settings(NamedTuple):
    """How to train a logistic regression."""

    bits: int = 18  # 2^bits buckets
    normalize: Normalize = "l2"
    c: float = 10.0  # scikit-learn's C: the higher, the closer to the training documents


class Part(NamedTuple):
    """What training knows of the documents of a batch."""

    good: Mask
    importance: Floats  # weight in the objective; a document of none takes no part


def train(batches: Batches, everything: Part, settings: Settings) -> Floats:
    """The weight of each bucket, 0 for those without terms, and the bias after them."""
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    column = _columns(batches, everything.importance, settings.bits)
    used = column != _UNUSED
    total = float(everything.importance.sum())

    def objective(point: Floats) -> tuple[float, Floats]:
        gradient, loss, done = np.zeros_like(point), 0.0, 0
        for batch in batches:
            rows = slice(done, done + len(batch.offsets) - 1)
            part = Part(everything.good[rows], everything.importance[rows])
            loss += _add_gradient(batch, part, (column, settings.normalize == "l2"), point, gradient)
            done = rows.stop
        weights = point[:-1]
        penalty = 1 / (settings.c * total)
        gradient /= total
        gradient[:-1] += penalty * weights
        return loss / total + penalty / 2 * float(weights @ weights), gradient

    with threadpool_limits(1):
        start = np.zeros(int(used.sum()) + 1)
        options = {"maxiter": 1000, "maxls": 50, "gtol": 1e-5, "ftol": 64 * np.finfo(float).eps}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    weights = np.zeros((1 << settings.bits) + 1)
    weights[:-1][used] = found.x[:-1]
    weights[-1] = found.x[-1]
    return weights


def _columns(batches: Batches, importance: Floats, bits: int) -> NDArray[np.int32]:
    """The place of each bucket among those that a document of importance uses."""
    used = np.zeros(1 << bits, np.bool_)
    done = 0
    for batch in batches:
        size = len(batch.offsets) - 1
        takes_part = np.repeat(importance[done : done + size] > 0, np.diff(batch.offsets))
        used[batch.buckets[takes_part]] = True
        done += size
    column = np.cumsum(used, dtype=np.int32) - np.int32(1)
    column[~used] = _UNUSED
    return column


@kernel
def _add_gradient(
    batch: Features,
    part: Part,
    layout: tuple[NDArray[np.int32], bool],
    point: Floats,
    gradient: Floats,
) -> float:
    """Add the gradient of the documents' logistic loss at `point`, the bias last; returns the loss."""
    column, unit_length = layout
    loss = 0.0
    for document in range(len(part.good)):
        importance = part.importance[document]
        if importance == 0:
            continue
        first, last = batch.offsets[document], batch.offsets[document + 1]
        total, square = 0.0, 0.0
        for entry in range(first, last):
            count = np.float64(batch.counts[entry])
            place = column[batch.buckets[entry]]
            square += count * count
            if place >= 0:
                total += point[place] * count
        scale = 1.0 / np.sqrt(square) if unit_length and square > 0 else 1.0
        logit = total * scale + point[-1]
        against = -logit if part.good[document] else logit
        share = np.exp(-abs(against))
        loss += importance * (max(against, 0.0) + np.log1p(share))
        error = importance * (1.0 if against >= 0 else share) / (1.0 + share)
        slope = -error if part.good[document] else error
        gradient[-1] += slope
        for entry in range(first, last):
            place = column[batch.buckets[entry]]
            if place >= 0:
                gradient[place] += slope * scale * np.float64(batch.counts[entry])
    return loss
