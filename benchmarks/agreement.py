"""Do our heuristics agree with datatrove's? Measure by measure, on English documents, cause by cause.

python -m benchmarks.agreement [--documents 1000] [--data ../shared/data]

Reads Wikipedia, Standard Ebooks and the main texts of crawled pages. datatrove runs in an environment of its
own (benchmarks/peers.py). Of each measure: in how many documents the values are the same, and how many each
of us rejects by the same bound; then the causes of differences (benchmarks/differences.py), changed to our
way one after another, and in how many documents each moves the value. What is left at the end must be
nothing, or the command fails. Takes a few minutes.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import peers
from benchmarks.differences import BOUNDS, CAUSES, Document, c4_lines, documents, measures
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.heuristics import RULES, Heuristics

# The bounds of datatrove's defaults where the papers have others (see stages/heuristics.py).
OURS = Heuristics(rules=(), min_sentences=5, line_words=3, max_line_copies=0.01)
EXACT = 1e-9  # of a value, to be the one that datatrove's code has
CLOSE = 1e-6  # ours are columns of 32 bits

RECIPE = """
seed = 1
[steps.crawl]
stage = "extract"
warcs = "{data}/crawl/*.warc.gz"
[steps.wikipedia]
stage = "ingest"
source = "wikipedia"
files = "{data}/reference/wikipedia_en.jsonl.zst"
[steps.ebooks]
stage = "ingest"
source = "ebooks"
files = "{data}/reference/standardebooks.jsonl.zst"
[steps.english]
stage = "language"
documents = ["crawl", "wikipedia", "ebooks"]
keep = ["en"]
"""


class Compared(NamedTuple):
    """One measure of all documents."""

    name: str
    theirs: NDArray[np.float64]
    ours: NDArray[np.float64]
    rejected: tuple[int, int, int]  # by datatrove, by us, by one of us alone
    moved: Mapping[str, int]  # by cause: documents
    left: (
        int  # documents that differ when all causes are changed, or that do not begin with datatrove's value
    )


def main(
    documents: Annotated[int, typer.Option(help="how many, 40 % of them crawled pages")] = 1000,
    data: Annotated[Path, typer.Option(help="folder with crawl/ and reference/")] = peers.ROOT
    / "../shared/data",
) -> None:
    """Compare every measure of `heuristics` with datatrove's."""
    texts = english(data.resolve(), documents)
    python = peers.environment("datatrove", peers.DATATROVE)
    answers = list(peers.ask(python, "benchmarks/datatrove_values.py", texts))
    compared = compare(texts, answers)
    for table in tables(compared):
        Console(width=110).print(table)
    if left := sum(each.left for each in compared):
        sys.exit(f"{left} differences have no cause in benchmarks/differences.py")


def english(data: Path, number: int) -> list[str]:
    """Evenly chosen English documents: of ten, four are crawled pages, four of Wikipedia, two of books."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = parse(RECIPE.format(data=data).encode(), "agreement", folder, STAGES)
        Run(recipe, folder, Inline(), say=lambda _: None).run()
        table = Dataset(f"{folder}/english").read(["source", "text"])
    texts = []
    for source, share in (("cc", 4), ("wikipedia", 4), ("ebooks", 2)):
        found = table.filter(pc.equal(table["source"], source))["text"]
        chosen = np.unique(np.linspace(0, len(found) - 1, number * share // 10).astype(np.int64))
        texts += found.take(pa.array(chosen)).to_pylist()
    return texts


def compare(texts: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> list[Compared]:
    """All measures of texts, given datatrove's answers about them."""
    table = measured(texts)
    broken = {name: mask for rules in OURS.judge(table).values() for name, mask in rules.items()}
    rules = {rule.column: rule.name for rule in reversed(RULES)} | {"line_copies": "fineweb_line_copies"}
    read = documents(texts, answers)
    compared = []
    for name, (measure, causes) in measures().items():
        ours = our_values(table, name)
        theirs = np.array([answer["values"][name] for answer in answers])
        fails = np.array([answer["fails"][name] for answer in answers])
        ours_fail = broken[rules[name]].to_numpy(zero_copy_only=False)
        rejected = int(fails.sum()), int(ours_fail.sum()), int((fails != ours_fail).sum())
        way = [values_of(read, measure, causes[:known]) for known in range(len(causes) + 1)]
        moved = {
            cause: int((~close(before, after, EXACT)).sum())
            for cause, before, after in zip(causes, way, way[1:], strict=False)
        }
        left = ~close(way[0], theirs, EXACT) | ~close(way[-1], ours, CLOSE)
        if name == "sentences":  # of the same lines
            left |= [c4_lines(d, ()) != answer["lines"] for d, answer in zip(read, answers, strict=True)]
        compared.append(Compared(name, theirs, ours, rejected, moved, int(left.sum())))
    return compared


def measured(texts: Sequence[str]) -> pa.Table:
    """English texts with our columns."""
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(["en"] * len(texts))}
    return OURS.process(pa.table(columns), None)


def our_values(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Our column for a measure; nan for null."""
    column = "duplicate_line_characters" if name == "line_copies" else name
    values = pc.cast(table[column], pa.float64()).to_numpy(zero_copy_only=False)
    return (
        np.minimum(values, 1) if name in ("lorem_ipsum", "curly_brackets") else values
    )  # those just say whether


def values_of(read: Sequence[Document], measure: Any, causes: Sequence[str]) -> NDArray[np.float64]:
    """The measure with some causes changed; nan where there is none."""
    return np.array([measure(document, frozenset(causes)) for document in read], np.float64)


def close(a: NDArray[np.float64], b: NDArray[np.float64], within: float) -> NDArray[np.bool_]:
    return np.isclose(a, b, rtol=within, atol=within, equal_nan=True)


def tables(compared: Sequence[Compared]) -> list[Table]:
    """The measures, and the causes."""
    number = len(compared[0].ours)
    found = Table(
        *(
            "measure",
            "same value",
            "it rejects",
            "we reject",
            "only one",
            "documents that causes move",
            "left",
        ),
        title=f"datatrove's measures and ours, % of {number} English documents",
    )
    for each in compared:
        same = close(each.theirs, each.ours, CLOSE).sum()
        causes = ", ".join(f"{cause} {count}" for cause, count in each.moved.items() if count)
        shares = (f"{100 * count / number:.1f}" for count in (same, *each.rejected))
        found.add_row(each.name, *shares, causes, str(each.left))
    listed = Table("cause", "datatrove", "ours", "right by the papers", "moves", title="Causes")
    for name, cause in CAUSES.items():
        moves = sum(each.moved.get(name, 0) for each in compared)
        listed.add_row(name, cause.theirs, cause.ours, cause.right, str(moves))
    bounds = Table("bound", "datatrove", "ours", "right by the papers", title="Bounds, made equal above")
    for name, cause in BOUNDS.items():
        bounds.add_row(name, *cause)
    return [found, listed, bounds]


if __name__ == "__main__":
    typer.run(main)
