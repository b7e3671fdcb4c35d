"""A quality model's card: what it was made of, what it is worth, what it would keep."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.features import buckets
from classifiers.keep import keep_rate, pareto, top_share
from classifiers.logistic import Logistic, Mask, Settings
from classifiers.words import Words, words
from pipeline.shards import read_batches
from stages.sample import Sample, cutoff, split_by

ALPHAS = (1, 2, 3, 5, 9, 15, 25)
BINS = 20  # of the histograms
STEPS = 10  # of the reliability table
TOP_SHARES = 1000  # shares whose score the card knows: 1/1000 to 1000/1000
WORDS_SHOWN = 40  # in each direction
READ = 5000  # documents of a side, to find the words behind the buckets
RARE = 0.01  # share of the good documents below which a language is not theirs


def card(
    sample: Sample, model: Logistic, settings: Settings, unseen: Mapping[str, float | None]
) -> dict[str, Any]:
    """Everything but the words; `unseen` has the AUC of each source when it was left out."""
    scores = model.scores_of(sample.counts, sample.keys)
    languages = languages_of(sample, sample.good)
    same = sample.good | sample.speaks(languages)
    made = {
        "kind": "logistic",
        "folds": len(model.bias),
        "bias": model.bias.tolist(),
        "scale_bits": model.scale_bits,
    }
    return {
        "model": made | settings._asdict(),
        "positives": _size(sample, sample.good),
        "crawl": _size(sample, ~sample.good),
        "sources": _sources(sample, scores, unseen),
        "languages": languages,
        "auc": auc(sample.good, scores, sample.held_out),
        "auc_same_languages": auc(sample.good, scores, sample.held_out & same),
        **_reliability(sample, scores, settings.balanced),
        "histogram": {
            "positives": _histogram(scores[sample.good]),
            "crawl": _histogram(scores[~sample.good]),
        },
        "forecast": _forecast(sample, scores),
        "top_shares": top_share(scores[~sample.good], np.arange(1, TOP_SHARES + 1) / TOP_SHARES).tolist(),
    }


def auc(good: Mask, scores: Floats, among: Mask) -> float | None:
    """The chance that a good document scores above one that is not; None without one of each."""
    from sklearn.metrics import roc_auc_score

    if len(set(good[among].tolist())) < 2:
        return None
    return round(float(roc_auc_score(good[among], scores[among])), 4)


def languages_of(sample: Sample, among: Mask) -> list[str]:
    """The languages of at least one in a hundred documents, most frequent first."""
    counted = pc.value_counts(sample.documents["language"].filter(pa.array(among))).to_pylist()
    common = [(-row["counts"], row["values"]) for row in counted if row["counts"] >= RARE * among.sum()]
    return [code for _, code in sorted(common)]


def heaviest_words(model: Logistic, sides: Iterable[Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
    """The buckets of the largest and smallest weights, each by its most frequent word.

    `sides` are the shards of the sample; a few thousand documents of each are enough.
    """
    shards = [(path, cutoff(paths, READ)) for paths in sides for path in paths]
    weights = model.weights.mean(axis=0) * 2.0**-model.scale_bits
    order = np.argsort(weights, kind="stable")
    ends = {"positives": order[::-1][:WORDS_SHOWN], "crawl": order[:WORDS_SHOWN]}
    found = _words_of(np.concatenate(list(ends.values())), model.bits, shards)
    return {
        side: [
            {"word": found[b][0], "weight": round(float(weights[b]), 4), "share": found[b][1]}
            for b in chosen.tolist()
            if b in found
        ]
        for side, chosen in ends.items()
    }


def _words_of(
    wanted: NDArray[np.int64], bits: int, shards: Iterable[tuple[str, float]]
) -> dict[int, tuple[str, float]]:
    """The most frequent word of each wanted bucket, and its share of what falls into the bucket."""
    shown = np.zeros(1 << bits, bool)
    shown[wanted] = True
    counts: dict[int, Counter[str]] = {bucket: Counter() for bucket in wanted.tolist()}
    spelled: dict[int, str] = {}
    for path, limit in shards:
        for batch in read_batches(path, ["draw", "text"]):
            texts = batch["text"].filter(pc.less_equal(batch["draw"], limit))
            split = words(texts)
            where = buckets(split, bits)
            hits = np.flatnonzero(shown[where])
            hashes, first, number = np.unique(split.hashes[hits], return_index=True, return_counts=True)
            for key, at, times in zip(hashes.tolist(), hits[first], number.tolist(), strict=True):
                if key not in spelled:
                    spelled[key] = _spelling(texts, split, at)
                counts[int(where[at])][spelled[key]] += times
    ranked = {
        bucket: min((-times, word) for word, times in found.items())
        for bucket, found in counts.items()
        if found
    }
    return {
        bucket: (word, round(-times / counts[bucket].total(), 4)) for bucket, (times, word) in ranked.items()
    }


def _spelling(texts: pa.ChunkedArray, split: Words, at: int) -> str:
    """Word number `at` of the texts, in lower case."""
    document = int(np.searchsorted(split.offsets, at, side="right")) - 1
    data: bytes = texts[document].as_py().encode()
    return data[split.starts[at] : split.ends[at]].decode().lower()


def _size(sample: Sample, among: Mask) -> dict[str, int]:
    total = pc.sum(sample.documents["words"].filter(pa.array(among))).as_py() or 0
    held_out = int((among & sample.held_out).sum())
    return {"documents": int(among.sum()), "words": total, "held_out": held_out}


def _sources(sample: Sample, scores: Floats, unseen: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """One row for each source of each side."""
    rows: list[dict[str, Any]] = []
    for side, among in (("positives", sample.good), ("crawl", ~sample.good)):
        units = split_by(sample.documents.filter(pa.array(among)))
        for source, unit in units.items():
            mine = among & np.asarray(pc.equal(sample.documents["source"], source))
            row = {"side": side, "source": source, **_size(sample, mine), "held_out_by": unit}
            if side == "positives":
                against = ~sample.good & sample.speaks(languages_of(sample, mine))
                row["auc"] = auc(sample.good, scores, (mine | against) & sample.held_out)
                row["auc_without"] = unseen.get(source)
            rows.append(row)
    return rows


def _reliability(sample: Sample, scores: Floats, balanced: bool) -> dict[str, Any]:
    """Accuracy at 0.5, and how far a score is from the share of good documents among those that have it."""
    good, held_out = sample.good, sample.held_out
    if len(set(good[held_out].tolist())) < 2:
        return {"accuracy": None, "calibration_error": None, "reliability": []}
    weights = np.ones(len(good))
    for side in (good & held_out, ~good & held_out):
        weights[side] = 1 / side.sum() if balanced else 1
    step = np.minimum((scores * STEPS).astype(int), STEPS - 1)
    rows, error = [], 0.0
    for number in range(STEPS):
        mine = (step == number) & held_out
        weight = math.fsum(weights[mine])
        if weight:
            score = math.fsum(scores[mine] * weights[mine]) / weight
            observed = math.fsum(weights[mine & good]) / weight
            error += weight * abs(score - observed)
            row = {"from": number / STEPS, "documents": int(mine.sum())}
            rows.append({**row, "score": round(score, 4), "good": round(observed, 4)})
    total = math.fsum(weights[held_out])
    right = math.fsum(weights[held_out & ((scores >= 0.5) == good)]) / total
    return {"accuracy": round(right, 4), "calibration_error": round(error / total, 4), "reliability": rows}


def _histogram(scores: Floats) -> list[int]:
    """Documents in each twentieth of [0, 1]."""
    counts = np.bincount(np.minimum((scores * BINS).astype(int), BINS - 1), minlength=BINS)
    return [int(count) for count in counts]


def _forecast(sample: Sample, scores: Floats) -> list[dict[str, float]]:
    """The shares that the Pareto rule would keep: of the crawl's documents and words, of good documents."""
    crawl = ~sample.good
    sizes = sample.documents["words"].to_numpy()[crawl]
    rows = []
    for alpha in ALPHAS:
        chances = pareto(scores, alpha)
        shares = {
            "crawl": keep_rate(chances[crawl]),
            "crawl_words": math.fsum(chances[crawl] * sizes) / int(sizes.sum()),
            "positives": keep_rate(chances[sample.good]),
        }
        rows.append({"alpha": alpha, **{name: round(share, 5) for name, share in shares.items()}})
    return rows


