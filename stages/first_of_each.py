"""Of the documents that share a key, the first in an order stays; the others are told which one that is.

Each shard sends one row a key, that of its own first document, with the number of the others. So a key of a
million documents costs a row for each shard, and no pair is ever made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.schema import REASON, unify, with_column
from pipeline.shards import read_batches
from pipeline.shuffle import exchange, key_partitions, read_partition
from pipeline.stage import Job, Output
from stages.delivery import SHARD, Budget, Shards, deliver, found_in, told
from stages.numbering import numbered, shard_of

Digests = NDArray[np.uint64]  # [documents, 2]

DIGESTS = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("keyed", pa.bool_())])
CANDIDATES = pa.schema(
    [
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("first", pa.int64()),  # the order: by this, then by the next, then by id
        ("second", pa.float64()),
        ("id", pa.string()),
        ("number", pa.uint64()),  # where the document is
        ("documents", pa.int64()),  # of this key
    ]
)
ROW_BYTES = 500  # of a candidate while its partition is sorted, at most
_ORDER = ("high", "low", "first", "second", "id", "number")


class Sorted(NamedTuple):
    """What decides which documents are one, and which of them stays; a row each."""

    digests: Digests  # of the key
    keyed: NDArray[np.bool_]  # whether it has a key; without one it stays
    first: NDArray[np.int64]  # the least stays, …
    second: NDArray[np.float64]  # … and of equal ones the least of these


class Choice(Protocol):
    """What the documents of a step are sorted by."""

    @property
    def reads(self) -> Sequence[str]:
        """The columns that `sort` looks at, and `id`."""

    def sort(self, documents: pa.Table, place: int, output: Output) -> Sorted:
        """Keys and order of some documents of the dataset at `place`."""


class Names(NamedTuple):
    """What is written of the decisions."""

    named: str  # column of a rejected document: the id of the one that stays
    tally: str  # column of the one that stays: how many went because of it
    reason: str


@dataclass(frozen=True)
class FirstOfEach:
    """Four phases: candidates of each shard by key, the first of each key, to their shards, marked there."""

    documents: Dataset
    choice: Choice
    names: Names
    memory: int  # megabytes

    def run(self, job: Job) -> None:
        """Fill the job's folder."""
        shards = Shards.of(self.documents)
        sizes = [self.documents.rows[name] for name in shards.names]
        budget = Budget(self.memory, ROW_BYTES)
        partitions, blocks = budget.partitions(sum(sizes)), budget.blocks(sizes)
        send = partial(self.send, shards, budget, partitions)
        sent = exchange(job, "candidates", send, shards.items, partitions)
        keys = {f"{partition:05d}": partition for partition in range(partitions)}
        found = deliver(job, "firsts", partial(self.choose, sent, budget, blocks), keys, blocks)
        job.discard("candidates-merged")
        mark = partial(self.mark, shards, partial(told, found, blocks))
        job.map("shards", mark, shards.items, self.documents.contents)
        job.discard("digests", "firsts-told")

    def send(self, shards: Shards, budget: Budget, partitions: int, shard: int, output: Output) -> None:
        """The first document of each key of a shard; and beside them the key of every document."""
        digests = output.table(DIGESTS, part="digests")
        tables, start = [CANDIDATES.empty_table()], 0
        for table in self.documents.batches(shards.names[shard], self.choice.reads):
            ordered = self.choice.sort(table, shards.datasets[shard], output)
            high, low = ordered.digests.T
            digests.write(pa.table([high, low, ordered.keyed], schema=DIGESTS))
            numbers = numbered(shard, np.arange(start, start + table.num_rows))
            ones = np.ones(table.num_rows, np.int64)
            columns = [high, low, ordered.first, ordered.second, table["id"], numbers, ones]
            tables.append(pa.table(columns, schema=CANDIDATES).filter(pa.array(ordered.keyed)))
            start += table.num_rows
            output.tick(table.num_rows, 0)
        candidates, _ = firsts(pa.concat_tables(tables))
        output.count(candidates=candidates.num_rows)
        budget.scatter(output, candidates, key_partitions(candidates["high"].to_numpy(), partitions))

    def choose(
        self, sent: Sequence[str], budget: Budget, blocks: NDArray[np.uint32], partition: int, output: Output
    ) -> None:
        """For each shard with documents of a shared key: which one stays, and how many others there are."""
        candidates = read_partition(sent, partition, CANDIDATES.names)
        chosen, groups = firsts(candidates)
        counts = chosen["documents"].to_numpy()[groups]
        shared = np.flatnonzero(counts > 1)
        shards = shard_of(candidates["number"].to_numpy()[shared]).astype(np.uint32)
        best = chosen.take(pa.array(groups[shared])).select(["high", "low", "id", "number"])
        best = best.append_column("others", pa.array(counts[shared] - 1))
        budget.scatter(output, best.append_column(SHARD, pa.array(shards)), blocks[shards])

    def mark(self, shards: Shards, told_to: partial[pa.Table], shard: int, output: Output) -> None:
        """Write the documents of a shard with what was decided."""
        name = shards.names[shard]
        decided = told_to(shard).sort_by("high")
        added = pa.schema([(self.names.named, pa.string()), (self.names.tally, pa.int64())])
        writer = output.documents(unify([self.documents.schema, added], output.folder))
        digests = pa.concat_tables(
            [DIGESTS.empty_table(), *read_batches(f"{output.folder}/digests/{name}.parquet", DIGESTS.names)]
        )
        start = 0
        for table in self.documents.batches(name):
            numbers = numbered(shard, np.arange(start, start + table.num_rows))
            marks = self._marks(digests.slice(start, table.num_rows), numbers, decided)
            start += table.num_rows
            if self.names.tally in table.column_names:  # counted by an earlier step of this kind
                earlier = pc.fill_null(table[self.names.tally], 0)
                marks = with_column(marks, self.names.tally, pc.add(earlier, marks[self.names.tally]))
            writer.write(
                reduce(lambda rows, name: with_column(rows, name, marks[name]), marks.column_names, table)
            )

    def _marks(self, digests: pa.Table, numbers: NDArray[np.uint64], decided: pa.Table) -> pa.Table:
        """The added columns and the reason, for documents with these keys and numbers."""
        found, at = found_in(decided["high"].to_numpy(), digests["high"].to_numpy())
        found &= digests["keyed"].to_numpy()
        found[found] = decided["low"].to_numpy()[at[found]] == digests["low"].to_numpy()[found]
        stays = found.copy()
        stays[found] = decided["number"].to_numpy()[at[found]] == numbers[found]
        marks = decided.take(pa.array(at, mask=~found))
        goes = pa.array(found & ~stays)
        nothing = pa.scalar(None, pa.string())
        return pa.table(
            {
                self.names.named: pc.if_else(goes, marks["id"], nothing),
                self.names.tally: pc.if_else(pa.array(stays), marks["others"], 0),
                REASON: pc.if_else(goes, self.names.reason, nothing),
            }
        )


