"""What does deduplication cost, and what does it find? Ours beside datatrove, datasketch and text-dedup.

python -m benchmarks.deduplicate [--documents 20000] [--rounds 3] [--data ../shared/data] [--scratch FOLDER]

The documents are English: the main texts of crawl-duplicates as they are, with copies that somebody planted,
and as many variations and near-copies of the main texts of crawl as shall be (see benchmarks/near_copies.py).
All read the same Parquet files, in an environment of their own (benchmarks/peers.py), in one process, with
shingles of five words, FineWeb's 14 bands of 8 values and, where pairs are verified, a threshold of 0.8.
Time is CPU time of the work alone; imports and compilation have gone before, on other documents. datasketch
keeps no files, so its texts are in memory, as they are where our signatures and candidates are measured
alone; all others read and write them.

Of every pair of documents the exact similarity is known (benchmarks/similar_pairs.py). The first table says,
in documents a second on one core, with ours = 1 for time and memory, what each costs; and by similarity, of
how many pairs at most one document stays, in %: all should be of those above the threshold, none of those
below it. Precision is the share of removed documents that are as similar to one that stays; the
second table has the others, too. The third is about the planted copies alone. What is extracted is kept in
the scratch folder for the next time.
"""

import io
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
import zstandard
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import peers
from benchmarks.footprint import Footprint
from benchmarks.near_copies import documents
from benchmarks.similar_pairs import (
    BANDS,
    Pairs,
    by_band,
    expected,
    one_gone,
    precision,
    recall,
    similar_pairs,
    that_count,
)
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES

SETTINGS = {"shingle": 5, "bands": 14, "rows": 8, "threshold": 0.8}
WARM_UP = 200  # documents
LEAST_WORDS = 50  # of what is varied; shorter pages have few words that could change places
FILE_ROWS = 2_500

RECIPE = """
[steps.copies]
stage = "extract"
source = "copies"
warcs = "{data}/crawl-duplicates/*.warc.gz"

[steps.crawl]
stage = "extract"
warcs = "{data}/crawl/*.warc.gz"

[steps.english]
stage = "language"
documents = ["copies", "crawl"]
keep = ["en"]
"""


