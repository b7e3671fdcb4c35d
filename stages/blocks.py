"""Tags and text -> the elements and the text blocks of a page, in one pass, without a tree.

A block is the text between two tags that begin or end a line: a paragraph, a cell, the words beside a link.
Elements left open are ended as browsers do (HTML Standard, 13.2.6), but formatting is never moved: inline
elements do not nest, so no page costs more than its length times its depth.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.declared import declared
from stages.markup import (
    ARIA_HIDDEN,
    ATTRIBUTE,
    CLASS,
    ELEMENT,
    END,
    FROM,
    HIDDEN,
    ID,
    ITEMPROP,
    NAME,
    NOTHING,
    ROLE,
    START,
    STYLE,
    TO,
    UNKNOWN,
    WHICH,
    Markup,
    Table,
    displays_none,
    no_break_space,
    tokenize,
)  # fmt: skip
from stages.scan import BLANK, CLASSES, DIGIT, HIGH, LOWER, UPPER, Bytes, byte_at
from stages.tags import BLOCK, CELLS, HEADINGS, ITEMS, LISTS, PARTS, TABLES, TAG, TAGS, VOID, Tags, name_hash

MAX_DEPTH = 600  # deeper elements count as text of the deepest
_TOKENS = 40  # of one attribute; no author writes more classes than that

# Columns of the table of elements; row 0 is the page.
PARENT, TAG_NUMBER, TOKENS, TOKENS_END, SIGNATURE, CONCEALED, DEPTH, CHILDREN = range(8)
# Columns of the table of blocks: bytes of the text, element, what is in it, class tokens of inline elements.
TEXT, TEXT_END, OWNER, BREAKS, IMAGES, LINKS, INLINE, INLINE_END, IS_PRE = range(9)

_A, _B, _STRONG, _BR, _IMG, _BODY, _HTML, _HEAD, _PRE, _LISTING = (
    TAG[name] for name in ["a", "b", "strong", "br", "img", "body", "html", "head", "pre", "listing"]
)
# What the pass remembers from one tag to the next.
(_TOP, _ROWS, _COUNT, _USED, _AT, _BEGUN, _FILLED, _PENDING, _PREFORMATTED, _BREAKS, _IMAGES, _LINKS,
 _INLINE, _LINK, _LINK_END, _BOLD, _MARKS, _LINK_MARK, _BOLD_MARK, _BEYOND, _TITLE, _TITLE_END,
 _STATE) = range(23)  # fmt: skip
LINKED, BOLD = 1, 2  # kinds of marks
_TITLE_NAME = np.int32(np.uint32(name_hash("title")).astype(np.int32))

Nest = tuple[Table, Table, Table]  # the state; rows of the open elements, the page at the bottom; their names


class Page(NamedTuple):
    """What a page consists of."""

    text: Bytes  # of all blocks one after another, white space collapsed, entities as they were
    elements: Table  # [elements, 8]
    blocks: Table  # [blocks, 9]
    tokens: NDArray[np.uint32]  # hashes of the words in class, id, role and itemprop, element by element
    marks: Table  # [marks, 3]: stretches of text that are a link, or bold: which, start, end
    title: Bytes  # what stands in the first <title>
    declared: int  # what it says it is: see stages/declared.py


def blocks(html: Bytes) -> Page:
    """The blocks of a page in UTF-8."""
    markup = tokenize(html, TAGS, CLASSES)
    tags, attributes = len(markup.tags), len(markup.attributes)
    page = Page(
        np.empty(html.size + 1, np.uint8),
        np.empty((tags + 1, 8), np.int32),
        np.empty((tags + 1, 9), np.int32),
        np.empty(min(html.size, attributes * _TOKENS) + 1, np.uint32),
        np.empty((3 * tags + 3, 3), np.int32),
        html,
        0,
    )
    state = np.zeros(_STATE, np.int32)
    nest = (state, np.zeros(MAX_DEPTH + 1, np.int32), np.zeros(MAX_DEPTH + 1, np.int32))
    _build(html, markup, TAGS, CLASSES, page, nest)
    return Page(
        page.text[: state[_AT]],
        page.elements[: state[_ROWS]],
        page.blocks[: state[_COUNT]],
        page.tokens[: state[_USED]],
        page.marks[: state[_MARKS]],
        html[state[_TITLE] : state[_TITLE_END]],
        int(declared(html, markup)),
    )


@lean
def _build(html: Bytes, markup: Markup, known: Tags, classes: Bytes, page: Page, nest: Nest) -> None:
    """Fill the page; the state then says how much of each table is used."""
    s, stack, _ = nest
    s[_ROWS] = 1
    s[_LINK] = s[_LINK_END] = s[_LINK_MARK] = s[_BOLD_MARK] = -1
    page.elements[0] = 0
    at = 0
    for row in range(len(markup.tags)):
        tag = markup.tags[row]
        _append(html, at, tag[START], classes, page, s)
        at = tag[END]
        element = tag[ELEMENT]
        ending = byte_at(html, tag[START] + 1) == 47  # </title>
        if tag[NAME] == _TITLE_NAME and s[_TITLE_END] == 0 and not ending:
            s[_TITLE], s[_TITLE_END] = tag[START] + 6, tag[END]
        if element == NOTHING or element in (_HTML, _HEAD, -_HTML, -_HEAD, -_BODY):
            continue
        if element >= 0:
            last = markup.tags[row + 1, ATTRIBUTE] if row + 1 < len(markup.tags) else len(markup.attributes)
            attributes = markup.attributes[tag[ATTRIBUTE] : last]
            if known.kinds[element] & BLOCK:
                _flush(page, s, stack, classes)
                _end_implied(element, known, page, nest)
                if not known.kinds[element] & VOID:
                    _open(html, tag, attributes, known, classes, page, nest)
                    s[_INLINE] = s[_USED]
            else:
                _open_inline(html, element, attributes, known, classes, page, s)
        elif element == UNKNOWN or known.kinds[-element] & BLOCK:
            _flush(page, s, stack, classes)
            _close(tag[NAME], max(-element, 0) if element != UNKNOWN else 0, known, page, nest)
        else:
            _close_inline(-element, page, s)
    _append(html, at, html.size, classes, page, s)
    _flush(page, s, stack, classes)


@lean
def _append(html: Bytes, at: int, end: int, classes: Bytes, page: Page, s: Table) -> None:
    """Add text, white space collapsed to one blank or line break; inside `<pre>` as it is."""
    out, pending, begun = s[_AT], s[_PENDING], s[_BEGUN]
    filled = s[_FILLED]
    verbatim = s[_PREFORMATTED] > 0
    while at < end:
        byte = html[at]
        width = 1
        blank = classes[byte] & BLANK
        if byte == 0xC2 and byte_at(html, at + 1) == 0xA0:
            blank, width = BLANK, 2
        elif byte == 38:  # &
            width = no_break_space(html, at)
            blank = BLANK if width > 1 else 0
        if blank and verbatim:
            if out > begun or byte != 10:  # the first line end after <pre> is none
                page.text[out] = byte if width == 1 else 32
                out += 1
        elif blank:
            pending = max(pending, 1)
        else:
            if pending and filled:
                page.text[out] = 10 if pending == 2 else 32
                out += 1
            pending = 0
            filled = 1
            page.text[out] = byte
            out += 1
        at += width
    s[_AT], s[_PENDING], s[_FILLED] = out, pending, filled


@lean
def _flush(page: Page, s: Table, stack: Table, classes: Bytes) -> None:
    """End the block, if there is one, and begin the next."""
    if s[_FILLED]:
        while classes[page.text[s[_AT] - 1]] & BLANK:  # the end of a <pre>
            s[_AT] -= 1
        row = page.blocks[s[_COUNT]]
        row[TEXT], row[TEXT_END], row[OWNER] = s[_BEGUN], s[_AT], stack[s[_TOP]]
        row[BREAKS], row[IMAGES], row[LINKS] = s[_BREAKS], s[_IMAGES], s[_LINKS]
        row[INLINE], row[INLINE_END], row[IS_PRE] = s[_INLINE], s[_USED], s[_PREFORMATTED] > 0
        s[_COUNT] += 1
    else:
        s[_AT] = s[_BEGUN]
    _mark_end(page, s, _LINK_MARK)
    _mark_end(page, s, _BOLD_MARK)
    s[_BEGUN], s[_FILLED], s[_PENDING] = s[_AT], 0, 0
    s[_BREAKS] = s[_IMAGES] = 0
    s[_LINKS] = s[_LINK] >= 0
    s[_INLINE] = s[_USED]
    if s[_LINK] >= 0:
        _mark_start(page, s, _LINK_MARK)
    if s[_BOLD] > 0:
        _mark_start(page, s, _BOLD_MARK)


@lean
def _mark_start(page: Page, s: Table, slot: int) -> None:
    """A stretch of linked or bold text begins here."""
    row = page.marks[s[_MARKS]]
    row[0], row[1], row[2] = LINKED if slot == _LINK_MARK else BOLD, s[_AT], s[_AT]
    s[slot] = s[_MARKS]
    s[_MARKS] += 1


@lean
def _mark_end(page: Page, s: Table, slot: int) -> None:
    """The open stretch of that kind, if there is one, ends here; without text it never was."""
    if s[slot] >= 0:
        row = page.marks[s[slot]]
        row[2] = s[_AT]
        if row[2] == row[1] and s[slot] == s[_MARKS] - 1:
            s[_MARKS] -= 1
    s[slot] = -1


@lean
def _open_inline(
    html: Bytes, element: int, attributes: Table, known: Tags, classes: Bytes, page: Page, s: Table
) -> None:
    """An inline element begins."""
    if element == _BR:
        s[_BREAKS] += 1
        if s[_PREFORMATTED] > 0:
            page.text[s[_AT]] = 10
            s[_AT] += 1
        else:
            s[_PENDING] = 2
    elif element == _IMG:
        s[_IMAGES] += 1
    elif not known.kinds[element] & VOID:
        _read_attributes(html, attributes, classes, page, s)
        if element == _A:
            if s[_LINK_END] == s[_AT] and s[_PENDING] == 0:
                s[_PENDING] = 1  # two links side by side are two words
            if s[_LINK_MARK] < 0:
                _mark_start(page, s, _LINK_MARK)
            s[_LINK] = s[_TOP]
            s[_LINKS] += 1
        elif element in (_B, _STRONG):
            if s[_BOLD] == 0:
                _mark_start(page, s, _BOLD_MARK)
            s[_BOLD] += 1


@lean
def _close_inline(element: int, page: Page, s: Table) -> None:
    """An inline element ends."""
    if element == _A:
        _mark_end(page, s, _LINK_MARK)
        s[_LINK] = -1
        s[_LINK_END] = s[_AT]
    elif element in (_B, _STRONG) and s[_BOLD] > 0:
        s[_BOLD] -= 1
        if s[_BOLD] == 0:
            _mark_end(page, s, _BOLD_MARK)
    elif element == _BR:
        s[_PENDING] = 2


@lean
def _end_implied(element: int, known: Tags, page: Page, nest: Nest) -> None:
    """End what a block element ends by beginning."""
    s, stack, _ = nest
    ends, shield = known.ends[element], known.shield[element]
    if ends:
        top = s[_TOP]
        for depth in range(s[_TOP], 0, -1):
            family = known.family[page.elements[stack[depth], TAG_NUMBER]]
            if family & ends:
                top = depth - 1
            elif family & shield:
                break
        _pop(top, page, s, stack)
    if known.family[element] & known.family[page.elements[stack[s[_TOP]], TAG_NUMBER]] & HEADINGS:
        _pop(s[_TOP] - 1, page, s, stack)


@lean
def _open(
    html: Bytes, tag: Table, attributes: Table, known: Tags, classes: Bytes, page: Page, nest: Nest
) -> None:
    """A block element begins."""
    s, stack, names = nest
    element = tag[ELEMENT]
    if s[_TOP] == MAX_DEPTH:
        s[_BEYOND] += 1
        return
    parent = stack[s[_TOP]]
    row = page.elements[s[_ROWS]]
    row[PARENT], row[TAG_NUMBER], row[TOKENS], row[CHILDREN] = parent, element, s[_USED], 0
    signature, hidden = _read_attributes(html, attributes, classes, page, s)
    row[SIGNATURE], row[CONCEALED] = signature ^ np.int64(tag[NAME]), hidden
    row[TOKENS_END] = s[_USED]
    page.elements[parent, CHILDREN] += 1
    s[_TOP] += 1
    row[DEPTH] = s[_TOP]
    stack[s[_TOP]], names[s[_TOP]] = s[_ROWS], tag[NAME]
    s[_ROWS] += 1
    s[_PREFORMATTED] += element in (_PRE, _LISTING)


@lean
def _close(name: int, element: int, known: Tags, page: Page, nest: Nest) -> None:
    """A block element ends, with all that is open in it; if none of the name is, nothing does."""
    s, stack, names = nest
    if s[_BEYOND] > 0:
        s[_BEYOND] -= 1
        return
    family = known.family[element]
    for depth in range(s[_TOP], 0, -1):
        other = known.family[page.elements[stack[depth], TAG_NUMBER]]
        if names[depth] == name or family & other & HEADINGS:
            _pop(depth - 1, page, s, stack)
            return
        if other & TABLES or (other & CELLS and not family & PARTS) or (other & LISTS and family & ITEMS):
            return  # no end tag reaches out of a table, of a cell only a table's part, of a list no </li>


@lean
def _pop(top: int, page: Page, s: Table, stack: Table) -> None:
    """End the open elements above a depth."""
    for depth in range(s[_TOP], top, -1):
        element = page.elements[stack[depth], TAG_NUMBER]
        s[_PREFORMATTED] -= element in (_PRE, _LISTING)
    s[_TOP] = top
    if s[_LINK] > top:
        _mark_end(page, s, _LINK_MARK)
        s[_LINK] = -1
        s[_LINKS] = 0


@lean
def _read_attributes(
    html: Bytes, attributes: Table, classes: Bytes, page: Page, s: Table
) -> tuple[np.int64, np.int64]:
    """Add an element's class tokens; (hash of its classes, whether it is hidden)."""
    signature, hidden = np.int64(0), np.int64(0)
    for row in attributes:
        which, start, end = row[WHICH], row[FROM], row[TO]
        if which in (CLASS, ID, ROLE, ITEMPROP):
            seed = np.uint32(2166136261) + np.uint32(1111 * (which == ROLE) + 2222 * (which == ITEMPROP))
            whole = _add_tokens(html[start:end], seed, classes, page, s)
            if which == CLASS:
                signature = (signature * 31 + np.int64(whole)) & 0x7FFFFFFF
        elif (
            which == HIDDEN
            or (which == ARIA_HIDDEN and byte_at(html, start) | 32 == 116)  # "true"
            or (which == STYLE and displays_none(html, start, end))
        ):
            hidden = np.int64(1)
    return signature, hidden


