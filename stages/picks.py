"""Which records of an archive are to be read, by the addresses that `locate` found."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.files import basename
from pipeline.hashing import UInt64s, hash_text
from pipeline.schema import DOCUMENT
from pipeline.shuffle import key_partitions
from stages.addresses import Address, records_at
from stages.canonical import address
from stages.warc import Record

ADDRESS = pa.schema(
    [
        *(DOCUMENT.field(name) for name in ("id", "source", "url", "date", "warc", "offset", "length")),
        ("karma", pa.int32()),  # of the link
    ]
)


class Pick(NamedTuple):
    """A record as the index knows it. They sort as the records lie in their archive."""

    offset: int
    length: int
    url: str
    karma: int | None


def archive_keys(names: pa.ChunkedArray) -> UInt64s:
    """What archives are sent to shards by."""
    return hash_text(names)


def archives(addresses: Dataset) -> set[str]:
    """The file names of all archives of which there are addresses."""
    return {
        name
        for batch in addresses.batches(columns=["warc"])
        for name in map(basename, pc.unique(batch["warc"]).to_pylist())
    }


def picks(addresses: Dataset, path: str) -> dict[int, Pick]:
    """What to read of one archive, by offset and in its order; each record once."""
    name = basename(path)
    key = archive_keys(pa.chunked_array([[name]], pa.string()))
    found: dict[int, Pick] = {}
    for part in addresses.parts:
        shards = sorted(part.shards)
        for batch in part.batches(shards[key_partitions(key, len(shards))[0]], ADDRESS.names):
            for row in batch.filter(pc.ends_with(batch["warc"], name)).to_pylist():
                if basename(row["warc"]) == name:
                    found[row["offset"]] = Pick(row["offset"], row["length"], row["url"], row["karma"])
    return {offset: found[offset] for offset in sorted(found)}


def picked(path: str, wanted: Sequence[Pick]) -> Iterator[Record]:
    """The record of each pick; what is another record now has an error."""
    records = records_at([Address(path, pick.offset, pick.length) for pick in wanted])
    for pick, record in zip(wanted, records, strict=True):
        same = record is not None and address(record.url).page == address(pick.url).page
        yield record if record and same else unreadable(pick, "changed")


def unreadable(pick: Pick, error: str) -> Record:
    """A record that cannot be read, with what the index says of it."""
    return Record(pick.offset, pick.length, 0, {"warc-target-uri": pick.url}, error=error)
