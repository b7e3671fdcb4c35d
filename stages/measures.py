"""What the text of each block is like: how long, how linked, how it begins and ends; no feature knows a word.

Lengths are the same in every script as far as one may count: a word of a script without spaces is taken for
two
Han or kana characters, or five Thai letters.
"""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import LINKED, TEXT, TEXT_END, Page
from stages.scan import BLANK, CLASSES, DIGIT, LOWER, UPPER, Bytes, byte_at

# Columns: words in tenths, characters (one of a script without spaces is three), both inside links,
# characters in
# bold, words that begin with a capital, digits, commas, ends of sentences, colons, bars, first and last
# character,
# hash of the letters.
(WORDS, CHARACTERS, LINK_WORDS, LINK_CHARACTERS, BOLD_CHARACTERS, CAPITALS, DIGITS, COMMAS, SENTENCES,
COLONS, BARS,
 FIRST, LAST, HASH) = range(14)  # fmt: skip
# Kinds of first and last characters.
OTHER, CAPITAL, SMALL, NUMERAL, LETTER = range(5)
STOP, COLON = 1, 2

Measures = NDArray[np.int32]

_SYMBOL, _WORD, _WIDE, _NARROW = range(
    4
)  # what a character is: punctuation, a letter, Han or kana, Thai or Khmer
_COMMA, _STOP, _COLON, _BAR, _CLOSER = range(1, 6)  # what punctuation is


def measure(page: Page) -> Measures:
    """A row for each block."""
    out = np.zeros((len(page.blocks), 14), np.int32)
    _fill(page, CLASSES, out)
    return out


@lean
def _fill(page: Page, classes: Bytes, out: Measures) -> None:
    mark = 0
    for row in range(len(page.blocks)):
        start, end = page.blocks[row, TEXT], page.blocks[row, TEXT_END]
        _measure(page.text, start, end, classes, out[row])
        while mark < len(page.marks) and page.marks[mark, 1] < end:
            which, first, last = page.marks[mark]
            if which == LINKED:
                words, characters = _lengths(page.text, first, min(last, end), classes)
                out[row, LINK_WORDS] += words
                out[row, LINK_CHARACTERS] += characters
            else:
                out[row, BOLD_CHARACTERS] += _lengths(page.text, first, min(last, end), classes)[1]
            mark += 1


@lean
def _measure(text: Bytes, at: int, end: int, classes: Bytes, m: Measures) -> None:
    """Fill in one block's row."""
    value = np.uint32(2166136261)
    inside = False
    first = -1
    last = OTHER
    while at < end:
        kind, width, mark = _character(text, at, classes)
        byte = text[at]
        if kind == _SYMBOL:
            m[CHARACTERS] += 1
            inside = inside and byte == 39  # don't
            if mark == _STOP and byte == 46 and at + 1 < end and not _after_stop(text, at + 1, classes):
                mark = 0  # 3.14, example.org
            m[COMMAS] += mark == _COMMA
            m[SENTENCES] += mark == _STOP
            m[COLONS] += mark == _COLON
            m[BARS] += mark == _BAR
            if mark != _CLOSER and not classes[byte] & BLANK:
                last = STOP if mark == _STOP else COLON if mark == _COLON else OTHER
                first = OTHER if first < 0 else first
        else:
            for place in range(at, min(at + width, end)):
                value = np.uint32((value ^ np.uint32(text[place])) * np.uint32(16777619))
            case = _case(text, at, classes)
            if kind == _WORD:
                m[CHARACTERS] += 1
                m[WORDS] += 0 if inside else 10
                m[CAPITALS] += 0 if inside else case == CAPITAL
            else:
                m[CHARACTERS] += 3 if kind == _WIDE else 1
                m[WORDS] += 5 if kind == _WIDE else 2
            inside = kind == _WORD
            m[DIGITS] += case == NUMERAL
            first = case if first < 0 else first
            last = NUMERAL if case == NUMERAL else OTHER
        at += width
    m[FIRST], m[LAST], m[HASH] = first, last, np.int32(value)


