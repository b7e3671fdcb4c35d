"""Which documents go, and because of which.

In order of precedence, a document goes if a kept one before it is similar to it: so nothing goes because of
something that went itself. The order needs one task, with one bit for each of the step's own documents; all
else is a task per block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.kernel import kernel
from pipeline.shards import read_rows
from pipeline.shuffle import read_partition, scatter, sorted_runs
from pipeline.stage import Output
from stages.numbering import Numbers, Rows, by_shard, numbered, row_of, shard_of
from stages.signed import GONE, Signed
from stages.verify import read_similar

BITS = pa.schema([("kept", pa.uint8())])  # a bit for each document, the first in the lowest bit
REMOVAL = pa.schema(
    [
        ("document", pa.uint64()),
        ("named", pa.uint64()),  # the document that stays
        ("duplicate_of", pa.string()),  # its id; null while not looked up
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
    copies: tuple[str, ...]  # merged by block
    similar: tuple[str, ...]  # by block of the second


@dataclass(frozen=True)
class Resolution:
    """Three phases: keep, in one task; decide and name, in a task per block."""

    signed: Signed

    def keep(self, similar: Sequence[str], output: Output) -> None:
        """Stream the pairs in precedence of the second; write a bit per own document, 1 where it stays."""
        numbering = self.signed.numbering
        kept = np.full(-(-(numbering.total - numbering.own_start) // 8), 0xFF, np.uint8)
        for pairs in sorted_runs(similar, ("second_rank", "second"), ["first"]):
            _resolve(kept, *(self._places(pairs[name].to_numpy()) for name in ("first", "second")))
        output.table(BITS, group_rows=1 << 20).write(pa.table([kept], schema=BITS))

    def decide(self, files: Evidence, block: int, output: Output) -> None:
        """For each document of the block that goes, and for the copies of its documents: which one stays."""
        near = self._nearest(files, block)
        removals = pa.concat_tables([near, *self._copies(files.copies, near, block)])
        output.count(removed=removals.num_rows)
        blocks = self.signed.numbering.block_of(removals["named"].to_numpy())
        scatter(output, removals, blocks)

    def name(self, removals: Sequence[str], block: int, output: Output) -> None:
        """Tell the blocks of what goes the ids of what stays; count how often each document is named."""
        table = read_partition(removals, block).drop_columns(["partition"])
        known = pc.is_valid(table["duplicate_of"])
        asked = table.filter(pc.invert(known))
        named = asked["named"].to_numpy()
        distinct, counts = np.unique(named, return_counts=True)
        ids = [self.signed.ids(shard, rows) for shard, rows in by_shard(distinct)]
        column = pa.chunked_array([chunk for each in ids for chunk in each.chunks], pa.string())
        column = column.take(pa.array(np.searchsorted(distinct, named)))
        told = asked.set_column(2, "duplicate_of", column)
        own = ~self.signed.numbering.is_reference(distinct)
        tally = pa.table({"document": distinct[own], "duplicates": counts[own].astype(np.int32)})
        decisions = pa.concat_tables([told, table.filter(known), tally], promote_options="default")
        blocks = self.signed.numbering.block_of(decisions["document"].to_numpy())
        scatter(output, decisions.select(DECISION.names), blocks)

    def _nearest(self, files: Evidence, block: int) -> pa.Table:
        """REMOVAL rows, ascending by document: the most similar kept one of each second that has any."""
        similar = read_similar([files.similar[block]])
        similar = similar.filter(pa.array(self._stays(files.kept, similar["first"].to_numpy())))
        columns = ("first", "second", "first_rank", "similarity")
        firsts, seconds, ranks, similarities = (similar[name].to_numpy() for name in columns)
        order = np.lexsort((firsts, ranks, -similarities, seconds))
        seconds, best = np.unique(seconds[order], return_index=True)
        best = order[best]
        return _removals(seconds, firsts[best], similarities[best], exact=False)

    def _stays(self, kept: str, documents: Numbers) -> NDArray[np.bool_]:
        """Which documents stay: of references all, because those that went were never sent."""
        places = self._places(documents)
        stays = places < 0
        at, byte_of = np.unique(places[~stays] >> 3, return_inverse=True)
        bits = read_rows(kept, at, ["kept"])["kept"].to_numpy()[byte_of]
        stays[~stays] = bits >> (places[~stays] & 7).astype(np.uint8) & 1 == 1
        return stays

    def _places(self, documents: Numbers) -> Rows:
        """Place of each among the step's own documents; below 0 for references."""
        return self.signed.numbering.places(documents) - self.signed.numbering.own_start

    def _copies(self, files: Sequence[str], near: pa.Table, block: int) -> Iterator[pa.Table]:
        """REMOVAL rows of copies: because of the first or, where that one goes, of what it goes for."""
        copies = read_partition(files, block)
        copies = copies.filter(pc.invert(copies["told"])).sort_by(
            [("first", "ascending"), ("second", "ascending")]
        )
        firsts, seconds = copies["first"].to_numpy(), copies["second"].to_numpy()
        own = ~self.signed.numbering.is_reference(seconds)
        firsts, seconds = firsts[own], seconds[own]
        gone = np.isin(firsts, near["document"].to_numpy())
        at = np.searchsorted(near["document"].to_numpy(), firsts[gone])
        yield near.take(pa.array(at)).set_column(0, "document", pa.array(seconds[gone]))
        before = np.isin(firsts, self._gone_before(np.unique(firsts)))
        yield self._recalled(firsts[before], seconds[before])
        rest = ~gone & ~before
        yield _removals(seconds[rest], firsts[rest], np.ones(rest.sum(), np.float32), exact=True)

    def _gone_before(self, firsts: Numbers) -> Numbers:
        """Those of ascending documents that an earlier step removed."""
        found = [np.empty(0, np.uint64)]
        for shard, rows in by_shard(firsts):
            found.append(numbered(shard, rows[self.signed.states(shard)[rows] == GONE]))
        return np.concatenate(found)

    def _recalled(self, firsts: Numbers, seconds: Numbers) -> pa.Table:
        """REMOVAL rows of copies of what an earlier step removed: because of what that was removed for."""
        tables = [REMOVAL.empty_table()]
        for shard in np.unique(shard_of(firsts)).tolist():
            here = shard_of(firsts) == shard
            rows, places = np.unique(row_of(firsts[here]), return_inverse=True)
            told = self.signed.evidence(shard, rows).take(pa.array(places))
            columns = [seconds[here], firsts[here], told["duplicate_of"], told["similarity"], told["exact"]]
            tables.append(pa.table(columns, schema=REMOVAL))
        return pa.concat_tables(tables)


def _removals(documents: Numbers, named: Numbers, similarities: NDArray[np.float32], exact: bool) -> pa.Table:
    ids = pa.nulls(len(documents), pa.string())
    return pa.table([documents, named, ids, similarities, np.full(len(documents), exact)], schema=REMOVAL)


@kernel
def _resolve(kept: NDArray[np.uint8], firsts: Rows, seconds: Rows) -> None:
    """Clear the bit of each second that has a kept first; all that decides a first has come before."""
    for pair in range(len(firsts)):
        first, second = firsts[pair], seconds[pair]
        if first < 0 or kept[first >> 3] >> (first & 7) & 1:
            kept[second >> 3] &= ~(1 << (second & 7))
