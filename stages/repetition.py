"""What a text says more than once: lines, paragraphs and n-grams (Gopher: Rae et al. 2021, table A1).

A share is of the text's characters. An n-gram covers its text from the first word to the last, and only where
it occurs again, so that a text that says everything once has a share of 0.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import lean
from classifiers.words import Words, finalize, locate
from stages.lines import Lines
from stages.scan import characters
from stages.shape import WEIGHTS, Shape

TOP = (2, 3, 4)  # n of the n-grams of which the most frequent one counts
DUPLICATE = (5, 6, 7, 8, 9, 10)  # n of those of which every repetition counts
_BASE = np.uint64(0xD1342543DE82EF95)  # of the polynomial in the hashes of a gram's words, modulo 2^64
_BREAK = np.uint64(0x2545F4914F6CDD1D)
# A text, and where its words begin and end.
_Spans = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]


def repeated_lines(rows: Lines) -> NDArray[np.float64]:
    """Row: document. Columns: share of duplicate lines, of duplicate paragraphs, of the characters in each.

    The first of several equal lines is no duplicate. Blank lines are none, and blanks around a line are no
    part of it. The characters are those of all lines together.
    """
    shares = np.zeros((len(rows.offsets) - 1, 4))
    longest = _longest(rows.offsets)
    _repeated_lines(rows, np.empty(longest, np.uint64), np.empty(_slots_for(longest), np.int32), shares)
    return shares


def repeated_grams(texts: pa.Array, found: Words, shape: Shape) -> NDArray[np.float64]:
    """Row: document. Columns: the n of TOP, then those of DUPLICATE.

    For the first: the characters in all occurrences of the n-gram that occurs most often, the earliest of
    those that tie; 0 if none occurs twice, 1 at most. For the second: those in n-grams that occurred before,
    each character once. In scripts without spaces n words are as many signs as these have on average.
    """
    shares = np.zeros((len(found.offsets) - 1, len(TOP) + len(DUPLICATE)))
    longest = _longest(found.offsets)
    grams = _Grams(
        prefixes=np.zeros(longest + 1, np.uint64),
        places=np.empty(longest, np.int32),
        hashes=np.empty(longest, np.uint64),
        firsts=np.empty(longest, np.int32),
        counts=np.empty(longest, np.int32),
        slots=np.empty(_slots_for(longest), np.int32),
    )
    sizes = np.array(TOP + DUPLICATE)[None, :] * 16 // WEIGHTS.astype(np.int64)[shape.script][:, None]
    _repeated_grams(locate(texts)[:2], (found, shape), sizes, grams, shares)
    return shares


class _Grams(NamedTuple):
    """The grams of one size in the document at hand that may occur twice; with room for the longest one."""

    prefixes: NDArray[np.uint64]  # the polynomial in the hashes of all words before a word
    places: NDArray[np.int32]  # word at which a gram begins; ascending
    hashes: NDArray[np.uint64]
    firsts: NDArray[np.int32]  # number of the first gram that is equal
    counts: NDArray[np.int32]  # of a first gram: how often it occurs; else 0
    slots: NDArray[np.int32]  # hash table of gram numbers; -1 where it is free


def _longest(offsets: NDArray[np.int64]) -> int:
    return int(np.diff(offsets).max(initial=1))


@lean
def _slots_for(number: int) -> int:
    """A power of two, so that three of four slots or more stay free."""
    size = 4
    while size < 4 * number:
        size *= 2
    return size


@lean
def _first(values: NDArray[np.uint64], at: int, slots: NDArray[np.int32]) -> int:
    """The first place with the value that is at `at`, which is entered if it is the first itself."""
    mask = np.uint64(len(slots) - 1)
    slot = values[at] & mask
    place = slots[slot]
    while (place >= 0) & (values[place] != values[at]):  # one branch, not two that nobody can predict
        slot = (slot + np.uint64(1)) & mask
        place = slots[slot]
    place = at if place < 0 else place
    slots[slot] = place
    return int(place)


@lean
def _repeated_lines(
    rows: Lines, blocks: NDArray[np.uint64], slots: NDArray[np.int32], shares: NDArray[np.float64]
) -> None:
    """Fill the shares; `blocks` has room for a hash of each paragraph of a document."""
    for document in range(len(shares)):
        first, last = rows.offsets[document], rows.offsets[document + 1]
        hashes, lengths = rows.hashes[first:last], rows.characters[first:last]
        opens, mine = rows.opens[first:last], slots[: _slots_for(last - first)]
        mine[:] = -1
        total = 0
        for row in range(len(hashes)):
            total += lengths[row]
            if _first(hashes, row, mine) != row:
                shares[document, 0] += 1
                shares[document, 2] += lengths[row]
        mine[:] = -1
        state, characters, paragraphs = np.uint64(0), 0, 0
        for row in range(len(hashes)):
            state = finalize(state ^ hashes[row]) * _BREAK
            characters += lengths[row]
            if row + 1 == len(hashes) or opens[row + 1]:
                blocks[paragraphs] = state
                if _first(blocks, paragraphs, mine) != paragraphs:
                    shares[document, 1] += 1
                    shares[document, 3] += characters
                state, characters, paragraphs = np.uint64(0), 0, paragraphs + 1
        if total:
            shares[document, 0] /= last - first
            shares[document, 1] /= paragraphs
            shares[document, 2] /= total
            shares[document, 3] /= total


@lean
def _repeated_grams(
    located: tuple[NDArray[np.uint8], NDArray[np.int64]],
    split: tuple[Words, Shape],
    sizes: NDArray[np.int64],
    grams: _Grams,
    shares: NDArray[np.float64],
) -> None:
    """Look at longer and longer grams, and of each size only at those that may occur twice.

    A gram occurs twice only if all shorter ones within it do. So few of three words are left, and hardly any
    that are longer.
    """
    data, begins = located
    found, shape = split
    for document in range(len(shares)):
        first, last = found.offsets[document], found.offsets[document + 1]
        spans = data[begins[document] :], found.starts[first:last], found.ends[first:last]
        for word in range(last - first):
            grams.prefixes[word + 1] = grams.prefixes[word] * _BASE + found.hashes[first + word]
            grams.places[word] = word
        number, known = last - first, 1  # grams that may occur twice, of so many words
        whole = max(shape.characters[document], 1)
        for column in range(sizes.shape[1]):
            n = sizes[document, column]
            number = _lengthen(grams, number, known, n)
            known = n
            if column < len(TOP):
                covered, number = _top(spans, n, grams, number)
            else:
                covered = _again(spans, n, grams, number)
            shares[document, column] = min(covered / whole, 1.0)
            if not covered:
                break  # no gram of these occurs twice


@lean
def _lengthen(grams: _Grams, number: int, known: int, n: int) -> int:
    """From the grams of `known` words that occur twice to those of n words that may: find, number, hash them.

    Returns how many there are.
    """
    more, power = n - known, np.uint64(1)
    for _ in range(n):
        power *= _BASE
    left = 0
    for gram in range(number - more):
        grams.places[left] = grams.places[gram]
        left += grams.places[gram + more] == grams.places[gram] + more  # all those between are there too
    for gram in range(left):
        at = grams.places[gram]
        grams.hashes[gram] = grams.prefixes[at + n] - grams.prefixes[at] * power
    slots = grams.slots[: _slots_for(left)]
    slots[:] = -1
    for gram in range(left):
        grams.firsts[gram] = _first(grams.hashes, gram, slots)
    grams.counts[:left] = 0
    return left


@lean
def _top(spans: _Spans, n: int, grams: _Grams, number: int) -> tuple[int, int]:
    """Characters in all occurrences of the gram with the most; how many grams occur twice: only they stay."""
    for gram in range(number):
        grams.counts[grams.firsts[gram]] += 1
    most, top = 1, -1
    for gram in range(number):
        if grams.counts[gram] > most:
            most, top = grams.counts[gram], gram
    covered = left = 0
    for gram in range(number):
        if grams.firsts[gram] == top:
            covered += _characters(spans, grams.places[gram], n)
        grams.places[left] = grams.places[gram]
        left += grams.counts[grams.firsts[gram]] > 1
    return covered, left


@lean
def _again(spans: _Spans, n: int, grams: _Grams, number: int) -> int:
    """Characters in grams that occurred before; after one, the next begins behind it."""
    covered = free = 0
    for gram in range(number):
        at, first = grams.places[gram], grams.firsts[gram]
        if at >= free:
            if grams.counts[first]:
                covered += _characters(spans, at, n)
                free = at + n
            grams.counts[first] = 1
    return covered


@lean
def _characters(spans: _Spans, at: int, n: int) -> int:
    """From a word to the end of the last of n words."""
    text, starts, ends = spans
    return characters(text, starts[at], ends[at + n - 1])
