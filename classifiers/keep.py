"""Which documents a score keeps: the Pareto rule of GPT-3, a threshold, a top share; and how many that is.

A rule turns scores into keep probabilities; a document stays iff its draw from [0, 1) is below its own. So
the share that stays is known before anything is drawn: the mean of the probabilities.
"""

import math
from decimal import Decimal
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from classifiers.curve import Curve, Floats, tabulate

LARGEST_ALPHA = 100.0
SMALLEST_ALPHA = 0.01
LARGEST_ERROR = 1e-10  # of a keep probability


def pareto(scores: Floats, alpha: float) -> Floats:
    """Keep probabilities (2 - score)^-alpha for scores in [0, 1], to 1e-9 and the same on every machine.

    GPT-3, appendix A: a document is kept iff np.random.pareto(alpha) > 1 - score. NumPy's Pareto is Lomax's,
    which exceeds x with probability (1 + x)^-alpha. Raises ValueError for an alpha outside (0, 100].
    """
    return pareto_curve(float(alpha))(scores)


@lru_cache(maxsize=8)
def pareto_curve(alpha: float) -> Curve:
    """The table behind `pareto`."""
    if not 0 < alpha <= LARGEST_ALPHA:
        raise ValueError(f"alpha is {alpha:g}; it must be above 0 and at most {LARGEST_ALPHA:g}")
    power = Decimal(alpha)

    def probability(score: Decimal) -> tuple[Decimal, Decimal]:
        value = (-power * (2 - score).ln()).exp()
        return value, power * value / (2 - score)

    fourth_derivative = alpha * (alpha + 1) * (alpha + 2) * (alpha + 3)  # at score 1, where it is largest
    per_unit = 64
    while fourth_derivative > 384 * per_unit**4 * LARGEST_ERROR:
        per_unit *= 2
    return tabulate(probability, 0, 1, per_unit)


def threshold(scores: Floats, least: float) -> Floats:
    """Keep probabilities: 1 from `least` on, 0 below."""
    return (scores >= least).astype(np.float64)


def top_share(scores: Floats, shares: npt.ArrayLike) -> Floats:
    """For each share (0 to 1): the score from which on the best of `scores` lie; equal scores stay together.

    At least one document is kept. Raises ValueError when there are no scores.
    """
    if not len(scores):
        raise ValueError("there are no scores to take the best share of")
    keeps = np.clip(np.rint(np.multiply(shares, len(scores))), 1, len(scores)).astype(np.int64)
    return np.asarray(np.sort(scores)[len(scores) - keeps], np.float64)


def kept(draws: Floats, probabilities: Floats) -> npt.NDArray[np.bool_]:
    """Whether each document stays: iff its draw from [0, 1) is below its keep probability."""
    return draws < probabilities


def keep_rate(probabilities: Floats) -> float:
    """The share of documents that is expected to stay; 0 when there are none."""
    return math.fsum(probabilities) / max(len(probabilities), 1)


def fitted_alpha(scores: Floats) -> float:
    """The alpha whose draws are distributed as 1 - score is, of good documents held out.

    GPT-3, appendix A: "alpha was chosen to match the distribution of scores" on WebText. The draws of the
    Pareto rule are Lomax's, and a score can be matched by those up to 1; this is the alpha of the largest
    likelihood among such, to two decimals, in [0.01, 100]. Raises ValueError when there are no scores.
    """
    if not len(scores):
        raise ValueError("there are no scores to fit alpha to")
    mean_log = math.fsum(np.log1p(1 - scores)) / len(scores)

    def slope(alpha: float) -> float:  # of the mean log-likelihood; it falls
        beyond = math.pow(2.0, -alpha)
        return 1 / alpha - mean_log - math.log(2) * beyond / (1 - beyond)

    low, high = SMALLEST_ALPHA, LARGEST_ALPHA
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return round((low + high) / 2, 2)


def share_of_draws(alpha: float, distances: Floats) -> Floats:
    """The share of the Pareto rule's draws up to 1 that are at most each of `distances`: 1 - score."""
    return np.asarray((1 - (1 + distances) ** -alpha) / (1 - 2.0**-alpha), np.float64)
