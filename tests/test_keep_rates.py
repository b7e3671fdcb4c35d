"""The forecast and its error, against what many draws keep."""

import numpy as np
import pyarrow as pa
import pytest

from classifiers.keep import pareto
from classifiers.training import Part
from stages.card import _calibrated_error
from stages.keep_rates import _error, _other_copies, keep_rates
from stages.sample import Sample

SIZE = 2000
DRAW = np.random.default_rng(1)


def crawl(copies, rows):
    """A sample of a crawl that has each text `copies` times; the texts and scores of the whole crawl."""
    texts = np.arange(SIZE, dtype=np.uint64) // np.uint64(copies)
    scores = np.random.default_rng(2).random(SIZE)[texts.astype(int)]
    documents = pa.table(
        {
            "language": pa.nulls(SIZE, pa.string()),
            "group": ["a.example"] * SIZE,
            "tokens": np.full(SIZE, 10),
            "key": texts,
        }
    ).take(pa.array(rows))
    nobody = np.zeros(len(rows), bool)
    return Sample(documents, None, nobody, nobody), texts.astype(int), scores


def row_of(sample, scores, alpha=2.0):
    return next(row for row in keep_rates(sample, scores, None, SIZE)["rules"] if row["value"] == alpha)


@pytest.mark.parametrize("copies", [1, 2, 50])
def test_the_error_is_that_of_draws_which_copies_share(copies):
    sample, texts, scores = crawl(copies, np.arange(SIZE))
    chances = pareto(scores, 2.0)
    kept = [(DRAW.random(SIZE)[texts] < chances).mean() for _ in range(3000)]
    row = row_of(sample, scores)
    assert row["documents"] == pytest.approx(np.mean(kept), abs=5 * row["error"] / 50)
    assert row["error"] == pytest.approx(np.std(kept), rel=0.08)


@pytest.mark.parametrize("copies", [1, 20])
def test_a_sample_has_its_own_error_besides(copies):
    _, texts, scores = crawl(copies, np.arange(SIZE))
    chances, off, errors = pareto(scores, 2.0), [], []
    for _ in range(1000):
        rows = DRAW.choice(SIZE, SIZE // 4, replace=False)
        off.append(chances[rows].mean() - (DRAW.random(SIZE)[texts] < chances).mean())
        errors.append(_error(chances[rows], _other_copies(texts[rows]), SIZE))
    assert np.mean(errors) == pytest.approx(np.std(off), rel=0.1)


def test_an_empty_crawl_keeps_nothing():
    sample, _, _ = crawl(1, np.arange(0))
    row = row_of(sample, np.zeros(0))
    assert row["documents"] == row["error"] == 0


def test_probabilities_are_measured_only_where_both_halves_have_both_sides():
    scores, ones = DRAW.random(40), np.ones(40)
    good, half = scores > 0.5, np.arange(40) < 20
    assert 0 <= _calibrated_error(scores, Part(good, ones), half, "platt") < 0.2
    for lone in (good, ~good, np.ones(40, bool)):
        assert _calibrated_error(scores, Part(good, ones), lone, "platt") is None
