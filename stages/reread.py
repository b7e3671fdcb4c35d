"""The pages of documents once more: their records found by address, their texts by another engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stages.addresses import Address, records_at
from stages.extract import iso_date
from stages.metadata import Metadata, read_metadata
from stages.page import Page, read_page
from stages.text import clean_line
from stages.warc import Record

_SAMPLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Title</title><p>A paragraph of text.</p>"


class Wanted(NamedTuple):
    """A record as its document knows it. They sort as the records lie in their files."""

    address: Address
    row: int  # of the document
    url: str | None
    date: str | None


class Found(NamedTuple):
    """What is at the address of a wanted record."""

    wanted: Wanted
    record: Record | None
    fault: str = ""  # why it could not be read


class Again(NamedTuple):
    """What came of a record at the second reading."""

    row: int
    page: Page
    metadata: Metadata = Metadata()

    @property
    def text(self) -> str | None:
        """The second text, if there is one."""
        return None if self.page.reason else self.page.text


@dataclass(frozen=True)
class Reread:
    """The work of a child that may die of a page (see pipeline/supervise.py); places are positions."""

    wanted: Sequence[Wanted]  # sorted
    engine: str
    metadata: bool

    def load(self) -> None:
        """Import and compile what pages need."""
        record = Record(0, 0, 0, {"warc-type": "response"}, _SAMPLE)
        self.result(Found(Wanted(Address("", 0, 0), 0, None, None), record))

    def records(self, after: int | None, broken: str) -> Iterator[tuple[int, Found]]:
        """What is found at each address."""
        start = 0 if after is None else after + 1
        if broken:
            yield start, Found(self.wanted[start], None, broken)
            start += 1
        wanted = self.wanted[start:]
        records = records_at([each.address for each in wanted])
        for place, (each, record) in enumerate(zip(wanted, records, strict=True), start):
            yield place, Found(each, record)

    def result(self, found: Found) -> Again:
        """What a page says now, if the record is still the one that the document was made of."""
        wanted, record, fault = found
        if fault:
            return self.failed(found, fault)
        if record is None or _source(record) != (wanted.url, wanted.date):
            return Again(wanted.row, Page(reason="changed"))
        page = read_page(record, self.engine)
        html = page.engine == self.engine
        return Again(wanted.row, page, read_metadata(record) if self.metadata and html else Metadata())

    def failed(self, found: Found, fault: str) -> Again:
        """The same of a page that is too slow, too large, or deadly."""
        return Again(found.wanted.row, Page(reason=f"error:{fault}"))


def _source(record: Record) -> tuple[str | None, str | None]:
    """Url and date of a record, as in the columns of its document."""
    return clean_line(record.url) or None, iso_date(record.headers.get("warc-date", ""))
