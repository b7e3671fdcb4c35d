"""Which examples of benchmarks share text with training documents: lists for evaluations, and evidence."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.manifest import Identity
from pipeline.shards import read_batches
from pipeline.shuffle import merge, partitions_for, read_partition, scatter
from pipeline.stage import Job, Output, Stage
from stages.contamination_page import to_html
from stages.decontaminate import CUT, CUTS
from stages.known_grams import benchmarks_of, common, examples, occurrences
from stages.shared_text import (
    BY_BENCHMARK,
    FOUND,
    Int64s,
    Occurrences,
    among,
    by_benchmark,
    covered_units,
    found_in,
    hits_of,
    is_among,
    shared,
)

TABLE, PAGE, DOCUMENTS = "contamination.json", "contamination.html", "documents"
PARTITION_BYTES = 64 << 20  # of compressed cuts: what a task joins by example
_HELD = 1 << 10  # pieces of a column that are held before they are made one
STATES = ("not covered", "clean", "common", "dirty")

_EXAMPLES = pa.schema(
    [
        ("benchmark", pa.string()),
        ("example", pa.string()),
        ("status", pa.string()),
        ("units", pa.int64()),  # words and characters
        ("grams", pa.int64()),  # 0: not covered
        ("grams_found", pa.int64()),  # of them, in training documents; they were cut there
        ("grams_common", pa.int64()),  # in too many to be cut
        ("overlap", pa.float64()),  # share of the units that are in grams found
        ("overlap_common", pa.float64()),  # in common ones
        ("documents", pa.int64()),  # training documents that were cut for it
        ("rejected", pa.int64()),  # of them
    ]
)
_DOCUMENTS = pa.schema(
    [
        ("benchmark", pa.string()),
        ("example", pa.string()),
        ("rank", pa.int64()),  # of the document, by the grams that it shares with the example
        ("grams", pa.int64()),
        ("document", pa.string()),
        ("url", pa.string()),
        ("reason", pa.string()),  # why it was rejected, if it was
        ("at", pa.int64()),  # byte of the document's text with which document_text begins
        ("document_text", pa.large_string()),  # what was cut of it
        ("document_start", pa.int64()),  # bytes of that text between which the shared grams are
        ("document_end", pa.int64()),
        ("example_text", pa.large_string()),
        ("example_start", pa.int64()),
        ("example_end", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Contamination(Stage):
    """List which examples of benchmarks are clean or dirty, and the documents that were cut, both texts.

    `documents` is a step of `decontaminate`, `grams` what that was given. An example is

    - dirty if a training document had one of its grams that was cut, or all of it if it is too short to have
      any (GPT-3, section 4);
    - common if none was, but one of its grams is in too many training documents to be cut, and stays there;
    - clean if its grams are in no training document;
    - not covered if it is too short to be looked for.

    Documents held out for validation make no example dirty. `shards` has a row for each example, with the
    share of its words in grams found; `lists` a file for each benchmark, for an evaluation: id, status and
    overlap; `documents` the texts of both, and `contamination.html` shows some of them side by side.

    Fields:
        listed: documents that are listed for each example, those that share most with it
        shown: examples of each benchmark on the page that overlap most, and as many that overlap least
    """

    listed: int = 10
    shown: int = 5

    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "grams": "grams"}
    makes: ClassVar[str] = "contamination"
    remade: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for field, least in (("listed", 1), ("shown", 0)):
            if getattr(self, field) < least:
                raise ValueError(f"{field} = {getattr(self, field)} must be at least {least}")

    def run(self, job: Job) -> None:
        """Join each shard's cuts with the examples, bring those of an example together, judge."""
        documents, grams = job.inputs["documents"], job.inputs["grams"]
        cuts = documents.files(CUTS)
        _check_same_grams(job.step, documents, grams)
        if not cuts:  # a shard without documents has none
            raise InputError(f"step '{job.step}': {documents} has seen no documents; see `pipeline status`")
        partitions = partitions_for(sum(map(storage.size, cuts.values())), PARTITION_BYTES)
        joined = job.map("shared", partial(self.join, grams, partitions), cuts, {})
        merged = merge(job, "merged", tuple(joined.values()), partitions)
        numbers = {f"{number:05d}": number for number in range(partitions)}
        listed = job.map(DOCUMENTS, partial(self.rank, grams, merged), numbers, {})
        folders = tuple(f"{job.folder}/{part}" for part in ("found", "by_benchmark"))
        files = [[f"{folder}/{name}.parquet" for name in cuts] for folder in folders]
        told = (*files, list(joined.values()), list(listed.values()))
        judge = partial(self.judge, grams, _max_documents(documents))
        job.map("shards", judge, {"examples": told}, {})

    def join(self, grams: Dataset, partitions: int, path: str, output: Output) -> None:
        """What one shard's training documents share with each example."""
        hits = hits_of(pa.concat_tables([CUT.empty_table(), *read_batches(path, schema=CUT)]))
        there = among(np.unique(hits.grams), occurrences(grams))
        names, codes = _benchmarks(grams)
        output.table_beside("found", FOUND).write(found_in(hits))
        output.table_beside("by_benchmark", BY_BENCHMARK).write(by_benchmark(hits, there, codes, names))
        rows = shared(hits, there, self.listed)
        numbers = rows["example"].to_numpy() * partitions // max(1, len(codes))
        scatter(output, rows, numbers.astype(np.uint32))

    def rank(self, grams: Dataset, merged: Sequence[str], partition: int, output: Output) -> None:
        """The documents that share most with each example of a partition, both texts."""
        rows = read_partition(merged, partition).combine_chunks()
        ids = np.array(rows["document"].to_pylist(), str)
        example = rows["example"].to_numpy()
        order = np.lexsort((ids, -rows["grams"].to_numpy(), example))
        rows, example = rows.take(pa.array(order)), example[order]
        starts = np.searchsorted(example, example)  # of the rows of the same example
        rank = np.arange(len(example)) - starts
        keep = rank < self.listed
        rows, rank = rows.filter(pa.array(keep)), rank[keep]
        output.table(_DOCUMENTS).write(_side_by_side(rows, rank, _rows(grams, rows["example"].to_numpy())))

    def judge(
        self, grams: Dataset, max_documents: int, told: tuple[Sequence[str], ...], output: Output
    ) -> None:
        """Every example, the list of each benchmark, the page."""
        found, benchmarks, joined, listed = told
        names, codes = _benchmarks(grams)
        table = _examples(grams, max_documents, _column(found, "gram"), _documents(joined, len(codes)))
        output.table(_EXAMPLES).write(table)
        sums = _sums(benchmarks)
        rows = [_row(name, table.filter(pa.array(codes == at)), sums) for at, name in enumerate(names)]
        for name, file in zip(names, _file_names(names), strict=True):
            mine = table.filter(pc.equal(table["benchmark"], name))
            output.side(f"lists/{file}.jsonl", _list(mine))
        chosen = _chosen(table, names, codes, self.shown)
        output.side(TABLE, json.dumps(rows, indent=1, ensure_ascii=False).encode())
        output.side(PAGE, to_html(rows, _shown(listed, table, chosen)).encode())
        output.count(**{state.replace(" ", "_"): sum(row[state] for row in rows) for state in STATES})

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The benchmarks."""
        return {"contamination": json.loads(dataset.side(TABLE))}


def _check_same_grams(step: str, documents: Dataset, grams: Dataset) -> None:
    """The documents were cut by these grams; RecipeError otherwise."""
    given = [identity.digest for identity in map(Identity.load, grams.folders) if identity]
    for folder in documents.folders:
        made = Identity.load(folder)
        if made is None or made.stage != "decontaminate":
            raise RecipeError(
                f"step '{step}': {folder} is not of the stage decontaminate, whose cuts this step reads; "
                "name such a step as `documents`"
            )
        if made.inputs["grams"] != given:
            raise RecipeError(
                f"step '{step}': {folder} was cut by other grams than {', '.join(grams.folders)}; give this "
                "step the same `grams`"
            )


def _max_documents(documents: Dataset) -> int:
    """In how many documents a gram may be that was cut."""
    identities = map(Identity.load, documents.folders)
    return max(int(identity.parameters["max_documents"]) for identity in identities if identity)


def _benchmarks(grams: Dataset) -> tuple[list[str], Int64s]:
    """The benchmarks, sorted, and of each example which of them it is of."""
    names = benchmarks_of(grams)
    column = [batch["benchmark"] for batch in examples(grams, ["benchmark"])]
    codes = [pc.index_in(each, pa.array(names, pa.string())).to_numpy() for each in column]
    return names, np.concatenate([np.empty(0, np.int64), *codes])


def _column(paths: Sequence[str], name: str) -> NDArray[Any]:
    """The values in any of these files, sorted, each once."""
    found: list[NDArray[Any]] = [np.empty(0, np.uint64)]
    for path in paths:
        found += [batch[name].to_numpy() for batch in read_batches(path, [name])]
        if len(found) > _HELD:
            found = [np.unique(np.concatenate(found))]
    return np.unique(np.concatenate(found))


def _documents(joined: Sequence[str], number: int) -> tuple[Int64s, Int64s]:
    """How many documents were cut, and rejected, for each example: the sums of all shards."""
    sums = np.zeros(number, np.int64), np.zeros(number, np.int64)
    for path in joined:
        for batch in read_batches(path, ["example", "rank", "documents", "rejected"]):
            once = batch.filter(pc.equal(batch["rank"], 0))
            for total, name in zip(sums, ("documents", "rejected"), strict=True):
                total[once["example"].to_numpy()] += once[name].to_numpy()
    return sums


def _examples(
    grams: Dataset, max_documents: int, found: NDArray[np.uint64], documents: tuple[Int64s, Int64s]
) -> pa.Table:
    """The rows of _EXAMPLES."""
    known = pa.concat_tables(examples(grams, ["benchmark", "example", "units", "grams"]))
    number, units = known.num_rows, known["units"].to_numpy().astype(np.int64)
    hit = among(found, occurrences(grams))
    much = _without(among(common(grams, max_documents), occurrences(grams)), found)
    counts = [np.bincount(each.examples, minlength=number) for each in (hit, much)]
    overlaps = [covered_units(each, number) / np.maximum(units, 1) for each in (hit, much)]
    lots = known["grams"].to_numpy().astype(np.int64)
    state = np.select([counts[0] > 0, counts[1] > 0, lots > 0], [3, 2, 1], 0)
    columns = [
        known["benchmark"],
        known["example"],
        pa.array(STATES).take(pa.array(state)),
        units,
        lots,
        *counts,
        *overlaps,
        *documents,
    ]
    return pa.table(columns, schema=_EXAMPLES)


def _without(occurrences: Occurrences, grams: NDArray[np.uint64]) -> Occurrences:
    """Those of other grams."""
    return occurrences.where(~is_among(occurrences.grams, grams))


def _sums(paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(documents, rejected) of each benchmark that has some."""
    sums: dict[str, tuple[int, int]] = {}
    for path in paths:
        for batch in read_batches(path):
            for row in batch.to_pylist():
                documents, rejected = sums.get(row["benchmark"], (0, 0))
                sums[row["benchmark"]] = (documents + row["documents"], rejected + row["rejected"])
    return sums


