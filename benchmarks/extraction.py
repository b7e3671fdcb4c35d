"""How good and how dear is the main text of each engine? Precision, recall, F1, CPU time per page.

python -m benchmarks.extraction [PAGES.jsonl.zst ...] [--gold DIR] [--rounds 3] [--each FILE] [--unseen]

Every engine sees the same pages in the same process: page by page, in turns that begin with another engine
each time, --rounds times over all pages; of a page's times the shortest counts. A time is CPU time from raw
bytes to text: the charset, found by our own decoder for each engine, parsing, extraction; without what turns
any engine's text into our form. A page on which an engine fails has no text.

Texts are compared by shingles of four words, every page weighing one (benchmarks/scores.py).
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gold_pages import Page, full_texts, learnt_from, marked, snippets
from benchmarks.scores import Score, total
from stages.charset import decode
from stages.engines import ENGINES

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MARKS = Path(__file__).parent / "gold" / "multilingual.jsonl"
OURS = "winnow"
YARDSTICK = "resiliparse"
WARM_UP = 5  # pages
FEWEST = 3  # pages of a language, for it to have a row

Source = Callable[[], Iterable[Page]]


@dataclass
class Measured:
    """What the engines made of a page; without the page, of which there are many."""

    name: str
    kind: str
    language: str
    seen: bool  # in training, by our own engine
    scores: dict[str, Score] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def main(
    pages: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PAGES ...]", exists=True, help="pages with gold; else those in DIR/gold"),
    ] = None,
    gold: Annotated[
        Path, typer.Option(metavar="DIR", help="archives with truth.jsonl.zst, gold/ beside them")
    ] = DATA,
    engine: Annotated[list[str] | None, typer.Option(help="only this one; may be repeated")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="how often each page is timed")] = 3,
    each: Annotated[Path | None, typer.Option(metavar="FILE", help="write a JSON line per page here")] = None,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="without the pages that winnow learnt from")
    ] = False,
) -> None:
    """Print what the engines' texts are worth and what they cost."""
    console = Console(width=None if Console().is_terminal else 120)
    engines = engine or list(ENGINES)
    if unknown := set(engines) - set(ENGINES):
        raise typer.BadParameter(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    seen = learnt_from()
    measured = {}
    for name, source in sources(pages or [], gold).items():
        chosen = partial(without, source, seen if unseen else frozenset())
        warm_up(chosen, engines)
        if found := measure(chosen, engines, rounds, seen):
            measured[name] = found
    if not measured:
        raise typer.BadParameter(f"no pages with gold: none given, none in {gold}")
    if each:
        each.write_text("".join(listed(name, page) for name, found in measured.items() for page in found))
    console.print(overview(measured, engines))
    console.print(breakdown("page type", measured, engines, lambda page: page.kind))
    console.print(breakdown("language", measured, engines, lambda page: page.language))


def sources(paths: Sequence[Path], folder: Path) -> dict[str, Source]:
    """Name -> pages, to be read again for every round."""
    found: dict[str, Source] = {}
    for path in paths or sorted((folder / "gold").glob("pages-*.jsonl.zst")):
        found[path.name.split(".")[0].removeprefix("pages-")] = partial(full_texts, path)
    if (folder / "gold" / "gold.jsonl.zst").exists():
        found["snippets"] = partial(snippets, folder)
        found["multilingual"] = partial(marked, MARKS, folder)
    return found


def without(source: Source, keys: frozenset[str]) -> Iterator[Page]:
    """The pages of a source but those."""
    return (page for page in source() if page.key not in keys)


def extract(engine: str, page: Page) -> str:
    """The text of a page, from its bytes; empty where the engine fails."""
    html = decode(page.data, page.content_type).data
    try:
        return ENGINES[engine](html)
    except ImportError:
        raise
    except Exception:  # an engine's failure is its result
        return ""


def warm_up(source: Source, engines: Sequence[str]) -> None:
    """Let every engine import, compile and load what it needs."""
    for page in islice(source(), WARM_UP):
        for engine in engines:
            extract(engine, page)


def measure(source: Source, engines: Sequence[str], rounds: int, seen: frozenset[str]) -> list[Measured]:
    """Scores and shortest times of every page, in the order of the source."""
    measured: list[Measured] = []
    for turn in range(rounds):
        for number, page in enumerate(source()):
            if turn == 0:
                measured.append(Measured(page.name, page.kind, page.language, page.key in seen))
            this = measured[number]
            for engine in rotated(engines, number + turn):
                started = time.process_time()
                text = extract(engine, page)
                seconds = time.process_time() - started
                this.seconds[engine] = min(seconds, this.seconds.get(engine, seconds))
                if turn == 0:
                    this.scores[engine] = page.score(text)
    return measured


def rotated(engines: Sequence[str], turn: int) -> Iterator[str]:
    """All engines, each turn beginning with the next one."""
    return (engines[(turn + k) % len(engines)] for k in range(len(engines)))


def listed(name: str, page: Measured) -> str:
    """What each engine made of a page, as a line of JSON."""
    f1 = {engine: round(score.f1, 4) for engine, score in page.scores.items()}
    ms = {engine: round(1000 * seconds, 3) for engine, seconds in page.seconds.items()}
    facts = {"page": page.name, "kind": page.kind, "language": page.language, "seen": page.seen}
    return json.dumps({"set": name} | facts | {"f1": f1, "ms": ms}, ensure_ascii=False) + "\n"


def overview(measured: Mapping[str, list[Measured]], engines: Sequence[str]) -> Table:
    """Set × engine."""
    table = Table(title="Main text: engine × set", box=None, pad_edge=False)
    for column in ("set", "engine"):
        table.add_column(column)
    columns = ("pages", "precision", "recall", "F1", "ms per page", f"x {YARDSTICK}", "pages/s/core")
    for column in columns:
        table.add_column(column, justify="right")
    for name, pages in measured.items():
        yardstick = sum(page.seconds.get(YARDSTICK, 0.0) for page in pages)
        for engine in engines:
            score = total(page.scores[engine] for page in pages)
            seconds = sum(page.seconds[engine] for page in pages)
            table.add_row(
                name,
                engine,
                f"{len(pages):,}",
                *(f"{value:.3f}" for value in (score.precision, score.recall, score.f1)),
                f"{1000 * seconds / len(pages):.2f}",
                f"{seconds / yardstick:.2f}" if yardstick else "",
                f"{len(pages) / seconds:,.0f}",
            )
        table.add_section()
    table.caption = caption(measured)
    return table


def caption(measured: Mapping[str, list[Measured]]) -> str:
    """Where our own engine has an advantage that counts for nothing."""
    known = {name: sum(page.seen for page in pages) for name, pages in measured.items()}
    told = [f"{known[name]:,} of {len(pages):,} in {name}" for name, pages in measured.items() if known[name]]
    if not told:
        return f"no page is known to be among those that {OURS} learnt from"
    return f"{OURS} learnt from {', '.join(told)}: --unseen leaves these out"


def breakdown(
    by: str, measured: Mapping[str, list[Measured]], engines: Sequence[str], group: Callable[[Measured], str]
) -> Table:
    """F1 of every group of pages of every set that has several groups."""
    table = Table(title=f"F1 by {by}", box=None, pad_edge=False)
    for column in ("set", by):
        table.add_column(column)
    for column in ("pages", *engines):
        table.add_column(column, justify="right")
    for name, pages in measured.items():
        sizes = Counter(map(group, pages))
        ranked = sorted(sizes, key=lambda each: (-sizes[each], each))
        if len(ranked) == 1:
            continue
        for each in ranked:
            among = [page for page in pages if group(page) == each]
            if len(among) >= FEWEST:
                scores = (total(page.scores[engine] for page in among).f1 for engine in engines)
                table.add_row(name, each, str(len(among)), *(f"{f1:.3f}" for f1 in scores))
        table.add_section()
    return table


if __name__ == "__main__":
    typer.run(main)
