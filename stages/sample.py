"""The documents that a quality model learns from and is measured on: which they are, and what is held out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.features import Features, features, join, text_keys
from classifiers.logistic import Mask
from classifiers.words import words
from pipeline.hashing import hash_text, uniform
from pipeline.schema import with_column
from pipeline.shards import read_batches

SAMPLE = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("group", pa.string()),  # registered domain or, without one, <source>/<file>
        ("language", pa.string()),
        ("draw", pa.float64()),  # the smallest are in
        ("text", pa.large_string()),
    ]
)
LIGHT = pa.schema([*(field for field in SAMPLE if field.name != "text"), pa.field("words", pa.int64())])
FEWEST_GROUPS = 10  # a source of fewer domains or files is held out by document


class Sample(NamedTuple):
    """Documents of both sides, the good ones first."""

    documents: pa.Table  # LIGHT
    counts: Features
    keys: NDArray[np.uint64]  # of the texts
    good: Mask
    held_out: Mask  # not trained on

    def of(self, source: str) -> Mask:
        """The good documents of one source."""
        return self.good & np.asarray(pc.equal(self.documents["source"], source), np.bool_)

    def speaks(self, languages: Sequence[str]) -> Mask:
        """Whether a document is in one of the languages."""
        return np.asarray(pc.is_in(self.documents["language"], pa.array(languages, pa.string())), np.bool_)


def both(positives: Sample, crawl: Sample) -> Sample:
    """One sample of the two sides."""
    return Sample(
        pa.concat_tables([positives.documents, crawl.documents]),
        join([positives.counts, crawl.counts]),
        np.concatenate([positives.keys, crawl.keys]),
        np.concatenate([positives.good, crawl.good]),
        np.concatenate([positives.held_out, crawl.held_out]),
    )


def groups(documents: pa.Table) -> pa.Array:
    """The registered domain of each document; without one, its id up to the record: <source>/<file>."""
    files = pc.replace_substring_regex(documents["id"], "/[^/]*$", "")
    domains = pc.if_else(pc.equal(documents["domain"], ""), None, documents["domain"])
    return pc.coalesce(domains, files)


def cutoff(paths: Sequence[str], size: int) -> float:
    """The largest of the `size` smallest draws in the shards: who draws no more is in the sample."""
    found = [batch["draw"].to_numpy() for path in paths for batch in read_batches(path, ["draw"])]
    draws = np.concatenate([np.zeros(0), *found])
    return 1.0 if len(draws) <= size else float(np.partition(draws, size - 1)[size - 1])


def read(paths: Sequence[str], limit: float, bits: int) -> tuple[pa.Table, Features, NDArray[np.uint64]]:
    """The documents with words that draw at most `limit`, the counts of these, the hashes of their texts."""
    tables, counts, keys = [LIGHT.empty_table()], [], [np.zeros(0, np.uint64)]
    for path in paths:
        for batch in read_batches(path):
            chosen = batch.filter(pc.less_equal(batch["draw"], limit))
            split = words(chosen["text"])
            sizes = np.diff(split.offsets)
            counts.append(features(split, bits).take(np.flatnonzero(sizes)))
            keys.append(text_keys(split)[sizes > 0])
            tables.append(with_column(chosen, "words", sizes).filter(pa.array(sizes > 0)).select(LIGHT.names))
    return pa.concat_tables(tables), join(counts), np.concatenate(keys)


def split_by(documents: pa.Table) -> dict[str, str]:
    """What each source is held out by: its domains or files if it has enough of them, else its documents."""
    counted = documents.group_by("source").aggregate([("group", "count_distinct"), ("group", "min")])
    found = {}
    for row in counted.sort_by("source").to_pylist():
        unit = "file" if "/" in row["group_min"] else "domain"
        found[row["source"]] = unit if row["group_count_distinct"] >= FEWEST_GROUPS else "document"
    return found


def hold_out(documents: pa.Table, share: float, seed: int, purpose: str) -> Mask:
    """Which documents of one side only measure: `share` of the groups of each source; never all of them."""
    alone = [source for source, unit in split_by(documents).items() if unit == "document"]
    by_document = pc.is_in(documents["source"], pa.array(alone, pa.string()))
    keys = pc.if_else(by_document, documents["id"], documents["group"])
    held_out = uniform(seed, purpose, hash_text(keys)) < share
    return held_out & ~held_out.all()
