"""Which pages are no pages but traps: limits on the shape of markup, checked before a parser sees it.

Parsers take time that grows with the square of the nesting depth, or of the attributes in one tag: a page of
100,000 nested `<div>`, or of a tag with 200,000 attributes, keeps them busy for minutes. One pass counts what
makes them slow (see benchmarks/hostile.py).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.markup import value_of
from stages.nesting import (
    ELEMENTS,
    FORMATTING,
    LINK,
    NOBR,
    OPTION,
    RAW,
    ROOT,
    Elements,
    Open,
    end_tag,
    holds_text,
    kind_of,
    nothing_open,
    start_tag,
)
from stages.scan import BLANK, CLASSES, LOWER, UPPER, Bytes, byte_at, find, skip_blanks

MAX_BYTES = 8 << 20  # of a payload; crawlers cut at 1 to 5 MB
MAX_TAGS = 400_000  # of 3,000 real pages the most are 70,531
MAX_TAGS_OF = {"trafilatura": 100_000}  # an engine that takes some 70 microseconds for each
MAX_DEPTH = 512  # open elements, as in browsers
MAX_WEIGHT = 4_000_000  # the sum of the depths of all tags: what a parser that looks up from each has to do
MAX_ATTRIBUTES = 500  # of one tag; of all <html> and <body> together
MAX_OPTIONS = 10_000  # which some parsers count again at each

Counts = NDArray[np.int64]
_SEED, _PRIME = np.int64(0xCBF29CE484222325 - (1 << 64)), np.int64(0x100000001B3)
_BANG, _DASH, _SLASH, _LESS, _EQUALS, _GREATER = b"!-/<=>"


class Shape(NamedTuple):
    """What was counted in a page."""

    tags: int
    depth: int
    weight: int
    attributes: int
    options: int


def trap(html: bytes, engine: str = "") -> str:
    """Why markup in UTF-8 should not be parsed by an engine; empty if it may be.

    too_many_tags, too_deep or too_many_attributes.
    """
    found = shape(html)
    if found.depth > MAX_DEPTH or found.weight > MAX_WEIGHT:
        return "too_deep"
    if found.tags > MAX_TAGS_OF.get(engine, MAX_TAGS) or found.options > MAX_OPTIONS:
        return "too_many_tags"
    return "too_many_attributes" if found.attributes > MAX_ATTRIBUTES else ""


def shape(html: bytes, depth: int = MAX_DEPTH) -> Shape:
    """What a parser would find in markup, as far as it nests no deeper than `depth`."""
    counts = np.zeros(len(Shape._fields), np.int64)
    _count(np.frombuffer(html, np.uint8), CLASSES, ELEMENTS, nothing_open(depth + 1), counts)
    return Shape(*counts.tolist())


@lean
def _count(html: Bytes, classes: Bytes, elements: Elements, stack: Open, counts: Counts) -> None:
    """Fill `counts`, the fields of Shape."""
    tags = deepest = weight = most = options = roots = unclosed = 0
    at = find(html, 0, _LESS)
    while at < html.size and tags <= MAX_TAGS and stack.size[0] < len(stack.names) // 2:
        closing = byte_at(html, at + 1) == _SLASH
        start = at + 2 if closing else at + 1
        if not _is_letter(html, start, classes):
            at = find(html, _declaration_end(html, at), _LESS)
            continue
        name, at = _name(html, start, classes)
        attributes, empty, at = _attributes(html, at, classes)
        kind = kind_of(name, elements)
        tags += 1
        most = max(most, attributes)
        if closing:
            end_tag(stack, name, kind)
        elif kind & RAW and holds_text(stack):
            end = _raw_end(html, at, name, classes) if not unclosed else html.size
            if end < html.size:
                at = end
            else:  # where it is text to the end, a parser has less to do
                unclosed += 1
        else:
            look = np.int64(0)
            if kind & FORMATTING and not kind & (LINK | NOBR):
                look = _hash(html, start, at)
            start_tag(stack, name, kind, look, empty)
            options += kind == OPTION
            roots += attributes if kind & ROOT else 0
        deepest = max(deepest, stack.size[0])
        weight += stack.size[0]
        at = find(html, at, _LESS)
    counts[0], counts[1], counts[2], counts[3], counts[4] = tags, deepest, weight, max(most, roots), options


@lean
def _is_letter(html: Bytes, at: int, classes: Bytes) -> bool:
    return bool(at < html.size and classes[html[at]] & (UPPER | LOWER))


@lean
def _name(html: Bytes, at: int, classes: Bytes) -> tuple[np.int64, int]:
    """(hash of a tag's name in lower case, where it ends)."""
    name = _SEED
    while at < html.size:
        byte = html[at]
        if classes[byte] & BLANK or byte in (_SLASH, _GREATER):
            break
        if classes[byte] & UPPER:
            byte |= np.uint8(32)
        name = (name ^ np.int64(byte)) * _PRIME
        at += 1
    return name, at


@lean
def _hash(html: Bytes, start: int, end: int) -> np.int64:
    """Hash of a stretch of bytes."""
    value = _SEED
    for at in range(start, min(end, html.size)):
        value = (value ^ np.int64(html[at])) * _PRIME
    return value


@lean
def _attributes(html: Bytes, at: int, classes: Bytes) -> tuple[int, bool, int]:
    """(attributes of a tag, whether it ends in '/>', where it ends), from the end of its name on."""
    count = 0
    while at < html.size and html[at] != _GREATER:
        if classes[html[at]] & BLANK or html[at] == _SLASH:
            at += 1
            continue
        count += 1
        at += 1
        while at < html.size and not (classes[html[at]] & BLANK or html[at] in (_SLASH, _EQUALS, _GREATER)):
            at += 1
        value = skip_blanks(html, at, classes)
        if byte_at(html, value) == _EQUALS:
            at = value_of(html, skip_blanks(html, value + 1, classes), classes)[2]
    return count, byte_at(html, at - 1) == _SLASH, at + 1


@lean
def _declaration_end(html: Bytes, at: int) -> int:
    """Where a comment that begins here ends; of anything else, the next byte."""
    if not (byte_at(html, at + 1) == _BANG and byte_at(html, at + 2) == byte_at(html, at + 3) == _DASH):
        return at + 1
    if byte_at(html, at + 4) == _GREATER:
        return at + 5
    end = find(html, at + 5, _GREATER)
    while end < html.size and not _ends_comment(html, end):
        end = find(html, end + 1, _GREATER)
    return end + 1


@lean
def _ends_comment(html: Bytes, at: int) -> bool:
    """Whether what ends here is `-->` or `--!>`."""
    last = at - 2 if html[at - 1] == _BANG else at - 1
    return bool(html[last] == _DASH and html[last - 1] == _DASH)


@lean
def _raw_end(html: Bytes, at: int, name: np.int64, classes: Bytes) -> int:
    """Where the closing tag of a raw text element begins."""
    at = find(html, at, _LESS)
    while at < html.size and not (
        byte_at(html, at + 1) == _SLASH and _name(html, at + 2, classes)[0] == name
    ):
        at = find(html, at + 1, _LESS)
    return at
