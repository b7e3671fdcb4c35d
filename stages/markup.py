"""HTML bytes -> their tags: a tokenizer in one pass, without a tree, that no input stops or slows down.

Text is what lies between the tags. Comments, declarations and elements whose content is no text (`<script>`)
are tags that nothing opens. A `<` that begins no tag stays text, as in browsers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.scan import BLANK, LOWER, UPPER, Bytes, byte_at, find, skip_blanks
from stages.tags import BLOCK, COUNT, NESTED, SKIPPED, TO_END, Tags, name_hash

Table = NDArray[np.int32]

# Columns of the table of tags: where it begins and ends, its element (negative: an end tag; NOTHING), the
# hash of its name, its first attribute.
START, END, ELEMENT, NAME, ATTRIBUTE = range(5)
NOTHING = -1000  # a comment, or what is skipped
UNKNOWN = -999  # the end tag of an unknown element

# Columns of the table of attributes: which, and where its value begins and ends.
WHICH, FROM, TO = range(3)
CLASS, ID, ROLE, ITEMPROP, STYLE, HIDDEN, ARIA_HIDDEN, ITEMTYPE, PROPERTY, CONTENT, TYPE = range(1, 12)
_NAMED = "class id role itemprop style hidden aria-hidden itemtype property content type"
_SLOTS = 31  # in which no two of them share a slot
_HASHES, _KINDS = np.zeros(_SLOTS, np.uint32), np.zeros(_SLOTS, np.int32)
for _kind, _attribute in enumerate(_NAMED.split(), 1):
    _slot = name_hash(_attribute) % _SLOTS
    _HASHES[_slot], _KINDS[_slot] = name_hash(_attribute), _kind
_SVG, _FOREIGN_OBJECT = np.uint32(name_hash("svg")), np.uint32(name_hash("foreignobject"))
_ASTRAY, _UNCLOSED = 1, 2  # notes on an element: its end tags are too few; none is left
_SEED, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_LESS, _GREATER, _SLASH, _BANG, _QUESTION, _DASH, _EQUALS = b"<>/!?-="
_QUOTE, _TICK = b"\"'"


class Markup(NamedTuple):
    """The tags of a page in order, and those attributes that tell what an element is for."""

    tags: Table  # [tags, 5]
    attributes: Table  # [attributes, 3]; a tag's are those up to the next tag's first


def tokenize(html: Bytes, known: Tags, classes: Bytes) -> Markup:
    """The tags of a page."""
    most = html.size // 3 + 1  # no tag and no attribute with a name of ours takes fewer bytes
    tags, attributes = np.empty((most, 5), np.int32), np.empty((most, 3), np.int32)
    notes = np.zeros(COUNT, np.uint8)
    count, used = _tokenize(html, known, classes, Markup(tags, attributes), notes)
    return Markup(tags[:count], attributes[:used])


@lean
def _tokenize(html: Bytes, known: Tags, classes: Bytes, out: Markup, notes: Bytes) -> tuple[int, int]:
    """Fill the tables; returns the rows used of each. `notes` are on elements whose content is skipped."""
    count = used = 0
    at = find(html, 0, _LESS)
    while at < html.size:
        start, element, name = at, NOTHING, np.uint32(0)
        first = used
        closing = byte_at(html, at + 1) == _SLASH
        letter = at + 2 if closing else at + 1
        if letter < html.size and classes[html[letter]] & (UPPER | LOWER):
            name, at = _name(html, letter, classes)
            number = _number(name, known)
            if closing:
                at = find(html, at, _GREATER) + 1
                element = -number if number else UNKNOWN
            else:
                used, empty, at = _attributes(html, at, classes, out.attributes, used)
                element = number
                if known.kinds[number] & SKIPPED:
                    element = NOTHING
                    if not empty:
                        at = _behind_content(html, at, name, known, classes, notes)
        else:
            at = _declaration_end(html, at, closing)
            if at == start + 1:  # a lone `<`
                at = find(html, at, _LESS)
                continue
        row = out.tags[count]
        row[START], row[END], row[ELEMENT], row[NAME] = start, min(at, html.size), element, np.int32(name)
        row[ATTRIBUTE] = first
        count += 1
        at = find(html, at, _LESS)
    return count, used


@lean
def _name(html: Bytes, at: int, classes: Bytes) -> tuple[np.uint32, int]:
    """(hash of a tag's or attribute's name in lower case, where it ends)."""
    name = _SEED
    while at < html.size:
        byte = html[at]
        if classes[byte] & BLANK or byte in (_SLASH, _GREATER, _EQUALS):
            break
        if classes[byte] & UPPER:
            byte |= np.uint8(32)
        name = np.uint32((name ^ np.uint32(byte)) * _PRIME)
        at += 1
    return name, at


@lean
def _number(name: np.uint32, known: Tags) -> int:
    """The element of a name's hash; 0 for an unknown one."""
    slot = int(name) % known.hashes.size
    while known.hashes[slot] != 0:
        if known.hashes[slot] == name:
            return int(known.numbers[slot])
        slot = (slot + 1) % known.hashes.size
    return 0


