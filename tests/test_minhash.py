"""Signatures equal datasketch's; similarities equal those of Python sets; every script has shingles."""

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from stages import minhash
from stages.minhash import Shingles

TEXTS = [
    "The quick brown fox jumps over the lazy dog and runs away from the other dogs.",
    "的一是不了人我在有他这中大来上个国和也子时道说",
    "これは日本語の文章で、単語の間に空白がありません。",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "اللغة العربية من أكثر اللغات انتشارا في العالم كله اليوم",
    "हिन्दी भारत की सबसे अधिक बोली जाने वाली भाषा है",
    "한국어는 낱말 사이에 빈칸을 두는 언어이고 조사가 붙는다",
    "Съешь же ещё этих мягких французских булок да выпей чаю",
]


def of(texts: list[str], size: int = 5) -> Shingles:
    return minhash.shingles(words(pa.array(texts, pa.large_string())), size)


def grams(text: str, size: int = 5) -> list[tuple[int, ...]]:
    """The same shingles in plain Python, with repeats."""
    hashes = words(pa.array([text])).hashes.tolist()
    return [tuple(hashes[start : start + size]) for start in range(len(hashes) - size + 1)]


some_texts = st.lists(st.text("ab cde字不 ", max_size=60) | st.sampled_from(TEXTS), max_size=6)


@settings(deadline=None)
@given(some_texts, st.integers(1, 7))
def test_equal_shingles_are_equal_runs_of_words(texts, size):
    shingles = of(texts, size)
    expected = [gram for text in texts for gram in grams(text, size)]
    assert np.diff(shingles.offsets).tolist() == [len(grams(text, size)) for text in texts]
    assert len(set(shingles.hashes.tolist())) == len(set(expected))
    by_hash = dict(zip(shingles.hashes.tolist(), expected, strict=True))
    assert [by_hash[each] for each in shingles.hashes.tolist()] == expected


@settings(deadline=None, max_examples=50)
@given(some_texts, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_signatures_are_those_of_datasketch(texts, count, seed):
    shingles = of(texts)
    signed = minhash.signatures(shingles, minhash.permutations(count, seed))
    for row, values in enumerate(signed):
        oracle = MinHash(num_perm=count, seed=seed, scheme="affine32", hashfunc=int)
        oracle.update_batch((shingles.of(row) >> np.uint64(32)).tolist())
        assert values.tolist() == oracle.hashvalues.tolist()


def test_a_text_that_is_too_short_has_no_shingle_and_an_empty_signature():
    shingles = of(["one two three four", "", "字不一"])
    assert len(shingles.hashes) == 0
    assert (minhash.signatures(shingles, minhash.permutations(8, 1)) == minhash.EMPTY).all()


@pytest.mark.parametrize("text", TEXTS)
def test_every_script_has_shingles(text):
    assert len(of([text]).hashes) >= 4


@settings(deadline=None)
@given(some_texts)
def test_similarities_are_those_of_python_sets(texts):
    found = minhash.sets(of(texts))
    plain = [set(grams(text)) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(each) for each in plain]
    one, other = (axis.ravel() for axis in np.indices((len(texts), len(texts))))
    expected = [
        len(plain[i] & plain[j]) / max(len(plain[i] | plain[j]), 1) for i, j in zip(one, other, strict=True)
    ]
    assert minhash.jaccards(found, one, found, other).tolist() == expected


def test_estimates_lie_around_the_similarity():
    numbers = [f"w{n}" for n in range(600)]
    texts = [" ".join(numbers[start : start + 400]) for start in (0, 10, 40, 100, 200)]
    signed = minhash.signatures(of(texts), minhash.permutations(256, 1))
    pairs = np.zeros(len(texts), np.int64), np.arange(len(texts))
    sketches = signed.astype(np.uint8)
    estimates = minhash.estimates(sketches, pairs[0], sketches, pairs[1])
    sets = minhash.sets(of(texts))
    for estimate, similarity in zip(estimates, minhash.jaccards(sets, pairs[0], sets, pairs[1]), strict=True):
        assert abs(estimate - similarity) <= 4 * minhash.standard_error(similarity, 256)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32))
def test_keys_are_equal_where_bands_are_equal(bands, rows, seed):
    signed = np.random.default_rng(seed).integers(0, 2, (40, bands * rows), dtype=np.uint32)
    keys = minhash.band_keys(signed, rows, range(bands))
    some = minhash.band_keys(signed, rows, range(bands // 2, bands))
    assert (some == keys[:, bands // 2 :]).all()
    plain = {}
    for text in range(len(signed)):
        for band in range(bands):
            values = (band, *signed[text, band * rows : (band + 1) * rows].tolist())
            assert plain.setdefault(values, keys[text, band]) == keys[text, band]
    assert len(set(plain.values())) == len(plain)


@settings(deadline=None)
@given(some_texts)
def test_digests_stand_for_the_words_in_order(texts):
    digests = [tuple(row) for row in minhash.digests(words(pa.array(texts, pa.large_string()))).tolist()]
    plain = [tuple(grams(text, 1)) for text in texts]
    assert [[a == b for a in digests] for b in digests] == [[a == b for a in plain] for b in plain]


def test_digests_forget_case_and_punctuation_but_not_order():
    found = words(pa.array(["To be, or not: to be!", "to be or not to be", "to be or to be not"]))
    one, same, other = minhash.digests(found).tolist()
    assert one == same != other
