"""A quality model's card: what it was made of, what it is worth, what it would keep."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.calibration import Calibration, Method, calibrate
from classifiers.curve import Floats
from classifiers.keep import top_share
from classifiers.logistic import Logistic, Mask
from classifiers.training import Part
from stages.keep_rates import alpha_fit, held_out_positives, keep_rates
from stages.sample import Balance, Sample, split_by

BINS = 20  # of the histograms
STEPS = 10  # of the reliability table
TOP_SHARES = 1000  # shares whose score the card knows: 1/1000 to 1000/1000
RARE = 0.01  # share of the good documents below which a language is not theirs


def card(sample: Sample, model: Logistic, scores: Floats, told: Mapping[str, Any]) -> dict[str, Any]:
    """All that numbers say.

    `told` has what the stage knows: the `learner` and its `settings`, `balance`, the method of `calibration`,
    the number of documents in the `crawl`, and the AUC of each source when it was left out, `unseen`.
    """
    languages = languages_of(sample, sample.good)
    same = sample.good | sample.speaks(languages)
    fit = alpha_fit(held_out_positives(sample, scores))
    crawl_scores = scores[~sample.good]
    return {
        "model": {
            "learner": told["learner"],
            "folds": len(model.bias),
            "bias": model.bias.tolist(),
            **{name: getattr(model, name) for name in ("bits", "scale_bits", "normalize")},
            "reading": model.reading._asdict(),
            "settings": told["settings"],
        },
        "positives": _size(sample, sample.good),
        "crawl": _size(sample, ~sample.good),
        "sources": _sources(sample, scores, told["unseen"]),
        "languages": languages,
        "auc": auc(sample.good, scores, sample.held_out),
        "auc_same_languages": auc(sample.good, scores, sample.held_out & same),
        "auc_out_of_fold": auc(sample.good, scores, np.ones_like(sample.good))
        if len(model.bias) > 1
        else None,
        **_worth(sample, scores, told["balance"], told["calibration"]),
        "histogram": {"positives": _histogram(scores[sample.good]), "crawl": _histogram(crawl_scores)},
        "alpha": fit,
        "keeps": keep_rates(sample, scores, fit["alpha"] if fit else None, told["crawl"]),
        "top_shares": top_share(crawl_scores, np.arange(1, TOP_SHARES + 1) / TOP_SHARES).tolist(),
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


def _size(sample: Sample, among: Mask) -> dict[str, int]:
    mine = sample.documents.filter(pa.array(among))
    totals = {name: pc.sum(mine[name]).as_py() or 0 for name in ("words", "tokens")}
    return {"documents": mine.num_rows, **totals, "held_out": int((among & sample.held_out).sum())}


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


def _worth(sample: Sample, scores: Floats, balance: Balance, method: Method) -> dict[str, Any]:
    """Accuracy at 0.5, the calibration, and how far scores and probabilities are from the truth.

    The probabilities measured come from a calibration on the other half of the held-out documents. None for
    what cannot be told without documents of both sides.
    """
    held_out = np.flatnonzero(sample.held_out)
    good, found = sample.good[held_out], scores[held_out]
    importance = sample.importance(sample.held_out, balance)[held_out]
    nothing = dict.fromkeys(("accuracy", "calibration_error", "calibrated_error", "calibration"))
    if len(set(good.tolist())) < 2:
        return nothing | {"reliability": []}
    right = math.fsum(importance[(found >= 0.5) == good]) / math.fsum(importance)
    rows, error = _reliability(found, good, importance)
    half = (sample.keys[held_out] >> np.uint64(32)) % np.uint64(2) == 0
    return {
        "accuracy": round(right, 4),
        "calibration_error": error,
        "calibrated_error": _calibrated_error(found, Part(good, importance), half, method),
        "calibration": {"method": method, **calibrate(found, good, importance, method).to_json()},
        "reliability": rows,
    }


def _calibrated_error(scores: Floats, part: Part, half: Mask, method: Method) -> float | None:
    """That of the probabilities: each half calibrated by the other. None if one of them lacks a side."""
    good, importance = part
    if any(len(set(good[mine].tolist())) < 2 for mine in (half, ~half)):
        return None
    probabilities = np.zeros(len(scores))
    for mine in (half, ~half):
        probabilities[mine] = calibrate(scores[~mine], good[~mine], importance[~mine], method)(scores[mine])
    return _reliability(probabilities, good, importance)[1]


def _reliability(scores: Floats, good: Mask, importance: Floats) -> tuple[list[dict[str, Any]], float]:
    """By tenths of the score: how many are good; and the expected difference, by weight."""
    step = np.minimum((scores * STEPS).astype(int), STEPS - 1)
    rows, error = [], 0.0
    for number in range(STEPS):
        mine = step == number
        weight = math.fsum(importance[mine])
        if weight:
            score = math.fsum(scores[mine] * importance[mine]) / weight
            observed = math.fsum(importance[mine & good]) / weight
            error += weight * abs(score - observed)
            row = {"from": number / STEPS, "documents": int(mine.sum())}
            rows.append({**row, "score": round(score, 4), "good": round(observed, 4)})
    return rows, round(error / math.fsum(importance), 4)


def calibration_of(card: Mapping[str, Any]) -> Calibration | None:
    """The calibration in a card, if there was enough to make one of."""
    return Calibration.from_json(card["calibration"]) if card["calibration"] else None


def _histogram(scores: Floats) -> list[int]:
    """Documents in each twentieth of [0, 1]."""
    counts = np.bincount(np.minimum((scores * BINS).astype(int), BINS - 1), minlength=BINS)
    return [int(count) for count in counts]
