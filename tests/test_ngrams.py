"""n-grams: hashes, search, counts and cuts against plain Python over strings."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from stages.ngrams import count_documents, cut_out, find, gram_hashes, index_of

TEXTS = st.lists(st.none() | st.text("ab 中", max_size=30), max_size=6)


def units(text):
    """The hashes of the words of one text, as a tuple."""
    return tuple(words(pa.array([text], pa.string())).hashes.tolist())


def grams_of(text, n):
    found = units(text)
    return [found[start : start + n] for start in range(len(found) - n + 1)]


def hashes_of(texts, n):
    return gram_hashes(words(pa.array(texts, pa.string())), n)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_a_hash_stands_for_the_words_in_their_order(texts, n):
    found, expected = hashes_of(texts, n), [grams_of(text, n) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(grams) for grams in expected]
    flat = [gram for grams in expected for gram in grams]
    assert len(set(zip(flat, found.hashes.tolist(), strict=True))) == len(set(flat)) == len(set(found.hashes))


def test_order_and_place():
    first, second = hashes_of(["one two three", "three two one"], 3).hashes
    assert first != second
    assert hashes_of(["Zero; ONE, two-three!"], 3).hashes.tolist()[1] == first
    assert len(hashes_of(["one two", None, "three four five"], 3).hashes) == 1


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3))
def test_find_finds_every_occurrence_and_nothing_else(texts, benchmark, n):
    found, wanted = words(pa.array(texts, pa.string())), hashes_of(benchmark, n).hashes
    index = index_of(np.unique(wanted))
    hits = find(found, gram_hashes(found, n), index)
    known = {gram for text in benchmark for gram in grams_of(text, n)}
    expected = [[at for at, gram in enumerate(grams_of(text, n)) if gram in known] for text in texts]
    assert np.diff(hits.offsets).tolist() == [len(places) for places in expected]
    places = hits.words - np.repeat(found.offsets[:-1], np.diff(hits.offsets))
    assert places.tolist() == [place for places in expected for place in places]
    again = gram_hashes(found, n)
    where = {
        (document, again.hashes[gram])
        for document in range(len(texts))
        for gram in range(again.offsets[document], again.offsets[document + 1])
    }
    owners = np.repeat(np.arange(len(texts)), np.diff(hits.offsets))
    assert all(pair in where for pair in zip(owners, index.grams[hits.entries], strict=True))


def test_find_in_a_large_index():
    rng = np.random.default_rng(5)
    grams = np.unique(rng.integers(0, 2**64, 50_000, np.uint64))
    found = words(pa.array(["a b c d e f"] * 3))
    hashes = gram_hashes(found, 2)
    index = index_of(np.unique(np.concatenate([grams, hashes.hashes[[0, 4]]])))
    assert find(found, hashes, index).words.tolist() == [0, 4, 6, 10, 12, 16]
    assert index.grams[find(found, hashes, index).entries[:2]].tolist() == hashes.hashes[[0, 4]].tolist()
    assert len(find(found, hashes, index_of(grams)).words) == 0


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(0, 6))
def test_documents_count_once_in_any_batches(texts, benchmark, cut):
    index = index_of(np.unique(hashes_of(benchmark, 2).hashes))
    latest, counts = np.full(len(index.grams), -1, np.int64), np.zeros(len(index.grams), np.uint32)
    first = 0
    for batch in (texts[:cut], texts[cut:]):
        found = words(pa.array(batch, pa.string()))
        count_documents(find(found, gram_hashes(found, 2), index), first, latest, counts)
        first += len(batch)
    each = [set(hashes_of([text], 2).hashes.tolist()) for text in texts]
    assert counts.tolist() == [sum(gram in document for document in each) for gram in index.grams.tolist()]


def cut(texts, benchmark, n, window, min_piece):
    """The pieces of each text, and how many there were with the short ones."""
    found = words(texts)
    hits = find(found, gram_hashes(found, n), index_of(np.unique(hashes_of(benchmark, n).hashes)))
    pieces = cut_out(texts, found, hits, n, window, min_piece)
    spans = list(zip(pieces.starts.tolist(), pieces.ends.tolist(), strict=True))
    return [
        spans[a:b] for a, b in zip(pieces.offsets[:-1], pieces.offsets[1:], strict=True)
    ], pieces.cut.tolist()


def cut_twin(text, benchmark, n, window, min_piece):
    """Appendix C over characters: mark what is cut, then read off what is not."""
    known = {gram for example in benchmark for gram in grams_of(example, n)}
    found = words(pa.array([text]))
    at = {len(text[:place].encode()): place for place in range(len(text) + 1)}
    gone = np.zeros(len(text), bool)
    grams = grams_of(text, n)
    for place, gram in enumerate(grams):
        if gram in known:
            start, end = at[int(found.starts[place])], at[int(found.ends[place + n - 1])]
            gone[max(0, start - window) : end + window] = True
    if not any(gram in known for gram in grams):
        return [(0, len(text.encode()))], 1
    edges = np.flatnonzero(np.diff(np.concatenate([[True], gone, [True]])))
    spans = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    inside = [len(text[:place].encode()) for span in spans for place in span]
    return [
        (inside[2 * number], inside[2 * number + 1])
        for number, (start, end) in enumerate(spans)
        if end - start >= min_piece
    ], len(spans)


LONG = st.lists(
    st.sampled_from(["a", "b", "c", "中", "é", "😀", "كتاب", " ", " ", ", ", "\u0301"]), max_size=60
).map("".join)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(LONG, max_size=4),
    st.lists(LONG, max_size=2),
    st.integers(1, 3),
    st.integers(0, 6),
    st.integers(0, 5),
)
def test_pieces_are_those_of_the_twin(texts, benchmark, n, window, min_piece):
    pieces, counts = cut(pa.array(texts, pa.large_string()), benchmark, n, window, min_piece)
    expected = [cut_twin(text, benchmark, n, window, min_piece) for text in texts]
    assert pieces == [spans for spans, _ in expected]
    assert counts == [count for _, count in expected]


@pytest.mark.parametrize("filler", ["word ", "слово ", "字。", "😀 x "])
def test_a_book_with_hits_near_both_ends(filler):
    rng = np.random.default_rng(3)
    book = [filler * int(repeats) for repeats in rng.integers(1, 4, 5_000_000 // (2 * len(filler.encode())))]
    passage = "these three secrets"
    lead, tail = "".join(book[:300]), "".join(book[-300:])
    text = f"{lead} {passage} {''.join(book)} {passage} {tail}"
    assert len(text.encode()) > 4_000_000
    pieces, counts = cut(pa.array([None, text], pa.string()), [passage], 3, 200, 200)
    assert pieces[0] == [(0, 0)]
    first, last = text.index(passage), text.rindex(passage)
    spans = [
        (0, first - 200),
        (first + len(passage) + 200, last - 200),
        (last + len(passage) + 200, len(text)),
    ]
    assert counts[1] == 3
    data = text.encode()
    assert [data[start:end].decode() for start, end in pieces[1]] == [text[start:end] for start, end in spans]


def test_nothing_but_hits_is_linear_and_leaves_nothing():
    text = "a " * 1_000_000
    assert cut(pa.array([text]), ["a a a"], 3, 200, 1) == ([[]], [0])


def test_slices_and_chunks_of_texts():
    texts = pa.array(["not mine", "x a b c y", None, "", "z"]).slice(1)
    assert cut(texts, ["a b c"], 3, 1, 0) == ([[(0, 1), (8, 9)], [(0, 0)], [(0, 0)], [(0, 1)]], [2, 1, 1, 1])
