"""Which URLs are linked: sorted 64-bit hashes in a file that all workers of a machine have in memory once.

A link takes 12 bytes: 8 of the hash of its page, 4 of its karma. A page that nobody linked is taken for one
of 45 million links by chance once in 4 * 10^11 pages: once in 130 crawls of three billion.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.hashing import UInt64s, hash_bytes
from pipeline.output import Output
from pipeline.storage import mapped

Int32s = NDArray[np.int32]
UNKNOWN = np.iinfo(np.int32).min  # karma of links from lists that say none
PART, NAME, SUFFIX = "listed", "links", ".bin"


class Column(NamedTuple):
    """Of one file: hashes in order, and the karma of each."""

    keys: UInt64s
    karma: Int32s


class Listed:
    """The links of one or several steps."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._columns = [_read(path) for path in paths]

    def karma(self, keys: UInt64s) -> tuple[NDArray[np.bool_], Int32s]:
        """(whether each page is linked, its karma: the best that the steps say, UNKNOWN if none says any)."""
        found = np.zeros(len(keys), bool)
        best = np.full(len(keys), UNKNOWN, np.int32)
        for column in self._columns:
            if len(column.keys):
                at = np.minimum(np.searchsorted(column.keys, keys), len(column.keys) - 1)
                hit = column.keys[at] == keys
                found |= hit
                best[hit] = np.maximum(best[hit], column.karma[at[hit]])
        return found, best


def page_key(page: str) -> int:
    """What a page is known by; `page` is that of its Address."""
    return hash_bytes(page.encode("utf-8", "replace"))


def paths_of(links: Dataset) -> tuple[str, ...]:
    """The files of the steps that made the links."""
    return tuple(f"{folder}/{PART}/{NAME}{SUFFIX}" for folder in links.folders)


def write(output: Output, keys: Iterable[UInt64s], karma: Iterable[Int32s]) -> None:
    """Write a file: hashes in order, piece by piece, then their karma."""
    file = output.file(PART, SUFFIX)
    for hashes in keys:
        file.write(hashes.astype("<u8").tobytes())
    for values in karma:
        file.write(values.astype("<i4").tobytes())


def _read(path: str) -> Column:
    data = mapped(path)
    count = len(data) // 12
    return Column(np.frombuffer(data, "<u8", count), np.frombuffer(data, "<i4", count, 8 * count))
