"""What does it cost to look for benchmarks in documents? µs per document by language, ns per byte by length.

python -m benchmarks.decontaminate [BENCHMARK.jsonl ...] [--data DIR] [--documents 1000] [--bytes 6000]
                                   [--rounds 3]

Looks for these benchmarks, or all in DIR/benchmarks, in texts of DIR/reference cut to pieces of --bytes; DIR
is ../shared/data. A time is CPU time on one core, the shortest of --rounds. The first table: splitting into
words, which other stages need as well; finding the grams of all benchmarks; cutting. The second: books of
growing length, of English text in which an example stands at both ends and in every 100 kB, and of nothing
but examples, one after another.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console

from benchmarks import peers
from benchmarks.words import BATCH, FILES, by_language, measured, new_table
from classifiers.words import words
from pipeline.files import expand
from stages.cut import cut_out, spans_of, without_short
from stages.examples import SUFFIXES, read_examples
from stages.ngrams import Index, Sizes, find, index_of, runs_of

BOOKS = (6_000, 60_000, 600_000, 6_000_000)  # bytes
EVERY = 100_000
WINDOW, MIN_PIECE = 200, 200


def main(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[BENCHMARK ...]", exists=True)] = None,
    data: Annotated[Path, typer.Option(help="folder with benchmarks/, reference/")] = peers.ROOT
    / "../shared/data",
    documents: Annotated[int, typer.Option(min=1, help="pieces of each language, at most")] = 1000,
    size: Annotated[int, typer.Option("--bytes", min=100, help="of a piece")] = 6000,
    rounds: Annotated[int, typer.Option(min=1, help="how often all is measured")] = 3,
) -> None:
    """Print both tables."""
    console = Console(width=None if Console().is_terminal else 120)
    paths = expand([str(path) for path in files or [data / "benchmarks"]], SUFFIXES)
    examples = [example.text for path in paths for example in read_examples(path, "text")]
    index = index_for(examples)
    console.print(f"{len(examples):,} examples, {len(index.grams):,} grams")
    pieces = by_language([data / "reference" / f"{name}.jsonl.zst" for name in FILES], size, documents)
    columns = ("language", "documents", "words", "find", "cut", "all", "hits")
    table = new_table(f"µs per document of {size:,} bytes", columns)
    for name, texts in pieces.items():
        table.add_row(name, f"{len(texts):,}", *costs(texts, index, rounds))
    console.print(table)
    english = "\n".join(pieces.get("English") or next(iter(pieces.values())))
    console.print(books(english, max(examples, key=len), examples, index, rounds))


def index_for(examples: Sequence[str]) -> Index:
    """All that `count_grams` would look for by default."""
    texts = pa.array(examples, pa.large_string())
    runs = runs_of(texts, words(texts), Sizes())
    grams, first = np.unique(runs.hashes, return_index=True)
    return index_of(grams, runs.whole[first], runs.heads[first], Sizes())


def works(texts: pa.Array, index: Index) -> Mapping[str, Callable[[], object]]:
    """What `decontaminate` does, step by step."""
    found = words(texts)
    hits = find(texts, found, index)
    spans = spans_of(found, hits)

    def cut() -> None:
        without_short(texts, cut_out(texts, found, spans, index, WINDOW), spans, MIN_PIECE)

    return {"words": lambda: words(texts), "find": lambda: find(texts, found, index), "cut": cut}


def costs(pieces: Sequence[str], index: Index, rounds: int) -> list[str]:
    """A row of the first table: of a batch such as stages get."""
    texts = pa.array([pieces[at % len(pieces)] for at in range(BATCH)], pa.large_string())
    times = {
        name: 1e6 * seconds / BATCH for name, seconds in measured(works(texts, index), rounds, 3).items()
    }
    hits = len(find(texts, words(texts), index).firsts)
    return [*(f"{each:.1f}" for each in times.values()), f"{sum(times.values()):.1f}", f"{hits:,}"]


def books(text: str, example: str, examples: Sequence[str], index: Index, rounds: int) -> object:
    """The second table."""
    table = new_table(
        "Books: ns per byte",
        ("bytes", "English, an example in every 100 kB", "hits", "examples alone", "hits"),
    )
    everything = "\n".join(examples)
    for size in BOOKS:
        body = text * (1 + size // len(text))
        parts = [body[at : min(at + EVERY, size)] for at in range(0, size, EVERY)]
        planted = "\n".join([example, *(f"{part}\n{example}" for part in parts)])
        row = [f"{size:,}"]
        for book in (planted, everything[:size]):
            texts = pa.array([book], pa.large_string())
            total = sum(measured(works(texts, index), rounds).values())
            hits = len(find(texts, words(texts), index).firsts)
            row += [f"{1e9 * total / len(book.encode()):.1f}", f"{hits:,}"]
        table.add_row(*row)
    return table


if __name__ == "__main__":
    typer.run(main)
