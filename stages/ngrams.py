"""Grams of examples found in documents: what a gram is, an index of them, one pass over the units of a text.

A gram is 13 words (GPT-3, appendix C), or 20 characters of a script that puts no spaces between words, or a
mixture that weighs as much: a word weighs 20, a character 13, and a gram ends with the unit at which the
weight reaches 13 × 20. So one begins at every unit but the last few, and what it is depends on the units
after its beginning alone: the same in an example and in a document. Words and characters are the units of
classifiers/words.py; an example lighter than a gram may be looked for as a whole.

A search rolls one hash over the units, of the few with which anything that is looked for must begin, and asks
a filter. Only where that says yes, at one unit in thirty or less, are longer runs hashed and looked up.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel, lean
from classifiers.words import SIGN, Words, character_table, decode, finalize, locate

Located = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]

_BASE = np.uint64(0xD1342543DE82EF95)  # of the polynomial in the hashes of a run's units, modulo 2^64
_BITS = 16  # for each key of a filter: about one in a hundred keys that are not in it passes
_BITS_OF_HEADS = 8  # one in thirty; this filter is asked at every unit, and half the memory is twice as fast
_BLOCK = 128  # heads hashed before the filter is asked
_CLASS_SHIFT = np.uint32(24)
_NO_SIGN_BELOW = np.uint8(0xE0)  # first byte of U+0800: the scripts without spaces are beyond


class Sizes(NamedTuple):
    """How long the runs are that are looked for."""

    words: int = 13  # in a gram of words
    characters: int = 20  # in a gram of characters
    shortest: int = 8  # units of an example that is looked for as a whole

    @property
    def head(self) -> int:
        """Units that every run has."""
        return min(self)

    @property
    def longest(self) -> int:
        """Units that no run has more of."""
        return max(self.words, self.characters)


class Runs(NamedTuple):
    """What to look for of each text: its grams, or the text as a whole if it is too light for one."""

    hashes: NDArray[np.uint64]
    heads: NDArray[np.uint64]  # hash of the first `Sizes.head` units
    whole: NDArray[np.bool_]  # whether a run is all of its text, and too light for a gram
    firsts: NDArray[np.int64]  # the unit with which a run begins, numbered as in Words
    lasts: NDArray[np.int64]  # the one with which it ends
    offsets: NDArray[np.int64]  # text t owns runs offsets[t]:offsets[t + 1]

    @property
    def owners(self) -> NDArray[np.int64]:
        """The text of each run."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class Filter(NamedTuple):
    """A blocked Bloom filter (Putze, Sanders and Singler, 2007) of hashes; a block is one word."""

    blocks: NDArray[np.uint64]
    shift: np.uint64  # a hash shifted right by this is the number of its block


class Index(NamedTuple):
    """A set of runs to look for."""

    grams: NDArray[np.uint64]  # hashes; sorted, each once
    full: Filter  # of those that weigh as much as a gram
    whole: Filter  # of the others, which are few: it stays in the processor's cache
    heads: Filter
    sizes: Sizes


class Hits(NamedTuple):
    """Where the runs of an index occur, in the order of documents, of first and of last units."""

    firsts: NDArray[np.int64]  # units, numbered as in Words
    lasts: NDArray[np.int64]
    entries: NDArray[np.int64]  # the run's position in the index
    offsets: NDArray[np.int64]  # document d owns hits offsets[d]:offsets[d + 1]


def runs_of(texts: pa.Array, found: Words, sizes: Sizes) -> Runs:
    """The runs of each text that a document may share."""
    room = len(found.hashes)
    runs = Runs(
        np.empty(room, np.uint64),
        np.empty(room, np.uint64),
        np.empty(room, np.bool_),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.zeros(len(found.offsets), np.int64),
    )
    _runs(locate(texts), found, character_table(), sizes, runs)
    to = slice(int(runs.offsets[-1]))
    hashes, heads, whole = runs.hashes[to], runs.heads[to], runs.whole[to]
    return Runs(hashes, heads, whole, runs.firsts[to], runs.lasts[to], runs.offsets)


def index_of(
    grams: NDArray[np.uint64], whole: NDArray[np.bool_], heads: NDArray[np.uint64], sizes: Sizes
) -> Index:
    """An index of sorted and unique runs; `heads` in any order, also more than once."""
    filters = filter_of(grams[~whole]), filter_of(grams[whole]), filter_of(heads, _BITS_OF_HEADS)
    return Index(grams, *filters, sizes)


