"""Fit what the extractor looks up: weights of class tokens by logistic regression, trees by LightGBM."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from stages.blocks import INLINE, INLINE_END, OWNER, PARENT, TOKENS, TOKENS_END, Page
from stages.surroundings import WEIGHT
from stages.trees import MOST_LEAVES, UNIT, Trees

BUCKETS = 1 << 16  # of class tokens
HOSTS = 4  # a token counts if it is on so many hosts at least
_MOST = 3  # times that a token counts in one block

Floats = NDArray[np.float32]


class Size(NamedTuple):
    """Of an ensemble."""

    trees: int
    leaves: int
    rate: float  # learning rate


def class_tokens(page: Page) -> sparse.csr_matrix:
    """How often each token is on the elements around each block: [blocks, BUCKETS]."""
    tokens = (page.tokens & np.uint32(BUCKETS - 1)).astype(np.int64)
    chains: list[NDArray[np.int64]] = [tokens[:0]]
    for row in page.elements[1:]:
        chains.append(np.concatenate([chains[row[PARENT]], tokens[row[TOKENS] : row[TOKENS_END]]]))
    of = [np.concatenate([chains[row[OWNER]], tokens[row[INLINE] : row[INLINE_END]]]) for row in page.blocks]
    starts = np.cumsum([0, *map(len, of)])
    places = np.concatenate([tokens[:0], *of])
    counts = sparse.csr_matrix((np.ones(len(places), np.float32), places, starts), shape=(len(of), BUCKETS))
    counts.sum_duplicates()
    counts.data = np.minimum(counts.data, _MOST)
    return counts


def fit_weights(
    counts: Sequence[sparse.csr_matrix], hosts: Sequence[str], positive: NDArray[np.bool_], worth: Floats
) -> NDArray[np.int32]:
    """A weight for each bucket of tokens, in units of WEIGHT; 0 for those of few hosts."""
    seen: dict[str, NDArray[np.bool_]] = {}
    for host, matrix in zip(hosts, counts, strict=True):
        seen.setdefault(host, np.zeros(BUCKETS, np.bool_))[matrix.indices] = True
    common = np.flatnonzero(sum(flags.astype(np.int32) for flags in seen.values()) >= HOSTS)
    model = LogisticRegression(C=0.02, max_iter=150, tol=1e-3)
    model.fit(sparse.vstack(counts)[:, common], positive, sample_weight=worth / worth.mean())
    weights = np.zeros(BUCKETS, np.int32)
    weights[common] = np.rint(model.coef_[0] / WEIGHT)
    return weights


def fit_trees(
    features: Floats,
    positive: NDArray[np.bool_],
    worth: Floats,
    size: Size,
    odds: NDArray[np.float64] | None = None,
) -> Trees:
    """Boosted trees for the log-odds that a block is main text, or for what to add to given `odds`."""
    parameters = {
        "objective": "binary",
        "num_leaves": size.leaves,
        "learning_rate": size.rate,
        "min_data_in_leaf": 40,
        "lambda_l2": 5,
        "feature_fraction": 0.3,
        "max_bin": 127,
        "seed": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    data = lightgbm.Dataset(features, positive, weight=worth / worth.mean(), init_score=odds)
    return flatten(lightgbm.train(parameters, data, size.trees))


def flatten(model: lightgbm.Booster) -> Trees:
    """LightGBM's trees in the form in which we score them."""
    ensemble = [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
    leaves = np.zeros((len(ensemble), MOST_LEAVES), np.int32)
    nodes: list[tuple[int, np.float32, int, int]] = []
    for number, root in enumerate(ensemble):
        values: list[int] = []
        _walk(root, number, values, nodes)
        leaves[number, : len(values)] = values
    nodes.sort()
    features, thresholds, owners, masks = zip(*nodes, strict=True)
    starts = np.searchsorted(features, np.arange(model.num_feature() + 1))
    return Trees(
        starts.astype(np.int32),
        np.array(thresholds, np.float32),
        np.array(owners, np.int32),
        np.array(masks, np.uint32),
        leaves,
    )


def _walk(node: dict[str, Any], tree: int, values: list[int], nodes: list[Any]) -> None:
    """Note the leaves from left to right, and for each node which of them are left when its test fails."""
    if "split_feature" not in node:
        values.append(round(node["leaf_value"] * UNIT))
        return
    first = len(values)
    _walk(node["left_child"], tree, values, nodes)
    ruled_out = (1 << len(values)) - (1 << first)
    threshold = np.float32(node["threshold"])
    if float(threshold) > node["threshold"]:  # so that every float32 falls on the same side as in LightGBM
        threshold = np.nextafter(threshold, np.float32(-np.inf))
    nodes.append((node["split_feature"], threshold, tree, 0xFFFFFFFF & ~ruled_out))
    _walk(node["right_child"], tree, values, nodes)
