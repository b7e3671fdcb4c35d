"""Tags and blocks of markup: known cases, trees whose text is known, and bytes that are no markup at all."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.blocks import BREAKS, IS_PRE, LINKED, OWNER, TAG_NUMBER, TEXT, TEXT_END, Page, blocks
from stages.declared import DECLARED
from stages.layout import lay_out
from stages.markup import ELEMENT, END, NOTHING, START, tokenize
from stages.measures import CHARACTERS, COMMAS, LINK_CHARACTERS, SENTENCES, WORDS, measure
from stages.scan import CLASSES
from stages.tags import NAMES, TAGS


def read(html: str | bytes) -> Page:
    data = html.encode() if isinstance(html, str) else html
    return blocks(np.frombuffer(data, np.uint8))


def texts(html: str | bytes) -> list[tuple[str, str]]:
    """(element, text) of each block."""
    page = read(html)
    data = page.text.tobytes()
    names = ["", *NAMES]
    return [
        (names[page.elements[row[OWNER], TAG_NUMBER]], data[row[TEXT] : row[TEXT_END]].decode())
        for row in page.blocks
    ]


def all_text(html: str | bytes) -> str:
    page = read(html)
    return lay_out(page, np.ones(len(page.blocks), np.bool_))


def tags(html: str) -> list[str]:
    """Each tag as it stands in the page, but those of elements that are skipped."""
    data = html.encode()
    found = tokenize(np.frombuffer(data, np.uint8), TAGS, CLASSES).tags
    return [data[row[START] : row[END]].decode() for row in found if row[ELEMENT] != NOTHING]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<b>c</b>d", ["<b>", "</b>"]),
        ("a < b and <3", []),
        ("<p title='a>b' data-x=\"c>d\">x", ["<p title='a>b' data-x=\"c>d\">"]),
        ("<!-- <p> --><p>", ["<p>"]),
        ("<!--><p>--><i>", ["<p>", "<i>"]),
        ("<!-- a --!><p>", ["<p>"]),
        ("<![CDATA[<p>]]>x", []),
        ("<!DOCTYPE html><?xml version='1.0'?><p>", ["<p>"]),
        ("<script>if (a<b) '</p>'</script ><p>", ["<p>"]),
        ("<style>p{}</STYLE><p>", ["<p>"]),
        ("<textarea>never closed <p>x", ["<p>"]),
        ("<script>never closed <p>x", []),
        ("<!--[if IE]><p>old</p><![endif]--><p>", ["<p>"]),
        ("<a href=x/y>z</a>", ["<a href=x/y>", "</a>"]),
        ("</><p></ x><i>", ["<p>", "<i>"]),
        ("<p", ["<p"]),
        ("<p a='", ["<p a='"]),
        ("<", []),
        ("", []),
    ],
)
def test_tags(html: str, expected: list[str]) -> None:
    assert tags(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one<p>two", [("p", "one"), ("p", "two")]),
        ("<ul><li>a<li>b</ul>c", [("li", "a"), ("li", "b"), ("", "c")]),
        ("<table><tr><td>1<td>2<tr><td>3</table>", [("td", "1"), ("td", "2"), ("td", "3")]),
        ("<dl><dt>a<dd>b<dt>c</dl>", [("dt", "a"), ("dd", "b"), ("dt", "c")]),
        ("<div>a<span>b</span> <i>c</i></div>d", [("div", "ab c"), ("", "d")]),
        ("<p>a<br>b<br/>c", [("p", "a\nb\nc")]),
        ("<p>  a \n\t b&nbsp; c\u00a0d ", [("p", "a b c d")]),
        ("<pre>\n  a\n\n    b \n</pre>x", [("pre", "  a\n\n    b"), ("", "x")]),
        ("<p><a href=1>a</a><a href=2>b</a>", [("p", "a b")]),
        ("<p>a</div></section>b</p>c", [("p", "a"), ("p", "b"), ("", "c")]),
        ("<my-box>a</my-box>b", [("", "a"), ("", "b")]),
        ("<p>&nbsp;</p><p> </p><p></p>", []),
        ("<div><table><tr><td></div>x</table>y", [("td", "x"), ("div", "y")]),
        ("<button>b</button><select><option>o</select><svg><text>s</text></svg>", [("button", "b")]),
        ("<title>t</title><body><h1>ה</h1>ไทย", [("h1", "ה"), ("body", "ไทย")]),
    ],
)
def test_blocks_of_known_markup(html: str, expected: list[tuple[str, str]]) -> None:
    assert texts(html) == expected


def test_layout_shows_items_rows_and_code() -> None:
    html = (
        "<h2>Head</h2><ul><li>one<ul><li>deep</ul><li><p>two</p><p>more</p></ul>"
        "<table><tr><th>a<th>b<tr><td>1 &lt; 2<td><p>x</p></table><pre>if x:\n    y()\n</pre>end"
    )
    expected = "Head\n- one\n  - deep\n- two\nmore\na | b\n1 < 2 | x\nif x:\n    y()\nend"
    assert all_text(html) == expected


INLINE = st.sampled_from(["b", "i", "span", "em", "a", "code"])
BLOCKS = st.sampled_from(["div", "section", "blockquote", "article", "main", "my-element", "center"])
WORD = st.sampled_from(
    ["one", "две", "三", "四五", "ห้า", "ستة", "सात", "&amp;", "a&lt;b", "日本", "é", "x-y"]
)
TEXT_ONLY = st.lists(WORD, min_size=1, max_size=4).map(" ".join)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[str, list[str]]:
    """(markup, the lines of its text)."""
    html, lines = "", []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(BLOCKS)
        attributes = draw(st.sampled_from(["", " class='a b'", " id=x data-y", ' title="<p>"', " hidden"]))
        if depth and draw(st.booleans()):
            inside, below = draw(trees(depth - 1))
        else:
            inside = draw(TEXT_ONLY)
            below = [inside]
            tag = draw(INLINE)
            inside = f"<{tag}>{inside}</{tag}>" if draw(st.booleans()) else inside
        html += f"<{name}{attributes}>{inside}</{name}>" + draw(st.sampled_from(["", "\n", "<!-- c -->"]))
        lines += below
    return html, lines


@settings(deadline=None, max_examples=200)
@given(trees())
def test_text_of_a_tree_is_the_text_of_its_leaves(tree: tuple[str, list[str]]) -> None:
    html, lines = tree
    assert [text for _, text in texts(html)] == lines
    assert tags(html) == [tag for tag in tags(html) if html.find(tag) >= 0]


@settings(deadline=None, max_examples=100)
@given(trees(), st.data())
def test_every_prefix_of_a_page_can_be_read(tree: tuple[str, list[str]], data: st.DataObject) -> None:
    html = tree[0].encode()
    cut = html[: data.draw(st.integers(0, len(html)))]
    page = read(cut)
    assert (page.blocks[:, TEXT] < page.blocks[:, TEXT_END]).all()
    assert (page.elements[1:, 0] < np.arange(1, len(page.elements))).all()


def test_what_a_page_declares() -> None:
    def declared(html: str) -> set[str]:
        found = read(html).declared
        return {name for bit, name in enumerate(DECLARED) if found >> bit & 1}

    json = '<script type="application/ld+json">{"@context": "x", "@type": ["NewsArticle"], "articleBody": 1}'
    assert declared(json + "</script>") == {"article", "body"}
    assert declared('<meta property="og:type" content="Article">') == {"graph_article"}
    assert declared("<meta content='og:product' property=og:type>") == {"graph_product"}
    assert declared('<div itemscope itemtype="https://schema.org/Product">x') == {"product"}
    assert declared('<script>var x = {"@type": "Product"}</script><p>"@type": "Product"') == set()


@pytest.mark.parametrize(
    ("text", "words", "sentences", "commas"),
    [
        ("Two words.", 2, 1, 0),
        ("don't stop, ever! 3.14 is pi; e.g. example.org", 11, 2, 2),
        ("今天天气很好，我们去公园。", 5.5, 1, 1),
        ("これはペンです。", 3.5, 1, 0),
        ("안녕하세요, 세계!", 3.5, 1, 1),
        ("สวัสดี", 1.2, 0, 0),
        ("Привет, мир! Как дела?", 4, 2, 1),
        ("هل أنت بخير؟ نعم، شكرا.", 5, 2, 1),
        ("यह एक वाक्य है।", 4, 1, 0),
    ],
)
def test_measures_in_all_scripts(text: str, words: float, sentences: int, commas: int) -> None:
    row = measure(read(f"<p>{text}"))[0]
    assert (row[WORDS] / 10, row[SENTENCES], row[COMMAS]) == (words, sentences, commas)


def test_links_are_measured_across_blocks() -> None:
    page = read("<div>ab <a href=x>cd<p>ef</p></a> gh</div>")
    measures = measure(page)
    assert measures[:, CHARACTERS].tolist() == [5, 2, 2]
    assert measures[:, LINK_CHARACTERS].tolist() == [3, 2, 0]  # with the blank before it
    assert (page.marks[:, 0] == LINKED).all()


def test_breaks_and_pre_are_counted() -> None:
    page = read("<p>a<br><br>b</p><pre>c</pre>")
    assert page.blocks[:, BREAKS].tolist() == [2, 0]
    assert page.blocks[:, IS_PRE].tolist() == [0, 1]


FUZZ = """
import random, sys
import numpy as np
from stages.block_features import FEATURES, describe
from stages.blocks import blocks
from stages.context import add_context
from stages.layout import lay_out
from stages.main_text import kept, main_text
from stages.measures import measure
weights = np.arange(-32, 32, dtype=np.int32)
draw = random.Random(int(sys.argv[1]))
pieces = (
    b"<|>|</|<!--|-->|<p>|<a href=|'|=|<table>|<td>|</table>|<li>|<ul>|</ul>|<pre>|</pre>|<br>|&nbsp;|&|\\n|"
    b"\\xc2\\xa0|\\xe3\\x80|\\xe3|class='aB-c d'| style=display:none |<title>|</title>|</script>|<h1>|</div>|"
    b'<script type=ld+json>|"|"@type"|:|word |<div class=x>|<b>|</b>|</a>|<meta property=og:type content=|!|'
    b"/|\\xf0\\x9f|\\xd8|]]>|<svg>|<textarea>|</p>|<main>|<body>|<h2>|<ul><li><ol><li>|word. word, <p>|"
    b"\\xe5\\xa4\\xa9\\xe3\\x80\\x82|\\xe0\\xb8\\xaa|\\xd8\\xa7|\\xe0\\xa4\\xaf"
).split(b"|")
pieces += [b"a word " * 70, b"<div>" * 700, b"<li>x" * 50, b"<td>y" * 30]
for round in range(1000):
    html = b"".join(draw.choices(pieces, k=draw.randrange(60)))
    if round % 3 == 0:
        html = bytes(draw.randrange(256) for _ in range(draw.randrange(50))) + html
    main_text(html)
    page = blocks(np.frombuffer(html, np.uint8))
    count = len(page.blocks)
    if count:
        measures = measure(page)
        features, around = describe(page, measures, weights)
        odds = np.array([draw.randrange(-1 << 20, 1 << 20) for _ in range(count)], np.int64)
        add_context(page, measures, around, odds, features[:, len(FEATURES):])
        lay_out(page, kept(odds, measures))
        assert np.isfinite(features).all()
    lay_out(page, np.array([draw.random() < 0.5 for _ in range(count)], np.bool_))
"""


def test_no_bytes_make_a_kernel_leave_its_arrays(tmp_path: Path) -> None:
    """Kernels compiled with bounds checks, on bytes that are hardly markup."""
    env = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, "1"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
