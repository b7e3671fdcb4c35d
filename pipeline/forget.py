"""Take-down: the documents that a list names leave every step of a run, in place.

Their rows go from a step's shards to its ledger, as `forgotten`; what else shows them is written once more
without them (`Stage.erase`), or deleted where it was only needed on the way (`Stage.leftovers`). Identities
stay, and the digests by which steps know what they have read, so nothing that is done becomes stale.

All of it is tasks whose records lie in `.forgetting` in the run's folder, with the list, until this becomes
the run's `forgotten.txt`: what sources leave out from then on. So it may be killed anywhere, and resumed.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import storage
from pipeline.errors import InputError, StaleRunError
from pipeline.executors import Executor
from pipeline.forget_rows import may_quote, strings, texts_beside
from pipeline.hashing import UInt64s, hash_text
from pipeline.inspection import Row, RunFolder
from pipeline.manifest import Counts, Identity, Manifest, totals
from pipeline.output import Output, record_path
from pipeline.progress import Progress, Silent
from pipeline.recipe import Stages
from pipeline.shards import read_batches, read_schema
from pipeline.stage import Job, MapStage, Stage

LIST = "forgotten.txt"  # in a run's folder: what it has forgotten, one entry a line
JOURNAL = ".forgetting"  # there: a take-down that is under way
COUNTED = ("kept_rows", "rejected_rows", "mixture_rows", "tokens", "elsewhere")
_IDS = pa.schema([("id", pa.uint64())])
_FIND, _FORGET = "find", "forget"


class Named(Protocol):
    """What a list names; it goes to worker processes."""

    @property
    def ids(self) -> UInt64s:
        """Sorted hashes of the ids that it names as such."""

    def holds(self, documents: pa.Table) -> NDArray[np.bool_]:
        """Whether it names each document, by `id` and `url`."""


@dataclass(frozen=True)
class Gone:
    """The sorted hashes of the ids of all documents that go, in a file."""

    path: str
    contents: str

    def load(self) -> UInt64s:
        """Read them, once in a process."""
        return _read_ids(self.path, self.contents)


@dataclass(frozen=True)
class Made:
    """A step as it lies in the run's folder."""

    name: str
    folder: str
    stage: type[Stage]
    identity: Identity

    @property
    def shards(self) -> dict[str, str]:
        """Names of the shards that are done."""
        names = storage.names(f"{self.folder}/tasks/shards", ".json")
        return {name: name for name in names}

    @property
    def is_done(self) -> bool:
        """Whether it has a manifest."""
        return storage.exists(f"{self.folder}/manifest.json")

    @property
    def holds_documents(self) -> bool:
        """With ids and URLs."""
        return self.stage.makes in ("documents", "tokens")

    @property
    def saw_whole(self) -> bool:
        """Whether it is no step that works shard by shard."""
        return not (issubclass(self.stage, MapStage) or self.stage.is_source())


def remembered(folder: str) -> str:
    """The list of what a run has forgotten; empty if there is none."""
    path = f"{folder}/{LIST}"
    return path if storage.exists(path) else ""


def refuse_interrupted(folder: str) -> None:
    """A run of which a part has forgotten what the others have not: StaleRunError."""
    if storage.exists(f"{folder}/{JOURNAL}/{LIST}"):
        raise StaleRunError(
            f"{folder}: `pipeline forget` was stopped here before it was done; end it with "
            f"`pipeline forget {folder}`"
        )


Found = Mapping[str, Mapping[str, Counts]]  # by step and shard: what shows documents that go


