"""What each alpha and threshold would keep of the crawl, told from the sample before anything is dropped."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.keep import fitted_alpha, pareto, share_of_draws, threshold
from classifiers.logistic import Mask
from stages.sample import Sample

ALPHAS = (1.0, 2.0, 3.0, 5.0, 9.0, 15.0, 25.0)
THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
LANGUAGES, DOMAINS = 12, 20  # shown: those of most documents
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5)


class Groups(NamedTuple):
    """Documents by language or by domain: the names of the largest groups, and who is in which."""

    names: list[str]
    members: NDArray[np.int64]  # number of its group, for each document; len(names) for none of these


def alpha_fit(scores: Floats) -> dict[str, Any] | None:
    """Alpha fitted to the scores of held-out positives, and how well these then look like draws.

    `distance` is Kolmogorov's: the largest difference of the two distributions. None without scores.
    """
    if not len(scores):
        return None
    alpha = fitted_alpha(scores)
    falling = np.sort(1 - scores)
    expected = share_of_draws(alpha, falling)
    steps = np.arange(len(falling) + 1) / len(falling)
    distance = max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())
    quantiles = [
        {
            "share": share,
            "score": round(float(np.quantile(scores, share)), 4),
            "of_draws": round(1 - _quantile_of_draws(alpha, 1 - share), 4),
        }
        for share in QUANTILES
    ]
    return {
        "alpha": alpha,
        "documents": len(scores),
        "distance": round(float(distance), 4),
        "quantiles": quantiles,
    }


def keep_rates(sample: Sample, scores: Floats, alpha: float | None, crawl: int) -> dict[str, Any]:
    """The groups of the crawl, and for each rule the shares of them that it is expected to keep.

    `crawl` is how many documents the whole crawl has; `error` is the standard deviation of what will be
    kept around the share foretold: of the draws, which copies of a text share, and of the sample.
    """
    bad = ~sample.good
    documents = sample.documents.filter(pa.array(bad))
    sizes = documents["tokens"].to_numpy().astype(np.float64)
    others = _other_copies(sample.keys[bad])
    groups = {name: _groups(documents[column], most) for name, column, most in _GROUPED}
    rows = []
    for rule, value, chances in _rules(scores, alpha):
        mine = chances[bad]
        row = {
            "rule": rule,
            "value": value,
            "documents": _share(mine, np.ones_like(mine)),
            "error": _error(mine, others, crawl),
            "tokens": _share(mine, sizes),
            "positives": _share(chances[sample.good], np.ones(int(sample.good.sum()))),
        }
        rows.append(row | {name: _of_each(mine, sizes, found) for name, found in groups.items()})
    listed = {name: _listed(found, sizes) for name, found in groups.items()}
    return {"documents": int(bad.sum()), "of": crawl, "groups": listed, "rules": rows}


_GROUPED = (("languages", "language", LANGUAGES), ("domains", "group", DOMAINS))


def _rules(scores: Floats, alpha: float | None) -> Iterator[tuple[str, float, Floats]]:
    """Rule, its parameter, and keep probabilities."""
    for value in sorted({*ALPHAS, *([] if alpha is None else [alpha])}):
        yield "alpha", value, pareto(scores, value)
    for value in THRESHOLDS:
        yield "threshold", value, threshold(scores, value)


def _quantile_of_draws(alpha: float, share: float) -> float:
    """The distance that `share` of the draws up to 1 do not exceed."""
    distance: float = (1 - share * (1 - 2.0**-alpha)) ** (-1 / alpha) - 1
    return distance


def _groups(column: pa.ChunkedArray, most: int) -> Groups:
    counted = pc.value_counts(column.cast(pa.string())).to_pylist()
    ranked = sorted((-row["counts"], row["values"]) for row in counted if row["values"] is not None)
    names = [name for _, name in ranked[:most]]
    members = pc.fill_null(pc.index_in(column, pa.array(names, pa.string())), len(names))
    return Groups(names, members.to_numpy().astype(np.int64))


def _listed(groups: Groups, sizes: Floats) -> list[dict[str, Any]]:
    documents = np.bincount(groups.members, minlength=len(groups.names) + 1)
    tokens = np.bincount(groups.members, sizes, minlength=len(groups.names) + 1)
    rows = zip(groups.names, documents.tolist(), tokens.tolist(), strict=False)
    return [{"name": name, "documents": number, "tokens": round(size)} for name, number, size in rows]


def _of_each(chances: Floats, sizes: Floats, groups: Groups) -> dict[str, Sequence[float]]:
    """Name -> shares of the documents and of the tokens of a group."""
    number = len(groups.names) + 1
    kept = [np.bincount(groups.members, chances * size, minlength=number) for size in (1.0, sizes)]
    there = [np.bincount(groups.members, 0 * chances + size, minlength=number) for size in (1.0, sizes)]
    shares = [
        np.round(part / np.maximum(whole, 1), 5).tolist() for part, whole in zip(kept, there, strict=True)
    ]
    return dict(zip(groups.names, zip(*shares, strict=True), strict=False))


def _share(chances: Floats, sizes: Floats) -> float:
    return round(math.fsum(chances * sizes) / max(math.fsum(sizes), 1), 5)


def _other_copies(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many others have the key of each."""
    _, text, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    found: NDArray[np.int64] = sizes[text] - 1
    return found


def _error(chances: Floats, others: NDArray[np.int64], crawl: int) -> float:
    """Of the draws of all documents, and of the sample's mean where it is not the whole crawl.

    Two copies share a draw, so that each pair of them adds its covariance. A share f of the documents is in
    the sample, and f^2 of the pairs.
    """
    if not len(chances):
        return 0.0
    size, crawl = len(chances), max(crawl, len(chances))
    spread = chances * (1 - chances)
    draws = math.fsum(spread) / size / crawl + math.fsum(spread * others) / size**2
    return round(math.sqrt(draws + float(np.var(chances)) * (1 / size - 1 / crawl)), 5)


def held_out_positives(sample: Sample, scores: Floats) -> Floats:
    """The scores that alpha is fitted to."""
    among: Mask = sample.good & sample.held_out
    return scores[among]