def _row(name: str, mine: pa.Table, sums: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """A benchmark in the table that `status` prints."""
    states = {row["values"]: row["counts"] for row in pc.value_counts(mine["status"]).to_pylist()}
    documents, rejected = sums.get(name, (0, 0))
    return {
        "benchmark": name,
        "examples": mine.num_rows,
        **{state: states.get(state, 0) for state in STATES},
        "dirty by half": int((mine["overlap"].to_numpy() >= 0.5).sum()),
        "documents": documents,
        "rejected": rejected,
    }


def _list(mine: pa.Table) -> bytes:
    """One line of JSON an example, for an evaluation."""
    lines = [
        json.dumps(
            {
                "id": row["example"],
                "status": row["status"],
                "overlap": round(row["overlap"], 4),
                "overlap_common": round(row["overlap_common"], 4),
            },
            ensure_ascii=False,
        )
        for row in mine.to_pylist()
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _file_names(names: Sequence[str]) -> Iterator[str]:
    """A file name for each benchmark: its own, where the letters of that allow and no other has it."""
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^\w.-]", "_", name)[:100].strip(".") or "_"
        number = 1
        file = plain
        while file.casefold() in taken:
            number += 1
            file = f"{plain}-{number}"
        taken.add(file.casefold())
        yield file


def _chosen(table: pa.Table, names: Sequence[str], codes: Int64s, shown: int) -> list[int]:
    """The rows of examples on the page, benchmark by benchmark."""
    dirty = np.flatnonzero(table["grams_found"].to_numpy() > 0)
    overlap = table["overlap"].to_numpy()
    chosen: list[int] = []
    for at in range(len(names)):
        mine = dirty[codes[dirty] == at]
        mine = mine[np.argsort(-overlap[mine], kind="stable")].tolist()
        chosen += mine if len(mine) <= 2 * shown else mine[:shown] + mine[len(mine) - shown :]
    return chosen


def _rows(grams: Dataset, wanted: Int64s) -> pa.Table:
    """The examples at these sorted rows, with text."""
    before, parts = 0, []
    for batch in examples(grams, ["benchmark", "example", "text"]):
        low, high = np.searchsorted(wanted, [before, before + batch.num_rows])
        parts.append(batch.take(pa.array(wanted[low:high] - before)))
        before += batch.num_rows
    return pa.concat_tables(parts)


def _side_by_side(rows: pa.Table, rank: Int64s, known: pa.Table) -> pa.Table:
    """The rows of _DOCUMENTS; `known` has the example of each."""
    texts = known["text"].combine_chunks()
    found = words(texts)
    first, last = (found.offsets[:-1] + rows[name].to_numpy() for name in ("first", "last"))
    values = {
        **{name: rows[name] for name in ("grams", "document", "url", "reason", "at")},
        **{name: known[name] for name in ("benchmark", "example")},
        **{f"document_{name}": rows[name] for name in ("text", "start", "end")},
        "example_text": texts,
        "example_start": found.starts[first].astype(np.int64),
        "example_end": found.ends[last].astype(np.int64),
        "rank": rank,
    }
    return pa.table([values[name] for name in _DOCUMENTS.names], schema=_DOCUMENTS)


def _shown(listed: Sequence[str], table: pa.Table, chosen: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What the page says of each chosen example, and of the document that shares most with it."""
    wanted = table.take(pa.array(chosen, pa.int64())).to_pylist()
    keys = {(row["benchmark"], row["example"]) for row in wanted}
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for path in listed:
        for batch in read_batches(path):
            for row in batch.filter(pc.equal(batch["rank"], 0)).to_pylist():
                key = (row["benchmark"], row["example"])
                if key in keys:
                    best.setdefault(key, row)
    for row in wanted:
        yield row | best[row["benchmark"], row["example"]]
