"""What do words, classifier, MinHash and heuristics cost? µs per document, beside the usual way to do each.

python -m benchmarks.words [TEXTS.jsonl.zst ...] [--data DIR] [--documents 1000] [--bytes 6000] [--rounds 3]

Reads JSON lines with `text` and `lang`: these files, or Wikipedia and the Declaration of Human Rights in DIR,
which is ../shared/data; texts are cut to pieces of --bytes. A time is CPU time on one core, the shortest of
--rounds, with kernels compiled. Ours is measured several times a round, and on a batch such as stages get:
where there are fewer pieces than its 1,024 rows, they come again.

The first table, which --no-peers leaves out, is of English. Ours begins with Arrow's texts, so every row has
the splitting into words in it; a score needs the words alone, features are what a model learns from. The
peers are scikit-learn, datasketch and fastText from our own environment, and datatrove's filters from one of
its own (benchmarks/peers.py), all from Python strings. The second table is of ours in every language that the
files have a piece of.
"""

import io
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import typer
import zstandard
from rich.console import Console
from rich.table import Table

from benchmarks import peers
from classifiers.features import features
from classifiers.logistic import Logistic, fixed_point
from classifiers.terms import Reading, terms
from classifiers.training import Part, Settings, train
from classifiers.words import words
from stages.heuristics import Heuristics
from stages.lines import lines
from stages.minhash import permutations, shingles, signatures
from stages.repetition import repeated_grams, repeated_lines
from stages.shape import shape_of

Times = dict[str, float]  # by name, CPU seconds
Work = Callable[[], object]

FILES = ("wikipedia_en", "wikipedia_zh", "wikipedia_ko", "udhr2_multilingual")
LANGUAGES = {  # by the codes that files may use
    **{"en": "English", "zh": "Chinese", "ko": "Korean", "jpn": "Japanese", "tha": "Thai"},
    **{"ja": "Japanese", "th": "Thai", "rus": "Russian", "arb": "Arabic", "hin": "Hindi"},
}
READING = Reading(numbers=False, variants=False)  # as `train_quality` reads by default
PERMUTATIONS, SHINGLE, BITS = 128, 5, 18
REPEATS = 5  # of what is ours, in each round
BATCH = 1024  # rows that a stage gets at a time


class Row(NamedTuple):
    """Ours against a peer: sums of times by name."""

    what: str
    ours: Sequence[str]
    usual: str
    peers: Sequence[str]


SPLIT, HEURISTICS = "words", "heuristics"
FILTERS = ("Gopher's quality", "Gopher's repetition", "C4's", "FineWeb's")
ONCE = (HEURISTICS, "features", "score", "MinHash")  # heuristics split the words for all
APART = (*ONCE, SPLIT, SPLIT)  # three stages as they are, each of which splits them
USUAL = ("features", "score", "MinHash", *FILTERS)
ROWS = (
    Row("words, features", (SPLIT, "features"), "HashingVectorizer", ("features",)),
    Row("words, score", (SPLIT, "score"), "HashingVectorizer, predict_proba", ("features", "score")),
    Row("words, score", (SPLIT, "score"), "fastText: predict", ("fastText",)),
    Row("words, shingles, MinHash", (SPLIT, "MinHash"), "datasketch", ("MinHash",)),
    Row("words, lines, repetition", (SPLIT, "repetition"), "datatrove: Gopher's repetition", FILTERS[1:2]),
    *(Row("heuristics, all", (HEURISTICS,), f"datatrove: {name}", (name,)) for name in FILTERS),
    Row("heuristics, all", (HEURISTICS,), "datatrove: all four", FILTERS),
    Row("all of ours, words split once", ONCE, "all of theirs, without fastText", USUAL),
    Row("all of ours, split by each stage", APART, "all of theirs, without fastText", USUAL),
)


