"""Text from bytes, by the order and the labels of the WHATWG Encoding Standard, with one difference.

A browser believes the byte order mark, then the HTTP header, then `<meta>`, and then guesses. So do we,
unless the bytes contradict what is declared: nobody sits before a crawled page and picks another charset.
"""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

from stages.utf8 import Survey, survey

_LOOK = 4096  # bytes searched for <meta>; browsers look at 1,024, authors put it behind long comments
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_HTTP = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]{0,1000}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s{0,100}<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{2,40})")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_REPLACEMENT = "\ufffd".encode()
_BLANK_ASCII = b" " * 0x80 + bytes(range(0x80, 0x100))  # for bytes.translate

# Name in the standard: the labels that mean it, letters and digits only.
_LABELS = {
    "utf-8": "utf8 unicode11utf8 unicode20utf8 xunicode20utf8",
    "utf-16le": "csunicode iso10646ucs2 ucs2 unicode unicodefeff utf16 utf16le",
    "utf-16be": "unicodefffe utf16be",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb231280 gbk isoir58 xgbk cp936 euccn",
    "big5": "big5 big5hkscs cnbig5 csbig5 xxbig5 cp950",
    "euc-jp": "cseucpkdfmtjapanese eucjp xeucjp",
    "iso-2022-jp": "csiso2022jp iso2022jp",
    "shift_jis": "csshiftjis ms932 mskanji shiftjis sjis windows31j xsjis cp932",
    "euc-kr": "cseuckr csksc56011987 euckr isoir149 korean ksc56011987 ksc56011989 ksc5601 windows949 cp949 "
    "uhc",
    "ibm866": "866 cp866 csibm866 ibm866",
    "koi8-r": "cskoi8r koi koi8 koi8r",
    "koi8-u": "koi8ru koi8u",
    "macintosh": "csmacintosh mac macintosh macroman xmacroman",
    "x-mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "iso-8859-2": "csisolatin2 iso88592 iso885921987 isoir101 l2 latin2",
    "iso-8859-3": "csisolatin3 iso88593 iso885931988 isoir109 l3 latin3",
    "iso-8859-4": "csisolatin4 iso88594 iso885941988 isoir110 l4 latin4",
    "iso-8859-5": "csisolatincyrillic cyrillic iso88595 iso885951988 isoir144",
    "iso-8859-6": "arabic asmo708 csiso88596e csiso88596i csisolatinarabic ecma114 iso88596 iso885961987 "
    "iso88596e iso88596i isoir127",
    "iso-8859-7": "csisolatingreek ecma118 elot928 greek greek8 iso88597 iso885971987 isoir126 suneugreek",
    "iso-8859-8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso88598 iso885981988 iso88598e iso88598i "
    "isoir138 logical visual",
    "iso-8859-10": "csisolatin6 iso885910 isoir157 l6 latin6",
    "iso-8859-13": "iso885913",
    "iso-8859-14": "iso885914",
    "iso-8859-15": "csisolatin9 iso885915 l9 latin9",
    "iso-8859-16": "iso885916",
    "windows-874": "cp874 dos874 iso885911 tis620 windows874",
    "windows-1252": "ansix341968 ascii cp819 csisolatin1 ibm819 iso88591 iso885911987 isoir100 l1 latin1 "
    "usascii xuserdefined",
    "windows-1254": "csisolatin5 iso88599 iso885991989 isoir148 l5 latin5",
} | {f"windows-{n}": f"cp{n} win{n} windows{n} xcp{n}" for n in (1250, 1251, 1253, 1255, 1256, 1257, 1258)}
_LABELS["windows-1252"] += " cp1252 win1252 windows1252 xcp1252"
_LABELS["windows-1254"] += " cp1254 win1254 windows1254 xcp1254"
_NAMES = {label: name for name, labels in _LABELS.items() for label in labels.split()}
_CODECS = {  # where Python calls the decoder otherwise
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "ibm866": "cp866",
    "macintosh": "mac_roman",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
}
_MULTIBYTE = frozenset({"gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr"})
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


def name_of(label: str) -> str:
    """The standard's name of a charset label: 'Latin1' -> 'windows-1252'; empty for an unknown one."""
    return _NAMES.get("".join(filter(str.isalnum, label.lower())), "")


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
        if 50 * decoded.data.count(_REPLACEMENT) <= sum(runs):
            return decoded
    return _decoded(data, "windows-1252")


def _candidates(data: bytes, declared: list[str], dense: bool) -> Iterator[str]:
    """Charsets, the likeliest first; `dense` if most bytes beyond ASCII stand close together.

    The detector costs more than all the rest, so it is asked only where no declaration stands unchallenged.
    """
    if len(declared) == 1 and (declared[0] in _MULTIBYTE or not dense):
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
    return guess in _MULTIBYTE and name not in _MULTIBYTE


def _decoded(data: bytes, name: str) -> Decoded:
    text = data.decode(_CODECS.get(name, name), "replace")
    return Decoded(text.encode(), name, text.count("\ufffd") / max(len(text), 1))
