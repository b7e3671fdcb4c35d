"""What is the quality classifier worth? Logistic regression beside fastText, in English and Chinese.

python -m benchmarks.quality [--data ../shared/data] [--documents 1000000] [--memory 512]

Real curated texts against crawled pages of their language. AUC: on domains (or documents) held out; over all,
each scored by a model that did not learn from it; and of each source, by models that never saw it, the mean.
Then what the Pareto rule kept of the pages beside what the card had foretold. With --documents, one logistic
regression more is trained on that many documents (the English ones over and over), to see what it takes.
"""

import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.peers import ROOT
from classifiers.keep import pareto
from classifiers.training import Part, Settings, train
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.sample import Counted

TEXTS = {"en": ("wikipedia_en", "standardebooks", "gitenberg"), "zh": ("wikipedia_zh",)}
WAYS = {
    "logistic": "",
    "logistic, pairs": "ngrams = 2\nbucket_bits = 20",
    "fastText": 'learner = "fasttext"',
    "fastText, pairs": 'learner = "fasttext"\nngrams = 2\nbucket_bits = 20',
}
RECIPE = """
seed = 1
[steps.crawl]
stage = "extract"
warcs = ["{data}/crawl/*.warc.gz", "{data}/crawl-charsets/*.warc.gz"]
"""
INGEST = """
[steps.{name}]
stage = "ingest"
source = "{name}"
files = "{data}/reference/{name}.jsonl.zst"
"""
LANGUAGE = """
[steps.{language}]
stage = "language"
documents = "crawl"
keep = ["{language}"]
"""
TRAIN = """
[steps.{step}]
stage = "train_quality"
positives = {positives}
crawl = "{language}"
{fields}
[steps.{step}_kept]
stage = "quality"
documents = "{language}"
model = "{step}"
"""


def main(
    data: Annotated[Path, typer.Option(help="folder with crawl/ and reference/")] = ROOT / "../shared/data",
    documents: Annotated[int, typer.Option(help="train on so many as well")] = 0,
    memory: Annotated[int, typer.Option(help="megabytes of counts that may stay in memory then")] = 512,
) -> None:
    """Print the tables."""
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as folder:
        steps = {
            (language, way): f"{language}{number}" for language in TEXTS for number, way in enumerate(WAYS)
        }
        Run(parse(recipe(data.resolve(), steps).encode(), "quality", folder, STAGES), folder, Inline()).run()
        console.print(worth(folder, steps))
        console.print(foretold(folder, steps))
        if documents:  # in a process of its own, whose peak of memory it is
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                row = alone.submit(at_scale, f"{folder}/en0/counts", documents, memory << 20).result()
            table = Table(
                "documents", "counts in memory", "CPU", "peak memory", "before it", title="At scale"
            )
            table.add_row(*row)
            console.print(table)


def recipe(data: Path, steps: dict[tuple[str, str], str]) -> str:
    """Every way to train, for every language."""
    text = RECIPE.format(data=data)
    for language, names in TEXTS.items():
        text += LANGUAGE.format(language=language)
        text += "".join(INGEST.format(name=name, data=data) for name in names)
    for (language, way), step in steps.items():
        positives = json.dumps(TEXTS[language])
        text += TRAIN.format(step=step, positives=positives, language=language, fields=WAYS[way])
    return text


def worth(folder: str, steps: dict[tuple[str, str], str]) -> Table:
    """AUC and calibration, from the cards."""
    table = Table("", "", title="Held-out AUC", title_justify="left")
    for name in ("positives", "crawl", "held out", "all, out of fold", "source unseen", "calibration error"):
        table.add_column(name, justify="right")
    for (language, way), step in steps.items():
        card = read_card(folder, step)
        unseen = [row["auc_without"] for row in card["sources"] if row.get("auc_without") is not None]
        measures = [card["auc"], card["auc_out_of_fold"], np.mean(unseen) if unseen else None]
        sizes = [f"{card[side]['documents']:,}" for side in ("positives", "crawl")]
        table.add_row(language, way, *sizes, *map(shown, measures), shown(card["calibrated_error"]))
    return table


def foretold(folder: str, steps: dict[tuple[str, str], str]) -> Table:
    """What alpha 9 kept of all pages, copies and all."""
    table = Table("", "", title="The Pareto rule, alpha 9", title_justify="left")
    for name in ("fitted alpha", "foretold, %", "±", "kept, %", "off the closed form"):
        table.add_column(name, justify="right")
    for (language, way), step in steps.items():
        card = read_card(folder, step)
        (row,) = (row for row in card["keeps"]["rules"] if (row["rule"], row["value"]) == ("alpha", 9.0))
        kept = Dataset(f"{folder}/{step}_kept")
        columns = ["quality", "quality_keep"]
        every = [part.select(columns).to_pandas() for part in (kept.read(), kept.rejected())]
        rate = len(every[0]) / sum(map(len, every))
        scores = np.concatenate([part["quality"].to_numpy() for part in every])
        off = np.abs(pareto(scores, 9.0) - (2 - scores) ** -9.0).max()
        alpha = shown(card["alpha"] and card["alpha"]["alpha"])
        cells = (f"{100 * share:.2f}" for share in (row["documents"], row["error"], rate))
        table.add_row(language, way, alpha, *cells, f"{off:.0e}")
    return table


def at_scale(counts: str, documents: int, memory: int) -> tuple[str, ...]:
    """One training on the counts of the English documents, repeated."""
    paths = sorted(map(str, Path(counts).glob("*.parquet")))
    sizes = [sum(len(batch.offsets) - 1 for batch in Counted([path], 0)) for path in paths]
    times = -(-documents // sum(sizes))
    good = np.tile(np.repeat([Path(path).name.startswith("positives") for path in paths], sizes), times)
    before, begin = peak(), time.process_time()
    everything = Part(good, np.where(good, 0.5 / good.mean(), 0.5 / (1 - good.mean())))
    train(Counted(paths * times, memory), everything, Settings())
    spent = time.process_time() - begin
    return f"{len(good):,}", f"{memory >> 20} MB", f"{spent:.0f} s", f"{peak()} MB", f"{before} MB"


def peak() -> int:
    """Megabytes of this process, at most so far; ru_maxrss would count the process that started it, too."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["VmHWM"].split()[0]) >> 10


def read_card(folder: str, step: str) -> Any:
    """As JSON."""
    return json.loads(Dataset(f"{folder}/{step}").side("card.json"))


def shown(measure: float | None) -> str:
    """A measure, or that there is none."""
    return "–" if measure is None else f"{measure:.4g}"


if __name__ == "__main__":
    typer.run(main)
