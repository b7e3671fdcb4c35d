"""Probabilities from scores: never falling, the truth where the truth is known, the same from a card."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from classifiers.calibration import Calibration, calibrate


def sample(number=20_000, seed=1):
    """Scores whose logit is twice that of the share of good documents."""
    draw = np.random.default_rng(seed)
    truth = draw.random(number)
    odds = truth / (1 - truth)
    return odds**2 / (1 + odds**2), draw.random(number) < truth, truth


SCORES, GOOD, TRUTH = sample()
ONES = np.ones(len(GOOD))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_probabilities_are_the_shares_of_good_documents(method):
    found = calibrate(SCORES, GOOD, ONES, method)(SCORES)
    assert np.abs(found - TRUTH).mean() < 0.02
    assert np.abs(SCORES - TRUTH).mean() > 0.05


def test_isotonic_is_scikit_learns():
    inner = (SCORES > 1e-6) & (SCORES < 1 - 1e-6)
    oracle = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(SCORES[inner], GOOD[inner])
    found = calibrate(SCORES[inner], GOOD[inner], ONES[inner], "isotonic")
    between = np.linspace(0.001, 0.999, 999)
    assert found(between) == pytest.approx(oracle.predict(between), abs=1e-4)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1e-9, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=30
    )
)
@settings(deadline=None, max_examples=25)
def test_no_higher_score_has_a_lower_probability(method, rows):
    scores, good = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if good.all() or not good.any():
        with pytest.raises(ValueError, match="of both sides"):
            calibrate(scores, good, np.ones(len(good)), method)
        return
    grid = np.linspace(0, 1, 301)
    found = calibrate(scores, good, np.ones(len(good)), method)(grid)
    assert (np.diff(found) >= -1e-12).all() and found.min() >= 0 and found.max() <= 1


def test_a_card_keeps_every_bit():
    made = calibrate(SCORES, GOOD, ONES, "platt")
    read = Calibration.from_json(json.loads(json.dumps(made.to_json())))
    assert read(SCORES).tobytes() == made(SCORES).tobytes()


def test_importance_moves_the_probability():
    light = calibrate(SCORES, GOOD, np.where(GOOD, 0.1, 1.0), "platt")
    assert light(np.array([0.5]))[0] == pytest.approx(1 / 11, abs=0.02)
