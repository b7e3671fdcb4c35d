"""Which documents to compare: copies with the first of them, others where keys of their signatures meet.

Documents of equal words are found first; the first of them in precedence stands for all. What is left is
paired in buckets of equal keys: each member with the first HEADS of its bucket. So a bucket costs what it has
members, a document that comes later changes nothing for those before it, and the pairs given up are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from pipeline.shuffle import key_partitions, read_partition, scatter
from pipeline.stage import Output
from stages.numbering import Numbers, Rows, numbered, row_of, shard_of
from stages.signed import ABSENT, GONE, Signed

HEADS = 8  # members of a bucket that all others are compared with
COMMON = 1_000  # members from which a bucket is reported
REPORTED = 20  # such buckets, of one task and of all

TEXTS = pa.schema(
    [
        ("key", pa.uint64()),
        ("check", pa.uint64()),
        ("number", pa.uint64()),
        ("rank", pa.uint64()),
        ("gone", pa.bool_()),  # removed by an earlier step
    ]
)
KEYS = pa.schema([("key", pa.uint64()), ("number", pa.uint64()), ("rank", pa.uint64())])
PAIRS = pa.schema([("first", pa.uint64()), ("second", pa.uint64())])
COPIES = pa.schema(
    [*PAIRS, ("told", pa.bool_())]
)  # a row for the block of the copy (told), one for its first
BUCKETS = pa.schema([("key", pa.uint64()), ("members", pa.int64()), ("heads", pa.list_(pa.uint64()))])
TEXT_BYTES, KEY_BYTES = 33, 24  # of a row


@dataclass(frozen=True)
class Candidates:
    """Phases: texts by key and copies among them; then, for some bands at a time, keys and pairs."""

    signed: Signed
    partitions: int  # tasks that keys of texts, and keys of some bands, are spread over

    def send_texts(self, shard: int, output: Output) -> None:
        """The digest of each text of a shard to where its copies meet."""
        known = self.signed.texts(shard)
        states = self.signed.states(shard)
        rows = np.flatnonzero(states != ABSENT)
        keys, checks, ranks = (column[rows] for column in known)
        table = pa.table([keys, checks, numbered(shard, rows), ranks, states[rows] == GONE], schema=TEXTS)
        scatter(output, table, key_partitions(keys, self.partitions))

    def find_copies(self, texts: Sequence[str], partition: int, output: Output) -> None:
        """Each copy with the first of its kind, to the blocks of both."""
        table = read_partition(texts, partition)
        keys, checks, numbers, ranks, gone = (table[name].to_numpy() for name in TEXTS.names)
        kept = self.signed.numbering.is_reference(numbers) & ~gone
        firsts, seconds = copies_of(keys, checks, numbers, ranks, kept)
        told = np.arange(2 * len(firsts)) < len(firsts)
        columns = [np.concatenate([firsts, firsts]), np.concatenate([seconds, seconds]), told]
        block_of = self.signed.numbering.block_of
        scatter(
            output,
            pa.table(columns, schema=COPIES),
            np.concatenate([block_of(seconds), block_of(firsts)]),
        )

    def send_keys(self, copies: Sequence[str], bands: range, shard: int, output: Output) -> None:
        """The keys of some bands under which documents of a shard, no copies, may meet others."""
        block = read_partition(copies, self.signed.numbering.block_of_shard(shard))
        seconds = block.filter(block["told"])["second"].to_numpy()
        away = self.signed.states(shard) == ABSENT
        away[row_of(seconds[shard_of(seconds) == shard])] = True
        rows, ranks, keys = self.signed.bands(shard, bands)
        here = ~away[rows]
        rows, ranks, keys = rows[here], ranks[here], keys[here]
        columns = [keys.ravel(), numbered(shard, rows).repeat(len(bands)), ranks.repeat(len(bands))]
        table = pa.table(columns, schema=KEYS)
        scatter(output, table, key_partitions(columns[0], self.partitions))

    def find_pairs(self, keys: Sequence[str], partition: int, output: Output) -> None:
        """The documents that meet under the keys of a partition, two by two, where the second may go."""
        table = read_partition(keys, partition)
        met = pair_up(*(table[name].to_numpy() for name in KEYS.names))
        output.count(pairs_given_up=met.given_up, common_keys=met.common.num_rows)
        output.table(BUCKETS, part=f"{output.part}-common").write(met.common)
        open_to_change = ~self.signed.numbering.is_reference(met.seconds)
        firsts, seconds = met.firsts[open_to_change], met.seconds[open_to_change]
        blocks = self.signed.numbering.block_of(firsts)
        scatter(output, pa.table([firsts, seconds], schema=PAIRS), blocks)


def copies_of(
    keys: Numbers, checks: Numbers, numbers: Numbers, ranks: Numbers, kept: NDArray[np.bool_]
) -> tuple[Numbers, Numbers]:
    """(first, copy) for texts of equal key and check; the first is the one that has precedence.

    Those that are `kept` whatever comes are before all others: of two references one may have removed a text
    that the other has, and what is like that text is to be found.
    """
    order = np.argsort(keys)
    order = order[_shared(keys[order])]  # most texts have no copy: leave those out
    order = order[np.lexsort([column[order] for column in (numbers, ranks, ~kept, checks, keys)])]
    keys, checks, numbers = keys[order], checks[order], numbers[order]
    again = np.zeros(len(keys), np.bool_)
    again[1:] = (keys[1:] == keys[:-1]) & (checks[1:] == checks[:-1])
    firsts = np.maximum.accumulate(np.where(again, 0, np.arange(len(keys))))
    return numbers[firsts[again]], numbers[again]


@dataclass(frozen=True)
class Met:
    """What the keys of one partition bring together."""

    firsts: Numbers  # of each pair the document that has precedence
    seconds: Numbers
    given_up: int  # pairs of two members that both come after the heads of their bucket
    common: pa.Table  # the largest buckets


def pair_up(keys: Numbers, numbers: Numbers, ranks: Numbers) -> Met:
    """Pair each member of a bucket with the first HEADS; a pair comes once for each bucket that has both."""
    order = np.argsort(keys)
    order = order[_shared(keys[order])]  # most keys have one member: leave those out
    order = order[np.lexsort((numbers[order], ranks[order], keys[order]))]
    keys, numbers = keys[order], numbers[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, np.int64)
    sizes = np.diff(starts, append=len(keys))
    pairs = np.empty((2, _count_pairs(sizes)), np.uint64)
    _fill_pairs(starts, sizes, numbers, pairs)
    given_up = int((sizes * (sizes - 1) // 2).sum()) - pairs.shape[1]
    return Met(pairs[0], pairs[1], given_up, _largest(keys, numbers, starts, sizes))


def _largest(keys: Numbers, numbers: Numbers, starts: Rows, sizes: Rows) -> pa.Table:
    """The largest of the common buckets; of two with as many members that of the lesser key."""
    chosen = np.flatnonzero(sizes >= COMMON)
    chosen = chosen[np.lexsort((keys[starts[chosen]], -sizes[chosen]))][:REPORTED]
    heads = [numbers[start : start + HEADS].tolist() for start in starts[chosen]]
    return pa.table([keys[starts[chosen]], sizes[chosen], heads], schema=BUCKETS)


def _shared(ordered: Numbers) -> NDArray[np.bool_]:
    """Which values have an equal neighbour."""
    equal = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(ordered), np.bool_)
    shared[1:] |= equal
    shared[:-1] |= equal
    return shared


def _count_pairs(sizes: Rows) -> int:
    few = np.minimum(sizes, HEADS)
    return int((few * (few - 1) // 2 + (sizes - few) * HEADS).sum())


@kernel
def _fill_pairs(starts: Rows, sizes: Rows, numbers: Numbers, pairs: Numbers) -> None:
    """Write each member of a bucket with those of its first HEADS members that are before it."""
    end = 0
    for bucket in range(len(starts)):
        start = starts[bucket]
        for member in range(start, start + sizes[bucket]):
            for head in range(start, min(member, start + HEADS)):
                pairs[0, end], pairs[1, end] = numbers[head], numbers[member]
                end += 1


def unique_pairs(firsts: Numbers, seconds: Numbers) -> tuple[Numbers, Numbers]:
    """Each pair once, ascending by first and then by second."""
    order = np.lexsort((seconds, firsts))
    firsts, seconds = firsts[order], seconds[order]
    new = np.ones(len(firsts), np.bool_)
    new[1:] = (firsts[1:] != firsts[:-1]) | (seconds[1:] != seconds[:-1])
    return firsts[new], seconds[new]
