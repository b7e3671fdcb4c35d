"""Cuts: appendix C over characters, in plain Python; books; what a cut through a word leaves."""

import numpy as np
import pyarrow as pa
import pytest
from grams import SIGN_TEXTS, Rule, index_for, known_of, pieces_of, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from stages.cut import between, cut_out, spans_of, without_short
from stages.ngrams import Sizes, find

SIZES = st.builds(Sizes, st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))


def spans(of):
    """(start, end) by document."""
    pairs = list(zip(of.starts.tolist(), of.ends.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(of.offsets[:-1], of.offsets[1:], strict=True)]


def cut(texts, benchmark, sizes, window, min_piece):
    """(pieces that are long enough, pieces, cuts) of each text, in bytes."""
    found, index = words(texts), index_for(benchmark, sizes)
    hits = spans_of(found, find(texts, found, index))
    pieces = cut_out(texts, found, hits, index, window)
    kept = without_short(texts, pieces, hits, min_piece)
    return spans(kept), spans(pieces), spans(between(texts, pieces, hits))


@settings(deadline=None, max_examples=400)
@given(
    st.lists(SIGN_TEXTS, max_size=4),
    st.lists(SIGN_TEXTS, max_size=2),
    SIZES,
    st.integers(0, 6),
    st.integers(0, 5),
)
def test_pieces_are_those_of_the_twin(texts, benchmark, sizes, window, min_piece):
    kept, pieces, cuts = cut(texts_of(texts), benchmark, sizes, window, min_piece)
    for text, some, every, gone in zip(texts, kept, pieces, cuts, strict=True):
        expected, touched = pieces_of(text, known_of(benchmark, Rule(*sizes)), Rule(*sizes), window)
        data = text.encode()
        assert [data[a:b].decode() for a, b in every] == [text[a:b] for a, b in expected]
        long = [(a, b) for a, b in expected if b - a >= min_piece or not touched]
        assert [data[a:b].decode() for a, b in some] == [text[a:b] for a, b in long]
        # cuts and pieces together are the text
        assert "".join(data[a:b].decode() for a, b in sorted(every + gone)) == text
        assert bool(gone) == touched
        if not touched:
            assert every == some == [(0, len(data))]


@settings(deadline=None, max_examples=200)
@given(st.lists(SIGN_TEXTS, max_size=4), st.lists(SIGN_TEXTS, max_size=2), SIZES, st.integers(0, 4))
def test_cutting_twice_changes_nothing(texts, benchmark, sizes, window):
    _, pieces, _ = cut(texts_of(texts), benchmark, sizes, window, 0)
    left = [t.encode()[a:b].decode() for t, spans in zip(texts, pieces, strict=True) for a, b in spans]
    _, again, cuts = cut(texts_of(left), benchmark, sizes, window, 0)
    assert again == [[(0, len(text.encode()))] for text in left]
    assert cuts == [[] for _ in left]


def test_what_is_left_of_a_word_may_be_a_word_of_a_benchmark():
    text = "the scathe sat on the mat and the cat sat on the mat, twice"
    index = ["the cat sat", "he sat on the mat and"]
    rule = Rule(3, 3, 3)
    # the first cut, of "the cat sat" and 21 characters before it, ends within "scathe"
    _, pieces, _ = cut(pa.array([text]), index, Sizes(3, 3, 3), 25, 0)
    assert [text[a:b] for a, b in pieces[0]] == [
        text[a:b] for a, b in pieces_of(text, known_of(index, rule), rule, 25)[0]
    ]


@pytest.mark.parametrize("filler", ["word ", "слово ", "字。", "😀 x ", "ไทย", "كتاب ", "किताब "])
def test_a_book_with_hits_at_both_ends_and_in_between(filler):
    """5 MB: at the first character, at the last, and in fifty places."""
    passages, unit = ["these three secrets", "三字经典籍", "тайна трёх книг"], len(filler.encode())
    rng = np.random.default_rng(3)
    between_ = [filler * int(n) for n in rng.integers(200_000 // (2 * unit), 200_000 // unit, 40)]
    planted = [passages[int(n)] for n in rng.integers(0, 3, 41)]
    parts = [planted[0]]
    for gap, passage in zip(between_, planted[1:], strict=True):
        parts += [f" {gap} ", passage]
    text = "".join(parts)
    assert len(text.encode()) > 5_000_000
    _, pieces, _ = cut(pa.array([None, text], pa.string()), passages, Sizes(3, 5, 3), 200, 200)
    assert pieces[0] == [(0, 0)]
    data = text.encode()
    assert [data[a:b].decode() for a, b in pieces[1]] == [f" {gap} "[200:-200] for gap in between_]


def test_nothing_but_hits_is_linear_and_leaves_nothing():
    kept, pieces, cuts = cut(pa.array(["a " * 1_000_000]), ["a a a"], Sizes(3, 5, 3), 200, 1)
    assert (kept, pieces, cuts) == ([[]], [[]], [[(0, 2_000_000)]])


def test_slices_and_empty_texts():
    texts = pa.array(["not mine", "x a b c y", None, "", "z"]).slice(1)
    kept, _, cuts = cut(texts, ["a b c"], Sizes(3, 5, 3), 1, 0)
    assert kept == [[(0, 1), (8, 9)], [(0, 0)], [(0, 0)], [(0, 1)]]
    assert cuts == [[(1, 8)], [], [], []]
    kept, _, _ = cut(texts.slice(4), ["a b c"], Sizes(3, 5, 3), 1, 0)
    assert kept == []
