"""The one word splitter: Arrow text -> a 64-bit hash and a byte span for every word, without a Python string.

A unit is what every count of words counts: features, shingles, heuristics and 13-grams are arithmetic on it.

* Scripts that put spaces between words: a run of letters, digits and their combining marks is one unit.
* Scripts that do not (Han, kana, Thai, Lao, Khmer, Myanmar, …): each letter with its combining marks is one.
* An apostrophe between two letters belongs to the word and not to its hash: "don't" is one unit, equal to
  "dont" (GPT-3, appendix C: words without punctuation).
* Format characters (joiners, soft hyphens, variation selectors, byte order marks) neither break a word nor
  enter its hash.
* Everything else separates, and so does every byte that is not UTF-8.

Letters enter the hash by their simple case folding. Which character is what comes from `unicode.npz`, not
from the running Python, whose Unicode version may differ: the same text has the same units everywhere.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import lean

# What a character is. A table entry is this in the top byte and the folded code point below.
SEPARATOR, LETTER, DIGIT, SIGN, MARK, IGNORED, APOSTROPHE = range(7)  # a sign is one unit by itself
CODE_POINTS = 0x110000
_CLASS_SHIFT = np.uint32(24)
_CODE_POINT = np.uint32(0xFFFFFF)

# What a character does to the unit in the making: close it, open another, join it, keep it waiting, nothing.
# Row: the unit's last character, SEPARATOR for no unit, APOSTROPHE for one that waits for a letter after it.
_CLOSE, _OPEN, _JOIN, _WAIT, _PASS = range(5)
_MOVES = np.full((7, 7), _CLOSE, np.uint8)
_MOVES[:, IGNORED] = _PASS
_MOVES[:, [LETTER, DIGIT, SIGN]] = _OPEN
_MOVES[[LETTER, DIGIT], LETTER] = _JOIN
_MOVES[[LETTER, DIGIT], DIGIT] = _JOIN
_MOVES[[LETTER, DIGIT, SIGN], MARK] = _JOIN
_MOVES[LETTER, APOSTROPHE] = _WAIT
_MOVES[APOSTROPHE, LETTER] = _JOIN

_EVERY = np.uint64(0x0101010101010101)  # times a byte: that byte in all eight lanes
_HIGH = _EVERY * np.uint64(0x80)
_LOW = _EVERY * np.uint64(0x7F)
_LOWERCASE = _EVERY * np.uint64(0x20)
_APOSTROPHE = np.uint8(0x27)
_WIDE = np.uint64(
    0x800000
)  # a code point beyond ASCII enters a hash as three bytes, the last of them >= 0x80
_SEED = np.uint64(0x9E3779B97F4A7C15)


class Words(NamedTuple):
    """The units of a batch of texts, one document after another."""

    hashes: NDArray[np.uint64]  # one per unit; equal for equal words, wherever they stand
    starts: NDArray[np.int32]  # byte where the unit begins in its document's text
    ends: NDArray[np.int32]  # byte where it ends
    offsets: NDArray[np.int64]  # document d owns units offsets[d]:offsets[d + 1]


def words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """Split `string` or `large_string` texts, sliced or chunked at will; a null text has no units.

    Raises TypeError for any other type.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    located = [locate(chunk) for chunk in chunks]
    # A unit takes a byte and a separator, or the three bytes of a sign: never more than half the bytes. What
    # the units do not need is never touched, so the system never hands it out.
    room = sum(int(((ends - begins + 1) // 2).sum()) for _, begins, ends in located)
    units = Words(
        hashes=np.empty(room + 1, np.uint64),
        starts=np.empty(room + 1, np.int32),
        ends=np.empty(room + 1, np.int32),
        offsets=np.zeros(len(texts) + 1, np.int64),
    )
    document = 0
    for data, begins, ends in located:
        offsets = units.offsets[document : document + len(begins) + 1]
        _split(data, begins, ends, character_table(), units._replace(offsets=offsets))
        document += len(begins)
    count = int(units.offsets[-1])
    return Words(units.hashes[:count], units.starts[:count], units.ends[:count], units.offsets)


def unicode_version() -> str:
    """The version of Unicode that the tables were made from."""
    with np.load(Path(__file__).with_name("unicode.npz")) as packed:
        return str(packed["version"])


@cache
def character_table() -> NDArray[np.uint32]:
    """Class and folded code point of every code point, unpacked from `unicode.npz`."""
    with np.load(Path(__file__).with_name("unicode.npz")) as packed:
        lengths = np.diff(packed["class_starts"], append=CODE_POINTS)
        classes = np.repeat(packed["classes"].astype(np.uint32), lengths)
        folded = np.arange(CODE_POINTS, dtype=np.uint32)
        folded[packed["fold_from"]] = packed["fold_to"]
    return (classes << _CLASS_SHIFT) | folded


def locate(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The bytes behind one Arrow array, and where each text begins and ends in them; a null text is empty."""
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise TypeError(f"words() reads string or large_string, not {texts.type}")
    if len(texts) == 0:
        return np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64)
    width: Any = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, positions, content = texts.buffers()
    data = np.empty(0, np.uint8) if content is None else np.frombuffer(content, np.uint8)
    bounds = np.frombuffer(positions, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    begins, ends = bounds[:-1], bounds[1:]
    if texts.null_count:
        ends = np.where(texts.is_valid().to_numpy(zero_copy_only=False), ends, begins)
    return data, begins, ends


@lean
def finalize(state: np.uint64) -> np.uint64:
    """Spread every bit of `state` over all 64: a bijection of three xor-shifts and two multiplications."""
    state ^= state >> np.uint64(32)
    state *= np.uint64(0xE9846AF9B1A615D5)
    state ^= state >> np.uint64(32)
    state *= np.uint64(0xE9846AF9B1A615D5)
    return state ^ (state >> np.uint64(28))


@lean
def decode(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """The code point at `at` and its width; (0, 1), a separator, at the end and where it is not UTF-8."""
    if at == end:
        return 0, 1
    lead = int(np.int64(data[at]))
    if lead < 0x80:
        return lead, 1
    if lead < 0xC2 or lead > 0xF4:
        return 0, 1
    width = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    if at + width > end:
        return 0, 1
    code = lead & (0x7F >> width)
    for k in range(1, width):
        byte = int(np.int64(data[at + k]))
        if byte & 0xC0 != 0x80:
            return 0, 1
        code = (code << 6) | (byte & 0x3F)
    if width == 3 and (code < 0x800 or 0xD800 <= code < 0xE000):
        return 0, 1
    if width == 4 and (code < 0x10000 or code > 0x10FFFF):
        return 0, 1
    return code, width


@lean
def eight(data: NDArray[np.uint8], at: int) -> np.uint64:
    """The eight bytes at `at` as one number, the first of them its lowest."""
    block = np.uint64(0)
    for lane in range(8):
        block |= np.uint64(data[np.uint64(at) + np.uint64(lane)]) << np.uint64(8 * lane)
    return block


@lean
def _ascii_run(data: NDArray[np.uint8], at: int) -> tuple[np.uint64, int]:
    """The ASCII letters and digits that lead the eight bytes at `at`, in lower case, and how many."""
    block = eight(data, at)
    # Adding to the low seven bits of a lane carries into its eighth from a chosen character upwards.
    low = block & _LOW
    letter = low | _LOWERCASE
    is_letter = (letter + _EVERY * np.uint64(0x80 - 0x61)) & ~(letter + _EVERY * np.uint64(0x80 - 0x7B))
    is_digit = (low + _EVERY * np.uint64(0x80 - 0x30)) & ~(low + _EVERY * np.uint64(0x80 - 0x3A))
    others = ~((is_letter | is_digit) & ~block) & _HIGH
    first = others & (~others + np.uint64(1))
    run = (first >> np.uint64(7)) - np.uint64(1)
    return letter & run, int(np.int64(((run & _EVERY) * _EVERY) >> np.uint64(56)))


@lean
def _absorb(
    state: tuple[np.uint64, np.uint64, int], piece: np.uint64, width: int
) -> tuple[np.uint64, np.uint64, int]:
    """Add `width` bytes to a hash in the making: (digest of its full blocks, open block, bytes in that)."""
    digest, block, filled = state
    block |= piece << np.uint64(8 * filled)
    if filled + width >= 8:
        digest = finalize(digest ^ block)
        block = (piece >> np.uint64(8)) >> np.uint64(56 - 8 * filled)
        width -= 8
    return digest, block, filled + width


@lean
def _write(units: Words, unit: int, state: tuple[np.uint64, np.uint64, int], start: int, stop: int) -> None:
    """Finish a unit. The number of bytes in the open block, at most seven, goes into its eighth byte."""
    digest, block, filled = state
    units.hashes[unit] = finalize(digest ^ block ^ (np.uint64(filled) << np.uint64(56)))
    units.starts[unit] = start
    units.ends[unit] = stop


@lean
def _split(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    table: NDArray[np.uint32],
    units: Words,
) -> None:
    """Write the units of each text; `units.offsets[0]` says where the first one goes."""
    unit = units.offsets[0]
    for document in range(len(begins)):
        begin, end = begins[document], ends[document]
        at, start, stop = begin, begin, begin
        last = SEPARATOR
        state = (_SEED, np.uint64(0), 0)
        while at <= end:
            while last == SEPARATOR and at + 8 <= end:
                # The fast path: up to seven ASCII letters and digits before an ASCII separator.
                piece, width = _ascii_run(data, at)
                follower = data[at + width] if width < 8 else _APOSTROPHE
                if follower >= 0x80 or follower == _APOSTROPHE:
                    break
                # Written even where there is no word, to be written over by the next: cheaper than a branch.
                _write(units, unit, (_SEED, piece, width), at - begin, at + width - begin)
                unit += width > 0
                at += width + 1
            code, width = decode(data, at, end)
            folded = np.uint64(table[code] & _CODE_POINT)
            kind = int(np.int64(table[code] >> _CLASS_SHIFT))
            move = _MOVES[last, kind]
            if move <= _OPEN:
                if last != SEPARATOR:
                    _write(units, unit, state, start - begin, stop - begin)
                    unit += 1
                last = SEPARATOR
                start = at
                state = (_SEED, np.uint64(0), 0)
            if _OPEN <= move <= _JOIN:
                if code < 0x80 and at + 8 <= end:
                    piece, width = _ascii_run(data, at)
                    state = _absorb(state, piece, width)
                    last = LETTER if data[at + width - 1] >= 0x41 else DIGIT
                else:
                    if folded < np.uint64(0x80):
                        state = _absorb(state, folded, 1)
                    else:
                        state = _absorb(state, folded | _WIDE, 3)
                    last = last if kind == MARK else kind
                stop = at + width
            elif move == _WAIT:
                last = APOSTROPHE
            at += width
        units.offsets[document + 1] = unit
