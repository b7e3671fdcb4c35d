"""Terms against a plain twin: n-grams, numbers left out, words left out, in every script."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.features import features
from classifiers.terms import Reading, chosen_words, simplified_forms, terms
from classifiers.words import words

TEXTS = [
    "In 2019 the price was 25 dollars, in 2020 it was 30",
    "二〇一九年 2019 年，价格２５元",
    "ราคา ๒๕๖๒ บาท",
    "السعر ٢٥ ريال في ٢٠١٩",
    "कीमत २५ रुपये",
    "Цена 1000 рублей B2B covid19",
    "",
    "7",
    "한국어 2019년 문장",
]
NUMBERS = ["2019", "25", "２５", "๒๕๖๒", "٢٥", "२५", "1000", "7"]
READINGS = [Reading(n, numbers) for n in (1, 2, 3) for numbers in (True, False)]


def hashes(*texts):
    return words(pa.array(texts, pa.string())).hashes.tolist()


def twin(text, reading):
    """The terms of one text: names of n-grams, as tuples of the hashes of words."""
    split = words(pa.array([text]))
    kept = []
    for word, start, end in zip(*(part.tolist() for part in split[:3]), strict=True):
        spelled = text.encode()[start:end].decode()
        if (reading.numbers or not spelled.isdigit()) and word not in reading.ignored:
            kept.append(word)
    return [tuple(kept[at : at + n]) for n in range(1, reading.ngrams + 1) for at in range(len(kept) - n + 1)]


@pytest.mark.parametrize("reading", READINGS)
def test_terms_are_the_twins(reading):
    names = {}
    found = terms(pa.array(TEXTS), words(pa.array(TEXTS)), reading)
    for row, text in enumerate(TEXTS):
        mine = found.hashes[found.offsets[row] : found.offsets[row + 1]].tolist()
        wanted = twin(text, reading)
        assert len(mine) == len(wanted)
        for term, name in zip(mine, wanted, strict=True):
            assert names.setdefault(name, term) == term
    assert len(set(names.values())) == len(names)


def test_words_of_digits_alone_are_numbers_in_every_script():
    for number in NUMBERS:
        texts = pa.array([f"a {number} b"])
        assert terms(texts, words(texts), Reading(1, numbers=False)).hashes.tolist() == hashes("a b")
    texts = pa.array(["b2b 19th covid19"])
    assert len(terms(texts, words(texts), Reading(1, numbers=False)).hashes) == 3


def test_the_order_of_a_pair_counts():
    texts = pa.array(["left right", "right left"])
    found = terms(texts, words(texts), Reading(2))
    assert found.hashes[2] != found.hashes[5]


def test_words_can_be_left_out_in_any_case():
    ignored = tuple(hashes("wikipedia", "維"))
    texts = pa.array(["Wikipedia says: WIKIPEDIA", "維基 wikipedias"])
    found, numbers = chosen_words(texts, words(texts), Reading(1, True, ignored))
    assert found.hashes.tolist() == hashes("says", "基 wikipedias")
    assert numbers.tolist() == [1, 4, 5] and found.offsets.tolist() == [0, 1, 3]


def test_numbers_leave_their_neighbours_side_by_side():
    texts = pa.array(["born 1901 in", "born in"])
    found = features(terms(texts, words(texts), Reading(2, numbers=False)), 18)
    half = len(found.buckets) // 2
    assert found.buckets[:half].tolist() == found.buckets[half:].tolist()


@given(st.lists(st.text(max_size=40), max_size=8), st.integers(1, 9), st.sampled_from(READINGS))
@settings(deadline=None)
def test_chunks_do_not_matter(texts, size, reading):
    whole = pa.array(texts, pa.string())
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    chunks = pa.chunked_array(parts, pa.string())
    for one, other in zip(
        terms(whole, words(whole), reading), terms(chunks, words(chunks), reading), strict=True
    ):
        assert one.tolist() == other.tolist()


def test_traditional_characters_can_be_their_simplified_forms():
    texts = pa.array(["漢語 時間 abc 한국 ひらがな", "汉语 时间 abc 한국 ひらがな"])
    one, other = Reading(2, variants=False), Reading(2)
    found = terms(texts, words(texts), one)
    half = len(found.hashes) // 2
    assert found.hashes[:half].tolist() == found.hashes[half:].tolist()
    apart = terms(texts, words(texts), other).hashes
    assert apart[:half].tolist() != apart[half:].tolist()
    assert found.hashes[half:].tolist() == apart[half:].tolist()


def test_no_simplified_form_is_a_traditional_one():
    forms = simplified_forms()
    known = {int(form) for form in forms if form}
    assert len(known) > 2000
    signs = words(pa.array([" ".join(chr(0x3400 + int(at)) for at in np.flatnonzero(forms))])).hashes
    assert not known & set(signs.tolist())
