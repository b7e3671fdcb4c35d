"""How much of good texts do the rules throw away, in which language? And of crawled pages?

python -m benchmarks.good_texts [--data ../shared/data]

Good are Wikipedia (English, Chinese, Korean) and the Declaration of Human Rights in 380 languages: what a
rule rejects of them speaks against the rule, or against what it takes for granted of words and lines. Crawled
pages are of every kind; of few languages are there many. Takes two minutes.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.peers import ROOT
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.clean_lines import CleanLines
from stages.heuristics import PRESETS, Heuristics

GOOD = {
    "en": "wikipedia_en",
    "zh": "wikipedia_zh",
    "ko": "wikipedia_ko",
    "UDHR": "udhr2_multilingual",
}
FEWEST = 10  # crawled pages of a language that has a column
LINES = {
    "clean_lines as C4": CleanLines(),
    "clean_lines as FineWeb": CleanLines(punctuated=False, line_words=3, min_sentences=5),
}
RECIPE = """
seed = 1
[steps.crawl]
stage = "extract"
warcs = ["{data}/crawl/*.warc.gz", "{data}/crawl-charsets/*.warc.gz"]
{good}
[steps.tagged]
stage = "language"
documents = [{names}, "crawl"]
[steps.ruled]
stage = "heuristics"
documents = "tagged"
rules = []
"""
INGEST = """
[steps.{name}]
stage = "ingest"
source = "{name}"
files = "{data}/reference/{file}.jsonl.zst"
"""


def main(
    data: Annotated[Path, typer.Option(help="folder with crawl/ and reference/")] = ROOT / "../shared/data",
) -> None:
    """Print the share of documents that each rule rejects, by source and language."""
    documents = ruled(data.resolve())
    broken = {
        name: mask.to_numpy(False)
        for rules in Heuristics().judge(documents).values()
        for name, mask in rules.items()
    }
    for preset in PRESETS:
        broken[preset] = np.any(
            [mask for name, mask in broken.items() if name.startswith(f"{preset}_")], axis=0
        )
    for name, stage in LINES.items():
        broken[name] = rejected(stage, documents)
    source, language = (np.array(documents[name].to_pylist()) for name in ("source", "language"))
    good = {name: source == name for name in GOOD}
    crawled = [name for name, count in Counter(language[source == "cc"]).most_common() if count >= FEWEST]
    pages = {name: (source == "cc") & (language == name) for name in crawled}
    console = Console(width=110)
    console.print(table("Good texts that each rule rejects, %", broken, good))
    console.print(table("Crawled pages that each rule rejects, %", broken, pages))


def ruled(data: Path) -> pa.Table:
    """All documents with what `heuristics` measures of them."""
    good = "".join(INGEST.format(name=name, file=file, data=data) for name, file in GOOD.items())
    names = ", ".join(f'"{name}"' for name in GOOD)
    with tempfile.TemporaryDirectory() as folder:
        recipe = parse(RECIPE.format(data=data, good=good, names=names).encode(), "good", folder, STAGES)
        Run(recipe, folder, Inline(), say=lambda _: None).run()
        return Dataset(f"{folder}/ruled").read()


def rejected(stage: CleanLines, documents: pa.Table) -> NDArray[np.bool_]:
    reasons = [stage.process(batch, None)["reason"] for batch in batches(documents)]
    return pc.is_valid(pa.chunked_array([chunk for each in reasons for chunk in each.chunks])).to_numpy()


def batches(documents: pa.Table) -> list[pa.Table]:
    return [documents.slice(at, 1024) for at in range(0, documents.num_rows, 1024)]


def table(
    title: str, broken: Mapping[str, NDArray[np.bool_]], groups: Mapping[str, NDArray[np.bool_]]
) -> Table:
    """A row for each preset or rule that rejects anything, a column for each group of documents."""
    found = Table("rule", *groups, title=title)
    found.add_row("documents", *(f"{mask.sum():,}" for mask in groups.values()), end_section=True)
    for name in (*PRESETS, *LINES, *(name for name in broken if name not in (*PRESETS, *LINES))):
        shares = [100 * broken[name][mask].mean() for mask in groups.values()]
        if any(shares):
            found.add_row(name, *(f"{share:.1f}" if share else "" for share in shares))
    return found


if __name__ == "__main__":
    typer.run(main)