def firsts(candidates: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """The first candidate of each key, with the documents of all; and for each candidate the row of that."""
    high = candidates["high"].to_numpy()
    by_key = np.argsort(high, kind="stable")
    equal = high[by_key][1:] == high[by_key][:-1]
    alone = np.ones(len(high), np.bool_)
    alone[by_key[1:]] &= ~equal
    alone[by_key[:-1]] &= ~equal
    # Most keys have one document, and only the others are worth to be sorted by strings.
    rows = np.flatnonzero(~alone)
    together = candidates.take(pa.array(rows))
    order = pc.sort_indices(together, [(name, "ascending") for name in _ORDER]).to_numpy()
    ordered = together.take(pa.array(order))
    keys = np.stack([ordered[name].to_numpy() for name in ("high", "low")])
    new = np.ones(len(rows), np.bool_)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    starts = np.flatnonzero(new)
    documents = ordered["documents"].to_numpy()
    sums = np.add.reduceat(documents, starts) if len(starts) else documents
    best = with_column(ordered.take(pa.array(starts)), "documents", pa.array(sums, pa.int64()))
    singles = candidates.filter(pa.array(alone))
    groups = np.empty(len(high), np.int64)
    groups[alone] = np.arange(singles.num_rows)
    groups[rows[order]] = singles.num_rows + np.cumsum(new) - 1
    return pa.concat_tables([singles, best]), groups
