"""Lines that a site repeats go: navigation, notices and teasers that the extraction took for text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.hashing import hash_text
from pipeline.schema import REASON, unify, with_column
from pipeline.shards import count_rows, read_batches
from pipeline.shuffle import GROUP_ROWS, exchange, merge, read_partition, sorted_by_partition
from pipeline.stage import Job, Output, Stage
from stages.canonical import address
from stages.delivery import SHARD, Budget, Shards, deliver, found_in, key_partitions, told
from stages.line_rules import keep_lines
from stages.repeated_report import LEADERS, Losses, choose_leaders, leaders, report, tables
from stages.spans import Rules, Spans, covered, parted, spans, sums

SPANS = pa.schema(
    [
        ("key", pa.uint64()),
        ("documents", pa.int64()),  # of the shard that have the span
        ("first", pa.uint64()),  # the first of them in order
        (SHARD, pa.uint32()),
    ]
)
SPAN_BYTES, SITE_BYTES = 140, 300  # of a row while its partition is sorted, at most
SITES = {"domain": ["domain"], "host": ["url"], "all": []}  # the columns that say what a site is
ADDED = pa.schema([("repeated_lines", pa.int64()), ("repeated_characters", pa.int64())])


@dataclass(frozen=True)
class Told:
    """Where what was found is, for the task of each shard."""

    documents: Dataset
    shards: Shards
    repeated: tuple[str, ...]
    blocks: NDArray[np.uint32]
    leaders: str


@dataclass(frozen=True)
class DropRepeated(Stage):
    """Drop the lines that stand in many documents of one site, but for the first of these documents.

    What is compared is a span: a line and as many of the next ones in its paragraph as make `min_words`
    words. So "Share" or "Ingredients", a closing bracket or a line of a list goes only as part of a sequence
    that is repeated as a whole. In Chinese, Japanese, Thai and the like, signs count as parts of words. Case
    and punctuation do not count, numbers do. Counts are exact, over all datasets. A site with at most
    `max_documents` documents loses nothing, nor does a document without a site.

    Of the documents that have a span the first one keeps it, so each line that goes stays somewhere (unless
    that document is itself left with too little): split "val" comes first, then the datasets as they are
    listed, then a hash of the id. Where lines are taken out of a paragraph, a blank line parts what is left.
    A document that lost lines and has fewer than `min_words` words left is rejected. Adds `repeated_lines`
    and `repeated_characters`, what was dropped; `pipeline status` shows which spans and of which sites.

    Run it after `deduplicate`, or what copies have in common is taken for what a site repeats, and after
    `refine`, which takes texts anew. CCNet (Wenzek et al. 2020) drops every line that occurs twice in a part
    of a crawl, numbers being alike: within = "all", max_documents = 1, min_words = 1, numbers = false,
    keep = "none".

    Fields:
        max_documents: in more documents of a site a span is repeated
        min_words: words that a span has at least, and what is left of a document
        within: domain: a site is what the column `domain` says; host: each host is one; all: all documents
        unit: line: spans of neighbouring lines; paragraph: only whole paragraphs, between blank lines
        numbers: whether numbers count; false: "Page 7 of 12" and "Page 8 of 12" are the same, as are rows of
            tables that differ in nothing else
        keep: first: a span stays in the first of its documents; none: in none
        memory: megabytes that a task may take; it decides how many tasks there are, never what they find
    """

    max_documents: int = 3
    min_words: int = 10
    within: Literal["domain", "host", "all"] = "domain"
    unit: Literal["line", "paragraph"] = "line"
    numbers: bool = True
    keep: Literal["first", "none"] = "first"
    memory: int = 1024
    replaces: ClassVar[frozenset[str]] = frozenset({"text"})

    def __post_init__(self) -> None:
        for name in ("max_documents", "min_words", "memory"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 1")

    def run(self, job: Job) -> None:
        """Count spans by key; tell each shard which of its own are repeated; take these out; report."""
        documents = job.inputs["documents"]
        shards, budget = Shards.of(documents), Budget(self.memory, SPAN_BYTES)
        found = job.map("spans", partial(self.find, documents, shards), shards.items, documents.contents)
        sizes = [count_rows(path) for path in found.values()]
        partitions, blocks = budget.partitions(sum(sizes)), budget.blocks(sizes)
        keys = exchange(job, "keys", partial(_by_key, budget, partitions), found, partitions)
        names = {f"{partition:05d}": partition for partition in range(partitions)}
        repeated = deliver(job, "repeated", partial(self.count, keys, budget, blocks), names, blocks)
        common = [f"{job.folder}/leaders/{name}.parquet" for name in names]
        shown = job.map("shown", choose_leaders, {"all": common})["all"]
        drop = partial(self.drop, Told(documents, shards, repeated, blocks, shown))
        job.map("shards", drop, shards.items, documents.contents)
        losses = [f"{job.folder}/losses/{name}.parquet" for name in shards.names]
        merged = merge(job, "losses-merged", losses, self._site_partitions(documents))
        job.map("report", report, {"all": merged})

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The sites that lost most, the spans that are repeated most."""
        return tables(f"{dataset.folders[0]}/report/all.parquet")

    def find(self, documents: Dataset, shards: Shards, shard: int, output: Output) -> None:
        """Each span of a shard once: how many documents have it, and the first of them."""
        keys, firsts = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        columns = ["id", "split", "text", *SITES[self.within]]
        for table in documents.batches(shards.names[shard], columns):
            _, found, _ = self._spans(table)
            begin = np.flatnonzero(found.keys)
            values, owners = found.keys[begin], found.documents[begin]
            order = np.lexsort((owners, values))
            values, owners = values[order], owners[order]
            new = np.ones(len(order), np.bool_)
            new[1:] = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
            keys.append(values[new])
            firsts.append(precedence(table, shards.datasets[shard])[owners[new]])
            output.tick(table.num_rows, 0)
        every, least = np.concatenate(keys), np.concatenate(firsts)
        counted = count_spans(every, np.ones(len(every), np.int64), least)
        rows = pa.table([*counted, np.full(len(counted[0]), shard, np.uint32)], schema=SPANS)
        output.table(SPANS, group_rows=GROUP_ROWS).write(rows)

    def count(
        self, found: Sequence[str], budget: Budget, blocks: NDArray[np.uint32], partition: int, output: Output
    ) -> None:
        """The repeated spans of a partition, to the shards that have them; the commonest beside."""
        table = read_partition(found, partition, SPANS.names)
        keys, documents, firsts, shards = (table[name].to_numpy() for name in SPANS.names)
        distinct, counts, least = count_spans(keys, documents, firsts)
        chosen = counts > self.max_documents
        distinct, counts, least = distinct[chosen], counts[chosen], least[chosen]
        output.count(repeated_spans=len(distinct))
        common = pa.table([distinct, counts, least], schema=LEADERS)
        output.table(LEADERS, part="leaders").write(leaders(common))
        hit, at = found_in(distinct, keys)
        rows = pa.table({"key": keys[hit], "first": least[at[hit]], SHARD: shards[hit]})
        budget.scatter(output, rows, blocks[shards[hit]])

    def drop(self, found: Told, shard: int, output: Output) -> None:
        """Write the documents of a shard without the lines that are repeated; what they lost beside."""
        decided = told(found.repeated, found.blocks, shard).sort_by("key")
        keys, firsts = decided["key"].to_numpy(), decided["first"].to_numpy()
        writer = output.documents(unify([found.documents.schema, ADDED], output.folder))
        losses = Losses(found.leaders)
        for table in found.documents.batches(found.shards.names[shard]):
            texts, own, sites = self._spans(table)
            order = precedence(table, found.shards.datasets[shard])[own.documents]
            losses.show(own, texts, sites, order)
            repeated, at = found_in(keys, own.keys)
            if self.keep == "first":
                repeated[repeated] = firsts[at[repeated]] != order[repeated]
            gone = covered(own, repeated)
            lines = sums(gone.astype(np.int64), own.lines.offsets)
            characters = sums(np.where(gone, own.lines.characters, 0), own.lines.offsets)
            losses.add(sites, lines, characters)
            left = sums(np.where(gone, 0, own.words), own.lines.offsets)
            reasons = self._reasons(lines, left, sums((~gone).astype(np.int64), own.lines.offsets))
            cut = keep_lines(texts, parted(own.lines, gone), gone.view(np.uint8))
            cleaned = with_column(table, "text", pc.if_else(pa.array(lines > 0), cut, texts))
            writer.write(with_column(_counted(cleaned, lines, characters), REASON, reasons))
        rows = losses.table()
        parts = key_partitions(hash_text(rows["site"]), self._site_partitions(found.documents))
        rows = sorted_by_partition(rows, parts)
        output.table(rows.schema, part="losses").write(rows)

    def _spans(self, table: pa.Table) -> tuple[pa.Array, Spans, pa.Array]:
        """The texts of some documents, their spans, their sites."""
        texts = pc.cast(table["text"].combine_chunks(), pa.large_string())
        sites = sites_of(table, self.within)
        keyed = pc.is_valid(sites).to_numpy(zero_copy_only=False)
        rules = Rules(self.min_words, self.unit == "paragraph", self.numbers)
        return texts, spans(texts, hash_text(sites), keyed, rules), sites

    def _reasons(
        self, lines: NDArray[np.int64], words: NDArray[np.int64], left: NDArray[np.int64]
    ) -> pa.Array:
        """Of documents that lost lines, by the words (in sixteenths) and the lines that are left."""
        reasons = np.full(len(lines), None, object)
        reasons[(lines > 0) & (words < 16 * self.min_words)] = "repeated:little_left"
        reasons[(lines > 0) & (left == 0)] = "repeated:nothing_left"
        return pa.array(reasons, pa.string())

    def _site_partitions(self, documents: Dataset) -> int:
        """Parts of what sites lost: there are no more of them than documents."""
        return Budget(self.memory, SITE_BYTES).partitions(sum(documents.rows.values()))


