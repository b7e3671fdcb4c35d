"""Pages that are traps are seen before a parser sees them."""

import html.parser
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.limits import _KINDS, shape, trap


class Counting(html.parser.HTMLParser):
    """Tags, deepest nesting and most attributes, by Python's own tokenizer."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = self.depth = self.deepest = self.most = 0

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags += 1
        self.depth += tag not in ("br", "img", "p", "li")
        self.deepest = max(self.deepest, self.depth if tag != "script" else 0)
        self.most = max(self.most, len(attrs))

    def handle_startendtag(self, tag: str, attrs: list[Any]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.tags += 1
        self.depth = max(0, self.depth - (tag not in ("br", "img", "p", "li")))


NAMES = st.sampled_from(["div", "span", "b", "BR", "img", "p", "li", "section", "custom-element"])
ATTRIBUTES = st.sampled_from(
    [" a", " b=1", " c='x > y'", ' d="</div>"', " e = f", "\n\tg=h/i", " class='a b c'"]
)
OPENING = st.builds("<{}{}{}>".format, NAMES, st.lists(ATTRIBUTES, max_size=6).map("".join), st.just(""))
OTHER = st.sampled_from(
    [
        "text",
        " a < b ",
        "<!-- <div> -->",
        "<!DOCTYPE html>",
        "<script>if (a<b) '<div>'</script>",
        "&lt;",
        "日本",
        "<3",
    ]
)
MARKUP = st.lists(st.one_of(OPENING, NAMES.map("</{}>".format), OTHER), max_size=40).map("".join)


@settings(max_examples=200, deadline=None)
@given(MARKUP)
def test_the_shape_of_markup_is_that_of_a_tokenizer(markup):
    oracle = Counting()
    oracle.feed(markup)
    oracle.close()
    seen = shape(np.frombuffer(markup.encode(), np.uint8), _KINDS)
    assert seen == (oracle.tags, oracle.deepest, oracle.most)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("<>/!- abdivscript='\"\n", max_size=80).map(str.encode)))
def test_any_bytes_have_a_shape(data):
    tags, deepest, most = shape(np.frombuffer(data, np.uint8), _KINDS)
    assert 0 <= deepest <= tags <= len(data) and 0 <= most <= len(data)


def test_traps():
    assert trap(b"<div>" * 600) == "too_deep"
    assert trap(b"<div>" * 500 + b"</div>" * 500) == ""
    assert trap(b"<p>" * 5000) == trap(b"<li>x" * 5000) == trap(b"<br/>" * 5000) == ""
    assert trap(b"<svg>" + b"<path d='x'/>" * 5000 + b"</svg>") == ""
    assert trap(b"<div/>" * 5000) == "too_deep"  # in HTML the slash means nothing
    assert trap(b"<a " + b"x " * 2000 + b">") == "too_many_attributes"
    assert trap(b"<b></b>" * 300_000) == "too_many_tags"
    assert trap(b"<script>" + b"'<div>'" * 5000 + b"</script>") == ""
    assert trap(b"<!--" + b"<div>" * 5000 + b"-->") == ""
