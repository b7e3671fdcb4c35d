"""What a first look at a page says of the places around each block, for the second look (stacking).

After Cohen and Carvalho, "Stacked sequential learning" (IJCAI 2005): the first model's opinions of the
neighbours are features of the second.
"""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import OWNER, PARENT, Page
from stages.measures import WORDS, Measures
from stages.surroundings import Floats, Surroundings
from stages.trees import SURE, UNIT, Whole, likely, logistic

_STEPS = (-3, -2, -1, 1, 2, 3)
_REACHES = (2, 5, 12)  # blocks before and behind
_LEVELS = (0, 1, 2, 3, 5)  # ancestors
CONTEXT = [
    "odds",
    *(f"odds{step:+d}" for step in _STEPS),
    *(f"likely_within_{reach}" for reach in _REACHES),
    *(f"likely^{level}" for level in _LEVELS),
    *(f"expected_share^{level}" for level in _LEVELS),
    "likely_path",
    "likely_shape",
    "likely_page",
]
_NONE = np.float32(-9)  # the odds of a block that is none
_WITHIN_AT = 1 + len(_STEPS)
_LIKELY_AT = _WITHIN_AT + len(_REACHES)
_SHARE_AT = _LIKELY_AT + len(_LEVELS)
_PATH_AT = _SHARE_AT + len(_LEVELS)


def add_context(
    page: Page, measures: Measures, around: Surroundings, odds: NDArray[np.int64], out: Floats
) -> None:
    """Fill in a row of CONTEXT for each block; `odds` are those of the first look."""
    totals = np.zeros((len(odds) + 1, 2), np.int64)
    elements = np.zeros((len(page.elements), 2), np.int64)
    groups = np.zeros((len(around.groups), 2), np.int64)
    _add_up(page, measures, odds, logistic(), totals)
    _gather(page, around, totals, elements, groups)
    _fill(page, around, odds, totals, elements, groups, out)


@lean
def _add_up(page: Page, measures: Measures, odds: NDArray[np.int64], table: Whole, totals: Whole) -> None:
    """Fill in, up to each block: words, and words that may be expected to belong, in units of 1 / SURE."""
    for block in range(len(odds)):
        words = measures[block, WORDS] + 1
        totals[block + 1, 0] = totals[block, 0] + words
        totals[block + 1, 1] = totals[block, 1] + words * likely(odds[block], table)


@lean
def _gather(page: Page, around: Surroundings, totals: Whole, elements: Whole, groups: Whole) -> None:
    """The same in each element, and in each group of blocks alike."""
    for block in range(len(totals) - 1):
        for column in range(2):
            value = totals[block + 1, column] - totals[block, column]
            elements[page.blocks[block, OWNER], column] += value
            groups[around.paths[block], column] += value
            groups[around.shapes[block], column] += value
    for row in range(len(elements) - 1, 0, -1):
        for column in range(2):
            elements[page.elements[row, PARENT], column] += elements[row, column]


@lean
def _fill(
    page: Page,
    around: Surroundings,
    odds: NDArray[np.int64],
    totals: Whole,
    elements: Whole,
    groups: Whole,
    out: Floats,
) -> None:
    count = len(odds)
    everything = max(totals[count, 1], 1)
    for block in range(count):
        x = out[block]
        x[0] = odds[block] / UNIT
        for at in range(len(_STEPS)):
            other = block + _STEPS[at]
            x[1 + at] = odds[other] / UNIT if 0 <= other < count else _NONE
        for at in range(len(_REACHES)):
            first, last = max(block - _REACHES[at], 0), min(block + _REACHES[at] + 1, count)
            x[_WITHIN_AT + at] = _mean(totals[last, 0] - totals[first, 0], totals[last, 1] - totals[first, 1])
        element, above = page.blocks[block, OWNER], 0
        for at in range(len(_LEVELS)):
            for _ in range(_LEVELS[at] - above):
                element = page.elements[element, PARENT]
            above = _LEVELS[at]
            x[_LIKELY_AT + at] = _mean(elements[element, 0], elements[element, 1])
            x[_SHARE_AT + at] = elements[element, 1] / everything
        path, shape = groups[around.paths[block]], groups[around.shapes[block]]
        x[_PATH_AT], x[_PATH_AT + 1] = _mean(path[0], path[1]), _mean(shape[0], shape[1])
        x[_PATH_AT + 2] = _mean(totals[count, 0], totals[count, 1])


@lean
def _mean(words: np.int64, expected: np.int64) -> float:
    """The probability that a word belongs, of those in one place."""
    return float(expected / (words * SURE))