def main(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[TEXTS ...]", exists=True)] = None,
    data: Annotated[Path, typer.Option(help="folder with reference/")] = peers.ROOT / "../shared/data",
    documents: Annotated[int, typer.Option(min=1, help="pieces of each language, at most")] = 1000,
    size: Annotated[int, typer.Option("--bytes", min=100, help="of a piece")] = 6000,
    rounds: Annotated[int, typer.Option(min=1, help="how often all is measured")] = 3,
    with_peers: Annotated[bool, typer.Option("--peers/--no-peers", help="the first table")] = True,
) -> None:
    """Print what our kernels cost, and what their peers do."""
    console = Console(width=None if Console().is_terminal else 120)
    paths = files or [data / "reference" / f"{name}.jsonl.zst" for name in FILES]
    pieces = by_language(paths, size, documents)
    if not pieces:
        raise typer.BadParameter(f"no text of {size} bytes in {', '.join(map(str, paths))}")
    if with_peers and "English" in pieces:
        console.print(against_peers(pieces["English"], rounds))
    console.print(by_script({name: (texts, ours(texts, rounds)) for name, texts in pieces.items()}))


def by_language(paths: Sequence[Path], size: int, most: int) -> dict[str, list[str]]:
    """Pieces of about so many bytes, of the languages in LANGUAGES."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for row in records(path):
            name = LANGUAGES.get(row["lang"])
            if name and len(found[name]) < most:
                found[name] += pieces_of(row["text"], size)
    return {name: found[name][:most] for name in dict.fromkeys(LANGUAGES.values()) if found[name]}


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, compressed or not."""
    with path.open("rb") as file:
        source = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        yield from map(json.loads, io.TextIOWrapper(source, "utf-8"))


def pieces_of(text: str, size: int) -> Iterator[str]:
    """Pieces of so many bytes, less what is left of a character; not the rest."""
    data = text.encode()
    for start in range(0, len(data) - size + 1, size):
        yield data[start : start + size].decode(errors="ignore")


def fastest(work: Work, repeats: int = 1) -> float:
    """CPU seconds, at best."""
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def measured(works: Mapping[str, Work], rounds: int, repeats: int = 1) -> Times:
    """The shortest time of each, in turns; what runs for the first time does so before."""
    for work in works.values():
        work()
    turns = [{name: fastest(work, repeats) for name, work in works.items()} for _ in range(rounds)]
    return least(turns)


def least(turns: Iterable[Times]) -> Times:
    """The shortest of each."""
    turns = list(turns)
    return {name: min(turn[name] for turn in turns) for name in turns[0]}


def per_document(times: Times, number: int) -> Times:
    return {name: seconds / number for name, seconds in times.items()}


def ours(pieces: Sequence[str], rounds: int) -> Times:
    """Seconds per document of our kernels, on one batch."""
    rows = [pieces[at % len(pieces)] for at in range(BATCH)]
    texts = pa.array(rows, pa.large_string())
    table, stage = pa.table({"text": texts}), Heuristics()
    found, by, model = words(texts), permutations(PERMUTATIONS, seed=1), model_of(pieces)

    def repetition() -> None:
        repeated_lines(lines(texts))
        repeated_grams(texts, found, shape_of(texts, found))

    works: dict[str, Work] = {
        SPLIT: lambda: words(texts),
        "features": lambda: features(terms(texts, found, READING), BITS),
        "score": lambda: model.scores(texts, found),
        "MinHash": lambda: signatures(shingles(found, SHINGLE), by),
        "repetition": repetition,
        HEURISTICS: lambda: stage.process(table, None),
    }
    return per_document(measured(works, rounds, REPEATS), BATCH)


def sides(number: int) -> Any:
    """Labels for a classifier that need not learn anything."""
    return np.arange(number) % 2 == 0


def model_of(pieces: Sequence[str]) -> Logistic:
    """Weights for every word of these texts."""
    twice = [*pieces, *pieces][: max(len(pieces), 2)]
    texts = pa.array(twice, pa.large_string())
    counted = features(terms(texts, words(texts), READING), BITS)
    weights = train([counted], Part(sides(len(twice)), np.ones(len(twice))), Settings(BITS))
    return fixed_point(weights[None, :-1], weights[-1:], "l2", READING)


