"""Candidate pairs are checked: on their signatures and, where those leave doubt, on the texts themselves.

The two documents of a pair may lie far apart. What is known of the first is sent to the block of the second,
once for each block, and meets the second there. So every file is read in order, and a task holds no more than
what concerns the documents of one block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.shards import read_batches, read_rows, read_schema
from pipeline.shuffle import PARTITION, read_partition, scatter, stream_partition
from pipeline.stage import Output
from stages import minhash
from stages.candidates import Numbering, by_shard, rank_classes, unique_pairs
from stages.minhash import Shingles

ERRORS = 3  # standard errors from the threshold within which an estimate is not believed
_CHUNK = 256  # documents whose shingles or texts are handled at once

Numbers = NDArray[np.uint64]

SIMILAR = pa.schema(
    [
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("first_rank", pa.uint64()),
        ("second_rank", pa.uint64()),
        ("similarity", pa.float32()),  # null while in doubt
    ]
)


@dataclass(frozen=True)
class Verification:
    """Four phases of a task per block: signatures are sent, pairs estimated; shingles sent, pairs settled."""

    documents: Dataset
    numbering: Numbering
    signed: tuple[str, ...]  # the files of signatures, by shard
    permutations: int
    shingle: int
    threshold: float

    def send_signatures(self, pairs: Sequence[str], block: int, output: Output) -> None:
        """The signature, rank and id of each first to the blocks of its seconds."""
        table = read_partition(pairs, block)
        table = table.filter(pc.invert(table["copy"]))
        firsts, seconds = unique_pairs(table["first"].to_numpy(), table["second"].to_numpy())
        output.count(candidates=len(firsts))
        columns = ["id", "rank", "signature"]
        known = [read_rows(self.signed[shard], rows, columns) for shard, rows in by_shard(np.unique(firsts))]
        empty = read_schema(self.signed[0]).empty_table().select(columns)
        self._send(firsts, seconds, pa.concat_tables([empty, *known]), output)

    def estimate(self, sent: Sequence[str], block: int, output: Output) -> None:
        """Keep the pairs that may be similar; the similarity is null where the estimate leaves doubt."""
        signatures, ranks = self._signatures(block)
        start = self.numbering.starts[self.numbering.shards_of(block)[0]]
        error = ERRORS * minhash.standard_error(self.threshold, self.permutations)
        similar = [SIMILAR.empty_table()]
        for table in stream_partition(sent, block):
            theirs, parents, seconds = signature_values(table["signature"]), *_pairs(table)
            places = self.numbering.places(seconds) - start
            estimates = minhash.estimates(theirs, parents, signatures, places)
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
        output.count(doubts=pairs["similarity"].null_count)
        scatter(output, pairs, self.numbering.block_of(pairs["first"].to_numpy()))

    def send_shingles(self, estimated: Sequence[str], block: int, output: Output) -> None:
        """The shingles of each first of a pair in doubt to the blocks of its seconds."""
        table = read_partition(estimated, block)
        table = table.filter(pc.is_null(table["similarity"]))
        firsts, seconds = unique_pairs(table["first"].to_numpy(), table["second"].to_numpy())
        shingles = self._shingles(np.unique(firsts))
        column = pa.ListArray.from_arrays(shingles.offsets.astype(np.int32), shingles.hashes)
        self._send(firsts, seconds, pa.table({"shingles": column}), output)

    def settle(self, sent: Sequence[str], estimated: Sequence[str], block: int, output: Output) -> None:
        """Compute the similarity of the pairs in doubt, and keep those above the threshold."""
        similar = read_similar(estimated[block])
        doubted = similar.filter(pc.is_null(similar["similarity"]))
        settled = self._settled(sent, block, np.unique(doubted["second"].to_numpy()))
        doubted = doubted.sort_by([("first", "ascending"), ("second", "ascending")])
        doubted = doubted.set_column(4, SIMILAR.field(4), pa.array(settled.astype(np.float32)))
        pairs = pa.concat_tables(
            [similar.filter(pc.is_valid(similar["similarity"])), doubted.filter(settled >= self.threshold)]
        )
        output.count(similar=pairs.num_rows)
        scatter(output, pairs, rank_classes(pairs["second_rank"].to_numpy()))

    def _settled(self, sent: Sequence[str], block: int, seconds: Numbers) -> NDArray[np.float64]:
        """Exact similarities of the pairs in doubt, by first and then by second."""
        own = self._shingles(seconds)
        firsts, others, similarities = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)], [np.empty(0)]
        for table in stream_partition(sent, block):
            parents, numbers = _pairs(table)
            theirs = _shingle_values(table["shingles"])
            similarities.append(minhash.jaccards(theirs, parents, own, np.searchsorted(seconds, numbers)))
            firsts.append(table["first"].to_numpy()[parents])
            others.append(numbers)
        order = np.lexsort((np.concatenate(others), np.concatenate(firsts)))
        return np.concatenate(similarities)[order]

    def _send(self, firsts: Numbers, seconds: Numbers, known: pa.Table, output: Output) -> None:
        """Write what is `known` of each distinct first, ascending, to the blocks of its seconds."""
        blocks = self.numbering.block_of(seconds)
        order = np.lexsort((seconds, firsts, blocks))
        firsts, seconds, blocks = firsts[order], seconds[order], blocks[order]
        new = np.ones(len(firsts), np.bool_)
        new[1:] = (firsts[1:] != firsts[:-1]) | (blocks[1:] != blocks[:-1])
        bounds = np.append(np.flatnonzero(new), len(firsts))
        places = np.searchsorted(np.unique(firsts), firsts[bounds[:-1]])
        fields = [("first", pa.uint64()), ("seconds", pa.list_(pa.uint64())), *known.schema]
        schema = pa.schema([*fields, (PARTITION, pa.uint32())])
        writer = output.table(schema)
        for start in range(0, len(places), _CHUNK):
            edges = bounds[start : start + _CHUNK + 1]
            lists = pa.ListArray.from_arrays(
                (edges - edges[0]).astype(np.int32), seconds[edges[0] : edges[-1]]
            )
            rows = known.take(pa.array(places[start : start + _CHUNK]))
            columns = [firsts[edges[:-1]], lists, *rows.columns, blocks[edges[:-1]]]
            writer.write(pa.table(columns, schema=schema))

    def _signatures(self, block: int) -> tuple[NDArray[np.uint32], Numbers]:
        """Signatures [documents, permutations] and ranks of all documents of a block."""
        paths = (self.signed[shard] for shard in self.numbering.shards_of(block))
        tables = [table for path in paths for table in read_batches(path, ["signature", "rank"])]
        signatures = [np.empty((0, self.permutations), np.uint32)]
        signatures += [signature_values(table["signature"]) for table in tables]
        ranks = [np.empty(0, np.uint64), *(table["rank"].to_numpy() for table in tables)]
        return np.concatenate(signatures), np.concatenate(ranks)

    def _shingles(self, numbers: Numbers) -> Shingles:
        """The sets of shingles of ascending documents."""
        found = [minhash.sets(minhash.shingles(words(texts), self.shingle)) for texts in self._texts(numbers)]
        sizes = np.concatenate([np.empty(0, np.int64), *(np.diff(each.offsets) for each in found)])
        hashes = np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in found)])
        return Shingles(hashes, np.append(0, np.cumsum(sizes)))

    def _texts(self, numbers: Numbers) -> Iterator[pa.ChunkedArray]:
        """The texts of ascending documents, a few at a time."""
        for shard, rows in by_shard(numbers):
            for start in range(0, len(rows), _CHUNK):
                name = self.numbering.names[shard]
                yield self.documents.take(name, rows[start : start + _CHUNK], ["text"])["text"]


def signature_column(signatures: NDArray[np.uint32], present: NDArray[np.bool_]) -> pa.Array:
    """Signatures as fixed-size binary, little-endian; null where not present."""
    rows, count = signatures.shape
    validity = pa.py_buffer(np.packbits(present, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(signatures, "<u4"))
    return pa.Array.from_buffers(pa.binary(4 * count), rows, [validity, data])


def read_similar(path: str) -> pa.Table:
    """All pairs of a file of SIMILAR rows."""
    return pa.concat_tables([SIMILAR.empty_table(), *read_batches(path, SIMILAR.names)])


def signature_values(column: pa.ChunkedArray) -> NDArray[np.uint32]:
    """Signatures [rows, permutations] from their column; what a null row holds means nothing."""
    values = column.combine_chunks()
    width = column.type.byte_width
    data = np.frombuffer(values.buffers()[1], np.uint8)[values.offset * width :][: len(values) * width]
    return data.view("<u4").reshape(len(values), width // 4)


def _shingle_values(column: pa.ChunkedArray) -> Shingles:
    values = column.combine_chunks()
    return Shingles(values.flatten().to_numpy(), np.append(0, np.cumsum(values.value_lengths().to_numpy())))


def _pairs(table: pa.Table) -> tuple[NDArray[np.int64], Numbers]:
    """(row of the first, number of the second) for each pair."""
    lists = table["seconds"].combine_chunks()
    return np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy()), lists.flatten().to_numpy()
