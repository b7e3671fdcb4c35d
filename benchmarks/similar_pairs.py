"""Which texts are similar, exactly, and what a deduplication made of it: recall and precision by similarity.

The truth shares no code with what is measured. A text is the set of its runs of five words; letters of
scripts that put no spaces between words count as words; a text of fewer words is one run. Of all pairs that
have a run in common the Jaccard similarity is computed, by a product of sparse matrices.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.variations import NO_SPACES

SHINGLE = 5
LEAST = 0.5  # similarity that is looked at
BANDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CHUNK = 500  # documents compared with all others at a time

_WORD = re.compile(rf"[{NO_SPACES}]|[^\W{NO_SPACES}]+")


class Pairs(NamedTuple):
    """Similar documents, each pair once, the first before the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        return Pairs(self.first[chosen], self.second[chosen], self.similarity[chosen])


class Band(NamedTuple):
    """Pairs of a band of similarity, and how many of them are such as were asked for."""

    pairs: int
    chosen: int


def similar_pairs(texts: Sequence[str], least: float = LEAST) -> Pairs:
    """All pairs of texts that are at least so similar."""
    sets, sizes = incidence(texts)
    found = [Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for start in range(0, len(texts), CHUNK):
        shared = (sets[start : start + CHUNK] @ sets.T).tocoo()
        first, second = shared.coords[0].astype(np.int64) + start, shared.coords[1].astype(np.int64)
        similarity = shared.data / (sizes[first] + sizes[second] - shared.data)
        found.append(Pairs(first, second, similarity).where((first < second) & (similarity >= least)))
    joined = Pairs(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
    order = np.lexsort((joined.second, joined.first))
    return Pairs(joined.first[order], joined.second[order], joined.similarity[order])


def incidence(texts: Sequence[str]) -> tuple[csr_array, NDArray[np.int64]]:
    """Which text has which run of words, of the runs that several have; and how many runs each text has."""
    documents, runs = _runs(texts)
    cells = np.unique(documents << 32 | runs)
    rows, columns = cells >> 32, cells & 0xFFFFFFFF
    sizes = np.bincount(rows, minlength=len(texts))
    several = np.bincount(columns) > 1
    rows, columns = rows[several[columns]], columns[several[columns]]
    shape = (len(texts), len(several))
    return csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape), sizes


def _runs(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(document, run) for every place where one begins; equal runs have equal numbers.

    Words are numbered, then pairs of words, then pairs of such a pair and a word, …: no hash might collide.
    """
    known: dict[str, int] = {}
    words, documents = [], []
    for number, text in enumerate(texts):
        found = _WORD.findall(text.lower())
        found += [""] * (SHINGLE - len(found)) if found else []
        words.append(np.array([known.setdefault(word, len(known)) for word in found], np.int64))
        documents.append(np.full(len(found), number))
    every, owner = np.concatenate(words), np.concatenate(documents)
    runs = every
    for ahead in range(1, SHINGLE):
        pairs = runs[:-1] << 32 | every[ahead:]
        runs = np.unique(pairs, return_inverse=True)[1]
    whole = owner[: len(runs)] == owner[len(owner) - len(runs) :]
    return owner[: len(runs)][whole], runs[whole]


def recall(pairs: Pairs, kept: NDArray[np.bool_], threshold: float) -> list[Band]:
    """By band: of how many of the pairs that count at most one document stays."""
    counted = that_count(pairs, threshold)
    return by_band(counted, one_gone(counted, kept))


def that_count(pairs: Pairs, threshold: float) -> Pairs:
    """All above the threshold; of the others those of which neither document has a partner above it.

    Nothing called for either of these to go.
    """
    above = pairs.similarity >= threshold
    called = np.unique(np.concatenate([pairs.first[above], pairs.second[above]]))
    return pairs.where(above | ~(np.isin(pairs.first, called) | np.isin(pairs.second, called)))


def expected(pairs: Pairs, bands: int, rows: int) -> list[float]:
    """The share of the pairs in each band of similarity that so many bands of hashes find, on average."""
    chances = 1 - (1 - pairs.similarity**rows) ** bands
    return [float(chances[each].mean()) if each.any() else 0.0 for each in _bands(pairs.similarity)]


def one_gone(pairs: Pairs, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of which pairs at most one document stays."""
    return ~(kept[pairs.first] & kept[pairs.second])


def by_band(pairs: Pairs, chosen: NDArray[np.bool_]) -> list[Band]:
    """How many pairs are in each band, and how many of these are chosen."""
    masks = _bands(pairs.similarity)
    return [Band(int(np.count_nonzero(each)), int(np.count_nonzero(each & chosen))) for each in masks]


def precision(pairs: Pairs, kept: NDArray[np.bool_]) -> list[int]:
    """Removed documents by similarity to the most similar one that stays: less than LEAST, then by band."""
    nearest = np.zeros(len(kept))
    for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        stays = kept[other]
        np.maximum.at(nearest, one[stays], pairs.similarity[stays])
    removed = nearest[~kept]
    return [int(np.count_nonzero(each)) for each in (removed < BANDS[0], *_bands(removed))]


def _bands(similarities: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """Masks; the last band includes 1."""
    return [
        (similarities >= low) & ((similarities < high) | (high == BANDS[-1])) for low, high in pairwise(BANDS)
    ]