@lean
def _add_tokens(value: Bytes, seed: np.uint32, classes: Bytes, page: Page, s: Table) -> np.uint32:
    """Add hashes of the words of a value, split at camel case and punctuation, and of its composed names.

    Digits are left out: they number things. Returns a hash of the names.
    """
    prime = np.uint32(16777619)
    signature, name, part = np.uint32(0), seed, seed
    length = parts = 0
    before = np.uint8(0)
    room = min(s[_USED] + _TOKENS, page.tokens.size)
    for at in range(value.size + 1):
        kind = classes[value[at]] if at < value.size else np.uint8(BLANK)
        letter = kind & (UPPER | LOWER | HIGH)
        if length > 1 and (not letter or (kind & UPPER and before & LOWER)) and s[_USED] < room:
            page.tokens[s[_USED]] = part
            s[_USED] += 1
            parts += 1
        if not letter or (kind & UPPER and before & LOWER and length > 1):
            part, length = seed, 0
        if letter:
            byte = np.uint32(value[at] | (32 if kind & UPPER else 0))
            part = np.uint32((part ^ byte) * prime)
            name = np.uint32((name ^ byte) * prime)
            length += 1
        elif kind & BLANK:
            if parts > 1 and s[_USED] < room:
                page.tokens[s[_USED]] = name ^ np.uint32(0x5BD1E995)
                s[_USED] += 1
            if name != seed:
                signature = np.uint32((signature ^ name) * prime)
            name, parts = seed, 0
        elif not kind & DIGIT:
            name = np.uint32((name ^ np.uint32(value[at])) * prime)
        before = kind
    return signature
