"""What the text of each block is like: how long, how linked, how it begins and ends; no feature knows a word.

Lengths are the same in every script as far as one may count: two Han or kana characters, or five Thai
letters, are taken for a word.
"""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import LINKED, TEXT, TEXT_END, Page
from stages.markup import Table
from stages.scan import BLANK, CLASSES, DIGIT, LOWER, UPPER, Bytes, byte_at

# Columns: words in tenths, characters (a wide one is three), both inside links, characters in bold, words
# that begin with a capital, digits, commas, ends of sentences, colons, bars, first and last character, hash
# of the letters.
(WORDS, CHARACTERS, LINK_WORDS, LINK_CHARACTERS, BOLD_CHARACTERS, CAPITALS, DIGITS, COMMAS, SENTENCES,
 COLONS, BARS, FIRST, LAST, HASH) = range(14)  # fmt: skip
# Kinds of first and last characters.
OTHER, CAPITAL, SMALL, NUMERAL, LETTER = range(5)
STOP, COLON = 1, 2

Measures = NDArray[np.int32]

# A character as one number: its bytes, what it is (punctuation, a letter, Han or kana, Thai or Khmer), its
# case if it is a letter, what it is as punctuation.
_WIDTH = 7  # mask
_SYMBOL, _WORD, _WIDE, _NARROW = (kind << 3 for kind in range(4))
_KIND = 3 << 3
_CASE = 5  # place
_COMMA, _STOP, _COLON, _BAR, _CLOSER, _SPACE = (1 << bit for bit in range(8, 14))
_MARK = _COMMA | _STOP | _COLON | _BAR | _CLOSER | _SPACE
_TENTHS = np.array([0, 10, 5, 2], np.int32)  # of a word, in a character of each kind
_LENGTHS = np.array([1, 1, 3, 1], np.int32)


def _ascii() -> Table:
    """The characters of one byte."""
    table = np.ones(128, np.int32)
    for kinds, case in ((UPPER, CAPITAL), (LOWER, SMALL), (DIGIT, NUMERAL)):
        table[CLASSES[:128] & kinds > 0] |= _WORD | case << _CASE
    for marks, what in ((b",;", _COMMA), (b".!?", _STOP), (b":", _COLON), (b"|", _BAR), (b"\"')]", _CLOSER)):
        table[list(marks)] |= what
    table[CLASSES[:128] & BLANK > 0] |= _SPACE
    return table


_ASCII = _ascii()
_PRIME = np.uint32(16777619)


def measure(page: Page) -> Measures:
    """A row for each block."""
    out = np.zeros((len(page.blocks), 14), np.int32)
    _fill(page, _ASCII, out)
    return out


@lean
def _fill(page: Page, table: Table, out: Measures) -> None:
    mark = 0
    for row in range(len(page.blocks)):
        start, end = page.blocks[row, TEXT], page.blocks[row, TEXT_END]
        _measure(page.text, start, end, table, out[row])
        while mark < len(page.marks) and page.marks[mark, 1] < end:
            which, first, last = page.marks[mark]
            words, characters = _lengths(page.text, first, min(last, end), table)
            if which == LINKED:
                out[row, LINK_WORDS] += words
                out[row, LINK_CHARACTERS] += characters
            else:
                out[row, BOLD_CHARACTERS] += characters
            mark += 1


@lean
def _measure(text: Bytes, at: int, end: int, table: Table, m: Measures) -> None:
    """Fill in one block's row."""
    value = np.uint32(2166136261)
    words = characters = capitals = digits = commas = stops = colons = bars = 0
    inside = False
    first, last = -1, OTHER
    while at < end:
        byte = text[at]
        what = int(table[byte]) if byte < 0x80 else _beyond_ascii(text, at)
        kind = what & _KIND
        if kind == _SYMBOL:
            inside = inside and byte == 39  # don't
            characters += 1
            at += what & _WIDTH
            if what & _MARK:
                if byte == 46 and at < end and not _after_stop(text[at]):
                    what ^= _STOP  # 3.14, example.org
                commas += what & _COMMA > 0
                stops += what & _STOP > 0
                colons += what & _COLON > 0
                bars += what & _BAR > 0
            if not what & (_CLOSER | _SPACE):
                last = STOP if what & _STOP else COLON if what & _COLON else OTHER
                first = OTHER if first < 0 else first
            continue
        case = what >> _CASE & 7
        first = case if first < 0 else first
        if not (inside and kind == _WORD):
            words += int(_TENTHS[kind >> 3])
            capitals += case == CAPITAL
        inside = kind == _WORD
        characters += int(_LENGTHS[kind >> 3])
        digits += case == NUMERAL
        for _ in range(min(what & _WIDTH, end - at)):
            value = np.uint32((value ^ np.uint32(text[at])) * _PRIME)
            at += 1
        while inside and at < end and text[at] < 0x80 and table[text[at]] & _KIND == _WORD:
            case = int(table[text[at]]) >> _CASE & 7
            value = np.uint32((value ^ np.uint32(text[at])) * _PRIME)
            characters += 1
            digits += case == NUMERAL
            at += 1
        last = NUMERAL if case == NUMERAL else OTHER
    m[WORDS], m[CHARACTERS], m[CAPITALS], m[DIGITS] = words, characters, capitals, digits
    m[COMMAS], m[SENTENCES], m[COLONS], m[BARS] = commas, stops, colons, bars
    m[FIRST], m[LAST], m[HASH] = first, last, np.int32(value)


