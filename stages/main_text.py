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

from stages.block_features import describe
from stages.blocks import blocks
from stages.layout import lay_out
from stages.measures import WORDS, Measures, measure
from stages.trees import UNIT, Trees, log_odds

BINS = 512  # of log-odds from -8 to 8
_A_BIN = UNIT // 32
SURE = 1 << 16  # the probability 1
_PULL, _BAR = 6554, 26214  # a tenth of SURE each: bar = (6 F / 2 + 4 * 0.4) / 10


class Model(NamedTuple):
    """What training makes."""

    weights: NDArray[np.int32]  # of class tokens, by hash
    trees: Trees


@cache
def load(name: str) -> Model:
    """The model of that name in this package."""
    with np.load(os.path.join(os.path.dirname(__file__), f"{name}.npz")) as file:
        return Model(file["weights"], Trees(*(file[field] for field in Trees._fields)))


def main_text(html: bytes, name: str = "winnow") -> str:
    """The main text of a page in UTF-8."""
    model = load(name)
    page = blocks(np.frombuffer(html, np.uint8))
    if not len(page.blocks):
        return ""
    measures = measure(page)
    features = describe(page, measures, model.weights)
    return lay_out(page, kept(log_odds(features, model.trees), measures))


def probabilities(odds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of log-odds in units of 1 / UNIT: the probability of their bin, in units of 1 / SURE."""
    return _logistic()[np.clip(odds // _A_BIN + BINS // 2, 0, BINS - 1)]


def kept(odds: NDArray[np.int64], measures: Measures) -> NDArray[np.bool_]:
    """Which blocks stay: those at or above the page's bar; at least the likeliest."""
    likely = probabilities(odds)
    return likely >= min(bar(likely, measures[:, WORDS].astype(np.int64)), int(likely.max()))


def bar(likely: NDArray[np.int64], words: NDArray[np.int64]) -> int:
    """The probability from which on blocks stay."""
    order = np.argsort(-likely, kind="stable")
    expected = np.cumsum((words * likely)[order])  # words that belong, among the likeliest blocks
    taken = np.cumsum(words[order]) * SURE
    best = float((2 * expected / (taken + expected[-1] + 1)).max())
    return int(0.3 * best * SURE + 0.16 * SURE)


@cache
def _logistic() -> NDArray[np.int64]:
    """The logistic function of the middle of each bin; decimals round the same everywhere."""
    odds = [Decimal(2 * place - BINS + 1) / 64 for place in range(BINS)]
    return np.array([int((SURE / (1 + (-x).exp())).to_integral_value()) for x in odds])
