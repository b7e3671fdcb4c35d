"""What a text says more than once: lines, paragraphs and n-grams (Gopher: Rae et al. 2021, table A1).

A share is of the text's characters. An n-gram covers its text from the first word to the last, and only where
it occurs again, so that a text that says everything once has a share of 0.
"""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, finalize
from stages.lines import Lines
from stages.shape import WEIGHTS, Shape

TOP = (2, 3, 4)  # n of the n-grams of which the most frequent one counts
DUPLICATE = (5, 6, 7, 8, 9, 10)  # n of those of which every repetition counts
_BASE = np.uint64(0xD1342543DE82EF95)  # of the polynomial in the hashes of a gram's words, modulo 2^64
_BREAK = np.uint64(0x2545F4914F6CDD1D)


def repeated_lines(rows: Lines) -> NDArray[np.float64]:
    """Row: document. Columns: share of duplicate lines, of duplicate paragraphs, of the characters in each.

    The first of several equal lines is no duplicate. Blank lines are none, and blanks around a line are no
    part of it. The characters are those of all lines together.
    """
    shares = np.zeros((len(rows.offsets) - 1, 4))
    size = _table_size(rows.offsets)
    _repeated_lines(rows, np.zeros(size, np.uint64), np.full(size, -1, np.int64), shares)
    return shares


def repeated_grams(found: Words, shape: Shape) -> NDArray[np.float64]:
    """Row: document. Columns: the n of TOP, then those of DUPLICATE.

    For the first: the characters in all occurrences of the n-gram that occurs most often, the earliest of
    those that tie; 0 if none occurs twice, 1 at most. For the second: those in n-grams that occurred before,
    each character once. In scripts without spaces n words are as many signs as these have on average.
    """
    shares = np.zeros((len(found.offsets) - 1, len(TOP) + len(DUPLICATE)))
    size = _table_size(found.offsets)
    table = np.zeros(size, np.uint64), np.full(size, -1, np.int64), np.zeros((size, 2), np.int64)
    sizes = np.array(TOP + DUPLICATE)[None, :] * 16 // WEIGHTS.astype(np.int64)[shape.script][:, None]
    _repeated_grams(found, shape, sizes, table, shares)
    return shares


def _table_size(offsets: NDArray[np.int64]) -> int:
    """Slots for the longest document: a power of two, half of them free."""
    return 1 << (2 * int(np.diff(offsets).max(initial=1)) + 2).bit_length()


@kernel
def _slot(value: np.uint64, stamp: int, keys: NDArray[np.uint64], stamps: NDArray[np.int64]) -> int:
    """Where a value is in the table, or where it goes; what bears another stamp is not there."""
    mask = np.uint64(len(keys) - 1)
    at = value & mask
    while stamps[at] == stamp and keys[at] != value:
        at = (at + np.uint64(1)) & mask
    return int(np.int64(at))


@kernel
def _is_new(value: np.uint64, stamp: int, keys: NDArray[np.uint64], stamps: NDArray[np.int64]) -> bool:
    """Whether a value comes for the first time; from then on it is known."""
    at = _slot(value, stamp, keys, stamps)
    if stamps[at] == stamp:
        return False
    stamps[at], keys[at] = stamp, value
    return True


@kernel
def _repeated_lines(
    rows: Lines, keys: NDArray[np.uint64], stamps: NDArray[np.int64], shares: NDArray[np.float64]
) -> None:
    for document in range(len(shares)):
        first, last = rows.offsets[document], rows.offsets[document + 1]
        total = paragraphs = 0
        for row in range(first, last):
            total += rows.characters[row]
            paragraphs += rows.opens[row]
            if not _is_new(rows.hashes[row], 2 * document, keys, stamps):
                shares[document, 0] += 1
                shares[document, 2] += rows.characters[row]
        state, characters = np.uint64(0), 0
        for row in range(first, last):
            state = finalize(state ^ rows.hashes[row]) * _BREAK
            characters += rows.characters[row]
            if row + 1 == last or rows.opens[row + 1]:
                if not _is_new(state, 2 * document + 1, keys, stamps):
                    shares[document, 1] += 1
                    shares[document, 3] += characters
                state, characters = np.uint64(0), 0
        if total:
            shares[document, 0] /= last - first
            shares[document, 1] /= paragraphs
            shares[document, 2] /= total
            shares[document, 3] /= total


@kernel
def _repeated_grams(
    found: Words,
    shape: Shape,
    sizes: NDArray[np.int64],
    table: tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]],
    shares: NDArray[np.float64],
) -> None:
    keys, stamps, seen = table
    columns = sizes.shape[1]
    for document in range(len(shares)):
        first, last = found.offsets[document], found.offsets[document + 1]
        hashes, begins, ends = found.hashes[first:last], shape.begins[first:last], shape.ends[first:last]
        whole = max(shape.characters[document], 1)
        for column in range(columns):
            stamp, n = document * columns + column, sizes[document, column]
            if column < len(TOP):
                covered = _top(hashes, begins, ends, (n, stamp), (keys, stamps, seen))
            else:
                covered = _again(hashes, begins, ends, (n, stamp), (keys, stamps))
            shares[document, column] = min(covered / whole, 1.0)
            if column >= len(TOP) and not covered:
                break  # an n-gram that occurs twice has shorter ones that do


@kernel
def _power(n: int) -> np.uint64:
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    return power


@kernel
def _rolled(state: np.uint64, hashes: NDArray[np.uint64], word: int, n: int, power: np.uint64) -> np.uint64:
    """The hash of the n words that end with this one, from that of the n before."""
    state = state * _BASE + hashes[word]
    return state - hashes[word - n] * power if word >= n else state


@kernel
def _top(
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int32],
    ends: NDArray[np.int32],
    which: tuple[int, int],
    table: tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]],
) -> int:
    """Characters in all occurrences of the most frequent gram of n words."""
    (n, stamp), (keys, stamps, seen) = which, table
    state, power = np.uint64(0), _power(n)
    most = 1
    for word in range(len(hashes)):
        state = _rolled(state, hashes, word, n, power)
        if word >= n - 1:
            value = finalize(state)
            at = _slot(value, stamp, keys, stamps)
            if stamps[at] != stamp:
                stamps[at], keys[at] = stamp, value
                seen[at, 0] = seen[at, 1] = 0
            seen[at, 0] += 1
            seen[at, 1] += ends[word] - begins[word - n + 1]
            most = max(most, seen[at, 0])
    if most == 1:
        return 0
    state = np.uint64(0)
    for word in range(len(hashes)):  # the earliest of those that occur so often
        state = _rolled(state, hashes, word, n, power)
        if word >= n - 1:
            at = _slot(finalize(state), stamp, keys, stamps)
            if seen[at, 0] == most:
                return int(seen[at, 1])
    return 0


@kernel
def _again(
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int32],
    ends: NDArray[np.int32],
    which: tuple[int, int],
    table: tuple[NDArray[np.uint64], NDArray[np.int64]],
) -> int:
    """Characters in grams of n words that occurred before; after one, the next begins behind it."""
    (n, stamp), (keys, stamps) = which, table
    state, power = np.uint64(0), _power(n)
    covered, free = 0, 0
    for word in range(len(hashes)):
        state = _rolled(state, hashes, word, n, power)
        start = word - n + 1
        if start >= free and not _is_new(finalize(state), stamp, keys, stamps):
            covered += ends[word] - begins[start]
            free = word + 1
    return covered
