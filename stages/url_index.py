"""Common Crawl's columnar URL index: which of the captures that a file of it lists are of linked pages.

A file is sorted by SURT, `com,example)/path`, a spelling of URLs by which the pages of a domain are
neighbours. Row groups in which, by the least and the greatest SURT in the footer, no linked domain can be are
not read; of the others the URLs are read first, and the rest only where one of these is linked.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.storage import open_random
from stages.canonical import address
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
_OPTIONAL = {"fetch_time", "fetch_status", "karma"}
_SURT = "url_surtkey"
_ROWS = 1 << 15
_NUMBERS = re.compile(r"[\d.]+")


class Spans:
    """Where linked domains are in an index that is sorted by SURT."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._known = set(prefixes)
        self._sorted = sorted(self._known)

    def meet(self, least: str, greatest: str) -> bool:
        """Whether a SURT from `least` to `greatest` can begin with one of the prefixes."""
        at = bisect_left(self._sorted, least)
        if at < len(self._sorted) and self._sorted[at] <= greatest:
            return True
        return any(beginning in self._known for beginning in accumulate(least))


def surt_prefixes(domain: str) -> set[str]:
    """What the SURTs of a domain's pages begin with: 'a.co.uk' -> 'uk,co,a'; of an IP address, either way."""
    turned = ",".join(reversed(domain.split(".")))
    return {turned, domain} if _NUMBERS.fullmatch(domain) else {turned}


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
        rest = [name for name in CAPTURE.names if name in present and name != "karma"]
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
        urls = batch.column(0).to_pylist()
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
            return str(column.statistics.min), str(column.statistics.max)
    return "", "\U0010ffff"


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
