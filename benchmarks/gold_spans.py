"""Main text marked in the HTML of a page, so that no word of the page need be copied.

A mark is a span of characters of the decoded page. It begins and ends with text; what is between is part of
it but for what nobody sees.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import pairwise
from typing import NamedTuple

# What nobody sees, whole; then any tag. A quoted value may hold '>'; possessive, so that it stays linear.
_MARKUP = re.compile(
    r"<!--.*?-->"
    r"|<(script|style|noscript|template|title|textarea|svg|iframe)\b.*?</\1\s*>"
    r"""|</?([a-z][a-z0-9:-]*)(?:="[^"]*"|='[^']*'|[^>])*+>"""
    r"|<[!?/][^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_INLINE = re.compile(
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|img|ins|kbd|label|mark|nobr|q|rb|rp|rt|rtc|"
    "ruby|s|samp|small|span|strike|strong|sub|sup|time|tt|u|var|wbr",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """Characters `start` to `end` of a page."""

    start: int
    end: int


def blocks(page: str) -> list[Span]:
    """Every run of text between two tags that are not inline, from its first character to its last."""
    found = []
    for start, end in _runs(page, Span(0, len(page))):
        cuts = [(start, start), *(m.span() for m in _MARKUP.finditer(page, start, end)), (end, end)]
        texts = [_trimmed(page, before, after) for (_, before), (after, _) in pairwise(cuts)]
        seen = [text for text in texts if text.start < text.end]
        if seen:
            found.append(Span(seen[0].start, seen[-1].end))
    return found


def text(page: str, spans: Iterable[Span]) -> str:
    """What a reader sees of the spans: a line per block, entities decoded, white space collapsed."""
    runs = (page[start:end] for span in spans for start, end in _runs(page, span))
    lines = (" ".join(unescape(_MARKUP.sub("", run)).split()) for run in runs)
    return "\n".join(filter(None, lines))


def _runs(page: str, span: Span) -> Iterator[Span]:
    """What stands between the tags of a span that are not inline."""
    start = span.start
    for markup in _MARKUP.finditer(page, *span):
        if markup[2] and not _INLINE.fullmatch(markup[2]):
            yield Span(start, markup.start())
            start = markup.end()
    yield Span(start, span.end)


def _trimmed(page: str, start: int, end: int) -> Span:
    """A text without the white space, however it is written, at its ends."""
    while start < end and not unescape(page[start:end]).strip():
        start = end
    piece = page[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()))
