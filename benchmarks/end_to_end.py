"""What does the whole recipe cost? CPU per HTML page and step, beside a bare loop over the same pages.

python -m benchmarks.end_to_end WARC... [--seconds 60] [--workers 1] [--keep 0.3] [--engine winnow ...]

The given pages are varied (see benchmarks/variations.py) until the bare loop has work for --seconds. The
recipe is GPT-3's, with configs/tiny for curated texts (varied too, one for every 20 pages) and benchmarks.
The bare loop reads half of the WARCs before the recipe runs and half after it, so that both see the same
machine. The crawl's row is all that `extract` does: reading, gzip, charsets, main text by the first --engine,
the child that is watched, Parquet. By further engines the crawl alone is extracted, in the same run.

Start-up is what a step costs before its first page: interpreters, imports, models, kernels. It is found by
running the recipe on a few pages too: what grows with the pages is cost per page, what does not is start-up.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.bare_loop import Looped, bare_loop
from benchmarks.variations import write_texts, write_warcs
from pipeline.dataset import Dataset
from pipeline.executors import Cost, Processes
from pipeline.progress import Progress
from pipeline.recipe import load
from pipeline.runner import Run
from stages import STAGES
from stages.count_grams import read_examples

T = TypeVar("T")

TINY = Path(__file__).parent.parent / "configs" / "tiny"
CURATED = {"books": "books.jsonl", "wiki": "wiki.jsonl.gz", "webtext": "web.jsonl"}
LOOK = 2.0  # seconds of the bare loop from which its speed is guessed
PAGES_PER_TEXT = 20  # HTML responses for each curated document
PAGES_PER_WARC = 5_000
FEW = 60  # records that are varied for the run on a few pages,
FEW_VARIATIONS = 10  # so often

RECIPE = """
seed = 7

[steps.crawl]
stage = "extract"
warcs = "crawl/*.warc.gz"
engine = "{engine}"

[steps.books]
stage = "ingest"
source = "books"
files = "books.jsonl"

[steps.wiki]
stage = "ingest"
source = "wiki"
files = "wiki.jsonl"

[steps.webtext]
stage = "ingest"
source = "webtext"
files = "webtext.jsonl"

[steps.tagged]
stage = "language"
documents = "crawl"

[steps.classifier]
stage = "train_quality"
positives = ["webtext", "wiki", "books"]
crawl = "tagged"

[steps.good]
stage = "quality"
documents = "tagged"
model = "classifier"
keep = "top_share"
top_share = {keep}

[steps.unique]
stage = "deduplicate"
documents = ["webtext", "wiki", "books", "good"]

[steps.grams]
stage = "count_grams"
documents = "unique"
benchmarks = "benchmark.jsonl"

[steps.clean]
stage = "decontaminate"
documents = "unique"
grams = "grams"

[steps.tokens]
stage = "encode"
documents = "clean"

[steps.mixture]
stage = "mix"
documents = "tokens"
epochs = {{ cc = 1, webtext = 2.9, books = 1.9, wiki = 3.4 }}
"""
ALONE = "crawl-"  # and an engine: a step that no other reads
EXTRACT = """
[steps.{step}]
stage = "extract"
warcs = "crawl/*.warc.gz"
engine = "{engine}"
"""


@dataclass
class StepCost:
    """CPU seconds of all processes, and the most memory that a worker had taken by then."""

    seconds: float = 0.0
    peak_bytes: int = 0


class Meter(Progress):
    """Adds up what each step costs; what the parent process does between two steps is the latter's."""

    def __init__(self) -> None:
        self.steps: dict[str, StepCost] = {}
        self._step = ""
        self._parent = 0.0

    def start(self, step: str, part: str, total: int, done: int) -> None:
        self._step = step
        self.steps.setdefault(step, StepCost())

    def done(self, name: str, cost: Cost) -> None:
        step = self.steps[self._step]
        step.seconds += cost.cpu_seconds
        step.peak_bytes = max(step.peak_bytes, cost.peak_bytes)

    def finish(self, step: str) -> None:
        now = time.process_time()
        self.steps[step].seconds += now - self._parent
        self._parent = now


@dataclass(frozen=True)
class Measured:
    """A run of the recipe."""

    pages: int
    steps: Mapping[str, StepCost]
    facts: Mapping[str, Any]


