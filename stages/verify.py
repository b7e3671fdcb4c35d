"""Candidate pairs are checked: on sketches of their signatures and, where those leave doubt, on the texts.

The two documents of a pair may lie far apart. What is known of the first is sent to the block of the second,
once for each block, and meets the second there. So every file is read in order, and a task holds no more than
what concerns the documents of one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.shards import read_batches
from pipeline.shuffle import GROUP_ROWS, PARTITION, read_partition, scatter, stream_partition
from pipeline.stage import Output
from stages import minhash
from stages.candidates import unique_pairs
from stages.minhash import Shingles
from stages.numbering import Numbers, Rows, by_shard, lengths_of
from stages.signed import KEPT, Signed, fixed_bytes

ERRORS = 3  # standard errors from the threshold within which an estimate is not believed
RUN_ROWS = 4_096  # in a row group of what is merged by rank
_ROWS = 256  # sent rows that are put together at once

SIMILAR = pa.schema(
    [
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("first_rank", pa.uint64()),
        ("second_rank", pa.uint64()),
        ("similarity", pa.float32()),  # null while in doubt
    ]
)
CERTAIN = "certain"  # the part with the pairs that need no text


@dataclass(frozen=True)
class Verification:
    """Phases of a task per block: sketches sent, pairs estimated; shingles sent, pairs settled; sorted."""

    signed: Signed
    threshold: float

    def send_sketches(self, pairs: Sequence[str], block: int, output: Output) -> None:
        """The sketch and rank of each first that may be named to the blocks of its seconds."""
        table = read_partition(pairs, block)
        firsts, seconds = unique_pairs(table["first"].to_numpy(), table["second"].to_numpy())
        may = self._kept(firsts)
        firsts, seconds = firsts[may], seconds[may]
        output.count(candidates=len(firsts))
        distinct = np.unique(firsts)
        values, width = self._sketches(distinct), pa.binary(self.signed.scheme.permutations)
        column = pa.Array.from_buffers(width, len(values), [None, pa.py_buffer(values)])
        known = pa.table({"rank": pa.array(self._ranks(distinct)), "sketch": column})
        self._send(firsts, seconds, known, output)

    def estimate(self, sent: Sequence[str], block: int, output: Output) -> None:
        """Keep the pairs that may be similar: apart those that are (CERTAIN), and those in doubt."""
        own = _seconds(sent, block)
        sketches, ranks = self._sketches(own), self._ranks(own)
        error = ERRORS * minhash.standard_error(self.threshold, self.signed.scheme.permutations)
        similar = [SIMILAR.empty_table()]
        for table in stream_partition(sent, block):
            theirs, parents, seconds = fixed_bytes(table["sketch"]), *_pairs(table)
            places = np.searchsorted(own, seconds)
            estimates = minhash.estimates(theirs, parents, sketches, places)
            likely = estimates >= self.threshold - error
            parents, places, estimates = parents[likely], places[likely], estimates[likely]
            columns = [
                table["first"].to_numpy()[parents],
                seconds[likely],
                table["rank"].to_numpy()[parents],
                ranks[places],
                pa.array(estimates.astype(np.float32), mask=estimates <= self.threshold + error),
            ]
            similar.append(pa.table(columns, schema=SIMILAR))
        pairs = pa.concat_tables(similar)
        doubted = pc.is_null(pairs["similarity"])
        output.table(SIMILAR, part=CERTAIN).write(pairs.filter(pc.invert(doubted)))
        pairs = pairs.filter(doubted)
        output.count(doubts=pairs.num_rows)
        scatter(output, pairs, self.signed.numbering.block_of(pairs["first"].to_numpy()))

    def plan_waves(self, doubted: Sequence[str], limit: int, blocks: range, output: Output) -> None:
        """Blocks of firsts by wave: as many at once as send at most `limit` bytes of shingles."""
        waves, wave, held = [], 0, 0
        for block in blocks:
            ranks = read_partition(doubted, block, ["first_rank"])["first_rank"].to_numpy()
            size = 8 * int(lengths_of(np.unique(ranks)).sum())
            if held and held + size > limit:
                wave, held = wave + 1, 0
            held += size
            waves.append(wave)
        schema = pa.schema([("wave", pa.int64())])
        output.table(schema).write(pa.table([pa.array(waves, pa.int64())], schema=schema))

    def send_shingles(self, doubted: Sequence[str], block: int, output: Output) -> None:
        """The shingles and rank of each first of a pair in doubt to the blocks of its seconds."""
        table = read_partition(doubted, block)
        distinct, at = np.unique(table["first"].to_numpy(), return_index=True)
        shingles = self._shingles(distinct)
        known = {
            "rank": table["first_rank"].take(pa.array(at)),
            "shingles": pa.ListArray.from_arrays(shingles.offsets.astype(np.int32), shingles.hashes),
        }
        firsts, seconds = unique_pairs(table["first"].to_numpy(), table["second"].to_numpy())
        self._send(firsts, seconds, pa.table(known), output)

    def settle(self, sent: Sequence[str], block: int, output: Output) -> None:
        """Compute the similarity of the pairs in doubt whose shingles have come; keep the similar ones."""
        seconds = _seconds(sent, block)
        own, ranks = self._shingles(seconds), self._ranks(seconds)
        writer = output.table(SIMILAR)
        for table in stream_partition(sent, block):
            theirs, parents, numbers = _shingle_values(table["shingles"]), *_pairs(table)
            places = np.searchsorted(seconds, numbers)
            found = minhash.jaccards(theirs, parents, own, places)
            firsts, first_ranks = (table[name].to_numpy()[parents] for name in ("first", "rank"))
            columns = [firsts, numbers, first_ranks, ranks[places], found.astype(np.float32)]
            rows = pa.table(columns, schema=SIMILAR)
            writer.write(rows.filter(pa.array(found >= self.threshold)))

    def sort(self, files: Sequence[str], output: Output) -> None:
        """All similar pairs of a block in one file, in precedence of the second."""
        table = read_similar(files)
        order = np.lexsort([table[name].to_numpy() for name in ("first", "second", "second_rank")])
        output.count(similar=table.num_rows)
        output.table(SIMILAR, group_rows=RUN_ROWS).write(table.take(pa.array(order)))

    def _send(self, firsts: Numbers, seconds: Numbers, known: pa.Table, output: Output) -> None:
        """Write what is `known` of each distinct first, ascending, to the blocks of its seconds."""
        blocks = self.signed.numbering.block_of(seconds)
        order = np.lexsort((seconds, firsts, blocks))
        firsts, seconds, blocks = firsts[order], seconds[order], blocks[order]
        new = np.ones(len(firsts), np.bool_)
        new[1:] = (firsts[1:] != firsts[:-1]) | (blocks[1:] != blocks[:-1])
        bounds = np.append(np.flatnonzero(new), len(firsts))
        places = np.searchsorted(np.unique(firsts), firsts[bounds[:-1]])
        fields = [("first", pa.uint64()), ("seconds", pa.list_(pa.uint64())), *known.schema]
        schema = pa.schema([*fields, (PARTITION, pa.uint32())])
        writer = output.table(schema, group_rows=GROUP_ROWS)
        for start in range(0, len(places), _ROWS):
            edges = bounds[start : start + _ROWS + 1]
            lists = pa.ListArray.from_arrays(
                (edges - edges[0]).astype(np.int32), seconds[edges[0] : edges[-1]]
            )
            rows = known.take(pa.array(places[start : start + _ROWS]))
            columns = [firsts[edges[:-1]], lists, *rows.columns, blocks[edges[:-1]]]
            writer.write(pa.table(columns, schema=schema))

    def _kept(self, firsts: Numbers) -> NDArray[np.bool_]:
        """Which of ascending documents may be named: all but those of references that went themselves."""
        kept = [self.signed.states(shard)[rows] == KEPT for shard, rows in by_shard(firsts)]
        return np.concatenate([np.empty(0, np.bool_), *kept])

    def _sketches(self, numbers: Numbers) -> NDArray[np.uint8]:
        """Those of ascending documents, [documents, permutations]."""
        found = [self.signed.sketches(shard, rows) for shard, rows in by_shard(numbers)]
        return np.concatenate([np.empty((0, self.signed.scheme.permutations), np.uint8), *found])

    def _ranks(self, numbers: Numbers) -> Numbers:
        ranks = [self.signed.texts(shard)[2][rows] for shard, rows in by_shard(numbers)]
        return np.concatenate([np.empty(0, np.uint64), *ranks])

    def _shingles(self, numbers: Numbers) -> Shingles:
        """The sets of shingles of ascending documents."""
        found = [each for shard, rows in by_shard(numbers) for each in self.signed.shingles(shard, rows)]
        sizes = np.concatenate([np.empty(0, np.int64), *(np.diff(each.offsets) for each in found)])
        hashes = np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in found)])
        return Shingles(hashes, np.append(0, np.cumsum(sizes)))


def read_similar(files: Sequence[str]) -> pa.Table:
    """All pairs of some files of SIMILAR rows."""
    tables = (table for path in files for table in read_batches(path, SIMILAR.names))
    return pa.concat_tables([SIMILAR.empty_table(), *tables])


def _seconds(sent: Sequence[str], block: int) -> Numbers:
    """The distinct seconds of pairs that a block was sent, ascending."""
    found = np.empty(0, np.uint64)
    for table in stream_partition(sent, block, ["seconds"]):
        found = np.union1d(found, table["seconds"].combine_chunks().flatten().to_numpy())
    return found


def _shingle_values(column: pa.ChunkedArray) -> Shingles:
    values = column.combine_chunks()
    return Shingles(values.flatten().to_numpy(), np.append(0, np.cumsum(values.value_lengths().to_numpy())))


def _pairs(table: pa.Table) -> tuple[Rows, Numbers]:
    """(row of the first, number of the second) for each pair."""
    lists = table["seconds"].combine_chunks()
    return np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy()), lists.flatten().to_numpy()
