"""Pages that were made to break readers, each kind at any size; nobody else's text is in them.

Of each kind a small page is an ordinary page, so it must be kept.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import cycle, islice
from typing import NamedTuple

from fastwarc.stream_io import BrotliWriter

SIZES = (10, 5_000, 20_000, 100_000)
SENTENCE = "The quick brown fox jumps over the lazy dog, and the dog does not even look up. "


class Hostile(NamedTuple):
    """One page."""

    kind: str
    size: int  # how often what is bad about it is repeated
    block: bytes  # an HTTP message


def hostile_pages(sizes: tuple[int, ...] = SIZES) -> Iterator[Hostile]:
    """Every kind at every size."""
    for kind, make in KINDS.items():
        for size in sizes:
            yield Hostile(kind, size, make(size))


def message(body: bytes, coding: str = "", charset: str = "; charset=utf-8") -> bytes:
    """An HTTP message with a page."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html{charset}\r\n{coding}\r\n"
    return head.encode() + body


def page(inside: str, head: str = "") -> bytes:
    """A page with good text before and behind something."""
    text = f"<p>{SENTENCE * 12}</p>"
    title = "" if "<title" in head else "<title>A page</title>"
    return f"<!DOCTYPE html><html><head>{title}{head}</head><body>{text}{inside}{text}".encode()


def _repeated(piece: str, head: str = "", end: str = "") -> Callable[[int], bytes]:
    return lambda size: message(page(head + piece * size + end))


def _numbered(piece: str, head: str = "", end: str = "") -> Callable[[int], bytes]:
    """The same with a number in each."""
    return lambda size: message(page(head + "".join(piece.replace("#", str(n)) for n in range(size)) + end))


def _in_head(piece: str, start: str = "", end: str = "") -> Callable[[int], bytes]:
    return lambda size: message(page(f"<p>{SENTENCE}" * min(size, 2_000), start + piece * size + end))


def _coded(name: str, pack: Callable[[bytes], bytes], layers: int = 1) -> Callable[[int], bytes]:
    """A page of that many kilobytes, compressed."""

    def make(size: int) -> bytes:
        body = page(f"<p>{SENTENCE}" * (size * 10))
        for _ in range(layers):
            body = pack(body)
        return message(body, f"Content-Encoding: {', '.join([name] * layers)}\r\n")

    return make


def _brotli(body: bytes) -> bytes:
    packed = _Kept()
    with BrotliWriter(packed) as writer:
        writer.write(body)
    return packed.getvalue()


class _Kept(BytesIO):
    """What a writer that closes it has written."""

    def close(self) -> None:
        pass


def _members(size: int) -> bytes:
    """Gzip of many empty members before the one with the page."""
    body = gzip.compress(b"", mtime=0) * size + gzip.compress(page(""), mtime=0)
    return message(body, "Content-Encoding: gzip\r\n")


def _corrupt(size: int) -> bytes:
    """Gzip that breaks off near its end, of a text that hardly shrinks."""
    words = "".join(f"{number * 2654435761 % 4294967291:x} " for number in range(size * 10))
    body = bytearray(gzip.compress(page(words), 1, mtime=0))
    body[-20] ^= 255
    return message(bytes(body), "Content-Encoding: gzip\r\n")


