"""What is known of the real data, and plain-Python twins of what the pipeline promises about it."""

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard

from classifiers.words import words
from pipeline.dataset import Dataset
from stages.known_grams import known
from stages.ngrams import find

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BANDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0001)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"):
            yield json.loads(line)


def planted() -> list[dict[str, Any]]:
    """One line per response of the WARCs with planted near-duplicates and contamination."""
    return list(lines(DATA / "crawl-duplicates" / "truth.jsonl.zst"))


def document_id(line: dict[str, Any]) -> str:
    return f"cc/{line['file'].removesuffix('.warc.gz')}/{line['offset']}"


def texts(dataset: Dataset) -> dict[str, str]:
    table = dataset.read(["id", "text"])
    return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def shingles(text: str, n: int = 5) -> set[bytes]:
    """Word n-grams, as the bytes of n word hashes."""
    hashes = words(pa.array([text])).hashes
    return {hashes[i : i + n].tobytes() for i in range(len(hashes) - n + 1)}


def jaccard(a: str, b: str) -> float:
    one, two = shingles(a), shingles(b)
    if not one or not two:
        return float(np.array_equal(words(pa.array([a])).hashes, words(pa.array([b])).hashes))
    return len(one & two) / len(one | two)


def band(similarity: float) -> str:
    at = int(np.searchsorted(BANDS, similarity, side="right")) - 1
    return f"{BANDS[at]:.2f} to {min(1.0, BANDS[at + 1]):.2f}"


def left(grams: str, texts: Iterable[str]) -> tuple[int, int]:
    """(units that were looked at, grams of the step `grams` that must go and are still in these texts)."""
    column = pa.array(list(texts), pa.large_string())
    found = words(column)
    return len(found.hashes), len(find(column, found, known(Dataset(grams), 10).grams).firsts)


def pieces(row: dict[str, Any]) -> Iterable[str]:
    data = row["text"].encode()
    return [data[piece["start"] : piece["end"]].decode() for piece in row["pieces"]]
