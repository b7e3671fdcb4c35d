"""Where a text may hold personal data: a kernel over Arrow's bytes that finds the few places worth a look.

A suspect is an '@' between words, "(at)", a run of seven or more digits with the separators that people
write between them, four numbers with dots, or the beginning of a global IPv6 address. Dates and years are
none. What a suspect really is, is decided by those who read the passage around it.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import decode, locate

AT, NUMBER, DOTTED, COLONS = 1, 2, 4, 8  # what a passage has: bits of its marks
BEFORE, AFTER = 192, 256  # bytes of a passage before its first suspect and after its last one
LEAST_DIGITS = 7
_LEAST_PASSAGE = 200  # bytes: shorter than any passage but those that end with their texts

# What a character is: a digit is its value.
_SEPARATOR, _DOT, _PLUS, _AT, _COLON, _OPENS, _LETTER, _OTHER = range(10, 18)
ZEROS = (  # the digit 0 of the scripts whose digits stand in web pages
    *(0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6),
    *(0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810, 0xFF10),
)
SPACES = (0x20, 0x09, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
DASHES = (0x2D, *range(0x2010, 0x2016), 0x2212, 0xFE63, 0xFF0D)
_KINDS = np.full(0x10000, _OTHER, np.uint8)
for _zero in ZEROS:
    _KINDS[_zero : _zero + 10] = np.arange(10)
_KINDS[[*SPACES, *DASHES, *map(ord, ")/（）／")]] = _SEPARATOR
_KINDS[[*map(ord, ".．")]] = _DOT
_KINDS[[*map(ord, "+＋")]] = _PLUS
_KINDS[[*map(ord, "@＠")]] = _AT
_KINDS[ord(":")] = _COLON
_KINDS[[*map(ord, "([{")]] = _OPENS
for _first, _last in ("AZ", "az"):
    _KINDS[ord(_first) : ord(_last) + 1] = _LETTER
_MOST_SEPARATORS = 3  # between two digits of one number
_DULL = np.array([kind in (_LETTER, _OTHER, _SEPARATOR, _DOT) for kind in _KINDS[:0x80]] + [False] * 0x80)


class Suspects(NamedTuple):
    """Passages with suspects in them, in order."""

    documents: NDArray[np.int64]  # row of the text
    starts: NDArray[np.int64]  # byte of the text where the passage begins, between two characters
    ends: NDArray[np.int64]  # byte where it ends
    marks: NDArray[np.uint8]  # AT | NUMBER | DOTTED | COLONS


def suspects(texts: pa.Array) -> Suspects:
    """Passages of `string` or `large_string` texts; suspects that are near to one another share one."""
    data, begins, ends = locate(texts)
    room = int(((ends - begins) // _LEAST_PASSAGE + 1).sum())
    rows, starts, stops = np.empty((3, room), np.int64)
    found = Suspects(rows, starts, stops, np.empty(room, np.uint8))
    number = _search(data, begins, ends, found)
    return Suspects(rows[:number], starts[:number], stops[:number], found.marks[:number])


@kernel
def _is_word(byte: np.uint8) -> bool:
    """Whether a byte may stand beside the '@' of an address: letters, digits, '_', '-', '+' and all else
    that is not ASCII."""
    lower = byte | np.uint8(0x20)
    return bool(
        (0x61 <= lower <= 0x7A) or (0x30 <= byte <= 0x39) or byte in (0x5F, 0x2D, 0x2B, 0x2E) or byte >= 0x80
    )


@kernel
def _is_at(data: NDArray[np.uint8], at: int, begin: int, end: int, width: int) -> bool:
    """Whether an '@' stands between words, or in brackets."""
    if at == begin or at + width >= end:
        return False
    before, after = data[at - 1], data[at + width]
    bracketed = before in (0x28, 0x5B, 0x7B) and after in (0x29, 0x5D, 0x7D)
    return bracketed or (_is_word(before) and _is_word(after))


@kernel
def _spells_at(data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether an opening bracket begins "(at)" or "[ AT ]"."""
    at += 1
    if at < end and data[at] == 0x20:
        at += 1
    if at + 2 >= end or data[at] | np.uint8(0x20) != 0x61 or data[at + 1] | np.uint8(0x20) != 0x74:
        return False
    at += 2
    if data[at] == 0x20:
        at += 1
    return at < end and data[at] in (0x29, 0x5D, 0x7D)


@kernel
def _is_hex(byte: np.uint8) -> bool:
    lower = byte | np.uint8(0x20)
    return bool((0x30 <= byte <= 0x39) or (0x61 <= lower <= 0x66))


@kernel
def _opens_ipv6(data: NDArray[np.uint8], at: int, begin: int, end: int) -> bool:
    """Whether a ':' ends the first group of a global unicast address (2000::/3)."""
    if at - begin < 4 or at + 1 >= end or data[at - 4] not in (0x32, 0x33):
        return False
    for k in range(1, 4):
        if not _is_hex(data[at - k]):
            return False
    return data[at + 1] == 0x3A or _is_hex(data[at + 1])


