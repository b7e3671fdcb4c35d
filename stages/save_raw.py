"""save_raw: the raw records of survivors, while they are still in memory."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from pipeline import storage
from pipeline.errors import RecipeError
from pipeline.hashing import UInt64s, among, hash_text
from pipeline.schema import with_column
from pipeline.shards import read_batches
from pipeline.stage import MapStage, Output
from stages.raw import RAW, nothing
from stages.stream import GZIP

_BLOCK = 1 << 24


@dataclass(frozen=True)
class SaveRaw(MapStage):
    """Write each document's raw record into raw/<shard>.warc.gz, and point `warc`, `offset`, `length` there.

    For a crawl that is streamed from afar: where `extract` says raw = true, and it and the steps up to this
    one say materialize = false, the records that survive them are kept, each in a gzip member of its own,
    and `refine` finds them here (raw = "<this step>").
    """

    replaces: ClassVar[frozenset[str]] = frozenset({"warc", "offset", "length"})
    drops: ClassVar[frozenset[str]] = frozenset({RAW})

    def process(self, documents: pa.Table, loaded: None) -> pa.Table:
        """Nothing; see `save`."""
        return documents

    def save(self, documents: pa.Table, output: Output) -> pa.Table:
        """Write the records; documents of no archive keep their address, which is none."""
        if RAW not in documents.column_names:
            raise RecipeError(
                f"there is no column '{RAW}' to save; write {RAW} = true in the step of `extract`"
            )
        archive = f"{output.name}.warc.gz"
        rows = documents.select([*sorted(self.replaces), RAW]).to_pylist()
        for row in rows:
            if (record := row[RAW]) is not None:
                member = record if record.startswith(GZIP) else gzip.compress(record, mtime=0)
                start = output.file("raw", ".warc.gz").write(member)
                row.update(warc=archive, offset=start, length=len(member))
        for name, kind in (("warc", pa.string()), ("offset", pa.int64()), ("length", pa.int64())):
            documents = with_column(documents, name, pa.array([row[name] for row in rows], kind))
        return documents

    @classmethod
    def erase(cls, folder: str, task: str, gone: UInt64s, output: Output) -> bool:
        """Blank the records, too: a member of the same length stands for each, so that addresses hold."""
        changed, name = super().erase(folder, task, gone, output), output.name
        path = f"{folder}/raw/{name}.warc.gz"
        if not storage.exists(path):  # no document of the shard has a record
            return changed
        spans = [span for part in ("shards", "rejected") for span in _spans(folder, part, name, gone)]
        archive, start = output.file("raw", ".warc.gz"), 0
        for offset, length in sorted({*spans, (storage.size(path), 0)}):
            for at in range(start, offset, _BLOCK):
                archive.write(storage.read_range(path, at, min(_BLOCK, offset - at)))
            archive.write(nothing(length) if length else b"")
            start = offset + length
        return True


def _spans(folder: str, part: str, name: str, gone: UInt64s) -> Iterator[tuple[int, int]]:
    """Offset and length of the records of some documents, wherever their rows are by now."""
    for batch in read_batches(f"{folder}/{part}/{name}.parquet", ["id", "warc", "offset", "length"]):
        rows = batch.filter(pa.array(among(hash_text(batch["id"]), gone))).to_pylist()
        yield from ((row["offset"], row["length"]) for row in rows if row["warc"] == f"{name}.warc.gz")
