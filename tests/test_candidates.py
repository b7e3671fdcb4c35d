"""Which documents are compared: copies, and members of a bucket, with the first of them; in linear time."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shuffle import key_partitions
from stages.candidates import HEADS, copies_of, pair_up

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)), max_size=60)


def columns(rows: list[tuple[int, int, int]]) -> list[np.ndarray]:
    return [np.array([row[column] for row in rows], np.uint64) for column in range(3)]


@settings(deadline=None)
@given(ROWS)
def test_pairs_are_members_with_the_first_of_their_bucket(rows):
    keys, _, ranks = columns(rows)
    numbers = np.arange(len(rows), dtype=np.uint64)[::-1].copy()
    met = pair_up(keys, numbers, ranks)
    expected, given_up = [], 0
    for key in set(keys.tolist()):
        members = sorted((int(ranks[n]), int(numbers[n])) for n in np.flatnonzero(keys == key))
        for (one, (_, first)), (_, (_, second)) in combinations(enumerate(members), 2):
            expected += [(first, second)] if one < HEADS else []
            given_up += one >= HEADS
    assert sorted(zip(met.firsts.tolist(), met.seconds.tolist(), strict=True)) == sorted(expected)
    assert met.given_up == given_up


@settings(deadline=None)
@given(ROWS)
def test_copies_are_told_by_key_and_check(rows):
    keys, checks, ranks = columns(rows)
    numbers = np.arange(len(rows), dtype=np.uint64)[::-1].copy()
    kept = ranks % np.uint64(3) == 0
    firsts, copies = copies_of(keys, checks, numbers, ranks, kept)
    expected = {}
    for text in set(zip(keys.tolist(), checks.tolist(), strict=True)):
        here = np.flatnonzero((keys == text[0]) & (checks == text[1]))
        first, *others = sorted((not kept[n], int(ranks[n]), int(numbers[n])) for n in here)
        expected |= {other: first[2] for _, _, other in others}
    assert dict(zip(copies.tolist(), firsts.tolist(), strict=True)) == expected


def test_a_bucket_of_very_many_costs_linear_time():
    count = 200_000
    numbers, key = np.arange(count, dtype=np.uint64), np.full(count, 2, np.uint64)
    met = pair_up(key, numbers, numbers)
    assert len(met.firsts) == 8 * count - 36 and len(set(met.firsts.tolist())) == 8
    assert met.given_up == count * (count - 1) // 2 - len(met.firsts)
    firsts, _ = copies_of(key, key, numbers, np.zeros(count, np.uint64), np.zeros(count, np.bool_))
    assert len(firsts) == count - 1 and set(firsts.tolist()) == {0}


def test_the_largest_buckets_are_told():
    sizes = {7: 1_500, 3: 2_000, 9: 2_000, 5: 999}
    keys = np.repeat(np.array(list(sizes), np.uint64), list(sizes.values()))
    numbers = np.arange(len(keys), dtype=np.uint64)
    common = pair_up(keys, numbers, numbers).common.to_pylist()
    assert [(row["key"], row["members"]) for row in common] == [(3, 2_000), (9, 2_000), (7, 1_500)]
    assert common[0]["heads"] == list(range(1_500, 1_508))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.integers(1, 64))
def test_equal_keys_go_to_one_partition(keys, partitions):
    found = key_partitions(np.array(keys, np.uint64), partitions)
    assert found.max() < partitions
    assert len(set(zip(keys, found.tolist(), strict=True))) == len(set(keys))
