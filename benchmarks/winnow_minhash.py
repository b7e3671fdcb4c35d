"""Our deduplication, as benchmarks.deduplicate measures it: the stage in a recipe, by one worker.

With the argument `alone`: signatures and candidates, from texts in memory, without disk, pairs or decisions.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from answers import answer

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES, candidates, minhash

BATCH = 1_024

RECIPE = """
[steps.documents]
stage = "ingest"
source = "documents"
files = "{folder}/*.parquet"
validation = 0

[steps.unique]
stage = "deduplicate"
documents = "documents"
threshold = {threshold}
shingle = {shingle}
bands = {bands}
rows = {rows}
"""


def run_of(question):
    recipe = parse(RECIPE.format(**question).encode(), "deduplicate", question["folder"], STAGES)
    return Run(recipe, question["scratch"], Inline(), say=lambda line: None)


def read(question):
    run_of(question).run(to="documents")


def deduplicate(question, ready):
    run_of(question).run()


def kept(question, result):
    """Numbers of the documents that stay: an id ends in the name of a file and the row there, from 1."""
    rows = [pq.ParquetFile(path).metadata.num_rows for path in sorted(Path(question["folder"]).iterdir())]
    starts = np.cumsum([0, *rows])
    ids = Dataset(f"{question['scratch']}/unique").read(["id"])["id"].to_pylist()
    places = (map(int, each.split("/")[1:]) for each in ids)
    return sorted(int(starts[file]) + row - 1 for file, row in places)


def texts(question):
    column = pq.read_table(question["folder"], columns=["text"])["text"]
    return column.cast(pa.large_string()).combine_chunks()


def sign_and_pair(question, column):
    bands, rows = question["bands"], question["rows"]
    by = minhash.permutations(bands * rows, 0)
    keys = []
    for start in range(0, len(column), BATCH):
        found = words(column.slice(start, BATCH))
        signed = minhash.signatures(minhash.shingles(found, question["shingle"]), by)
        keys.append(minhash.band_keys(signed, rows, range(bands)))
    numbers = np.arange(len(column), dtype=np.uint64).repeat(bands)
    return candidates.pair_up(np.concatenate(keys).ravel(), numbers, numbers)


if sys.argv[1:] == ["alone"]:
    answer(texts, sign_and_pair, lambda question, result: None)
else:
    answer(read, deduplicate, kept)