def main(
    warcs: Annotated[list[str], typer.Argument(metavar="WARC...")],
    seconds: Annotated[float, typer.Option(help="how long the bare loop shall take")] = 60.0,
    workers: Annotated[int, typer.Option(help="worker processes of the recipe")] = 1,
    keep: Annotated[float, typer.Option(help="share of the pages that the quality model keeps")] = 0.3,
    engine: Annotated[list[str] | None, typer.Option(help="by winnow, if not said; may be repeated")] = None,
) -> None:
    """Print what each step of the recipe costs per page, beside a bare extraction loop."""
    console = Console(width=None if Console().is_terminal else 110)
    first, *others = dict.fromkeys(engine or ["winnow"])
    recipe = RECIPE.format(keep=keep, engine=first)
    recipe += "".join(EXTRACT.format(step=ALONE + other, engine=other) for other in others)
    with tempfile.TemporaryDirectory(prefix="winnow-benchmark-") as folder:
        look = alone(bare_loop, warcs)
        if not look.pages:
            raise typer.BadParameter("no HTML response with status 200 in these files")
        longer = alone(bare_loop, warcs * math.ceil(LOOK / look.seconds))
        variations = math.ceil(1.05 * seconds * longer.pages / longer.seconds / look.pages)
        console.print(f"{look.pages:,} pages; writing {variations} variations of each")
        few = alone(write_input, warcs, f"{folder}/few", FEW_VARIATIONS, recipe, FEW)
        many = alone(write_input, warcs, f"{folder}/many", variations, recipe, None)
        console.print("running the recipe on a few of them, then on all")
        alone(run_recipe, f"{folder}/few", workers, few)  # fills the cache of compiled kernels
        small = alone(run_recipe, f"{folder}/few", workers, few)
        paths = sorted(map(str, Path(folder, "many/crawl").glob("*.warc.gz")))
        before = alone(bare_loop, paths[::2])
        large = alone(run_recipe, f"{folder}/many", workers, many)
        after = alone(bare_loop, paths[1::2])
    bare = Looped(*map(sum, zip(before, after, strict=True)))
    console.print(table(small, large, bare))
    console.print(" · ".join(f"{name} {value}" for name, value in large.facts.items()), highlight=False)


def alone(function: Callable[..., T], *arguments: Any) -> T:
    """The result of a call in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def write_input(warcs: Sequence[str], folder: str, variations: int, recipe: str, limit: int | None) -> int:
    """Write a crawl, curated texts, benchmark and recipe; returns the number of HTML responses."""
    Path(folder, "crawl").mkdir(parents=True)
    examples = [example.text for example in read_examples(str(TINY / "benchmark.jsonl"), "text")]
    responses = limit or alone(bare_loop, warcs).pages
    shards = max(2, math.ceil(responses * variations / PAGES_PER_WARC))
    written = write_warcs(warcs, f"{folder}/crawl", range(variations), shards, examples, limit)
    for source, name in CURATED.items():
        documents = FEW + written.pages // PAGES_PER_TEXT // len(CURATED)
        write_texts(str(TINY / name), f"{folder}/{source}.jsonl", documents)
    shutil.copy(TINY / "benchmark.jsonl", folder)
    Path(folder, "recipe.toml").write_text(recipe, encoding="utf-8")
    return written.pages


def run_recipe(folder: str, workers: int, pages: int) -> Measured:
    """Run the recipe in `folder` from nothing."""
    out = f"{folder}/run"
    shutil.rmtree(out, ignore_errors=True)
    meter = Meter()
    Run(load(f"{folder}/recipe.toml", STAGES), out, Processes(workers), meter).run()
    return Measured(pages, meter.steps, facts(out))


def facts(out: str) -> dict[str, Any]:
    """What the steps had to do."""
    total = {step: Dataset(f"{out}/{step}").manifests[0].totals for step in STEPS_TOLD}
    return {
        "documents": f"{total['crawl']['rows_out']:,}",
        "kept for quality": f"{total['good']['rows_out'] / total['good']['rows_in']:.0%}",
        "duplicates": f"{sum(total['unique']['reasons'].values()):,}",
        "tokens": f"{total['tokens']['tokens_out']:,}",
    }


STEPS_TOLD = ("crawl", "good", "unique", "tokens")


class Rate(NamedTuple):
    """What a step costs: CPU time per page, and before the first one."""

    milliseconds: float
    start_seconds: float
    peak_bytes: int


def rate(small: Measured, large: Measured, step: str) -> Rate:
    """What grows with the pages, and what does not."""
    cost = large.steps[step]
    grown = (cost.seconds - small.steps[step].seconds) / (large.pages - small.pages)
    return Rate(1000 * grown, max(0.0, cost.seconds - grown * large.pages), cost.peak_bytes)


def table(small: Measured, large: Measured, bare: Looped) -> Table:
    """A line for each step, one for all, one for the bare loop, one for the crawl by each further engine."""
    size = f"{large.pages:,} of {bare.size / bare.pages / 1000:.1f} kB"
    found = Table(title=f"CPU per HTML page ({size}; bare loop {bare.seconds:.0f} s)")
    found.add_column("step")
    for name in ("ms per page", "x bare loop", "start-up, s", "worker's peak, MB"):
        found.add_column(name, justify="right")
    yardstick = 1000 * bare.seconds / bare.pages
    rates = {step: rate(small, large, step) for step in large.steps}
    alone = {step: rates.pop(step) for step in large.steps if step.startswith(ALONE)}
    milliseconds, starts, peaks = zip(*rates.values(), strict=True)
    whole = Rate(sum(milliseconds), sum(starts), max(peaks))
    for section in (rates, {"whole recipe": whole}, alone):
        for name, each in section.items():
            found.add_row(name, *_numbers(each, yardstick))
        found.add_section()
    found.add_row("bare loop", f"{yardstick:.3f}", "1.00")
    return found


def _numbers(of: Rate, yardstick: float) -> tuple[str, str, str, str]:
    share = of.milliseconds / yardstick
    return f"{of.milliseconds:.3f}", f"{share:.2f}", f"{of.start_seconds:.1f}", f"{of.peak_bytes / 1e6:,.0f}"


if __name__ == "__main__":
    typer.run(main)
