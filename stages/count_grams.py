"""Benchmarks into an index of their grams, with the number of documents that hold each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline import files
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.shards import read_batches
from pipeline.stage import Job, Output, Stage
from stages.examples import SUFFIXES, Example, read_examples
from stages.ngrams import Runs, Sizes, count_documents, find, index_of, runs_of

COVERAGE = "coverage.json"  # the sizes of a gram; what the index covers of each benchmark
GROUP_ROWS = 1 << 16

# Beside the grams, in folders of these names: a row for each example, and for each gram in one, in its order.
EXAMPLES, OCCURRENCES = "examples", "occurrences"
_EXAMPLES = pa.schema(
    [
        ("benchmark", pa.string()),
        ("example", pa.string()),
        ("units", pa.int32()),  # words and characters
        ("grams", pa.int32()),  # 0: not covered
        ("whole", pa.bool_()),  # looked for as a whole
        ("text", pa.large_string()),
    ]
)
_OCCURRENCES = pa.schema(
    [
        ("gram", pa.uint64()),
        ("example", pa.int32()),  # row among the examples
        ("first", pa.int32()),  # the units of the example that it begins and ends with
        ("last", pa.int32()),
    ]
)
_COUNTS = pa.schema([("gram", pa.uint64()), ("documents", pa.uint32())])
_INDEX = pa.schema(
    [
        ("gram", pa.uint64()),  # hash of its units; sorted
        ("head", pa.uint64()),  # hash of the first few of them
        ("whole", pa.bool_()),  # too light for a gram, so it is all of an example
        ("benchmarks", pa.list_(pa.string())),  # that have it, sorted
    ]
)
_GRAMS = _INDEX.append(pa.field("documents", pa.uint32()))  # training documents that hold it


@dataclass(frozen=True)
class CountGrams(Stage):
    """Index the 13-grams of benchmarks, and count the training documents that hold each.

    A gram is a run of words as classifiers/words.py splits them: lower case, without punctuation (GPT-3,
    appendix C), or of characters in scripts that put no spaces between words; a mixture must weigh as much. A
    shorter example is looked for as a whole if it has `shortest` units, words or characters. One shorter
    still is not covered: `pipeline status` and `coverage.json` say how many those are in each benchmark.

    Each document counts once; documents held out for validation do not count. Give it all sources at once:
    how common a gram is decides what `decontaminate` cuts. A later crawl should be cut by the grams of the
    first run, not counted again, or what was rare becomes common and old cuts change.

    Fields:
        benchmarks: JSON lines (.jsonl) or one example a file (.txt), plain, .gz or .zst
        words: words in a gram; 13 in GPT-3, appendix C
        characters: characters in a gram of a script without spaces (Chinese, Japanese, Thai, …)
        shortest: units (words or characters) from which a shorter example is looked for as a whole
        text_field: field of a JSON line that holds the text; `task` and `id`, if there, name the example
    """

    benchmarks: files.SmallFiles
    words: int = 13
    characters: int = 20
    shortest: int = 8
    text_field: str = "text"

    version: ClassVar[int] = 2
    makes: ClassVar[str] = "grams"

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ValueError("benchmarks is empty; name the files to keep out of the training data")
        for name, size in self.sizes._asdict().items():
            if not 1 <= size <= 1000:
                raise ValueError(f"{name} = {size} must be between 1 and 1,000")

    @property
    def sizes(self) -> Sizes:
        """How long the runs are that it looks for."""
        return Sizes(self.words, self.characters, self.shortest)

    def check_files(self) -> None:
        """Each benchmark must have a first example."""
        for path in files.expand(self.benchmarks, SUFFIXES):
            if next(read_examples(path, self.text_field), None) is None:
                raise InputError(f"no example in {path}; get it again, or take it out of benchmarks")

    def run(self, job: Job) -> None:
        """Index the benchmarks, count in every shard, add up."""
        documents = job.inputs["documents"]
        paths = tuple(files.expand(self.benchmarks, SUFFIXES))
        index = job.map("benchmark", self.index, {"grams": paths})["grams"]
        shards = {name: name for name in documents.shards}
        counts = job.map("counts", partial(self.count, documents, index), shards, documents.contents)
        job.map("shards", partial(_add_up, index), {"grams": tuple(counts.values())})

    def index(self, paths: Sequence[str], output: Output) -> None:
        """Every gram of the benchmarks, once, and the examples; what is covered."""
        examples = [example for path in paths for example in read_examples(path, self.text_field)]
        texts = pa.array([example.text for example in examples], pa.large_string())
        found = words(texts)
        runs = runs_of(texts, found, self.sizes)
        grams, first, numbers = np.unique(runs.hashes, return_index=True, return_inverse=True)
        names, codes = np.unique([example.benchmark for example in examples], return_inverse=True)
        pairs = np.sort(numbers * len(names) + codes[runs.owners])  # (gram, benchmark)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        ends = np.searchsorted(pairs, np.arange(len(grams) + 1) * len(names)).astype(np.int32)
        holders = pa.array(names.tolist(), pa.string()).take(pa.array(pairs % len(names)))
        benchmarks = pa.ListArray.from_arrays(pa.array(ends), holders)
        index = pa.table([grams, runs.heads[first], runs.whole[first], benchmarks], names=_INDEX.names)
        output.table(_INDEX, group_rows=GROUP_ROWS).write(index)
        units = np.diff(found.offsets)
        output.table(_EXAMPLES, EXAMPLES).write(_examples(examples, texts, units, runs))
        output.table(_OCCURRENCES, OCCURRENCES, GROUP_ROWS).write(_occurrences(found.offsets, runs))
        covered = coverage(names.tolist(), codes, runs, pairs % len(names))
        output.count(
            examples=len(examples),
            examples_not_covered=sum(row["not covered"] for row in covered.values()),
            grams=len(grams),
        )
        told = {**self.sizes._asdict(), "benchmarks": covered}
        output.side(COVERAGE, json.dumps(told, indent=1, ensure_ascii=False).encode())

    def count(self, documents: Dataset, index: str, name: str, output: Output) -> None:
        """The grams that occur in one shard, and in how many of its training documents."""
        grams, whole, heads = (_column(index, name) for name in ("gram", "whole", "head"))
        looked_for = index_of(grams, whole, heads, self.sizes)
        latest = np.full(len(looked_for.grams), -1, np.int64)
        counts = np.zeros(len(looked_for.grams), np.uint32)
        first = 0
        for batch in documents.batches(name, ["split", "text"]):
            training = batch.filter(pc.fill_null(pc.not_equal(batch["split"], "val"), True))
            texts = training["text"].combine_chunks()
            count_documents(find(texts, words(texts), looked_for), first, latest, counts)
            first += training.num_rows
            output.tick(batch.num_rows, batch.nbytes)
        seen = np.flatnonzero(counts)
        table = pa.table([looked_for.grams[seen], counts[seen]], schema=_COUNTS)
        output.table(_COUNTS, group_rows=GROUP_ROWS).write(table)

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """What is covered of each benchmark."""
        covered = json.loads(dataset.side(COVERAGE))["benchmarks"]
        return {
            "benchmarks covered": [
                {
                    "benchmark": name,
                    **row,
                    "%": round(100 * (1 - row["not covered"] / row["examples"]), 1),
                }
                for name, row in covered.items()
            ]
        }


def _add_up(index: str, counts: Sequence[str], output: Output) -> None:
    """The index with the sums of all shards."""
    grams = _column(index, "gram")
    documents = np.zeros(len(grams), np.uint32)
    for path in counts:
        for batch in read_batches(path):
            documents[np.searchsorted(grams, batch["gram"].to_numpy())] += batch["documents"].to_numpy()
    writer, start = output.table(_GRAMS, group_rows=GROUP_ROWS), 0
    for batch in read_batches(index):
        sums = documents[start : start + batch.num_rows]
        writer.write(batch.append_column("documents", pa.array(sums)))
        start += batch.num_rows


def _column(path: str, name: str) -> NDArray[Any]:
    batches = [batch[name].to_numpy() for batch in read_batches(path, [name])]
    return np.concatenate([np.empty(0, _INDEX.field(name).type.to_pandas_dtype()), *batches])


def _examples(examples: Sequence[Example], texts: pa.Array, units: NDArray[np.int64], runs: Runs) -> pa.Table:
    names = [pa.array([example[field] for example in examples], pa.string()) for field in (0, 1)]
    columns = [*names, units.astype(np.int32), np.diff(runs.offsets).astype(np.int32), _whole(runs), texts]
    return pa.table(columns, names=_EXAMPLES.names)


def _whole(runs: Runs) -> NDArray[np.bool_]:
    """Of each example, whether it is looked for as a whole."""
    return np.bincount(runs.owners[runs.whole], minlength=len(runs.offsets) - 1) > 0


def _occurrences(units: NDArray[np.int64], runs: Runs) -> pa.Table:
    """The runs of each example, which has the units units[e]:units[e + 1]."""
    places = [(at - units[runs.owners]).astype(np.int32) for at in (runs.firsts, runs.lasts)]
    return pa.table([runs.hashes, runs.owners.astype(np.int32), *places], names=_OCCURRENCES.names)


def coverage(
    names: Sequence[str], codes: NDArray[np.int64], runs: Runs, holders: NDArray[np.int64]
) -> dict[str, dict[str, int]]:
    """For each benchmark: its examples; those covered by grams, as a whole, not at all; its different grams.

    `codes` are the benchmarks of the examples, `holders` those of the pairs of grams and benchmarks.
    """
    some, whole = np.diff(runs.offsets) > 0, _whole(runs)
    columns = {
        "examples": codes,
        "by grams": codes[some & ~whole],
        "as a whole": codes[whole],
        "not covered": codes[~some],
        "grams": holders,
    }
    counts = {what: np.bincount(owners, minlength=len(names)) for what, owners in columns.items()}
    return {
        name: {what: int(column[row]) for what, column in counts.items()} for row, name in enumerate(names)
    }
