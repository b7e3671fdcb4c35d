"""What one task writes: tables, documents with their ledger, counts; committed together, the record last."""

import contextlib
import io
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import storage
from pipeline.executors import Tick
from pipeline.manifest import Counts
from pipeline.schema import REASON, estimated_tokens, ledger, text_size
from pipeline.shards import GROUP_ROWS, ShardWriter


class Onward(Protocol):
    """Where documents flow that are not written."""

    def open(self, schema: pa.Schema) -> None:
        """Make ready for documents of `schema`."""

    def push(self, documents: pa.Table) -> None:
        """Take documents in."""


class Output:
    """The files of one task, under temporary names until `commit`; documents flow `onward`, if given."""

    def __init__(
        self,
        folder: str,
        part: str,
        name: str,
        tick: Tick = lambda rows, size: None,
        onward: Onward | None = None,
    ) -> None:
        self.folder, self.part, self.name, self.tick = folder, part, name, tick
        self._onward = onward
        self.counts: Counts = {}
        self.read: Any = None  # what the task reads, for its record
        self._writers: list[ShardWriter | FileWriter] = []
        self._files: dict[str, FileWriter] = {}
        self._tables: dict[str, ShardWriter] = {}
        self._documents: DocumentWriter | None = None
        self._sides: dict[str, bytes] = {}

    def table(self, schema: pa.Schema, part: str | None = None, group_rows: int = GROUP_ROWS) -> ShardWriter:
        """A writer of `<folder>/<part>/<name>.parquet`."""
        writer = ShardWriter(f"{self.folder}/{part or self.part}/{self.name}.parquet", schema, group_rows)
        self._writers.append(writer)
        return writer

    def documents(self, schema: pa.Schema, keep: bool = True) -> "DocumentWriter":
        """A writer that parts documents from rejected ones; with `keep` false it writes the ledger only."""
        kept = self.table(schema) if keep and not self._onward else None
        if self._onward:
            self._onward.open(schema)
        self._documents = DocumentWriter(
            kept, self.table(ledger(schema), "rejected"), self.tick, self._onward
        )
        return self._documents

    def file(self, part: str, suffix: str) -> "FileWriter":
        """The writer of `<folder>/<part>/<name><suffix>`, a file beside the shard; one for each `part`."""
        if part not in self._files:
            self._files[part] = FileWriter(f"{self.folder}/{part}/{self.name}{suffix}")
            self._writers.append(self._files[part])
        return self._files[part]

    def table_beside(self, part: str, schema: pa.Schema) -> ShardWriter:
        """The writer of `<folder>/<part>/<name>.parquet`, a table beside the shard; one for each `part`."""
        if part not in self._tables:
            self._tables[part] = self.table(schema, part)
        return self._tables[part]

    def count(self, **counts: int) -> None:
        """Add to the counts in the task's record."""
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def side(self, name: str, data: bytes) -> None:
        """Write an extra file `<folder>/<name>`, such as a model's card."""
        self._sides[name] = data

    def commit(self) -> None:
        """Give every file its name, ledger first; then the record. The record exists, so the task is done."""
        written = self._named()
        counts = self.counts | (self._documents.counts() if self._documents else {})
        record = {"read": self.read, "written": written, "counts": counts}
        if self._documents:
            record["content"] = self.content()
        storage.write_json(record_path(self.folder, self.part, self.name), record)

    def amend(self) -> None:
        """Commit files that stand for those of a task that is done, and the counts that are others now.

        Whoever read the task's documents knows them by what the record said when it was done: that stays, as
        `content` and `made`.
        """
        path = record_path(self.folder, self.part, self.name)
        old, written = storage.read_json(path), self._named()
        made = old.get("made", old["written"])
        new = {"written": old["written"] | written, "counts": old["counts"] | self.counts, "made": made}
        storage.write_json(path, old | new)

    def _named(self) -> dict[str, str]:
        """Give every file its name; checksums by name."""
        for writer in self._writers:
            writer.close()
        written = {name: storage.checksum_bytes(data) for name, data in self._sides.items()}
        for name, data in self._sides.items():
            storage.write_bytes(f"{self.folder}/{name}", data)
        for writer in reversed(self._writers):
            path = os.path.relpath(writer.path, self.folder)
            written[path] = storage.checksum(writer.partial)
            storage.commit(writer.partial, writer.path)
        return written

    def content(self) -> str:
        """A digest of the documents that were kept."""
        return self._documents.content() if self._documents else ""

    def abandon(self) -> None:
        """Forget everything."""
        for writer in self._writers:
            writer.abandon()


