"""Tags, elements and text of a page are those that a parser by the HTML Standard sees."""

import html as entities
import re

import numpy as np
import pytest
from dom import Line, lines, merged, squeezed
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.blocks import OWNER, PARENT, TAG_NUMBER, TEXT, TEXT_END, blocks
from stages.markup import CLASS, CONTENT, FROM, ID, STYLE, TO, WHICH, displays_none, tokenize
from stages.scan import CLASSES, find
from stages.tags import NAMES, TAGS, names


def ours(html: str) -> list[Line]:
    """What `dom.lines` tells, by our blocks."""
    page = blocks(np.frombuffer(html.encode(), np.uint8))
    data = page.text.tobytes()
    found = []
    for block in page.blocks:
        path: list[str] = []
        element = block[OWNER]
        while element:
            path.insert(0, ["?", *NAMES][page.elements[element, TAG_NUMBER]])
            element = page.elements[element, PARENT]
        text = entities.unescape(data[block[TEXT] : block[TEXT_END]].decode())
        found.append((tuple(name for name in path if name not in ("body", "tbody")), squeezed(text)))
    return merged([(path, text) for path, text in found if text])


@pytest.mark.parametrize(
    "body",
    [
        "<p>one<p>two<ul><li>a<li>b<p>c</ul>d",
        "<dl><dt>a<dd>b<dt>c<dd><dl><dt>d</dl>e</dl>",
        "<ul><li>a</li></li><li>b<ul><li>c</li></li><li>d</ul>e</ul>",
        "<h1>a<h2>b</h2>c<h3>d</h2>e<h1><div>f<h2>g</h1>h",
        "<button>a<div>b<button>c</button>d</div>e</button>f",
        "<div>a</p>b</span>c</section>d</div>e</div>f",
        "<table><tr><td>a<td>b<tr><th>c<tbody><tr><td><table><tr><td>d</table>e</table>f",
        "<table><caption>a<p>b</caption><thead><tr><td>c<tfoot><tr><td>d</table>e",
        "<DIV CLASS=x>a<Section>b</SECTION>c</dIv>d",
        "a<!--><p>--><i>b</i>c<!-- d --!>e<!---->f<!-- -- > -->g<!--->h<!----!>i",
        "a<!-- never closed <p>b",
        "<![CDATA[a]]>b<?php echo '<p>' ?>c<!foo <p>d",
        "a<!--[if IE]><p>old</p><![endif]-->b<![if !IE]>c<![endif]>d",
        "<script>if (a</b) '<p>'</scriptx></script >a<style><p></style/>b",
        "<textarea><p>a</textarea><title><p>b</title><xmp><p></xmp><iframe><p></iframe>c",
        "<select><option>a<option>b</select><noembed><p>c</noembed>d",
        "<template><p>a<template>b</template>c</template>d<template></template>e",
        "<svg><svg><text>a</text></svg><title>b</title></svg>c<svg><path d='<'/>d<p>e</svg>f",
        "<svg><foreignObject><p>a</p></foreignObject></svg>b<math><mi>c</mi></math>d",
        "<p title=a>b<p title='a>c' >d<p title=\"'>\">e<p title=a'>f<p title=<b>g",
        "<p/>a<div/>b<br/>c<hr/>d<img/ src=x / alt=y>e<p/class=x/>f",
        "<p =a>b<p a = 'c' d>e<p a='b'c='d'>f<p \"'>g<p a=>h",
        "a < b <3 <-- c <& d </ e>f</>g</3>h<>i",
        "a &lt;p&gt; &amp;amp; &eacute;&#233;&#xe9; &copy &notit; &#0; &#128;b",
        "<my-box>a<x>b</x></my-box>c<p><my-p>d</p>e",
        "<a href=x><div>a</div>b</a><b><p>c</b>d</p><i>e<section>f</i>g</section>",
        "<pre>\n a\n  b</pre><listing>\n c</listing><plaintext>",
        "</body></html>a<p>b",
        "a\0b<p\0>c",
        "<p>漢字<p>ไทย<div>عربي<li>हिन्दी<li>Русский",
    ],
)
def test_elements_and_text_are_those_of_the_standard(body: str) -> None:
    html = f"<!doctype html><title>t</title><body>{body}"
    assert ours(html) == lines(html.encode())


NAMES_MADE = names("div p ul li dl dt dd h1 h2 section blockquote center")
SCRAPS = """a|b |c\n|é|三|ไ|<!-- x -->|<!--<p>-->|<br>|<hr>|<img src='a>b'>|<script>'<p>'</script>|< |&lt;p>
<style></p></style>|<?x>|<svg><path/></svg>|<template><p>x</template>|<table><tr><td>|</table>|<b>x</b>|<i>y</i>|<span>z</span>"""
PIECES = st.sampled_from(re.split(r"[|\n]", SCRAPS)) | st.sampled_from(
    [form.format(name) for name in NAMES_MADE for form in ("<{}>", "</{}>", "<{} class=x >")]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_tags_in_any_order(body: str) -> None:
    html = f"<!doctype html><title>t</title><body>{body}"
    assert ours(html) == lines(html.encode())


def attributes(html: str) -> list[tuple[int, str]]:
    data = html.encode()
    rows = tokenize(np.frombuffer(data, np.uint8), TAGS, CLASSES).attributes
    return [(int(row[WHICH]), data[row[FROM] : row[TO]].decode()) for row in rows]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p class=a id='b c' style=\"d'e\">", [(CLASS, "a"), (ID, "b c"), (STYLE, "d'e")]),
        ("<p CLASS = a\nId\t=\t'b'>", [(CLASS, "a"), (ID, "b")]),
        ("<p class=a class=b id=c ID=d>", [(CLASS, "a"), (ID, "c")]),  # the first counts
        ("<p class=a/b><p/id=c/>", [(CLASS, "a/b"), (ID, "c/")]),
        ("<p class id=a=b>", [(CLASS, ""), (ID, "a=b")]),
        ("<p class='<p id=x>'>", [(CLASS, "<p id=x>")]),
        ("<p class='a' id=\"never closed>", [(CLASS, "a"), (ID, "never closed>")]),
        ("</p class=a><p data-class=b class2=c>", []),
        ("<!-- <p class=a> --><script class=b>'<p class=c>'</script>", [(CLASS, "b")]),
        ("<meta content='日本'>", [(CONTENT, "日本")]),
    ],
)
def test_attributes(html: str, expected: list[tuple[int, str]]) -> None:
    assert attributes(html) == expected


@pytest.mark.parametrize(
    ("style", "hidden"),
    [
        ("display:none", True),
        ("color: red; DISPLAY:  None", True),
        ("display: block", False),
        ("display:none!important", True),
        ("display", False),
        ("display:", False),
        ("visibility:none", False),
    ],
)
def test_styles_that_hide(style: str, hidden: bool) -> None:
    assert displays_none(np.frombuffer(style.encode(), np.uint8), 0, len(style)) == hidden


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 45), st.integers(0, 255))
def test_find(data: bytes, start: int, byte: int) -> None:
    there = data.find(bytes([byte]), start)
    assert find(np.frombuffer(data, np.uint8), start, byte) == (
        there if there >= 0 else max(start, len(data))
    )


@pytest.mark.parametrize("opened", ["template", "svg", "object", "script", "select", "!--", "a b='", "math"])
def test_what_is_never_closed_takes_linear_time(opened: str) -> None:
    """Quadratic time would be minutes."""
    assert len(ours(f"<{opened}>x<{opened}><p>y</{opened}>" * 40_000)) <= 120_000
