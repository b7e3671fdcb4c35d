"""Common Crawl's columnar URL index: which of the captures that a file of it lists are of linked pages.

A file is sorted by SURT, `com,example)/path`, a spelling of URLs by which the pages of a domain are
neighbours. Row groups in which, by the least and the greatest SURT in the footer, no linked domain can be are
not read; of the others the URLs are read first, and the rest only where one of these is linked. Programs that
make SURTs differ in details: a group is only passed over if no linked domain is in it in any spelling.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.storage import open_random
from stages.canonical import Address, address
from stages.listed import Listed, page_key

CAPTURE = pa.schema(
    [
        ("url", pa.string()),
        ("fetch_time", pa.string()),
        ("fetch_status", pa.int32()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int64()),
        ("warc_record_length", pa.int64()),
        ("karma", pa.int32()),
    ]
)
_OURS = {"url", "karma"}  # which are known when the rest of a row is read
_OPTIONAL = {"fetch_time", "fetch_status", "karma"}
_SURT = "url_surtkey"
_LAST = "\U0010ffff"  # behind all SURTs
_ROWS = 1 << 15
_NUMBERS = re.compile(r"[\d.]+")
_WWW = re.compile(r"(www\d*\.)+")  # what SURTs leave out, even of www.gov.uk, which is a registered domain


class Spans:
    """Where linked domains are in an index that is sorted by SURT."""

    def __init__(self, prefixes: pa.Array) -> None:
        self._prefixes = prefixes  # sorted; Arrow, as there are millions, in each worker

    def meet(self, least: str, greatest: str) -> bool:
        """Whether a SURT from `least` to `greatest` can begin with one of the prefixes."""
        return self._holds(least, greatest) or any(self._holds(part, part) for part in accumulate(least))

    def _holds(self, least: str, greatest: str) -> bool:
        """Whether a prefix is from `least` to `greatest`."""
        at = bisect_left(self._prefixes, least, key=lambda prefix: prefix.as_py())
        return at < len(self._prefixes) and self._prefixes[at].as_py() <= greatest


def surt_prefixes(domain: str) -> set[str]:
    """What the SURTs of a domain's pages may begin with: 'a.co.uk' -> 'uk,co,a'; other spellings as well.

    IP addresses are turned round or not; names in other scripts are in ASCII (of 2003 or 2008) or not.
    """
    readable = Address(domain, "").readable
    names = {domain, readable, domain.strip("[]")}
    with suppress(UnicodeError):
        names.add(readable.encode("idna").decode())
    found = {domain} if _NUMBERS.fullmatch(domain) else set()
    for name in names:
        found.add(_turned(name))
        if www := _WWW.match(name):
            found |= {f"{_turned(name[www.end() :])}{end}" for end in "):"}
    return found


def _turned(name: str) -> str:
    return ",".join(reversed(name.split(".")))


def captures(path: str, links: Listed, spans: Spans, counts: dict[str, int]) -> Iterator[pa.Table]:
    """Tables of CAPTURE: of one file, what is of linked pages. Adds to `counts` what was read and what not.

    Raises InputError for a file that is no such index, or that cannot be read to its end.
    """
    with open_random(path) as file, _explained(path):
        index = pq.ParquetFile(file)
        present = set(index.schema_arrow.names)
        if missing := [name for name in CAPTURE.names if name not in present | _OPTIONAL]:
            raise InputError(
                f"{path} has no column '{missing[0]}', so it is no part of a columnar URL index "
                "(commoncrawl:CC-MAIN-…/cc-index-table); name those files, with subset=warc in their paths"
            )
        rest = [name for name in CAPTURE.names if name in present - _OURS]
        for group in range(index.num_row_groups):
            about = index.metadata.row_group(group)
            if not spans.meet(*_range(about)):
                _add(counts, groups_skipped=1)
                continue
            rows, urls, karma = _linked(index, group, links)
            _add(counts, groups_read=1, captures_read=about.num_rows)
            if len(rows):
                columns = index.read_row_group(group, columns=rest).take(pa.array(rows))
                named = {name: columns[name] for name in rest}
                yield _table(named | {"url": urls, "karma": pa.array(karma)}, len(rows))


def _linked(index: Any, group: int, links: Listed) -> tuple[NDArray[np.int64], pa.Array, NDArray[np.int32]]:
    """(rows of a group that are of linked pages, their URLs, the karma of the links)."""
    places, found, karmas, start = [np.empty(0, np.int64)], [], [np.empty(0, np.int32)], 0
    for batch in index.iter_batches(_ROWS, row_groups=[group], columns=["url"]):
        urls = batch.column(0).cast(pa.string()).to_pylist()
        keys = np.fromiter((page_key(address(url or "").page) for url in urls), np.uint64, len(urls))
        hits, karma = links.karma(keys)
        at = np.flatnonzero(hits)
        places.append(at + start)
        karmas.append(karma[at])
        found += [urls[row] for row in at.tolist()]
        start += len(urls)
    return np.concatenate(places), pa.array(found, pa.string()), np.concatenate(karmas)


def _table(columns: Mapping[str, Any], rows: int) -> pa.Table:
    """Columns as CAPTURE has them; those that an index lacks are null."""
    fields = []
    for field in CAPTURE:
        values = columns.get(field.name, pa.nulls(rows, field.type))
        if pa.types.is_timestamp(values.type):
            values = pc.strftime(values.cast(pa.timestamp("s"), safe=False), "%Y-%m-%dT%H:%M:%SZ")
        fields.append(values.cast(field.type))
    return pa.Table.from_arrays(fields, schema=CAPTURE)


def _range(group: Any) -> tuple[str, str]:
    """The least and the greatest SURT of a row group; of one that does not say, of all that can be."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == _SURT and column.statistics and column.statistics.has_min_max:
            least, greatest = column.statistics.min, column.statistics.max
            if isinstance(least, str) and isinstance(greatest, str):  # bytes may be sorted otherwise
                return least, greatest
    return "", _LAST


def _add(counts: dict[str, int], **numbers: int) -> None:
    for name, number in numbers.items():
        counts[name] = counts.get(name, 0) + number


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({error}); name files of a columnar URL index, or get it again"
        ) from error
