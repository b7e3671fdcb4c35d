"""Training on batches: scikit-learn's solution, whatever the batches."""

import numpy as np
import pytest
from labelled import BITS, counted, cut, matrix, texts
from sklearn.linear_model import LogisticRegression

from classifiers.training import Part, Settings, train

TEXTS, GOOD = texts()
COUNTS, KEYS = counted(TEXTS)


@pytest.mark.parametrize("normalize", ["l2", "none"])
@pytest.mark.parametrize("c", [0.5, 10.0])
def test_the_weights_are_scikit_learns(normalize, c):
    importance = np.where(KEYS % np.uint64(5) > 0, 1.0, 0.0) * np.where(GOOD, 2.0, 0.5)
    weights = train([COUNTS], Part(GOOD, importance), Settings(BITS, normalize, c))
    use = importance > 0
    rows = matrix(COUNTS, normalize)
    # scikit-learn's C is that of weights as they are; ours is of the mean loss, times the sum of weights
    oracle = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
    oracle.fit(rows[use], GOOD[use], importance[use])
    expected = oracle.decision_function(rows)
    found = rows @ weights[:-1] + weights[-1]
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


@pytest.mark.parametrize("size", [1, 7, 50])
def test_batches_do_not_matter(size):
    part = Part(GOOD, np.ones(len(GOOD)))
    whole = train([COUNTS], part, Settings(BITS))
    parts = train(list(cut(COUNTS, size)), part, Settings(BITS))
    assert parts == pytest.approx(whole, abs=1e-6)


def test_training_twice_gives_the_same_bytes():
    part = Part(GOOD, np.ones(len(GOOD)))
    assert train([COUNTS], part, Settings(BITS)).tobytes() == train([COUNTS], part, Settings(BITS)).tobytes()


def test_documents_without_importance_take_no_part():
    importance = (np.arange(len(GOOD)) < 80).astype(float)
    alone = train(list(cut(COUNTS, 80))[:1], Part(GOOD[:80], importance[:80]), Settings(BITS))
    beside = train([COUNTS], Part(GOOD, importance), Settings(BITS))
    assert beside.tobytes() == alone.tobytes()


def test_buckets_that_no_document_uses_weigh_nothing():
    weights = train([COUNTS], Part(GOOD, np.ones(len(GOOD))), Settings(BITS))
    unused = np.setdiff1d(np.arange(1 << BITS), COUNTS.buckets)
    assert not weights[unused].any() and weights[COUNTS.buckets].any()