@lean
def _attributes(html: Bytes, at: int, classes: Bytes, out: Table, used: int) -> tuple[int, bool, int]:
    """Fill in a tag's attributes: (rows used by now, whether it ends in '/>', where it ends)."""
    last = 0
    seen = 0  # a bit for each that this tag has: of a repeated attribute, the first counts
    while at < html.size and html[at] != _GREATER:
        byte = html[at]
        if classes[byte] & BLANK or byte == _SLASH:
            last = byte if byte == _SLASH else last
            at += 1
            continue
        last = 0
        name, end = _name(html, at, classes)
        at = max(end, at + 1)  # a lone `=` is a name too
        start = stop = at
        value = skip_blanks(html, at, classes)
        if byte_at(html, value) == _EQUALS:
            start, stop, at = value_of(html, skip_blanks(html, value + 1, classes), classes)
        slot = int(name) % _SLOTS
        which = _KINDS[slot]
        if _HASHES[slot] == name and not seen >> which & 1 and used < len(out):
            seen |= 1 << which
            out[used, WHICH], out[used, FROM], out[used, TO] = which, start, stop
            used += 1
    return used, last == _SLASH, at + 1


@lean
def value_of(html: Bytes, at: int, classes: Bytes) -> tuple[int, int, int]:
    """(start of an attribute's value, its end, where to go on)."""
    quote = byte_at(html, at)
    if quote in (_QUOTE, _TICK):
        end = find(html, at + 1, quote)
        return at + 1, end, end + 1
    start = at
    while at < html.size and not classes[html[at]] & BLANK and html[at] != _GREATER:
        at += 1
    return start, at, at


@lean
def _behind_content(html: Bytes, at: int, name: np.uint32, known: Tags, classes: Bytes, notes: Bytes) -> int:
    """Where to go on behind a skipped element whose start tag ends here."""
    number = _number(name, known)
    kind = known.kinds[number]
    end = html.size
    if kind & NESTED and not notes[number] & (_ASTRAY | _UNCLOSED):
        end = _content_end(html, at, name, known, classes, True)
        notes[number] |= _ASTRAY if end == html.size else 0
    if end == html.size and not notes[number] & _UNCLOSED:
        end = _content_end(html, at, name, known, classes, False)
        notes[number] |= _UNCLOSED if end == html.size else 0
    if end == html.size:
        return end if kind & TO_END else at
    return find(html, end, _GREATER) + 1 if byte_at(html, end + 1) == _SLASH else end


@lean
def _content_end(html: Bytes, at: int, name: np.uint32, known: Tags, classes: Bytes, nested: bool) -> int:
    """Where the end tag of a skipped element begins, or HTML in <svg>; behind the end if there is none.

    If it is `nested`, the end tags of those of its name that begin inside are theirs.
    """
    depth, drawing = 1, nested and name == _SVG
    at = find(html, at, _LESS)
    while at < html.size:
        closing = byte_at(html, at + 1) == _SLASH
        letter = at + 2 if closing else at + 1
        following = at + 1
        if (closing or nested) and letter < html.size and classes[html[letter]] & (UPPER | LOWER):
            inner, stop = _name(html, letter, classes)
            following = stop if nested else following  # a `<` inside a name begins nothing
            if inner == name:
                depth += -1 if closing else 1
                if depth == 0:
                    return at
            elif drawing and not closing:
                drawing = inner != _FOREIGN_OBJECT  # in which HTML is part of the drawing
                number = _number(inner, known)
                if number and known.kinds[number] & BLOCK:
                    return at
        at = find(html, following, _LESS)
    return at


@lean
def _declaration_end(html: Bytes, at: int, closing: bool) -> int:
    """Where a comment, declaration or malformed end tag ends; the next byte if it is a lone `<`."""
    byte = byte_at(html, at + 1)
    if byte == _BANG and byte_at(html, at + 2) == _DASH and byte_at(html, at + 3) == _DASH:
        end = find(html, at + 4, _GREATER)
        while end < html.size and not (html[end - 1] == _DASH and html[end - 2] == _DASH):
            bang = html[end - 1] == _BANG and html[end - 2] == _DASH and html[end - 3] == _DASH
            if bang and end - 3 >= at + 4:
                break
            end = find(html, end + 1, _GREATER)
        return end + 1
    if byte in (_BANG, _QUESTION) or closing:
        return find(html, at + 1, _GREATER) + 1
    return at + 1


@lean
def no_break_space(html: Bytes, at: int) -> int:
    """Bytes of the `&nbsp;` or `&#160;` that stands here; 1 if none does."""
    if byte_at(html, at + 5) != 59:
        return 1
    if html[at + 1] == 110 and html[at + 2] == 98 and html[at + 3] == 115 and html[at + 4] == 112:
        return 6
    return 6 if html[at + 1] == 35 and html[at + 2] == 49 and html[at + 3] == 54 and html[at + 4] == 48 else 1


@lean
def displays_none(html: Bytes, at: int, end: int) -> bool:
    """Whether a style says `display: none`."""
    while at + 11 < end:
        first, second, fourth = html[at] | 32, html[at + 1] | 32, html[at + 3] | 32
        if first == 100 and second == 105 and fourth == 112 and html[at + 7] == 58:
            at += 8
            while at < end and html[at] == 32:
                at += 1
            return bool(at < end and html[at] | 32 == 110)
        at += 1
    return False