@dataclass(frozen=True)
class TakeDown:
    """A run's folder, and who does the work. `read` makes of files what they name."""

    folder: str
    stages: Stages
    read: Callable[[Sequence[str]], Named]
    executor: Executor
    progress: Progress = field(default_factory=Silent)
    say: Callable[[str], None] = print

    def preview(self, entries: Iterable[str]) -> list[Row]:
        """What would go: a row for each step that shows something. Nothing is changed."""
        steps = self._steps()
        with storage.locked(self.folder), closing(self.executor), tempfile.TemporaryDirectory() as journal:
            self._begin(entries, journal)
            with self.progress:
                _, found = self._look(steps, journal)
        return rows_of(found)

    def run(self, entries: Iterable[str]) -> list[Row]:
        """Forget what the entries name, and what the run was told to forget before; the same table.

        One that was stopped is ended first, by its own list.
        """
        self._steps()  # is it a run at all?
        journal, wanted = f"{self.folder}/{JOURNAL}", set(entries)
        with storage.locked(self.folder), closing(self.executor), self.progress:
            storage.sweep(self.folder)
            rows: list[Row] = []
            if storage.exists(f"{journal}/{LIST}"):
                rows = self._finish(journal)
                if wanted <= set(_lines(remembered(self.folder))):
                    return rows
            storage.remove_files(journal)
            self._begin(wanted, journal)
            return rows + self._finish(journal)

    def _begin(self, entries: Iterable[str], journal: str) -> None:
        lines = sorted({*_lines(remembered(self.folder)), *entries})
        if not lines:
            raise InputError(
                f"no list names anything, and {self.folder} was never told to forget anything; name a list "
                "of ids, URLs or domains with --urls, one a line"
            )
        storage.write_bytes(f"{journal}/{LIST}", "".join(f"{line}\n" for line in lines).encode())

    def _finish(self, journal: str) -> list[Row]:
        """Everything that is not done yet; the list becomes the run's at the end."""
        steps = self._steps()
        gone, found = self._look(steps, journal)
        near = [step for step in steps if touched(step, steps, found)]
        for step in steps:
            if step in near or not step.saw_whole:  # what is not done has been looked into by nobody
                tidy(step)
        for step in self._steps():
            self._rewrite(step, gone, found[step.name], journal)
            if step in near and step.saw_whole:
                self._rewrite_others(step, gone, journal)
        self._tell(near)
        storage.write_bytes(f"{self.folder}/{LIST}", storage.read_bytes(f"{journal}/{LIST}"))
        storage.discard(f"{journal}/{LIST}")
        storage.remove_files(journal)
        return rows_of(found)

    def _steps(self) -> list[Made]:
        """Every step's folder: those of the recipe in its order, then those that it no longer has."""
        order = list(RunFolder.open(self.folder, self.stages).recipe.steps)
        others = [name for name in storage.folders(self.folder) if name not in order]
        steps = []
        for name in (*order, *others):
            folder = f"{self.folder}/{name}"
            if identity := Identity.load(folder):
                if identity.stage not in self.stages:
                    raise StaleRunError(
                        f"{folder} was made by a stage '{identity.stage}' that is not known here, and so "
                        "is what shows documents in it; delete it, or use the version that made it"
                    )
                steps.append(Made(name, folder, self.stages[identity.stage], identity))
        return steps

    def _look(self, steps: Sequence[Made], journal: str) -> tuple[Gone, Found]:
        """Find the documents, then what else shows them."""
        named = self.read([f"{journal}/{LIST}"])
        paths: list[str] = []
        for step in steps:
            if step.holds_documents:
                task = partial(find, named, step.stage, step.folder)
                paths += self._find(step, task, journal)
        every = self._job("ids", f"{journal}/.all").map(
            "add up", partial(gather, named), {"ids": tuple(paths)}, {}
        )
        gone = Gone(every["ids"], storage.checksum(every["ids"]))
        for step in steps:
            if not step.holds_documents:
                self._find(step, partial(trace, step.stage, gone, step.folder), journal)
        return gone, {step.name: _counts(f"{journal}/{step.name}") for step in steps}

    def _find(self, step: Made, task: Callable[[str, Output], None], journal: str) -> Iterable[str]:
        """What is found in each shard; also in those that a kill kept from being deleted wholly."""
        done = storage.names(f"{journal}/{step.name}/tasks/{_FIND}", ".json")
        shards = step.shards | {name: name for name in done}
        return self._job(step.name, journal).map(_FIND, task, shards, {}).values()

    def _rewrite(self, step: Made, gone: Gone, found: Mapping[str, Counts], journal: str) -> None:
        """The shards that show something, and the manifest."""
        names = [name for name, counts in found.items() if any(counts.values())]
        self._erase(step, "shards", names, gone, journal)
        if names:
            fold(step.folder)

    def _rewrite_others(self, step: Made, gone: Gone, journal: str) -> None:
        """What else a step has written that saw all documents: texts beside the shards, reports."""
        parts = [part for part in storage.folders(f"{step.folder}/tasks") if part != "shards"]
        for part in parts:
            names = storage.names(f"{step.folder}/tasks/{part}", ".json")
            if names and may_quote(step.folder, part, names[0]):
                self._erase(step, part, names, gone, journal)
        if parts:
            fold(step.folder)

    def _erase(self, step: Made, part: str, names: Sequence[str], gone: Gone, journal: str) -> None:
        if names:
            task = partial(rewrite, step.stage, gone, step.folder)
            items = {name: f"{part}/{name}" for name in names}
            self._job(step.name, journal).map(f"{_FORGET}-{part}", task, items, {})

    def _job(self, step: str, journal: str) -> Job:
        return Job(step, {}, f"{journal}/{step}", self.executor, progress=self.progress)

    def _tell(self, near: Sequence[Made]) -> None:
        """What forgetting cannot undo, and the command that can."""
        learnt = [step.name for step in near if step.saw_whole and step.stage.makes != "sequences"]
        if learnt:
            self.say(
                f"{', '.join(learnt)}: made of all documents, and kept as they are, with what they learnt or "
                "decided (a duplicate of a forgotten document stays removed). To make one again without it, "
                f"with all that reads it: pipeline run RECIPE --out {self.folder} --redo {learnt[0]}"
            )