def sites_of(documents: pa.Table, within: str) -> pa.Array:
    """What each document belongs to; null for those that belong to nothing."""
    if within == "all":
        return pa.array([""] * documents.num_rows, pa.string())
    if within == "host":
        hosts = [address(url or "").host.removeprefix("www.") for url in documents["url"].to_pylist()]
        return pa.array([host or None for host in hosts], pa.string())
    domains = documents["domain"].combine_chunks()
    return pc.if_else(pc.equal(domains, ""), pa.scalar(None, pa.string()), domains)


def precedence(documents: pa.Table, dataset: int) -> NDArray[np.uint64]:
    """The lesser keeps a span: not "val" << 63 | place of the dataset << 48 | a hash of the id."""
    val = pc.fill_null(pc.equal(documents["split"], "val"), False).to_numpy()
    high = (~val).astype(np.uint64) << np.uint64(63) | np.uint64(dataset << 48)
    order: NDArray[np.uint64] = high | hash_text(documents["id"]) >> np.uint64(16)
    return order


def count_spans(
    keys: NDArray[np.uint64], documents: NDArray[np.int64], firsts: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64]]:
    """(key, sum of the documents, least of the firsts) of each distinct key, ascending."""
    order = np.argsort(keys, kind="stable")
    distinct, starts = np.unique(keys[order], return_index=True)
    if not len(distinct):
        return keys, documents, firsts
    return distinct, np.add.reduceat(documents[order], starts), np.minimum.reduceat(firsts[order], starts)


def _by_key(budget: Budget, partitions: int, path: str, output: Output) -> None:
    """The spans of a shard to where their keys are counted."""
    table = pa.concat_tables([SPANS.empty_table(), *read_batches(path)])
    budget.scatter(output, table, key_partitions(table["key"].to_numpy(), partitions))


def _counted(documents: pa.Table, lines: NDArray[np.int64], characters: NDArray[np.int64]) -> pa.Table:
    """With the added columns; what an earlier step of this kind dropped counts."""
    for name, lost in zip(ADDED.names, (lines, characters), strict=True):
        column = pa.array(lost)
        if name in documents.column_names:
            column = pc.add(pc.fill_null(documents[name], 0), column)
        documents = with_column(documents, name, column)
    return documents
