"""save_raw: the raw records of survivors, while they are still in memory."""

import gzip
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from pipeline.errors import RecipeError
from pipeline.schema import with_column
from pipeline.stage import MapStage, Output
from stages.raw import RAW
from stages.stream import GZIP


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
