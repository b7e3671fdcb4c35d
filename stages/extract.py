"""extract: web archives -> documents, one for each page."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa

from pipeline.files import Files, of_source, stem
from pipeline.schema import DOCUMENT
from pipeline.stage import Job, Output, Stage
from pipeline.storage import open_input
from stages.page import read_page
from stages.source import Row, write_rows
from stages.text import clean_line
from stages.warc import ROWS, read_records

SCHEMA = pa.schema([*DOCUMENT, ("charset", pa.string()), ("replaced", pa.float32()), ("engine", pa.string())])
_SUFFIXES = (".warc", ".warc.gz", ".wet", ".wet.gz", ".arc", ".arc.gz")
_TYPES = {*ROWS, "warcinfo", "request", "metadata", "revisit", "continuation"}
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z)?)?)?")
_DIGITS = re.compile(r"(\d{4})" + r"(\d\d)" * 5)


@dataclass(frozen=True)
class Extract(Stage):
    """Take the main text out of the pages in web archives (WARC, WET, ARC).

    Only answers with status 200 and HTML or plain text become documents; other records go to the ledger with
    their reason: http:404, type:application/pdf, scheme:dns, empty, error:truncated, error:charset, …

    Fields:
        warcs: WARC, WET or ARC files, plain or gzipped: files, folders, globs, warc.paths[.gz] lists
        source: name of the source: the first part of the documents' ids
        engine: what finds the main text of a page: resiliparse, or trafilatura (better, 10 times slower)
        max_replaced: reject a page when more of its characters are U+FFFD, which stands for lost bytes
        validation: share of the registered domains whose pages make the validation split
        license: license of all documents, if one is known
        seed: of the draw of validation domains
    """

    warcs: Files
    source: str = "cc"
    engine: Literal["resiliparse", "trafilatura"] = "resiliparse"
    max_replaced: float = 0.01
    validation: float = 0.005
    license: str = ""
    seed: int = 0

    inputs: ClassVar[Mapping[str, str]] = {}
    libraries: ClassVar[tuple[str, ...]] = ("fastwarc", "publicsuffixlist", "resiliparse", "trafilatura")

    def __post_init__(self) -> None:
        for name in ("validation", "max_replaced"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must lie between 0 and 1")

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
                        **read_page(record, self.engine, self.max_replaced)._asdict(),
                    }


def iso_date(date: str) -> str | None:
    """A WARC-Date if it is one, '2019-05-18T00:00:01Z' or only its beginning; ARC writes 20190518000001."""
    if _DIGITS.fullmatch(date):
        date = _DIGITS.sub(r"\1-\2-\3T\4:\5:\6Z", date)
    return date if _DATE.fullmatch(date) else None
