"""The one word splitter: Arrow text -> a 64-bit hash and a byte span for every word, without a Python string.

A unit is what every count of words counts: features, shingles, heuristics and 13-grams are arithmetic on these arrays.

* Scripts that put spaces between words: a run of letters, digits and their combining marks is one unit.
* Scripts that do not (Han, kana, Thai, Lao, Khmer, Myanmar, …): each letter with its combining marks is one unit.
* An apostrophe between two letters belongs to the word and not to its hash: "don't" and "dont" are one unit and equal
  (GPT-3, appendix C: words without punctuation).
* Format characters (joiners, soft hyphens, variation selectors, byte order marks) neither break a word nor enter its hash.
* Everything else separates, and so does every byte that is not UTF-8.

Letters enter the hash by their simple case folding. Which letter is what comes from `unicode.npz`, not from the
running Python, whose Unicode version may differ: the same text has the same units everywhere.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel

# What a code point is. A table entry is this in the top byte and the folded code point below.
SEPARATOR, LETTER, DIGIT, SIGN, MARK, IGNORED, APOSTROPHE = range(7)

CODE_POINTS = 0x110000
_CLASS_SHIFT = np.uint32(24)
_CODE_POINT = np.uint32(0xFFFFFF)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_ONE_BYTE = np.uint8(0x80)

# What a character does to the unit before it.
_CLOSE, _OPEN, _JOIN, _WAIT, _PASS = range(5)


def _moves() -> NDArray[np.uint8]:
    m = np.full((7, 7), _CLOSE, np.uint8)
    m[:, IGNORED] = _PASS
    m[:, LETTER] = m[:, DIGIT] = m[:, SIGN] = _OPEN
    m[LETTER, [LETTER, DIGIT, MARK]] = _JOIN
    m[DIGIT, [LETTER, DIGIT, MARK]] = _JOIN
    m[SIGN, MARK] = _JOIN
    m[LETTER, APOSTROPHE] = _WAIT
    m[APOSTROPHE, LETTER] = _JOIN
    return m


_MOVES = _moves()


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
    spans = [_text_spans(chunk) for chunk in chunks]
    # A unit takes a byte and a separator, or the three bytes of a sign: never more than half the bytes. The memory
    # that the units do not need is never touched, so it is never really taken.
    room = sum(int(((ends - begins + 1) // 2).sum()) for _, begins, ends in spans)
    hashes = np.empty(room, np.uint64)
    starts, ends_of_units = np.empty(room, np.int32), np.empty(room, np.int32)
    offsets = np.zeros(len(texts) + 1, np.int64)
    document = 0
    for data, begins, ends in spans:
        rows = offsets[document : document + len(begins) + 1]
        _split(data, begins, ends, _tables(), (hashes, starts, ends_of_units, rows))
        document += len(begins)
    count = int(offsets[-1])
    return Words(hashes[:count], starts[:count], ends_of_units[:count], offsets)


def _text_spans(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The buffer of one Arrow array and where each of its texts begins and ends in it; a null text is empty."""
    if pa.types.is_large_string(texts.type):
        width: Any = np.int64
    elif pa.types.is_string(texts.type):
        width = np.int32
    else:
        raise TypeError(f"words() reads string or large_string, not {texts.type}")
    if len(texts) == 0:
        return np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64)
    _, positions, bytes_ = texts.buffers()
    data = np.empty(0, np.uint8) if bytes_ is None else np.frombuffer(bytes_, np.uint8)
    bounds = np.frombuffer(positions, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    begins, ends = bounds[:-1], bounds[1:]
    if texts.null_count:
        ends = np.where(texts.is_valid().to_numpy(zero_copy_only=False), ends, begins)
    return data, begins, ends


@cache
def _tables():
    t = _table()
    a = np.zeros(256, np.uint8)
    k = t[:128] >> _CLASS_SHIFT
    a[:128] = np.where(k == LETTER, t[:128], 0)
    return t, a


@cache
def _table() -> NDArray[np.uint32]:
    """Class and simple case folding of every code point, unpacked from `unicode.npz`."""
    with np.load(Path(__file__).with_name("unicode.npz")) as packed:
        lengths = np.diff(packed["class_starts"], append=CODE_POINTS)
        classes = np.repeat(packed["classes"].astype(np.uint32), lengths)
        folded = np.arange(CODE_POINTS, dtype=np.uint32)
        folded[packed["fold_from"]] = packed["fold_to"]
    table = (classes << _CLASS_SHIFT) | folded
    table.flags.writeable = False
    return table


def unicode_version() -> str:
    """The version of Unicode that the tables were made from."""
    with np.load(Path(__file__).with_name("unicode.npz")) as packed:
        return str(packed["version"])


@kernel
def _decode(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """The code point at a byte >= 0x80 and its width; (0, 1), a separator, where the bytes are not UTF-8."""
    lead = np.int64(data[at])
    if lead < 0xC2 or lead > 0xF4:
        return 0, 1
    width = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    if at + width > end:
        return 0, 1
    code = lead & (0x7F >> width)
    for k in range(1, width):
        byte = np.int64(data[at + k])
        if byte & 0xC0 != 0x80:
            return 0, 1
        code = (code << 6) | (byte & 0x3F)
    if width == 3 and (code < 0x800 or 0xD800 <= code < 0xE000):
        return 0, 1
    if width == 4 and (code < 0x10000 or code > 0x10FFFF):
        return 0, 1
    return code, width


@kernel
def finalize(state: np.uint64) -> np.uint64:
    """Spread every bit of `state` over all 64: a bijection (xor-shift-multiply, three rounds)."""
    state ^= state >> np.uint64(32)
    state *= np.uint64(0xE9846AF9B1A615D5)
    state ^= state >> np.uint64(32)
    state *= np.uint64(0xE9846AF9B1A615D5)
    return state ^ (state >> np.uint64(28))


@kernel
def _split(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    tables: tuple[NDArray[np.uint32], NDArray[np.uint8]],
    out: tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Write the units of each text; `offsets[0]` says where the first one goes."""
    table, ascii_words = tables
    hashes, unit_starts, unit_ends, offsets = out
    unit = offsets[0]
    for document in range(len(begins)):
        begin, end = begins[document], ends[document]
        at, start, stop = begin, begin, begin
        state, digest = SEPARATOR, _SEED
        while at < end:
            byte = data[at]
            if byte < _ONE_BYTE:
                entry, width = table[byte], 1
            else:
                code, width = _decode(data, at, end)
                entry = table[code]
            kind = np.int64(entry >> _CLASS_SHIFT)
            move = _MOVES[state, kind]
            at += width
            if move == _PASS:
                continue
            if move == _WAIT:
                state = APOSTROPHE
                continue
            if move != _JOIN:
                if state != SEPARATOR:
                    hashes[unit] = finalize(digest)
                    unit_starts[unit] = start - begin
                    unit_ends[unit] = stop - begin
                    unit += 1
                if move == _CLOSE:
                    state = SEPARATOR
                    continue
                start = at - width
                digest = _SEED
            if kind != MARK:
                state = kind
            digest = (digest ^ np.uint64(entry & _CODE_POINT)) * _MULTIPLIER
            if kind == LETTER:
                while at < end:
                    folded = ascii_words[data[at]]
                    if folded == 0:
                        break
                    digest = (digest ^ np.uint64(folded)) * _MULTIPLIER
                    at += 1
            stop = at
        if state != SEPARATOR:
            hashes[unit] = finalize(digest)
            unit_starts[unit] = start - begin
            unit_ends[unit] = stop - begin
            unit += 1
        offsets[document + 1] = unit
