"""Byte-pair encoding learnt from counted pieces of text (Sennrich et al. 2016; of bytes: GPT-2, section 2.2).

The most frequent pair of neighbouring tokens becomes a token, again and again; of equally frequent pairs the
one of the smallest ids. All is integers, and the order of the pieces makes no difference.

The pieces lie one behind another, a cell for each byte, with WALL before and behind each. A token of several
bytes stands in its first and in its last cell, so both neighbours of a token are found without pointers. The
places where a pair begins are a list, linked in both directions: a place leaves it at no cost.
"""

from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel

WALL = -1
NOWHERE = -1
BYTES = 256  # tokens 0 to 255 are the bytes
LETTERS = np.zeros(BYTES, np.int32)  # how many a character counts for, by its first byte
LETTERS[:0x80], LETTERS[0xC0:] = 1, 1
LETTERS[0xE4:0xEA], LETTERS[0xE3], LETTERS[0xEA:0xEE] = 3, 2, 2  # ideographs, kana, Hangul syllables
_BASE = np.int64(0x5851F42D4C957F2D)  # of the hash of a token's bytes, modulo 2^64
_RIGHT = np.int64(0xFFFFFFFF)  # a pair is left << 32 | right


class Limits(NamedTuple):
    """When to stop, and what not to make."""

    tokens: int  # ids, of bytes and end-of-text too
    least: int = 1  # times that a pair occurs
    longest: int = 1 << 30  # letters in a token
    first: int = BYTES + 1  # id of the first new token; the one before is end-of-text


class Merges(NamedTuple):
    """What is made of what, in this order."""

    pairs: NDArray[np.int64]  # [merges, 2]: the tokens that become one
    tokens: NDArray[np.int64]  # which one: a new one, unless another has the same bytes
    counts: NDArray[np.int64]  # how often the pair occurred then


class _State(NamedTuple):
    """Pieces, tokens and pairs; the first five have an item for each cell."""

    data: NDArray[np.uint8]
    cells: NDArray[np.int32]  # token or WALL; only a token's first and last cell count
    counts: NDArray[np.int64]  # of the piece
    after: NDArray[np.int32]  # the next place of the same pair
    before: NDArray[np.int32]
    sizes: NDArray[np.int32]  # bytes of each token
    letters: NDArray[np.int32]  # in each token
    examples: NDArray[np.int64]  # a place of each token
    heads: dict[np.int64, np.int64]  # pair -> one of its places
    totals: dict[np.int64, np.int64]  # pair -> how often it occurs


def learn(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], counts: NDArray[np.int64], limits: Limits
) -> Merges:
    """The merges of pieces data[offsets[p]:offsets[p + 1]] that occur counts[p] times.

    Takes some 50 bytes of memory for each byte of `data`.
    """
    if len(data) + len(counts) + 1 >= 1 << 31:
        raise ValueError(f"{len(data):,} bytes of different pieces are too many; lower `sample`")
    return Merges(*_learn(*_laid_out(data, offsets, counts), limits))


def _laid_out(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int64]]:
    """Bytes, cells and counts, with walls."""
    sizes = np.diff(offsets)
    walls = np.concatenate([[0], np.cumsum(sizes + 1)])
    inner = np.ones(int(walls[-1]) + 1, bool)
    inner[walls] = False
    laid = np.zeros(len(inner), np.uint8)
    laid[inner] = data[offsets[0] : offsets[-1]]
    cells = laid.astype(np.int32)
    cells[walls] = WALL
    return laid, cells, np.concatenate([[0], np.repeat(counts, sizes + 1)]).astype(np.int64)


@kernel
def _learn(
    data: NDArray[np.uint8], cells: NDArray[np.int32], counts: NDArray[np.int64], limits: Limits
) -> tuple[Any, Any, Any]:
    state = _start(data, cells, counts, limits.tokens + 1)
    queue = [(np.int64(0), np.int64(NOWHERE))]  # (-total, pair); numba needs a first one to know the type
    for pair, total in state.totals.items():
        heappush(queue, (-total, pair))
    known = {np.int64(0): np.int64(-1)}  # hash of a token's bytes -> token
    made = np.zeros((2 * limits.tokens, 4), np.int64)
    merges, new = 0, limits.first
    while queue and new < limits.tokens and merges < len(made):
        negative, pair = heappop(queue)
        total, left, right = state.totals[pair], pair >> 32, pair & _RIGHT
        if total < limits.least:
            continue
        if total != -negative:  # that was when it was put here
            heappush(queue, (-total, pair))
            continue
        if state.letters[left] + state.letters[right] > limits.longest:
            continue
        places = _places(state, pair)
        state.sizes[new] = state.sizes[left] + state.sizes[right]
        state.letters[new] = state.letters[left] + state.letters[right]
        state.examples[new] = places[0]
        token = _same(state, known, new)
        made[merges] = left, right, token, total
        merges, new = merges + 1, new + (token == new)
        last = np.int64(-1)
        for changed in _merge(state, places, pair, token):
            if changed != last:
                heappush(queue, (-state.totals[changed], changed))
            last = changed
    return made[:merges, :2], made[:merges, 2], made[:merges, 3]


