"""What a page asks of machines that read it: opt-outs in HTTP headers and in <meta>.

* `X-Robots-Tag: noai, noindex`, `X-Robots-Tag: ccbot: noindex`, in one field or several
* `<meta name="robots" content="noindex">`, and the same by the name of a bot
* `TDM-Reservation: 1` and `<meta name="tdm-reservation" content="1">` (TDM Reservation Protocol)
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

TDM = "tdm-reservation"
SIGNAL = re.compile(rf"(?:[a-z][\w.-]*:)?no[a-z]+|{TDM}")
_HEADER = "x-robots-tag"
_NAMES = (b"bot", TDM.encode())
_FAR = 1 << 18  # bytes in which <meta> is looked for
_MOST = 50  # of them that are read: to look for comments takes time
_HIDDEN = ((b"<!--", b"-->"), (b"<script", b"</script"))
_META = re.compile(rb"""<meta\s(?:[^<>"']++|"[^"]{0,1000}"|'[^']{0,1000}'){0,100}+>""")
_ATTRIBUTE = re.compile(rb"""([a-z][\w:-]{0,40})\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_BOT = re.compile(r"[a-z][\w.-]*bot(?:-[\w.-]+)?")
_VALUED = re.compile(r"unavailable_after\s*:[^,]*(?:,\s*\d[^,]*)?|\bmax-[a-z]+-?[a-z]*\s*:\s*[\w-]+")
_TOKEN = re.compile(r"([a-z][\w.-]*)(\s*:)?")
_DIRECTIVE = re.compile(r"no[a-z]+")


def opt_outs(headers: Mapping[str, str], html: bytes = b"") -> str | None:
    """The opt-outs of a page, sorted, each once, such as `noai,noindex,ccbot:noindex`; None without any.

    What is addressed to one bot has its name before it; `none` is `noindex,nofollow`. Directives that forbid
    nothing (`index`, `max-snippet:50`) are left out. `headers` have lowercase names; `html` is in UTF-8.
    """
    found = {signal for line in headers.get(_HEADER, "").split("\n") for signal in _directives(line)}
    if headers.get(TDM, "").strip() == "1":
        found.add(TDM)
    found.update(_of_meta(html))
    return ",".join(sorted(found, key=lambda signal: (":" in signal, signal))) or None


def _of_meta(html: bytes) -> Iterator[str]:
    """Those in the <meta> of its head; of a page that ends none, of the first 256 kB."""
    end = html.find(b"</head", 0, _FAR)
    head = html[: end if end >= 0 else _FAR].lower()
    for at, meta in islice(_metas(head), _MOST):
        values = {name: a or b or c for name, a, b, c in _ATTRIBUTE.findall(meta)}
        name, content = (_text(values.get(key, b"")) for key in (b"name", b"content"))
        signals = []
        if name == "robots" or _BOT.fullmatch(name):
            signals = [*_directives(content, name)]
        elif name == TDM and content == "1":
            signals = [TDM]
        if signals and not _hidden(head, at):
            yield from signals


def _metas(head: bytes) -> Iterator[tuple[int, bytes]]:
    """The <meta> that may be of interest, and where each begins."""
    at = head.find(b"<meta")
    while at >= 0:
        meta = _META.match(head, at)
        if meta and any(name in meta[0] for name in _NAMES):
            yield at, meta[0]
        at = head.find(b"<meta", at + 1)


def _hidden(head: bytes, at: int) -> bool:
    """Whether a place is in a comment or a script."""
    return any(head.rfind(start, 0, at) > head.rfind(end, 0, at) for start, end in _HIDDEN)


def _text(value: bytes) -> str:
    return value.decode(errors="replace").strip()


def _directives(text: str, bot: str = "") -> Iterator[str]:
    """What a list of directives forbids; in a header, a name and a colon say to whom the rest speaks."""
    for name, colon in _TOKEN.findall(_VALUED.sub("", text.lower())):
        if colon:
            bot = name
        elif _DIRECTIVE.fullmatch(name):
            for directive in ("noindex", "nofollow") if name == "none" else (name,):
                yield f"{bot}:{directive}" if bot and bot != "robots" else directive
