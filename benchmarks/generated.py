"""A crawl of any size that takes no room: each document's shingles follow from a seed and its number.

Documents are shuffled by a bijection, number -> slot; neighbouring slots belong together:

* one group of copies (a hundredth of all documents, at most a million), all of equal words;
* one group of near-copies of one page (a thousandth, at most 100,000);
* groups of four: a page, two like it (.94 and .85) and one that is less alike (.75), three tenths of all;
* pages of two thirds boilerplate, which share keys with very many that they are not like: a twentieth;
* the rest are alone.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import finalize
from stages import minhash, numbering
from stages.minhash import Shingles
from stages.numbering import Numbering, Numbers, Rows
from stages.signed import Scheme

SHINGLES = 100  # of each document
OWN = np.array([0, 3, 8, 14])  # of a group of four, the shingles that each member has for itself
NEAR_OWN = 5  # the same of near-copies: two of them share 95 of 105
BOILERPLATE = 67  # of a page that is mostly boilerplate
TEMPLATES = 10
SHARD_ROWS = 250_000
CHUNK = 10_000  # documents that are made at once


@dataclass(frozen=True)
class Generated:
    """Signed documents (see stages.signed.Signed) that are made when they are asked for."""

    documents: int
    scheme: Scheme
    block_rows: int
    log: str  # folder for the CPU seconds that making documents takes
    seed: int = 1

    @cached_property
    def numbering(self) -> Numbering:
        """See Signed."""
        full, rest = divmod(self.documents, SHARD_ROWS)
        return Numbering((SHARD_ROWS,) * full + (rest,) * (rest > 0), 0, self.block_rows)

    @cached_property
    def regions(self) -> NDArray[np.int64]:
        """The slots at which copies, near-copies, fours and boilerplate end."""
        near = min(self.documents // 1_000, 100_000)
        sizes = [
            min(self.documents // 100, 1_000_000),
            near,
            3 * self.documents // 40 * 4,
            self.documents // 20,
        ]
        return np.cumsum(sizes)

    def slots(self, places: Rows) -> Rows:
        """What each document is, by its place among all."""
        step = int(self.documents * 0.618)
        while math.gcd(step, self.documents) > 1:
            step += 1
        slots: Rows = (places * step + self.seed) % self.documents
        return slots

    def groups(self, slots: Rows) -> tuple[Rows, Rows]:
        """(slot of the group's first, shingles that each has for itself)."""
        copies, near, fours, boilerplate = self.regions
        member = (slots - near) % 4
        heads = np.where(slots < fours, slots - member, slots)
        heads = np.where(slots < near, copies, heads)
        heads = np.where(slots < copies, 0, heads)
        heads = np.where((slots >= fours) & (slots < boilerplate), fours + slots % TEMPLATES, heads)
        own = np.where(slots < fours, OWN[member], 0)
        own = np.where(slots < near, NEAR_OWN, own)
        own = np.where(slots < copies, 0, own)
        own = np.where((slots >= fours) & (slots < boilerplate), SHINGLES - BOILERPLATE, own)
        return heads, own

    def hashes(self, slots: Rows) -> NDArray[np.uint64]:
        """The shingles of each document: [documents, SHINGLES]."""
        heads, own = self.groups(slots)
        out = np.empty((len(slots), SHINGLES), np.uint64)
        _fill(heads, slots, own, np.uint64(self.seed), out)
        return out

    def similarities(self, ones: Rows, others: Rows) -> NDArray[np.float64]:
        """The Jaccard similarity of documents, by their slots, as they were made."""
        (heads, own), (other_heads, other_own) = self.groups(ones), self.groups(others)
        copies = self.regions[0]
        most = np.maximum(own, other_own)
        shared = np.where(heads == other_heads, SHINGLES - most, 0)
        shared = np.where((ones == others) | ((ones < copies) & (others < copies)), SHINGLES, shared)
        similarities: NDArray[np.float64] = shared / (2 * SHINGLES - shared)
        return similarities

    def states(self, shard: int) -> NDArray[np.uint8]:
        """See Signed."""
        return np.zeros(self.numbering.rows[shard], np.uint8)

    def texts(self, shard: int) -> tuple[Numbers, Numbers, Numbers]:
        """See Signed."""
        with self._making():
            return self._texts(shard)

    def bands(self, shard: int, bands: range) -> tuple[Rows, Numbers, Numbers]:
        """See Signed."""
        with self._making():
            return self._bands(shard, bands)

    def sketches(self, shard: int, rows: Rows) -> NDArray[np.uint8]:
        """See Signed."""
        with self._making():
            slots = self._slots(shard)[rows]
            parts = [slots[start : start + CHUNK] for start in range(0, len(slots), CHUNK)]
            signed = [self._signed(part, 0, self.scheme.permutations).astype(np.uint8) for part in parts]
            return np.concatenate([np.empty((0, self.scheme.permutations), np.uint8), *signed])

    def shingles(self, shard: int, rows: Rows) -> Iterator[Shingles]:
        """See Signed."""
        with self._making():
            slots = self._slots(shard)[rows]
        for start in range(0, len(slots), CHUNK):
            with self._making():
                found = minhash.sets(_flat(self.hashes(slots[start : start + CHUNK])))
            yield found

    def ids(self, shard: int, rows: Rows) -> pa.ChunkedArray:
        """See Signed."""
        names = pa.array(self._places(shard)[rows]).cast(pa.string())
        return pa.chunked_array([names], pa.string())

    def evidence(self, shard: int, rows: Rows) -> pa.Table:
        """See Signed: there are no references."""
        raise NotImplementedError

    @contextmanager
    def _making(self) -> Iterator[None]:
        started = time.process_time()
        yield
        with open(f"{self.log}/{os.getpid()}", "a") as file:
            file.write(f"{time.process_time() - started}\n")

    def _texts(self, shard: int) -> tuple[Numbers, Numbers, Numbers]:
        slots = self._slots(shard)
        texts = np.where(slots < self.regions[0], 0, slots).astype(np.uint64)
        places = self._places(shard).astype(np.uint64)
        nothing = np.zeros(len(slots), np.int64)
        ties = _mixed(places, np.uint64(self.seed + 1))
        ranks = numbering.ranks(nothing, nothing.astype(float), nothing + SHINGLES, ties)
        return _mixed(texts, np.uint64(2)), _mixed(texts, np.uint64(3)), ranks

    def _bands(self, shard: int, bands: range) -> tuple[Rows, Numbers, Numbers]:
        slots = self._slots(shard)
        low, high = bands.start * self.scheme.rows, bands.stop * self.scheme.rows
        keys = []
        for start in range(0, len(slots), CHUNK):
            signed = self._signed(slots[start : start + CHUNK], low, high)
            keys.append(minhash.band_keys(signed, self.scheme.rows, range(len(bands))))
        # The kernel numbers bands from 0 here: another number must give other keys.
        moved = np.concatenate(keys) ^ _mixed(np.array([bands.start], np.uint64), np.uint64(4))
        return np.arange(len(slots)), self._texts(shard)[2], moved

    def _places(self, shard: int) -> Rows:
        start = int(self.numbering.starts[shard])
        return np.arange(start, start + self.numbering.rows[shard])

    def _slots(self, shard: int) -> Rows:
        return self.slots(self._places(shard))

    def _signed(self, slots: Rows, low: int, high: int) -> NDArray[np.uint32]:
        """The values of signatures from `low` to before `high`."""
        by = minhash.permutations(self.scheme.permutations, self.scheme.seed)
        some = minhash.Permutations(by.multipliers[low:high], by.increments[low:high])
        return minhash.signatures(_flat(self.hashes(slots)), some)


def _flat(hashes: NDArray[np.uint64]) -> Shingles:
    return Shingles(hashes.ravel(), np.arange(len(hashes) + 1) * SHINGLES)


@kernel
def _mixed(values: NDArray[np.uint64], salt: np.uint64) -> NDArray[np.uint64]:
    out = np.empty(len(values), np.uint64)
    for place in range(len(values)):
        out[place] = finalize((values[place] + salt) * np.uint64(0x9E3779B97F4A7C15) ^ salt << np.uint64(56))
    return out


@kernel
def _fill(heads: Rows, slots: Rows, own: Rows, seed: np.uint64, out: NDArray[np.uint64]) -> None:
    """The first `own` shingles come from the slot, the others from the head of its group."""
    for document in range(len(slots)):
        for place in range(SHINGLES):
            source = slots[document] * 2 + 1 if place < own[document] else heads[document] * 2
            value = np.uint64(source) * np.uint64(SHINGLES) + np.uint64(place)
            out[document, place] = finalize((value + seed) * np.uint64(0x9E3779B97F4A7C15))
