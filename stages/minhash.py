"""Shingles and MinHash signatures of texts, as kernels over the hashes of their words.

A shingle is a run of `size` words, and a text is the set of its shingles (Broder, 1997). A signature holds,
for each of P random permutations of the 32-bit numbers, the least image of any shingle, so two signatures
agree in a place with the probability of their sets' Jaccard similarity. Permutations are datasketch's:
signatures equal those of `datasketch.MinHash(num_perm=P, seed=seed, scheme="affine32", hashfunc=int)` on the
upper 32 bits of the shingles.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, finalize

EMPTY = np.uint32(0xFFFFFFFF)  # every value in the signature of a text without a shingle

Rows = NDArray[np.int64]

_CHANCE = 1 / 256  # that two bytes of sketches agree where the values behind them do not
_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_SALTS = np.array([0x2545F4914F6CDD1D, 0xD1342543DE82EF95], np.uint64)


class Shingles(NamedTuple):
    """The shingles of a batch of texts, one text after another."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]  # text d owns hashes[offsets[d]:offsets[d + 1]]

    def of(self, text: int) -> NDArray[np.uint64]:
        """Those of one text."""
        return self.hashes[self.offsets[text] : self.offsets[text + 1]]


class Permutations(NamedTuple):
    """h -> multipliers[p] h + increments[p] modulo 2^32, for each p."""

    multipliers: NDArray[np.uint32]  # odd, so that each is a permutation
    increments: NDArray[np.uint32]


