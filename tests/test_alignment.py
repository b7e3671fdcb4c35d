"""Which blocks are gold: the alignment is as good as any, and labels are what a person would say."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.alignment import align, labels

WORDS = st.lists(st.integers(0, 3), max_size=8)


def worth(page: list[int], gold: list[int], matched: list[int]) -> float:
    """What an alignment is worth: a quarter for a match that begins a run, one for each that goes on."""
    total, last = 0.0, (-2, -2)
    for place, match in enumerate(matched):
        if match >= 0:
            assert page[place] == gold[match] and match > last[1]
            total += 1 if last == (place - 1, match - 1) else 0.25
            last = (place, match)
    return total


def best(page: list[int], gold: list[int]) -> float:
    """The most that an alignment can be worth, by trying all."""

    @cache
    def rest(i: int, j: int, inside: bool) -> float:
        if i == len(page) or j == len(gold):
            return 0.0
        found = max(rest(i + 1, j, False), rest(i, j + 1, False))
        if page[i] == gold[j]:
            found = max(found, (1 if inside else 0.25) + rest(i + 1, j + 1, True))
        return found

    return rest(0, 0, False)


@settings(deadline=None, max_examples=400)
@given(WORDS, WORDS)
def test_no_alignment_is_worth_more(page: list[int], gold: list[int]) -> None:
    codes = np.arange(4)
    got = align(np.array(page, np.int32), np.array(gold, np.int32), np.isin(codes, gold)).tolist()
    assert len(got) == len(page)
    assert worth(page, gold, got) == best(page, gold)


def test_blocks_of_the_gold_text_are_gold() -> None:
    blocks = [
        "Home About Contact",
        "The title",
        "First, one paragraph of words.",
        "Share",
        "And the last one.",
        "",
    ]
    shares = labels(blocks, "The title\nFirst one paragraph of words\nAnd the last one")
    assert shares is not None and shares.tolist() == [0, 1, 1, 0, 1, 0]


def test_a_block_is_gold_as_far_as_its_words_are() -> None:
    shares = labels(["one two three four", "five six nothing else here"], "one two three four five six")
    assert shares is not None and np.allclose(shares, [1, 0.4])


def test_what_is_moved_is_found_again_once() -> None:
    aside = "a caption that the gold text has at its end"
    blocks = [aside, "the first paragraph is here and long enough", "and the second one follows it", aside]
    shares = labels(blocks, "\n".join([*blocks[1:3], "something between", aside]))
    assert shares is not None and shares.tolist() == [0, 1, 1, 1]
    shares = labels([aside, *blocks[1:3]], "\n".join([*blocks[1:3], aside]))
    assert shares is not None and shares.tolist() == [1, 1, 1]


def test_all_scripts() -> None:
    blocks = ["菜单", "今天 天气 很好", "Меню сайта", "Сегодня хорошая погода", "القائمة", "الطقس جميل اليوم"]
    shares = labels(blocks, "今天 天气 很好\nСегодня хорошая погода\nالطقس جميل اليوم")
    assert shares is not None and shares.tolist() == [0, 1, 0, 1, 0, 1]


def test_nothing_in_common_and_nothing_at_all() -> None:
    for blocks, gold in ((["a b", "c"], "d e f"), (["a"], ""), (["", "…"], "a")):
        shares = labels(blocks, gold)
        assert shares is not None and not shares.any() and len(shares) == len(blocks)
    empty = labels([], "a")
    assert empty is not None and empty.tolist() == []


def test_too_long_a_page_is_left_out() -> None:
    assert labels(["a " * 30_000], "b " * 30_000) is None
