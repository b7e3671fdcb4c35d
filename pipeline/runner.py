"""Runs a recipe's steps into the folders of a run: each once, resumable anywhere, one recipe per folder."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, get_type_hints

from pipeline import files, storage
from pipeline.dataset import Dataset
from pipeline.errors import (
    AlarmError,
    RecipeError,
    SchemaError,
    StaleRunError,
    StorageError,
    TaskFailedError,
    TooManyRejects,
    blamed,
    bugs_named,
)
from pipeline.executors import Executor
from pipeline.flow import Link
from pipeline.forget import refuse_interrupted, remembered
from pipeline.manifest import Counts, Identity, Manifest, canonical, check_same, totals
from pipeline.outside import check_outside, refuse_own
from pipeline.progress import Progress, Silent
from pipeline.recipe import Recipe, Step, is_files, is_outside
from pipeline.remote_settings import used
from pipeline.schema import FORGOTTEN
from pipeline.stage import Job, MapStage, Stage


@dataclass(frozen=True)
class Run:
    """A recipe, the folder it runs into, and who does the work."""

    recipe: Recipe
    folder: str
    executor: Executor
    progress: Progress = field(default_factory=Silent)
    say: Callable[[str], None] = print

    def run(self, to: str | None = None, redo: str | None = None, allow: Sequence[str] = ()) -> None:
        """Make every step, or `to` and those it needs; first delete `redo` and all that read it.

        The steps in `allow` finish in spite of their alarms.
        """
        for name in allow:
            self.recipe.step(name)
        wanted = self._wanted(to)
        doomed = [] if redo is None else [self.recipe.step(redo).name, *self.recipe.readers(redo)]
        with used(self.recipe.network, self.folder):
            refuse_own(self.recipe, self.folder)
            check_files(self.recipe)
            with storage.locked(self.folder):
                storage.sweep(self.folder)
                refuse_interrupted(self.folder)
                self._refuse_other_recipe(doomed)
                if doomed:
                    self._delete(doomed)
                storage.write_bytes(f"{self.folder}/recipe.toml", self.recipe.text.encode())
                try:
                    with self.progress:
                        for name in wanted:
                            self._run_step(self.recipe.steps[name], allow)
                finally:
                    self.executor.close()
                    storage.sweep(self.folder)

    def _wanted(self, to: str | None) -> list[str]:
        if to is None:
            return list(self.recipe.steps)
        if not self.recipe.step(to).materialize:
            raise RecipeError(
                f"step '{to}' says materialize = false, so its rows exist only inside the step that reads "
                "it; run --to that one, or take materialize = false out of the recipe"
            )
        needed = self.recipe.ancestors(to) | {to}
        return [name for name in self.recipe.steps if name in needed]

    def _delete(self, doomed: list[str]) -> None:
        """The readers before what they read, so that a kill half-way leaves no step without its inputs."""
        there = [name for name in doomed if storage.exists(self._folder(name))]
        self.say(f"--redo {doomed[0]}: deleting {', '.join(there) or 'nothing'}")
        for name in reversed(there):
            storage.remove_step(self._folder(name))

    def _refuse_other_recipe(self, doomed: list[str]) -> None:
        """Before any work: every folder that is there, and stays, must have been made by this recipe."""
        planned: dict[str, Identity] = {}
        for name, step in self.recipe.steps.items():
            folder = self._folder(name)
            if storage.names(folder) and not storage.exists(f"{folder}/{storage.IDENTITY}"):
                raise StaleRunError(
                    f"{folder} is there already, and it is no step's folder (it has no {storage.IDENTITY}); "
                    "choose another folder with --out, or rename the step"
                )
            for other in step.outside:
                planned[other] = _identity_in(other)
            digests = {key: [planned[other].digest for other in names] for key, names in step.inputs.items()}
            planned[name] = planned_identity(step, digests)
            old = None if name in doomed else Identity.load(folder)
            if old is not None:
                planned[name] = dataclasses.replace(
                    planned[name], whole=old.whole | self._whole_outside(step)
                )
                check_same(folder, old, planned[name])

    def _run_step(self, step: Step, allow: Sequence[str]) -> None:
        folder = self._folder(step.name)
        identity = self._identity(step)
        old = Identity.load(folder)
        if old is None:
            identity.save(folder)
        else:
            check_same(folder, old, identity)
        _note_places(folder, step)
        manifest = Manifest.load(folder)
        if not self._writes_shards(step) or (manifest and not incremental(step.stage)):
            return
        done = manifest.shards if manifest else _records(folder, "shards")
        if not _materialized(done):  # it was not then, and is to be now
            storage.remove_step(folder)
            identity.save(folder)
        chain = [*self._upstream(step), step]
        with _failures_logged(step.name, folder):
            self._run_chain(chain)
        for each in chain:
            self._finish(each, each.name in allow)

    def _run_chain(self, chain: list[Step]) -> None:
        """Run a step with the unmaterialized ones whose rows flow into it, first to last.

        The first one runs if it is a source, which files flow from; else the last one, which reads a dataset.
        """
        first, last = chain[0], chain[-1]
        step = first if first.stage.is_source() else last
        inputs = self._inputs(step)
        if step is not first:
            inputs |= {"documents": self._inputs(first)["documents"]}
        upstream = tuple(self._link(each) for each in chain[:-1] if step is last)
        downstream = tuple(self._link(each) for each in chain[1:] if step is first)
        folder, digest = self._folder(step.name), self._identity(step).digest
        job = Job(step.name, inputs, folder, self.executor, digest, upstream, downstream, self.progress)
        step.stage.run(dataclasses.replace(job, forgotten=remembered(self.folder)))

    def _finish(self, step: Step, allowed: bool) -> None:
        """Fold the task records into the manifest; it exists, so the step is done."""
        folder = self._folder(step.name)
        tasks = {part: _records(folder, part) for part in storage.names(f"{folder}/tasks")}
        identity = Identity.load(folder)
        assert identity is not None
        manifest = Manifest(identity.digest, tasks, totals(tasks))
        check_conserved(step.name, manifest.shards)
        self._check_passed_on(step, manifest)
        self._check_rejects(step.name, manifest.totals)
        if Manifest.load(folder) != manifest:
            if not allowed:
                _check_alarm(step, Dataset.unfinished(folder, manifest))
            manifest.save(folder)
        self.progress.finish(step.name)

    def _check_passed_on(self, step: Step, manifest: Manifest) -> None:
        """What the steps before kept has all come in here; SchemaError otherwise."""
        before = [Manifest.load(self._folder(name)) for name in step.inputs.get("documents", ())]
        if before and "rows_in" in manifest.totals:
            given = sum(each.totals["rows_out"] for each in before if each)
            gone = sum(each.totals["reasons"].get(FORGOTTEN, 0) for each in before if each)  # before or since
            if not given <= (rows := manifest.totals["rows_in"]) <= given + gone:
                raise SchemaError(
                    f"step '{step.name}': it was given {given} rows, but took in {rows}; this is a bug in "
                    f"the stage '{step.kind}'"
                )

    def _check_rejects(self, name: str, total: Counts) -> None:
        reasons: Mapping[str, int] = total.get("reasons", {})
        errors = {reason: rows for reason, rows in reasons.items() if reason.startswith("error:")}
        rows, bad = total.get("rows_in", 0), sum(errors.values())
        if bad > self.recipe.error_limit * rows:
            worst = max(errors, key=lambda reason: errors[reason])
            raise TooManyRejects(
                f"step '{name}': {bad:,} of {rows:,} records could not be read, mostly '{worst}'; look at "
                f"them with `pipeline show {self._folder(name)} --rejected`; if that is how your data is, "
                f"set error_limit = {min(1.0, bad / rows + 0.01):.2f} at the top of the recipe"
            )

    def _folder(self, name: str) -> str:
        return name if is_outside(name) else f"{self.folder}/{name}"

    def _writes_shards(self, step: Step) -> bool:
        """An unmaterialized step writes none, unless an earlier run that said otherwise finished it."""
        manifest = None if step.materialize else Manifest.load(self._folder(step.name))
        return step.materialize or (manifest is not None and _materialized(manifest.shards))

    def _upstream(self, step: Step) -> list[Step]:
        """The chain of unmaterialized steps whose rows flow into this one, first to last."""
        chain: list[Step] = []
        names = step.inputs.get("documents", ())
        while len(names) == 1 and names[0] in self.recipe.steps:
            before = self.recipe.steps[names[0]]
            if self._writes_shards(before):
                break
            chain.insert(0, before)
            names = before.inputs.get("documents", ())
        return chain

    def _link(self, step: Step) -> Link:
        assert isinstance(step.stage, MapStage)
        identity = self._identity(step)
        return Link(step.name, self._folder(step.name), step.stage, self._inputs(step), identity.digest)

    def _inputs(self, step: Step) -> dict[str, Dataset]:
        return {key: Dataset(*map(self._folder, names)) for key, names in step.inputs.items()}

    def _identity(self, step: Step) -> Identity:
        """With what the inputs are by now: their identities, and the contents of those read as a whole."""
        digests = {
            key: [identity.digest for identity in map(Identity.load, map(self._folder, names)) if identity]
            for key, names in step.inputs.items()
        }
        whole = {key: self._contents(step.inputs[key]) for key in _read_whole(step)}
        return dataclasses.replace(planned_identity(step, digests), whole=whole)

    def _whole_outside(self, step: Step) -> dict[str, str]:
        """The contents of what is read as a whole, where all of it comes from other runs and is there now."""
        return {
            key: self._contents(names)
            for key in _read_whole(step)
            if all(map(is_outside, names := step.inputs[key]))
        }

    def _contents(self, names: Iterable[str]) -> str:
        """A digest of all bytes of some datasets."""
        manifests = [Manifest.load(self._folder(name)) for name in names]
        contents = [manifest.contents for manifest in manifests if manifest]
        return storage.checksum_bytes(canonical(contents).encode())[:16]


def incremental(stage: Stage) -> bool:
    """Whether new files or shards need only tasks of their own: sources, map stages; others see the whole."""
    return isinstance(stage, MapStage) or stage.is_source()


def _read_whole(step: Step) -> list[str]:
    """The inputs of which a step sees all shards at once."""
    return [key for key in step.inputs if key != "documents" or not incremental(step.stage)]


def planned_identity(step: Step, inputs: dict[str, list[str]]) -> Identity:
    """What can be said of a step's identity before its inputs exist."""
    hints = get_type_hints(type(step.stage), include_extras=True)
    parameters, outside = {}, {}
    for f in dataclasses.fields(step.stage):  # type: ignore[arg-type]
        value = getattr(step.stage, f.name)
        if is_files(hints[f.name], files.SMALL):
            outside[f.name] = files.fingerprints(value)
        elif not is_files(hints[f.name]) and f.name not in step.stage.alarms:
            parameters[f.name] = value
    libraries = {name: version(name) for name in step.stage.libraries} | dict(step.stage.versions())
    return Identity(step.name, step.kind, step.stage.version, parameters, libraries, outside, inputs)


