"""Questions about a run: what is in a step, and which way did a document go. Nothing here changes a file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import shards, storage
from pipeline.errors import InputError, RecipeError, nearest
from pipeline.manifest import Manifest
from pipeline.recipe import Recipe, Stages, Step, is_outside, parse
from pipeline.schema import REASON

Row = dict[str, Any]
_NAMED = ("id", "url")


def is_run(folder: str) -> bool:
    """Whether `pipeline run` made this folder."""
    return storage.exists(f"{folder}/recipe.toml")


@dataclass(frozen=True)
class RunFolder:
    """A run's folder and the recipe in it."""

    folder: str
    recipe: Recipe

    @staticmethod
    def open(folder: str, stages: Stages) -> "RunFolder":
        """Raises InputError when the folder holds no run."""
        if not is_run(folder):
            raise InputError(
                f"{folder} holds no run (no recipe.toml in it); a run's folder is made by `pipeline run`"
            )
        path = f"{folder}/recipe.toml"
        name = os.path.basename(os.path.abspath(folder))
        recipe = parse(storage.read_bytes(path), name, os.path.abspath(folder), stages)
        steps = {name: _placed(folder, step) for name, step in recipe.steps.items()}
        return RunFolder(folder, replace(recipe, steps=steps))

    def path(self, step: str, part: str = "") -> str:
        """The folder of a step, also of another run's, or of a part of it."""
        return f"{step if is_outside(step) else f'{self.folder}/{step}'}/{part}".rstrip("/")

    def names(self, step: str, part: str) -> list[str]:
        """The shards of a step that are finished, also while it still runs."""
        return storage.names(self.path(step, part), ".parquet")

    def manifest(self, step: str) -> Manifest | None:
        """None while the step is not done."""
        return Manifest.load(self.path(step))

    def text(self, step: str, shard: str, row: Row) -> str | None:
        """The text of a rejected document, from the nearest step before this one that wrote it."""
        for name in self.recipe.steps[step].inputs.get("documents", ()):
            found = next(_find(self.path(name, "shards"), shard, "id", row["id"]), None)
            if found is not None:
                text: str | None = found.get("text")
                return text
            if name in self.recipe.steps and (text := self.text(name, shard, row)) is not None:
                return text
        return None


def _placed(folder: str, step: Step) -> Step:
    """The step with its inputs from other runs where they were when it ran; the recipe is elsewhere now."""
    places = storage.read_json(f"{folder}/{step.name}/{storage.PLACES}") if step.outside else None
    return replace(step, inputs={key: tuple(names) for key, names in places.items()}) if places else step


def sample(run: RunFolder, step: str, number: int, order: str = "") -> list[Row]:
    """`number` documents of a step: spread evenly over it, or the first by a column ('-name': the last)."""
    folder = run.path(step, "shards")
    names = run.names(step, "shards")
    if not names:
        raise InputError(
            f"{run.path(step)} has no documents yet; `pipeline status {run.folder}` says what is done"
        )
    sizes = [shards.count_rows(f"{folder}/{name}.parquet") for name in names]
    positions = _spread(sum(sizes), number) if not order else _ordered(folder, names, order, number)
    return list(_take(folder, names, sizes, positions))


def sample_rejected(run: RunFolder, step: str, number: int, reason: str = "", order: str = "") -> list[Row]:
    """`number` rejected documents whose reason begins with `reason`, with the text they had."""
    names = run.names(step, "rejected")
    tables = [_with_shard(table, name) for name in names for table in _ledger(run, step, name, reason)]
    if not tables:
        return []
    table = pa.concat_tables(tables, promote_options="default")
    if order:
        column = order.lstrip("-")
        _check_column(column, table.schema)
        table = table.sort_by([(column, "descending" if order.startswith("-") else "ascending")])
        rows = table.slice(0, number).to_pylist()
    else:
        rows = table.take(pa.array(_spread(table.num_rows, number))).to_pylist()
    return [row | {"text": run.text(step, row.pop("shard"), row)} for row in rows]


def reasons(run: RunFolder, step: str) -> Mapping[str, int]:
    """Rows by reason."""
    manifest = run.manifest(step)
    return manifest.totals.get("reasons", {}) if manifest else {}


@dataclass(frozen=True)
class Seen:
    """What one step did with one document."""

    step: str
    outcome: str  # kept, rejected, flowed, not here
    row: Row


def why(run: RunFolder, key: str) -> list[list[Seen]]:
    """The way of each document with this id or URL through every step that it reached.

    An id leads straight to its shard; a URL is looked up in the ids and URLs of the sources. Of another
    run's steps only those are looked at that this one reads.
    """
    ids = dict(_ids(run, key))
    if not ids:
        beyond = "; ask those that it reads, too" if _borders(run) else ""
        raise InputError(
            f"no document '{key}' in {run.folder}: no source step has read a record with this id or URL"
            f"{beyond}; an id reads <source>/<file>/<offset>, a URL must be whole, with its scheme"
        )
    return [_way(run, shard, name) for name, shard in ids.items()]


def _ids(run: RunFolder, key: str) -> Iterator[tuple[str, str]]:
    """(id, shard) of the documents that `key` names."""
    births = [(step.name, part) for step in _births(run) for part in ("shards", "rejected")]
    for step, part in [*births, *((folder, "shards") for folder in _borders(run))]:
        for shard in _likely(run.names(step, part), key):
            for column in _NAMED:
                for row in _find(run.path(step, part), shard, column, key, _NAMED):
                    yield row["id"], shard


