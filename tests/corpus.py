"""Documents written by a test, through `encode` and `mix` as a recipe runs them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import tiktoken

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline
from pipeline.files import Files
from pipeline.output import Output
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT, aligned
from pipeline.stage import Job, Stage
from stages.encode import Encode
from stages.mix import Mix
from stages.tokenizer import IDS, packaged

SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])
CUT = DOCUMENT.append(pa.field("pieces", pa.list_(SPAN)))


@dataclass(frozen=True)
class Given(Stage):
    """Documents from Parquet files.

    Fields:
        files: one shard each
        source: in the names of the shards
        batch: rows in a batch
    """

    files: Files
    source: str = "given"
    batch: int = 1024
    inputs: ClassVar[Mapping[str, str]] = {}

    def run(self, job: Job) -> None:
        job.map("shards", self.read, job.files(self.files, self.source))

    def read(self, path: str, output: Output) -> None:
        table = pq.read_table(path)
        writer = output.documents(table.schema)
        for start in range(0, table.num_rows, self.batch):
            writer.write(table.slice(start, self.batch))


@dataclass(frozen=True)
class GivenTokens(Given):
    """The same, of documents that are encoded already."""

    makes: ClassVar[str] = "tokens"


STAGES = {"given": Given, "given_tokens": GivenTokens, "encode": Encode, "mix": Mix}


def documents(rows: Iterable[Mapping[str, Any]], schema: pa.Schema = DOCUMENT) -> pa.Table:
    """Rows of a few columns as whole documents; `split` is train if not given."""
    filled = [{"split": "train"} | dict(row) for row in rows]
    return aligned(pa.Table.from_pylist(filled, pa.schema([schema.field(n) for n in schema.names])), schema)


def write(folder: Path, shards: Mapping[str, pa.Table]) -> None:
    """Files for `Given`."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for name, table in shards.items():
        pq.write_table(table, folder / "in" / f"{name}.parquet")


def run(folder: Path, steps: str, out: str = "out", executor: Executor | None = None) -> Path:
    """Run a recipe over the files; returns the run's folder."""
    recipe = parse(steps.encode(), "corpus", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), say=lambda line: None).run()
    return folder / out


def dataset(out: Path, step: str) -> Dataset:
    """What a step made."""
    return Dataset(str(out / step))


END = 50256
_WORDS = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


@cache
def tiktoken_gpt2() -> tiktoken.Encoding:
    """tiktoken on the same vocabulary, read another way: each of GPT-2's 256 letters stands for a byte."""
    plain = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}
    ids = json.loads(packaged(*IDS))
    ranks = {bytes(letters[c] for c in word): at for word, at in ids.items() if at != END}
    return tiktoken.Encoding(
        "gpt2", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": END}
    )