def theirs(pieces: list[str], rounds: int) -> Times:
    """Seconds per document of the usual ways, each from Python strings."""
    from datasketch import MinHash
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = HashingVectorizer(n_features=1 << BITS, alternate_sign=False)
    matrix = vectorizer.transform(pieces)
    classifier = LogisticRegression().fit(matrix, sides(len(pieces)))

    def minhash() -> None:
        for text in pieces:
            split = text.lower().split()
            grams = {" ".join(split[at : at + SHINGLE]).encode() for at in range(len(split) - SHINGLE + 1)}
            MinHash(num_perm=PERMUTATIONS).update_batch(grams)

    flat = [" ".join(text.split()) for text in pieces]
    fasttext = fasttext_of(flat)
    works: dict[str, Work] = {
        "features": lambda: vectorizer.transform(pieces),
        "score": lambda: classifier.predict_proba(matrix),
        "MinHash": minhash,
        "fastText": lambda: [fasttext.predict(line, k=2) for line in flat],
    }
    python = peers.environment("datatrove", peers.DATATROVE)
    filters = least(peers.ask(python, "benchmarks/datatrove_times.py", [pieces] * rounds))
    return per_document(measured(works, rounds) | filters, len(pieces))


def fasttext_of(texts: Sequence[str]) -> Any:
    """A classifier of words and pairs; training on so few texts by words alone ends in NaN at times."""
    import fasttext

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(
            f"__label__{int(side)} {text}\n" for side, text in zip(sides(len(texts)), texts, strict=True)
        )
        file.flush()
        return fasttext.train_supervised(
            file.name, epoch=1, wordNgrams=2, bucket=1 << BITS, thread=1, verbose=0
        )


def against_peers(pieces: list[str], rounds: int) -> Table:
    """The first table."""
    mine, usual = ours(pieces, rounds), theirs(pieces, rounds)
    table = new_table(
        f"English: µs per document ({describe(pieces)})", ("ours", "µs", "the usual way", "µs", "×")
    )

    def microseconds(times: Times, names: Sequence[str]) -> float:
        return 1e6 * sum(times[name] for name in names)

    for what, names, way, others in ROWS:
        one, other = microseconds(mine, names), microseconds(usual, others)
        table.add_row(what, f"{one:.1f}", way, f"{other:,.1f}", f"{other / one:,.1f}")
    return table


def by_script(measured: Mapping[str, tuple[Sequence[str], Times]]) -> Table:
    """The second table."""
    names = (SPLIT, "features", "score", "MinHash", HEURISTICS)
    columns = ("language", "documents", "bytes", "units", *names, "all, split once", "µs per kB")
    table = new_table("Ours by language: µs per document", columns)
    for name, (texts, times) in measured.items():
        number, size = len(texts), sum(len(text.encode()) for text in texts)
        units = len(words(pa.array(texts, pa.large_string())).hashes)
        once = sum(times[each] for each in ONCE)
        each = [f"{1e6 * times[what]:.1f}" for what in names]
        row = (f"{number:,}", f"{size / number:,.0f}", f"{units / number:,.0f}", *each)
        table.add_row(name, *row, f"{1e6 * once:.1f}", f"{1e9 * once * number / size:.1f}")
    return table


def describe(texts: Sequence[str]) -> str:
    """How many, and of what size."""
    return f"{len(texts):,} of {sum(len(text.encode()) for text in texts) / len(texts):,.0f} bytes"


def new_table(title: str, columns: Sequence[str]) -> Table:
    """A table without lines; words to the left, numbers to the right."""
    table = Table(title=title, box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in ("ours", "the usual way", "language") else "right")
    return table


if __name__ == "__main__":
    typer.run(main)