class _Run(NamedTuple):
    """A number in the making: digits with separators between them."""

    start: int  # byte
    end: int  # byte after the last digit
    digits: int
    group: int  # digits since the last separator
    head: int  # value of the first two digits of the group
    years: int  # groups that look like years
    others: int  # groups of more than two digits that do not
    groups: int
    dots: int  # lone dots between digits, so far in a row
    dotted: bool  # three of them in a row were seen
    plus: bool


@kernel
def _closed(run: _Run) -> _Run:
    """With the group in the making counted."""
    if run.group == 0:
        return run
    year = run.group == 4 and run.head in (19, 20)
    other = run.group > 2 and not year
    return _Run(
        run.start,
        run.end,
        run.digits,
        0,
        0,
        run.years + year,
        run.others + other,
        run.groups + 1,
        run.dots,
        run.dotted,
        run.plus,
    )


@kernel
def _marks(run: _Run) -> int:
    """What a finished run is suspected of: 0 for nothing."""
    if run.digits < 4:
        return 0
    run = _closed(run)
    is_date = run.others == 0 and run.years > 0 and (run.digits <= 8 or run.years == run.groups)
    number = run.digits >= LEAST_DIGITS and (run.plus or not is_date)
    return (NUMBER if number else 0) | (DOTTED if run.dotted else 0)


@kernel
def _extended(run: _Run, digit: int, at: int, width: int, gap: tuple[int, int]) -> _Run:
    """With one more digit, after `gap` separators, of which the second number are dots."""
    separators, dots = gap
    if separators:
        run = _closed(run)
    lone = run.dots + 1 if separators == 1 and dots == 1 else (run.dots if separators == 0 else 0)
    group = run.group + 1
    head = run.head * 10 + digit if group <= 2 else run.head
    return _Run(
        run.start,
        at + width,
        run.digits + 1,
        group,
        head,
        run.years,
        run.others,
        run.groups,
        lone,
        run.dotted or lone >= 3,
        run.plus,
    )


@kernel
def _note(found: Suspects, number: int, document: int, bounds: tuple[int, int, int, int], marks: int) -> int:
    """Add a suspect at bounds[0]:bounds[1] of a text that lies at bounds[2]:bounds[3]; how many passages."""
    start, end, begin, stop = bounds
    low, high = max(start - BEFORE - begin, 0), min(end + AFTER, stop) - begin
    last = number - 1
    if last >= 0 and found.documents[last] == document and low <= found.ends[last]:
        found.ends[last] = max(high, found.ends[last])
        found.marks[last] |= np.uint8(marks)
        return number
    found.documents[number] = document
    found.starts[number] = low
    found.ends[number] = high
    found.marks[number] = marks
    return number + 1


@kernel
def _between(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The next place between two characters."""
    while at < end and data[at] & np.uint8(0xC0) == np.uint8(0x80):
        at += 1
    return at


@kernel
def _search(
    data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], found: Suspects
) -> int:
    """Fill `found`; returns how many passages there are."""
    number = 0
    for document in range(len(begins)):
        begin, end = begins[document], ends[document]
        first = number
        nothing = _Run(begin, begin, 0, 0, 0, 0, 0, 0, 0, False, False)
        run, separators, dots, plus, after_digit = nothing, 0, 0, False, False
        at = begin
        while at <= end:
            if run.digits == 0 and at < end and _DULL[data[at]]:  # most of a text
                separators, dots, after_digit = 0, 0, False
                plus = plus and data[at] == 0x20
                at += 1
                continue
            code, width = int(np.int64(data[at])) if at < end else 0, 1
            if code >= 0x80:
                code, width = decode(data, at, end)
            kind = int(np.int64(_KINDS[code])) if code < 0x10000 else _OTHER
            if kind < 10:
                if run.digits == 0:
                    run = _Run(at, at, 0, 0, 0, 0, 0, 0, 0, False, plus)
                run = _extended(run, kind, at, width, (separators, dots))
                separators, dots, after_digit, plus = 0, 0, True, False
                at += width
                continue
            if kind == _LETTER and after_digit:  # within a word with digits, such as an IBAN
                at += width
                continue
            if kind <= _DOT or kind == _OPENS:
                separators += 1
                dots += kind == _DOT
                ends_run = separators > _MOST_SEPARATORS
            else:
                ends_run = True
            if ends_run and run.digits:
                marks = _marks(run)
                if marks:
                    number = _note(found, number, document, (run.start, run.end, begin, end), marks)
                run = nothing
            if ends_run:
                separators, dots = 0, 0
            plus = kind == _PLUS or (plus and (kind <= _DOT or kind == _OPENS))
            after_digit = False
            if kind == _AT and _is_at(data, at, begin, end, width):
                number = _note(found, number, document, (at, at + width, begin, end), AT)
            elif kind == _OPENS and _spells_at(data, at, end):
                number = _note(found, number, document, (at, at + 1, begin, end), AT)
            elif kind == _COLON and _opens_ipv6(data, at, begin, end):
                number = _note(found, number, document, (at - 4, at + 1, begin, end), COLONS)
            at += width
        for passage in range(first, number):
            found.starts[passage] = _between(data, begin + found.starts[passage], end) - begin
            found.ends[passage] = _between(data, begin + found.ends[passage], end) - begin
    return number