class System(NamedTuple):
    """What is measured: its script in this folder, and the environment that it needs; ours has it."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    least: tuple[int, int] = (3, 11)
    slow: bool = False  # so that once is enough


WINNOW = "winnow: the stage"
DATATROVE = ("datatrove[io,processing]==0.10.1", "spacy==3.8.18")
DATASKETCH = ("datasketch==2.0.0", "pyarrow==26.0.1", "xxhash==4.1.0")
SYSTEMS = (
    System(WINNOW, "winnow_minhash.py"),
    System("datatrove: four stages", "datatrove_minhash.py", (), DATATROVE, slow=True),
    System("text-dedup: MinHash", "text_dedup_minhash.py", (), ("text-dedup==0.4.1",), (3, 12), slow=True),
    System("datasketch: SHA-1, its default", "datasketch_minhash.py", ("sha1",), DATASKETCH),
    System("datasketch: xxh32", "datasketch_minhash.py", ("xxh32",), DATASKETCH),
    System("winnow: signatures, candidates", "winnow_minhash.py", ("alone",)),
)


class Measured(NamedTuple):
    """CPU seconds at best, peak memory of all processes, and which documents stay, if it decides that."""

    seconds: float
    memory_bytes: int
    kept: NDArray[np.bool_] | None


class Made(NamedTuple):
    """The documents, and the pairs that somebody planted, with the similarity of all that pages show."""

    folder: Path
    texts: list[str]
    planted: Pairs


def main(
    number: Annotated[int, typer.Option("--documents", help="how many")] = 20_000,
    rounds: Annotated[
        int, typer.Option(help="times that each runs, the slow ones once; the best counts")
    ] = 3,
    data: Annotated[Path, typer.Option(help="folder with crawl/ and crawl-duplicates/")] = peers.ROOT
    / "../shared/data",
    scratch: Annotated[Path, typer.Option(help="folder for texts and results")] = peers.ROOT
    / ".benchmarks/deduplicate",
) -> None:
    """Print the tables."""
    made = make(data.resolve(), scratch, number)
    pairs = similar_pairs(made.texts)
    measured: dict[str, Measured | str] = {}
    for system in SYSTEMS:
        try:
            measured[system.name] = measure(system, made, scratch, rounds)
        except (peers.NoPythonError, subprocess.CalledProcessError, RuntimeError) as error:
            if not system.requirements:
                raise
            measured[system.name] = str(error)
        print(f"{system.name} is done", file=sys.stderr)
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table(made, pairs, measured))
    console.print(removed(pairs, measured))
    console.print(found_again(made, pairs, measured))
    for line in missing(measured):
        console.print(line)


def make(data: Path, scratch: Path, number: int) -> Made:
    """Write the documents, and some others to warm up with."""
    run = scratch / "texts"
    Run(parse(RECIPE.format(data=data).encode(), "deduplicate", str(run), STAGES), str(run), Inline()).run()
    english = Dataset(f"{run}/english").read(["source", "warc", "offset", "text"])
    copies = english.filter(pc.equal(english["source"], "copies")).slice(0, number)
    crawled = english.filter(pc.equal(english["source"], "cc"))["text"].to_pylist()
    crawled = [text for text in crawled if len(text.split()) >= LEAST_WORDS]
    texts = [*copies["text"].to_pylist(), *documents(crawled, number - len(copies))]
    write(texts, scratch / "documents")
    write(documents(crawled[::-1], WARM_UP), scratch / "warm-up")
    places = zip(copies["warc"].to_pylist(), copies["offset"].to_pylist(), strict=True)
    with (data / "crawl-duplicates/truth.jsonl.zst").open("rb") as file:
        source = zstandard.ZstdDecompressor().stream_reader(file)
        truth = [json.loads(line) for line in io.TextIOWrapper(source, "utf-8")]
    return Made(scratch / "documents", texts, planted(truth, places))


def planted(truth: Sequence[Mapping[str, Any]], places: Iterable[tuple[str, int]]) -> Pairs:
    """Near-copies and what they were made of, of the documents that are at these places in files."""
    numbers = {place: number for number, place in enumerate(places)}
    pages = {row["dup_group"]: row for row in reversed(truth) if row["kind"] == "page"}
    found = []
    for row in truth:
        if row["kind"] == "near_dup":
            both = [numbers.get((each["file"], each["offset"])) for each in (pages[row["dup_group"]], row)]
            if None not in both:
                found.append((*sorted(both), row["jaccard5"]))
    first, second, similarity = zip(*found, strict=True) if found else ((), (), ())
    return Pairs(np.array(first, np.int64), np.array(second, np.int64), np.array(similarity))


def write(texts: Iterable[str], folder: Path) -> None:
    """Texts with their numbers, as Parquet files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = enumerate(texts)
    for file in itertools.count():
        chosen = list(itertools.islice(rows, FILE_ROWS))
        if not chosen:
            return
        columns = {"id": [str(number) for number, _ in chosen], "text": [text for _, text in chosen]}
        pq.write_table(pa.table(columns), folder / f"{file:05d}.parquet", row_group_size=1_024)


def measure(system: System, made: Made, scratch: Path, rounds: int) -> Measured:
    """Run a system on the documents, so often if it is not slow, after a start on few others."""
    rounds = 1 if system.slow else rounds
    python = Path(sys.executable)
    if system.requirements:
        python = peers.environment(system.script.partition("_minhash")[0], system.requirements, system.least)

    def ask(folders: Sequence[Path]) -> list[Any]:
        with tempfile.TemporaryDirectory(dir=scratch.resolve()) as work:
            questions = [
                {"folder": str(folder.resolve()), "scratch": f"{work}/{turn}", **SETTINGS}
                for turn, folder in enumerate(folders)
            ]
            return list(peers.ask(python, f"benchmarks/{system.script}", questions, *system.arguments))

    warm_up = scratch / "warm-up"
    ask([warm_up])  # compiles what is not yet
    with Footprint(own=False) as footprint:
        _, *answers = ask([warm_up, *[made.folder] * rounds])
    kept = None
    if answers[-1]["kept"] is not None:
        kept = np.zeros(len(made.texts), np.bool_)
        kept[answers[-1]["kept"]] = True
    return Measured(min(answer["seconds"] for answer in answers), footprint.memory_bytes, kept)


