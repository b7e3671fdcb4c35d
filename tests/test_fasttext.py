"""A user's fastText model as a model of quality."""

import hashlib
import math

import numpy as np
import pyarrow as pa
import pytest
from fasttext_model import SKIPGRAM, write_model

from classifiers.fasttext import FastText

ADDED = 2e-5  # fastText adds 1e-5 to every probability
WEIGHTS = {
    "ancient": 2.0,
    "history": 1.0,
    "帝国": 3,
    "история": 1.5,
    "cheap": -2,
    "购买": -4,
    "часы": -1.0,
}


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "quality.bin", WEIGHTS)


def probability(*words):
    return 1 / (1 + math.exp(-sum(WEIGHTS[word] for word in words) / len(words)))


def test_scores_are_the_probability_of_the_label(path):
    texts = [
        ("ancient", "history"),
        ("cheap", "history"),
        ("帝国",),
        ("购买", "часы"),
        ("история", "cheap", "帝国"),
    ]
    lines = pa.array([" ".join(["unknown", *words]) for words in texts])
    expected = [probability(*words) for words in texts]
    scores = FastText(path, "hq").scores(lines)
    assert scores == pytest.approx(expected, abs=ADDED)
    assert scores.tolist() == [round(score, 6) for score in scores.tolist()]
    assert FastText(path, "cc").scores(lines) == pytest.approx(1 - np.array(expected), abs=ADDED)


def test_line_breaks_nulls_and_batches_do_not_matter(path):
    model = FastText(path, "__label__hq")
    texts = pa.chunked_array([["ancient\ncheap", None], ["ancient cheap", "", "</s> ancient\x00cheap"]])
    scores = model.scores(texts)
    assert scores[0] == scores[2] == scores[4] == pytest.approx(probability("ancient", "cheap"), abs=ADDED)
    assert scores.tolist() == [model.scores(pa.array([text], pa.string()))[0] for text in texts.to_pylist()]
    assert model.scores(pa.array([], pa.string())).dtype == np.float64


def test_a_label_the_model_lacks_names_the_nearest(path):
    with pytest.raises(ValueError, match=r"no label 'hqq'; the nearest of its 2 is 'hq'"):
        FastText(path, "hqq")


def test_the_sha256_is_checked(path):
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    assert FastText(path, "hq", sha256.upper()).label == "__label__hq"
    with pytest.raises(ValueError, match=f"has sha256 {sha256}, not 00ff"):
        FastText(path, "hq", "00ff")


def test_another_file_is_no_model(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"not a model at all" * 10)
    with pytest.raises(ValueError, match=r"x\.bin is not a fastText model"):
        FastText(str(tmp_path / "x.bin"), "hq")


def test_word_vectors_are_no_classifier(tmp_path):
    path = write_model(tmp_path / "vectors.bin", WEIGHTS, (), SKIPGRAM)
    with pytest.raises(ValueError, match="holds word vectors, not a classifier"):
        FastText(path, "hq")
