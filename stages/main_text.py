"""winnow: the main text of a page by our own model: bytes -> blocks -> features -> trees -> text.

A block stays if the trees find it likelier than a bar that depends on the page: the F1 that keeping the best
blocks may be expected to reach there, for at the best bar for F1 a block's probability is half of that
(Lipton et al., "Thresholding classifiers to maximize F1 score", 2014), drawn towards a fixed bar.
"""

import os
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.block_features import describe
from stages.blocks import blocks
from stages.layout import lay_out
from stages.measures import WORDS, Measures, measure
from stages.surroundings import Floats
from stages.trees import UNIT, Trees, log_odds

Whole = NDArray[np.int64]

BINS = 512  # of log-odds from -8 to 8
_A_BIN = UNIT // 32
SURE = 1 << 16  # the probability 1
_PULL, _FIXED = 0.6, 0.4  # how much a page's own bar counts; the fixed bar
DOUBT = 7 * UNIT // 2  # log-odds up to which a block is looked at again


class Model(NamedTuple):
    """What training makes."""

    weights: NDArray[np.int32]  # of class tokens, by hash
    first: Trees  # few and small
    second: Trees  # for blocks that these leave in doubt


@cache
def load() -> Model:
    """The model in this package."""
    with np.load(os.path.join(os.path.dirname(__file__), "winnow.npz")) as file:
        looks = (Trees(*(file[f"{look}_{field}"] for field in Trees._fields)) for look in Model._fields[1:])
        return Model(file["weights"], *looks)


def main_text(html: bytes, looks: int = 2) -> str:
    """The main text of a page in UTF-8; by the first look at its blocks, or by both."""
    model = load()
    page = blocks(np.frombuffer(html, np.uint8))
    if not len(page.blocks):
        return ""
    measures = measure(page)
    features = describe(page, measures, model.weights)
    return lay_out(page, kept(look(features, model, looks), measures))


def look(features: Floats, model: Model, looks: int = 2) -> NDArray[np.int64]:
    """The log-odds of every block, in units of 1 / UNIT."""
    odds = log_odds(features, model.first)
    if looks > 1:
        doubtful = np.flatnonzero(np.abs(odds) < DOUBT)
        odds[doubtful] += log_odds(features[doubtful], model.second)
    return odds


def kept(odds: NDArray[np.int64], measures: Measures) -> NDArray[np.bool_]:
    """Which blocks stay: those at or above the page's bar; at least the likeliest."""
    keep = np.empty(len(odds), np.bool_)
    _keep(odds, measures, _logistic(), np.zeros(BINS, np.int64), keep)
    return keep


@lean
def _keep(
    odds: NDArray[np.int64], measures: Measures, logistic: Whole, words: Whole, keep: NDArray[np.bool_]
) -> None:
    """Fill in `keep`. `words` has room for the words in the blocks of each bin."""
    top = 0
    everything = np.int64(0)  # words that may be expected to belong, in units of 1 / SURE
    for block in range(len(odds)):
        place = _bin(odds[block])
        top = max(top, place)
        words[place] += measures[block, WORDS]
        everything += measures[block, WORDS] * logistic[place]
    taken = expected = np.int64(0)
    best = 0.0  # F1 that may be expected
    for place in range(top, -1, -1):
        taken += words[place]
        expected += words[place] * logistic[place]
        best = max(best, 2 * expected / (taken * SURE + everything + 1))
    bar = min(int((_PULL * best / 2 + (1 - _PULL) * _FIXED) * SURE), logistic[top])
    for block in range(len(odds)):
        keep[block] = logistic[_bin(odds[block])] >= bar


@lean
def _bin(odds: np.int64) -> int:
    place = int(odds) // _A_BIN + BINS // 2
    return min(max(place, 0), BINS - 1)


@cache
def _logistic() -> Whole:
    """The logistic function of each bin's middle, in 1 / SURE; decimals round the same everywhere."""
    odds = [Decimal(2 * place - BINS + 1) / 64 for place in range(BINS)]
    return np.array([int((SURE / (1 + (-x).exp())).to_integral_value()) for x in odds])
