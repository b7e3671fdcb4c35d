"""What a person reads to believe a quality model: heavy words, words that give a side away, pages by rank."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.features import buckets
from classifiers.logistic import Logistic, Mask
from classifiers.terms import chosen_words, offsets_of, terms
from classifiers.words import Words, words
from pipeline.hashing import UInt64s, among, hash_text
from pipeline.shards import read_batches
from stages.sample import Sample, cutoff

WORDS = 40  # heaviest, in each direction
REVEALING = 12  # words that give a source away, in each direction
READ = 5000  # documents of each share of the sample, to find the words behind the buckets
EXCERPT = 400  # characters


class Shard(NamedTuple):
    """A file of the sample, and the draw up to which its documents are in."""

    path: str
    limit: float


def heaviest(model: Logistic) -> dict[str, NDArray[np.int64]]:
    """The buckets of the largest and of the smallest weights."""
    weights = _weights(model)
    order = np.argsort(weights, kind="stable")
    falling = order[::-1][:WORDS]
    rising = order[:WORDS]
    return {"positives": falling[weights[falling] > 0], "crawl": rising[weights[rising] < 0]}


def revealing(sample: Sample, bits: int) -> dict[str, dict[int, tuple[float, float]]]:
    """For each source of good documents: the buckets that alone tell most, and in what share of it and of the
    crawl they occur.

    A word that is in most documents of one side and hardly any of the other may be a trace of how they were
    collected: the name of a source, markup that was left, a header.
    """
    source = sample.documents["source"]
    names = sorted(pc.unique(source.filter(pa.array(sample.good))).to_pylist())
    number = pc.fill_null(pc.index_in(source, pa.array(names, pa.string())), len(names)).to_numpy()
    side = np.where(sample.good, number, len(names)).astype(np.int64)
    present = np.zeros((len(names) + 1) << bits, np.int32)
    done = 0
    for batch in sample.counts:
        rows = side[done : done + len(batch.offsets) - 1]
        done += len(rows)
        np.add.at(present, (np.repeat(rows, np.diff(batch.offsets)) << bits) + batch.buckets, np.int32(1))
    sizes = np.bincount(side, minlength=len(names) + 1)
    *of_sources, crawl = present.reshape(-1, 1 << bits)
    other = crawl / max(sizes[-1], 1)
    found = {}
    for name, documents, size in zip(names, of_sources, sizes, strict=False):
        own = documents / size
        order = np.argsort(own - other, kind="stable")
        chosen = [*order[::-1][:REVEALING].tolist(), *order[:REVEALING].tolist()]
        found[name] = {b: (round(float(own[b]), 3), round(float(other[b]), 3)) for b in chosen}
    return found


def show_words(
    model: Logistic, sample: Sample, shares: Iterable[Sequence[str]]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """The heaviest and the revealing buckets, each by its most frequent term.

    `shares` are the shards of each share of the sample; a few thousand documents of each are enough.
    """
    ends, telling = heaviest(model), revealing(sample, model.bits)
    wanted = {
        *np.concatenate(list(ends.values())).tolist(),
        *(b for found in telling.values() for b in found),
    }
    shards = [Shard(path, cutoff(paths, READ)) for paths in shares for path in paths]
    spelled = _terms_of(np.array(sorted(wanted), np.int64), model, shards)
    weights = _weights(model)
    heavy = {
        side: [
            {"word": spelled[b][0], "weight": round(float(weights[b]), 4), "share": spelled[b][1]}
            for b in chosen.tolist()
            if b in spelled
        ]
        for side, chosen in ends.items()
    }
    alone = {
        source: [
            {"word": spelled[b][0], "source": own, "crawl": other}
            for b, (own, other) in found.items()
            if b in spelled
        ]
        for source, found in telling.items()
    }
    return heavy, alone


def _weights(model: Logistic) -> Floats:
    mean: Floats = model.weights.mean(axis=0) * 2.0**-model.scale_bits
    return mean


def _terms_of(
    wanted: NDArray[np.int64], model: Logistic, shards: Iterable[Shard]
) -> dict[int, tuple[str, float]]:
    """The most frequent term of each wanted bucket, and its share of what falls into the bucket."""
    shown = np.zeros(1 << model.bits, bool)
    shown[wanted] = True
    counts: dict[int, Counter[str]] = {bucket: Counter() for bucket in wanted.tolist()}
    known: dict[int, str] = {}
    for shard in shards:
        for batch in read_batches(shard.path, ["draw", "text"]):
            texts = batch["text"].filter(pc.less_equal(batch["draw"], shard.limit))
            split = words(texts)
            found = terms(texts, split, model.reading)
            where = buckets(found.hashes, model.bits)
            hits = np.flatnonzero(shown[where])
            hashes, first, number = np.unique(found.hashes[hits], return_index=True, return_counts=True)
            new = [
                at for key, at in zip(hashes.tolist(), hits[first].tolist(), strict=True) if key not in known
            ]
            spelled = _spellings(texts, split, model, new)
            known |= {int(found.hashes[at]): word for at, word in zip(new, spelled, strict=True)}
            for key, at, times in zip(hashes.tolist(), hits[first], number.tolist(), strict=True):
                counts[int(where[at])][known[key]] += times
    ranked = {
        bucket: min((-times, word) for word, times in found.items())
        for bucket, found in counts.items()
        if found
    }
    return {
        bucket: (word, round(-times / counts[bucket].total(), 4)) for bucket, (times, word) in ranked.items()
    }


def _spellings(texts: pa.ChunkedArray, split: Words, model: Logistic, at: Sequence[int]) -> Iterator[str]:
    """The terms number `at` of the texts, in lower case."""
    units, numbers = chosen_words(texts, split, model.reading)
    sizes = np.diff(units.offsets)
    offsets = offsets_of(sizes, model.reading.ngrams)
    for term in at:
        document = int(np.searchsorted(offsets, term, side="right")) - 1
        place, n = term - int(offsets[document]), 1
        while place >= sizes[document] - n + 1:
            place, n = place - int(sizes[document]) + n - 1, n + 1
        data: bytes = texts[document].as_py().encode()
        begin = int(units.offsets[document]) + place
        chosen = numbers[begin : begin + n].tolist()
        yield " ".join(data[split.starts[unit] : split.ends[unit]].decode().lower() for unit in chosen)


def ranked_pages(
    sample: Sample, scores: Floats, number: int, paths: Mapping[bool, Sequence[str]]
) -> dict[str, list[dict[str, Any]]]:
    """`number` pages each: of the crawl those ranked best, around 0.5, and worst; and the worst positives.

    `paths` are the shards of the sample, by whether they hold the good documents. Of copies, one is shown.
    """
    crawl = _without_copies(~sample.good, sample.keys)
    good = _without_copies(sample.good, sample.keys)
    chosen = {
        "best": _first(-scores, crawl, number),
        "middle": _first(np.abs(scores - 0.5), crawl, number),
        "worst": _first(scores, crawl, number),
        "positives": _first(scores, good, number),
    }
    chosen["middle"] = chosen["middle"][np.argsort(-scores[chosen["middle"]], kind="stable")]
    told = sample.documents.select(["id", "source", "language"])
    listed = {name: told.take(pa.array(rows)).to_pylist() for name, rows in chosen.items()}
    ids: dict[bool, set[str]] = {True: set(), False: set()}
    for name, pages in listed.items():
        ids[name == "positives"] |= {page["id"] for page in pages}
    texts = {side: _texts(ids[side], paths[side]) for side in ids}
    return {
        name: [
            page | {"score": round(float(score), 6)} | texts[name == "positives"][page["id"]]
            for page, score in zip(pages, scores[chosen[name]], strict=True)
        ]
        for name, pages in listed.items()
    }


def shown_of(card: Mapping[str, Any], gone: UInt64s) -> list[str]:
    """The ids of the pages on a card that are of documents with these hashes, sorted."""
    ids = [page["id"] for pages in card["pages"].values() for page in pages]
    goes = among(hash_text(pa.array(ids, pa.string())), gone).tolist()
    return [name for name, is_gone in zip(ids, goes, strict=True) if is_gone]


def without_pages(card: Mapping[str, Any], gone: UInt64s) -> dict[str, Any]:
    """The card without the pages of documents with these hashes, sorted."""
    taken = set(shown_of(card, gone))
    left = {
        name: [page for page in pages if page["id"] not in taken] for name, pages in card["pages"].items()
    }
    return {**card, "pages": left}


def _without_copies(among: Mask, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    rows = np.flatnonzero(among)
    _, first = np.unique(keys[rows], return_index=True)
    return np.asarray(rows[np.sort(first)], np.int64)


def _first(order: Floats, rows: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    return rows[np.argsort(order[rows], kind="stable")[:number]]


def _texts(ids: set[str], paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """URL and beginning of some documents of the sample."""
    wanted, found = pa.array(sorted(ids), pa.string()), {}
    for path in paths:
        for batch in read_batches(path, ["id", "url", "text"]):
            for row in batch.filter(pc.is_in(batch["id"], wanted)).to_pylist():
                text = " ".join(row["text"][: 2 * EXCERPT].split())[:EXCERPT]
                found[row["id"]] = {"url": row["url"] or "", "text": text}
    return found
