"""A passage of a text in a form in which all scripts write numbers alike, and what recognizers share."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from stages.suspects import DASHES, SPACES, ZEROS

ALONE = r"(?<![0-9A-Za-z_À-ɏ$€£¥￥#=&@*])"  # begins what is no part of a word, price or address
# A number, whole: a comma parts long numbers, and is within short ones.
BEFORE = rf"{ALONE}(?:(?<![0-9][-.,/:])|(?<=[0-9]{{7}},))"
AFTER = r"(?![0-9A-Za-z_À-ɏ])(?!,[0-9]{1,6}(?![0-9]))(?![-./:][0-9])"
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_BLANK = "\0"
_URL = re.compile(r"(?:https?://|www\.)[!-~]+", re.ASCII | re.IGNORECASE)
_PLAIN = {
    **{code: code - 0xFEE0 for code in _FULL_WIDTH},
    **{zero + digit: 0x30 + digit for zero in ZEROS for digit in range(10)},
    **dict.fromkeys(SPACES, 0x20),
    **dict.fromkeys(DASHES, 0x2D),
}


class Place(NamedTuple):
    """Something found in a passage."""

    rule: str  # by which
    start: int  # character
    end: int


def plain(passage: str) -> str:
    """Digits of all scripts, full-width signs, spaces and dashes as ASCII; character for character."""
    return passage if passage.isascii() and "\t" not in passage else passage.translate(_PLAIN)


def without_urls(passage: str) -> str:
    """With letters in place of URLs, whose numbers mean nothing to a reader."""
    return (
        _URL.sub(lambda url: "x" * len(url[0]), passage) if "://" in passage or "www." in passage else passage
    )


def without(passage: str, places: Iterable[Place]) -> str:
    """With nothing in the places that are known already; `places` are in order."""
    bounds = [(0, 0), *((place.start, place.end) for place in places), (len(passage), len(passage))]
    pieces = (
        _BLANK * (end - start) + passage[end:following] for (start, end), (following, _) in pairwise(bounds)
    )
    return "".join(pieces)


def apart(places: Iterable[Place]) -> Iterator[Place]:
    """In order, those that do not overlap an earlier one."""
    end = 0
    for place in sorted(places, key=lambda each: (each.start, -each.end)):
        if place.start >= end:
            end = place.end
            yield place
