"""What a stage is: a frozen dataclass whose fields are its parameters, and a `run` that makes one dataset.

Most stages are a `MapStage` and write only `process`. A source (extract, ingest, links) takes no documents
in: its items are files.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from pipeline import files, remote, storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, StaleRunError, TaskFailedError
from pipeline.executors import Executor, Tick
from pipeline.flow import Flow, Link, after
from pipeline.forget_rows import erase_texts, forget_rows
from pipeline.hashing import UInt64s
from pipeline.output import Output, record_path
from pipeline.progress import Progress, Silent

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
    makes: ClassVar[str] = "documents"  # or tokens, model, grams, tokenizer, sequences, links, addresses
    replaces: ClassVar[frozenset[str]] = frozenset()  # columns it overwrites
    offsets: ClassVar[bool] = False  # it stores byte offsets into `text`
    leftovers: ClassVar[frozenset[str]] = frozenset()  # parts that tell what is in documents and are of no
    # use once the step is done: `pipeline forget` deletes them
    remade: ClassVar[bool] = False  # a report: `pipeline forget` deletes it, the next run makes it again
    evidence: ClassVar[frozenset[str]] = frozenset()  # strings of its ledger that name other documents: kept
    alarms: ClassVar[frozenset[str]] = (
        frozenset()
    )  # fields that only `alarm` reads: no result depends on them

    @classmethod
    def is_source(cls) -> bool:
        """Whether it takes no documents in: its items are files.

        New files need but tasks of their own; a source that must see all of them at once (links, locate) has
        a task that reads their names, so that more are refused.
        """
        return not {"documents", "tokens"} & set(cls.inputs.values())

    def versions(self) -> Mapping[str, str]:
        """Of what else decides the result by these fields, such as a model of ours: name -> version."""
        return {}

    def check_inputs(self, given: frozenset[str]) -> None:
        """Raise ValueError when the inputs that a recipe gives do not fit the fields."""

    def check_files(self) -> None:
        """Raise InputError or RecipeError when a file that the fields name is not what it should be.

        Called before anything runs, so that a bad tokenizer is not found out after a day; it should be quick.
        """

    def preview(self) -> Mapping[str, list[dict[str, Any]]]:
        """Tables that `pipeline check` prints of the stage before anything runs: title -> rows."""
        return {}

    def run(self, job: "Job") -> None:
        """Make the dataset in `job.folder` from `job.inputs`, by `job.map`."""
        raise NotImplementedError

    def alarm(self, dataset: Dataset) -> str | None:
        """What looks wrong with the dataset, and how to look at it; None if nothing does.

        Asked when all tasks of the step are done, before it counts as finished. The run then stops, and goes
        on with `--allow` and the step's name.
        """
        return None

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """Tables that `pipeline status` prints of the finished dataset: title -> rows."""
        return {}

    @classmethod
    def traces(cls, folder: str, name: str, gone: UInt64s) -> Mapping[str, int]:
        """For `pipeline forget`, of a stage that makes no documents: what a shard shows of some documents.

        `gone` are the sorted hashes of their ids. Keys are those of `forget.COUNTED`.
        """
        return {}

    @classmethod
    def erase(cls, folder: str, task: str, gone: UInt64s, output: Output) -> bool:
        """Write what a task (`<part>/<name>`) wrote once more to `output`, without some documents.

        Only the files that are to change, and the counts of its record; whether there are any. Killed and run
        again, also on what the first time has written of it, it must end in the same bytes.
        """
        part, _, name = task.partition("/")
        if part == "shards" and cls.makes in ("documents", "tokens"):
            forget_rows(folder, name, gone, cls.evidence, output)
            return True
        return erase_texts(folder, part, name, gone, output)


class MapStage(Stage):
    """Looks at one batch of documents at a time and never moves, splits or drops rows."""

    drops: ClassVar[frozenset[str]] = frozenset()  # columns that the added ones stand for (encode: text)

    def adds(self) -> pa.Schema:
        """The columns this stage adds."""
        return pa.schema([])

    def adds_from(self, inputs: Mapping[str, Dataset]) -> pa.Schema:
        """The same, for a stage whose columns have types that depend on what it reads."""
        return self.adds()

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Any:
        """What `process` needs besides the documents: a model, an index. Called once in each worker."""
        return None

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """The same rows in the same order with the columns of `adds`; a non-null `reason` rejects a row.

        `documents` has at most 1,024 rows.
        """
        raise NotImplementedError

    def judge(self, documents: pa.Table) -> Mapping[str, Mapping[str, Any]]:
        """For `pipeline forecast`: group -> rule -> a mask of the rows that this rule rejects.

        `documents` has the columns of `adds`, and no others. All rules, also those that the fields leave out.
        """
        return {}

    def save(self, documents: pa.Table, output: Output) -> pa.Table:
        """For a stage that makes a file beside the shard (`output.file`): what `process` returned, once more.

        Called batch by batch, in order, within the task. Returns the same rows, with what is to be known of
        their places in that file.
        """
        return documents

    def run(self, job: "Job") -> None:
        """Process every shard of the input documents, each in a task of its own."""
        documents = job.inputs["documents"]
        links = (*job.upstream, Link(job.step, job.folder, self, job.inputs, job.identity))
        schema = documents.schema
        for link in links:  # what does not fit is refused before a task starts
            schema = after(link, schema)
        job.map("shards", partial(process_shard, links, documents), _names(documents), documents.contents)


@dataclass(frozen=True)
class Job:
    """All that a running stage may touch: the datasets it reads, its own folder, and a resumable map."""

    step: str
    inputs: Mapping[str, Dataset]  # by the name of the input: documents, model, grams, …
    folder: str
    executor: Executor
    identity: str = ""  # digest
    upstream: tuple[Link, ...] = ()  # unmaterialized map steps whose rows flow into this one
    downstream: tuple[Link, ...] = ()  # map steps into which those of this one, a source, flow
    progress: Progress = field(default_factory=Silent)
    forgotten: str = ""  # the run's list of what it has forgotten, if there is one; sources leave it out

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
        folders = (self.folder, *(link.folder for link in (*self.upstream, *self.downstream)))
        done = set.intersection(*(set(storage.names(f"{at}/tasks/{part}", ".json")) for at in folders))
        self._refuse_other(part, done, items, reads)
        todo = {name: (name, item, reads.get(name)) for name, item in items.items() if name not in done}
        self.progress.start(self.step, part, len(items), len(items) - len(todo))
        task = partial(run_task, fn, self.folder, part, self.downstream)
        try:
            for name, cost in self.executor.map(task, todo, self.progress.tick):
                self.progress.done(name, cost)
                storage.append(
                    f"{self.folder}/log/tasks.jsonl", json.dumps({"task": f"{part}/{name}", **vars(cost)})
                )
        except TaskFailedError as error:
            raise TaskFailedError(f"{part}, {error}", error.trace) from error
        return {name: f"{self.folder}/{part}/{name}.parquet" for name in items}

    def discard(self, *parts: str) -> None:
        """Delete the files of parts that all who read them are done with; their task records stay.

        So a part is never made again; call it when the `map` that reads it has returned.
        """
        for part in parts:
            storage.remove_files(f"{self.folder}/{part}")

    def map_files(
        self, part: str, fn: Callable[[str, Output], None], paths: Mapping[str, str]
    ) -> dict[str, str]:
        """The same for files from outside, which each task reads one of."""
        return self.map(part, fn, paths, {name: _outside(path) for name, path in paths.items()})

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
            if not _same_input(record["read"], reads[name]):
                raise StaleRunError(f"{self.folder}: the input of {name} changed since it was read; {remedy}")


def run_task(
    fn: Callable[[Any, Output], None],
    folder: str,
    part: str,
    downstream: Sequence[Link],
    item: tuple[str, Any, Any],
    tick: Tick,
) -> None:
    """Run one task and commit what it wrote, and what became of it downstream."""
    name, value, read = item
    flow = Flow(downstream, [Output(link.folder, part, name) for link in downstream])
    output = Output(folder, part, name, tick, flow if downstream else None)
    try:
        output.read = _outside(value, ask=True) if _is_unasked(read) else read
        fn(value, output)
        output.commit()
        if downstream:
            flow.settle(output.content())
            flow.outputs[-1].commit()
    except BaseException:
        output.abandon()
        flow.abandon()
        raise


def process_shard(links: Sequence[Link], documents: Dataset, name: str, output: Output) -> None:
    """Send the batches of one shard through a chain of map stages."""
    flow = Flow(links, [*(Output(link.folder, output.part, name) for link in links[:-1]), output])
    try:
        flow.open(documents.schema)
        for batch in documents.batches(name):
            flow.push(batch)
        flow.settle(documents.contents[name])
    except BaseException:
        flow.abandon()
        raise


def _names(documents: Dataset) -> dict[str, str]:
    if not documents.shards:
        raise InputError(f"{documents} has no shards; look at what its step read: pipeline status")
    return {name: name for name in documents.shards}


def _outside(path: Any, ask: bool = False) -> list[str | int | None]:
    """A file from outside is known by its name and size.

    The size of one behind a network is None until its task asks for it: a crawl has 90,000 of them.
    """
    known = ask or not remote.is_remote(path)
    return [files.basename(path), storage.size(path) if known else None]


def _is_unasked(read: Any) -> bool:
    return isinstance(read, list) and read[-1] is None


def _same_input(read: Any, now: Any) -> bool:
    """Whether a task read what is there now, as far as that is known without asking."""
    return bool(read[:-1] == now[:-1] if _is_unasked(now) else read == now)