def find(named: Named, stage: type[Stage], folder: str, name: str, output: Output) -> None:
    """The documents of one shard and its ledger that are named; read are ids, URLs and a ledger's strings."""
    writer, kept, rejected, tokens = output.table(_IDS), 0, 0, 0
    for part in ("shards", "rejected"):
        path = f"{folder}/{part}/{name}.parquet"
        if not storage.exists(path):  # its rows flowed on
            continue
        schema = read_schema(path)
        more = (
            strings(schema, stage.evidence)
            if part == "rejected"
            else [*({"token_count"} & set(schema.names))]
        )
        for batch in read_batches(path, ["id", "url", *more]):
            rows = batch.filter(pa.array(named.holds(batch)))
            writer.write(pa.table([hash_text(rows["id"])], schema=_IDS))
            if part == "shards":
                kept += rows.num_rows
                tokens += (pc.sum(rows["token_count"]).as_py() or 0) if more else 0
            else:
                told = [rows[each].is_valid().to_numpy() for each in more]
                rejected += int(np.any(told, axis=0).sum()) if told else 0
            output.tick(batch.num_rows, batch.nbytes)
    elsewhere = 0
    for part in texts_beside(folder, "shards", name):
        for batch in read_batches(f"{folder}/{part}/{name}.parquet", ["id", "url"]):
            elsewhere += int(named.holds(batch).sum())
    output.count(kept_rows=kept, rejected_rows=rejected, tokens=tokens, elsewhere=elsewhere)


def gather(named: Named, found: Sequence[str], output: Output) -> None:
    """All that was found, and the ids that are listed: a mixture may show what no other step still has."""
    ids = [batch["id"].to_numpy() for path in found for batch in read_batches(path)]
    table = pa.table([np.unique(np.concatenate([named.ids, *ids]))], _IDS)
    output.table(_IDS, group_rows=1 << 16).write(table)


def trace(stage: type[Stage], gone: Gone, folder: str, name: str, output: Output) -> None:
    """What a shard of no documents shows of those that go."""
    output.count(**stage.traces(folder, name, gone.load()))


def rewrite(stage: type[Stage], gone: Gone, folder: str, task: str, output: Output) -> None:
    """What one task wrote without them, and its record; `output` is the journal's."""
    part, _, name = task.partition("/")
    new = Output(folder, part, name, output.tick)
    try:
        if stage.erase(folder, task, gone.load(), new):
            new.amend()
    except BaseException:
        new.abandon()
        raise


def fold(folder: str) -> None:
    """The task records into the manifest of a step that is done."""
    manifest = Manifest.load(folder)
    if manifest:
        tasks = {
            part: {name: storage.read_json(record_path(folder, part, name)) for name in names}
            for part, names in manifest.tasks.items()
        }
        Manifest(manifest.identity, tasks, totals(tasks)).save(folder)


def touched(step: Made, steps: Sequence[Made], found: Found) -> bool:
    """Whether the step shows documents that go, or has read some that do, or what was cut of them."""
    read = {digest for digests in step.identity.inputs.values() for digest in digests}
    given = (found[each.name] for each in steps if each.identity.digest in read)
    return any(any(counts.values()) for counts in found[step.name].values()) or any(
        counts["kept_rows"] or counts["elsewhere"] for shards in given for counts in shards.values()
    )


def tidy(step: Made) -> None:
    """Delete what is of no more use, and what is not done: with texts, or rows that are counted elsewhere."""
    if step.saw_whole and (step.stage.remade or not step.is_done):
        storage.remove_step(step.folder)
    elif step.saw_whole:
        for part in sorted(step.stage.leftovers):
            storage.remove_files(f"{step.folder}/{part}")
    elif step.holds_documents:
        for part in sorted({*storage.folders(step.folder)} - {"tasks", "log"}):
            for file in storage.names(f"{step.folder}/{part}"):
                if not _names_of(file) & step.shards.keys():
                    storage.discard(f"{step.folder}/{part}/{file}")


def _names_of(file: str) -> set[str]:
    """What may be the name of the task that wrote a file: all before one of its points."""
    parts = file.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def rows_of(found: Found) -> list[Row]:
    """A row for each step that shows something."""
    rows = [
        {"step": step} | {column: sum(each[column] for each in shards.values()) for column in COUNTED}
        for step, shards in found.items()
    ]
    return [row for row in rows if any(row[column] for column in COUNTED)]


def _counts(folder: str) -> dict[str, Counts]:
    """What was found, by shard."""
    records = {
        name: storage.read_json(record_path(folder, _FIND, name))
        for name in storage.names(f"{folder}/tasks/{_FIND}", ".json")
    }
    return {
        name: {column: record["counts"].get(column, 0) for column in COUNTED}
        for name, record in records.items()
    }


def _lines(path: str) -> list[str]:
    return storage.read_bytes(path).decode().splitlines() if path else []


@lru_cache(maxsize=1)
def _read_ids(path: str, contents: str) -> UInt64s:
    return np.concatenate([np.empty(0, np.uint64), *(batch["id"].to_numpy() for batch in read_batches(path))])
