"""The quality classifier: scikit-learn's probabilities, from integers, the same bits everywhere."""

import hashlib
from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from classifiers.features import features, text_keys
from classifiers.logistic import Logistic, Settings, fixed_point, folds, sigmoid, train
from classifiers.words import Words, words

GOOD = [
    "history of the ancient empire",
    "the theory of numbers",
    "帝国的历史与理论",
    "история древней империи",
]
BAD = ["buy cheap watches now", "click here to win now", "立即购买便宜手表", "купить дешёвые часы сейчас"]


def corpus(seed=1, documents=120):
    """Texts of words drawn from two overlapping lists, and whether each is good."""
    draw = np.random.default_rng(seed)
    common = [f"w{i}" for i in range(60)]
    texts, good = [], []
    for number in range(documents):
        side = GOOD if number % 2 else BAD
        own = [word for text in side for word in text.split()]
        texts.append(" ".join(draw.choice(own + common, size=draw.integers(5, 80))))
        good.append(number % 2 == 1)
    return words(pa.array(texts)), np.array(good)


SPLIT, LABELS = corpus()
COUNTS, KEYS = features(SPLIT, 14), text_keys(SPLIT)


@pytest.mark.parametrize("normalize", ["l2", "none"])
@pytest.mark.parametrize("balanced", [True, False])
def test_scores_are_scikit_learns_probabilities(normalize, balanced):
    """One model for each half of the texts, trained on the other half."""
    fold = folds(KEYS, 2)
    model = train(COUNTS, LABELS, [fold != 0, fold != 1], Settings(14, normalize, 3.0, balanced))
    scores = model.scores(SPLIT)
    matrix = COUNTS.matrix(1 << 14, normalize)
    weighting = "balanced" if balanced else None
    for number in (0, 1):
        mine = fold == number
        oracle = LogisticRegression(C=3.0, class_weight=weighting, max_iter=1000)
        expected = oracle.fit(matrix[~mine], LABELS[~mine]).predict_proba(matrix[mine])[:, 1]
        count = np.diff(SPLIT.offsets)[mine]
        reach = np.sqrt(count) if normalize == "l2" else count
        fixed_point_error = (reach + 1) * 2.0 ** -(model.scale_bits + 3)
        assert fixed_point_error.max() < 1e-6
        assert (np.abs(scores[mine] - expected) <= fixed_point_error + 1e-9).all()


def trained(counts=COUNTS, good=LABELS, bits=14, folds=1):
    return train(counts, good, [np.ones(len(good), bool)] * folds, Settings(bits))


def test_training_twice_gives_the_same_bytes():
    first, second = trained(folds=2), trained(folds=2)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()


def test_copies_of_a_text_are_in_one_fold():
    texts = [f"{text}, number {n}" for text in GOOD + BAD for n in range(20)]
    copies = [f"  {text.upper()}!" for text in texts]
    found = folds(text_keys(words(pa.array(texts))), 5)
    assert found.tolist() == folds(text_keys(words(pa.array(copies))), 5).tolist()
    assert set(found.tolist()) == set(range(5))


def test_both_sides_are_told_apart_in_every_script():
    model = trained(features(words(pa.array(GOOD + BAD))), np.array([True] * 4 + [False] * 4), 18)
    scores = model.scores(words(pa.array([*GOOD, *BAD])))
    assert scores[:4].min() > 0.5 > scores[4:].max()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_score_does_not_depend_on_the_batch(size):
    texts = pa.array([*GOOD, "", *BAD, "the the the", "!"] * 3)
    model = trained(folds=3)
    whole = model.scores(words(texts))
    parts = [model.scores(words(texts[at : at + size])) for at in range(0, len(texts), size)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    split = words(texts)
    assert model.scores_of(features(split, 14), text_keys(split)).tobytes() == whole.tobytes()


def test_a_document_without_words_scores_nothing():
    model = Logistic(np.zeros((1, 4), np.int32), np.array([1 << 20]), 10, "l2")
    assert model.scores(words(pa.array(["", None, "?!", "word"]))).tolist() == [0, 0, 0, 1]


def test_scores_have_the_same_bits_on_every_machine():
    """The digest was made on x86-64; integers and IEEE 754 leave nothing for a machine to decide."""
    hashes = np.arange(200_000, dtype=np.uint64) ** np.uint64(3) * np.uint64(0x9E3779B97F4A7C15)
    spans = np.zeros(len(hashes), np.int32)
    offsets = np.cumsum(np.arange(600)).astype(np.int64)
    weights = (np.arange(1 << 12) * 2654435761 % (1 << 31) - (1 << 30)).astype(np.int32)
    model = Logistic(weights.reshape(2, -1), np.array([-12345, 678]), 29, "l2")
    scores = model.scores(Words(hashes, spans, spans, offsets))
    assert len(np.unique(scores)) == 599
    assert hashlib.sha256(scores.tobytes()).hexdigest()[:16] == "748b7ae1768ddd1c"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(-50, 50))
def test_fixed_point_uses_31_bits_and_rounds_to_the_nearest(weights, bias):
    model = fixed_point(np.array([weights]), np.array([bias]), "l2")
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


def test_one_side_alone_trains_nothing():
    with pytest.raises(ValueError, match="of both sides"):
        trained(good=np.ones(len(LABELS), bool))
