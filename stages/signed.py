"""What the documents of a step are known by: ranks, digests of their words, MinHash signatures.

`Signed` is all that the search for duplicates asks of documents. Here it comes from files: one for each
shard, in the part `signatures` of a `deduplicate` step. They stay when the step is done, so that later steps
compare with its documents and never sign them again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from classifiers.words import Words, unicode_version, words
from pipeline.dataset import Dataset
from pipeline.hashing import hash_text
from pipeline.schema import FORGOTTEN
from pipeline.shards import count_rows, read_batches, read_rows, read_schema
from pipeline.stage import Output
from stages import minhash, numbering
from stages.minhash import Permutations, Shingles
from stages.numbering import Numbering, Numbers, Rows

KEPT, GONE, ABSENT = range(3)  # state: may be named, was removed itself, is no longer there
VERSION = 1  # of what a signature is made of
CHUNK = 256  # texts that are read at once

STATES = pa.schema(
    [
        ("state", pa.uint8()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("exact", pa.bool_()),
    ]
)
FORGOTTEN_IDS = pa.schema([("id", pa.string())])


class Signed(Protocol):
    """Documents as the search for duplicates sees them, shard by shard."""

    @property
    def numbering(self) -> Numbering:
        """Their shards."""

    @property
    def scheme(self) -> "Scheme":
        """What their signatures are."""

    def states(self, shard: int) -> NDArray[np.uint8]:
        """KEPT, GONE or ABSENT; all are KEPT but in references."""

    def texts(self, shard: int) -> tuple[Numbers, Numbers, Numbers]:
        """(key, check, rank) of each document; key and check together stand for its words."""

    def bands(self, shard: int, bands: range) -> tuple[Rows, Numbers, Numbers]:
        """(row, rank, keys [documents, bands]) of each document that has a signature."""

    def sketches(self, shard: int, rows: Rows) -> NDArray[np.uint8]:
        """The low byte of each value of the signatures at `rows`: [rows, permutations]."""

    def shingles(self, shard: int, rows: Rows) -> Iterator[Shingles]:
        """The sets of shingles of the documents at `rows`, a few at a time."""

    def ids(self, shard: int, rows: Rows) -> pa.ChunkedArray:
        """The ids of the documents at `rows`."""

    def evidence(self, shard: int, rows: Rows) -> pa.Table:
        """Of documents that are GONE: what for, how similar, whether a copy; columns as in STATES."""


@dataclass(frozen=True)
class Scheme:
    """What a signature is: two that are compared must agree in all of it but the bands."""

    bands: int
    rows: int
    shingle: int
    seed: int

    @property
    def permutations(self) -> int:
        """Values in a signature."""
        return self.bands * self.rows

    @property
    def name(self) -> dict[str, str | int]:
        """What travels with a column of signatures."""
        return {
            "scheme": "affine32",  # datasketch's name for it
            "permutations": self.permutations,
            "seed": self.seed,
            "shingle": self.shingle,
            "words": f"winnow, Unicode {unicode_version()}",
            "version": VERSION,
        }

    def schema(self, first: int, end: int) -> pa.Schema:
        """Of a file of signatures by a step whose documents have the orders from `first` to before `end`."""
        metadata = {b"minhash": json.dumps(self.name, sort_keys=True).encode()}
        orders = {b"orders": f"{first} {end}".encode()}
        return pa.schema(
            [
                ("id", pa.string()),
                pa.field("rank", pa.uint64(), metadata=orders),
                ("key", pa.uint64()),  # this and `check` stand for all words
                ("check", pa.uint64()),
                ("short", pa.bool_()),  # without a shingle, and so without a signature
                pa.field("signature", pa.binary(4 * self.permutations), metadata=metadata),
            ]
        )

    def differs(self, path: str) -> str:
        """In what a file of signatures is of another kind: 'seed 1 and not 2'; empty if in nothing."""
        metadata = read_schema(path).field("signature").metadata or {}
        other = json.loads(metadata.get(b"minhash", b"{}"))
        return ", ".join(
            f"{what} {other.get(what)} and not {ours}"
            for what, ours in self.name.items()
            if other.get(what) != ours
        )


@dataclass(frozen=True)
class Signer:
    """Signs the documents of one dataset after another."""

    scheme: Scheme
    quality: str  # column of scores; empty for none

    def sign(self, item: tuple[Dataset, str, tuple[int, int, int]], output: Output) -> None:
        """Sign one shard (documents, name, orders); of the orders the first is for split "val".

        The second is for its other documents, and all of the step's are before the third.
        """
        documents, name, (first, order, end) = item
        writer = output.table(self.scheme.schema(first, end))
        by = minhash.permutations(self.scheme.permutations, self.scheme.seed)
        scores = [self.quality] if self.quality and self.quality in documents.schema.names else []
        for table in documents.batches(name, ["id", "split", "text", *scores]):
            found = words(table["text"])
            texts = digests(found, table["text"])
            val = pc.fill_null(pc.equal(table["split"], "val"), False).to_numpy()
            quality = np.zeros(len(val))
            if scores:
                quality = pc.fill_null(table[scores[0]].cast(pa.float64(), safe=False), 0.0).to_numpy()
            lengths = np.diff(found.offsets)
            ranks = numbering.ranks(np.where(val, first, order), quality, lengths, hash_text(table["id"]))
            signatures = self._signatures(found, by)
            columns = [table["id"], ranks, *texts.T, pc.is_null(signatures), signatures]
            writer.write(pa.table(columns, schema=writer.schema))
            output.tick(table.num_rows, table["text"].nbytes)

    def _signatures(self, found: Words, by: Permutations) -> pa.Array:
        """Little-endian, as fixed-size binary; null for a document without a shingle."""
        shingles = minhash.shingles(found, self.scheme.shingle)
        present = np.diff(shingles.offsets) > 0
        validity = pa.py_buffer(np.packbits(present, bitorder="little"))
        data = pa.py_buffer(np.ascontiguousarray(minhash.signatures(shingles, by), "<u4"))
        return pa.Array.from_buffers(pa.binary(4 * self.scheme.permutations), len(present), [validity, data])


class Shard(NamedTuple):
    """Where what is known of one shard's documents is."""

    documents: Dataset
    name: str
    signatures: str  # file
    states: str  # file; empty: all are kept
    shift: int  # to be added to the orders in its ranks

    @property
    def rows(self) -> int:
        """Its documents. No file of this step is asked: signatures of references are deleted at the end."""
        return count_rows(self.signatures) if self.states else self.documents.rows[self.name]


