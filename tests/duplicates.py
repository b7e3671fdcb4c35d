"""Documents to deduplicate, and `deduplicate` in plain Python: no shards, no partitions, no blocks."""

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from datasketch import MinHash
from hypothesis import strategies as st

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline
from pipeline.files import Files
from pipeline.hashing import hash_text
from pipeline.output import Output
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT, aligned
from pipeline.stage import Job, Stage
from stages import minhash
from stages.deduplicate import Deduplicate

Rows = list[dict[str, Any]]
Sources = Mapping[str, Sequence[Rows]]  # source -> shards -> documents


SCORED = DOCUMENT.append(pa.field("quality", pa.float64()))


@dataclass(frozen=True)
class Given(Stage):
    """Documents as the test wrote them."""

    files: Files
    source: str
    inputs: ClassVar[Mapping[str, str]] = {}

    def run(self, job: Job) -> None:
        job.map("shards", self.read, job.files(self.files, self.source))

    def read(self, path: str, output: Output) -> None:
        rows = pa.Table.from_pylist(json.loads(Path(path).read_text()) or [{"id": ""}])
        output.documents(SCORED).write(aligned(rows, SCORED).filter(pa.compute.field("id") != ""))


STAGES = {"given": Given, "deduplicate": Deduplicate}


def write(folder: Path, sources: Sources) -> str:
    """Write the documents, with ids `<source>/<shard>/<row>`, and return the steps that read them."""
    recipe = ""
    for source, shards in sources.items():
        for number, rows in enumerate(shards):
            path = folder / source / f"{number:03d}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            named = [
                {"id": f"{source}/{number:03d}/{n}", "split": "train", **row} for n, row in enumerate(rows)
            ]
            path.write_text(json.dumps([{"source": source, **row} for row in named]))
        recipe += f'[steps.{source}]\nstage = "given"\nfiles = "{source}/*.json"\nsource = "{source}"\n'
    return recipe


def run(
    folder: Path, sources: Sources, out: str = "out", executor: Executor | None = None, **fields: Any
) -> Dataset:
    """Deduplicate the sources, in the order given."""
    recipe = write(folder, sources)
    recipe += f'[steps.unique]\nstage = "deduplicate"\ndocuments = {json.dumps(list(sources))}\n'
    recipe += "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    Run(parsed(recipe, folder), str(folder / out), executor or Inline(), say=lambda line: None).run()
    return Dataset(str(folder / out / "unique"))


def parsed(recipe: str, folder: Path) -> Any:
    return parse(recipe.encode(), "test", str(folder), STAGES)


def removed(dataset: Dataset) -> dict[str, tuple[str, float, str]]:
    """id -> (the one that stays, similarity, reason)."""
    if not (table := dataset.rejected()).num_rows:
        return {}
    columns = table.select(["id", "duplicate_of", "similarity", "reason"]).to_pylist()
    return {row["id"]: (row["duplicate_of"], row["similarity"], row["reason"]) for row in columns}


def kept(dataset: Dataset) -> dict[str, int]:
    """id -> how many go because of it."""
    table = dataset.read(["id", "duplicates", "duplicate_of"])
    assert table["duplicate_of"].null_count == table.num_rows
    return dict(zip(table["id"].to_pylist(), table["duplicates"].to_pylist(), strict=True))


def shards(folder: Path, out: str, step: str = "unique") -> dict[str, bytes]:
    """The bytes of what stays and of the ledger."""
    unique = folder / out / step
    paths = [*unique.glob("shards/*.parquet"), *unique.glob("rejected/*.parquet")]
    return {str(path.relative_to(unique)): path.read_bytes() for path in paths}


