"""Text from bytes, by the order and the labels of the WHATWG Encoding Standard, with one difference.

A browser believes the byte order mark, then the HTTP header, then `<meta>`, and then guesses. So do we,
unless the bytes contradict what is declared: nobody sits before a crawled page and picks another charset.
"""

import codecs
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from resiliparse.parse.encoding import detect_encoding

from classifiers.language import detect
from stages.cjk import FAMILIAR, FREQUENT, familiarity, multibyte, sample
from stages.decoders import MULTIBYTE, REPLACEMENT, text_of
from stages.labels import name_of
from stages.utf8 import Survey, survey

_LOOK = 4096  # bytes searched for <meta>; browsers look at 1,024, authors put it behind long comments
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_HTTP = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]{0,1000}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s{0,100}<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{2,40})")
_TAGS = re.compile(rb"<(script|style)\b.*?(?:</\1|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_SLIP = 200  # bytes beyond ASCII among which a single one may be a slip
_BLANK_ASCII = b" " * 0x80 + bytes(range(0x80, 0x100))  # for bytes.translate
_ESCAPES = {"iso-2022-jp": b"\x1b$", "iso-2022-kr": b"\x1b$)C", "hz-gb-2312": b"~{"}
_LATIN = frozenset(
    [f"iso-8859-{n}" for n in (2, 3, 4, 10, 13, 14, 15, 16)]
    + [f"windows-{n}" for n in (1250, 1252, 1254, 1257, 1258)]
    + ["macintosh"]
)
_OF_LANGUAGES = {  # the Latin charsets of languages that windows-1252 cannot write, that of Windows last
    "pl cs sk hu sl hr bs sh sr ro hsb dsb": ("iso-8859-2", "windows-1250"),
    "tr az ku": ("windows-1254",),
    "lt lv": ("iso-8859-13", "windows-1257"),
    "vi": ("windows-1258",),
}
_COMMON = frozenset({"iso-8859-2", "windows-1250", "windows-1254"})  # which a detector rarely guesses in vain
_C1 = re.compile(rb"[\x80-\x9f]")  # controls in the charsets of ISO, letters and quotes in those of Windows
_LATIN_LIKELY = [names[0] for names in _OF_LANGUAGES.values()]
_LATIN_OF = {code: names for codes, names in _OF_LANGUAGES.items() for code in codes.split()}
_KOI8_U = re.compile(rb"[\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd][\xc0-\xff]|[\xc0-\xff][\xa4\xa6\xa7]")
_GREEK = (("iso-8859-7", re.compile(rb"\xb6[\xd9-\xfe]")), ("windows-1253", re.compile(rb"\xa2[\xd9-\xfe]")))
_TWINS = {  # charsets that a detector takes for another, and letters that there are in them only
    "koi8-r": (("koi8-u", _KOI8_U),),
    "iso-8859-7": _GREEK,
    "windows-1253": _GREEK,
}


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
    if not found.sequences and (name := _escaped(data, content_type)):
        return _decoded(data, name)
    return Decoded(data, "utf-8", found.replaced)


def _declared(head: bytes, content_type: str) -> list[str]:
    """What HTTP header, <meta> and XML declaration say, in this order, each charset once."""
    http = _HTTP.search(content_type)
    labels = [http[1]] if http else []
    visible = _COMMENT.sub(b"", head)
    labels += [found[1].decode() for found in (_META.search(visible), _XML.match(visible)) if found]
    names = filter(None, map(name_of, labels))
    return list(dict.fromkeys("utf-8" if name.startswith("utf-16") else name for name in names))


def _escaped(data: bytes, content_type: str) -> str:
    """The charset that writes other scripts in ASCII, between escapes, if two witnesses speak for it."""
    # its first byte alone is found forty times as fast
    likely = [name for name, escape in _ESCAPES.items() if escape[:1] in data and escape in data]
    if not likely:
        return ""
    witnesses = [*_declared(data[:_LOOK], content_type), _detected(data)]
    return next((name for name in likely if name in witnesses), "")


def _wide(head: bytes) -> str:
    """UTF-16 without a mark: every other byte of its markup is NUL, and few of the others are."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 4 * max(even, odd) < len(head) or len(head) < 8 or max(even, odd) < 4 * min(even, odd):
        return ""
    return "utf-16le" if odd > even else "utf-16be"


def _legacy(data: bytes, content_type: str, found: Survey) -> Decoded:
    """The text of bytes that are not all valid UTF-8."""
    if 20 * found.stray <= found.sequences:
        return _decoded(data, "utf-8")  # a few stray bytes among many valid sequences
    runs = [len(run) for run in data.translate(_BLANK_ASCII).split()]  # of bytes beyond ASCII
    dense = 2 * sum(run for run in runs if run > 2) > sum(runs)
    declared = [name for name in _declared(data[:_LOOK], content_type) if name != "utf-8"]
    for name in _candidates(data, declared, dense):
        text = text_of(data, name)
        lost = text.count(REPLACEMENT) - text.endswith(REPLACEMENT)  # the last character may be cut
        if 50 * lost <= sum(runs):
            return _in_utf8(text, name)
    return _decoded(data, "windows-1252")


def _candidates(data: bytes, declared: list[str], dense: bool) -> Iterator[str]:
    """Charsets, the likeliest first; `dense` if most bytes beyond ASCII stand close together.

    The detector costs more than all the rest, so it is asked only where no declaration stands unchallenged.
    """
    first = declared[0] if declared else ""
    if len(declared) == 1 and first not in MULTIBYTE and not dense:
        yield first
    some = sample(data)
    if first in FREQUENT and familiarity(some, first) >= FAMILIAR:
        yield first
    if name := multibyte(some):
        yield name
    guess = _detected(_without_slips(data) if dense else data)
    if not declared:
        guess = _refined(guess, data, dense)
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


def _detected(data: bytes) -> str:
    """What the detector says of the bytes, or nothing."""
    return name_of(detect_encoding(data, html5_compatible=False) or "")


def _without_slips(data: bytes) -> bytes:
    """The data without the rarest of its bytes beyond ASCII: one that a charset lacks would rule it out."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=0x100)[0x80:]
    rare = np.flatnonzero(counts * _SLIP < counts.sum()) + 0x80
    return data.translate(None, rare.astype(np.uint8).tobytes())


def _refined(guess: str, data: bytes, dense: bool) -> str:
    """A guess that nothing else speaks for, with what the detector does not see.

    Letters that only a twin of the charset has; and the language, which tells the Latin charsets apart.
    """
    if guess in _TWINS:
        counts = [(len(letters.findall(data)), name) for name, letters in _TWINS[guess]]
        most, name = max(counts, key=itemgetter(0))
        return name if most else guess
    if guess not in _LATIN and (dense or guess not in MULTIBYTE):
        return guess
    return _latin(guess, _visible(data))


def _latin(guess: str, shown: bytes) -> str:
    """The Latin charset in which what is shown reads best: surely a language of that charset."""
    names = list(
        dict.fromkeys([guess if guess in _LATIN else "windows-1252", "windows-1252", *_LATIN_LIKELY])
    )
    found = detect(pa.array([text_of(shown, name) for name in names]))
    families = [_LATIN_OF.get(language, ("windows-1252",)) for language in found.codes]
    fitting = [at for at, name in enumerate(names) if name in families[at]]
    family = families[max(fitting, key=lambda at: found.scores[at])] if fitting else ("windows-1252",)
    if guess in _COMMON and guess in families[0]:
        family = families[0]
    if _C1.search(shown):
        return family[-1]
    return guess if guess in family else family[0]


def _visible(data: bytes) -> bytes:
    """The beginning of what a page shows."""
    return b" ".join(_TAGS.sub(b" ", data[: 1 << 16]).split())[: 1 << 12]


def _decoded(data: bytes, name: str) -> Decoded:
    return _in_utf8(text_of(data, name), name)


def _in_utf8(text: str, name: str) -> Decoded:
    return Decoded(text.encode(), name, text.count(REPLACEMENT) / max(len(text), 1))
