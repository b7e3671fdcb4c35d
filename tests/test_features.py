"""Hashed word counts, against a plain count."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.features import buckets, features, text_keys
from classifiers.words import Words, words

TEXTS = [
    "The cat, the CAT and the hat",
    "",
    "语言模型 语言",
    "한국어 문장은 띄어쓰기가 있다",
    "ภาษาไทย",
    "كان يا ما كان",
    "नमस्ते दुनिया, नमस्ते",
    "Привет, мир! Привет",
    "!!! ...",
    "日本語の文章",
]


def hashed(documents):
    """Words with the given hashes."""
    sizes = [len(document) for document in documents]
    hashes = np.array([h for document in documents for h in document], np.uint64)
    nothing = np.zeros(len(hashes), np.int32)
    return Words(hashes, nothing, nothing, np.cumsum([0, *sizes]))


def twin(split, bits):
    """One Counter of buckets for each document."""
    rows = zip(split.offsets, split.offsets[1:], strict=False)
    return [Counter(int(h) >> (64 - bits) for h in split.hashes[begin:end]) for begin, end in rows]


def counters(found):
    rows = zip(found.offsets, found.offsets[1:], strict=False)
    return [dict(zip(found.buckets[a:b].tolist(), found.counts[a:b].tolist(), strict=True)) for a, b in rows]


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=30), max_size=8), st.integers(1, 20))
@settings(deadline=None)
def test_counts_are_a_plain_count(documents, bits):
    split = hashed(documents)
    found = features(split, bits)
    assert counters(found) == twin(split, bits)
    assert all(
        np.all(np.diff(found.buckets[a:b]) > 0)
        for a, b in zip(found.offsets, found.offsets[1:], strict=False)
    )


@pytest.mark.parametrize("bits", [4, 10, 18])
def test_all_scripts_are_counted(bits):
    split = words(pa.array(TEXTS))
    found = counters(features(split, bits))
    assert found == twin(split, bits)
    empty = [text for text, counts in zip(TEXTS, found, strict=True) if not counts]
    assert empty == ["", "!!! ..."]
    assert sum(features(split, bits).counts) == len(split.hashes)


def test_buckets_of_words_are_the_upper_bits():
    split = hashed([[0, 2**64 - 1, 1 << 63]])
    assert buckets(split.hashes, 3).tolist() == [0, 7, 4]


def test_texts_alike_but_for_case_and_punctuation_share_their_key():
    copies = ["Don't stop: the music!", "  don't  STOP the\nmusic", "dont stop 'the' music."]
    others = ["the music don't stop", "dont stop the", "", "语言", "言语", "dont stop the music music"]
    keys = text_keys(words(pa.array(copies + others)))
    assert len(set(keys[:3].tolist())) == 1
    assert len(set(keys.tolist())) == 1 + len(others)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), min_size=1, max_size=8))
@settings(deadline=None)
def test_a_key_depends_on_its_own_document_only(documents):
    together = text_keys(hashed(documents)).tolist()
    assert together == [text_keys(hashed([document]))[0] for document in documents]
