"""Sources into a training mixture."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import InputError, RecipeError, SchemaError
from pipeline.hashing import UInt64s, hash_text, uniform
from pipeline.shards import read_batches
from pipeline.shuffle import merge, read_partition, sorted_by_partition
from pipeline.stage import Dataset, Job, Output, Stage
from stages import packing
from stages.blanks import blank, rows_of
from stages.budgets import TRAIN, VAL, Budget, Key, Supply, Way
from stages.packing import Float64s, Int64s, Layout, Stream, Take, Tokens, Units

WAYS: tuple[Way, ...] = ("weights", "epochs", "tokens")
TABLE = "table.json"
COUNTED = pa.schema(
    [("split", pa.string()), ("source", pa.string()), ("documents", pa.int64()), ("tokens", pa.int64())]
)
PLACED = pa.schema([("bin", pa.int64()), ("tokens", pa.int64())])
UNIT = pa.schema(
    [
        ("stream", pa.int32()),
        ("place", pa.float64()),  # in the stream, in epochs
        ("id", pa.string()),  # the document, and the first token in it
        ("offset", pa.int64()),
        ("tokens", pa.large_binary()),  # little-endian; a list of integers reads five times slower
    ]
)
SEGMENT = pa.struct([("id", pa.string()), ("start", pa.int32()), ("end", pa.int32()), ("offset", pa.int64())])


class Placed(NamedTuple):
    """Units, and where they belong in one epoch."""

    units: Units
    streams: Int64s  # position of the stream, or -1
    places: Float64s
    bins: Int64s  # or -1 if the stream does not reach this epoch


@dataclass(frozen=True)
class Shard:
    """One file to write: its part of each stream of a split."""

    split: str
    takes: tuple[Take, ...]


@dataclass(frozen=True)
class Mix(Stage):
    """Mix sources by their share of the tokens into packed, shuffled sequences to train on.

    Give one of `weights`, `epochs` and `tokens`, by the `source` column; 0 leaves a source out. Sequences are
    always full, and the documents in them are not masked from each other (GPT-3, appendix B). A source is
    drawn without replacement until its epoch ends (section 2.2). Validation documents go to shards of their
    own, each once. A row has `tokens`, one more than `sequence`, so that input and target are both in it and
    neighbours in a stream share one; `source`; and `documents`: which one stands at positions start to end,
    from its token `offset` on; where `pipeline forget` left nothing but end-of-text, id and offset are null.

    Fields:
        weights: share of the training tokens of each source; they may sum to anything
        epochs: how often each source is seen
        tokens: training tokens of each source
        total_tokens: of all sources, with weights; if not given, as many as max_epochs allows
        max_epochs: no source is seen more often
        sequence: tokens of context; 2,048 in GPT-3, appendix B
        shard_sequences: sequences in a shard, give or take one for each source
        seed: of all chance in this step
    """

    weights: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    total_tokens: int | None = None
    max_epochs: float = 4.0
    sequence: int = 2048
    shard_sequences: int = 16_384
    seed: int = 0

    inputs: ClassVar[Mapping[str, str]] = {"documents": "tokens"}
    makes: ClassVar[str] = "sequences"
    leftovers: ClassVar[frozenset[str]] = frozenset({"units", "merged"})

    def __post_init__(self) -> None:
        given = [way for way in WAYS if getattr(self, way)]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(WAYS)}, not {' and '.join(given) or 'none'}")
        asked = getattr(self, given[0])
        for source in sorted(asked):
            if not 0 <= asked[source] < math.inf:
                raise ValueError(f"{given[0]}: {source} = {asked[source]} must be 0 or more")
        if not any(asked.values()):
            raise ValueError(f"{given[0]} leave every source out; give one of them more than 0")
        if self.total_tokens is not None and not self.weights:
            raise ValueError(f"total_tokens goes with weights; {given[0]} say themselves how much to draw")
        for name in ("total_tokens", "max_epochs", "sequence", "shard_sequences"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} = {value} must be more than 0")

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The mixture."""
        return {"mixture": mixture_table(dataset)}

    @classmethod
    def traces(cls, folder: str, name: str, gone: UInt64s) -> Mapping[str, int]:
        """The rows that documents are in, and their tokens."""
        return rows_of(f"{folder}/shards/{name}.parquet", gone)

    @classmethod
    def erase(cls, folder: str, task: str, gone: UInt64s, output: Output) -> bool:
        """End-of-text in place of every token of the documents; no row moves."""
        if is_shard := task.startswith("shards/"):
            blank(f"{folder}/{task}.parquet", gone, output)
        return is_shard

    def run(self, job: Job) -> None:
        """Count and plan; bring the documents together by shard; pack and interleave them there."""
        documents = job.inputs["documents"]
        column = tokens_column(job.step, documents)
        names, contents = {name: name for name in documents.shards}, documents.contents
        budget = self.budget(job.step)

        counted = job.map("counts", partial(count, documents), names, contents)
        held = {name: read_counts(path) for name, path in counted.items()}
        supplies = supply(job.step, held.values())
        rows = budget.rows(supplies)
        shards = {split: self.shards(rows, split) for split in (TRAIN, VAL)}
        streams = packing.plan_streams(supplies, rows, shards, self.sequence)

        placing = partial(self.place, job.step, documents, streams)
        layouts = self.layouts(streams, job.map("places", placing, names, contents).values())
        homes = np.concatenate([layout.shards for layout in layouts])

        moves = {f"{epoch}-{name}": (name, epoch) for name in names for epoch in reached(streams, held[name])}
        reads = {move: contents[name] for move, (name, _) in moves.items()}
        moved = job.map("units", partial(self.move, job.step, documents, streams, homes), moves, reads)
        merged = merge(job, "merged", list(moved.values()), sum(shards.values()))

        plans = {
            f"{split}-{number:05d}": self.plan(split, number, streams, layouts)
            for split in (TRAIN, VAL)
            for number in range(shards[split])
        }
        job.map("shards", partial(self.pack, job.step, merged, column), plans)
        job.map("table", write_table, {"mixture": budget.table(supplies, rows)})

    def budget(self, step: str) -> Budget:
        """What the fields ask for."""
        way = next(way for way in WAYS if getattr(self, way))
        return Budget(step, way, getattr(self, way), self.total_tokens, self.max_epochs, self.sequence)

    def shards(self, rows: Mapping[Key, int], split: str) -> int:
        """How many shards the sequences of a split fill."""
        return -(-sum(count for (own, _), count in rows.items() if own == split) // self.shard_sequences)

    def units(
        self, step: str, streams: Sequence[Stream], documents: pa.Table, lengths: Int64s, epoch: int
    ) -> Placed:
        """The units of documents of so many tokens, and where each belongs in an epoch."""
        numbers = {(stream.split, stream.source): number for number, stream in enumerate(streams)}
        pairs = zip(documents["split"].to_pylist(), documents["source"].to_pylist(), strict=True)
        longest = packing.RUN * self.sequence
        units = packing.units(lengths, longest)
        owners = np.array([numbers.get(pair, -1) for pair in pairs], np.int64)[units.documents]
        keys = packing.unit_keys(hash_text(documents["id"])[units.documents], units.offsets // longest)
        draws = uniform(self.seed, f"{step}/epoch/{epoch}", keys)
        return Placed(units, owners, epoch + draws, packing.bins(streams, owners, epoch, draws))

    def place(
        self, step: str, documents: Dataset, streams: Sequence[Stream], name: str, output: Output
    ) -> None:
        """Count the tokens that one shard has in each bin, over all epochs."""
        tokens = np.zeros(streams[-1].bins.stop, np.int64)
        for batch in documents.batches(name, ["id", "source", "split", "token_count"]):
            lengths = batch["token_count"].to_numpy().astype(np.int64)
            for epoch in range(max(stream.epochs for stream in streams)):
                placed = self.units(step, streams, batch, lengths, epoch)
                some = placed.bins >= 0
                np.add.at(tokens, placed.bins[some], placed.units.lengths[some])
        used = np.flatnonzero(tokens)
        output.table(PLACED).write(pa.table([used, tokens[used]], schema=PLACED))

    def layouts(self, streams: Sequence[Stream], counted: Iterable[str]) -> list[Layout]:
        """Where the bins of each stream lie, by what `place` counted."""
        tokens = np.zeros(streams[-1].bins.stop, np.int64)
        for path in counted:
            for table in read_batches(path):
                tokens[table["bin"].to_numpy()] += table["tokens"].to_numpy()
        return [packing.lay_out(s, tokens[s.bins.start : s.bins.stop], self.sequence) for s in streams]

    def move(
        self,
        step: str,
        documents: Dataset,
        streams: Sequence[Stream],
        homes: Int64s,
        item: tuple[str, int],
        output: Output,
    ) -> None:
        """Write the units of one shard that are drawn in one epoch, sorted by the shard they go to."""
        name, epoch = item
        tables, targets = [UNIT.empty_table()], [np.zeros(0, np.int64)]
        for batch in documents.batches(name, ["id", "source", "split", "tokens"]):
            column = batch["tokens"].combine_chunks()
            lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
            units, owners, places, bins = self.units(step, streams, batch, lengths, epoch)
            ids = batch["id"].combine_chunks().take(pa.array(units.documents))
            tokens = as_bytes(column.flatten().to_numpy(), units.lengths)
            table = pa.table([owners.astype(np.int32), places, ids, units.offsets, tokens], schema=UNIT)
            target = np.where(bins >= 0, homes[bins], -1)
            tables.append(table.filter(pa.array(target >= 0)))
            targets.append(target[target >= 0])
        table = sorted_by_partition(pa.concat_tables(tables), np.concatenate(targets).astype(np.uint32))
        output.table(table.schema).write(table)

    def plan(self, split: str, number: int, streams: Sequence[Stream], layouts: Sequence[Layout]) -> Shard:
        """What shard `number` of a split takes of each stream."""
        takes = [
            packing.take(streams, at, layouts[at], number, self.sequence)
            for at, stream in enumerate(streams)
            if stream.split == split
        ]
        return Shard(split, tuple(take for take in takes if take.rows))

    def pack(self, step: str, merged: Sequence[str], column: pa.Field, shard: Shard, output: Output) -> None:
        """Write one shard: the sequences of each stream, interleaved by chance."""
        purpose = f"{step}/order/{shard.split}"
        draws = [
            uniform(
                self.seed,
                f"{purpose}/{take.source}",
                np.arange(take.row, take.row + take.rows, dtype=np.uint64),
            )
            for take in shard.takes
        ]
        order = np.argsort(np.concatenate(draws), kind="stable")  # of the takes' sequences, one after another
        slots = np.argsort(order)
        tokens = np.empty((len(order), self.sequence + 1), column.type.value_type.to_pandas_dtype())
        documents, done = [], 0
        for take, units in zip(shard.takes, taken(merged, shard.takes), strict=True):
            stream, segments = sequences(units, take, self.sequence, tokens.dtype)
            tokens[slots[done : done + take.rows]] = packing.windows(stream, take.rows, self.sequence)
            documents.append(segments)
            done += take.rows
        names = pa.array([take.source for take in shard.takes])
        numbers = np.repeat(np.arange(len(names)), [take.rows for take in shard.takes])
        columns = [
            pa.FixedSizeListArray.from_arrays(pa.array(tokens.ravel()), self.sequence + 1),
            names.take(pa.array(numbers[order])),
            pa.concat_arrays(documents).take(pa.array(order)),
        ]
        schema = sequence_schema(column, self.sequence)
        output.count(sequences=done, training_tokens=done * self.sequence)
        output.table(schema).write(pa.table(columns, schema=schema))


def mixture_table(dataset: Dataset) -> list[dict[str, Any]]:
    """What a finished mixture is made of: a row for each source in each split.

    `weight` is its share of the split's sequences, `epochs` how often its tokens are seen, `tokens_dropped`
    those asked for that do not fill a sequence.
    """
    rows: list[dict[str, Any]] = json.loads(dataset.side(TABLE))
    return rows


def write_table(rows: list[dict[str, Any]], output: Output) -> None:
    """Keep the mixture's table beside the shards."""
    output.side(TABLE, json.dumps(rows, indent=1, ensure_ascii=False).encode())


def tokens_column(step: str, documents: Dataset) -> pa.Field:
    """The column `tokens` with its metadata; one mixture has one tokenizer, or RecipeError."""
    made: dict[str, str] = {}
    for part in documents.parts:
        if part.shards:
            column = part.schema.field("tokens")
            made.setdefault((column.metadata or {}).get(b"tokenizer", b"").decode(), part.folders[0])
    if not made:
        raise InputError(f"step '{step}': there are no documents to mix; look at `pipeline status`")
    if len(made) > 1:
        ways = " and ".join(
            f"{folder} with {name or 'an unknown tokenizer'}" for name, folder in made.items()
        )
        raise RecipeError(f"step '{step}' mixes {ways}; encode all documents with the same tokenizer")
    ours = {name: text for name, text in (column.metadata or {}).items() if not name.startswith(b"PARQUET")}
    return column.with_metadata(ours)


def sequence_schema(tokens: pa.Field, sequence: int) -> pa.Schema:
    """Of a row to train on."""
    fixed = pa.field("tokens", pa.list_(tokens.type.value_type, sequence + 1), metadata=tokens.metadata)
    return pa.schema([fixed, ("source", pa.string()), ("documents", pa.list_(SEGMENT))])


def count(documents: Dataset, name: str, output: Output) -> None:
    """Documents and tokens in one shard, by split and source."""
    found: dict[Key, Supply] = {}
    for batch in documents.batches(name, ["split", "source", "token_count"]):
        groups = batch.group_by(["split", "source"], use_threads=False)
        for row in groups.aggregate([("token_count", "count"), ("token_count", "sum")]).to_pylist():
            key = row["split"], row["source"]
            before = found.get(key, Supply())
            tokens = before.tokens + row["token_count_sum"]
            found[key] = Supply(before.documents + row["token_count_count"], tokens)
    rows = [{"split": key[0], "source": key[1], **vars(found[key])} for key in sorted(found)]
    output.table(COUNTED).write(pa.Table.from_pylist(rows, COUNTED))


def read_counts(path: str) -> dict[Key, Supply]:
    """What `count` wrote."""
    rows = [row for batch in read_batches(path) for row in batch.to_pylist()]
    return {(row["split"], row["source"]): Supply(row["documents"], row["tokens"]) for row in rows}


def supply(step: str, counts: Iterable[Mapping[Key, Supply]]) -> dict[Key, Supply]:
    """What there is in all shards. Raises InputError when there is nothing to train on."""
    found: dict[Key, Supply] = {}
    for held in counts:
        for key, more in held.items():
            before = found.get(key, Supply())
            found[key] = Supply(before.documents + more.documents, before.tokens + more.tokens)
    if not any(each.tokens for (split, _), each in found.items() if split == TRAIN):
        raise InputError(f"step '{step}': no document has training tokens; look at `pipeline status`")
    return found


def reached(streams: Sequence[Stream], held: Iterable[Key]) -> range:
    """The epochs that need the documents of a shard that holds these splits and sources."""
    own = set(held)
    return range(max((s.epochs for s in streams if (s.split, s.source) in own), default=0))


def taken(merged: Sequence[str], takes: Sequence[Take]) -> list[pa.Table]:
    """The units that each take needs, in the order of its stream."""
    found: list[list[pa.Table]] = [[] for _ in takes]
    for number in sorted({number for take in takes for number in take.shards}):
        units = read_partition(merged, number)
        order = [(name, "ascending") for name in ("stream", "place", "id", "offset")]
        units = units.take(pc.sort_indices(units, sort_keys=order))
        streams = units["stream"].to_numpy()
        for take, tables in zip(takes, found, strict=True):
            if number in take.shards:
                start, end = np.searchsorted(streams, [take.stream, take.stream + 1])
                tables.append(units.slice(start, end - start))
    return [pa.concat_tables(tables) for tables in found]


def sequences(units: pa.Table, take: Take, sequence: int, dtype: Any) -> tuple[Tokens, pa.ListArray]:
    """The tokens of neighbouring sequences in a stream, and for each sequence the documents that it holds."""
    lengths = pc.binary_length(units["tokens"]).to_numpy() // dtype.itemsize
    tokens = from_bytes(units["tokens"], dtype)[take.skip :]
    if len(tokens) <= take.rows * sequence:
        raise SchemaError(f"source '{take.source}': `token_count` is not the number of tokens; encode again")
    at = packing.segments(np.cumsum(lengths) - lengths - take.skip, lengths, take.rows, sequence)
    owners = pa.array(at.units)
    values = [
        units["id"].take(owners).combine_chunks(),
        pa.array(at.starts, pa.int32()),
        pa.array(at.ends, pa.int32()),
        pa.array(units["offset"].to_numpy()[at.units] + at.offsets),
    ]
    bounds = pa.array(np.searchsorted(at.rows, np.arange(take.rows + 1)).astype(np.int32))
    return tokens, pa.ListArray.from_arrays(bounds, pa.StructArray.from_arrays(values, fields=list(SEGMENT)))


def as_bytes(tokens: Tokens, lengths: Int64s) -> pa.LargeBinaryArray:
    """Tokens, cut into pieces of these lengths, without a copy."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]) * tokens.itemsize
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(),
        len(lengths),
        [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(tokens))],
    )


def from_bytes(pieces: pa.ChunkedArray, dtype: Any) -> Tokens:
    """The tokens of all pieces, one after another."""
    found = [np.zeros(0, dtype)]
    for chunk in pieces.chunks:
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        found.append(np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].view(dtype))
    return np.concatenate(found)
