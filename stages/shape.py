"""What kind of words a text has, so that rules made for English judge other scripts by the words they have.

A unit of `classifiers/words.py` is a word where words are written apart, a single sign where they are not: a
Chinese or Japanese word has 1.6 signs, a Thai, Lao, Khmer or Burmese one 3.2 (letters with their marks).
Counts of words weigh signs accordingly, in sixteenths of a word.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import lean
from classifiers.words import LETTER, MARK, SIGN, Words, character_table, decode, locate
from stages.scan import block_at, characters

# How words are written: with spaces; in Han, kana and the like; in the alphabets without spaces.
APART, IDEOGRAPH, SOUTHERN = range(3)
WEIGHTS = np.array([16, 10, 5], np.uint8)  # of a unit, in sixteenths of a word
_CLASS_SHIFT = np.uint32(24)
_HIGH = np.uint64(0x8080808080808080)  # set in bytes beyond ASCII
_LETTER = np.uint64(0x4040404040404040)  # set in the ASCII letters, and neither in digits nor in apostrophes


class Shape(NamedTuple):
    """The words of a batch as a reader counts them."""

    weights: NDArray[np.uint8]  # of each unit, in sixteenths of a word
    units: NDArray[np.int64]  # row: document; columns: units written APART, IDEOGRAPH, SOUTHERN
    letters: NDArray[np.int64]  # in the units written apart, of each document
    alphabetic: NDArray[np.int64]  # units with a letter, of each document
    latin: NDArray[np.int64]  # units that begin with a Latin letter or a digit, of each document
    characters: NDArray[np.int64]  # of each document

    @property
    def words(self) -> NDArray[np.int64]:
        """Words of each document, rounded down."""
        found: NDArray[np.int64] = (self.units * WEIGHTS).sum(axis=1) // 16
        return found

    @property
    def script(self) -> NDArray[np.int64]:
        """What most of the units of each document are; the first of those that tie."""
        most: NDArray[np.int64] = np.argmax(self.units, axis=1)
        return most


def shape_of(texts: pa.Array, found: Words) -> Shape:
    """Look at each unit of `string` or `large_string` texts once."""
    rows, units = len(texts), len(found.hashes)
    shape = Shape(
        np.empty(units, np.uint8),
        np.zeros((rows, 3), np.int64),
        *(np.zeros(rows, np.int64) for _ in range(4)),
    )
    _measure(locate(texts), found, character_table(), shape)
    return shape


@lean
def letters_of(code: int) -> int:
    """How many letters a character is worth: an ideograph or kana three; two where it is most of a syllable
    (Hangul, Vai) or where units are syllables (Tibetan); others one."""
    if code < 0x0F00:
        return 1
    if code < 0x1000 or 0xA500 <= code < 0xA640 or 0xAC00 <= code < 0xD7A4:
        return 2
    return 3 if script_of(code) == IDEOGRAPH else 1


@lean
def script_of(code: int) -> int:
    """APART, IDEOGRAPH or SOUTHERN: how words are written in the block of a letter."""
    if code < 0x0E00 or 0xAC00 <= code < 0xD7A4:
        return APART
    if 0x2E80 <= code < 0xA4D0:
        return APART if 0x3130 <= code < 0x3190 else IDEOGRAPH
    if code < 0x0F00 or 0x1000 <= code < 0x10A0 or 0x1780 <= code < 0x1800 or 0x1950 <= code < 0x1AB0:
        return SOUTHERN
    if 0xF900 <= code < 0xFB00 or 0xFF66 <= code < 0xFFA0 or 0x1B000 <= code < 0x1B170:
        return IDEOGRAPH
    if 0x20000 <= code < 0x40000:
        return IDEOGRAPH
    return SOUTHERN if 0xA9E0 <= code < 0xAA00 or 0xAA60 <= code < 0xAAE0 else APART


@lean
def _measure(
    located: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    found: Words,
    table: NDArray[np.uint32],
    shape: Shape,
) -> None:
    data, begins, ends = located
    for document in range(len(begins)):
        begin = begins[document]
        letters = alphabetic = latin = 0
        for unit in range(found.offsets[document], found.offsets[document + 1]):
            start, stop = begin + found.starts[unit], begin + found.ends[unit]
            first = data[start]
            bits = _bits(data, start, stop) if first < 0x80 else _HIGH
            if bits & _HIGH == 0:
                kind, worth, has_letter = APART, stop - start, bits & _LETTER != 0
            elif 0xE4 <= first <= 0xE9:  # U+4000 to U+9FFF: Han
                kind, worth, has_letter = IDEOGRAPH, 0, True
            else:
                kind, worth, has_letter = _look(data, start, stop, table)
            shape.weights[unit] = WEIGHTS[kind]
            shape.units[document, kind] += 1
            letters += worth if kind == APART else 0
            alphabetic += has_letter
            latin += first < 0xCA
        shape.letters[document], shape.alphabetic[document] = letters, alphabetic
        shape.latin[document] = latin
        shape.characters[document] = characters(data, begin, ends[document])


@lean
def _bits(data: NDArray[np.uint8], at: int, end: int) -> np.uint64:
    """The bits that are set in any eighth byte."""
    bits = block_at(data, at, end)
    while at + 8 < end:
        at += 8
        bits |= block_at(data, at, end)
    return bits


@lean
def _look(data: NDArray[np.uint8], at: int, end: int, table: NDArray[np.uint32]) -> tuple[int, int, bool]:
    """How a unit is written; how many letters it is worth if that is APART; whether it has any."""
    letters, alphabetic = 0, False
    while at < end:
        code, width = decode(data, at, end)
        group = np.int64(table[code] >> _CLASS_SHIFT)
        if group == SIGN and script_of(code) != APART:
            return script_of(code), 0, True
        if group != MARK or code < 0x0B80 or code >= 0x0E00:  # long words of the Dravidian languages
            letters += letters_of(code)
        alphabetic = alphabetic or group in (LETTER, SIGN)
        at += width
    return APART, letters, alphabetic
