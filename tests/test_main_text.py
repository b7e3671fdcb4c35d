"""winnow on whole pages: the same on every call, whatever the bytes; and how its text is laid out."""

import html as entities
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from stages.blocks import Page, blocks
from stages.declared import DECLARED
from stages.layout import lay_out, unescaped
from stages.main_text import main_text
from stages.text import clean

LOOKS = [2, 1]  # winnow, winnow-small


def page(language: str, paragraphs: int = 8) -> bytes:
    """An article in a language, among links, a banner and a footer."""
    sentence = SENTENCES[language]
    body = "".join(f"<p>{sentence} {number} {sentence}</p>" for number in range(paragraphs))
    links = "".join(f"<li><a href=/{number}>{sentence[:8]}</a></li>" for number in range(9))
    return f"""<!doctype html><html lang={language}><title>{sentence[:12]}</title><body>
<nav class=menu><ul>{links}</ul></nav><div class=cookie-banner>{sentence[:20]} <a href=/c>Cookies</a></div>
<main><article><h1>{sentence[:12]}</h1>{body}</article></main>
<footer class=footer>&copy; 2026 <a href=/p>{sentence[:6]}</a></footer>""".encode()


def read(html: str) -> Page:
    return blocks(np.frombuffer(html.encode(), np.uint8))


def laid_out(html: str) -> str:
    parsed = read(html)
    return lay_out(parsed, np.ones(len(parsed.blocks), np.bool_))


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("language", SENTENCES)
def test_the_article_stays_and_what_is_around_goes(language: str, looks: int) -> None:
    lines = main_text(page(language), looks).split("\n")
    assert [f"{SENTENCES[language]} {at} {SENTENCES[language]}" for at in range(8)] == lines[-8:]
    assert len(lines) <= 9  # with its heading
    assert "Cookies" not in "".join(lines) and "©" not in "".join(lines)


@pytest.mark.parametrize("looks", LOOKS)
def test_no_page_leaves_anything_behind(looks: int) -> None:
    pages = [page(language, 3) for language in SENTENCES]
    pages += [b"", b"<", b"<title>x", b"<pre>", b"<!--", "\ufeff<p>x".encode(), page("en", 60)]
    alone = [main_text(html, looks) for html in pages]
    assert [main_text(html, looks) for html in reversed(pages)] == alone[::-1]
    assert [main_text(html, looks) for html in pages for _ in range(2)][::2] == alone


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (b"", ""),
        (b" \n\t", ""),
        (b"<html><body></body></html>", ""),
        (b"<script>var x = 1</script><style>p{}</style>", ""),
        (b"words", "words"),
        (b"\x00\x00", "\x00\x00"),
        ("<p>é".encode("latin-1"), "\ufffd"),
        (b"<p>" + b"&#9" * 3 + b"9" * 5000 + b";", "\t\t\ufffd"),
        (b"<p>&#" + b"0" * 5000 + b"65;&#x" + b"0" * 5000 + b"42;", "AB"),
    ],
)
def test_odd_pages(html: bytes, expected: str) -> None:
    for looks in LOOKS:
        assert main_text(html, looks) == expected


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_page(html: bytes) -> None:
    text = main_text(html)
    assert len(text.encode()) <= 4 * len(html) + 2 and main_text(bytes(bytearray(html))) == text


@given(st.text(alphabet="&#x;0123456789abAFlt &\xa0", max_size=40))
def test_references_are_decoded_as_python_does(text: str) -> None:
    decoded = entities.unescape(text).replace("\xa0", " ") if "&" in text else text
    assert unescaped(text) == decoded


def test_text_is_nfc_once_it_is_clean() -> None:
    """`clean`, which every engine's text goes through, composes what character references took apart."""
    text = clean(main_text("<p>e&#x301;te\u0301 &#44032; \u1100\u1161 Ω &#x212B;</p>".encode()))
    assert text == "été 가 가 Ω Å" and unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>A</h1>b<h2>C</h2><p>d", "A\nb\nC\nd"),
        ("<p>a<br>b<br><br>c", "a\nb\nc"),
        ("<ul><li>a<li>b<ol><li>c<ul><li>d</ul></ol><li>e</ul>", "- a\n- b\n  - c\n    - d\n- e"),
        ("<ul><li><p>a</p><p>b</p><li><div><h3>c</h3>d</div></ul>", "- a\nb\n- c\nd"),
        ("<ul><li><img><li> <li>a</ul>", "- a"),
        ("<ul><li><ul><li>a<ul><li>b</ul></ul>c</ul>", "- a\n  - b\n- c"),
        ("<li>a<li>b", "- a\n- b"),
        ("<table><caption>t</caption><tr><th>a<th>b<tr><td>1<td>2</table>c", "t\na | b\n1 | 2\nc"),
        ("<table><tr><td><ul><li>a<li>b</ul><td>c<tr><td><p>d<td>e</table>", "- a\n- b\nc\nd | e"),
        ("<table><tr><td>a<td><td>b<tr><td><table><tr><td>c<td>d</table><td>e</table>", "a | b\nc | d\ne"),
        ("<pre>if x:\n\n    y &lt; 1\n\tz\n</pre>", "if x:\n\n    y < 1\n\tz"),
        ("<pre><code>a\n  <b>b</b><br>  c</code></pre>", "a\n  b\n  c"),
        ("<pre>a<div>  b</div></pre><p>  c", "a\n  b\nc"),
        ("<dl><dt>a<dd>b</dl><blockquote>c</blockquote><figure><img><figcaption>d</figure>", "a\nb\nc\nd"),
        ("<p>a &amp;lt; &quot;b&#34; c&nbsp;d&mdash;e", 'a &lt; "b" c d—e'),
    ],
)
def test_layout(html: str, expected: str) -> None:
    assert laid_out(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<script type=application/ld+json>[{"@type" : "Product"}, {"@type":["QAPage","FAQPage"]}]</script>',
         {"product", "forum", "questions"}),
        ('<SCRIPT TYPE=Application/LD+JSON>{"@type":"blogposting"}</SCRIPT>', {"article", "blog"}),
        ('<script type="application/ld+json">{"@type": "Product', {"product"}),
        ("<meta property=article:published_time content=2026><meta property=og:type content=website>",
         {"published", "graph_website"}),
        ("<meta name=og:type content=article><p property=og:type content=article>", set()),
        ("<div itemtype=http://schema.org/Answer itemscope>", {"forum"}),
        ("<!-- <div itemtype=http://schema.org/Answer> -->", set()),
    ],
)  # fmt: skip
def test_what_pages_declare(html: str, expected: set[str]) -> None:
    declared = read(html).declared
    assert {name for bit, name in enumerate(DECLARED) if declared >> bit & 1} == expected
