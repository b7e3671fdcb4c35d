"""Pages that are traps are seen before a parser sees them: our count of open elements against a real tree."""

import html.parser
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree, NodeType

from stages.limits import MAX_ATTRIBUTES, MAX_DEPTH, MAX_OPTIONS, MAX_TAGS, MAX_WEIGHT, shape, trap

NAMES = [
    *(
        "div",
        "span",
        "b",
        "i",
        "a",
        "nobr",
        "font",
        "p",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "table",
        "tbody",
    ),
    *(
        "thead",
        "tr",
        "td",
        "th",
        "caption",
        "colgroup",
        "col",
        "select",
        "option",
        "optgroup",
        "button",
        "form",
    ),
    *("h1", "h2", "svg", "math", "foreignObject", "desc", "mi", "annotation-xml", "template", "br", "img"),
    *("input", "hr", "pre", "marquee", "object", "ruby", "rt", "custom-x", "textarea", "title", "script"),
    *("noscript", "label", "center", "body", "frameset"),
]
RAW = {"script", "textarea", "title"}


def depth(markup: str) -> int:
    """The most elements around a node, by a parser that follows the HTML Standard (lexbor)."""
    deepest, todo = 0, [(HTMLTree.parse(markup).document, 0)]
    while todo:
        node, around = todo.pop()
        for child in node.child_nodes or []:
            if child.type == NodeType.ELEMENT:
                todo.append((child, around + (child.tag not in ("html", "head", "body"))))
                deepest = max(deepest, around)
            elif node.tag not in RAW:
                deepest = max(deepest, around)
    return deepest


@st.composite
def soups(draw: st.DrawFn) -> str:
    """Tags of a few kinds in any order."""
    few = st.sampled_from(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5)))
    opening = st.builds("<{}{}>".format, few, st.sampled_from(["", "", " a=1", "/"]))
    tag = st.one_of(opening, opening, few.map("</{}>".format), st.just("x"))
    return "".join(draw(st.lists(tag, max_size=60)))


@settings(max_examples=600, deadline=None, derandomize=True)
@given(soups())
def test_no_tree_is_much_deeper_than_we_count(soup: str) -> None:
    assert depth(soup) <= 1.5 * shape(soup.encode()).depth + 3


@st.composite
def trees(draw: st.DrawFn, levels: int = 4) -> str:
    """Markup whose every element is closed, as deep as it looks."""
    name = draw(st.sampled_from(["div", "section", "span", "b", "ul", "custom-x", "table"]))
    inside = "x"
    if levels and draw(st.booleans()):
        inside = "".join(draw(st.lists(trees(levels - 1), min_size=1, max_size=3)))
    if name == "ul":
        return f"<ul><li>{inside}<li class=x>y</ul>"
    if name == "table":
        return f"<table><tbody><tr><td>{inside}<td>y<tr><th>z</table>"
    return f"<{name} id='>'>{inside}</{name}>"


@settings(max_examples=200, deadline=None)
@given(st.lists(trees(), max_size=4).map("".join))
def test_of_tidy_markup_it_is_the_depth_of_the_tree(tidy: str) -> None:
    assert shape(tidy.encode()).depth == depth(tidy)


@pytest.mark.parametrize(
    ("piece", "grows"),
    [
        ("<div>", True),
        ("<div></span>", True),
        ("<div></p></li></td></b>", True),
        ("<table><tr><td>", True),
        ("<b><p>", False),  # three times the same formatting comes back, and no more
        ("<svg><foreignObject>", True),
        ("<ul><li>", True),
        ("<div/>", True),  # in HTML the slash means nothing
        ("<a><div></a>", True),
        ("<button><div></button>x", False),
        ("<font size=1><p>x</font>", False),
        ("<option>x<option>", False),
        ("<p>x", False),
        ("<li>x<li><div>", False),
        ("<dt>x<dd>y", False),
        ("<td>x<tr>", False),
        ("<table><tr><td>x</table>", False),
        ("<ul><li>x<li>y</ul>", False),
        ("<select><option>x<option>y</select>", False),
        ("<form><div></form></div>", False),
        ("<svg><path d='x'/></svg>", False),
        ("<br><hr><img>", False),
        ("<i><b>x</i></b>", False),
        ("<script>'<div>'</script>", False),
        ("<!-- <div> -->", False),
        ("</div>", False),
    ],
)
def test_what_nests_and_what_does_not(piece: str, grows: bool) -> None:
    found = shape((piece * 101).encode()).depth
    assert (found >= 100) == grows == (depth(piece * 101) >= 100)
    assert grows or found < 10


