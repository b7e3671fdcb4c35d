"""Simple rules of the field about a text's words and lines: Gopher, C4, FineWeb.

Gopher: Rae et al. 2021, A.1.1 and table A1. C4: Raffel et al. 2020, section 2.2; an earlier version of the
paper has 5 sentences in lines of 3 words, and so has FineWeb. FineWeb: Penedo et al. 2024, section 3.6; its
code rejects from 1 % of characters in duplicate lines, the paper from 10 %, and only the code counts line
feeds.

The papers leave much open, and datatrove has filled it in. Where it measures something else than we do is
said in benchmarks/differences.py, cause by cause, with who is right: `python -m benchmarks.agreement` changes
them one by one, until every value is the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import nearest
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.lines import DROPPED, Limits, LineCounts, Phrases, count_in_lines, lines, phrases_of
from stages.repetition import DUPLICATE, TOP, repeated_grams, repeated_lines
from stages.shape import APART, SOUTHERN, Shape, shape_of
from stages.stop_words import choose, count_stop_words

FAILED = "failed_rules"
SURE = 0.35  # score of a language; below it most texts are in one that the model does not know
_COUNTS = ("words", "stop_words", "sentences", "curly_brackets", "lorem_ipsum")
_SHARES = (
    *("word_length", "hashes_per_word", "ellipses_per_word", "alphabetic_words"),
    *("bullet_lines", "ellipsis_lines", "punctuated_lines", "short_lines", "newlines_per_word"),
    *("duplicate_lines", "duplicate_paragraphs"),
    *("duplicate_line_characters", "duplicate_paragraph_characters"),
    *(f"top_{n}_gram" for n in TOP),
    *(f"duplicate_{n}_grams" for n in DUPLICATE),
)


class Rule(NamedTuple):
    """A measured column and the fields that bound it; a null value breaks no rule."""

    name: str  # preset_what
    column: str
    least: str = ""  # field: what is below it fails
    most: str = ""  # field: what is above it fails
    strict: bool = False  # what is equal to a bound fails too, as in FineWeb's paper


RULES = (
    Rule("gopher_word_count", "words", "min_words", "max_words"),
    Rule("gopher_word_length", "word_length", "min_word_length", "max_word_length"),
    Rule("gopher_hashes", "hashes_per_word", most="max_hashes"),
    Rule("gopher_ellipses", "ellipses_per_word", most="max_ellipses"),
    Rule("gopher_bullet_lines", "bullet_lines", most="max_bullet_lines"),
    Rule("gopher_ellipsis_lines", "ellipsis_lines", most="max_ellipsis_lines"),
    Rule("gopher_alphabetic_words", "alphabetic_words", "min_alphabetic_words"),
    Rule("gopher_stop_words", "stop_words", "min_stop_words"),
    *(
        Rule(f"gopher_{what}", what, most=f"max_{what}")
        for what in _SHARES[_SHARES.index("duplicate_lines") :]
    ),
    Rule("c4_lorem_ipsum", "lorem_ipsum", most="max_lorem_ipsum"),
    Rule("c4_curly_brackets", "curly_brackets", most="max_curly_brackets"),
    Rule("c4_sentences", "sentences", "min_sentences"),
    Rule("fineweb_punctuated_lines", "punctuated_lines", "min_punctuated_lines", strict=True),
    Rule("fineweb_short_lines", "short_lines", most="max_short_lines", strict=True),
    Rule("fineweb_line_copies", "duplicate_line_characters", most="max_line_copies", strict=True),
    Rule("fineweb_newlines", "newlines_per_word", most="max_newlines"),
)
PRESETS = ("gopher", "c4", "fineweb")


@dataclass(frozen=True)
class Heuristics(MapStage):
    """Measure words, lines and repetition; reject by the rules of Gopher, C4 or FineWeb.

    Every measured value is a column, whatever the rules are; a null value (the length of words in a script
    without spaces, stop words of a language without a list, the ends of lines in Thai) breaks none. A
    document is rejected for the first rule it breaks, in the order of the fields below, and `failed_rules`
    names all of them; `pipeline forecast` tells what each rule, also of the other presets, would reject.

    Words are those of `classifiers/words.py`, never punctuation; signs of scripts without spaces count by
    the words they make on average. With a column `language`, stop words are those of the language, where its
    score is not so low that it must be another (README, "Rules of the field").
    C4 drops lines and then judges what is left; here texts stay whole, and the lines that C4 drops only do
    not count as sentences: `clean_lines` drops them. C4's list of bad words is not among the rules.

    Fields:
        rules: presets whose rules reject: gopher, c4, fineweb; if empty, all is measured and all kept
        min_words: Gopher, table A1 and section A.1.1, as all up to max_duplicate_10_grams
        max_words: words of the longest text
        min_word_length: mean number of letters of a word; a Hangul syllable counts as two
        max_word_length: the same
        max_hashes: '#' for each word
        max_ellipses: runs of three or more full stops, or of '…', for each word
        max_bullet_lines: share of lines that begin with a bullet
        max_ellipsis_lines: share of lines that end with an ellipsis
        min_alphabetic_words: share of words that have a letter
        min_stop_words: different words of the language's list
        max_duplicate_lines: share of lines that stand further up already
        max_duplicate_paragraphs: the same of paragraphs, which blank lines separate
        max_duplicate_line_characters: share of characters in such lines
        max_duplicate_paragraph_characters: share of characters in such paragraphs
        max_top_2_gram: share of characters in the most frequent pair of words, if it occurs twice
        max_top_3_gram: the same of three words
        max_top_4_gram: the same of four words
        max_duplicate_5_grams: share of characters in runs of five words that occur further up already
        max_duplicate_6_grams: the same of six words
        max_duplicate_7_grams: the same of seven words
        max_duplicate_8_grams: the same of eight words
        max_duplicate_9_grams: the same of nine words
        max_duplicate_10_grams: the same of ten words
        max_lorem_ipsum: C4: times that "lorem ipsum" stands in the text
        max_curly_brackets: C4: '{' and '}'
        min_sentences: C4: sentences in lines that end as sentences do, without its phrases of web pages
        line_words: C4: words that such a line has at least
        min_punctuated_lines: FineWeb: share of lines that end as sentences do; must be above
        max_short_lines: FineWeb: share of short lines; must be below
        short_line: FineWeb: letters that a short line has at most; an ideograph counts as three
        max_line_copies: FineWeb: share of characters in duplicate lines; must be below
        max_newlines: FineWeb's code: line feeds for each word
    """

    version: ClassVar[int] = 2
    replaces: ClassVar[frozenset[str]] = frozenset((*_COUNTS, *_SHARES, FAILED))  # by those of a cleaner text

    rules: tuple[str, ...] = PRESETS
    min_words: int = 50
    max_words: int = 100_000
    min_word_length: float = 3.0
    max_word_length: float = 10.0
    max_hashes: float = 0.1
    max_ellipses: float = 0.1
    max_bullet_lines: float = 0.9
    max_ellipsis_lines: float = 0.3
    min_alphabetic_words: float = 0.8
    min_stop_words: int = 2
    max_duplicate_lines: float = 0.3
    max_duplicate_paragraphs: float = 0.3
    max_duplicate_line_characters: float = 0.2
    max_duplicate_paragraph_characters: float = 0.2
    max_top_2_gram: float = 0.2
    max_top_3_gram: float = 0.18
    max_top_4_gram: float = 0.16
    max_duplicate_5_grams: float = 0.15
    max_duplicate_6_grams: float = 0.14
    max_duplicate_7_grams: float = 0.13
    max_duplicate_8_grams: float = 0.12
    max_duplicate_9_grams: float = 0.11
    max_duplicate_10_grams: float = 0.1
    max_lorem_ipsum: int = 0
    max_curly_brackets: int = 0
    min_sentences: int = 3
    line_words: int = 5
    min_punctuated_lines: float = 0.12
    max_short_lines: float = 0.67
    short_line: int = 30
    max_line_copies: float = 0.1
    max_newlines: float = 0.3

    def __post_init__(self) -> None:
        if strange := [preset for preset in self.rules if preset not in PRESETS]:
            raise ValueError(f"rules: no preset '{strange[0]}'; {nearest(strange[0], PRESETS)}")
        for least, most in (("min_words", "max_words"), ("min_word_length", "max_word_length")):
            if getattr(self, least) > getattr(self, most):
                raise ValueError(f"{least} = {getattr(self, least)} is above {most} = {getattr(self, most)}")

    def adds(self) -> pa.Schema:
        """Counts, shares, and the names of all broken rules, with spaces between; null if none."""
        return pa.schema(
            [
                *((name, pa.int32()) for name in _COUNTS),
                *((name, pa.float32()) for name in _SHARES),
                (FAILED, pa.string()),
            ]
        )

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> None:
        """Nothing: the lists of words are part of this package."""

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """Measure, then judge by the measured columns alone."""
        for name, values in self._measure(documents["text"].combine_chunks(), _languages(documents)).items():
            documents = with_column(documents, name, values)
        judged = self.judge(documents)
        broken = {name: mask for preset in self._presets() for name, mask in judged[preset].items()}
        nothing = pa.nulls(documents.num_rows, pa.string())
        first, failed = nothing, nothing.fill_null("")
        for name, mask in broken.items():
            first = pc.if_else(pc.and_(mask, pc.is_null(first)), f"heuristics:{name}", first)
            failed = pc.binary_join_element_wise(failed, pc.if_else(mask, f" {name}", ""), "")
        failed = pc.if_else(pc.is_null(first), nothing, pc.utf8_ltrim(failed, " "))
        return with_column(with_column(documents, FAILED, failed), REASON, first)

    def judge(self, documents: pa.Table) -> Mapping[str, Mapping[str, Any]]:
        """By preset and rule, those of all presets: which documents break it, from the measured columns."""
        return {
            preset: {
                rule.name: self._breaks(rule, documents)
                for rule in RULES
                if rule.name.startswith(f"{preset}_")
            }
            for preset in PRESETS
        }

    def _presets(self) -> Iterator[str]:
        """Those asked for, in the order of the rules."""
        return (preset for preset in PRESETS if preset in self.rules)

    def _breaks(self, rule: Rule, documents: pa.Table) -> Any:
        values = documents[rule.column].combine_chunks()
        broken: Any = pa.scalar(False)
        below, above = (pc.less_equal, pc.greater_equal) if rule.strict else (pc.less, pc.greater)
        for field, beyond in ((rule.least, below), (rule.most, above)):
            if field:  # the bound in the precision of the values, so that what is equal to it is
                broken = pc.or_(broken, beyond(values, pa.scalar(getattr(self, field), values.type)))
        return pc.fill_null(broken, False)

    def _measure(self, texts: pa.Array, languages: pa.ChunkedArray | None) -> dict[str, pa.Array]:
        found = words(texts)
        shape, rows = shape_of(texts, found), lines(texts)
        limits = Limits(self.short_line, self.line_words)
        counts = count_in_lines(texts, found, shape.weights, rows, _phrases(), limits)
        stops = count_stop_words(found)
        units = np.diff(found.offsets)
        values = _word_values(shape, counts, units) | _line_values(shape, counts, np.diff(rows.offsets))
        values["stop_words"] = choose(stops, languages, 2 * shape.latin > units)
        values["sentences"] = counts.sentences
        values["curly_brackets"] = counts.curly
        values["lorem_ipsum"] = counts.placeholders
        repeated = np.hstack([repeated_lines(rows), repeated_grams(texts, found, shape)])
        for column, name in enumerate(_SHARES[_SHARES.index("duplicate_lines") :]):
            values[name] = repeated[:, column]
        return {f.name: pa.array(values[f.name]).cast(f.type) for f in self.adds() if f.name in values}


def _word_values(shape: Shape, counts: LineCounts, units: Any) -> dict[str, Any]:
    """Of words; a text without any has neither a length nor letters of them."""
    every = np.maximum(shape.words, 1)
    apart = shape.units[:, APART]
    unknown = (2 * apart <= units) | (apart == 0)
    return {
        "words": shape.words,
        "word_length": pa.array(shape.letters / np.maximum(apart, 1), mask=unknown),
        "hashes_per_word": counts.hashes / every,
        "ellipses_per_word": counts.ellipses / every,
        "newlines_per_word": counts.breaks / every,
        "alphabetic_words": shape.alphabetic / np.maximum(units, 1),
    }


def _line_values(shape: Shape, counts: LineCounts, number: Any) -> dict[str, Any]:
    """Of lines: shares of those that are not blank."""
    every = np.maximum(number, 1)
    return {
        "bullet_lines": counts.bullets / every,
        "ellipsis_lines": counts.trailing / every,
        "short_lines": counts.short / every,
        "punctuated_lines": pa.array(counts.punctuated / every, mask=shape.script == SOUTHERN),
    }


def _languages(documents: pa.Table) -> pa.ChunkedArray | None:
    """Of each document, null where it is a guess; None if nobody has looked."""
    if "language" not in documents.column_names:
        return None
    if "language_score" not in documents.column_names:
        return documents["language"]
    known = pc.greater_equal(documents["language_score"], pa.scalar(SURE, pa.float32()))
    return pc.if_else(known, documents["language"], pa.scalar(None, pa.string()))


@cache
def _phrases() -> Phrases:
    """What C4 looks for: place holder text counts against a document, the others against a line."""
    return phrases_of("lorem ipsum", *DROPPED)._replace(voids=np.arange(1 + len(DROPPED)) > 0)