def table(made: Made, pairs: Pairs, measured: Mapping[str, Measured | str]) -> Table:
    """Speed and memory, and of how many pairs at most one document stays."""
    number, threshold = len(made.texts), SETTINGS["threshold"]
    size = sum(len(text.encode()) for text in made.texts) / number
    found = new_table(f"{number:,} documents of {size:,.0f} bytes", "docs/s", "time", "peak MB", "memory")
    for name in ("removed", "precision", *bands()):
        found.add_column(name, justify="right")
    mine = measured[WINNOW]
    assert isinstance(mine, Measured), mine
    for name, its in measured.items():
        if isinstance(its, str):
            continue
        speed = f"{number / its.seconds:,.0f}", f"{its.seconds / mine.seconds:.1f}"
        memory = f"{its.memory_bytes / 1e6:,.0f}", f"{its.memory_bytes / mine.memory_bytes:.1f}"
        found.add_row(name, *speed, *memory, *quality(pairs, its.kept, threshold))
    counted = that_count(pairs, threshold)
    chances = expected(counted, SETTINGS["bands"], SETTINGS["rows"])
    found.add_section()
    found.add_row("what the bands find on average", *[""] * 6, *(f"{100 * each:.1f}" for each in chances))
    counts = by_band(counted, np.zeros(len(counted.first), np.bool_))
    found.add_row("pairs", *[""] * 6, *(f"{band.pairs:,}" for band in counts))
    return found


def quality(pairs: Pairs, kept: NDArray[np.bool_] | None, threshold: float) -> list[str]:
    """How many documents went, how many of them rightly, and the shares of pairs, in %."""
    if kept is None:
        return []
    gone = precision(pairs, kept)
    right = sum(gone[1 + BANDS.index(threshold) :])
    return [
        f"{sum(gone):,}",
        percent(right, sum(gone)),
        *(percent(band.chosen, band.pairs) for band in recall(pairs, kept, threshold)),
    ]


def removed(pairs: Pairs, measured: Mapping[str, Measured | str]) -> Table:
    """The second table."""
    title = "Removed documents by their similarity to the most similar one that stays"
    found = new_table(title, "less", *bands())
    for name, its in measured.items():
        if isinstance(its, Measured) and its.kept is not None:
            found.add_row(name, *(f"{count:,}" for count in precision(pairs, its.kept)))
    return found


def found_again(made: Made, pairs: Pairs, measured: Mapping[str, Measured | str]) -> Table:
    """The third table."""
    title = "Planted pairs of which at most one stays, %, by the similarity of all that their pages show"
    found = new_table(title, *bands())
    for name, its in measured.items():
        if isinstance(its, Measured) and its.kept is not None:
            counts = by_band(made.planted, one_gone(made.planted, its.kept))
            found.add_row(name, *(percent(band.chosen, band.pairs) for band in counts))
    above = pairs.where(pairs.similarity >= SETTINGS["threshold"])
    similar = set(zip(above.first.tolist(), above.second.tolist(), strict=True))
    theirs = zip(made.planted.first.tolist(), made.planted.second.tolist(), strict=True)
    counts = by_band(made.planted, np.array([pair in similar for pair in theirs], np.bool_))
    found.add_section()
    found.add_row("main texts are similar", *(percent(band.chosen, band.pairs) for band in counts))
    found.add_row("pairs", *(f"{band.pairs:,}" for band in counts))
    return found


def missing(measured: Mapping[str, Measured | str]) -> list[str]:
    """What could not be measured, and why."""
    return [f"{name}: {why}" for name, why in measured.items() if isinstance(why, str)]


def bands() -> list[str]:
    return [f"{low}–{high:g}".replace("0.", ".") for low, high in pairwise(BANDS)]


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "–"


def new_table(title: str, *columns: str) -> Table:
    """A table without lines; numbers to the right."""
    found = Table("", title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        found.add_column(name, justify="right")
    return found


if __name__ == "__main__":
    typer.run(main)
