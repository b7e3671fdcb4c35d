"""What a stage is: a frozen dataclass whose fields are its parameters, and a `run` that makes one dataset.

Most stages are a `MapStage` and write only `process`. A source (extract, ingest) has no inputs: its items are
files.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from pipeline import files, storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, SchemaError, StaleRunError, TaskFailedError
from pipeline.executors import Executor, Tick
from pipeline.output import Output, record_path
from pipeline.progress import Progress, Silent
from pipeline.schema import REASON

T = TypeVar("T")

__all__ = ["Dataset", "Job", "MapStage", "Output", "Stage"]


class Stage:
    """A step's work. Subclasses are frozen dataclasses; their fields are checked when the recipe is read."""

    version: ClassVar[int] = 1  # raise it when the same parameters would now give another answer
    libraries: ClassVar[
        tuple[str, ...]
    ] = ()  # distributions whose installed versions are part of the identity
    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents"}  # name of the input -> kind of dataset
    optional: ClassVar[frozenset[str]] = frozenset()  # inputs that may be left out
    makes: ClassVar[str] = "documents"  # documents, tokens, model, grams, sequences
    replaces: ClassVar[frozenset[str]] = frozenset()  # columns it overwrites
    offsets: ClassVar[bool] = False  # it stores byte offsets into `text`

    def check_inputs(self, given: frozenset[str]) -> None:
        """Raise ValueError when the inputs that a recipe gives do not fit the fields."""

    def check_files(self) -> None:
        """Raise InputError or RecipeError when a file that the fields name is not what it should be.

        Called before anything runs, so that a bad tokenizer is not found out after a day; it should be quick.
        """

    def run(self, job: "Job") -> None:
        """Make the dataset in `job.folder` from `job.inputs`, by `job.map`."""
        raise NotImplementedError

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """Tables that `pipeline status` prints of the finished dataset: title -> rows."""
        return {}


class MapStage(Stage):
    """Looks at one batch of documents at a time and never moves, splits or drops rows."""

    drops: ClassVar[frozenset[str]] = frozenset()  # columns that the added ones stand for (encode: text)

    def adds(self) -> pa.Schema:
        """The columns this stage adds."""
        return pa.schema([])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Any:
        """What `process` needs besides the documents: a model, an index. Called once in each worker."""
        return None

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """The same rows in the same order with the columns of `adds`; a non-null `reason` rejects a row.

        `documents` has at most 1,024 rows.
        """
        raise NotImplementedError

    def run(self, job: "Job") -> None:
        """Process every shard of the input documents, each in a task of its own."""
        documents = job.inputs["documents"]
        links = (*job.upstream, Link(job.step, job.folder, self, job.inputs, job.identity))
        schemas = [documents.schema]
        for link in links:
            schemas.append(after(link.step, link.stage, schemas[-1]))
        job.map(
            "shards",
            partial(process_shard, links, schemas, documents),
            _names(documents),
            documents.contents,
        )


@dataclass(frozen=True)
class Link:
    """One map step in a chain of such that share a task."""

    step: str
    folder: str
    stage: MapStage
    inputs: Mapping[str, Dataset]
    identity: str  # digest