def _layers(size: int) -> bytes:
    """More codings than there are."""
    return message(page(SENTENCE * (size // 2)), f"Content-Encoding: {'gzip,br,' * min(size, 8_000)}br\r\n")


def _chunks(size: int) -> bytes:
    """Chunks of one byte."""
    text = page(SENTENCE * (size // 80))
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in text) + b"0\r\n\r\n"
    return message(body, "Transfer-Encoding: chunked\r\n")


def _charset(label: str, piece: bytes) -> Callable[[int], bytes]:
    """Bytes in a charset, or in none."""
    return lambda size: message(page("") + b"<p>" + piece * size, charset=f"; charset={label}")


def _marks(size: int) -> bytes:
    """A letter under marks of many classes in the worst order for NFC."""
    marks = islice(cycle("\u0301\u0327\u0316\u0334\u031b\u05b0\u3099"), size)
    return message(page(f"<p>a{''.join(marks)}</p>"))


def _title(size: int) -> bytes:
    """As many words in the title as there are short blocks."""
    words = " ".join(f"word{number}" for number in range(size))
    blocks = "".join(f"<p>word{number} is a word" for number in range(size))
    return message(page(blocks, f"<title>{words}</title>"))


def _wide(size: int) -> bytes:
    return message(page(f"<p>{SENTENCE}" * (size // 20)).decode().encode("utf-16-le"), charset="")


_FONTS = "".join(f"<font size={number}>" for number in range(400))
_ATTRIBUTES = " ".join(f"a{number}" for number in range(400))
KINDS: dict[str, Callable[[int], bytes]] = {
    # nesting
    "div": _repeated("<div>x"),
    "div with other end tags": _repeated("<div></span></p></li>"),
    "self-closed div": _repeated("<div/>"),
    "table": _repeated("<table><tr><td>"),
    "table without cells": _repeated("<table>"),
    "div in table": _repeated("<div><table>"),
    "span": _repeated("<span>x"),
    "unknown element": _repeated("<custom-x>y"),
    "list": _repeated("<ul><li>x"),
    "definition list": _repeated("<dl><dd>x"),
    "blockquote and p": _repeated("<blockquote><p>x"),
    "b around i": _repeated("<b><i>x"),
    "misnested b and i": _repeated("<b><p><i></b>x</p></i>"),
    "b over paragraphs": _repeated("<p><b>x"),
    "fonts over paragraphs": _numbered("<p><font size=#>x"),
    "400 fonts over each paragraph": _repeated("<p>x</p>", f"<p>{_FONTS}x</p>"),
    "paragraphs in 400 div": _repeated("<p>x</p>", "<div>" * 400),
    "links over blocks": _numbered("<a href=#><div>x</a>"),
    "many b closed late": lambda size: message(page("<b>" * size + "<div>x" + "</b>" * size)),
    "nobr": _repeated("<nobr><div>x"),
    "svg": _repeated("<svg>"),
    "svg g": _repeated("<g>", "<svg>"),
    "< in svg": _repeated("<", "<svg>", "</svg>"),
    "</ in svg": _repeated("</", "<svg>", "</svg>"),
    "< in template": _repeated("<a", "<template>", "</template>"),
    "svg one too many": _repeated("<svg><svg></svg>x"),
    "svg around blocks": _repeated("<svg><g><p>x"),
    "svg foreignObject": _repeated("<svg><foreignObject><div>x"),
    "svg, math, desc": _repeated("<svg><desc><math><mtext><p>x"),
    "math": _repeated("<mrow>", "<math>"),
    "template": _repeated("<template>"),
    "button": _repeated("<button><div>x"),
    "object": _repeated("<object><param name=a>"),
    "select": _repeated("<select><option>x"),
    "frameset": _repeated("<frameset>"),
    "noscript": _repeated("<noscript><p>x"),
    "form": _repeated("<form><div></form>"),
    "heading": _repeated("<h1>x<div>"),
    "ruby": _repeated("<ruby>x<rt>y"),
    "iframe": _repeated("<iframe>"),
    "details": _repeated("<details><summary>x"),
    # many tags
    "unclosed p": _repeated("<p>x"),
    "unclosed li": _repeated("<li>x"),
    "unclosed option": _repeated("<option>x"),
    "options of a select": _repeated("<option>x", "<select>", "</select>"),
    "unclosed dt, dd": _repeated("<dt>x<dd>y"),
    "unclosed cells": _repeated("<td>x", "<table><tr>", "</table>"),
    "rows": _repeated("<tr><td>x<td>y</tr>", "<table>", "</table>"),
    "br": _repeated("x<br>"),
    "img": _repeated("<img src=x.png alt=y>"),
    "links": _numbered("<a href='/#'>x#</a> "),
    "meta": _in_head("<meta property=og:type content=article>"),
    "empty scripts": _in_head("<script type='application/ld+json'></script>"),
    "end tags": _repeated("</div>"),
    "end tags under open ones": _repeated("</span></x-y>", "<div>" * 100),
    "body": _numbered("<body a#=1>"),
    "html": _numbered("<html a#=1>"),
    "empty comments": _repeated("<!-->"),
    "paragraphs": _repeated(f"<p>{SENTENCE * 3}"),
    "blocks of many classes": _numbered("<div class='c# d e'>x#</div>"),
    "equal siblings": _repeated("<div class=a>x</div>"),
    # attributes
    "attributes": _numbered("a#=1 ", "<p ", ">"),
    "400 attributes each": _repeated(f"<p {_ATTRIBUTES}>x"),
    "equal attributes": _repeated("a ", "<p ", ">"),
    "classes": _numbered("c# ", "<p class='", "'>x"),
    "one long class": _repeated("camelCase-", "<p class='", "'>x"),
    "style": _repeated("display:", "<p style='", "'>x"),
    "unclosed value": _repeated('<a href="x '),
    "values of the other quote": _repeated("<a href='\">"),
    "slashes": _repeated("/", "<p ", ">"),
    "equals": _repeated("=", "<p ", ">"),
    "blanks before =": _repeated("a          ", "<p ", ">"),
    "colspan": lambda size: message(page(f"<table><tr><td colspan={'9' * min(size, 16)}e15>x<td>y</table>")),
    "rowspan": _repeated("<tr><td rowspan=65534 colspan=1000>x", "<table>", "</table>"),
    "data URI": _repeated("R0lGODlh", "<img src='data:image/gif;base64,", "'>"),
    "svg path": _repeated("L10 20.5 ", "<svg><path d='M0 0 ", "'/></svg>"),
    "meta refresh": _in_head("<meta http-equiv=refresh content='0;url=/'>"),
    # raw text and declarations that never end
    "<": _repeated("<"),
    "</": _repeated("</"),
    "<!": _repeated("<!"),
    "<?": _repeated("<?"),
    "<a": _repeated("<a"),
    "< in a name": _repeated("<a<"),
    "unclosed comments": _repeated("<!-- x "),
    "almost closed comments": _repeated("<!-- x -> --"),
    "comment of >": _repeated(">", "<!--"),
    "unclosed scripts": _repeated("<script>x "),
    "unclosed styles": _repeated("<style>x "),
    "unclosed textareas": _repeated("<textarea>x "),
    "unclosed titles": _repeated("<title>x "),
    "unclosed xmp, audio, object": _repeated("<xmp>x<audio>y<object>z"),
    "almost closed script": _repeated("</scrip", "<script>"),
    "script in comments": _repeated("<!--<script>"),
    "CDATA": _repeated("<![CDATA[ x "),
    "CDATA in svg": _repeated("<![CDATA[ <p> ]]>", "<svg>"),
    "plaintext": _repeated("<plaintext>x"),
    "JSON-LD": _in_head('"@type":["Article",', "<script type='application/ld+json'>", "</script>"),
    "JSON-LD, open quotes": _in_head("<script type='application/ld+json'>\"</script>"),
    # text
    "entities": _repeated("&amp;", "<p>"),
    "numeric entities": _repeated("&#x1F600;", "<p>"),
    "half entities": _repeated("&", "<p>"),
    "long names of entities": _repeated("&CounterClockwiseContourIntegra", "<p>"),
    "no-break spaces": _repeated("&nbsp;", "<p>x", "x"),
    "one word": _repeated("abcdefghij", "<p>"),
    "one Chinese line": _repeated("漢字仮名交じり文", "<p>"),
    "one Thai line": _repeated("ภาษาไทยไม่เว้นวรรค", "<p>"),
    "marks": _marks,
    "equal marks": _repeated("\u0301", "<p>a"),
    "letters with two marks": _repeated("a\u0301\u0323", "<p>"),
    "joiners": _repeated("\U0001f468\u200d", "<p>"),
    "directions": _repeated("\u202e\u2066א", "<p>"),
    "NUL": _repeated("\0", "<p>x", "x"),
    "NUL between": _repeated("x\0y ", "<p>"),
    "blanks": _repeated(" ", "<p>x", "x"),
    "blanks in pre": _repeated(" \t", "<pre>x", "x</pre>"),
    "lines": _repeated("\n", "<p>x", "x"),
    "lines in pre": _repeated("x\n\n\n", "<pre>", "</pre>"),
    "carriage returns": _repeated("\r", "<pre>x", "x</pre>"),
    "title and blocks": _title,
    "titles of words": _in_head("word ", "<title>", "</title>"),
    # charsets
    "bytes of no charset": _charset("utf-8", b"\xff "),
    "scripts in no charset": _charset("", b"<script \xe4"),
    "half characters": _charset("utf-8", "漢".encode()[:2] + b" x"),
    "half of GBK": _charset("gbk", b"\x81 x"),
    "escapes of ISO-2022": _charset("iso-2022-jp", b"\x1b$B$\x22\x1b(B"),
    "open escapes": _charset("iso-2022-jp", b"\x1b$"),
    "HZ": _charset("hz-gb-2312", b"~{<:~}~~"),
    "UTF-7": _charset("utf-7", b"+AGEAYg- "),
    "Latin letters": _charset("utf-8", b"caf\xe9 "),
    "no label": _charset("nothing", b"\xd0\xcf\xd1 x"),
    "UTF-16 without mark": _wide,
    # encodings; thousands of kilobytes of text
    "gzip": _coded("gzip", lambda body: gzip.compress(body, 1, mtime=0)),
    "deflate": _coded("deflate", lambda body: zlib.compress(body, 1)),
    "brotli": _coded("br", _brotli),
    "gzip in gzip in gzip": _coded("gzip", lambda body: gzip.compress(body, 1, mtime=0), 3),
    "empty members": _members,
    "corrupt gzip": _corrupt,
    "codings": _layers,
    "chunks": _chunks,
}