@dataclass(frozen=True)
class SignedFiles:
    """Signed documents in files."""

    numbering: Numbering
    scheme: Scheme
    shards: Sequence[Shard]

    def states(self, shard: int) -> NDArray[np.uint8]:
        """See Signed."""
        if not (path := self.shards[shard].states):
            return np.zeros(self.numbering.rows[shard], np.uint8)
        return np.concatenate([np.empty(0, np.uint8), *(t["state"].to_numpy() for t in read_batches(path))])

    def texts(self, shard: int) -> tuple[Numbers, Numbers, Numbers]:
        """See Signed."""
        table = _all_rows(self.shards[shard].signatures, ["key", "check", "rank"])
        ranks = numbering.moved(table["rank"].to_numpy(), self.shards[shard].shift)
        return table["key"].to_numpy(), table["check"].to_numpy(), ranks

    def bands(self, shard: int, bands: range) -> tuple[Rows, Numbers, Numbers]:
        """See Signed."""
        found = [(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty((0, len(bands)), np.uint64))]
        start = 0
        for table in read_batches(self.shards[shard].signatures, ["rank", "signature"]):
            long = np.flatnonzero(pc.is_valid(table["signature"]).to_numpy())
            keys = minhash.band_keys(signature_values(table["signature"])[long], self.scheme.rows, bands)
            found.append((start + long, table["rank"].to_numpy()[long], keys))
            start += table.num_rows
        rows, ranks, keys = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return rows, numbering.moved(ranks, self.shards[shard].shift), keys

    def sketches(self, shard: int, rows: Rows) -> NDArray[np.uint8]:
        """See Signed."""
        table = read_rows(self.shards[shard].signatures, rows, ["signature"])
        return signature_values(table["signature"]).astype(np.uint8)

    def shingles(self, shard: int, rows: Rows) -> Iterator[Shingles]:
        """See Signed."""
        documents, name, _, states, _ = self.shards[shard]
        if states:  # its shard holds only those that were kept
            rows = np.cumsum(self.states(shard) == KEPT)[rows] - 1
        for start in range(0, len(rows), CHUNK):
            texts = documents.take(name, rows[start : start + CHUNK], ["text"])["text"]
            yield minhash.sets(minhash.shingles(words(texts), self.scheme.shingle))

    def ids(self, shard: int, rows: Rows) -> pa.ChunkedArray:
        """See Signed."""
        return read_rows(self.shards[shard].signatures, rows, ["id"])["id"]

    def evidence(self, shard: int, rows: Rows) -> pa.Table:
        """See Signed."""
        return read_rows(self.shards[shard].states, rows, STATES.names)