def filter_of(keys: NDArray[np.uint64], bits_per_key: int = _BITS) -> Filter:
    """A filter that passes all of these hashes and few others."""
    bits = max(1, (len(keys) * bits_per_key // 64).bit_length())
    made = Filter(np.zeros(1 << bits, np.uint64), np.uint64(64 - bits))
    _fill(keys, made)
    return made


def find(texts: pa.Array, found: Words, index: Index) -> Hits:
    """Every occurrence of a run of the index."""
    # Room for as many places as units; what is not touched is never really taken.
    places = np.empty(len(found.hashes), np.int64)
    block = np.empty(_BLOCK, np.uint64)
    count = _heads(found.hashes, found.offsets, index.sizes.head, index.heads, places, block)
    offsets, room = np.zeros(len(found.offsets), np.int64), 1 << 10  # hits: as many as most batches have
    while True:
        hits = Hits(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64), offsets)
        number = _match(locate(texts), found, places[:count], index, character_table(), hits)
        if number <= room:
            return Hits(hits.firsts[:number], hits.lasts[:number], hits.entries[:number], offsets)
        room = number


@kernel
def count_documents(hits: Hits, first: int, latest: NDArray[np.int64], counts: NDArray[np.uint32]) -> None:
    """Add to `counts` the documents that hold each run of the index, each document once.

    Documents are numbered from `first`; `latest` is the last one counted for each run, at the start -1.
    """
    for document in range(len(hits.offsets) - 1):
        for hit in range(hits.offsets[document], hits.offsets[document + 1]):
            entry = hits.entries[hit]
            if latest[entry] != first + document:
                latest[entry] = first + document
                counts[entry] += np.uint32(1)


@lean
def _weight(data: NDArray[np.uint8], at: int, table: NDArray[np.uint32], sizes: Sizes) -> int:
    """What the unit weighs that begins at a byte."""
    if data[at] < _NO_SIGN_BELOW:
        return sizes.characters
    code, _ = decode(data, at, len(data))
    return sizes.words if np.int64(table[code] >> _CLASS_SHIFT) == SIGN else sizes.characters


@lean
def _runs(located: Located, found: Words, table: NDArray[np.uint32], sizes: Sizes, runs: Runs) -> None:
    data, begins, _ = located
    full, head = sizes.words * sizes.characters, min(sizes.words, sizes.characters, sizes.shortest)
    run = 0
    for text in range(len(begins)):
        first, stop = found.offsets[text], found.offsets[text + 1]
        for unit in range(first, stop):
            state, beginning, weight, last = np.uint64(0), np.uint64(0), 0, unit - 1
            while weight < full and last + 1 < stop:
                last += 1
                state = state * _BASE + found.hashes[last]
                weight += _weight(data, begins[text] + found.starts[last], table, sizes)
                if last - unit + 1 == head:
                    beginning = state  # a sum of hashes, and so as random as they are
            whole = unit == first and stop - first >= sizes.shortest
            if weight >= full or whole:
                runs.hashes[run] = finalize(state)
                runs.heads[run] = beginning
                runs.whole[run] = weight < full
                runs.firsts[run] = unit
                runs.lasts[run] = last
                run += 1
            if weight < full:  # and so is all that begins later
                break
        runs.offsets[text + 1] = run


@lean
def _mask(key: np.uint64) -> np.uint64:
    """The three bits that a key sets in its block of a filter, chosen by its low bits."""
    one, low = np.uint64(1), np.uint64(63)
    return one << (key & low) | one << (key >> np.uint64(6) & low) | one << (key >> np.uint64(12) & low)


@lean
def _fill(keys: NDArray[np.uint64], into: Filter) -> None:
    for at in range(len(keys)):
        into.blocks[keys[at] >> into.shift] |= _mask(keys[at])


@lean
def _passes(key: np.uint64, known: Filter) -> bool:
    mask = _mask(key)
    return bool(known.blocks[key >> known.shift] & mask == mask)


@lean
def _heads(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    size: int,
    known: Filter,
    places: NDArray[np.int64],
    block: NDArray[np.uint64],
) -> int:
    """Write the units with which `size` units begin that pass the filter; returns how many."""
    power = np.uint64(1)
    for _ in range(size - 1):
        power *= _BASE
    count = 0
    for document in range(len(offsets) - 1):
        first, stop = offsets[document], offsets[document + 1]
        if stop - first < size:
            continue
        state = np.uint64(0)
        for unit in range(first, first + size - 1):
            state = state * _BASE + hashes[unit]
        end = stop - size + 1
        for start in range(first, end, len(block)):
            # Two loops: the shorter the one that waits for memory, the more of its turns wait at once.
            number = min(len(block), end - start)
            for at in range(number):
                state = state * _BASE + hashes[start + at + size - 1]
                block[at] = state
                state -= hashes[start + at] * power
            for at in range(number):
                # Written even where it is none, to be written over by the next: cheaper than a branch.
                places[count] = start + at
                count += _passes(block[at], known)
    return count


@lean
def _position(value: np.uint64, grams: NDArray[np.uint64]) -> int:
    """Where a hash is among sorted ones, or -1."""
    low, high = 0, len(grams)
    while low < high:
        middle = (low + high) >> 1
        if grams[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < len(grams) and grams[low] == value else -1


@lean
def _match(
    located: Located,
    found: Words,
    places: NDArray[np.int64],
    index: Index,
    table: NDArray[np.uint32],
    hits: Hits,
) -> int:
    """Hash on from each place, up to the weight of a gram, and look up what may be a run of the index.

    Returns how many hits there are; those for which there is no room are not written.
    """
    data, begins, _ = located
    sizes = index.sizes
    full, head = sizes.words * sizes.characters, min(sizes.words, sizes.characters, sizes.shortest)
    place = hit = 0
    for document in range(len(begins)):
        begin, stop = begins[document], found.offsets[document + 1]
        while place < len(places) and places[place] < stop:
            first = places[place]
            place += 1
            state, weight, unit = np.uint64(0), 0, first
            while weight < full and unit < stop:
                state = state * _BASE + found.hashes[unit]
                weight += _weight(data, begin + found.starts[unit], table, sizes)
                unit += 1
                if unit - first < head:
                    continue
                value, entry = finalize(state), -1
                if _passes(value, index.full) if weight >= full else _passes(value, index.whole):
                    entry = _position(value, index.grams)
                if entry >= 0:
                    if hit < len(hits.firsts):
                        hits.firsts[hit] = first
                        hits.lasts[hit] = unit - 1
                        hits.entries[hit] = entry
                    hit += 1
        hits.offsets[document + 1] = hit
    return hit
