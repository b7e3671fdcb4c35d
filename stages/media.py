"""What a payload is: its media type as declared, unless the bytes say otherwise."""

import re

HTML = frozenset({"text/html", "application/xhtml+xml"})
PLAIN = "text/plain"
UNKNOWN = "none"
_FAMILIES = "application|audio|chemical|font|image|message|model|multipart|text|video|x-[a-z]{1,20}"
_TYPE = re.compile(rf"(?:{_FAMILIES})/[\w.+-]{{1,60}}", re.ASCII)
_MARKUP = re.compile(
    rb"(?:\s++|\xef\xbb\xbf|<\?xml[^>]{0,200}+>|<!--(?>(?!-->).){0,2000}+-->)*+"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script|style|link|div|table|center|h1|p|br|iframe)\b",
    re.IGNORECASE | re.DOTALL,
)
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n": "image/png",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b\x08": "application/gzip",
    b"\xd0\xcf\x11\xe0": "application/x-ole-storage",
}
_CONTROLS = bytes(sorted({*range(32)} - {*b"\t\n\v\f\r\x1b"}))  # no text has them (escapes open a charset)
_LOOK = 1024  # bytes that tell whether it is text


def media_type(declared: str, body: bytes) -> str:
    """The media type of a payload in lower case, 'none' where it is unknown; `declared` is its Content-Type.

    HTML that came as plain text, or as nothing, is HTML; an image that came as HTML is an image.
    """
    found = _TYPE.fullmatch(declared.partition(";")[0].strip().lower())
    kind = found[0] if found else UNKNOWN
    if kind not in (*HTML, PLAIN, UNKNOWN):
        return kind
    for magic, real in _MAGIC.items():
        if body.startswith(magic):
            return real
    if kind not in HTML and _MARKUP.match(body):
        return "text/html"
    return "application/octet-stream" if _is_binary(body[:_LOOK]) else kind


def _is_binary(head: bytes) -> bool:
    """Whether controls are more than a slip: one byte in fifty, and not because it is UTF-16."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    nuls = max(head[::2].count(0), head[1::2].count(0))
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff")) or 4 * nuls > len(head)
    return 50 * controls > len(head) and not utf16