@lean
def _lengths(text: Bytes, at: int, end: int, classes: Bytes) -> tuple[int, int]:
    """(words in tenths, characters) of a stretch of text."""
    words = characters = 0
    inside = False
    while at < end:
        kind, width, _ = _character(text, at, classes)
        characters += 3 if kind == _WIDE else 1
        if kind == _WORD:
            words += 0 if inside else 10
        elif kind != _SYMBOL:
            words += 5 if kind == _WIDE else 2
        inside = kind == _WORD or (inside and text[at] == 39)
        at += width
    return words, characters


@lean
def _after_stop(text: Bytes, at: int, classes: Bytes) -> bool:
    """Whether what follows a full stop lets it end a sentence."""
    return bool(classes[text[at]] & BLANK or text[at] in (34, 39, 41, 93) or text[at] >= 0xE2)


@lean
def _character(text: Bytes, at: int, classes: Bytes) -> tuple[int, int, int]:
    """(what the character here is, its bytes, what it is as punctuation)."""
    byte = np.int64(text[at])
    if byte < 0x80:
        if classes[byte] & (UPPER | LOWER | DIGIT):
            return _WORD, 1, 0
        if byte in (44, 59):
            return _SYMBOL, 1, _COMMA
        if byte in (46, 33, 63):
            return _SYMBOL, 1, _STOP
        if byte == 58:
            return _SYMBOL, 1, _COLON
        if byte == 124:
            return _SYMBOL, 1, _BAR
        return _SYMBOL, 1, _CLOSER if byte in (34, 39, 41, 93) else 0
    second, third = byte_at(text, at + 1), byte_at(text, at + 2)
    if byte < 0xE0:
        if byte == 0xC2:
            return _SYMBOL, 2, _CLOSER if second == 0xBB else 0
        if byte == 0xD8 and second in (0x8C, 0x9B, 0x9F):  # Arabic comma, semicolon, question mark
            return _SYMBOL, 2, _STOP if second == 0x9F else _COMMA
        return _WORD, 2, 0
    if byte >= 0xF0:
        return (_WIDE if second == 0xA0 and byte == 0xF0 else _SYMBOL), 4, 0
    return _three_bytes(byte, second, third)


@lean
def _three_bytes(byte: np.int64, second: np.int64, third: np.int64) -> tuple[int, int, int]:
    """The same of a character of three bytes."""
    if byte == 0xE3 and second == 0x80:  # CJK punctuation
        mark = (
            _COMMA if third == 0x81 else _STOP if third == 0x82 else _CLOSER if third in (0x8D, 0x8F) else 0
        )
        return _SYMBOL, 3, mark
    if (
        byte == 0xEF and second == 0xBC and third <= 0x9F and not 0x90 <= third <= 0x99
    ):  # full-width punctuation
        mark = _COMMA if third in (0x8C, 0x9B) else _STOP if third in (0x81, 0x8E, 0x9F) else 0
        return _SYMBOL, 3, _COLON if third == 0x9A else mark
    if byte == 0xE2:
        return _SYMBOL, 3, _CLOSER if second == 0x80 and third in (0x99, 0x9D) else 0
    if byte == 0xE0:
        if second in (0xB8, 0xB9, 0xBA, 0xBB):  # Thai, Lao
            return _NARROW, 3, 0
        if second == 0xA5 and third in (0xA4, 0xA5):  # the Indian danda
            return _SYMBOL, 3, _STOP
        return _WORD, 3, 0
    if byte == 0xE1:
        return _NARROW if second in (0x80, 0x81, 0x82, 0x9E, 0x9F) else _WORD, 3, 0  # Myanmar, Khmer
    return (_WIDE if 0xE3 <= byte <= 0xED else _WORD), 3, 0


@lean
def _case(text: Bytes, at: int, classes: Bytes) -> int:
    """Whether a letter is a capital or small, a numeral, or of a script that knows no case."""
    byte = np.int64(text[at])
    if byte < 0x80:
        kind = classes[byte]
        return CAPITAL if kind & UPPER else NUMERAL if kind & DIGIT else SMALL
    second = byte_at(text, at + 1)
    if byte == 0xC3:
        return CAPITAL if second < 0x9F else SMALL
    if byte == 0xCE:
        return CAPITAL if second < 0xAA else SMALL
    if byte == 0xD0:
        return CAPITAL if second < 0xB0 else SMALL
    return SMALL if 0xC4 <= byte <= 0xD4 else LETTER