def check_files(recipe: Recipe) -> None:
    """What the recipe names of outside is there and of use to its stage; InputError or RecipeError if not."""
    for step in recipe.steps.values():
        check_outside(recipe, step)
        hints = get_type_hints(type(step.stage), include_extras=True)
        for f in dataclasses.fields(step.stage):  # type: ignore[arg-type]
            if is_files(hints[f.name]):
                with blamed(f"[steps.{step.name}] {f.name}:"):
                    files.expand(getattr(step.stage, f.name))
        with blamed(f"[steps.{step.name}]"):
            step.stage.check_files()


def check_conserved(name: str, records: Mapping[str, Mapping[str, Any]]) -> None:
    """rows in = rows kept + rows rejected, in every task; SchemaError otherwise."""
    for shard, record in records.items():
        counts = record["counts"]
        if "rows_in" in counts:
            rejected = sum(counts["reasons"].values())
            if counts["rows_in"] != counts["rows_out"] + rejected:
                raise SchemaError(
                    f"step '{name}', {shard}: {counts['rows_in']} rows in, but {counts['rows_out']} kept and "
                    f"{rejected} rejected; this is a bug in the stage"
                )


def _identity_in(folder: str) -> Identity:
    identity = Identity.load(folder)
    assert identity is not None  # check_outside saw it
    return identity


