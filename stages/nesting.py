"""How deep a parser's tree is at each tag: its stack of open elements (HTML Standard, 13.2).

It errs upwards, or by little: a parser nests at most twice as deep. An end tag that a parser ignores closes
nothing here either: `<div></span>` repeated nests as deep as `<div>` alone does. Formatting that a block cut
off counts on, for a parser opens it anew behind that.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean

# What elements do.
VOID, RAW, FORMATTING, SPECIAL, SCOPE, MARKER, CLOSES_P, BREAKOUT = (1 << bit for bit in range(8))
FOREIGN, POINT, ROOT, TEMPLATE = (1 << bit for bit in range(8, 12))
_RANK = 12  # place of the rank in a table
TABLE, SECTION, ROW, CELL = (rank << _RANK for rank in range(1, 5))
_GROUP = 16  # place of the group: of elements that a rule is about
P, LI, DD, OPTION, OPTGROUP, SELECT, FIELD, LINK = (group << _GROUP for group in range(1, 9))
NOBR, BUTTON, FORM, LIST, HEADING, DIVISION, STIFF, FRAMESET = (group << _GROUP for group in range(9, 17))
_RANKED, _GROUPED = 7 << _RANK, 31 << _GROUP  # masks
_FLOATING = 1 << 30  # of an entry: formatting that is no ancestor, and comes back
_LEFT = 1 << 31  # of an entry: a form that has ended before what is in it
_MORE_LIKE_IT = 3  # entries of equal formatting that come back (the Noah's Ark clause)

_WHAT = {
    VOID: "area base basefont bgsound br col embed frame hr image img input keygen link meta param source "
    "track wbr",
    RAW: "script style textarea title xmp iframe noembed noframes",
    FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    SPECIAL: "address applet article aside blockquote button caption center colgroup dd details dialog dir "
    "div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup li listing "
    "main marquee menu nav noscript object ol p plaintext pre search section select summary table tbody "
    "td template tfoot th thead tr ul foreignobject desc title mi mo mn ms mtext annotation-xml",
    SCOPE: "applet caption frameset marquee object select table td template th",
    MARKER: "applet caption frameset marquee object td template th",
    CLOSES_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer header hgroup main menu nav ol p search section summary ul h1 h2 h3 h4 h5 h6 pre listing "
    "form table hr xmp plaintext li dd dt",
    BREAKOUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li "
    "listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
    FOREIGN: "svg math",
    POINT: "foreignobject desc title mi mo mn ms mtext annotation-xml",  # inside them, HTML again
    ROOT: "html head body",
    TEMPLATE: "template",
    TABLE: "table",
    SECTION: "tbody thead tfoot colgroup caption",
    ROW: "tr",
    CELL: "td th",
    P: "p",
    LI: "li",
    DD: "dd dt",
    OPTION: "option",
    OPTGROUP: "optgroup",
    SELECT: "select",
    FIELD: "input",
    LINK: "a",
    NOBR: "nobr",
    BUTTON: "button",
    FORM: "form",
    LIST: "ul ol",
    HEADING: "h1 h2 h3 h4 h5 h6",
    DIVISION: "address div",
    STIFF: "noscript plaintext foreignobject desc title mi mo mn ms mtext annotation-xml",
    FRAMESET: "frameset",
}
Elements = NDArray[np.int64]  # [elements, 2]: hash of the name, what it does; by hash
_SEED, _PRIME = 0xCBF29CE484222325, 0x100000001B3


def name_hash(name: str) -> int:
    """FNV-1a of a name in lower case, signed, as the kernels compute it byte by byte."""
    value = _SEED
    for byte in name.encode():
        value = ((value ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return value - (value >> 63 << 64)


def _table() -> Elements:
    kinds: dict[str, int] = {}
    for kind, names in _WHAT.items():
        for name in names.split():
            kinds[name] = kinds.get(name, 0) | kind
    return np.array(sorted((name_hash(name), kind) for name, kind in kinds.items()))


ELEMENTS = _table()


class Open(NamedTuple):
    """The open elements, outermost first, and formatting that comes back."""

    names: NDArray[np.int64]  # hashes
    kinds: NDArray[np.int64]  # what they do, in this place
    looks: NDArray[np.int64]  # hash of name and attributes
    size: NDArray[np.int64]  # [2]: how many there are; where the innermost of FOREIGN or POINT is


def nothing_open(capacity: int) -> Open:
    """No open elements, and room for so many."""
    names, kinds, looks = (np.zeros(2 * capacity + 2, np.int64) for _ in range(3))
    return Open(names, kinds, looks, np.array([0, -1]))


@lean
def kind_of(name: np.int64, elements: Elements) -> np.int64:
    """What an element does; 0 for one that only nests."""
    low, high = 0, len(elements)
    while low < high:
        middle = (low + high) >> 1
        if elements[middle, 0] < name:
            low = middle + 1
        else:
            high = middle
    return elements[low, 1] if low < len(elements) and elements[low, 0] == name else np.int64(0)


@lean
def in_foreign(stack: Open) -> bool:
    """Whether tags here are SVG or MathML."""
    return bool(stack.size[1] >= 0 and stack.kinds[stack.size[1]] & FOREIGN)


@lean
def holds_text(stack: Open) -> bool:
    """Whether a script or the like, of RAW, holds text here; in other places it is an element, or ignored."""
    return not (in_foreign(stack) or _holds(stack, np.int64(FRAMESET)))


@lean
def start_tag(stack: Open, name: np.int64, kind: np.int64, look: np.int64, empty: bool) -> None:
    """A start tag; of `kind` as `kind_of` says; `empty` if it ends in '/>'."""
    if in_foreign(stack):
        if not kind & BREAKOUT:
            if not empty:
                _push(stack, name, kind & POINT, look)
            return
        _truncate(stack, stack.size[1])
    if kind & ROOT:
        return
    if kind & CLOSES_P:
        _close_scoped(stack, np.int64(0), np.int64(P), np.int64(SCOPE), np.int64(BUTTON))
    group = kind & _GROUPED
    if group in (SELECT, FIELD):
        closed = _close_scoped(stack, np.int64(0), np.int64(SELECT), np.int64(SCOPE), np.int64(0))
        if closed and group == SELECT:
            return
    if kind & VOID:
        return
    if kind & _RANKED and kind & _RANKED != TABLE:
        if not _clear_back(stack, kind & _RANKED):
            return
    elif group in (LI, DD):
        _close_item(stack, group)
    elif group == HEADING:
        _pop_top(stack, group)
    elif group in (OPTION, OPTGROUP):
        _pop_top(stack, np.int64(OPTION))
        if group == OPTGROUP and _holds(stack, np.int64(SELECT)):
            _pop_top(stack, group)
    elif group in (LINK, NOBR):
        _close_formatting(stack, name)
    elif group == BUTTON:
        _close_scoped(stack, np.int64(0), group, np.int64(SCOPE), np.int64(0))
    elif group == FORM and _holds(stack, group):
        return
    if kind & FORMATTING:
        _bring_back(stack)
        _drop_likes(stack, look)
    _push(stack, name, kind & ~POINT, look)


@lean
def end_tag(stack: Open, name: np.int64, kind: np.int64) -> None:
    """An end tag."""
    top = stack.size[0] - 1
    if top < 0:
        return
    if stack.names[top] == name:
        _truncate(stack, top)
        return
    if in_foreign(stack):
        for at in range(top, stack.size[1] - 1, -1):
            if stack.names[at] == name:
                _truncate(stack, at)
                return
    rank = kind & _RANKED
    group = kind & _GROUPED
    if rank:
        _close_part(stack, name)
    elif kind & FORMATTING and _close_formatting(stack, name):
        return
    elif group == HEADING:
        _close_scoped(stack, np.int64(0), group, np.int64(SCOPE), np.int64(0))
    elif group == FORM:
        _close_form(stack)
    elif kind & SPECIAL and group not in (STIFF, FRAMESET):
        shield = LIST if group == LI else BUTTON if group == P else 0
        _close_scoped(stack, name, np.int64(0), np.int64(SCOPE), np.int64(shield))
    else:
        _close_scoped(stack, name, np.int64(0), np.int64(SPECIAL | SCOPE), np.int64(0))


@lean
def _push(stack: Open, name: np.int64, kind: np.int64, look: np.int64) -> None:
    at = stack.size[0]
    if at < len(stack.names) // 2:
        stack.names[at], stack.kinds[at], stack.looks[at] = name, kind, look
        stack.size[0] = at + 1
        if kind & (FOREIGN | POINT):
            stack.size[1] = at


@lean
def _truncate(stack: Open, size: int) -> None:
    """Leave so many entries."""
    while size > 0 and stack.kinds[size - 1] & _LEFT:
        size -= 1
    stack.size[0] = size
    while stack.size[1] >= size:
        at = stack.size[1] - 1
        while at >= 0 and not stack.kinds[at] & (FOREIGN | POINT):
            at -= 1
        stack.size[1] = at


@lean
def _pop(stack: Open, start: int) -> None:
    """Close everything from an entry on; formatting comes back, unless it is in a cell or the like."""
    end = stack.size[0]
    _truncate(stack, start)
    kept = stack.size[0]
    for at in range(start, end):
        kind = stack.kinds[at]
        if kind & MARKER:
            break
        if kind & FORMATTING:
            stack.names[kept], stack.looks[kept] = stack.names[at], stack.looks[at]
            stack.kinds[kept] = kind | _FLOATING
            kept += 1
    stack.size[0] = kept


@lean
def _remove(stack: Open, place: int) -> None:
    """Take one entry out."""
    for at in range(place + 1, stack.size[0]):
        stack.names[at - 1], stack.kinds[at - 1] = stack.names[at], stack.kinds[at]
        stack.looks[at - 1] = stack.looks[at]
    stack.size[0] -= 1
    if stack.size[1] > place:
        stack.size[1] -= 1


@lean
def _pop_top(stack: Open, group: np.int64) -> None:
    """Close the innermost element, if it is of a group."""
    top = stack.size[0] - 1
    if top >= 0 and stack.kinds[top] & _GROUPED == group:
        _truncate(stack, top)


@lean
def _close_scoped(stack: Open, name: np.int64, group: np.int64, shield: np.int64, other: np.int64) -> bool:
    """Close the innermost element of a name, or of a group, if there is one.

    Unless one with `shield`, or of the group `other`, is in between.
    """
    for at in range(stack.size[0] - 1, -1, -1):
        kind = stack.kinds[at]
        own = kind & _GROUPED
        if kind & POINT:
            return False
        if (group and own == group) or (not group and stack.names[at] == name):
            _pop(stack, at)
            return True
        if kind & shield or (other and own == other):
            return False
    return False


@lean
def _close_item(stack: Open, group: np.int64) -> None:
    """What another item of a list closes."""
    for at in range(stack.size[0] - 1, -1, -1):
        kind = stack.kinds[at]
        if kind & _GROUPED == group:
            _pop(stack, at)
            return
        if kind & (SPECIAL | POINT) and kind & _GROUPED not in (P, DIVISION):
            return


@lean
def _close_formatting(stack: Open, name: np.int64) -> bool:
    """Close formatting that comes back, if there is some; a block that was opened inside it stays."""
    block = False
    for at in range(stack.size[0] - 1, -1, -1):
        kind = stack.kinds[at]
        if stack.names[at] == name and kind & FORMATTING:
            if block or kind & _FLOATING:
                _remove(stack, at)
            else:
                stack.kinds[at] = 0
                _pop(stack, at)
            return True
        if kind & (SCOPE | POINT):
            return False
        block = block or kind & SPECIAL
    return False


@lean
def _close_form(stack: Open) -> None:
    """Another form may open; what is in this one, if anything is open, still is in it."""
    for at in range(stack.size[0] - 1, -1, -1):
        if stack.kinds[at] & _GROUPED == FORM:
            stack.kinds[at] = _LEFT
            return


@lean
def _clear_back(stack: Open, rank: np.int64) -> bool:
    """Make room for a part of a table; whether there is a table."""
    for at in range(stack.size[0] - 1, -1, -1):
        kind = stack.kinds[at]
        own = kind & _RANKED
        if kind & (TEMPLATE | POINT):
            return bool(kind & TEMPLATE)
        if own == TABLE or (own and own < rank):
            _pop(stack, at + 1)
            for part in range((own >> _RANK) + 1, rank >> _RANK):  # which authors leave out
                _push(stack, np.int64(0), np.int64(part << _RANK), np.int64(0))
            return True
    return False


@lean
def _close_part(stack: Open, name: np.int64) -> None:
    """Close a table, or a part of the innermost one."""
    for at in range(stack.size[0] - 1, -1, -1):
        if stack.names[at] == name:
            _pop(stack, at)
            return
        if stack.kinds[at] & (TEMPLATE | POINT) or stack.kinds[at] & _RANKED == TABLE:
            return


@lean
def _holds(stack: Open, group: np.int64) -> bool:
    """Whether an element of a group is open."""
    at = stack.size[0] - 1
    while at >= 0 and stack.kinds[at] & _GROUPED != group:
        at -= 1
    return bool(at >= 0)


@lean
def _bring_back(stack: Open) -> None:
    """Formatting that comes back does so, behind all that is open."""
    first = stack.size[0]
    while first > 0 and not stack.kinds[first - 1] & MARKER:
        first -= 1
    kept = first
    aside = capacity = len(stack.names) // 2
    for at in range(first, stack.size[0]):
        to = kept
        if stack.kinds[at] & _FLOATING:
            to = aside
            aside += 1
        else:
            kept += 1
        stack.names[to], stack.kinds[to] = stack.names[at], stack.kinds[at] & ~_FLOATING
        stack.looks[to] = stack.looks[at]
    for at in range(capacity, aside):
        stack.names[kept], stack.kinds[kept] = stack.names[at], stack.kinds[at]
        stack.looks[kept] = stack.looks[at]
        kept += 1


@lean
def _drop_likes(stack: Open, look: np.int64) -> None:
    """Of formatting that looks the same, three come back: with another one, the first does no more."""
    likes, first = 0, -1
    for at in range(stack.size[0] - 1, -1, -1):
        kind = stack.kinds[at]
        if kind & MARKER:
            break
        if kind & FORMATTING and stack.looks[at] == look:
            likes += 1
            first = at
    if likes >= _MORE_LIKE_IT:
        stack.kinds[first] &= ~FORMATTING
