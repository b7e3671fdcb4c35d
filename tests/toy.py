"""Small real stages for the engine tests: a source of lines, maps, a stage that sees the whole."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline
from pipeline.files import Files, SmallFiles
from pipeline.hashing import hash_text, uniform
from pipeline.output import Output
from pipeline.progress import Progress, Silent
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT, REASON, aligned, with_column
from pipeline.stage import Job, MapStage, Stage


@dataclass(frozen=True)
class Lines(Stage):
    """One document a line; an empty line is rejected.

    Fields:
        files: text files
        source: name of the source
    """

    files: Files
    source: str = "toy"
    inputs: ClassVar[Mapping[str, str]] = {}

    def run(self, job: Job) -> None:
        job.map("shards", self.read, job.files(self.files, self.source))

    def read(self, path: str, output: Output) -> None:
        writer = output.documents(DOCUMENT)
        stem = os.path.basename(path).removesuffix(".txt")
        lines = Path(path).read_text().splitlines()
        for start in range(0, len(lines), 100):
            rows = [
                {
                    "id": f"{self.source}/{stem}/{n}",
                    "source": self.source,
                    "url": f"http://a.example/{n}",
                    "text": line,
                }
                for n, line in enumerate(lines[start : start + 100], start)
            ]
            table = aligned(pa.Table.from_pylist(rows), DOCUMENT)
            blank = pc.equal(pc.utf8_length(table["text"]), 0)
            reasons = pc.if_else(blank, "empty", pa.scalar(None, pa.string()))
            writer.write(with_column(table, REASON, reasons))


@dataclass(frozen=True)
class Sift(MapStage):
    """Keep a random share of documents.

    Fields:
        share: of the documents to keep
        column: name of the column with the draw
    """

    share: float = 0.5
    column: str = "draw"
    seed: int = 0
    words: SmallFiles = ()

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share = {self.share} must lie between 0 and 1")

    def adds(self) -> pa.Schema:
        return pa.schema([(self.column, pa.float64())])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Any:
        return f"{step}/draw"

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        draws = uniform(self.seed, loaded, hash_text(documents["text"]))
        reasons = pa.array(["draw" if draw >= self.share else None for draw in draws], pa.string())
        return with_column(with_column(documents, self.column, draws), REASON, reasons)


@dataclass(frozen=True)
class Shout(MapStage):
    """Upper case; `die` is the text at which the worker process dies, `fail` at which the stage raises."""

    die: str = ""
    fail: str = ""
    once: str = ""
    replaces: ClassVar[frozenset[str]] = frozenset({"text"})

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        texts = set(documents["text"].to_pylist())
        if self.die in texts and not (self.once and os.path.exists(self.once)):
            if self.once:
                Path(self.once).touch()
            os._exit(7)
        if self.fail in texts:
            raise RuntimeError("a bug")
        return with_column(documents, "text", pc.utf8_upper(documents["text"]))


@dataclass(frozen=True)
class Total(Stage):
    """Counts all documents of all shards; sees the whole."""

    makes: ClassVar[str] = "model"

    def run(self, job: Job) -> None:
        counted = job.map("counts", self.count, job.inputs["documents"].shards)
        job.map("shards", self.add, {"total": list(counted.values())})

    def count(self, path: str, output: Output) -> None:
        rows = pa.parquet.read_metadata(path).num_rows
        output.table(pa.schema([("rows", pa.int64())])).write(pa.table({"rows": [rows]}))

    def add(self, paths: list[str], output: Output) -> None:
        rows = sum(pa.parquet.read_table(path)["rows"][0].as_py() for path in paths)
        output.table(pa.schema([("rows", pa.int64())])).write(pa.table({"rows": [rows]}))
        output.side("card.json", json.dumps({"rows": rows}).encode())


STAGES = {"lines": Lines, "sift": Sift, "shout": Shout, "total": Total}

RECIPE = """
seed = 3
[steps.total]
stage = "total"
documents = ["loud", "few"]
[steps.loud]
stage = "shout"
documents = "half"
[steps.few]
stage = "sift"
documents = "other"
share = 0.25
[steps.half]
stage = "sift"
documents = "lines"
materialize = MATERIALIZE
[steps.lines]
stage = "lines"
files = "in/*.txt"
[steps.other]
stage = "lines"
files = "in/a.txt"
source = "other"
"""


def write_inputs(folder: Path, names: str = "abcde") -> None:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for name in names:
        lines = [f"line {n} of {name}" if n % 7 else "" for n in range(1, 300 + 50 * ord(name) % 701)]
        (folder / "in" / f"{name}.txt").write_text("\n".join(lines))


def run(
    folder: Path,
    text: str = RECIPE.replace("MATERIALIZE", "true"),
    out: str = "out",
    executor: Executor | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> Path:
    """Run a recipe whose files lie in `folder`; returns the run folder."""
    recipe = parse(text.encode(), "toy", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), progress or Silent(), say=lambda line: None).run(
        **how
    )
    return folder / out


def contents(run_folder: Path) -> dict[str, bytes]:
    """Every file that must be the same in every run: all but the logs and the lock."""
    return {
        str(path.relative_to(run_folder)): path.read_bytes()
        for path in sorted(run_folder.rglob("*"))
        if path.is_file() and "log" not in path.parts and path.name != ".lock"
    }