@st.composite
def some_sources(draw: st.DrawFn) -> dict[str, list[Rows]]:
    """Few long texts and many edits of them, in one to three sources of one or two shards."""
    size = draw(st.integers(8, 40))
    alphabet = [[f"{base}{place}" for place in range(size)] for base in "ab"]

    scores = draw(st.sampled_from([(None,), (None, 0.2, 0.9)]))

    def document() -> dict[str, Any]:
        text = list(draw(st.sampled_from(alphabet)))
        for place in draw(st.lists(st.integers(0, size - 1), max_size=3)):
            text[place] = draw(st.sampled_from(["", "x", "y z"]))
        text = text[: draw(st.sampled_from([size, size, size - 2, 3, 0]))]
        split = draw(st.sampled_from(["train", "train", "val"]))
        return {"text": " ".join(text), "split": split, "quality": draw(st.sampled_from(scores))}

    names = ["one", "two", "three"][: draw(st.integers(1, 3))]
    return {
        name: [[document() for _ in range(draw(st.integers(0, 8)))] for _ in range(draw(st.integers(1, 2)))]
        for name in names
    }


def prose(seed: int, count: int = 120) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(10**6)}" for _ in range(count)]


def edited(text: list[str], count: int, seed: int) -> list[str]:
    """Replace `count` words one after another, so that count + 4 shingles change."""
    at = random.Random(seed).randrange(len(text) - count)
    return text[:at] + [f"e{seed}x{n}" for n in range(count)] + text[at + count :]


def corpus(groups: int, seed: int) -> list[list[str]]:
    """Of each group a text and two edits of up to an eighth of it, shuffled."""
    chance = random.Random(seed)
    texts = []
    for group in range(groups):
        text = prose(1000 * seed + group, chance.randrange(60, 300))
        texts += [
            text,
            *(edited(text, chance.randrange(1, len(text) // 8), chance.randrange(10**6)) for _ in "ab"),
        ]
    chance.shuffle(texts)
    return texts


def grams(text: str, size: int) -> frozenset[tuple[int, ...]]:
    hashes = words(pa.array([text])).hashes.tolist()
    return frozenset(tuple(hashes[at : at + size]) for at in range(len(hashes) - size + 1))


def jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    return len(one & other) / len(one | other)


class Twin:
    """The stage in plain Python, on datasketch's signatures."""

    def __init__(self, sources: Sources, stage: Deduplicate) -> None:
        self.threshold, self.scheme, self.order = stage.threshold, stage.scheme, []
        for place, (source, parts) in enumerate(sources.items()):
            for number, rows in enumerate(parts):
                for row, document in enumerate(rows):
                    found = words(pa.array([document["text"]]))
                    text = tuple(found.hashes.tolist()) or document["text"]
                    name = document.get("id", f"{source}/{number:03d}/{row}")
                    order = 0 if document.get("split") == "val" else 1 + place
                    quality = round((document.get("quality") or 0) * 4095)
                    tie = int(hash_text(pa.array([name]))[0]) >> 36
                    rank = (order, -quality, -len(found.hashes), tie, number, row)
                    self.order.append((rank, name, text, document["text"]))
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
            if grams(text, self.scheme.shingle):
                values = self.signature(text)
                for band in range(0, len(values), self.scheme.rows):
                    buckets[band, tuple(values[band : band + self.scheme.rows])].append(name)
        found = {
            pair for names in buckets.values() for pair in combinations(names, 2) if pair[0] in names[:8]
        }
        return sorted(found)

    def similarity(self, one: str, other: str) -> float | None:
        """The estimate where it is beyond doubt, else the exact one; None below the threshold."""
        threshold, count = self.threshold, self.scheme.permutations
        alike = threshold + (1 - threshold) / 256
        error = 3 * np.sqrt(alike * (1 - alike) / count) * 256 / 255
        bytes_of = [np.array(self.signature(text)) & 255 for text in (one, other)]
        estimate = max(0.0, (float(np.mean(bytes_of[0] == bytes_of[1])) - 1 / 256) * 256 / 255)
        exact = jaccard(grams(one, self.scheme.shingle), grams(other, self.scheme.shingle))
        if estimate > threshold + error:
            return float(np.float32(estimate))
        return float(np.float32(exact)) if estimate >= threshold - error and exact >= threshold else None

    def signature(self, text: str) -> list[int]:
        count = self.scheme.permutations
        minhashes = MinHash(num_perm=count, seed=self.scheme.seed, scheme="affine32", hashfunc=int)
        shingles = minhash.shingles(words(pa.array([text])), self.scheme.shingle)
        minhashes.update_batch((shingles.hashes >> np.uint64(32)).tolist())
        return [int(value) for value in minhashes.hashvalues]
