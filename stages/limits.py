"""Which pages are no pages but traps: limits on the shape of markup, checked before a parser sees it.

Parsers take time that grows with the square of the nesting depth, or of the attributes in one tag:
100,000 nested `<div>`, or a tag of 200,000 attributes, keep them busy for minutes. One pass counts both.
"""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel

MAX_BYTES = 8 << 20  # of a payload; crawlers cut at 1 to 5 MB
MAX_TAGS = 400_000  # one for each 20 bytes of the largest payload
MAX_DEPTH = 512  # open elements, as in browsers; of 2,000 real pages the deepest has 145
MAX_ATTRIBUTES = 1_000  # of one tag; of 2,000 real pages the most are 71

_FLAT, _RAW, _FOREIGN = 1, 2, 3
_ELEMENTS = {
    # void, or closed by what follows: they do not nest by themselves
    "area base br col embed hr img input link meta param source track wbr p li dt dd option optgroup tr td "
    "th thead tbody tfoot colgroup rt rp html head body": _FLAT,
    "script style textarea title xmp iframe noembed noframes": _RAW,  # their content is text
    "svg math": _FOREIGN,  # inside these, a tag that ends in /> is closed
}
_KINDS = np.array(
    sorted(
        (int.from_bytes(name.encode()[:8], "little"), kind)
        for names, kind in _ELEMENTS.items()
        for name in names.split()
    )
)
_EVERY = np.uint64(0x0101010101010101)  # times a byte: that byte in all eight lanes
_HIGH = _EVERY * np.uint64(0x80)
_TAB, _RETURN, _BLANK, _BANG, _QUOTE, _TICK, _DASH, _SLASH, _LESS, _EQUALS, _GREATER = b"\t\r !\"'-/<=>"


def trap(html: bytes) -> str:
    """Why markup, whose tags are ASCII, should not be parsed; empty if it may be.

    too_many_tags, too_deep or too_many_attributes.
    """
    tags, depth, attributes = shape(np.frombuffer(html, np.uint8), _KINDS)
    if tags > MAX_TAGS:
        return "too_many_tags"
    if depth > MAX_DEPTH:
        return "too_deep"
    return "too_many_attributes" if attributes > MAX_ATTRIBUTES else ""


@kernel
def shape(html: NDArray[np.uint8], kinds: NDArray[np.int64]) -> tuple[int, int, int]:
    """(tags, deepest nesting, most attributes in a tag) of markup, as a tokenizer without a tree sees it.

    `kinds` has a row for each special element, sorted: the first eight letters of its name as a number, and
    its kind.
    """
    tags = depth = deepest = most = foreign = at = 0
    while at < html.size:
        at = _find(html, at, _LESS) + 1
        closing = _byte(html, at) == _SLASH
        start = at + 1 if closing else at
        if not _is_letter(_byte(html, start)):
            if _byte(html, at) == _BANG and _byte(html, at + 1) == _DASH and _byte(html, at + 2) == _DASH:
                at = _comment_end(html, at + 3)
            continue
        name, at = _name(html, start)
        attributes, empty, at = _attributes(html, at)
        row = np.searchsorted(kinds[:, 0], name)
        kind = kinds[row, 1] if row < len(kinds) and kinds[row, 0] == name else 0
        tags += 1
        most = max(most, attributes)
        if closing:
            foreign -= 1 if kind == _FOREIGN and foreign > 0 else 0
            depth -= 1 if kind != _FLAT and depth > 0 else 0
        elif kind == _RAW and foreign == 0:
            at = _raw_end(html, at, name)
            depth += 1  # until its closing tag, which comes next
        elif kind != _FLAT and not (empty and (foreign > 0 or kind == _FOREIGN)):
            foreign += 1 if kind == _FOREIGN else 0
            depth += 1
            deepest = max(deepest, depth)
    return tags, deepest, most


@kernel
def _byte(html: NDArray[np.uint8], at: int) -> np.int64:
    """The byte at a place; 0 behind the end."""
    return np.int64(html[at]) if at < html.size else np.int64(0)


@kernel
def _is_letter(byte: np.int64) -> bool:
    return bool(97 <= (byte | 32) <= 122)


@kernel
def _is_blank(byte: np.int64) -> bool:
    return bool(byte == _BLANK or _TAB <= byte <= _RETURN)


@kernel
def _name(html: NDArray[np.uint8], at: int) -> tuple[np.int64, int]:
    """(first eight letters of the tag name, in lower case, as one number; where the name ends)."""
    name = np.int64(0)
    shift = 0
    while at < html.size:
        byte = _byte(html, at)
        if _is_blank(byte) or byte in (_SLASH, _GREATER):
            break
        if shift < 64:
            name |= (byte | 32 if _is_letter(byte) else byte & 127) << shift
            shift += 8
        at += 1
    return name, at


@kernel
def _attributes(html: NDArray[np.uint8], at: int) -> tuple[int, bool, int]:
    """(attributes of a tag, whether it ends in '/>', where it ends), from the end of its name on."""
    count = 0
    while at < html.size and html[at] != _GREATER:
        if _is_blank(_byte(html, at)) or html[at] == _SLASH:
            at += 1
            continue
        count += 1
        at += 1
        while at < html.size and not (_is_blank(_byte(html, at)) or html[at] in (_SLASH, _EQUALS, _GREATER)):
            at += 1
        value = _skip_blanks(html, at)
        if _byte(html, value) == _EQUALS:
            at = _value_end(html, _skip_blanks(html, value + 1))
    return count, _byte(html, at - 1) == _SLASH, at + 1


@kernel
def _skip_blanks(html: NDArray[np.uint8], at: int) -> int:
    while at < html.size and _is_blank(_byte(html, at)):
        at += 1
    return at


@kernel
def _value_end(html: NDArray[np.uint8], at: int) -> int:
    """Where an attribute's value ends, with or without quotes."""
    quote = _byte(html, at)
    if quote in (_QUOTE, _TICK):
        return _find(html, at + 1, quote) + 1
    while at < html.size and not (_is_blank(_byte(html, at)) or html[at] == _GREATER):
        at += 1
    return at


@kernel
def _comment_end(html: NDArray[np.uint8], at: int) -> int:
    end = _find(html, at + 2, _GREATER)
    while end < html.size and not (html[end - 1] == _DASH and html[end - 2] == _DASH):
        end = _find(html, end + 1, _GREATER)
    return end + 1


@kernel
def _raw_end(html: NDArray[np.uint8], at: int, name: np.int64) -> int:
    """Where the closing tag of a raw text element begins."""
    at = _find(html, at, _LESS)
    while at < html.size and not (_byte(html, at + 1) == _SLASH and _name(html, at + 2)[0] == name):
        at = _find(html, at + 1, _LESS)
    return at


@kernel
def _find(html: NDArray[np.uint8], at: int, byte: int | np.int64) -> int:
    """Where the next such byte is, from a place on; behind the end if there is none."""
    wanted = _EVERY * np.uint64(byte)
    while at + 8 <= html.size:
        block = np.uint64(0)
        for lane in range(8):
            block |= np.uint64(html[np.uint64(at) + np.uint64(lane)]) << np.uint64(8 * lane)
        other = block ^ wanted  # zero in the lanes of the byte
        found = (other - _EVERY) & ~other & _HIGH
        if found:
            below = ((found & (~found + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
            return at + int(np.int64(((below & _EVERY) * _EVERY) >> np.uint64(56)))
        at += 8
    while at < html.size and html[at] != byte:
        at += 1
    return at