@kernel
def _start(
    data: NDArray[np.uint8], cells: NDArray[np.int32], counts: NDArray[np.int64], tokens: int
) -> _State:
    """Every byte a token of its own."""
    letters = np.zeros(tokens, np.int32)
    letters[:BYTES] = LETTERS
    state = _State(
        data,
        cells,
        counts,
        np.full(len(cells), NOWHERE, np.int32),
        np.full(len(cells), NOWHERE, np.int32),
        np.ones(tokens, np.int32),
        letters,
        np.zeros(tokens, np.int64),
        {np.int64(-1): np.int64(NOWHERE)},
        {np.int64(-1): np.int64(0)},
    )
    for at in range(len(cells) - 1):
        _link(state, at)
    return state


@kernel
def _pair(state: _State, at: int) -> np.int64:
    """The pair that begins at a token's first cell, or -1 before a wall or on one."""
    left = state.cells[at]
    if left == WALL:
        return np.int64(-1)
    right = state.cells[at + state.sizes[left]]
    return np.int64(-1) if right == WALL else np.int64(left) << 32 | np.int64(right)


@kernel
def _link(state: _State, at: Any) -> np.int64:
    """Put a place into the list of its pair; returns the pair."""
    pair = _pair(state, at)
    if pair >= 0:
        if pair not in state.heads:
            state.heads[pair], state.totals[pair] = np.int64(NOWHERE), np.int64(0)
        head = state.heads[pair]
        state.after[at], state.before[at] = head, NOWHERE
        if head != NOWHERE:
            state.before[head] = at
        state.heads[pair] = np.int64(at)
        state.totals[pair] += state.counts[at]
    return pair


@kernel
def _unlink(state: _State, at: Any) -> None:
    """Take a place out of the list of its pair."""
    pair = _pair(state, at)
    if pair >= 0:
        before, after = state.before[at], state.after[at]
        if after != NOWHERE:
            state.before[after] = before
        if before != NOWHERE:
            state.after[before] = after
        else:
            state.heads[pair] = np.int64(after)
        state.totals[pair] -= state.counts[at]


@kernel
def _places(state: _State, pair: np.int64) -> NDArray[np.int64]:
    """Where a pair begins; in order if it may overlap itself."""
    number, at = 0, state.heads[pair]
    while at != NOWHERE:
        number, at = number + 1, np.int64(state.after[at])
    places, at = np.empty(number, np.int64), state.heads[pair]
    for number in range(len(places)):
        places[number] = at
        at = np.int64(state.after[at])
    if pair >> 32 == pair & _RIGHT:
        places.sort()
    return places


@kernel
def _same(state: _State, known: dict[np.int64, np.int64], new: int) -> int:
    """The token that has the bytes of the new one: itself, if none before it has."""
    start, size = state.examples[new], state.sizes[new]
    key = np.int64(size)
    for byte in state.data[start : start + size]:
        key = key * _BASE + np.int64(byte)
    while key in known:
        other = known[key]
        begin = state.examples[other]
        if state.sizes[other] == size and np.array_equal(
            state.data[begin : begin + size], state.data[start : start + size]
        ):
            return int(other)
        key += np.int64(1)
    known[key] = np.int64(new)
    return new


@kernel
def _merge(state: _State, places: NDArray[np.int64], pair: np.int64, token: int) -> NDArray[np.int64]:
    """Make one token of a pair in all its places; returns the pairs that this makes, sorted, some twice."""
    left, right = pair >> 32, pair & _RIGHT
    grown, number = np.empty(2 * len(places), np.int64), 0
    cells, sizes, free = state.cells, state.sizes, np.int64(0)
    for at in places:
        if left == right and at < free:  # in "aaa" the second pair begins within the first
            continue
        middle = at + sizes[left]
        free = middle + sizes[right]
        previous = at - sizes[cells[at - 1]] if cells[at - 1] != WALL else np.int64(NOWHERE)
        if previous != NOWHERE:
            _unlink(state, previous)
        _unlink(state, at)
        _unlink(state, middle)
        cells[at] = cells[free - 1] = token
        for place in (previous, at):
            made = _link(state, place) if place != NOWHERE else np.int64(-1)
            if made >= 0:
                grown[number], number = made, number + 1
    return np.sort(grown[:number])
