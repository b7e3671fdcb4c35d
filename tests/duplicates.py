"""`deduplicate` in plain Python: no shards, no partitions, no blocks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from datasketch import MinHash

from classifiers.words import words
from stages import deduplicate, minhash
from stages.deduplicate import Deduplicate

Rows = list[dict[str, Any]]
Sources = Mapping[str, Sequence[Rows]]  # source -> shards -> documents


def grams(text: str, size: int) -> frozenset[tuple[int, ...]]:
    hashes = words(pa.array([text])).hashes.tolist()
    return frozenset(tuple(hashes[at : at + size]) for at in range(len(hashes) - size + 1))


def jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    return len(one & other) / len(one | other)


class Twin:
    """The stage in plain Python, on datasketch's signatures."""

    def __init__(self, sources: Sources, stage: Deduplicate) -> None:
        self.stage, self.order = stage, []
        for place, (source, parts) in enumerate(sources.items()):
            for number, rows in enumerate(parts):
                for row, document in enumerate(rows):
                    found = words(pa.array([document["text"]]))
                    text = tuple(found.hashes.tolist()) or document["text"]
                    tie = int(deduplicate._digests(found, pa.chunked_array([[document["text"]]]))[0, 1]) >> 32
                    rank = (document.get("split") != "val", place, -len(found.hashes), tie, number, row)
                    self.order.append((rank, f"{source}/{number:03d}/{row}", text, document["text"]))
        self.order.sort(key=lambda each: each[0])

    def removed(self) -> dict[str, tuple[str, float, str]]:
        """id -> (the one that stays, similarity, reason)."""
        first = {text: name for _, name, text, _ in reversed(self.order)}
        texts = {name: text for _, name, words, text in self.order if first[words] == name}
        places = {name: place for place, name in enumerate(texts)}
        similar = defaultdict(list)
        for one, other in self.pairs(texts):
            if (similarity := self.similarity(texts[one], texts[other])) is not None:
                similar[other].append((-similarity, places[one], one))
        gone: dict[str, tuple[str, float, str]] = {}
        for name in texts:
            if alive := [each for each in similar[name] if each[2] not in gone]:
                gone[name] = (min(alive)[2], -min(alive)[0], "duplicate:near")
        for _, name, text, _ in self.order:
            if first[text] != name:
                gone[name] = gone.get(first[text], (first[text], 1.0, "duplicate:exact"))
        return gone

    def pairs(self, texts: Mapping[str, str]) -> list[tuple[str, str]]:
        """Of each bucket every member with the first eight, in order of precedence."""
        buckets = defaultdict(list)
        for name, text in texts.items():
            if self.stage.near and grams(text, self.stage.shingle):
                values = self.signature(text)
                for band in range(0, len(values), self.stage.rows):
                    buckets[band, tuple(values[band : band + self.stage.rows])].append(name)
        found = {
            pair for names in buckets.values() for pair in combinations(names, 2) if pair[0] in names[:8]
        }
        return sorted(found)

    def similarity(self, one: str, other: str) -> float | None:
        """The estimate where it is beyond doubt, else the exact one; None below the threshold."""
        threshold, count = self.stage.threshold, self.stage.bands * self.stage.rows
        error = 3 * np.sqrt(threshold * (1 - threshold) / count)
        estimate = float(np.mean(np.array(self.signature(one)) == self.signature(other)))
        exact = jaccard(grams(one, self.stage.shingle), grams(other, self.stage.shingle))
        if estimate > threshold + error:
            return float(np.float32(estimate))
        return float(np.float32(exact)) if estimate >= threshold - error and exact >= threshold else None

    def signature(self, text: str) -> list[int]:
        count = self.stage.bands * self.stage.rows
        minhashes = MinHash(num_perm=count, seed=self.stage.seed, scheme="affine32", hashfunc=int)
        shingles = minhash.shingles(words(pa.array([text])), self.stage.shingle)
        minhashes.update_batch((shingles.hashes >> np.uint64(32)).tolist())
        return [int(value) for value in minhashes.hashvalues]