def orders_in(path: str) -> tuple[int, int]:
    """(first, end) of the orders that the step gave which wrote this file of signatures."""
    metadata = read_schema(path).field("rank").metadata
    first, end = metadata[b"orders"].split()
    return int(first), int(end)


def recall_forgotten(ledgers: tuple[str, ...], output: Output) -> None:
    """The ids of documents that `pipeline forget` took out, by these ledgers."""
    writer = output.table(FORGOTTEN_IDS, group_rows=1 << 16)
    for path in ledgers:
        for table in read_batches(path, ["id", "reason"]):
            writer.write(table.filter(pc.equal(table["reason"], FORGOTTEN)).select(["id"]))


def recall_states(forgotten: str, item: tuple[Dataset, str, str], output: Output) -> None:
    """What became of the documents of one shard (step, name, file of signatures) in an earlier step.

    What went because of a document that is in the file `forgotten`, if there is one, is as if it were not
    there: nothing that stays is like it any more.
    """
    reference, name, signatures = item
    taken_out = _all_rows(forgotten, ["id"])["id"] if forgotten else pa.array([], pa.string())
    folder = reference.folders[0]
    kept = _all_rows(f"{folder}/shards/{name}.parquet", ["id"])
    gone = _all_rows(f"{folder}/rejected/{name}.parquet", ["id", "duplicate_of", "similarity", "reason"])
    gone = gone.filter(pc.fill_null(pc.starts_with(gone["reason"], "duplicate:"), False))
    gone = gone.filter(pc.invert(pc.is_in(gone["duplicate_of"], value_set=taken_out)))
    writer = output.table(STATES, group_rows=1 << 16)
    for table in read_batches(signatures, ["id"]):
        places = pc.index_in(table["id"], value_set=gone["id"])
        state = np.full(table.num_rows, ABSENT, np.uint8)
        state[pc.is_valid(places).to_numpy()] = GONE
        state[pc.is_in(table["id"], value_set=kept["id"]).to_numpy()] = KEPT
        told = gone.take(places)
        exact = pc.equal(told["reason"], "duplicate:exact")
        writer.write(pa.table([state, told["duplicate_of"], told["similarity"], exact], schema=STATES))


def _all_rows(path: str, columns: list[str]) -> pa.Table:
    return pa.concat_tables([read_schema(path).empty_table().select(columns), *read_batches(path, columns)])


def digests(found: Words, texts: pa.ChunkedArray) -> Numbers:
    """128 bits for each text, [texts, 2]: of its words or, where it has none, of its bytes."""
    known = minhash.digests(found)
    wordless = np.flatnonzero(np.diff(found.offsets) == 0)
    for row, text in zip(wordless, texts.take(pa.array(wordless)).to_pylist(), strict=True):
        known[row] = np.frombuffer(xxhash.xxh3_128_digest((text or "").encode()), "<u8")
    return known


def signature_values(column: pa.ChunkedArray) -> NDArray[np.uint32]:
    """Signatures [rows, permutations] from their column; what a null row holds means nothing."""
    return fixed_bytes(column).view("<u4")


def fixed_bytes(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """The bytes [rows, width] of fixed-size binary; what a null row holds means nothing."""
    values, width = column.combine_chunks(), column.type.byte_width
    data = np.frombuffer(values.buffers()[1], np.uint8)
    return data[values.offset * width :][: len(values) * width].reshape(len(values), width)
