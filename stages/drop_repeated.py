"""Lines that a site repeats go: navigation, notices and teasers that the extraction took for text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.hashing import hash_text
from pipeline.schema import REASON, unify, with_column
from pipeline.shards import read_batches
from pipeline.shuffle import GROUP_ROWS, exchange, key_partitions, merge, read_partition, sorted_by_partition
from pipeline.stage import Job, Output, Stage
from stages.delivery import SHARD, Budget, Shards, deliver, found_in, told
from stages.line_rules import keep_lines
from stages.repeated_report import LEADERS, Losses, choose_leaders, leaders, report, tables
from stages.sites import READS, SITE_BYTES, SIZE, Counted, CountSites, runs, sites_of
from stages.spans import Rules, Spans, covered, parted, spans, sums

SPANS = pa.schema(
    [
        ("key", pa.uint64()),
        ("documents", pa.int64()),  # of the shard that have the span
        ("first", pa.uint64()),  # the first of them in order
        ("allowed", pa.int64()),  # documents of the site that may have it
        (SHARD, pa.uint32()),
    ]
)
LENGTHS = pa.schema([("spans", pa.int64())])  # of a shard
SPAN_BYTES = 150  # of a row while its partition is sorted, at most
ADDED = pa.schema([(name, pa.int64()) for name in ("repeated_lines", "repeated_characters", SIZE)])


@dataclass(frozen=True)
class Told:
    """Where what was found is, for the task of each shard."""

    documents: Dataset
    shards: Shards
    sites: Counted
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
    `max_documents` documents loses nothing, nor does a document without a site; and what a large site has on
    few of its pages, such as verses or clauses that are quoted, is no navigation.

    Of the documents that have a span the first one keeps it, so each line that goes stays somewhere (unless
    that document is itself left with too little): split "val" comes first, then the datasets as they are
    listed, then a hash of the id. Where lines are taken out of a paragraph, a blank line parts what is left.
    A document that lost lines and has fewer than `min_words` words left is rejected. Adds `repeated_lines`
    and `repeated_characters`, what was dropped, and `site_documents`, the size of its site, by which a later
    step of this kind goes if fewer of them are left. `pipeline status` shows what went, of which sites.

    Run it after `deduplicate`, or what copies have in common is taken for what a site repeats, and after
    `refine`, which takes texts anew. CCNet (Wenzek et al. 2020) drops every line that occurs twice in a part
    of a crawl, numbers being alike: within = "all", max_documents = 1, min_share = 0, min_words = 1,
    numbers = false, keep = "none".

    Fields:
        max_documents: in more documents of a site a span is repeated, …
        min_share: … if they are more than this share of the documents of the site
        min_words: words that a span has at least, and what is left of a document
        within: domain: a site is what the column `domain` says; host: each host is one; all: all documents
        unit: line: spans of neighbouring lines; paragraph: only whole paragraphs, between blank lines
        numbers: whether numbers count; false: "Page 7 of 12" and "Page 8 of 12" are the same, as are rows of
            tables that differ in nothing else
        keep: first: a span stays in the first of its documents; none: in none
        memory: megabytes that a task may take; it decides how many tasks there are, never what they find
    """

    max_documents: int = 3
    min_share: float = 0.01
    min_words: int = 10
    within: Literal["domain", "host", "all"] = "domain"
    unit: Literal["line", "paragraph"] = "line"
    numbers: bool = True
    keep: Literal["first", "none"] = "first"
    memory: int = 1024
    replaces: ClassVar[frozenset[str]] = frozenset({"text"})
    leftovers: ClassVar[frozenset[str]] = frozenset({"report"})

    def __post_init__(self) -> None:
        for name in ("max_documents", "min_words", "memory"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 1")
        if not 0 <= self.min_share < 1:
            raise ValueError(f"min_share = {self.min_share} must be at least 0 and below 1")

    def run(self, job: Job) -> None:
        """Count sites, then spans; tell each shard which of its own are repeated; drop these; report."""
        documents = job.inputs["documents"]
        shards, budget = Shards.of(documents), Budget(self.memory, SPAN_BYTES)
        counted = CountSites(documents, shards, self.within, self.memory).run(job)
        find = partial(self.find, documents, shards, counted)
        found = job.map("spans", find, shards.items, documents.contents)
        sizes = [_size(f"{job.folder}/lengths/{name}.parquet") for name in found]
        partitions, blocks = budget.partitions(sum(sizes)), budget.blocks(sizes)
        keys = exchange(job, "keys", partial(_by_key, budget, partitions), found, partitions)
        job.discard("spans")
        names = {f"{partition:05d}": partition for partition in range(partitions)}
        repeated = deliver(job, "repeated", partial(self.count, keys, budget, blocks), names, blocks)
        common = [f"{job.folder}/leaders/{name}.parquet" for name in names]
        shown = job.map("shown", choose_leaders, {"all": common})["all"]
        job.discard("keys-merged", "leaders")
        drop = partial(self.drop, Told(documents, shards, counted, repeated, blocks, shown))
        job.map("shards", drop, shards.items, documents.contents)
        losses = [f"{job.folder}/losses/{name}.parquet" for name in shards.names]
        merged = merge(job, "losses-merged", losses, self._site_partitions(documents))
        job.map("report", report, {"all": merged})
        job.discard("sizes-told", "repeated-told", "shown", "losses", "losses-merged")

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """What there was to compare; the sites that lost most, the spans that are repeated most."""
        totals = dataset.manifests[0].totals
        found = {"documents of a site": "with_site", "spans that are repeated": "repeated_spans"}
        counts = {title: totals.get(name, 0) for title, name in found.items()}
        path = f"{dataset.folders[0]}/report/all.parquet"  # `pipeline forget` deletes it
        return {"repeated lines": [counts]} | (tables(path) if storage.exists(path) else {})

    def find(self, documents: Dataset, shards: Shards, counted: Counted, shard: int, output: Output) -> None:
        """Each span of a shard once: how many documents have it, the first of them, how many may."""
        pieces, sizes = [SPANS.empty_table()], counted.sizes(shard)
        for table in documents.batches(shards.names[shard], ["id", "split", "text", *READS[self.within]]):
            _, found, sites = self._spans(table)
            begin = np.flatnonzero(found.keys)
            keys, owners = found.keys[begin], found.documents[begin]
            order = np.lexsort((owners, keys))
            keys, owners = keys[order], owners[order]
            again = np.zeros(len(order), np.bool_)
            again[1:] = (keys[1:] == keys[:-1]) & (owners[1:] == owners[:-1])
            keys, owners = keys[~again], owners[~again]
            of_site = sizes.of(sites)
            allowed = np.maximum(self.max_documents, np.floor(self.min_share * of_site).astype(np.int64))
            few = (of_site <= allowed)[owners]  # nothing of such a site can be repeated
            places, ones = precedence(table, shards.datasets[shard]), np.ones(len(keys), np.int64)
            columns = [keys, ones, places[owners], allowed[owners], np.full(len(keys), shard, np.uint32)]
            pieces.append(pa.table(columns, schema=SPANS).filter(pa.array(~few)))
            output.tick(table.num_rows, 0)
        rows = summed(pa.concat_tables(pieces))
        output.table(SPANS, group_rows=GROUP_ROWS).write(rows)
        output.table(LENGTHS, part="lengths").write(pa.table([[rows.num_rows]], schema=LENGTHS))

    def count(
        self, found: Sequence[str], budget: Budget, blocks: NDArray[np.uint32], partition: int, output: Output
    ) -> None:
        """The repeated spans of a partition, to the shards that have them; the commonest beside."""
        table = read_partition(found, partition, SPANS.names)
        counted = summed(table)
        counted = counted.filter(pc.greater(counted["documents"], counted["allowed"]))
        output.count(repeated_spans=counted.num_rows)
        output.table(LEADERS, part="leaders").write(leaders(counted.select(LEADERS.names)))
        hit, at = found_in(counted["key"].to_numpy(), table["key"].to_numpy())
        firsts, shards = counted["first"].to_numpy()[at[hit]], table[SHARD].to_numpy()[hit]
        rows = pa.table({"key": table["key"].to_numpy()[hit], "first": firsts, SHARD: shards})
        budget.scatter(output, rows, blocks[shards])

    def drop(self, found: Told, shard: int, output: Output) -> None:
        """Write the documents of a shard without the lines that are repeated; what they lost beside."""
        decided = told(found.repeated, found.blocks, shard).sort_by("key")
        keys, firsts = decided["key"].to_numpy(), decided["first"].to_numpy()
        writer = output.documents(unify([found.documents.schema, ADDED], output.folder))
        losses, sizes = Losses(found.leaders), found.sites.sizes(shard)
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
            cleaned = with_column(_counted(cleaned, lines, characters), SIZE, sizes.of(sites))
            writer.write(with_column(cleaned, REASON, reasons))
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


def precedence(documents: pa.Table, dataset: int) -> NDArray[np.uint64]:
    """The lesser keeps a span: not "val" << 63 | place of the dataset << 48 | a hash of the id."""
    val = pc.fill_null(pc.equal(documents["split"], "val"), False).to_numpy()
    high = (~val).astype(np.uint64) << np.uint64(63) | np.uint64(dataset << 48)
    order: NDArray[np.uint64] = high | hash_text(documents["id"]) >> np.uint64(16)
    return order


def summed(spans: pa.Table) -> pa.Table:
    """Each key once, ascending: the documents of all, the first of the firsts."""
    order, starts = runs(spans["key"].to_numpy())
    distinct = spans.take(pa.array(order[starts]))
    documents = np.add.reduceat(spans["documents"].to_numpy()[order], starts)
    firsts = np.minimum.reduceat(spans["first"].to_numpy()[order], starts)
    return with_column(with_column(distinct, "documents", documents), "first", firsts)


def _size(path: str) -> int:
    """Spans of a shard."""
    return sum(pc.sum(table["spans"]).as_py() for table in read_batches(path))


def _by_key(budget: Budget, partitions: int, path: str, output: Output) -> None:
    """The spans of a shard to where their keys are counted."""
    table = pa.concat_tables([SPANS.empty_table(), *read_batches(path)])
    budget.scatter(output, table, key_partitions(table["key"].to_numpy(), partitions))


def _counted(documents: pa.Table, lines: NDArray[np.int64], characters: NDArray[np.int64]) -> pa.Table:
    """With the added columns; what an earlier step of this kind dropped counts."""
    for name, lost in zip(ADDED.names[:2], (lines, characters), strict=True):
        column = pa.array(lost)
        if name in documents.column_names:
            column = pc.add(pc.fill_null(documents[name], 0), column)
        documents = with_column(documents, name, column)
    return documents
