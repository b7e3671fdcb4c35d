"""Terms -> hashed counts, the features of GPT-3's classifier (appendix A: Spark's HashingTF).

A term's bucket is the upper bits of its hash: with 2^18 buckets, the first 18.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel, lean
from classifiers.terms import Terms
from classifiers.words import Words, finalize


class Features(NamedTuple):
    """Counts of terms by bucket, document after document, in the layout of a sparse (CSR) matrix."""

    offsets: NDArray[np.int64]  # document d owns entries offsets[d]:offsets[d + 1]
    buckets: NDArray[np.int32]  # ascending within a document, each once
    counts: NDArray[np.int32]  # occurrences, at least 1


def features(found: Terms, bits: int = 18) -> Features:
    """Count the terms of each document in 2^bits buckets."""
    buckets = np.empty(len(found.hashes), np.int32)
    counts = np.empty(len(found.hashes), np.int32)
    offsets = np.zeros(len(found.offsets), np.int64)
    empty = np.zeros(1 << bits, np.int32), np.zeros(max(1, 1 << bits >> 6), np.uint64)
    _count(found.hashes, found.offsets, np.uint64(64 - bits), empty, (buckets, counts, offsets))
    return Features(offsets, buckets[: offsets[-1]].copy(), counts[: offsets[-1]].copy())


def buckets(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int32]:
    """The bucket of each term."""
    return (hashes >> np.uint64(64 - bits)).astype(np.int32)


def text_keys(words: Words) -> NDArray[np.uint64]:
    """One hash per document, of its words in order: texts alike but for case and punctuation share it."""
    keys = np.empty(len(words.offsets) - 1, np.uint64)
    _chain(words.hashes, words.offsets, keys)
    return keys


@lean
def _place_of(bit: np.uint64) -> np.uint64:
    """The number of zeros below the one bit that is set: the bits below it, counted in all bytes at once."""
    below = bit - np.uint64(1)
    below -= (below >> np.uint64(1)) & np.uint64(0x5555555555555555)
    below = (below & np.uint64(0x3333333333333333)) + (
        (below >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    below = (below + (below >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (below * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def _count(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    shift: np.uint64,
    empty: tuple[NDArray[np.int32], NDArray[np.uint64]],
    out: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Fill the arrays of `Features`.

    `empty` has a zero and a bit for each bucket, and has so again at the end: the bits give the buckets in
    order, without sorting them.
    """
    tally, marks = empty
    buckets, counts, ends = out
    entry = 0
    for document in range(len(offsets) - 1):
        for word in range(offsets[document], offsets[document + 1]):
            bucket = hashes[word] >> shift
            tally[bucket] += np.int32(1)
            marks[bucket >> np.uint64(6)] |= np.uint64(1) << (bucket & np.uint64(63))
        for block in range(len(marks)):
            left = marks[block]
            marks[block] = np.uint64(0)
            while left:
                lowest = left & (~left + np.uint64(1))
                left ^= lowest
                place = 64 * block + np.int64(_place_of(lowest))
                buckets[entry], counts[entry] = place, tally[place]
                tally[place] = 0
                entry += 1
        ends[document + 1] = entry


@kernel
def _chain(hashes: NDArray[np.uint64], offsets: NDArray[np.int64], keys: NDArray[np.uint64]) -> None:
    for document in range(len(keys)):
        key = np.uint64(0)
        for word in range(offsets[document], offsets[document + 1]):
            key = (key ^ hashes[word]) * np.uint64(0x9FB21C651E98DF25)
            key ^= key >> np.uint64(32)
        keys[document] = finalize(key)
