"""Grams: what they are, search and counts against plain Python over strings."""

import numpy as np
import pyarrow as pa
from grams import SIGN_TEXTS, Rule, index_for, occurrences, runs, texts_of, units
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from stages.ngrams import Sizes, count_documents, find, index_of, runs_of

SIZES = st.builds(Sizes, st.integers(1, 4), st.integers(1, 6), st.integers(1, 4))


@settings(deadline=None, max_examples=200)
@given(st.lists(SIGN_TEXTS, max_size=5), SIZES)
def test_runs_are_those_of_the_twin(texts, sizes):
    column = texts_of(texts)
    found = words(column)
    got = runs_of(column, found, sizes)
    expected = [run for text in texts for run in runs(text, Rule(*sizes))]
    places = got.firsts - found.offsets[got.owners], got.lasts - found.offsets[got.owners]
    spans = zip(*(each.tolist() for each in places), got.whole.tolist(), strict=True)
    assert list(spans) == [(run.first, run.last, run.whole) for run in expected]
    assert np.diff(got.offsets).tolist() == [len(runs(text, Rule(*sizes))) for text in texts]
    # a hash stands for the units in their order
    keys = [run.key for run in expected]
    pairs = zip(keys, got.hashes.tolist(), strict=True)
    assert len(set(pairs)) == len(set(keys)) == len(set(got.hashes.tolist()))
    heads = zip([key[: sizes.head] for key in keys], got.heads.tolist(), strict=True)
    assert len(set(heads)) == len({key[: sizes.head] for key in keys}) == len(set(got.heads.tolist()))


def test_thirteen_words_twenty_characters_and_what_weighs_as_much():
    def sizes(text):
        return [run.last - run.first + 1 for run in runs(text, Rule())], [
            int(last - first + 1) for first, last in zip(*_runs(text)[2:4], strict=True)
        ]

    def _runs(text):
        got = runs_of(texts_of([text]), words(texts_of([text])), Sizes())
        return got.hashes, got.heads, got.firsts, got.lasts

    fourteen = " ".join(f"word{n}" for n in range(14))
    for text, expected in (
        (fourteen, [13, 13]),
        ("слово " * 13, [13]),
        ("अब " * 12, [12]),
        ("汉" * 22, [20, 20, 20]),
        ("ก" * 19, [19]),  # too light: as a whole
        ("あ" * 10 + " word" * 7, [17]),
        ("word " * 7 + "한국 " * 6, [13]),  # Korean puts spaces
        ("汉" * 7, []),
        ("one two three four five six seven", []),
        ("one two three four five six seven eight", [8]),
        ("汉字漢字汉字漢字", [8]),
    ):
        assert sizes(text) == (expected, expected), text


@settings(deadline=None, max_examples=300)
@given(st.lists(SIGN_TEXTS, max_size=5), st.lists(SIGN_TEXTS, max_size=3), SIZES)
def test_find_finds_every_occurrence_and_nothing_else(texts, benchmark, sizes):
    column, rule = texts_of(texts), Rule(*sizes)
    found = words(column)
    index = index_for(benchmark, sizes)
    hits = find(column, found, index)
    known = {run.key for text in benchmark for run in runs(text, rule)}
    expected = [occurrences(text, known, rule) for text in texts]
    assert np.diff(hits.offsets).tolist() == [len(places) for places in expected]
    base = np.repeat(found.offsets[:-1], np.diff(hits.offsets))
    places = zip((hits.firsts - base).tolist(), (hits.lasts - base).tolist(), strict=True)
    assert list(places) == [place for places in expected for place in places]
    assert (np.diff(index.grams.astype(object)) > 0).all()
    keys = [
        units(text)[first : last + 1]
        for text, places in zip(texts, expected, strict=True)
        for first, last in places
    ]
    assert len(set(zip(keys, hits.entries.tolist(), strict=True))) == len(set(keys))


def test_find_in_a_large_index():
    rng = np.random.default_rng(5)
    others, sizes = np.unique(rng.integers(0, 2**64, 50_000, np.uint64)), Sizes(2, 2, 2)
    column = pa.array(["a b c d e f"] * 3)
    found = words(column)
    runs_ = runs_of(column, found, sizes)
    assert len(find(column, found, index_of(others, np.zeros(len(others), bool), others, sizes)).firsts) == 0
    grams = np.unique(np.concatenate([others, runs_.hashes[[0, 4]]]))
    index = index_of(grams, np.zeros(len(grams), bool), np.concatenate([others, runs_.heads[[0, 4]]]), sizes)
    hits = find(column, found, index)
    assert hits.firsts.tolist() == [0, 4, 6, 10, 12, 16]
    assert index.grams[hits.entries[:2]].tolist() == runs_.hashes[[0, 4]].tolist()


def test_more_hits_than_there_was_room_for():
    column = pa.array(["a " * 5000, "b", "a " * 3000])
    hits = find(column, words(column), index_for(["a a a"], Sizes(3, 5, 3)))
    assert np.diff(hits.offsets).tolist() == [4998, 0, 2998]


@settings(deadline=None)
@given(st.lists(SIGN_TEXTS, max_size=5), st.lists(SIGN_TEXTS, max_size=3), st.integers(0, 6))
def test_documents_count_once_in_any_batches(texts, benchmark, cut):
    sizes = Sizes(2, 3, 2)
    index = index_for(benchmark, sizes)
    latest, counts = np.full(len(index.grams), -1, np.int64), np.zeros(len(index.grams), np.uint32)
    first = 0
    for batch in (texts[:cut], texts[cut:]):
        column = texts_of(batch)
        count_documents(find(column, words(column), index), first, latest, counts)
        first += len(batch)
    rule = Rule(*sizes)
    known = {run.key for text in benchmark for run in runs(text, rule)}
    held = [len({units(text)[a : b + 1] for a, b in occurrences(text, known, rule)}) for text in texts]
    assert counts.sum() == sum(held)
    assert len(counts) == len(known)