def test_formatting_of_many_looks_all_comes_back() -> None:
    soup = "".join(f"<p><font size={size}>x" for size in range(100))
    assert depth(soup) == shape(soup.encode()).depth == 101


def test_templates_nest() -> None:
    assert shape(b"<template>" * 100).depth == 100  # the oracle does not look into them


class Counting(html.parser.HTMLParser):
    """Tags and most attributes in one, by Python's own tokenizer."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = self.most = 0

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags += 1
        self.most = max(self.most, len(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags += 1


ATTRIBUTES = st.sampled_from(
    [" a", " b=1", " c='x > y'", ' d="</div>"', " e = f", "\n\tg=h/i", " class='a b c'"]
)
OPENING = st.builds(
    "<{}{}>".format,
    st.sampled_from(["div", "B", "BR", "img", "p", "custom-element"]),
    st.lists(ATTRIBUTES, max_size=6).map("".join),
)
OTHER = st.sampled_from(
    [
        "text",
        " a < b ",
        "<!-- <div> -->",
        "<!DOCTYPE html>",
        "<script>a<b '<div>'</script>",
        "&lt;",
        "日本",
        "<3",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(OPENING, OTHER, st.just("</div>")), max_size=40).map("".join))
def test_tags_and_attributes_are_those_of_a_tokenizer(markup: str) -> None:
    oracle = Counting()
    oracle.feed(markup)
    oracle.close()
    found = shape(markup.encode())
    assert (found.tags, found.attributes) == (oracle.tags, oracle.most)


def test_each_limit_at_its_edge() -> None:
    assert trap(b"<div>" * MAX_DEPTH + b"</div>" * MAX_DEPTH) == ""
    assert trap(b"<div>" * (MAX_DEPTH + 1)) == "too_deep"
    assert trap(b"<p>" * MAX_TAGS) == ""
    assert trap(b"<p>" * (MAX_TAGS + 1)) == "too_many_tags"
    assert trap(b"<option>" * MAX_OPTIONS) == ""
    assert trap(b"<option>" * (MAX_OPTIONS + 1)) == "too_many_tags"
    assert trap(b"<a " + b"x " * MAX_ATTRIBUTES + b">") == ""
    assert trap(b"<a " + b"x " * (MAX_ATTRIBUTES + 1) + b">") == "too_many_attributes"
    assert trap(b"<body x>" * MAX_ATTRIBUTES) == ""
    assert trap(b"<html x>" + b"<body x>" * MAX_ATTRIBUTES) == "too_many_attributes"
    levels = 500
    flat = (MAX_WEIGHT - levels * (levels + 1) // 2) // levels
    assert trap(b"<div>" * levels + b"<br>" * flat) == ""
    assert trap(b"<div>" * levels + b"<br>" * (flat + 1)) == "too_deep"


def test_ordinary_pages_are_no_traps() -> None:
    table = b"<table>" + b"<tr><td>a<td>b" * 20_000 + b"</table>"
    menu = b"<ul><li><a href=/>x</a>" * 100 + b"</ul>" * 100
    for page in (
        table,
        menu,
        b"<p>x" * 50_000,
        b"<svg>" + b"<path d='x'/>" * 50_000 + b"</svg>",
        b"<" * 100_000,
    ):
        assert trap(page) == ""


FUZZ = """
import random, sys
from stages.limits import shape
draw = random.Random(int(sys.argv[1]))
names = sys.argv[2].split()
pieces = [b"<", b">", b"</", b"<!--", b"-->", b"<!-->", b"--!>", b"'", b'"', b"=", b" ", b"/", b"!", b"-"]
for round in range(3000):
    few = draw.sample(names, draw.randrange(1, 6))
    tags = [f"<{slash}{name}>".encode() for name in few for slash in ("", "", "/")]
    html = b"".join(draw.choice(tags if draw.random() < 0.8 else pieces) for _ in range(draw.randrange(80)))
    found = shape(html, depth=draw.choice((3, 20, 512)))
    assert 0 <= found.tags <= len(html) and 0 <= found.attributes <= len(html)
"""


def test_no_bytes_make_a_kernel_leave_its_arrays(tmp_path: Path) -> None:
    """Kernels compiled with bounds checks, also where the stack is full."""
    env = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", FUZZ, "1", " ".join(NAMES)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
