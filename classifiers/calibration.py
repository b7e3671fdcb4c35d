"""From scores to probabilities: how many with a score are good, if documents weigh what they are said to.

Platt 1999 (a sigmoid of the logit, with his smoothed targets) or isotonic regression (Zadrozny and Elkan
2002), fitted by scikit-learn to held-out documents and kept as a table: whoever has it gets the same bits.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Floats

Method = Literal["platt", "isotonic"]
_DECIMALS = 9
_LOGITS = np.arange(-80, 81) / 4  # of the knots of Platt's curve
_FARTHEST = 30.0  # logit of a score of 0 or 1


class Calibration(NamedTuple):
    """A function from [0, 1] to [0, 1] that never descends, linear between its knots."""

    scores: Floats  # ascending, from 0 to 1
    probabilities: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The probabilities of `scores`; float64."""
        at = np.clip(np.searchsorted(self.scores, scores, side="right") - 1, 0, len(self.scores) - 2)
        slopes = np.diff(self.probabilities) / np.diff(self.scores)
        way = np.clip(scores, 0, 1) - self.scores[at]
        return np.clip(self.probabilities[at] + way * slopes[at], 0, 1)

    def to_json(self) -> dict[str, list[float]]:
        """The knots, as `from_json` reads them."""
        return {"scores": self.scores.tolist(), "probabilities": self.probabilities.tolist()}

    @staticmethod
    def from_json(knots: Mapping[str, Sequence[Any]]) -> "Calibration":
        """What `to_json` gave."""
        return Calibration(np.array(knots["scores"]), np.array(knots["probabilities"]))


def calibrate(scores: Floats, good: NDArray[np.bool_], importance: Floats, method: Method) -> Calibration:
    """The calibration of scores in [0, 1] of documents of which `good` are; `importance` weighs them.

    Raises ValueError without documents of both sides.
    """
    if good.all() or not good.any():
        raise ValueError("a calibration needs documents of both sides")
    return _platt(scores, good, importance) if method == "platt" else _isotonic(scores, good, importance)


def _platt(scores: Floats, good: NDArray[np.bool_], importance: Floats) -> Calibration:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(scores) - np.log1p(-scores), -_FARTHEST, _FARTHEST)
    doubt = np.where(good, 1 / (good.sum() + 2), 1 / ((~good).sum() + 2))  # of a label, by Platt's rule
    weights = np.concatenate([importance * (1 - doubt), importance * doubt])
    fit = LogisticRegression(C=1e6, tol=1e-9, max_iter=1000)
    with threadpool_limits(1):  # sums of several threads round as many cores as there are
        fit.fit(np.tile(logits, 2)[:, None], np.concatenate([good, ~good]), weights / weights.mean())
    slope, bias = max(float(fit.coef_[0, 0]), 0.0), float(fit.intercept_[0])
    inner = 1 / (1 + np.exp(-_LOGITS))
    fitted = slope * np.concatenate([[-_FARTHEST], _LOGITS, [_FARTHEST]]) + bias
    values = 1 / (1 + np.exp(np.clip(-fitted, -700, 700)))
    return _rounded(np.concatenate([[0.0], inner, [1.0]]), values)


def _isotonic(scores: Floats, good: NDArray[np.bool_], importance: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    fit = IsotonicRegression(y_min=0, y_max=1).fit(scores, good.astype(np.float64), importance)
    knots, values = fit.X_thresholds_, fit.y_thresholds_
    inner = (knots > 0) & (knots < 1)
    ends = np.interp(np.array([0.0, 1.0]), knots, values).astype(np.float64)
    return _rounded(
        np.concatenate([[0.0], knots[inner], [1.0]]), np.concatenate([ends[:1], values[inner], ends[1:]])
    )


def _rounded(scores: Floats, probabilities: Floats) -> Calibration:
    knots, first = np.unique(np.round(scores, _DECIMALS), return_index=True)
    return Calibration(knots, np.round(np.maximum.accumulate(probabilities[first]), _DECIMALS).astype(float))