class FileWriter:
    """Writes a file of bytes to a temporary name; the engine commits it when the task is whole."""

    def __init__(self, path: str) -> None:
        self.path, self.position = path, 0
        self.partial = storage.temporary(path)
        with storage.explained(path):
            self._file = io.BufferedWriter(io.FileIO(self.partial, "w"))

    def write(self, data: bytes) -> int:
        """Add bytes; returns where they begin."""
        start = self.position
        with storage.explained(self.path):
            self._file.write(data)
        self.position += len(data)
        return start

    def close(self) -> None:
        """All that was written is in the file, which still has its temporary name."""
        with storage.explained(self.path):
            self._file.close()

    def abandon(self) -> None:
        """Forget the file."""
        with contextlib.suppress(OSError):
            self._file.close()
        storage.discard(self.partial)


class DocumentWriter:
    """Rows without a reason go to the shard, rows with one to the ledger; both are counted."""

    def __init__(
        self, kept: ShardWriter | None, rejected: ShardWriter, tick: Tick, onward: Onward | None = None
    ) -> None:
        self._kept, self._rejected, self._tick, self._onward = kept, rejected, tick, onward
        self._in, self._out = Measure(), Measure()
        self._reasons: Counter[str] = Counter()
        self._content = {name: xxhash.xxh3_128() for name in ("id", "text")}

    def write(self, table: pa.Table) -> pa.Table:
        """Part the rows of `table`; returns the kept ones, without the reason."""
        kept = table
        if REASON in table.column_names:
            reasons = table[REASON]
            if reasons.null_count < len(reasons):
                gone = table.filter(pc.is_valid(reasons))
                self._reasons.update(gone[REASON].to_pylist())
                self._rejected.write(gone.select(self._rejected.schema.names))
                kept = table.filter(pc.is_null(reasons))
            kept = kept.drop_columns([REASON])
        size = self._in.add(table)
        self._out.add(kept)
        for name, digest in self._content.items():
            _digest(kept, name, digest)
        if self._kept is not None:
            self._kept.write(kept)
        if self._onward is not None:
            self._onward.push(kept)
        self._tick(table.num_rows, size)
        return kept

    def counts(self) -> Counts:
        """rows, bytes and estimated tokens in and out, and rows by reason."""
        ways = {"in": self._in, "out": self._out}
        counts = {f"{what}_{way}": n for way, each in ways.items() for what, n in each.counts().items()}
        return {**counts, "reasons": dict(sorted(self._reasons.items()))}

    def content(self) -> str:
        """A digest of the ids and texts of the kept rows: the same whether they are written or flow on."""
        return storage.checksum_bytes(b"".join(digest.digest() for digest in self._content.values()))


@dataclass
class Measure:
    """Sums over documents; tokens are estimated at the end, so that batches make no difference."""

    rows: int = 0
    bytes: int = 0
    beyond: int = 0  # bytes that are more than one a character
    tokens: int = 0  # counted by `encode`

    def add(self, table: pa.Table) -> int:
        """Returns the bytes of the texts in `table`."""
        size, beyond = text_size(table["text"]) if "text" in table.column_names else (0, 0)
        self.rows += table.num_rows
        self.bytes += size
        self.beyond += beyond
        if "token_count" in table.column_names:
            self.tokens += pc.sum(table["token_count"]).as_py() or 0
        return size

    def counts(self) -> Counts:
        """rows, bytes of text, tokens."""
        tokens = self.tokens or estimated_tokens(self.bytes, self.beyond)
        return {"rows": self.rows, "bytes": self.bytes, "tokens": tokens}


def _digest(table: pa.Table, name: str, digest: xxhash.xxh3_128) -> None:
    """Add the bytes of one column's strings; the same for any batches."""
    if name not in table.column_names:
        return
    for chunk in table[name].chunks:
        values = chunk.cast(pa.large_string())
        ends = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
        if len(values):
            digest.update(values.buffers()[2][ends[0] : ends[-1]])


def record_path(folder: str, part: str, name: str) -> str:
    """Where the record of a task is."""
    return f"{folder}/tasks/{part}/{name}.json"
