"""Boosted trees as sorted thresholds: the exit leaf of every tree without walking one (QuickScorer).

After Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
trees" (SIGIR 2015), several rows at a time as in its successor V-QuickScorer (SIGIR 2016). A node whose test
`x <= threshold` fails rules out the leaves to its left; of those that no node has ruled out, the leftmost is
where the tree ends. Each feature's thresholds are tried in ascending order up to the first that holds. Leaves
are integers, so that a sum is the same in any order.
"""

from decimal import Decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.surroundings import Floats

MOST_LEAVES = 32  # of a tree
UNIT = 1 << 16  # a leaf's value in log-odds is its integer / UNIT
BINS = 512  # of log-odds from -8 to 8, for probabilities
SURE = 1 << 16  # the probability 1
_A_BIN = UNIT // 32
_LANES = 8  # rows that are scored together
_ALL = np.uint32(0xFFFFFFFF)

_DE_BRUIJN = np.uint32(0x077CB531)
_PLACES = np.zeros(32, np.int32)  # of the only bit that is set, by a hash of the number without collisions
for _bit in range(32):
    _PLACES[(0x077CB531 << _bit & 0xFFFFFFFF) >> 27] = _bit

Whole = NDArray[np.int64]


class Trees(NamedTuple):
    """An ensemble: log-odds are the sum of one leaf of each tree."""

    starts: NDArray[np.int32]  # [features + 1]: feature f owns nodes starts[f]:starts[f + 1], ascending
    thresholds: Floats  # [nodes]
    owners: NDArray[np.int32]  # [nodes]: its tree
    masks: NDArray[np.uint32]  # [nodes]: leaves that are left when its test fails
    leaves: NDArray[np.int32]  # [trees, MOST_LEAVES], left to right


def log_odds(features: Floats, trees: Trees) -> NDArray[np.int64]:
    """What the ensemble says of each row of features, in units of 1 / UNIT."""
    out = np.empty(len(features), np.int64)
    left = np.empty((len(trees.leaves), _LANES), np.uint32)
    _score(features, trees, left, np.empty(_LANES, np.float32), out)
    return out


@lean
def _score(
    features: Floats, trees: Trees, left: NDArray[np.uint32], values: Floats, out: NDArray[np.int64]
) -> None:
    """Fill `out`; `left` and `values` are room for the rows of one round: leaves, a feature."""
    for start in range(0, len(features), _LANES):
        rows = min(_LANES, len(features) - start)
        for tree in range(len(left)):
            for lane in range(_LANES):
                left[tree, lane] = _ALL
        for feature in range(trees.starts.size - 1):
            first, last = trees.starts[feature], trees.starts[feature + 1]
            most = np.float32(-np.inf)
            for lane in range(_LANES):  # lanes without a row repeat the last
                values[lane] = features[start + min(lane, rows - 1), feature]
                most = max(most, values[lane])
            for node in range(first, last):
                threshold, mask = trees.thresholds[node], trees.masks[node]
                if most <= threshold:
                    break
                owner = left[trees.owners[node]]
                for lane in range(_LANES):
                    owner[lane] &= mask if values[lane] > threshold else _ALL
        for lane in range(rows):
            out[start + lane] = _sum(trees.leaves, left, lane)


@lean
def _sum(leaves: NDArray[np.int32], left: NDArray[np.uint32], lane: int) -> np.int64:
    """Of the leftmost leaf of each tree that is left."""
    total = np.int64(0)
    for tree in range(len(left)):
        lowest = np.uint32(left[tree, lane] & (~left[tree, lane] + np.uint32(1)))
        total += leaves[tree, _PLACES[np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)]]
    return total


@lean
def likely(odds: np.int64, table: Whole) -> np.int64:
    """The probability that log-odds stand for, in units of 1 / SURE, by the `logistic` table."""
    return np.int64(table[place_of(odds)])


@lean
def place_of(odds: np.int64) -> int:
    """The bin of log-odds."""
    place = int(odds) // _A_BIN + BINS // 2
    return min(max(place, 0), BINS - 1)


@cache
def logistic() -> Whole:
    """The logistic function of each bin's middle, in 1 / SURE; decimals round the same everywhere."""
    odds = [Decimal(2 * place - BINS + 1) / 64 for place in range(BINS)]
    return np.array([int((SURE / (1 + (-x).exp())).to_integral_value()) for x in odds])
