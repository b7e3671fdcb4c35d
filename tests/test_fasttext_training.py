"""fastText's optimiser: its weights are those that fastText predicts with, the same whenever it trains."""

import numpy as np
import pytest
from labelled import BITS, counted, cut, texts

from classifiers import fasttext_training
from classifiers.fasttext_training import Settings, train
from classifiers.logistic import fixed_point
from classifiers.terms import Reading
from classifiers.training import Part

TEXTS, GOOD = texts(documents=300)
COUNTS, KEYS = counted(TEXTS)
SETTINGS = Settings(BITS, epochs=20)
EVERY = Part(GOOD, np.ones(len(GOOD)))


@pytest.fixture(scope="module")
def weights():
    return train([COUNTS], EVERY, SETTINGS, KEYS)


def test_scores_are_fasttexts_own(weights, monkeypatch):
    import fasttext

    trained = []
    original = fasttext.train_supervised

    def remember(*given, **named):
        trained.append(original(*given, **named))
        return trained[-1]

    monkeypatch.setattr(fasttext, "train_supervised", remember)
    again = train([COUNTS], EVERY, SETTINGS, KEYS)
    assert again.tobytes() == weights.tobytes()
    model = fixed_point(weights[None, :-1], weights[-1:], "mean", Reading())
    scores = model.scores_of(COUNTS, KEYS)
    for row, line in enumerate(fasttext_training._lines(COUNTS, GOOD)):
        labels, probabilities = trained[0].predict([line.split(" ", 1)[1].strip()], k=2)
        told = dict(zip(labels[0], probabilities[0].tolist(), strict=True))
        assert scores[row] == pytest.approx(told["__label__good"], abs=1e-4)


def test_both_sides_are_told_apart(weights):
    model = fixed_point(weights[None, :-1], weights[-1:], "mean", Reading())
    fresh, good = texts(seed=2)
    scores = model.scores_of(*counted(fresh))
    assert (scores[good][:, None] > scores[~good]).mean() > 0.95


def test_neither_batches_nor_their_order_matter(weights):
    parts = list(cut(COUNTS, 7))
    assert train(parts, EVERY, SETTINGS, KEYS).tobytes() == weights.tobytes()
    half = len(GOOD) // 2
    order = np.concatenate([np.arange(half, len(GOOD)), np.arange(half)])
    turned = [*cut(COUNTS, half)][::-1]
    assert (
        train(turned, Part(GOOD[order], EVERY.importance), SETTINGS, KEYS[order]).tobytes()
        == weights.tobytes()
    )


def test_lines_that_do_not_fit_into_memory_are_put_into_the_same_order(weights, monkeypatch):
    monkeypatch.setattr(fasttext_training, "_IN_MEMORY", 1 << 10)
    assert train([COUNTS], EVERY, SETTINGS, KEYS).tobytes() == weights.tobytes()


def test_importance_is_how_often_a_document_is_read():
    few = Part(GOOD, np.where(GOOD, 3.0, 1.0) * (np.arange(len(GOOD)) < 40))
    repeats = fasttext_training.copies(few.importance, KEYS)
    lines = fasttext_training._Lines([COUNTS], few.good, repeats, BITS, KEYS)
    used = np.zeros(1 << BITS, bool)
    ((places, written),) = lines.batches_of_lines(used)
    assert len(written) == len(set(places.tolist())) == 20 * 3 + 20
    assert sum(line.startswith("__label__good ") for line in written) == 60
    assert set(np.flatnonzero(used)) == set(COUNTS.buckets[: COUNTS.offsets[40]].tolist())


def test_the_copies_of_a_side_weigh_what_its_documents_do():
    keys = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for ratio in (1.0, 1.4, 2.5, 7.9, 500.0):
        importance = np.where(np.arange(20_000) < 10_000, ratio, 1.0) * 0.3
        repeats = fasttext_training.copies(importance, keys)
        assert repeats[:10_000].mean() == pytest.approx(min(ratio, 100), rel=0.02)
        assert (repeats[10_000:] == 1).all() and np.ptp(repeats[:10_000]) <= 1


def test_a_rate_that_is_too_high_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="lower `rate`"):
        train([COUNTS], EVERY, SETTINGS._replace(rate=1e9), KEYS)
