"""Boosted trees as sorted thresholds: the exit leaf of every tree without walking one (QuickScorer).

After Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees"
(SIGIR 2015). A node whose test `x <= threshold` fails rules out the leaves to its left; of those that no
node has ruled
out, the leftmost is where the tree ends. Each feature's thresholds are tried in ascending order up to the
first that
holds. Leaves are integers, so that a sum is the same in any order.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.surroundings import Floats

MOST_LEAVES = 32  # of a tree
UNIT = 1 << 16  # a leaf's value in log-odds is its integer / UNIT

_DE_BRUIJN = np.uint32(0x077CB531)
_PLACES = np.zeros(32, np.int32)  # of the only bit that is set, by a hash of the number without collisions
for _bit in range(32):
    _PLACES[(0x077CB531 << _bit & 0xFFFFFFFF) >> 27] = _bit


class Trees(NamedTuple):
    """An ensemble: log-odds are the sum of one leaf of each tree."""

    starts: NDArray[
        np.int32
    ]  # [features + 1]: feature f owns nodes starts[f]:starts[f + 1], thresholds ascending
    thresholds: Floats  # [nodes]
    owners: NDArray[np.int32]  # [nodes]: its tree
    masks: NDArray[np.uint32]  # [nodes]: leaves that are left when its test fails
    leaves: NDArray[np.int32]  # [trees, MOST_LEAVES], left to right


def log_odds(features: Floats, trees: Trees) -> NDArray[np.int64]:
    """What the ensemble says of each row of features, in units of 1 / UNIT."""
    out = np.empty(len(features), np.int64)
    _score(features, trees, np.empty(len(trees.leaves), np.uint32), _PLACES, out)
    return out


@lean
def _score(
    features: Floats,
    trees: Trees,
    left: NDArray[np.uint32],
    places: NDArray[np.int32],
    out: NDArray[np.int64],
) -> None:
    for row in range(len(features)):
        left[:] = np.uint32(0xFFFFFFFF)
        for feature in range(trees.starts.size - 1):
            value = features[row, feature]
            for node in range(trees.starts[feature], trees.starts[feature + 1]):
                if value <= trees.thresholds[node]:
                    break
                left[trees.owners[node]] &= trees.masks[node]
        total = np.int64(0)
        for tree in range(left.size):
            lowest = np.uint32(left[tree] & (~left[tree] + np.uint32(1)))
            total += trees.leaves[tree, places[np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)]]
        out[row] = total
