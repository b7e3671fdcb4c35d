"""URLs in one form, so that two spellings of one address are equal."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?]*@)?(\[[^\]/?]*\]|[^/?:]*)(?::(\d*))?([^?]*)(.*)", re.I)
_ENDS = "".join(map(chr, range(33)))  # blanks and control characters, which browsers take off both ends
_BREAKS = str.maketrans("", "", "\t\n\r")  # and these anywhere
_USUAL = ("", "80", "443")
_DOTS = re.compile("[\u3002\uff0e\uff61]")  # full stops of East Asian keyboards
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufe00-\ufe0f\ufeff]")  # which names of hosts do not have
_NO_HOST = re.compile(r"[\x00-\x20\x7f#/<>?@\\^|%]|:(?!.*\])", re.DOTALL)  # as in the WHATWG's URL standard
_PUNYCODE = "xn--"
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})?")
_ODD = re.compile(r"[^!$&-;=?-\[\]_a-z~]")  # printable ASCII but "#%<>\^`{|}
_SAFE = "!$&'()*+,/:;=?@[]~%"
_TRACKING = re.compile(r"(utm_\w+|fbclid|gclid|dclid|msclkid|igshid|mc_cid|mc_eid|_ga)(=.*)?", re.IGNORECASE)


class Address(NamedTuple):
    """Where a URL leads. Scheme, user and fragment are of no account."""

    host: str  # in ASCII and small letters, without a final full stop; empty if the URL has none
    rest: str  # port, unless it is that of HTTP or HTTPS, path and query, in ASCII

    @property
    def key(self) -> str:
        """The canonical form: without `www.`, which two spellings of one address often differ by."""
        return self.host.removeprefix("www.") + self.rest

    @property
    def page(self) -> str:
        """Of the page, for links to it: without a final slash and what says where its readers come from."""
        path, _, query = self.rest.partition("?")
        asked = "&".join(each for each in query.split("&") if each and not _TRACKING.fullmatch(each))
        return self.host.removeprefix("www.") + path.rstrip("/") + (f"?{asked}" if asked else "")

    @property
    def readable(self) -> str:
        """As a person reads it: without escapes, in the scripts of its words."""
        host = ".".join(map(_unicode, self.host.split(".")))
        return unicodedata.normalize("NFC", host + unquote(self.rest, errors="replace"))


def address(url: str) -> Address:
    """The address of a URL; empty if it leads to no host. Never raises.

    `HTTP://user@WWW.Bücher.example:80/%7Ea b#c` and `//www.xn--bcher-kva.example/~a%20b` are one.
    """
    url = url.strip(_ENDS).translate(_BREAKS).partition("#")[0]
    before, mark, query = url.partition("?")
    found = _URL.fullmatch(before.replace("\\", "/") + mark + query)
    if not found:
        return Address("", "")
    name, port, path, query = found.groups("")
    host = ascii_host(name)
    if not host:
        return Address("", "")
    path = path if path.startswith("/") else f"/{path}"
    where = "" if port in _USUAL else f":{port}"
    return Address(host, where + _escaped(path + query))


@lru_cache(maxsize=1 << 16)
def ascii_host(name: str) -> str:
    """The name of a host as DNS has it, for any script: 'Bücher.Example.' -> 'xn--bcher-kva.example'.

    Mapped as browsers do (UTS 46, nontransitional: 'ß' stays itself), and hardly checked: a name that nobody
    can register matches itself. Empty for what has characters that no host has.
    """
    name = unquote(name) if "%" in name else name
    if not name.isascii():
        name = unicodedata.normalize("NFKC", _DOTS.sub(".", _INVISIBLE.sub("", name)))
        small = "".join([letter.lower() for letter in name])  # not name.lower(), which knows a final sigma
        labels = unicodedata.normalize("NFKC", small).split(".")
        name = ".".join(label if label.isascii() else _PUNYCODE + _punycode(label) for label in labels)
    return "" if _NO_HOST.search(name) else name.lower().strip(".")


def _punycode(label: str) -> str:
    return label.encode("punycode").decode("ascii")


def _unicode(label: str) -> str:
    """A label of a host in its own script."""
    if not label.startswith(_PUNYCODE):
        return label
    try:
        return label.removeprefix(_PUNYCODE).encode().decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label


def _escaped(text: str) -> str:
    """Path and query with one spelling for each character: escaped if it is none of those in `_SAFE`.

    What has a meaning of its own stays as it is written: `/` and `%2F` differ. A `%` that escapes nothing is
    one of itself.
    """
    if not _ODD.search(text):
        return text
    return _ESCAPE.sub(_escape, quote(text, safe=_SAFE, errors="replace"))


def _escape(match: re.Match[str]) -> str:
    digits = match[1]
    if not digits:
        return "%25"
    character = chr(int(digits, 16))
    plain = character.isascii() and (character.isalnum() or character in "-._~")
    return character if plain else f"%{digits.upper()}"
