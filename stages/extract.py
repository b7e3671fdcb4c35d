"""extract: web archives -> documents, one for each page."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import pyarrow as pa

from pipeline.files import Files, of_source, stem
from pipeline.schema import DOCUMENT
from pipeline.stage import Job, Output, Stage
from pipeline.storage import open_input
from stages.charset import decode
from stages.engines import ENGINES
from stages.limits import MAX_BYTES, trap
from stages.media import HTML, PLAIN, media_type
from stages.response import Response, parse_response
from stages.source import Row, write_rows
from stages.text import clean, clean_line
from stages.warc import ROWS, Record, read_records

SCHEMA = pa.schema([*DOCUMENT, ("charset", pa.string()), ("engine", pa.string())])
_SUFFIXES = (".warc", ".warc.gz", ".wet", ".wet.gz")
_TYPES = {*ROWS, "warcinfo", "request", "metadata", "revisit", "continuation"}
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z)?)?)?")
_DIGITS = re.compile(r"(\d{4})" + r"(\d\d)" * 5)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,19}):", re.IGNORECASE)
_WIDE = frozenset({"utf-16le", "utf-16be", "iso-2022-jp"})  # charsets in which markup is not ASCII
_WEB = frozenset({"http", "https", "ftp", "ftps", "file"})


@dataclass(frozen=True)
class Extract(Stage):
    """Take the main text out of the pages in web archives (WARC, WET).

    Only answers with status 200 and HTML or plain text become documents; other records go to the ledger with
    their reason: http:404, type:application/pdf, scheme:dns, empty, error:truncated, …

    Fields:
        warcs: WARC or WET files, plain or gzipped: files, folders, globs, warc.paths[.gz] lists
        source: name of the source: the first part of the documents' ids
        engine: what finds the main text of a page: resiliparse, or trafilatura (better, 10 times slower)
        validation: share of the registered domains whose pages make the validation split
        license: license of all documents, if one is known
        seed: of the draw of validation domains
    """

    warcs: Files
    source: str = "cc"
    engine: Literal["resiliparse", "trafilatura"] = "resiliparse"
    validation: float = 0.005
    license: str = ""
    seed: int = 0

    inputs: ClassVar[Mapping[str, str]] = {}
    libraries: ClassVar[tuple[str, ...]] = ("fastwarc", "publicsuffixlist", "resiliparse", "trafilatura")

    def __post_init__(self) -> None:
        if not 0 <= self.validation <= 1:
            raise ValueError(f"validation = {self.validation} must lie between 0 and 1")

    def check_files(self) -> None:
        """There must be archives, and no two of one name."""
        of_source(self.warcs, self.source, _SUFFIXES)

    def run(self, job: Job) -> None:
        """One task for each archive."""
        job.map("shards", self.read_file, job.files(self.warcs, self.source, _SUFFIXES))

    def read_file(self, path: str, output: Output) -> None:
        """Make the documents of one archive."""
        write_rows(self._rows(path, output), output, SCHEMA, self.validation, "domain", self.seed)

    def _rows(self, path: str, output: Output) -> Iterator[Row]:
        prefix, warc = f"{self.source}/{stem(path)}", os.path.basename(path)
        with open_input(path) as file:
            for record in read_records(file, path):
                kind = record.type if record.type in _TYPES else "other"
                output.count(**{"records:unreadable" if record.error else f"records:{kind}": 1})
                if record.error or record.type in ROWS:
                    yield {
                        "id": f"{prefix}/{record.address}",
                        "source": self.source,
                        "url": clean_line(record.url) or None,
                        "date": iso_date(record.headers.get("warc-date", "")),
                        "license": self.license or None,
                        "warc": warc,
                        "offset": record.offset,
                        "length": record.length,
                        **read_page(record, self.engine)._asdict(),
                    }


class Page(NamedTuple):
    """What came of a record: a text, or the reason why there is none."""

    text: str | None = None
    charset: str | None = None
    engine: str | None = None
    reason: str | None = None


def read_page(record: Record, engine: str) -> Page:
    """The text of a record; never raises for what is in it."""
    if record.error:
        return Page(reason=f"error:{record.error}")
    scheme = _SCHEME.match(record.url)
    if scheme and scheme[1].lower() not in _WEB:
        return Page(reason=f"scheme:{scheme[1].lower()}")
    answer = _answer(record)
    if answer.status != 200:
        return Page(reason=f"http:{answer.status or 'none'}")
    if not answer.body or answer.body.isspace():
        return Page(reason="empty")
    declared = answer.headers.get("content-type", "")
    kind = PLAIN if record.type == "conversion" else media_type(declared, answer.body)
    if kind not in HTML and kind != PLAIN:
        return Page(reason=f"type:{kind}")
    if len(answer.body) > MAX_BYTES:
        return Page(reason="error:too_large")
    text, charset = decode(answer.body, declared)
    if kind == PLAIN:
        engine = "wet" if record.type == "conversion" else "plain"
    else:
        if problem := trap(text.encode("utf-8", "replace") if charset in _WIDE else answer.body):
            return Page(charset=charset, reason=f"error:{problem}")
        try:
            text = ENGINES[engine](text)
        except ImportError:  # an engine that is not installed is no fault of the page
            raise
        except Exception:  # whatever a parser makes of the web, it costs this page and no other
            return Page(charset=charset, engine=engine, reason="error:engine")
    text = clean(text)
    return Page(text, charset, engine, None if text else "empty")


def _answer(record: Record) -> Response:
    """What was fetched: the block itself, but for a response by HTTP."""
    kind = record.headers.get("content-type", "application/http")
    if record.type == "response" and kind.lower().startswith("application/http"):
        return parse_response(record.block, MAX_BYTES)
    return Response(200, record.headers, record.block)


def iso_date(date: str) -> str | None:
    """A WARC-Date if it is one, '2019-05-18T00:00:01Z' or only its beginning; ARC writes 20190518000001."""
    if _DIGITS.fullmatch(date):
        date = _DIGITS.sub(r"\1-\2-\3T\4:\5:\6Z", date)
    return date if _DATE.fullmatch(date) else None
