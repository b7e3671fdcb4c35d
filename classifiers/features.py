"""Word hashes -> hashed word counts, the features of GPT-3's classifier (appendix A: Spark's HashingTF).

A word's bucket is the upper bits of its hash: with 2^18 buckets, the first 18.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.kernel import kernel
from classifiers.words import Words, finalize

Normalize = Literal["l2", "none"]


class Features(NamedTuple):
    """Word counts by bucket, document after document, in the layout of a sparse (CSR) matrix."""

    offsets: NDArray[np.int64]  # document d owns entries offsets[d]:offsets[d + 1]
    buckets: NDArray[np.int32]  # ascending within a document, each once
    counts: NDArray[np.int32]  # occurrences, at least 1

    def take(self, rows: NDArray[np.int64]) -> "Features":
        """The features of some documents."""
        sizes = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        buckets, counts = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
        _gather(self, rows, Features(offsets, buckets, counts))
        return Features(offsets, buckets, counts)

    def matrix(self, width: int, normalize: Normalize) -> Any:
        """A SciPy CSR array, float64 [documents, width]; "l2" gives each row that has words the length 1."""
        from scipy.sparse import csr_array

        values = self.counts.astype(np.float64)
        if normalize == "l2":
            _normalize(values, self.offsets)
        bounds = self.offsets.astype(np.int32) if len(values) < 2**31 else self.offsets
        return csr_array((values, self.buckets, bounds), shape=(len(self.offsets) - 1, width))


def features(words: Words, bits: int = 18) -> Features:
    """Count the words of each document in 2^bits buckets."""
    buckets = np.empty(len(words.hashes), np.int32)
    counts = np.empty(len(words.hashes), np.int32)
    offsets = np.zeros(len(words.offsets), np.int64)
    tally = np.zeros(1 << bits, np.int32)
    _count(words.hashes, words.offsets, np.uint64(64 - bits), tally, (buckets, counts, offsets))
    return Features(offsets, buckets[: offsets[-1]].copy(), counts[: offsets[-1]].copy())


def join(parts: Sequence[Features]) -> Features:
    """The features of several batches as those of one."""
    sizes = np.concatenate([[0], *(np.diff(part.offsets) for part in parts)])
    return Features(
        np.cumsum(sizes, dtype=np.int64),
        np.concatenate([np.zeros(0, np.int32), *(part.buckets for part in parts)]),
        np.concatenate([np.zeros(0, np.int32), *(part.counts for part in parts)]),
    )


def buckets(words: Words, bits: int) -> NDArray[np.int32]:
    """The bucket of each word."""
    return (words.hashes >> np.uint64(64 - bits)).astype(np.int32)


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
def _gather(features: Features, rows: NDArray[np.int64], out: Features) -> None:
    """Copy the entries of the documents `rows` to where `out.offsets` says."""
    for document in range(len(rows)):
        begin, end = features.offsets[rows[document]], features.offsets[rows[document] + 1]
        at = out.offsets[document]
        out.buckets[at : at + end - begin] = features.buckets[begin:end]
        out.counts[at : at + end - begin] = features.counts[begin:end]


@kernel
def _normalize(values: Floats, offsets: NDArray[np.int64]) -> None:
    """Divide the values of each document by the root of the sum of their squares."""
    for document in range(len(offsets) - 1):
        row = values[offsets[document] : offsets[document + 1]]
        row /= np.sqrt((row * row).sum())


@kernel
def _chain(hashes: NDArray[np.uint64], offsets: NDArray[np.int64], keys: NDArray[np.uint64]) -> None:
    for document in range(len(keys)):
        key = np.uint64(0)
        for word in range(offsets[document], offsets[document + 1]):
            key = (key ^ hashes[word]) * np.uint64(0x9FB21C651E98DF25)
            key ^= key >> np.uint64(32)
        keys[document] = finalize(key)
