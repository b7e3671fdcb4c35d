"""Keep one of many copies and near-copies, within and across datasets, and say why each of the others went.

A document goes only if one that is kept is similar to it at or above the threshold, checked on the pair
itself; the ledger names that document and the similarity. There is no transitive closure: of A ~ B ~ C with B
gone because of A, C stays unless it is similar to A or to another document that is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from classifiers.words import Words, words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.schema import REASON, unify, with_column
from pipeline.shards import read_batches
from pipeline.shuffle import exchange, merge, partitions_for, read_partition, scatter
from pipeline.stage import Job, Output, Stage
from stages import candidates, duplicate_report, minhash
from stages.candidates import DATASETS, KEY_BYTES, KEYS, PAIRS, RANK_CLASSES, Numbering
from stages.minhash import Permutations
from stages.resolve import Evidence, Resolution
from stages.verify import Verification, signature_column, signature_values

ADDED = pa.schema([("duplicate_of", pa.string()), ("similarity", pa.float32()), ("duplicates", pa.int32())])
MEMORY = 64 << 20  # bytes of keys in a task; it decides how many tasks there are, never what they find


@dataclass(frozen=True)
class Deduplicate(Stage):
    """Remove copies (of all words) and near-copies (MinHash-LSH, every pair verified), naming what stays.

    Of similar documents the first in this order stays: split "val" before all else; the datasets as they
    are listed; the one with more words; a hash of the words; shard name and row. Copies share the fate of the
    first of them. Adds `duplicate_of` and `similarity` (what a rejected document is a duplicate of, and how
    like) and `duplicates` (how many rejected documents name this one).

    Fields:
        near: remove near-copies too; false removes only documents of equal words
        threshold: the least Jaccard similarity of two sets of shingles at which one goes
        shingle: words in a shingle; a document of fewer words can only be a copy
        bands: groups of signature values; two documents are compared when they agree in a whole group
        rows: values in a group; similarity s is found with chance 1 - (1 - s^rows)^bands
        seed: chooses the permutations, as in datasketch
        max_removed: the run stops when a source of 100 documents or more loses a larger share than this
    """

    near: bool = True
    threshold: float = 0.8
    shingle: int = 5
    bands: int = 20
    rows: int = 6
    seed: int = 0
    max_removed: float = 0.9

    alarms: ClassVar[frozenset[str]] = frozenset({"max_removed"})

    def __post_init__(self) -> None:
        if not 0 <= self.max_removed <= 1:
            raise ValueError(f"max_removed = {self.max_removed} must lie between 0 and 1")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold = {self.threshold} must be above 0 and at most 1")
        for name in ("shingle", "bands", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 1")
        if not 0 <= self.seed < 1 << 32:
            raise ValueError(f"seed = {self.seed} must be at least 0 and below 2^32")

    def run(self, job: Job) -> None:
        """Sign the documents, pair them where keys meet, verify the pairs, resolve, mark the documents."""
        documents = job.inputs["documents"]
        numbering = _numbered(job.step, documents)
        shards, blocks, read = numbering.shards, numbering.blocks, documents.contents

        signed = tuple(job.map("signatures", partial(self.sign, documents, numbering), shards, read).values())
        partitions = partitions_for(KEY_BYTES * (self.bands + 1) * numbering.total, MEMORY)
        keys = exchange(job, "keys", partial(self.meet, signed, partitions), shards, partitions)
        buckets = {f"{partition:05d}": partition for partition in range(partitions)}
        pairs = exchange(job, "pairs", partial(self.pair, keys, numbering), buckets, len(blocks))

        verify = Verification(documents, numbering, signed, self.permutations, self.shingle, self.threshold)
        sent = exchange(job, "sent", partial(verify.send_signatures, pairs), blocks, len(blocks))
        estimated = tuple(job.map("estimated", partial(verify.estimate, sent), blocks).values())
        doubted = merge(job, "doubted", estimated, len(blocks))
        shingles = exchange(job, "shingles", partial(verify.send_shingles, doubted), blocks, len(blocks))
        similar = tuple(job.map("similar", partial(verify.settle, shingles, estimated), blocks).values())

        resolve = Resolution(numbering, signed)
        ranked = merge(job, "ranked", similar, RANK_CLASSES)
        kept = job.map("kept", resolve.keep, {"all": ranked})["all"]
        evidence = Evidence(kept, pairs, sent, similar)
        removed = exchange(job, "removed", partial(resolve.name, evidence), blocks, len(blocks))
        job.map("shards", partial(self.mark, documents, numbering, removed), shards, read)
        duplicate_report.write(job)

    def alarm(self, dataset: Dataset) -> str | None:
        """A source that is nearly gone."""
        return duplicate_report.alarm(dataset, self.max_removed)

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """What went, by source, language, domain; the largest groups."""
        return duplicate_report.summary(dataset)

    @property
    def permutations(self) -> int:
        """Values in a signature."""
        return self.bands * self.rows

    def sign(self, documents: Dataset, numbering: Numbering, shard: int, output: Output) -> None:
        """What each document of a shard is known by: id, rank, the key of its words, its signature."""
        writer = output.table(_signed(self.permutations))
        by = minhash.permutations(self.permutations, self.seed)
        for table in documents.batches(numbering.names[shard], ["id", "split", "text"]):
            found = words(table["text"])
            digests = _digests(found, table["text"])
            val = pc.fill_null(pc.equal(table["split"], "val"), False).to_numpy()
            ranks = candidates.ranks(val, numbering.datasets[shard], np.diff(found.offsets), digests)
            columns = [table["id"], ranks, candidates.exact_keys(digests), self.signatures(found, by)]
            writer.write(pa.table(columns, schema=writer.schema))

    def signatures(self, found: Words, by: Permutations) -> pa.Array:
        """A signature for each document that has a shingle, if near-copies are wanted."""
        if not self.near:
            return pa.nulls(len(found.offsets) - 1, pa.binary(4 * self.permutations))
        shingles = minhash.shingles(found, self.shingle)
        return signature_column(minhash.signatures(shingles, by), np.diff(shingles.offsets) > 0)

    def meet(self, signed: tuple[str, ...], partitions: int, shard: int, output: Output) -> None:
        """The keys under which documents of a shard may meet others: one of all words, one for each band."""
        tables, start = [KEYS.empty_table()], 0
        for table in read_batches(signed[shard], ["rank", "key", "signature"]):
            numbers = candidates.numbers(shard, start, table.num_rows)
            ranks = table["rank"].to_numpy()
            tables.append(pa.table([table["key"], numbers, ranks], schema=KEYS))
            long = pc.is_valid(table["signature"]).to_numpy()
            bands = minhash.band_keys(signature_values(table["signature"])[long], self.bands, self.rows)
            columns = [candidates.near_keys(bands), numbers[long], ranks[long]]
            spread = [columns[0].ravel(), *(column.repeat(self.bands) for column in columns[1:])]
            tables.append(pa.table(spread, schema=KEYS))
            start += table.num_rows
        keys = pa.concat_tables(tables)
        scatter(output, keys, candidates.key_partitions(keys["key"].to_numpy(), partitions))

    def pair(self, keys: tuple[str, ...], numbering: Numbering, partition: int, output: Output) -> None:
        """The documents that meet under the keys of a partition, two by two."""
        table = read_partition(keys, partition)
        firsts, seconds, copies = candidates.pair_up(*(table[name].to_numpy() for name in KEYS.names))
        scatter(output, pa.table([firsts, seconds, copies], schema=PAIRS), numbering.block_of(firsts))

    def mark(
        self, documents: Dataset, numbering: Numbering, removed: tuple[str, ...], shard: int, output: Output
    ) -> None:
        """Write the documents of a shard with what was decided."""
        decided = _decided(removed, numbering, shard)
        writer = output.documents(unify([documents.schema, ADDED], output.folder))
        start = 0
        for table in documents.batches(numbering.names[shard]):
            marks = decided.slice(start, table.num_rows)
            start += table.num_rows
            if "duplicates" in table.column_names:  # counted by an earlier step of this kind
                earlier = pc.fill_null(table["duplicates"], 0)
                marks = with_column(marks, "duplicates", pc.add(earlier, marks["duplicates"]))
            writer.write(
                reduce(lambda rows, name: with_column(rows, name, marks[name]), marks.column_names, table)
            )


def _numbered(step: str, documents: Dataset) -> Numbering:
    if len(documents.parts) > DATASETS:
        raise RecipeError(
            f"step '{step}': deduplicate puts at most {DATASETS} datasets in order, and here are "
            f"{len(documents.parts)}; join some of them in an earlier step"
        )
    if not documents.shards:
        raise InputError(f"{documents} has no shards; look at what its step read: pipeline status")
    return Numbering.of(documents)


def _signed(permutations: int) -> pa.Schema:
    return pa.schema(
        [
            ("id", pa.string()),
            ("rank", pa.uint64()),
            ("key", pa.uint64()),  # of all words
            ("signature", pa.binary(4 * permutations)),  # null: too short
        ]
    )


def _digests(found: Words, texts: pa.ChunkedArray) -> NDArray[np.uint64]:
    """128 bits for each text: of its words or, where it has none, of its bytes."""
    digests = minhash.digests(found)
    wordless = np.flatnonzero(np.diff(found.offsets) == 0)
    for row, text in zip(wordless, texts.take(pa.array(wordless)).to_pylist(), strict=True):
        digests[row] = np.frombuffer(xxhash.xxh3_128_digest((text or "").encode()), "<u8")
    return digests


def _decided(removed: tuple[str, ...], numbering: Numbering, shard: int) -> pa.Table:
    """The added columns and the reason for each document of a shard."""
    told = read_partition(removed, shard // numbering.width)
    numbers = told["document"].to_numpy()
    told = told.filter(pa.array(candidates.shard_of(numbers) == shard))
    rows = candidates.row_of(told["document"].to_numpy())
    goes = pc.is_valid(told["duplicate_of"]).to_numpy()
    place = np.full(numbering.rows[shard], -1)
    place[rows[goes]] = np.flatnonzero(goes)
    marks = told.take(pa.array(place, mask=place < 0))
    counts = np.bincount(rows[~goes], told["duplicates"].filter(pa.array(~goes)).to_numpy(), len(place))
    return pa.table(
        {
            "duplicate_of": marks["duplicate_of"],
            "similarity": marks["similarity"],
            "duplicates": counts.astype(np.int32),
            REASON: pc.if_else(marks["exact"], "duplicate:exact", "duplicate:near"),
        }
    )