def to_markdown(card: Mapping[str, Any]) -> str:
    """The card as a person reads it."""
    parts = [
        f"# The quality model of step '{card['step']}'",
        "Logistic regression on hashed words, the positives against the crawl (GPT-3, appendix A).\n"
        "All that follows up to the forecast was measured on held-out documents, which no model learnt from.",
        *_worth(card),
        "## What the Pareto rule would keep",
        _basis(card),
        _table(
            ["alpha", "of crawl documents", "of crawl words", "of positives"],
            [[row["alpha"], *map(_percent, list(row.values())[1:])] for row in card["forecast"]],
        ),
        "## Scores",
        _table(["from", "positives", "crawl"], _histogram_rows(card["histogram"])),
        "## Calibration",
        _table(
            ["from", "documents", "mean score", "good"], [list(row.values()) for row in card["reliability"]]
        ),
        "## Words that weigh most",
        _table(["for the positives", "weight", "for the crawl", "weight"], _word_rows(card["words"])),
    ]
    return "\n\n".join(parts) + "\n"


def _worth(card: Mapping[str, Any]) -> list[str]:
    """How well the two sides are told apart, as a whole and by source."""
    keys = ("side", "source", "documents", "words", "held_out", "held_out_by", "auc", "auc_without")
    measures = [
        ["AUC against the whole crawl", card["auc"]],
        [f"AUC against the crawl in {', '.join(card['languages'])}", card["auc_same_languages"]],
        ["accuracy at 0.5", card["accuracy"]],
        ["expected calibration error", card["calibration_error"]],
    ]
    alone = sum(row["side"] == "positives" for row in card["sources"]) < 2
    return [
        _table(["measure", ""], measures),
        "AUC is the chance that a positive document scores above one of the crawl; by source, above one\n"
        'in the same languages. "AUC if unseen" is that of a model trained without the source: what a score\n'
        f"is worth on good text of another kind.{' One source alone has none.' if alone else ''}",
        _table(
            ["side", "source", "documents", "words", "held out", "by", "AUC", "AUC if unseen"],
            [[row.get(key) for key in keys] for row in card["sources"]],
        ),
    ]


def _basis(card: Mapping[str, Any]) -> str:
    """Which documents the shares and scores are of."""
    many = card["model"]["folds"] > 1
    judges = (
        "each scored by a model that did not learn from it"
        if many
        else "scored by the model that learnt from them"
    )
    return f"Expected of the sample: {card['crawl']['documents']:,} documents of the crawl, {judges}."


def _histogram_rows(histogram: Mapping[str, Sequence[int]]) -> list[list[Any]]:
    pairs = zip(histogram["positives"], histogram["crawl"], strict=True)
    return [[number / BINS, *pair] for number, pair in enumerate(pairs)]


def _word_rows(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[Any]]:
    pairs = zip_longest(found["positives"], found["crawl"], fillvalue={"word": "", "weight": ""})
    return [[good["word"], good["weight"], bad["word"], bad["weight"]] for good, bad in pairs]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)
