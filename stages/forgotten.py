"""Documents that sources leave out: those that a recipe lists, and those that the run has forgotten.

The run's own list is not part of a step's identity: what was made before has been rid of them in place.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.files import expand, fingerprints
from pipeline.hashing import UInt64s
from pipeline.manifest import canonical
from pipeline.schema import DOCUMENT, FORGOTTEN, REASON
from pipeline.stage import Job
from pipeline.storage import checksum_bytes
from stages.block_lists import ForgetList, read_forgotten, read_lines
from stages.canonical import Address, address
from stages.source import Row

_ADDRESS = {*DOCUMENT.names, "unit"} - {"text"}


@dataclass(frozen=True)
class Forgotten:
    """Lists by their files: small to send, and read once in a process."""

    paths: tuple[str, ...] = ()
    contents: str = ""  # a digest: the same paths may hold something else in the next run

    @staticmethod
    def of(patterns: Sequence[str], job: Job | None = None) -> "Forgotten":
        """Of files, and of what the run of a job has forgotten."""
        paths = (*expand(patterns), *((job.forgotten,) if job and job.forgotten else ()))
        return Forgotten(paths, checksum_bytes(canonical(fingerprints(paths)).encode()))

    def __bool__(self) -> bool:
        return bool(self.paths)

    @property
    def ids(self) -> UInt64s:
        """Sorted hashes of the ids that are listed themselves."""
        return self.load().ids

    def load(self) -> ForgetList:
        """Read the files."""
        return _read(self.paths, self.contents)

    def names(self, name: str, place: Address) -> bool:
        """Whether the document of this id and address is one of them."""
        return bool(self.load().holds(pa.array([name]), [place])[0])

    def holds(self, documents: pa.Table) -> NDArray[np.bool_]:
        """Whether each document, by its `id` and `url`, is one of them."""
        return self.load().holds(
            documents["id"], [address(url or "") for url in documents["url"].to_pylist()]
        )

    def without(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows for `write_rows`; of those that are listed, the address is left and the reason."""
        for row in rows:
            if self and self.names(row["id"], address(row.get("url") or "")):
                yield {key: value for key, value in row.items() if key in _ADDRESS} | {REASON: FORGOTTEN}
            else:
                yield row


def entries(patterns: Sequence[str]) -> list[str]:
    """What lists say, sorted, each once. Raises InputError for a line that can name no document."""
    read_forgotten(patterns)
    return sorted({line.entry for line in read_lines(patterns)})


@lru_cache(maxsize=2)
def _read(paths: tuple[str, ...], contents: str) -> ForgetList:
    return read_forgotten(paths)
