"""Entries of word lists found in texts: a kernel over the word array, one step a word.

An entry is a run of units of `classifiers/words.py`: a word, several words, or the signs of a script without
spaces, and there it is found anywhere, as a substring. At each unit the longest entry counts, and the search
goes on behind it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, finalize

LONGEST = 63  # units of an entry
EVERY = 0  # the group of entries that are looked for in all texts
_FREE, _BEGINS = np.int32(-1), np.int32(-2)  # a slot without a key; one where entries go on and none ends


class Phrases(NamedTuple):
    """Entries in an open hash table, by linear probing.

    The keys are those of the runs of units that entries begin with, one unit, two, and so on up to the whole
    entry, so that a search stops where no entry goes on.
    """

    keys: NDArray[np.uint64]  # of a slot; their number is a power of two
    entries: NDArray[np.int32]  # of a slot: the entry that ends here, _FREE or _BEGINS
    firsts: NDArray[np.bool_]  # of the last bits of a unit: whether an entry may begin with it


class Hits(NamedTuple):
    """What is found in each text."""

    hits: NDArray[np.int32]  # times that an entry stands in it
    different: NDArray[np.int32]  # entries
    covered: NDArray[np.int32]  # units in them


def phrases(split: Words, groups: NDArray[np.int32]) -> Phrases:
    """A table of entries, each of 1 to 63 units, and of the group that is given for it; copies are one."""
    size = 1 << max(2 * len(split.hashes), 2).bit_length()
    firsts = np.zeros(max(8 * size, 1 << 12), np.bool_)
    table = Phrases(np.zeros(size, np.uint64), np.full(size, _FREE, np.int32), firsts)
    _insert(split.hashes, split.offsets, groups, table)
    return table


def find(found: Words, groups: NDArray[np.int32], table: Phrases) -> Hits:
    """Count the entries of EVERY and of the group of each text; a group of -1 has none."""
    counts = Hits(*(np.zeros(len(groups), np.int32) for _ in range(3)))
    seen = np.full(len(table.entries), -1, np.int64)
    _find(found, groups, table, seen, counts)
    return counts


@kernel
def _follow(key: np.uint64, unit: np.uint64) -> np.uint64:
    """The key of a run with one more unit."""
    return finalize(key + np.uint64(0x9E3779B97F4A7C15)) + unit


@kernel
def _slot(key: np.uint64, table: Phrases) -> int:
    """Where a key is, or the free slot where it would be."""
    last = np.uint64(len(table.keys) - 1)
    slot = (key ^ (key >> np.uint64(32))) & last
    while table.entries[slot] != _FREE and table.keys[slot] != key:
        slot = (slot + np.uint64(1)) & last
    return int(np.int64(slot))


@kernel
def _insert(
    hashes: NDArray[np.uint64], offsets: NDArray[np.int64], groups: NDArray[np.int32], table: Phrases
) -> None:
    for entry in range(len(groups)):
        key = np.uint64(groups[entry])
        if offsets[entry] < offsets[entry + 1]:
            table.firsts[hashes[offsets[entry]] & np.uint64(len(table.firsts) - 1)] = True
        for unit in range(offsets[entry], offsets[entry + 1]):
            key = _follow(key, hashes[unit])
            slot = _slot(key, table)
            table.keys[slot] = key
            if table.entries[slot] < 0:
                table.entries[slot] = entry if unit + 1 == offsets[entry + 1] else _BEGINS


@kernel
def _longest(hashes: NDArray[np.uint64], at: int, end: int, group: int, table: Phrases) -> tuple[int, int]:
    """The longest entry of a group that begins at a unit, and its units; (-1, 0) for none."""
    entry, length = -1, 0
    key = np.uint64(group)
    for unit in range(at, end):
        key = _follow(key, hashes[unit])
        known = table.entries[_slot(key, table)]
        if known == _FREE:
            break
        if known >= 0:
            entry, length = int(known), unit + 1 - at
    return entry, length


@kernel
def _find(
    found: Words, groups: NDArray[np.int32], table: Phrases, seen: NDArray[np.int64], counts: Hits
) -> None:
    hashes, firsts, last = found.hashes, table.firsts, np.uint64(len(table.firsts) - 1)
    for document in range(len(groups)):
        at, end = found.offsets[document], found.offsets[document + 1]
        while at < end:
            if not firsts[hashes[at] & last]:  # most units
                at += 1
                continue
            entry, length = _longest(hashes, at, end, EVERY, table)
            if groups[document] > EVERY:
                other, longer = _longest(hashes, at, end, groups[document], table)
                if longer > length:
                    entry, length = other, longer
            if length:
                counts.hits[document] += 1
                counts.covered[document] += length
                counts.different[document] += seen[entry] != document
                seen[entry] = document
            at += max(length, 1)
