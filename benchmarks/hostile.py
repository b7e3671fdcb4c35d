"""What hostile pages cost: python -m benchmarks.hostile [--engines winnow …] [--kinds svg "svg g" …].

One row for each kind and size: why the page was rejected, or what an engine made of it: CPU seconds and, in
megabytes, the most memory that it took; `!` where time grew much faster than the page. Every page is read in
a supervised process with the deadline and memory limit of `extract`.
"""

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile_pages import KINDS, SIZES, message, page
from pipeline.supervise import Limits, supervised
from stages.engines import ENGINES
from stages.extract import Extract
from stages.page import fetched, read_page
from stages.warc import Record

FLOOR = 0.1  # seconds that say nothing about growth
STEEP = 2.0  # times the growth of what is bad about it
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Trial(NamedTuple):
    """A page for an engine."""

    kind: str
    size: int
    engine: str


class Outcome(NamedTuple):
    """What became of it."""

    reason: str  # empty: it was kept
    length: int = 0  # bytes of the message, or of the page in it
    seconds: float = 0.0  # of CPU time
    megabytes: float = 0.0

    def __str__(self) -> str:
        return self.reason or f"{1e3 * self.seconds:8.1f} ms {self.megabytes:5.0f} MB"


@dataclass(frozen=True)
class Trials:
    """Work for `supervised`."""

    trials: tuple[Trial, ...]

    def load(self) -> None:
        """See Work."""
        for engine in dict.fromkeys(trial.engine for trial in self.trials):
            read_page(record_of(message(page("<ul><li>x</ul>"))), engine)

    def records(self, after: int | None, broken: str) -> Iterator[tuple[int, Trial]]:
        """See Work."""
        start = 0 if after is None else after + 1
        yield from enumerate(self.trials[start:], start)

    def result(self, trial: Trial) -> Outcome:
        """See Work."""
        record = record_of(KINDS[trial.kind](trial.size))
        length = max(len(record.block), len(fetched(record).body))
        _CLEAR.write_text("5")  # forget the most memory so far
        before, started = _memory("VmRSS"), time.process_time()
        reason = read_page(record, trial.engine, Extract.max_replaced).reason
        return Outcome(reason or "", length, time.process_time() - started, _memory("VmHWM") - before)

    def failed(self, trial: Trial, fault: str) -> Outcome:
        """See Work."""
        return Outcome(f"error:{fault}")


def _memory(field: str) -> float:
    """Megabytes of this process, as Linux counts them."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def record_of(block: bytes) -> Record:
    """A record of a WARC."""
    return Record(0, 0, 0, {"warc-type": "response", "warc-target-uri": "http://a.example/"}, block)


def steep(small: tuple[Trial, Outcome], large: tuple[Trial, Outcome]) -> bool:
    """Whether time grew much faster than what is bad about the page."""
    if small[1].reason or large[1].reason or large[1].seconds < FLOOR:
        return False
    growth = large[1].seconds / max(small[1].seconds, FLOOR / 25)
    return growth > STEEP * large[0].size / small[0].size


def main(kinds: Sequence[str], sizes: Sequence[int], engines: Sequence[str]) -> None:
    """Print a line for each page as soon as it is known."""
    trials = [Trial(kind, size, engine) for kind in kinds for size in sizes for engine in engines]
    limits = Limits(Extract.deadline, Extract.memory << 20)
    print(f"{'':28} {'size':>7} {'kB':>7}  " + "  ".join(f"{engine:24}" for engine in engines))
    before: dict[str, tuple[Trial, Outcome]] = {}
    row: list[str] = []
    for trial, outcome in zip(trials, supervised(Trials(tuple(trials)), limits), strict=True):
        last = before.get(trial.engine, (trial, outcome))
        before[trial.engine] = trial, outcome
        row.append(f"{outcome}{' !' if last[0].kind == trial.kind and steep(last, (trial, outcome)) else ''}")
        if trial.engine == engines[-1]:
            cells = "  ".join(f"{cell:24}" for cell in row)
            print(f"{trial.kind:28} {trial.size:7} {outcome.length / 1e3:7.0f}  {cells}".rstrip(), flush=True)
            row = []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    arguments = parser.parse_args()
    main(arguments.kinds, arguments.sizes, arguments.engines)
