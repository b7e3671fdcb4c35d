"""Terms -> hashed counts, the features of GPT-3's classifier (appendix A: Spark's HashingTF).

A term's bucket is the upper bits of its hash: with 2^18 buckets, the first 18.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel
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
    tally = np.zeros(1 << bits, np.int32)
    _count(found.hashes, found.offsets, np.uint64(64 - bits), tally, (buckets, counts, offsets))
    return Features(offsets, buckets[: offsets[-1]].copy(), counts[: offsets[-1]].copy())


def buckets(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int32]:
    """The bucket of each term."""
    return (hashes >> np.uint64(64 - bits)).astype(np.int32)


def text_keys(words: Words) -> NDArray[np.uint64]:
    """One hash per document, of its words in order: texts alike but for case and punctuation share it."""
    keys = np.empty(len(words.offsets) - 1, np.uint64)
    _chain(words.hashes, words.offsets, keys)
    return keys


@kernel
def _count(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    shift: np.uint64,
    tally: NDArray[np.int32],
    out: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Fill the arrays of `Features`; `tally` has a zero for each bucket, and has so again at the end."""
    buckets, counts, ends = out
    entry = 0
    for document in range(len(offsets) - 1):
        first = entry
        for word in range(offsets[document], offsets[document + 1]):
            bucket = np.int64(hashes[word] >> shift)
            if tally[bucket] == 0:
                buckets[entry] = bucket
                entry += 1
            tally[bucket] += 1
        buckets[first:entry].sort()
        for place in range(first, entry):
            bucket = np.int64(buckets[place])
            counts[place] = tally[bucket]
            tally[bucket] = 0
        ends[document + 1] = entry


@kernel
def _chain(hashes: NDArray[np.uint64], offsets: NDArray[np.int64], keys: NDArray[np.uint64]) -> None:
    for document in range(len(keys)):
        key = np.uint64(0)
        for word in range(offsets[document], offsets[document + 1]):
            key = (key ^ hashes[word]) * np.uint64(0x9FB21C651E98DF25)
            key ^= key >> np.uint64(32)
        keys[document] = finalize(key)