@lean
def _lengths(text: Bytes, at: int, end: int, table: Table) -> tuple[int, int]:
    """(words in tenths, characters) of a stretch of text."""
    words = characters = 0
    inside = False
    while at < end:
        byte = text[at]
        what = int(table[byte]) if byte < 0x80 else _beyond_ascii(text, at)
        kind = what & _KIND
        characters += int(_LENGTHS[kind >> 3])
        if not (inside and kind == _WORD):
            words += int(_TENTHS[kind >> 3])
        inside = kind == _WORD or (inside and byte == 39)
        at += what & _WIDTH
        while inside and at < end and text[at] < 0x80 and table[text[at]] & _KIND == _WORD:
            characters += 1
            at += 1
    return words, characters


@lean
def _after_stop(byte: int) -> bool:
    """Whether what follows a full stop lets it end a sentence: white space, a closing quote or bracket."""
    return byte <= 32 or byte in (34, 39, 41, 93) or byte >= 0xE2


@lean
def _beyond_ascii(text: Bytes, at: int) -> int:
    """The character of several bytes that is here."""
    byte, second, third = np.int64(text[at]), byte_at(text, at + 1), byte_at(text, at + 2)
    if byte >= 0xF0:
        return 4 | (_WIDE | LETTER << _CASE if second == 0xA0 and byte == 0xF0 else _SYMBOL)
    if byte >= 0xE0:
        return 3 | _three_bytes(byte, second, third)
    if byte == 0xC2:
        return 2 | (_CLOSER if second == 0xBB else 0)
    if byte == 0xD8 and second in (0x8C, 0x9B, 0x9F):  # Arabic comma, semicolon, question mark
        return 2 | (_STOP if second == 0x9F else _COMMA)
    return 2 | _WORD | _case(byte, second) << _CASE


@lean
def _three_bytes(byte: np.int64, second: np.int64, third: np.int64) -> int:
    """The same of a character of three bytes."""
    if byte == 0xE3 and second == 0x80:  # CJK punctuation
        if third == 0x81:
            return _COMMA
        return _STOP if third == 0x82 else _CLOSER if third in (0x8D, 0x8F) else 0
    if byte == 0xEF and second == 0xBC and third <= 0x9F and not 0x90 <= third <= 0x99:  # full width
        if third in (0x8C, 0x9B):
            return _COMMA
        return _STOP if third in (0x81, 0x8E, 0x9F) else _COLON if third == 0x9A else 0
    if byte == 0xE2:
        return _CLOSER if second == 0x80 and third in (0x99, 0x9D) else 0
    if byte == 0xE0 and second == 0xA5 and third in (0xA4, 0xA5):  # the Indian danda
        return _STOP
    thai = byte == 0xE0 and second in (0xB8, 0xB9, 0xBA, 0xBB)  # or Lao
    if thai or (byte == 0xE1 and second in (0x80, 0x81, 0x82, 0x9E, 0x9F)):  # Myanmar, Khmer
        return _NARROW | LETTER << _CASE
    return (_WIDE if 0xE3 <= byte <= 0xED else _WORD) | LETTER << _CASE


@lean
def _case(byte: np.int64, second: np.int64) -> int:
    """Whether a letter of two bytes is a capital or small, or of a script that knows no case."""
    if byte == 0xC3:
        return CAPITAL if second < 0x9F else SMALL
    if byte == 0xCE:
        return CAPITAL if second < 0xAA else SMALL
    if byte == 0xD0:
        return CAPITAL if second < 0xB0 else SMALL
    return SMALL if 0xC4 <= byte <= 0xD4 else LETTER