def _note_places(folder: str, step: Step) -> None:
    """Say where a step's inputs from other runs were: no result depends on it, `show` and `why` need it."""
    path, places = f"{folder}/{storage.PLACES}", {key: list(names) for key, names in step.inputs.items()}
    if step.outside and storage.read_json(path) != places:
        storage.write_json(path, places)


def _check_alarm(step: Step, dataset: Dataset) -> None:
    """Stop a step whose stage finds its result wrong; it has nothing left to do but to finish."""
    if what := step.stage.alarm(dataset):
        raise AlarmError(
            f"step '{step.name}': {what}; if that is right, run the same command with --allow {step.name}, "
            "and it goes on from here"
        )


def _materialized(shards: Mapping[str, Counts]) -> bool:
    return all(f"shards/{name}.parquet" in record["written"] for name, record in shards.items())


def _records(folder: str, part: str) -> dict[str, Counts]:
    names: Iterable[str] = storage.names(f"{folder}/tasks/{part}", ".json")
    return {name: storage.read_json(f"{folder}/tasks/{part}/{name}.json") for name in names}


@contextmanager
def _failures_logged(step: str, folder: str) -> Iterator[None]:
    """A failure names the step; the traceback of a bug goes to a file in the step's log."""
    try:
        with bugs_named("run"):
            yield
    except TaskFailedError as error:
        message = f"step '{step}', {error}"
        if error.trace:
            log = f"{folder}/log/traceback.txt"
            with suppress(StorageError):
                storage.write_bytes(log, error.trace.encode())
                message += (
                    f"; {log} says where; once that is mended, the same command does only what is missing"
                )
        raise TaskFailedError(message, error.trace) from error
