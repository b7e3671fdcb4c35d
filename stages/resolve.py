"""Which documents go, and because of which.

In order of precedence, a document goes if a kept one before it is similar to it: so nothing goes because of
something that went itself. The order needs one task, with one bit per document; all else is a task per block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from pipeline.shards import read_batches, read_rows
from pipeline.shuffle import partitions_of, read_partition, scatter
from pipeline.stage import Output
from stages.candidates import Numbering, by_shard
from stages.verify import read_similar

Numbers = NDArray[np.uint64]

KEPT = pa.schema([("kept", pa.uint8())])  # a bit for each document, the first in the lowest bit
REMOVAL = pa.schema(
    [
        ("document", pa.uint64()),
        ("named", pa.uint64()),  # the document that stays
        ("duplicate_of", pa.string()),  # its id
        ("similarity", pa.float32()),
        ("exact", pa.bool_()),
    ]
)
# What a block is told: which of its documents go (duplicate_of), or how many go because of one (duplicates).
DECISION = pa.schema(
    [
        ("document", pa.uint64()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("exact", pa.bool_()),
        ("duplicates", pa.int32()),
    ]
)


class Evidence(NamedTuple):
    """Files of the step, as the phases before wrote them."""

    kept: str  # a bit for each document
    pairs: tuple[str, ...]  # merged by the block of the first
    sent: tuple[str, ...]  # merged by the block of the second; with the ids of the firsts
    similar: tuple[str, ...]  # by block of the second


@dataclass(frozen=True)
class Resolution:
    """Two phases: keep, in one task; name, in a task per block."""

    numbering: Numbering
    signed: tuple[str, ...]  # the files of signatures, by shard: they hold the ids

    def keep(self, similar: Sequence[str], output: Output) -> None:
        """Stream the pairs in precedence of the second; write a bit per document, 1 where it stays."""
        kept = np.full(-(-self.numbering.total // 8), 0xFF, np.uint8)
        for _, tables in partitions_of(similar):
            pairs = pa.concat_tables(tables)
            seconds = pairs["second"].to_numpy()
            order = np.lexsort((seconds, pairs["second_rank"].to_numpy()))
            firsts = self.numbering.places(pairs["first"].to_numpy()[order])
            _clear(kept, firsts, self.numbering.places(seconds[order]))
        output.table(KEPT, group_rows=1 << 20).write(pa.table([kept], schema=KEPT))

    def name(self, files: Evidence, block: int, output: Output) -> None:
        """For each document of the block that goes, and for the copies of its documents: which one stays."""
        near = self._nearest(files, block)
        copies = read_partition(files.pairs, block, ["first", "second", "copy"])
        copies = copies.filter(copies["copy"])
        removals = pa.concat_tables([near, *self._copies(copies, near)])
        table = pa.concat_tables([removals, _tally(removals)], promote_options="default")
        blocks = self.numbering.block_of(table["document"].to_numpy())
        scatter(output, table.select(DECISION.names), blocks)

    def _nearest(self, files: Evidence, block: int) -> pa.Table:
        """REMOVAL rows, ascending by document: the most similar kept one of each second that has any."""
        tables = [KEPT.empty_table(), *read_batches(files.kept)]
        bits = pa.concat_tables(tables)["kept"].to_numpy()
        similar = read_similar(files.similar[block])
        places = self.numbering.places(similar["first"].to_numpy())
        similar = similar.filter(pa.array(bits[places >> 3] >> (places & 7).astype(np.uint8) & 1 == 1))
        firsts, seconds = similar["first"].to_numpy(), similar["second"].to_numpy()
        similarities = similar["similarity"].to_numpy()
        order = np.lexsort((firsts, similar["first_rank"].to_numpy(), -similarities, seconds))
        seconds, best = np.unique(seconds[order], return_index=True)
        best = order[best]
        sent = read_partition(files.sent, block, ["first", "id"]).sort_by("first")
        ids = sent["id"].take(pa.array(np.searchsorted(sent["first"].to_numpy(), firsts[best])))
        return _removals(seconds, firsts[best], ids, similarities[best], exact=False)

    def _copies(self, copies: pa.Table, near: pa.Table) -> Iterator[pa.Table]:
        """REMOVAL rows of copies: because of the first or, where that one goes, of what it goes for."""
        copies = copies.sort_by([("first", "ascending"), ("second", "ascending")])
        firsts, seconds = copies["first"].to_numpy(), copies["second"].to_numpy()
        gone = np.isin(firsts, near["document"].to_numpy())
        at = np.searchsorted(near["document"].to_numpy(), firsts[gone])
        yield near.take(pa.array(at)).set_column(0, "document", pa.array(seconds[gone]))
        firsts, seconds = firsts[~gone], seconds[~gone]
        distinct = np.unique(firsts)
        ids = [read_rows(self.signed[shard], rows, ["id"])["id"] for shard, rows in by_shard(distinct)]
        column = pa.chunked_array([chunk for each in ids for chunk in each.chunks], pa.string())
        column = column.take(pa.array(np.searchsorted(distinct, firsts)))
        yield _removals(seconds, firsts, column, np.ones(len(firsts), np.float32), exact=True)


def _removals(
    documents: Numbers, named: Numbers, ids: pa.ChunkedArray, similarities: NDArray[np.float32], exact: bool
) -> pa.Table:
    columns = [documents, named, ids, similarities, np.full(len(documents), exact)]
    return pa.table(columns, schema=REMOVAL)


def _tally(removals: pa.Table) -> pa.Table:
    """How often each document is named."""
    named, counts = np.unique(removals["named"].to_numpy(), return_counts=True)
    return pa.table({"document": named, "duplicates": counts.astype(np.int32)})


@kernel
def _clear(kept: NDArray[np.uint8], firsts: NDArray[np.int64], seconds: NDArray[np.int64]) -> None:
    """Clear the bit of each second that has a kept first; all that decides a first has come before."""
    for pair in range(len(firsts)):
        first, second = firsts[pair], seconds[pair]
        if kept[first >> 3] >> (first & 7) & 1:
            kept[second >> 3] &= ~(1 << (second & 7))
