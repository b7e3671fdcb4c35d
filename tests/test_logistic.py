"""Scores of linear classifiers: from integers, the same bits everywhere."""

import hashlib
from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import BAD, GOOD

from classifiers.features import features, text_keys
from classifiers.logistic import Logistic, fixed_point, folds, sigmoid
from classifiers.terms import Reading, Terms, terms
from classifiers.words import Words, words

WORDS = Reading()


def model_of(normalize="l2", reading=WORDS, folds=3, bits=14, seed=1):
    """Weights drawn at random."""
    weights, bias = np.random.default_rng(seed).normal(size=(2, folds, 1 << bits))
    return fixed_point(weights, bias[:, 0], normalize, reading)


def plain_score(model, counted, key):
    """What a score means, in floating point; `counted` is bucket -> count."""
    fold = int(key) % len(model.bias)
    unit = 2.0**-model.scale_bits
    total = sum(int(model.weights[fold, bucket]) * count for bucket, count in counted.items()) * unit
    bias, number = int(model.bias[fold]) * unit, sum(counted.values())
    length = {"l2": sum(count**2 for count in counted.values()) ** 0.5, "none": 1}.get(model.normalize)
    logit = (total + bias) / (number + 1) if length is None else total / length + bias
    return 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize("normalize", ["l2", "mean", "none"])
@pytest.mark.parametrize("ngrams", [1, 2])
def test_a_score_is_the_sigmoid_of_what_the_words_weigh(normalize, ngrams):
    texts = pa.array([*GOOD, *BAD, "the the the 2019"])
    model = model_of(normalize, Reading(ngrams))
    found = terms(texts, words(texts), model.reading)
    counts = features(found, 14)
    scores = model.scores(texts, words(texts))
    for row, key in enumerate(text_keys(words(texts))):
        mine = slice(counts.offsets[row], counts.offsets[row + 1])
        counted = dict(zip(counts.buckets[mine].tolist(), counts.counts[mine].tolist(), strict=True))
        assert scores[row] == pytest.approx(plain_score(model, counted, key), abs=1e-11)


def test_copies_of_a_text_are_in_one_fold():
    texts = [f"{text}, number {n}" for text in GOOD + BAD for n in range(20)]
    copies = [f"  {text.upper()}!" for text in texts]
    found = folds(text_keys(words(pa.array(texts))), 5)
    assert found.tolist() == folds(text_keys(words(pa.array(copies))), 5).tolist()
    assert set(found.tolist()) == set(range(5))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("reading", [Reading(), Reading(2, False, (1, 2, 3))])
def test_a_score_does_not_depend_on_the_batch(size, reading):
    texts = pa.array([*GOOD, "", *BAD, "the the the", "!", "2019"] * 3)
    model = model_of(reading=reading)
    whole = model.scores(texts, words(texts))
    parts = [texts[at : at + size] for at in range(0, len(texts), size)]
    assert np.concatenate([model.scores(part, words(part)) for part in parts]).tobytes() == whole.tobytes()
    chunks = pa.chunked_array(parts)
    assert model.scores(chunks, words(chunks)).tobytes() == whole.tobytes()
    split = words(texts)
    counts = features(terms(texts, split, reading), 14)
    assert model.scores_of(counts, text_keys(split)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("normalize", ["l2", "mean", "none"])
def test_a_document_without_words_scores_nothing(normalize):
    model = Logistic(np.zeros((1, 4), np.int32), np.array([1 << 20]), 10, normalize, Reading(1, False))
    texts = pa.array(["", None, "?!", "2019", "word"])
    assert model.scores(texts, words(texts)).tolist() == [0, 0, 0, 0, 1]


def test_scores_have_the_same_bits_on_every_machine():
    """The digest was made on x86-64; integers and IEEE 754 leave nothing for a machine to decide."""
    hashes = np.arange(200_000, dtype=np.uint64) ** np.uint64(3) * np.uint64(0x9E3779B97F4A7C15)
    offsets = np.cumsum(np.arange(600)).astype(np.int64)
    weights = (np.arange(1 << 12) * 2654435761 % (1 << 31) - (1 << 30)).astype(np.int32)
    model = Logistic(weights.reshape(2, -1), np.array([-12345, 678]), 29, "l2")
    spans = np.zeros(len(hashes), np.int32)
    keys = text_keys(Words(hashes, spans, spans, offsets))
    scores = model.scores_of(Terms(hashes, offsets), keys)
    assert len(np.unique(scores)) == 599
    assert hashlib.sha256(scores.tobytes()).hexdigest()[:16] == "748b7ae1768ddd1c"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(-50, 50))
def test_fixed_point_uses_31_bits_and_rounds_to_the_nearest(weights, bias):
    model = fixed_point(np.array([weights]), np.array([bias]), "l2", Reading())
    unit = 2.0**-model.scale_bits
    assert np.abs(model.weights * unit - weights).max() <= unit / 2
    assert abs(model.bias[0] * unit - bias) <= unit / 2
    assert model.scale_bits == 30 or np.abs(model.weights.astype(np.int64)).max() >= 2**29


def test_the_sigmoid_is_the_closed_form():
    x = np.concatenate([np.linspace(-41, 41, 501), [-40, 0, 40]])
    with localcontext(prec=40):
        exact = [float(1 / (1 + (-Decimal(v)).exp())) for v in np.clip(x, -40, 40).tolist()]
    assert sigmoid()(x) == pytest.approx(exact, rel=2e-11, abs=0)
    assert np.abs(sigmoid()(x) - exact).max() < 2e-12
    assert sigmoid()(0.0) == 0.5