def shingles(words: Words, size: int) -> Shingles:
    """Every run of `size` words, in order of appearance; a text of fewer words has none."""
    counts = np.maximum(np.diff(words.offsets) - (size - 1), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    hashes = np.empty(offsets[-1], np.uint64)
    _shingle(words.hashes, words.offsets, size, (hashes, offsets))
    return Shingles(hashes, offsets)


def sets(of: Shingles) -> Shingles:
    """Each text's shingles ascending, each once."""
    hashes, offsets = of.hashes.copy(), np.zeros(len(of.offsets), np.int64)
    _unique(hashes, of.offsets, offsets)
    return Shingles(hashes[: offsets[-1]].copy(), offsets)


def permutations(count: int, seed: int) -> Permutations:
    """The permutations that datasketch draws from `seed`; NumPy promises that RandomState never changes."""
    draw = np.random.RandomState(seed)
    halves = draw.randint(0, 1 << 31, count, dtype=np.uint32)
    increments = draw.randint(0, 1 << 32, count, dtype=np.uint32)
    return Permutations(halves * np.uint32(2) + np.uint32(1), increments)


def signatures(of: Shingles, by: Permutations) -> NDArray[np.uint32]:
    """MinHash signatures, one row per text and one column per permutation."""
    out = np.empty((len(of.offsets) - 1, len(by.multipliers)), np.uint32)
    mixed = np.empty(np.diff(of.offsets).max(initial=0), np.uint32)
    _sign(of.hashes, of.offsets, by, mixed, out)
    return out


def band_keys(signed: NDArray[np.uint32], rows: int, bands: range) -> NDArray[np.uint64]:
    """A hash of the `rows` values of each band and of the band's number: [texts, bands]."""
    keys = np.empty((len(signed), len(bands)), np.uint64)
    _hash_bands(signed, rows, bands.start, keys)
    return keys


def estimates(
    sketches: NDArray[np.uint8], rows: Rows, others: NDArray[np.uint8], other_rows: Rows
) -> NDArray[np.float64]:
    """Estimated similarity of sketches[rows[i]] and others[other_rows[i]], from 0 to 1.

    A sketch has the low byte of each value of a signature: a quarter of the bytes for a little more error
    ("b-bit minwise hashing", Li and König, 2010). Bytes agree where values do, and else once in 256.
    """
    out = np.empty(len(rows), np.float64)
    _agree(sketches, rows, others, other_rows, out)
    return np.maximum((out - _CHANCE) / (1 - _CHANCE), 0.0)


def jaccards(ones: Shingles, texts: Rows, others: Shingles, other_texts: Rows) -> NDArray[np.float64]:
    """|A ∩ B| / |A ∪ B| of the sets (see `sets`) of texts[i] and other_texts[i]; 0 if both are empty."""
    out = np.empty(len(texts), np.float64)
    _intersect(ones, texts, others, other_texts, out)
    return out


def standard_error(similarity: float, count: int) -> float:
    """Of an estimate from `count` bytes when the sets have that Jaccard similarity."""
    agreeing = similarity + (1 - similarity) * _CHANCE
    return float(np.sqrt(agreeing * (1 - agreeing) / count) / (1 - _CHANCE))


def found(similarity: float, bands: int, rows: int) -> float:
    """The probability that two texts of that similarity agree in all values of at least one band."""
    return float(1 - (1 - similarity**rows) ** bands)


def chosen_bands(threshold: float, missed: float, most: int) -> tuple[int, int]:
    """(bands, rows): the steepest curve that misses at most a share of the pairs at the threshold.

    The most rows to a band, so the fewest pairs below the threshold, for which enough bands fit into `most`
    values. Raises ValueError where none fit.
    """
    for rows in range(most, 0, -1):
        for bands in range(1, most // rows + 1):
            if found(threshold, bands, rows) >= 1 - missed:
                return bands, rows
    raise ValueError(
        f"no bands within {most} values find all but {missed:g} of the pairs at {threshold:g}; bear more"
    )


def digests(words: Words) -> NDArray[np.uint64]:
    """128 bits that stand for each text's words in order: [texts, 2]."""
    out = np.empty((len(words.offsets) - 1, 2), np.uint64)
    _digest(words.hashes, words.offsets, out)
    return out


@kernel
def _shingle(
    words: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    size: int,
    out: tuple[NDArray[np.uint64], NDArray[np.int64]],
) -> None:
    hashes, bounds = out
    for text in range(len(offsets) - 1):
        first = offsets[text]
        for place in range(bounds[text + 1] - bounds[text]):
            state = np.uint64(size)
            for word in range(first + place, first + place + size):
                state = (state ^ words[word]) * _MULTIPLIER
                state ^= state >> np.uint64(29)
            hashes[bounds[text] + place] = finalize(state)


@kernel
def _unique(hashes: NDArray[np.uint64], bounds: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    """Sort each text's hashes and move the distinct ones together, in place."""
    end = 0
    for text in range(len(bounds) - 1):
        hashes[bounds[text] : bounds[text + 1]].sort()
        for place in range(bounds[text], bounds[text + 1]):
            if place == bounds[text] or hashes[place] != hashes[end - 1]:
                hashes[end] = hashes[place]
                end += 1
        offsets[text + 1] = end


@kernel
def _shared(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    """Values in both of two ascending arrays without repeats."""
    i = j = shared = 0
    while i < len(one) and j < len(other):
        a, b = one[i], other[j]
        shared += a == b
        i += a <= b
        j += b <= a
    return shared


@kernel
def _intersect(
    ones: Shingles, texts: Rows, others: Shingles, other_texts: Rows, out: NDArray[np.float64]
) -> None:
    for pair in range(len(texts)):
        one = ones.hashes[ones.offsets[texts[pair]] : ones.offsets[texts[pair] + 1]]
        other = others.hashes[others.offsets[other_texts[pair]] : others.offsets[other_texts[pair] + 1]]
        both = _shared(one, other)
        out[pair] = both / max(len(one) + len(other) - both, 1)


@kernel
def _agree(
    sketches: NDArray[np.uint8],
    rows: Rows,
    others: NDArray[np.uint8],
    other_rows: Rows,
    out: NDArray[np.float64],
) -> None:
    for pair in range(len(rows)):
        equal = 0
        for place in range(sketches.shape[1]):
            equal += sketches[rows[pair], place] == others[other_rows[pair], place]
        out[pair] = equal / sketches.shape[1]


@kernel
def _fmix32(h: np.uint32) -> np.uint32:
    """The finalizer of MurmurHash3. Numba widens uint32, so every step is cut back to 32 bits."""
    h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ np.uint32(h >> np.uint32(16)))


@kernel
def _sign(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    by: Permutations,
    mixed: NDArray[np.uint32],
    out: NDArray[np.uint32],
) -> None:
    """Fill the signatures; the loop over shingles is innermost, so that it compiles to vector minimums."""
    for text in range(len(offsets) - 1):
        count = offsets[text + 1] - offsets[text]
        for place in range(count):
            mixed[place] = _fmix32(np.uint32(hashes[offsets[text] + place] >> np.uint64(32)))
        for p in range(len(by.multipliers)):
            multiplier, increment, least = by.multipliers[p], by.increments[p], EMPTY
            for place in range(count):
                least = min(least, np.uint32(np.uint32(multiplier * mixed[place]) + increment))
            out[text, p] = least


@kernel
def _hash_bands(signed: NDArray[np.uint32], rows: int, first: int, keys: NDArray[np.uint64]) -> None:
    for text in range(len(signed)):
        for column in range(keys.shape[1]):
            band = first + column
            state = np.uint64(band + 1) * _SALTS[0]
            for place in range(band * rows, (band + 1) * rows):
                state = (state ^ np.uint64(signed[text, place])) * _MULTIPLIER
                state ^= state >> np.uint64(29)
            keys[text, column] = finalize(state)


@kernel
def _digest(words: NDArray[np.uint64], offsets: NDArray[np.int64], out: NDArray[np.uint64]) -> None:
    for text in range(len(offsets) - 1):
        one, other = _SALTS
        for word in range(offsets[text], offsets[text + 1]):
            one = (one ^ words[word]) * _MULTIPLIER
            one ^= one >> np.uint64(29)
            other = (other + words[word]) * _SALTS[0]
            other ^= other >> np.uint64(32)
        out[text, 0], out[text, 1] = finalize(one), finalize(other)
