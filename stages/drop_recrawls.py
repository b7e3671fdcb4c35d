"""One document of each URL stays."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import xxhash

from pipeline.dataset import Dataset
from pipeline.stage import Job, Output, Stage
from stages.canonical import address
from stages.first_of_each import FirstOfEach, Names, Sorted

_UNDATED = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT = re.compile(r"(\d{4})(?:-(\d\d))?")  # a year, or a month
_DIGITS = re.compile(r"(\d{8})(\d{6})")  # as in names of captures


@dataclass(frozen=True)
class DropRecrawls(Stage):
    """Keep one of the documents of a URL, the newest or the first by `date`; say of the others which one.

    A URL is that of another document if both lead to one page: scheme, user, port 80 or 443, `www.`, capitals
    in the host, fragment and the spelling of characters are of no account. Documents without a URL stay. The
    URL alone counts, whatever the texts are: put this after the steps that reject error pages, or the newest
    may be one.

    Dates are compared across all datasets, a time without a zone as UTC; a document without a date that can
    be read comes last. Of equal dates the first in the datasets as they are listed stays, then the least id.
    Adds `recrawl_of` (the id of the one that stays, in the ledger) and `recrawls` (how many went because of
    it).

    Fields:
        keep: newest: of the latest date; first: of the earliest
        same: page: a final slash and what tells where readers come from (utm_…, gclid) do not count either;
            address: they do
        memory: megabytes that a task may take; it decides how many tasks there are, never what they find
    """

    keep: Literal["newest", "first"] = "newest"
    same: Literal["page", "address"] = "page"
    memory: int = 1024

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"memory = {self.memory} must be at least 1")

    def run(self, job: Job) -> None:
        """Put equal URLs together, choose, mark."""
        names = Names("recrawl_of", "recrawls", f"recrawl:{self.keep}")
        FirstOfEach(job.inputs["documents"], self, names, self.memory).run(job)

    @property
    def reads(self) -> Sequence[str]:
        """The columns that decide."""
        return ["id", "url", "date"]

    def sort(self, documents: pa.Table, place: int, output: Output) -> Sorted:
        """Documents with a URL by that; others have no key."""
        urls = [self._canonical(url or "") for url in documents["url"].to_pylist()]
        keyed = np.array([bool(url) for url in urls], np.bool_)
        data = b"".join([xxhash.xxh3_128_digest(url.encode()) for url in urls])
        digests = np.frombuffer(data, "<u8").astype(np.uint64).reshape(len(urls), 2)
        instants = [instant(date) if date else None for date in documents["date"].to_pylist()]
        sign = -1 if self.keep == "newest" else 1
        first = [_UNDATED if each is None else sign * each for each in instants]
        undated = np.array([each is None for each in instants], np.bool_)
        output.count(with_url=int(keyed.sum()), undated=int((keyed & undated).sum()))
        return Sorted(digests, keyed, np.array(first, np.int64), np.full(len(urls), float(place)))

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """How many documents could be compared."""
        totals = dataset.manifests[0].totals
        counts = {name: totals.get(name, 0) for name in ("with_url", "undated")}
        rows = [{"documents with a URL": counts["with_url"], "of them without a date": counts["undated"]}]
        return {"recrawls": rows}

    def _canonical(self, url: str) -> str:
        found = address(url)
        return "" if not found.host else found.page if self.same == "page" else found.key


def instant(date: str) -> int | None:
    """Microseconds since 1970 of a date in ISO 8601, or as 2024, 2024-03, 20240301120000; None for others.

    A date without a time is its beginning; a time without a zone is in UTC.
    """
    if short := _SHORT.fullmatch(date):
        date = f"{short[1]}-{short[2] or '01'}-01"
    elif digits := _DIGITS.fullmatch(date):
        date = f"{digits[1]}T{digits[2]}"
    try:
        found = datetime.fromisoformat(date)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
