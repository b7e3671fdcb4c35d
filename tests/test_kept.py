"""Which blocks stay, against sorting them by probability and trying every prefix."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.main_text import kept
from stages.measures import WORDS
from stages.trees import UNIT

SURE = 1 << 16  # probabilities are whole multiples of 1 / SURE


def probability(odds: int) -> float:
    """Of the middle of a bin, 1 / 32 wide, of log-odds from -8 to 8."""
    place = min(max(math.floor(odds / UNIT * 32), -256), 255)
    return round(SURE / (1 + math.exp(-(place + 0.5) / 32))) / SURE


def twin(odds: list[int], words: list[int]) -> list[bool]:
    likely = [probability(each) for each in odds]
    belong = sum(p * count for p, count in zip(likely, words, strict=True))
    best = 0.0
    for least in sorted(set(likely), reverse=True):  # blocks of one bin stay or go together
        taken = [k for k, p in enumerate(likely) if p >= least]
        right = sum(likely[k] * words[k] for k in taken)
        best = max(best, 2 * right / (sum(words[k] for k in taken) + belong + 1 / SURE))
    bar = min(0.6 * best / 2 + 0.4 * 0.4, max(likely))
    return [p >= math.floor(bar * SURE) / SURE for p in likely]


def check(odds: list[int], words: list[int]) -> list[bool]:
    measures = np.zeros((len(odds), 14), np.int32)
    measures[:, WORDS] = words
    found = [bool(keep) for keep in kept(np.array(odds, np.int64), measures)]
    assert found == twin(odds, words)
    return found


BLOCK = st.tuples(
    st.one_of(
        st.integers(-10 * UNIT, 10 * UNIT), st.integers(-9 * 32, 9 * 32).map(lambda bin: bin * UNIT // 32)
    ),
    st.one_of(st.integers(0, 400), st.integers(0, 100_000)),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(BLOCK, min_size=1, max_size=40))
def test_blocks_stay_as_by_a_plain_twin(blocks: list[tuple[int, int]]) -> None:
    odds, words = map(list, zip(*blocks, strict=True))
    found = check(odds, words)
    assert found[int(np.argmax(odds))]
    stay = [each for each, keep in zip(odds, found, strict=True) if keep]
    assert all(
        keep == (each >= min(stay)) or probability(each) == probability(min(stay))
        for each, keep in zip(odds, found, strict=True)
    )


@pytest.mark.parametrize(
    ("odds", "expected"),
    [
        ([-9.0], [True]),  # the likeliest stays
        ([-9.0, -8.5, -1.0], [False, False, True]),
        ([5, 5, 5, 0, -5], [True, True, True, True, False]),  # one half: above 0.6 * 0.99 / 2 + 0.16
        ([5, 5, 5, -0.5, -5], [True, True, True, False, False]),
        ([-2.0, -2.0, -1.0], [False, False, True]),  # on a doubtful page the bar is lower
        ([-1.0, -1.0, -1.0, -0.8], [False, False, False, True]),
    ],
)
def test_known_pages(odds: list[float], expected: list[bool]) -> None:
    assert check([round(each * UNIT) for each in odds], [100] * len(odds)) == expected


def test_what_stays_depends_neither_on_order_nor_on_the_call_before() -> None:
    draw = np.random.default_rng(3)
    odds, words = draw.integers(-5 * UNIT, 5 * UNIT, 300), draw.integers(0, 900, 300)
    found = np.array(check(odds.tolist(), words.tolist()))
    order = draw.permutation(300)
    assert (np.array(check(odds[order].tolist(), words[order].tolist())) == found[order]).all()
