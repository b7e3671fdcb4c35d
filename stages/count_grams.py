"""Benchmarks into an index of their n-grams, with the number of documents that hold each."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard
from numpy.typing import NDArray

from classifiers.words import words
from pipeline import files, storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.shards import read_batches
from pipeline.stage import Job, Output, Stage
from stages.ngrams import count_documents, find, gram_hashes, index_of
from stages.text import clean, clean_line

COVERAGE = "coverage.json"  # what the index covers: the words in a gram; examples and grams of each benchmark
GROUP_ROWS = 1 << 16

_ORIGINS = pa.schema([("gram", pa.uint64()), ("benchmark", pa.string()), ("example", pa.string())])
_COUNTS = pa.schema([("gram", pa.uint64()), ("documents", pa.uint32())])
_GRAMS = pa.schema(
    [
        ("gram", pa.uint64()),  # hash of its words; sorted
        ("documents", pa.uint32()),  # training documents that hold it
        ("benchmark", pa.string()),  # where it occurs first
        ("example", pa.string()),
    ]
)


class Example(NamedTuple):
    """One question, passage or problem of a benchmark."""

    benchmark: str
    name: str
    text: str


@dataclass(frozen=True)
class CountGrams(Stage):
    """Index the 13-grams of benchmarks, and count the training documents that hold each.

    A gram is a run of words as classifiers/words.py splits them: lower case, without punctuation (GPT-3,
    appendix C). Each document counts once; documents held out for validation do not count. An example with
    fewer words than a gram cannot be found: `coverage.json` says how many there are in each benchmark.

    Fields:
        benchmarks: JSON lines (.jsonl) or one example a file (.txt), plain, .gz or .zst
        words: words in a gram; 13 in GPT-3, appendix C
        text_field: field of a JSON line that holds the text; `task` and `id`, if there, name the example
    """

    benchmarks: files.SmallFiles
    words: int = 13
    text_field: str = "text"

    makes: ClassVar[str] = "grams"

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ValueError("benchmarks is empty; name the files to keep out of the training data")
        if self.words < 1:
            raise ValueError(f"words = {self.words} must be at least 1")

    def check_files(self) -> None:
        """Each benchmark must have a first example."""
        for path in files.expand(self.benchmarks, _SUFFIXES):
            next(read_examples(path, self.text_field), None)

    def run(self, job: Job) -> None:
        """Index the benchmarks, count in every shard, add up."""
        documents = job.inputs["documents"]
        paths = tuple(files.expand(self.benchmarks, _SUFFIXES))
        index = job.map("benchmark", self.index, {"grams": paths})["grams"]
        shards = {name: name for name in documents.shards}
        counts = job.map("counts", partial(self.count, documents, index), shards, documents.contents)
        job.map("shards", partial(_add_up, index), {"grams": tuple(counts.values())})

    def index(self, paths: Sequence[str], output: Output) -> None:
        """Every gram of the benchmarks, once, with the first example that has it; and what is covered."""
        examples = [example for path in paths for example in read_examples(path, self.text_field)]
        if not examples:
            raise InputError(f"no example in {', '.join(paths)}; name benchmarks that hold some")
        grams = gram_hashes(
            words(pa.array([example.text for example in examples], pa.large_string())), self.words
        )
        sizes = np.diff(grams.offsets)
        unique, first = np.unique(grams.hashes, return_index=True)
        origin = np.searchsorted(grams.offsets, first, side="right") - 1
        columns = [
            pa.array([example[field] for example in examples], pa.string()).take(pa.array(origin))
            for field in (0, 1)
        ]
        table = pa.table([pa.array(unique), *columns], schema=_ORIGINS)
        output.table(_ORIGINS, group_rows=GROUP_ROWS).write(table)
        output.count(examples=len(examples), examples_too_short=int((sizes == 0).sum()), grams=len(unique))
        coverage = {"words": self.words, "benchmarks": covered(examples, grams.hashes, sizes)}
        output.side(COVERAGE, json.dumps(coverage, indent=1, ensure_ascii=False).encode())

    def count(self, documents: Dataset, index: str, name: str, output: Output) -> None:
        """The grams that occur in one shard, and in how many of its training documents."""
        looked_for = index_of(_column(index, "gram"))
        latest = np.full(len(looked_for.grams), -1, np.int64)
        counts = np.zeros(len(looked_for.grams), np.uint32)
        first = 0
        for batch in documents.batches(name, ["split", "text"]):
            training = batch.filter(pc.fill_null(pc.not_equal(batch["split"], "val"), True))
            found = words(training["text"])
            count_documents(find(found, gram_hashes(found, self.words), looked_for), first, latest, counts)
            first += training.num_rows
            output.tick(batch.num_rows, batch.nbytes)
        seen = np.flatnonzero(counts)
        table = pa.table([looked_for.grams[seen], counts[seen]], schema=_COUNTS)
        output.table(_COUNTS, group_rows=GROUP_ROWS).write(table)


def _add_up(index: str, counts: Sequence[str], output: Output) -> None:
    """The index with the sums of all shards."""
    grams = _column(index, "gram")
    documents = np.zeros(len(grams), np.uint32)
    for path in counts:
        for batch in read_batches(path):
            documents[np.searchsorted(grams, batch["gram"].to_numpy())] += batch["documents"].to_numpy()
    origins = pa.concat_tables([_ORIGINS.empty_table(), *read_batches(index)])
    table = origins.append_column("documents", pa.array(documents))
    output.table(_GRAMS, group_rows=GROUP_ROWS).write(table)


def _column(path: str, name: str) -> NDArray[Any]:
    batches = [batch[name].to_numpy() for batch in read_batches(path, [name])]
    return np.concatenate(batches) if batches else np.empty(0, np.uint64)


def covered(
    examples: Sequence[Example], grams: NDArray[np.uint64], sizes: NDArray[np.int64]
) -> dict[str, dict[str, int]]:
    """For each benchmark: its examples, those too short to have a gram, and its different grams.

    `sizes` says how many of `grams` each example has.
    """
    names, codes = np.unique([example.benchmark for example in examples], return_inverse=True)
    owners = np.repeat(codes, sizes)
    order = np.lexsort((grams, owners))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(owners[order]) != 0) | (np.diff(grams[order]) != 0)
    columns = {
        "examples": np.bincount(codes, minlength=len(names)),
        "too_short": np.bincount(codes[sizes == 0], minlength=len(names)),
        "grams": np.bincount(owners[order][fresh], minlength=len(names)),
    }
    return {
        str(name): {what: int(column[row]) for what, column in columns.items()}
        for row, name in enumerate(names)
    }


_LINES, _WHOLE = (".jsonl", ".ndjson"), (".txt",)
_PACKINGS = ("", ".gz", ".zst")
_SUFFIXES = tuple(kind + packing for kind in (*_LINES, *_WHOLE) for packing in _PACKINGS)


def read_examples(path: str, text_field: str) -> Iterator[Example]:
    """The examples of one benchmark file, in the form that documents have.

    Without a field `task` the file's name stands for the benchmark, without an `id` the line's number for the
    example.
    Raises InputError with the file, the line and the remedy when something cannot be read.
    """
    stem, data = files.stem(path), _unpacked(path)
    kind = os.path.splitext(path.removesuffix(".gz").removesuffix(".zst"))[1]
    if kind in _WHOLE:
        try:
            yield Example(stem, "1", clean(data.decode()))
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8: {error}; convert it") from error
    elif kind in _LINES:
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                yield _example(line, f"{path}, line {number}", text_field, (stem, str(number)))
    else:
        raise InputError(f"{path}: a benchmark is one of {', '.join(_SUFFIXES)}; convert it or rename it")


def _example(line: bytes, where: str, text_field: str, default: tuple[str, str]) -> Example:
    remedy = f"a line must be a JSON object with its text under '{text_field}' (set by text_field)"
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: {error}; {remedy}") from error
    text = record.get(text_field) if isinstance(record, dict) else None
    if not isinstance(text, str):
        there = f"the fields {', '.join(sorted(record))}" if isinstance(record, dict) else "no object"
        raise InputError(f"{where}: {there}, no text; {remedy}")
    named = {"task": default[0], "id": default[1]} | {key: v for key, v in record.items() if v is not None}
    return Example(clean_line(str(named["task"])), clean_line(str(named["id"])), clean(text))


def _unpacked(path: str) -> bytes:
    """The bytes of a file, whatever it is packed with."""
    with storage.open_input(path) as file:
        try:
            if path.endswith(".gz"):
                with gzip.open(file) as stream:
                    return stream.read()
            if path.endswith(".zst"):
                with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
                    return stream.read()
            return file.read()
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InputError(f"{path} cannot be unpacked: {error}; pack it again") from error