@dataclass(frozen=True)
class Job:
    """All that a running stage may touch: the datasets it reads, its own folder, and a resumable map."""

    step: str
    inputs: Mapping[str, Dataset]  # by the name of the input: documents, model, grams, …
    folder: str
    executor: Executor
    identity: str = ""  # digest
    upstream: tuple[Link, ...] = ()  # unmaterialized map steps whose rows flow into this one
    progress: Progress = field(default_factory=Silent)

    def map(
        self,
        part: str,
        fn: Callable[[T, Output], None],
        items: Mapping[str, T],
        reads: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Run fn(item, output) for each named item not yet done; each makes `<folder>/<part>/<name>.parquet`.

        `reads` says what each task reads, for its record (a source's items are files: name and size).
        Returns the paths by name, in the order of the items.
        """
        if reads is None:
            reads = {} if self.inputs else {name: _outside(path) for name, path in items.items()}
        folders = (*(link.folder for link in self.upstream), self.folder)
        done = set.intersection(*(set(storage.names(f"{at}/tasks/{part}", ".json")) for at in folders))
        self._refuse_other(part, done, items, reads)
        todo = {name: (name, item, reads.get(name)) for name, item in items.items() if name not in done}
        self.progress.start(self.step, part, len(items), len(items) - len(todo))
        task = partial(run_task, fn, self.folder, part)
        try:
            for name, cost in self.executor.map(task, todo, self.progress.tick):
                self.progress.done(name, cost)
                storage.append(
                    f"{self.folder}/log/tasks.jsonl", json.dumps({"task": f"{part}/{name}", **vars(cost)})
                )
        except TaskFailedError as error:
            raise TaskFailedError(f"{part}, {error}", error.trace) from error
        return {name: f"{self.folder}/{part}/{name}.parquet" for name in items}

    def files(self, patterns: Sequence[str], source: str, suffixes: Sequence[str] = ()) -> dict[str, str]:
        """The input files of a source stage: `<source>-<stem>` -> path."""
        return files.of_source(patterns, source, suffixes)

    def _refuse_other(
        self, part: str, done: set[str], items: Mapping[str, Any], reads: Mapping[str, Any]
    ) -> None:
        """What is done must still be wanted, and made of what is there now."""
        first = self.upstream[0].folder if self.upstream else self.folder
        remedy = f"run with --redo {self.step} to make the step again"
        if gone := sorted(done - set(items)):
            raise StaleRunError(
                f"{self.folder}: {gone[0]} is no longer among the inputs of this step; {remedy}"
            )
        for name in sorted(done & set(reads)):
            record = storage.read_json(record_path(first, part, name))
            if record["read"] != reads[name]:
                raise StaleRunError(f"{self.folder}: the input of {name} changed since it was read; {remedy}")


def run_task(
    fn: Callable[[Any, Output], None], folder: str, part: str, item: tuple[str, Any, Any], tick: Tick
) -> None:
    """Run one task and commit what it wrote."""
    name, value, read = item
    output = Output(folder, part, name, tick)
    output.read = read
    try:
        fn(value, output)
        output.commit()
    except BaseException:
        output.abandon()
        raise


def process_shard(
    links: tuple[Link, ...], schemas: Sequence[pa.Schema], documents: Dataset, name: str, output: Output
) -> None:
    """Send the batches of one shard through a chain of map stages; every link has its ledger and record."""
    *earlier, last = links
    outputs = [Output(link.folder, output.part, output.name) for link in earlier] + [output]
    outputs[0].read = documents.contents[name]
    try:
        writers = [
            each.documents(schema, keep=link is last)
            for link, each, schema in zip(links, outputs, schemas[1:], strict=True)
        ]
        loaded = _loaded(links)
        for batch in documents.batches(name):
            rows = batch
            for link, load, schema, writer in zip(links, loaded, schemas[1:], writers, strict=True):
                rows = writer.write(_checked(link, rows, link.stage.process(rows, load), schema))
        for each, following, writer in zip(outputs, outputs[1:], writers, strict=False):
            following.read = writer.content()
            each.commit()
    finally:
        for each in outputs[:-1]:
            each.abandon()


_cache: dict[tuple[str, str], Any] = {}  # what the links of the current task have loaded in this worker


def _loaded(links: tuple[Link, ...]) -> list[Any]:
    """What each link has loaded: once in a worker, and given up with the first task of another step."""
    keys = [(link.folder, link.identity) for link in links]
    for old in [key for key in _cache if key not in keys]:
        del _cache[old]
    for key, link in zip(keys, links, strict=True):
        if key not in _cache:
            _cache[key] = link.stage.load(link.step, link.inputs)
    return [_cache[key] for key in keys]


def after(step: str, stage: MapStage, before: pa.Schema) -> pa.Schema:
    """The columns of the documents after a stage."""
    adds = stage.adds()
    if clash := (set(before.names) & set(adds.names)) - stage.replaces:
        raise RecipeError(
            f"step '{step}': the documents already have a column '{min(clash)}', and this step would add it; "
            "leave one of the two steps out, or name its column differently"
        )
    kept = [f for f in before if f.name not in stage.drops]
    return pa.schema([*kept, *(f for f in adds if f.name not in before.names)])


def _checked(link: Link, before: pa.Table, result: pa.Table, schema: pa.Schema) -> pa.Table:
    """`result` in the order of `schema`, plus the reason; same documents as before or SchemaError."""
    names = set(result.column_names)
    what = f"step '{link.step}': {type(link.stage).__name__}.process"
    if missing := set(schema.names) - names:
        raise SchemaError(f"{what} returned no column '{min(missing)}'")
    if extra := names - set(schema.names) - {REASON} - link.stage.drops:
        raise SchemaError(f"{what} returned a column '{min(extra)}' that it does not declare in adds()")
    if not result["id"].equals(before["id"]):
        raise SchemaError(f"{what} moved, split or dropped rows: {before.num_rows} in, {result.num_rows} out")
    try:
        kept = result.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(f"{what} returned other types than it declares in adds(): {error}") from error
    return kept.append_column(REASON, result[REASON]) if REASON in names else kept


def _names(documents: Dataset) -> dict[str, str]:
    if not documents.shards:
        raise InputError(f"{documents} has no shards; look at what its step read: pipeline status")
    return {name: name for name in documents.shards}


def _outside(path: Any) -> list[str | int]:
    """A file from outside is known by its name and size."""
    return [path.rsplit("/", 1)[-1], storage.size(path)]
