"""What does the search for duplicates cost as documents grow? Time, memory and disk, from one to 100 million.

python -m benchmarks.scale [--documents 1000000 --documents 10000000 --documents 100000000] [--workers 2]
    [--memory 1024] [--folder DIR]

Runs what `deduplicate` runs between its signatures and its marks (stages/duplicates.py: copies, candidates,
verification, resolution), one band at a time, on documents that are made from a seed and their numbers
whenever they are asked for (benchmarks/generated.py), so that no signature takes room. Time is CPU time of
all processes; making documents, which a real run does not do, is measured by itself and taken off.

`found`: of the documents that are like one of higher precedence, how many went. `wrong`: documents that went
without a kept document above the threshold, by how the two were made.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.compute as pc
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.footprint import Footprint
from benchmarks.generated import Generated
from pipeline.executors import Inline, Processes
from pipeline.shards import read_batches
from pipeline.stage import Job
from stages.candidates import KEY_BYTES
from stages.deduplicate import BLOCK_BYTES, Deduplicate
from stages.duplicates import Search
from stages.numbering import Rows

SIZES = (10**6, 10**7, 10**8)
THRESHOLD = 0.8


@dataclass(frozen=True)
class Figures:
    """What one run took, and whether it was right."""

    documents: int
    seconds: float
    cpu_seconds: float  # without that of making documents
    making_seconds: float
    memory_bytes: int
    disk_bytes: int
    candidates: int
    doubted: int  # pairs that were settled by their texts
    given_up: int
    removed: int
    found: float
    wrong: int


def main(
    documents: Annotated[list[int] | None, typer.Option(help="how many; repeat for several")] = None,
    workers: Annotated[int, typer.Option(help="processes")] = 2,
    memory: Annotated[int, typer.Option(help="megabytes that a task may take")] = 1_024,
    folder: Annotated[str | None, typer.Option(help="where scratch goes, whose disk is measured")] = None,
) -> None:
    """Measure, and print one table."""
    rows: list[Figures] = []
    for count in documents or SIZES:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            rows.append(measure(count, workers, memory, scratch))
        Console(width=150).print(table(rows))


def measure(documents: int, workers: int, memory: int, folder: str) -> Figures:
    """Run once."""
    making = f"{folder}/making"
    signed = Generated(documents, Deduplicate().scheme, (memory << 20) // BLOCK_BYTES, making)
    search = Search(signed, THRESHOLD, memory << 20, 2 * KEY_BYTES * documents)  # room for one band
    executor = Inline() if workers == 1 else Processes(workers)
    Path(making).mkdir()
    started = time.perf_counter()
    with Footprint(folder) as footprint:
        files = search.run(Job("scale", {}, folder, executor))
    seconds = time.perf_counter() - started
    executor.close()
    tasks = [json.loads(line) for line in Path(f"{folder}/log/tasks.jsonl").read_text().splitlines()]
    made = sum(float(line) for path in Path(making).iterdir() for line in path.read_text().split())
    counts = counted(Path(folder))
    gone, stays = decided(signed, files)
    right = (signed.similarities(gone, stays) >= THRESHOLD) & ~np.isin(stays, gone)
    return Figures(
        documents=documents,
        seconds=seconds,
        cpu_seconds=sum(task["cpu_seconds"] for task in tasks) - made,
        making_seconds=made,
        memory_bytes=footprint.memory_bytes,
        disk_bytes=footprint.disk_bytes,
        candidates=counts["candidates"],
        doubted=counts["doubts"],
        given_up=counts["pairs_given_up"],
        removed=len(gone),
        found=float(right.sum()) / removable(signed),
        wrong=int((~right).sum()),
    )


def counted(folder: Path) -> Counter[str]:
    """The counts of all tasks."""
    counts: Counter[str] = Counter()
    for path in folder.glob("tasks/*/*.json"):
        counts.update(json.loads(path.read_text())["counts"])
    return counts


def decided(signed: Generated, files: Sequence[str]) -> tuple[Rows, Rows]:
    """The slots of what goes, and of what stays instead."""
    gone, stays = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for path in files:
        for decisions in read_batches(path, ["document", "duplicate_of"]):
            told = decisions.filter(pc.is_valid(decisions["duplicate_of"]))
            gone.append(signed.numbering.places(told["document"].to_numpy()))
            stays.append(told["duplicate_of"].cast("int64").to_numpy())
    return signed.slots(np.concatenate(gone)), signed.slots(np.concatenate(stays))


def removable(signed: Generated) -> int:
    """Documents that are like one of higher precedence, as they were made."""
    copies, near, fours, _ = (int(end) for end in signed.regions)
    return max(copies - 1, 0) + max(near - copies - 1, 0) + (fours - near) // 4 * 2


def table(rows: Sequence[Figures]) -> Table:
    """All runs, and the cost of a document beside that in the first."""
    shown = Table(title="search for duplicates, one band at a time")
    for name in ("documents", "hours", "µs CPU each", "ratio", "making", "memory", "disk"):
        shown.add_column(name, justify="right")
    for name in ("candidates", "by texts", "given up", "removed", "found", "wrong"):
        shown.add_column(name, justify="right")
    first = rows[0].cpu_seconds / rows[0].documents
    for row in rows:
        cost = row.cpu_seconds / row.documents
        shown.add_row(
            f"{row.documents:,}",
            f"{row.seconds / 3600:.2f}",
            f"{1e6 * cost:.2f}",
            f"{cost / first:.2f}",
            f"{1e6 * row.making_seconds / row.documents:.1f} µs",
            f"{row.memory_bytes / 2**30:.2f} GiB",
            f"{row.disk_bytes / 1e9:.2f} GB",
            *(millions(number) for number in (row.candidates, row.doubted, row.given_up, row.removed)),
            f"{100 * row.found:.2f} %",
            f"{row.wrong:,}",
        )
    return shown


def millions(number: int) -> str:
    """A count, short."""
    return f"{number / 1e6:,.2f} M"


if __name__ == "__main__":
    typer.run(main)
