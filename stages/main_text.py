"""winnow: the main text of a page by our own model: bytes -> blocks -> features -> trees -> text.

A block stays if the trees find it likelier than a bar that depends on the page: the F1 that keeping the best
blocks may be expected to reach there, for at the best bar for F1 a block's probability is half of that
(Lipton et al., "Thresholding classifiers to maximize F1 score", 2014), drawn towards a fixed bar.
"""

import os
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.block_features import FEATURES, describe
from stages.blocks import blocks
from stages.context import add_context
from stages.layout import lay_out
from stages.measures import WORDS, Measures, measure
from stages.surroundings import Floats
from stages.trees import BINS, SURE, UNIT, Trees, Whole, log_odds, logistic, place_of

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
    features, around = describe(page, measures, model.weights)
    odds = log_odds(features, model.first)
    if looks > 1:
        add_context(page, measures, around, odds, features[:, len(FEATURES) :])
        look_again(features, odds, model.second)
    return lay_out(page, kept(odds, measures))


def look_again(features: Floats, odds: NDArray[np.int64], trees: Trees) -> None:
    """Correct the log-odds of blocks that they leave in doubt; `features` are those of all, with context."""
    doubtful = np.flatnonzero(np.abs(odds) < DOUBT)
    odds[doubtful] += log_odds(features[doubtful], trees)


def kept(odds: NDArray[np.int64], measures: Measures) -> NDArray[np.bool_]:
    """Which blocks stay: those at or above the page's bar; at least the likeliest."""
    keep = np.empty(len(odds), np.bool_)
    _keep(odds, measures, logistic(), np.zeros(BINS, np.int64), keep)
    return keep


@lean
def _keep(
    odds: NDArray[np.int64], measures: Measures, table: Whole, words: Whole, keep: NDArray[np.bool_]
) -> None:
    """Fill in `keep`. `words` has room for the words in the blocks of each bin."""
    top = 0
    everything = np.int64(0)  # words that may be expected to belong, in units of 1 / SURE
    for block in range(len(odds)):
        place = place_of(odds[block])
        top = max(top, place)
        words[place] += measures[block, WORDS]
        everything += measures[block, WORDS] * table[place]
    taken = expected = np.int64(0)
    best = 0.0  # F1 that may be expected
    for place in range(top, -1, -1):
        taken += words[place]
        expected += words[place] * table[place]
        best = max(best, 2 * expected / (taken * SURE + everything + 1))
    bar = min(int((_PULL * best / 2 + (1 - _PULL) * _FIXED) * SURE), table[top])
    for block in range(len(odds)):
        keep[block] = table[place_of(odds[block])] >= bar
