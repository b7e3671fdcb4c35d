"""refine: the pages of survivors once more, by another engine."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.files import Files, expand
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.addresses import Address, records_at
from stages.agreement import agreement
from stages.extract import SCHEMA, iso_date
from stages.metadata import Metadata, read_metadata
from stages.page import Page, read_page
from stages.text import clean_line
from stages.warc import Record

_ADDRESS = ["id", "warc", "offset", "length", "url", "date"]
_PAGE = tuple(name for name in Page._fields if name in SCHEMA.names)
Archives = Mapping[str, Sequence[str]]  # paths by file name


class Again(NamedTuple):
    """What came of a record at the second reading."""

    page: Page
    metadata: Metadata = Metadata()

    @property
    def text(self) -> str | None:
        """The second text, if there is one."""
        return None if self.page.reason else self.page.text


@dataclass(frozen=True)
class Refine(MapStage):
    """Read each document's raw record again, by its address, and take the text that another engine finds.

    For the few documents that are left after quality and deduplication, where a better and slower engine can
    be paid for; or for all of them, when a new version of an engine is out. Where the engine finds nothing,
    or fails, the first text stays. Nothing is rejected, but by `min_agreement`. Columns that earlier steps
    computed of the text, such as language and quality, keep saying what they said of the first one.

    Adds `refined`: yes, or why the first text stays: no_address (it is of no archive), changed (the record at
    the address is another one now), empty, error:engine, …; and `agreement` of the two texts: the F1 of their
    words, from 0 to 1. Replaces `engine` and `charset` where the second text stands.

    Fields:
        warcs: where the archives are now: files, folders, globs, lists; found by the file names in `warc`
        engine: what finds the main text of a page: trafilatura, or resiliparse
        metadata: also add what Trafilatura says of `title`, `author` and day of being `published`
        min_agreement: reject a document whose two texts agree less than this
    """

    warcs: Files
    engine: Literal["trafilatura", "resiliparse"] = "trafilatura"
    metadata: bool = False
    min_agreement: float = 0.0

    replaces: ClassVar[frozenset[str]] = frozenset(_PAGE)
    libraries: ClassVar[tuple[str, ...]] = (
        "fastwarc",
        "htmldate",
        "justext",
        "lxml",
        "resiliparse",
        "trafilatura",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement = {self.min_agreement} must lie between 0 and 1")
        if not self.warcs:
            raise ValueError("warcs names no archives")

    def adds(self) -> pa.Schema:
        """The columns of a page, what became of it, and what it says of itself."""
        more = [(name, pa.string()) for name in Metadata._fields] if self.metadata else []
        page = [(name, SCHEMA.field(name).type) for name in _PAGE]
        return pa.schema([*page, ("refined", pa.string()), ("agreement", pa.float32()), *more])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Archives:
        """The archives by their names."""
        found: dict[str, list[str]] = {}
        for path in expand(self.warcs):
            found.setdefault(os.path.basename(path), []).append(path)
        return found

    def process(self, documents: pa.Table, loaded: Archives) -> pa.Table:
        """Read again, compare, replace."""
        pages = self._read(documents.select(_ADDRESS).to_pylist(), loaded)
        second = pa.array([again.text for again in pages], pa.large_string())
        agreed = agreement(documents["text"], second)
        for name in _PAGE:
            values = pa.array([getattr(again.page, name) for again in pages], SCHEMA.field(name).type)
            first = documents[name] if name in documents.column_names else None
            documents = with_column(documents, name, pc.if_else(second.is_valid(), values, first))
        documents = with_column(documents, "refined", [again.page.reason or "yes" for again in pages])
        documents = with_column(documents, "agreement", agreed)
        for at, name in enumerate(Metadata._fields if self.metadata else ()):
            values = pa.array([again.metadata[at] for again in pages], pa.string())
            documents = with_column(documents, name, values)
        if not self.min_agreement:
            return documents
        low = pc.fill_null(pc.less(agreed, pa.scalar(self.min_agreement, pa.float32())), False)
        return with_column(documents, REASON, pc.if_else(low, "refine:disagreement", None))

    def _read(self, rows: Sequence[Mapping[str, Any]], archives: Archives) -> list[Again]:
        """What comes of the record of each row."""
        found = [Again(Page(reason="no_address"))] * len(rows)
        addresses = sorted(
            (_address(row, archives), at)
            for at, row in enumerate(rows)
            if row["warc"] is not None and row["offset"] is not None
        )
        records = records_at([address for address, _ in addresses])
        for (_, at), record in zip(addresses, records, strict=True):
            found[at] = read_again(record, rows[at], self.engine, self.metadata)
        return found


def _address(row: Mapping[str, Any], archives: Archives) -> Address:
    """Where the record of a document is; its ordinal, where it is not alone, is a part of the id."""
    paths = archives.get(row["warc"], ())
    if len(paths) != 1:
        what = "two archives have the name" if paths else "no archive has the name"
        raise InputError(
            f"refine: {what} {row['warc']}, where {row['id']} is from; mend what the recipe's `warcs` name"
        )
    ordinal = row["id"].rpartition("/")[2].partition(".")[2]
    if row["length"] is not None:
        return Address(paths[0], row["offset"], row["length"])
    return Address(paths[0], row["offset"], 0, int(ordinal) if ordinal.isdecimal() else 0)


def read_again(record: Record | None, row: Mapping[str, Any], engine: str, metadata: bool) -> Again:
    """The page of a record, if it is still the record that the document was made of."""
    if record is None or _source(record) != (row["url"], row["date"]):
        return Again(Page(reason="changed"))
    page = read_page(record, engine)
    return Again(page, read_metadata(record) if metadata and page.engine == engine else Metadata())


def _source(record: Record) -> tuple[str | None, str | None]:
    """Url and date of a record, as in the columns of its document."""
    return clean_line(record.url) or None, iso_date(record.headers.get("warc-date", ""))