def _births(run: RunFolder) -> Iterator[Step]:
    """The sources, and the steps into which their rows flowed without being written."""
    flowing: set[str] = set()
    for step in run.recipe.steps.values():
        if step.stage.is_source() or flowing & set(step.inputs.get("documents", ())):
            yield step
            if not run.names(step.name, "shards"):
                flowing.add(step.name)


def _borders(run: RunFolder) -> list[str]:
    """The folders of other runs' steps that documents come from."""
    names = [name for step in run.recipe.steps.values() for name in step.inputs.get("documents", ())]
    return list(dict.fromkeys(filter(is_outside, names)))


def _likely(names: list[str], key: str) -> list[str]:
    source, _, rest = key.partition("/")
    exact = f"{source}-{rest.rpartition('/')[0]}"
    return [exact] if exact in names else names


def _way(run: RunFolder, shard: str, name: str) -> list[Seen]:
    seen: list[Seen] = []
    for folder in _borders(run):
        row = next(_find(run.path(folder, "shards"), shard, "id", name), None)
        if row is not None:
            seen.append(Seen(folder, "kept", row))
    reached = {each.step for each in seen}
    for step in run.recipe.steps.values():
        if not step.stage.is_source() and not reached & set(step.inputs.get("documents", ())):
            continue
        found = _seen(run, step, shard, name)
        if found is not None:
            seen.append(found)
            if found.outcome in ("kept", "flowed"):
                reached.add(step.name)
    return seen


def _seen(run: RunFolder, step: Step, shard: str, name: str) -> Seen | None:
    row = next(_find(run.path(step.name, "rejected"), shard, "id", name), None)
    if row is not None:
        return Seen(step.name, "rejected", row)
    row = next(_find(run.path(step.name, "shards"), shard, "id", name), None)
    if row is not None:
        return Seen(step.name, "kept", row)
    if not step.materialize:
        return Seen(step.name, "flowed", {})
    if step.stage.makes == "sequences":
        places = _sequences(run, step.name, name)
        return Seen(step.name, "kept" if places else "not here", {"sequences": places})
    return None


def _sequences(run: RunFolder, step: str, name: str) -> list[str]:
    """The rows of the mixture that hold tokens of a document: 'train-00003 row 12'."""
    places = []
    for shard in run.names(step, "shards"):
        position = 0
        for batch in shards.read_batches(f"{run.path(step, 'shards')}/{shard}.parquet", ["documents"]):
            lists = batch["documents"].combine_chunks()
            hits = pc.equal(pc.struct_field(lists.flatten(), "id"), name)
            rows = pc.list_parent_indices(lists).filter(hits).to_pylist()
            places += [f"{shard} row {position + row}" for row in dict.fromkeys(rows)]
            position += batch.num_rows
    return places


def _find(
    folder: str, shard: str, column: str, value: str, columns: tuple[str, ...] | None = None
) -> Iterator[Row]:
    """The rows of one shard whose `column` is `value`, reading that column alone until there is one."""
    path = f"{folder}/{shard}.parquet"
    if not storage.exists(path) or column not in (schema := shards.read_schema(path)).names:
        return
    wanted = list(columns or schema.names)
    positions, start = [], 0
    for batch in shards.read_batches(path, [column]):
        hits = pc.indices_nonzero(pc.fill_null(pc.equal(batch[column], value), False))
        positions += [start + hit for hit in hits.to_pylist()]
        start += batch.num_rows
    if positions:
        yield from shards.read_rows(path, np.array(positions, np.int64), wanted).to_pylist()


def _spread(rows: int, number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.unique(np.linspace(0, max(rows - 1, 0), min(number, rows)).astype(np.int64))


def _ordered(folder: str, names: list[str], order: str, number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Positions, over all shards, of the first rows by a column; nulls last."""
    column = order.lstrip("-")
    paths = [f"{folder}/{name}.parquet" for name in names]
    _check_column(column, shards.read_schema(paths[0]))
    values = pa.concat_tables([batch for path in paths for batch in shards.read_batches(path, [column])])
    direction = "descending" if order.startswith("-") else "ascending"
    indices = pc.sort_indices(values, sort_keys=[(column, direction)])
    chosen: np.ndarray[Any, np.dtype[np.int64]] = indices.slice(0, number).to_numpy().astype(np.int64)
    return chosen


def _check_column(column: str, schema: pa.Schema) -> None:
    names = [field.name for field in schema if not pa.types.is_nested(field.type)]
    if column not in names:
        raise RecipeError(f"no column '{column}' to sort by; {nearest(column, names)}")


def _take(folder: str, names: list[str], sizes: list[int], positions: Any) -> Iterator[Row]:
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for position in positions:
        at = int(np.searchsorted(starts, position, side="right")) - 1
        path = f"{folder}/{names[at]}.parquet"
        row = np.array([position - starts[at]], np.int64)
        yield from shards.read_rows(path, row, shards.read_schema(path).names).to_pylist()


def _ledger(run: RunFolder, step: str, name: str, reason: str) -> Iterator[pa.Table]:
    for table in shards.read_batches(f"{run.path(step, 'rejected')}/{name}.parquet"):
        yield table.filter(pc.starts_with(table[REASON], reason)) if reason else table


def _with_shard(table: pa.Table, name: str) -> pa.Table:
    return table.append_column("shard", pa.array([name] * table.num_rows, pa.string()))
