"""The truth that deduplication is measured by, against plain Python; documents made to be similar."""

from itertools import combinations, islice

import numpy as np
import pytest
from harbour import PROSE
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_copies import CHANGES, documents
from benchmarks.similar_pairs import Band, Pairs, expected, precision, recall, similar_pairs

WORDS = [f"word{number}" for number in range(6)]
few_words = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    places = range(max(len(words) - 4, 1)) if words else ()
    return {tuple(words[at : at + 5]) for at in places}


def jaccard(one: str, other: str) -> float:
    a, b = runs(one), runs(other)
    return len(a & b) / len(a | b) if a | b else 0.0


@settings(max_examples=200, deadline=None)
@given(st.lists(few_words, min_size=1, max_size=12))
def test_all_pairs_as_plain_python_finds_them(texts):
    found = similar_pairs(texts)
    every = {(a, b): jaccard(texts[a], texts[b]) for a, b in combinations(range(len(texts)), 2)}
    want = {pair: similarity for pair, similarity in every.items() if similarity >= 0.5}
    got = zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.similarity, strict=True)
    assert dict(got) == pytest.approx(want)


@pytest.mark.parametrize("language", sorted(PROSE))
def test_every_script_has_words(language):
    text = PROSE[language]
    cut = text[: len(text) * 3 // 4]
    found = similar_pairs([text, PROSE["en" if language != "en" else "ru"], cut])
    assert found.first.tolist() == [0] and found.second.tolist() == [2]
    assert 0.6 < found.similarity[0] < 0.9


def pairs(*rows: tuple[int, int, float]) -> Pairs:
    first, second, similarity = zip(*rows, strict=True)
    return Pairs(np.array(first), np.array(second), np.array(similarity))


def test_recall_counts_a_pair_when_at_most_one_stays():
    found = pairs((0, 1, 0.95), (1, 2, 0.85), (3, 4, 1.0), (5, 6, 0.55), (2, 7, 0.75))
    kept = np.array([True, False, True, True, True, True, False, True])
    none, below, wrong = Band(0, 0), Band(0, 0), Band(1, 1)
    # (2, 7) does not count below the threshold: 2 has a partner above it
    assert recall(found, kept, 0.8) == [wrong, none, below, Band(1, 1), Band(2, 1)]
    assert recall(found, kept, 0.7)[2] == Band(1, 0)


def test_what_bands_find_on_average():
    found = expected(pairs((0, 1, 0.5), (2, 3, 0.85), (4, 5, 0.85), (6, 7, 1.0)), 14, 8)
    assert found == pytest.approx([1 - (1 - 0.5**8) ** 14, 0, 0, 1 - (1 - 0.85**8) ** 14, 1])


def test_precision_looks_at_the_most_similar_that_stays():
    found = pairs((0, 1, 0.95), (1, 2, 0.85), (2, 3, 0.65))
    kept = np.array([False, False, True, False, False])
    # 0 is like 1 alone, which went as well; 1 has 2, 3 has 2; 4 has nothing
    assert precision(found, kept) == [2, 0, 1, 0, 1, 0]


def test_near_copies_are_as_similar_as_they_shall_be():
    words = " ".join(f"w{number}" for number in range(700))
    texts = list(documents([words.replace("w", letter) for letter in "abcde"], 400))
    found = similar_pairs(texts, 0.3)
    assert ((found.second % 10 == 9) & (found.first == found.second - 1)).all()
    assert len(found.first) == 40
    shares = np.histogram(found.similarity, [0.3, 0.6, 0.7, 0.8, 0.9, 1.0])[0]
    assert shares.sum() == 40 and (shares >= 3).all()
    assert texts == list(documents([words.replace("w", letter) for letter in "abcde"], 400))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("similarity", [0.5, 0.65, 0.8, 0.95])
def test_a_change_changes_as_much_as_it_is_asked_to(change, similarity):
    order = np.arange(4000)
    changed = change(order, similarity, np.random.default_rng(3))
    texts = [" ".join(map(str, each.tolist())) for each in (order, changed)]
    assert similar_pairs(texts, 0.1).similarity[0] == pytest.approx(similarity, abs=0.03)


def test_a_text_without_words_is_no_near_copy():
    assert list(islice(documents(["...", ""], 25), 25))
    assert len(similar_pairs(["...", "", "?"]).first) == 0
