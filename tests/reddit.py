"""Dumps of submissions, a small crawl and its URL index, for tests: all of it made here."""

import bz2
import gzip
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.canonical import address
from stages.warc import read_records

DAY = 86_400
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    ).compress(data),
}


def submission(url: Any, score: Any = 5, created: Any = 1_119_552_233, **fields: Any) -> dict[str, Any]:
    usual = {"subreddit": "programming", "is_self": False, "title": "A title", "id": "87"}
    return usual | {"url": url, "score": score, "created_utc": created} | fields


def dump(path: Path, rows: Sequence[Any]) -> Path:
    """A dump of rows (objects, or bytes as they are), packed as its name says."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if path.suffix in PACK else ""
    path.write_bytes(PACK[suffix](b"".join(line + b"\n" for line in lines)))
    return path


def run(
    folder: Path, recipe: str, out: str = "out", executor: Executor | None = None, **how: Any
) -> dict[str, Dataset]:
    """Run a recipe whose files lie in the folder; its datasets by step."""
    steps = parse(f"error_limit = 1.0\n{recipe}".encode(), "test", str(folder), STAGES)
    Run(steps, str(folder / out), executor or Inline(), say=lambda line: None).run(**how)
    return {name: Dataset(str(folder / out / name)) for name in steps.steps}


def surt(url: str) -> str:
    """A URL as the index is sorted by."""
    place = address(url.lower())
    port, slash, rest = place.rest.partition("/")
    return ",".join(reversed(place.host.removeprefix("www.").split("."))) + f"{port}){slash}{rest}"


def write_index(folder: Path, archives: Sequence[Path], parts: int = 2, group: int = 5) -> Path:
    """The columnar index of some archives, as Common Crawl lays it out; also with other captures."""
    rows = []
    for path in archives:
        with path.open("rb") as file:
            for record in read_records(file, str(path)):
                if record.type == "response":
                    head = record.block.split(b"\r\n", 1)[0].split()
                    rows.append((surt(record.url), record.url, int(head[1]), path.name, record))
    rows.sort(key=lambda row: row[:2])
    table = pa.table(
        {
            "url_surtkey": [row[0] for row in rows],
            "url": [row[1] for row in rows],
            "url_host_name": [address(row[1]).host for row in rows],
            "fetch_time": pa.array([1_700_000_000_000] * len(rows), pa.timestamp("ms", "UTC")),
            "fetch_status": pa.array([row[2] for row in rows], pa.int16()),
            "warc_filename": [f"crawl-data/CC-MAIN-2019-18/segments/1/warc/{row[3]}" for row in rows],
            "warc_record_offset": pa.array([row[4].offset for row in rows], pa.int32()),
            "warc_record_length": pa.array([row[4].length for row in rows], pa.int32()),
        }
    )
    place = folder / "cc-index/table/cc-main/warc/crawl=CC-MAIN-2019-18"
    for subset in ("subset=warc", "subset=robotstxt"):
        (place / subset).mkdir(parents=True)
        for part in range(parts):
            start, end = (at * len(rows) // parts for at in (part, part + 1))
            share = table.slice(start, end - start if subset == "subset=warc" else 0)
            pq.write_table(share, place / subset / f"part-{part:05d}-x.c000.gz.parquet", row_group_size=group)
    return place
