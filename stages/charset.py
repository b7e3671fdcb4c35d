"""Text from bytes, by the order and the labels of the WHATWG Encoding Standard, with one difference.

A browser believes the byte order mark, then the HTTP header, then `<meta>`, and then guesses. So do we,
unless the bytes contradict what is declared: nobody sits before a crawled page and picks another charset.
"""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

from stages.decoders import MULTIBYTE, REPLACEMENT, text_of
from stages.labels import name_of
from stages.utf8 import Survey, survey

_LOOK = 4096  # bytes searched for <meta>; browsers look at 1,024, authors put it behind long comments
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_HTTP = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]{0,1000}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s{0,100}<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{2,40})")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_BLANK_ASCII = b" " * 0x80 + bytes(range(0x80, 0x100))  # for bytes.translate

_LATIN = frozenset(
    [f"iso-8859-{n}" for n in (2, 3, 4, 10, 13, 14, 15, 16)]
    + [f"windows-{n}" for n in (1250, 1252, 1254, 1257, 1258)]
    + ["macintosh"]
)


class Decoded(NamedTuple):
    """A page as valid UTF-8, and how it came to be that."""

    data: bytes  # its text in UTF-8; U+FFFD where the bytes mean nothing
    charset: str  # what it was decoded from, as the standard names it
    replaced: float  # share of U+FFFD among its characters

    @property
    def text(self) -> str:
        """The same as a string."""
        return self.data.decode()


def decode(data: bytes, content_type: str = "") -> Decoded:
    """The text of a page or file; `content_type` is its HTTP header, if it has one. Never raises.

    What is valid UTF-8 already is neither decoded nor copied.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], name)
    if name := _wide(data[:_LOOK]):
        return _decoded(data, name)
    found = survey(data)
    if found.stray:
        return _legacy(data, content_type, found)
    if found.sequences or b"\x1b$" not in data or "iso-2022-jp" not in _witnesses(data, content_type):
        return Decoded(data, "utf-8", found.replaced)
    return _decoded(data, "iso-2022-jp")


def _declared(head: bytes, content_type: str) -> list[str]:
    """What HTTP header, <meta> and XML declaration say, in this order, each charset once."""
    http = _HTTP.search(content_type)
    labels = [http[1]] if http else []
    visible = _COMMENT.sub(b"", head)
    labels += [found[1].decode() for found in (_META.search(visible), _XML.match(visible)) if found]
    names = filter(None, map(name_of, labels))
    return list(dict.fromkeys("utf-8" if name.startswith("utf-16") else name for name in names))


def _witnesses(data: bytes, content_type: str) -> list[str]:
    return [*_declared(data[:_LOOK], content_type), _detected(data)]


def _detected(data: bytes) -> str:
    """What the detector says of the bytes, or nothing."""
    return name_of(detect_encoding(data, html5_compatible=False) or "")


def _wide(head: bytes) -> str:
    """UTF-16 without a mark: every other byte of its markup is NUL."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 4 * (even + odd) < len(head) or len(head) < 8:
        return ""
    return "utf-16le" if odd >= even else "utf-16be"


def _legacy(data: bytes, content_type: str, found: Survey) -> Decoded:
    """The text of bytes that are not all valid UTF-8."""
    if 20 * found.stray <= found.sequences:
        return _decoded(data, "utf-8")  # a few stray bytes among many valid sequences
    runs = [len(run) for run in data.translate(_BLANK_ASCII).split()]  # of bytes beyond ASCII
    dense = 2 * sum(run for run in runs if run > 2) > sum(runs)
    declared = [name for name in _declared(data[:_LOOK], content_type) if name != "utf-8"]
    for name in _candidates(data, declared, dense):
        decoded = _decoded(data, name)
        if 50 * decoded.data.count(REPLACEMENT.encode()) <= sum(runs):
            return decoded
    return _decoded(data, "windows-1252")


def _candidates(data: bytes, declared: list[str], dense: bool) -> Iterator[str]:
    """Charsets, the likeliest first; `dense` if most bytes beyond ASCII stand close together.

    The detector costs more than all the rest, so it is asked only where no declaration stands unchallenged.
    """
    if len(declared) == 1 and (declared[0] in MULTIBYTE or not dense):
        yield declared[0]
    guess = _detected(data)
    likely = [name for name in declared if not (dense and _unlike(name, guess))]
    if guess and (guess in likely or not likely):
        yield guess  # two witnesses, or the only one
    yield from likely
    if guess:
        yield guess


def _unlike(name: str, guess: str) -> bool:
    """Whether dense bytes beyond ASCII speak for the guess and against what is declared.

    Accented letters stand alone in most words; whole words of such bytes are another script. And what the
    detector takes for a multi-byte charset is no single-byte one.
    """
    if name in _LATIN:
        return guess not in (*_LATIN, "utf-8", "")
    return guess in MULTIBYTE and name not in MULTIBYTE


def _decoded(data: bytes, name: str) -> Decoded:
    text = text_of(data, name)
    return Decoded(text.encode(), name, text.count(REPLACEMENT) / max(len(text), 1))
