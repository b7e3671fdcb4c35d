"""One of each text stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from classifiers.words import words
from pipeline.schema import check_scores
from pipeline.stage import Job, Output, Stage
from stages.first_of_each import FirstOfEach, Names, Sorted
from stages.signed import digests as word_digests


@dataclass(frozen=True)
class DropCopies(Stage):
    """Keep one of the documents of equal text, within and across datasets; say of the others which one.

    Of copies the first in this order stays: split "val"; the datasets as they are listed; the greatest value
    in the column `quality`, if one is named; the least id. Adds `copy_of` (the id of the one that stays, in
    the ledger) and `copies` (how many went because of it). Texts that are nearly the same are for
    `deduplicate`.

    Fields:
        by: words: equal words, whatever their case and the marks between them; text: equal to the character
        quality: a column of numbers; of copies in datasets of equal rank the best one stays
        memory: megabytes that a task may take; it decides how many tasks there are, never what they find
    """

    by: Literal["words", "text"] = "words"
    quality: str = ""
    memory: int = 1024

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"memory = {self.memory} must be at least 1")

    def run(self, job: Job) -> None:
        """Put equal texts together, choose, mark."""
        documents = job.inputs["documents"]
        if self.quality:
            check_scores(job.step, documents.schema, self.quality)
        FirstOfEach(documents, self, Names("copy_of", "copies", f"copy:{self.by}"), self.memory).run(job)

    @property
    def reads(self) -> Sequence[str]:
        """The columns that decide."""
        return ["id", "split", "text", *([self.quality] if self.quality else [])]

    def sort(self, documents: pa.Table, place: int, output: Output) -> Sorted:
        """Every document by its text."""
        texts = documents["text"]
        digests = word_digests(words(texts), texts) if self.by == "words" else text_digests(texts)
        val = pc.fill_null(pc.equal(documents["split"], "val"), False).to_numpy()
        qualities = np.zeros(len(val))
        if self.quality:
            qualities = pc.fill_null(
                documents[self.quality].cast(pa.float64(), safe=False), np.nan
            ).to_numpy()
        first = place + np.where(val, 0, 1 << 32)
        return Sorted(digests, np.ones(len(val), np.bool_), first, np.nan_to_num(-qualities, nan=np.inf))


def text_digests(texts: pa.ChunkedArray) -> NDArray[np.uint64]:
    """128 bits for the bytes of each text; one that is null is empty."""
    values = texts.cast(pa.large_binary()).to_pylist()
    data = b"".join([xxhash.xxh3_128_digest(value or b"") for value in values])
    return np.frombuffer(data, "<u8").astype(np.uint64).reshape(len(values), 2)
