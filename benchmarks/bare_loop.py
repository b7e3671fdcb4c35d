"""The yardstick: the least that a pipeline does for a page of a WARC, in a plain loop that writes nothing."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

_DECLARED = ("text/html", "application/xhtml+xml")
_UNDECLARED = ("text/plain", "", None)


class Looped(NamedTuple):
    """What the loop read and found, and the CPU seconds it took."""

    pages: int
    size: int  # bytes of HTML
    characters: int  # of main text
    seconds: float


def bare_loop(paths: Sequence[str]) -> Looped:
    """FastWARC, charset detection and decoding, Resiliparse main text; of HTML answers with status 200."""
    pages = size = characters = 0
    started = time.process_time()
    for path in paths:
        with open(path, "rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
                head = record.http_headers
                if head is None or head.status_code != 200:
                    continue
                body = record.reader.read()
                if not is_html(record.http_content_type, body):
                    continue
                tree = HTMLTree.parse(bytes_to_str(body, detect_encoding(body)))
                characters += len(extract_plain_text(tree, main_content=True))
                pages, size = pages + 1, size + len(body)
    return Looped(pages, size, characters, time.process_time() - started)


def is_html(media_type: str | None, body: bytes) -> bool:
    """Whether a page is HTML: it says so, or it says nothing and looks so."""
    return media_type in _DECLARED or (media_type in _UNDECLARED and b"<html" in body[:1024].lower())
