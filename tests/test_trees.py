"""Trees by sorted thresholds say what LightGBM says, and what a walk from root to leaf says."""

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.boosting import flatten
from stages.trees import UNIT, log_odds

Floats = NDArray[np.float32]


def examples(rows: int, seed: int) -> Floats:
    """Features of few and of many values, as ours: counts, shares, flags, -1 for what is not there."""
    draw = np.random.default_rng(seed)
    features = [
        draw.integers(-1, 4, rows),
        draw.integers(0, 2, rows),
        draw.random(rows),
        draw.exponential(100, rows),
        np.round(draw.normal(size=rows), 1),
        np.zeros(rows),
    ]
    return np.stack(features, axis=1).astype(np.float32)


@pytest.fixture(scope="module", params=[(1, 2), (7, 4), (25, 16), (40, 32)], ids=str)
def booster(request: pytest.FixtureRequest) -> lightgbm.Booster:
    trees, leaves = request.param
    features = examples(1500, 1)
    target = features[:, 2] + features[:, 0] * (features[:, 3] > 60) + features[:, 4] > 1
    parameters = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 5, "verbose": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(features, target), trees)


def walked(row: Floats, node: dict[str, Any]) -> int:
    while "split_feature" in node:
        left = float(row[node["split_feature"]]) <= node["threshold"]
        node = node["left_child" if left else "right_child"]
    return round(node["leaf_value"] * UNIT)


def test_every_row_ends_in_the_leaves_of_a_walk(booster: lightgbm.Booster) -> None:
    """To the bit: values are integers."""
    features = examples(300, 2)
    roots = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    edges = [near(features[:1], *split) for root in roots for split in splits(root)]
    features = np.concatenate([features, *edges])
    expected = [sum(walked(row, root) for root in roots) for row in features]
    assert log_odds(features, flatten(booster)).tolist() == expected


def splits(node: dict[str, Any]) -> list[tuple[int, float]]:
    """(feature, threshold) of each node."""
    if "split_feature" not in node:
        return []
    here = (node["split_feature"], node["threshold"])
    return [here, *splits(node["left_child"]), *splits(node["right_child"])]


def near(row: Floats, feature: int, threshold: float) -> Floats:
    """`row` with the value of a feature at a threshold, and the floats beside it."""
    rows = np.repeat(row, 3, axis=0)
    middle = np.float32(threshold)
    rows[:, feature] = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, middle, np.inf)]
    return rows


def test_log_odds_are_those_of_lightgbm(booster: lightgbm.Booster) -> None:
    features = examples(1000, 3)
    expected = booster.predict(features, raw_score=True)
    rounding = (booster.num_trees() + 1) / UNIT
    assert np.abs(log_odds(features, flatten(booster)) / UNIT - expected).max() <= rounding


def test_rows_do_not_depend_on_their_neighbours(booster: lightgbm.Booster) -> None:
    features = examples(50, 4)
    trees = flatten(booster)
    alone = [int(log_odds(features[row : row + 1], trees)[0]) for row in range(len(features))]
    assert log_odds(features, trees).tolist() == alone
    assert log_odds(features[::-1].copy(), trees).tolist() == alone[::-1]
    assert log_odds(features[:0], trees).tolist() == []
