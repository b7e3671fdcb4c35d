"""Lines that are no prose go, and what is left is judged: C4 (Raffel et al. 2020, section 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.line_rules import PHRASE, SHORT, UNPUNCTUATED, judge, keep_lines, without_citations
from stages.lines import DROPPED, Phrases, lines, phrases_of
from stages.shape import shape_of


@dataclass(frozen=True)
class CleanLines(MapStage):
    """Drop lines without a full stop, of few words or with C4's phrases; then reject what is too little.

    The rules are C4's for every script: any script's marks end a line, and one that ends in Thai, Lao, Khmer
    or Burmese letters needs none; signs of scripts without spaces count by the words they make. A line counts
    for the first rule that it breaks, in the order of the columns. Blank lines stay between the lines that
    they separate. A document that loses nothing keeps its text to the byte.

    FineWeb has all of it but the first rule, with lines of 3 words and pages of 5 sentences (Penedo et al.
    2024, section 3.5), as an earlier version of C4's paper. C4's rules for whole pages are in `heuristics`.

    Fields:
        citations: whether '[12]', '[edit]' and '[citation needed]' are removed first, as C4's code does
        punctuated: C4: whether a line must end as sentences do: with a mark or quotation mark, not with '...'
        line_words: C4: words that a line has at least
        phrases: lines with one of these go, in any case and whatever is between the words: C4's, in English
        min_sentences: C4: sentences that must be left; in Chinese they are longer, and 5 are many
    """

    citations: bool = True
    punctuated: bool = True
    line_words: int = 5
    phrases: tuple[str, ...] = DROPPED
    min_sentences: int = 3
    replaces: ClassVar[frozenset[str]] = frozenset({"text"})

    def __post_init__(self) -> None:
        for phrase, number in zip(self.phrases, phrases_of(*self.phrases).lengths, strict=True):
            if not number:
                raise ValueError(f"phrases: no word in '{phrase}'")

    def adds(self) -> pa.Schema:
        """Counts of what was cut, by rule, and of the sentences that are left."""
        cut = ("cut_citations", "cut_unpunctuated", "cut_short", "cut_phrases")
        return pa.schema([(name, pa.int32()) for name in (*cut, "sentences_left")])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> None:
        """Nothing: the rules are in the fields."""

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """Remove citations, judge lines, keep the good ones, reject documents that have too few sentences."""
        texts = pc.cast(documents["text"].combine_chunks(), pa.large_string())
        citations = np.zeros(len(texts), np.int32)
        if self.citations:
            texts, citations = without_citations(texts)
        found, rows = words(texts), lines(texts)
        rules = (self.punctuated, self.line_words)
        judged = judge(texts, found, shape_of(texts, found).weights, rows, _phrases(self.phrases), rules)
        texts = keep_lines(texts, rows, judged.verdicts)
        columns = {
            "text": texts,
            "cut_citations": citations,
            "cut_unpunctuated": judged.cut[:, UNPUNCTUATED],
            "cut_short": judged.cut[:, SHORT],
            "cut_phrases": judged.cut[:, PHRASE],
            "sentences_left": judged.sentences,
        }
        for name, values in columns.items():
            documents = with_column(documents, name, pa.array(values))
        few = pa.array(judged.sentences < self.min_sentences)
        kept = pa.scalar(None, pa.string())
        reasons = pc.if_else(few, "clean_lines:few_sentences", kept)
        reasons = pc.if_else(pc.equal(pc.binary_length(texts), 0), "clean_lines:nothing_left", reasons)
        return with_column(documents, REASON, reasons)


@cache
def _phrases(phrases: tuple[str, ...]) -> Phrases:
    return phrases_of(*phrases)
