"""What becomes of a record: the text of its page, or the reason why there is none."""

import re
from typing import NamedTuple

from stages.charset import decode
from stages.engines import ENGINES, engine_version
from stages.limits import MAX_BYTES, trap
from stages.media import HTML, PLAIN, media_type
from stages.response import Response, parse_response
from stages.robots import opt_outs
from stages.text import clean
from stages.warc import Record

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,19}):", re.IGNORECASE)
_WEB = frozenset({"http", "https", "ftp", "ftps", "file"})


class Page(NamedTuple):
    """What came of a record: a text, or the reason why there is none."""

    text: str | None = None
    charset: str | None = None
    replaced: float | None = None  # share of U+FFFD among the characters that its bytes gave
    engine: str | None = None  # plain or wet where the text was text already
    engine_version: str | None = None
    robots: str | None = None  # what it asks of machines; see opt_outs
    reason: str | None = None


def read_page(record: Record, engine: str, max_replaced: float = 1.0) -> Page:
    """The text of a record, if at most `max_replaced` of its page is lost; never raises for what is in it."""
    if record.error:
        return Page(reason=f"error:{record.error}")
    scheme = _SCHEME.match(record.url)
    if scheme and scheme[1].lower() not in _WEB:
        return Page(reason=f"scheme:{scheme[1].lower()}")
    answer = fetched(record)
    if answer.status not in (200, None):
        return Page(reason=f"http:{answer.status}")
    if not answer.body or answer.body.isspace():
        return Page(reason="empty" if answer.status else "http:none")
    declared = answer.headers.get("content-type", "")
    kind = PLAIN if record.type == "conversion" else media_type(declared, answer.body)
    if kind not in HTML and kind != PLAIN:
        return Page(reason=f"type:{kind}" if answer.status else "http:none")
    if len(answer.body) > MAX_BYTES:
        return Page(reason="error:too_large")
    html = decode(answer.body, declared)
    asked = opt_outs(answer.headers, html.data if kind in HTML else b"")
    page = Page(charset=html.charset, replaced=html.replaced, robots=asked)
    if html.replaced > max_replaced:
        return page._replace(reason="error:charset")
    if kind == PLAIN:
        page = page._replace(engine="wet" if record.type == "conversion" else "plain")
        text = html.text
    else:
        if problem := trap(html.data, engine):
            return page._replace(reason=f"error:{problem}")
        page = page._replace(engine=engine, engine_version=engine_version(engine))
        try:
            text = ENGINES[engine](html.data)
        except (ImportError, MemoryError):  # an engine that is not installed is no fault of the page
            raise
        except Exception:  # whatever a parser makes of the web, it costs this page and no other
            return page._replace(reason="error:engine")
    text = clean(text)
    return page._replace(text=text, reason=None if text else "empty")


def fetched(record: Record) -> Response:
    """What was fetched: the block itself, but for a response by HTTP.

    Where HTTP names no type, that which the archive names stands for it.
    """
    kind = record.headers.get("content-type", "application/http")
    if record.type != "response" or not kind.lower().startswith("application/http"):
        return Response(200, record.headers, record.block)
    answer = parse_response(record.block, MAX_BYTES)
    if identified := record.headers.get("warc-identified-payload-type"):
        answer.headers.setdefault("content-type", identified)
    return answer
