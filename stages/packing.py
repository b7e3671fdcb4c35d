"""How documents become sequences: plans and array arithmetic, no disk.

The documents of one source and split are cut into units. In epoch e a unit has the place e + u, u uniform in
[0, 1); all units by place are the **stream** of that source. Sequence r holds the tokens r * sequence to
(r + 1) * sequence of the stream, both included: neighbours share a token, so that input and target are in one
row. A stream ends where its budget does, so the last epoch is a part of the documents that chance has chosen,
and only a few last tokens are lost to packing. Each shard takes an even share of every stream, in order, so
whoever trains on train-00000, train-00001, … meets no document again before the epoch's end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.budgets import Key, Supply

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Float64s = npt.NDArray[np.float64]
Tokens = npt.NDArray[Any]  # uint16 or uint32

RUN = 16  # sequences in a unit at most: a book is spread over the shards, but not to crumbs
BINS = 4  # of each stream for every shard: the finer, the less is read twice


class Units(NamedTuple):
    """Documents, the long ones cut into runs."""

    documents: Int64s  # which document, by position
    offsets: Int64s  # first token in it
    lengths: Int64s  # tokens


def units(lengths: Int64s, longest: int) -> Units:
    """Cut documents of so many tokens into units of at most `longest`; an empty document makes none."""
    counts = -(-lengths // longest)
    documents = np.repeat(np.arange(len(lengths)), counts)
    offsets = (np.arange(len(documents)) - np.repeat(np.cumsum(counts) - counts, counts)) * longest
    return Units(documents, offsets, np.minimum(lengths[documents] - offsets, longest))


def unit_keys(documents: UInt64s, numbers: Int64s) -> UInt64s:
    """One key per unit, from its document's hash and its number among the units of that document."""
    return documents + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Stream:
    """The plan for one source and split. Its places are counted in bins, each `width` epochs wide."""

    split: str
    source: str
    rows: int  # sequences to draw
    epochs: int  # that they reach into
    width: float
    bins: range  # the numbers of those that cover the epochs
    first: int  # number of its first shard
    shards: int


def plan_streams(
    supplies: Mapping[Key, Supply], rows: Mapping[Key, int], shards: Mapping[str, int], sequence: int
) -> tuple[Stream, ...]:
    """A stream for each split and source that has rows. The `shards` of all splits are numbered as one."""
    streams: list[Stream] = []
    for split, source in sorted(key for key, count in rows.items() if count):
        drawn, tokens = rows[split, source] * sequence + 1, supplies[split, source].tokens
        epochs, width = -(-drawn // tokens), drawn / tokens / (BINS * shards[split])
        start = streams[-1].bins.stop if streams else 0
        bins = range(start, start + math.floor(epochs / width) + 1)
        first = sum(number for other, number in shards.items() if other < split)
        streams.append(Stream(split, source, rows[split, source], epochs, width, bins, first, shards[split]))
    return tuple(streams)


def bins(streams: Sequence[Stream], owners: Int64s, epoch: int, draws: Float64s) -> Int64s:
    """The bin of each unit of streams[owner] in this epoch; -1 if that does not reach so far.

    An owner of -1 has no stream.
    """
    columns = [(stream.epochs, stream.width, stream.bins.start) for stream in streams]
    epochs, width, first = (np.array(column)[owners] for column in zip(*columns, strict=True))
    found = first + np.floor((epoch + draws) / width).astype(np.int64)
    return np.where((owners >= 0) & (epoch < epochs), found, -1)


class Layout(NamedTuple):
    """Where the bins of a stream lie in it."""

    starts: Int64s  # first token of each bin, and the end
    shards: Int64s  # number of the shard in whose sequences it starts; -1 beyond the budget


def lay_out(stream: Stream, tokens: Int64s, sequence: int) -> Layout:
    """From the tokens in each bin of a stream, the shard that each bin belongs to."""
    starts = np.concatenate([[0], np.cumsum(tokens)])
    firsts = np.array([_row(stream, shard) * sequence for shard in range(stream.shards)])
    shards = np.searchsorted(firsts, starts[:-1], side="right") - 1 + stream.first
    return Layout(starts, np.where(starts[:-1] <= stream.rows * sequence, shards, -1))


def _row(stream: Stream, shard: int) -> int:
    return stream.rows * shard // stream.shards


@dataclass(frozen=True)
class Take:
    """A shard's part of one stream: neighbouring sequences, and where their tokens are."""

    stream: int  # by position
    source: str
    row: int  # the first sequence
    rows: int
    shards: range  # whose bins hold the tokens: its own, and the one before for its first few
    skip: int  # tokens there before the first that it wants


def take(streams: Sequence[Stream], at: int, layout: Layout, shard: int, sequence: int) -> Take:
    """The even share of streams[at] that goes to its split's shard `shard`, from 0."""
    stream = streams[at]
    row, end = _row(stream, shard), _row(stream, shard + 1)
    low, high = (int(np.searchsorted(layout.starts, r * sequence, side="right")) - 1 for r in (row, end))
    homes = layout.shards[low], layout.shards[high]
    first = int(layout.starts[np.searchsorted(layout.shards[: low + 1], homes[0])])
    shards = range(int(homes[0]), int(homes[1]) + 1)
    return Take(at, stream.source, row, end - row, shards, row * sequence - first)


class Segments(NamedTuple):
    """Which unit occupies which positions of which sequence; in order of sequence, then position."""

    rows: Int64s
    units: Int64s
    starts: Int64s  # first position in the sequence
    ends: Int64s  # position after the last
    offsets: Int64s  # which token of the unit stands at `starts`


def segments(starts: Int64s, lengths: Int64s, rows: int, sequence: int) -> Segments:
    """Lay units over the first `rows` sequences of a stream; unit u holds its tokens from starts[u] on.

    The token that two sequences share belongs to both. A start may be negative.
    """
    ends = starts + lengths
    low = np.maximum(-(-starts // sequence) - 1, 0)  # its last token is at (row + 1) * sequence
    high = np.minimum((ends - 1) // sequence, rows - 1)
    counts = np.maximum(high - low + 1, 0)
    unit = np.repeat(np.arange(len(starts)), counts)
    row = np.arange(len(unit)) - np.repeat(np.cumsum(counts) - counts, counts) + low[unit]
    order = np.argsort(row, kind="stable")
    unit, row = unit[order], row[order]
    first = np.maximum(starts[unit], row * sequence)
    last = np.minimum(ends[unit], (row + 1) * sequence + 1)
    return Segments(row, unit, first - row * sequence, last - row * sequence, first - starts[unit])


def windows(tokens: Tokens, rows: int, sequence: int) -> Tokens:
    """The sequences of a stream, [rows, sequence + 1]: a view; neighbours share a token."""
    views = np.lib.stride_tricks.sliding_window_view(tokens[: rows * sequence + 1], sequence + 1)
    return views[::sequence]
