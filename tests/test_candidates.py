"""Which documents are compared: members of a bucket with the first of it, in linear time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import candidates

Rows = list[dict[str, Any]]
Sources = Mapping[str, Sequence[Rows]]  # source -> shards -> documents


NEAR_ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 2)), max_size=60)


@settings(deadline=None)
@given(NEAR_ROWS)
def test_pairs_are_members_with_the_first_of_their_bucket(rows):
    keys, texts, highs = (np.array([row[column] for row in rows], np.uint64) for column in range(3))
    ranks = highs << np.uint64(56) | texts
    numbers = np.arange(len(rows), dtype=np.uint64)[::-1].copy()
    firsts, seconds, copies = candidates.pair_up(keys, numbers, ranks)
    expected = []
    for key in set(keys.tolist()):
        first: dict[int, int] = {}
        members = sorted((int(ranks[n]), int(numbers[n]), int(texts[n])) for n in np.flatnonzero(keys == key))
        for _, number, text in members:
            if text in first and key & 1:
                expected.append((first[text], number, True))
            elif text not in first:
                if not key & 1:
                    expected += [(head, number, False) for head in list(first.values())[:8]]
                first[text] = number
    found = zip(firsts.tolist(), seconds.tolist(), copies.tolist(), strict=True)
    assert sorted(found) == sorted(expected)


def test_a_bucket_of_very_many_costs_linear_time():
    count = 200_000
    numbers = candidates.numbers(3, 0, count)
    ranks = np.full(count, 5, np.uint64)
    for key, expected in ((2, 0), (3, count - 1)):  # copies meet as copies only, each with the first
        firsts, _, copies = candidates.pair_up(np.full(count, key, np.uint64), numbers, ranks)
        assert len(firsts) == expected and copies.all() and set(firsts.tolist()) <= {3 << 32}
    firsts, _, _ = candidates.pair_up(np.full(count, 2, np.uint64), numbers, numbers)
    assert len(firsts) == 8 * count - 36 and len(set(firsts.tolist())) == 8


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2))
def test_rank_classes_follow_the_ranks(values):
    ranks = np.sort(np.array(values, np.uint64))
    classes = candidates.rank_classes(ranks).astype(np.int64)
    assert (np.diff(classes) >= 0).all()
    assert classes.min() >= 0 and classes.max() < candidates.RANK_CLASSES
