"""How good is a text? What of it is right, false and missing, counted as the papers on main text do."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from classifiers.words import words
from stages.text import nfc

SHINGLE = 4  # tokens
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Score:
    """How much is right, how much of what came should not have, how much of what should have did not.

    Scores of pages add up; precision, recall and F1 of the sum are micro-averages.
    """

    right: float = 0.0
    false: float = 0.0
    missing: float = 0.0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.right + other.right, self.false + other.false, self.missing + other.missing)

    @property
    def precision(self) -> float:
        """The share of what came that is right."""
        return _share(self.right, self.false)

    @property
    def recall(self) -> float:
        """The share of what should have come that did."""
        return _share(self.right, self.missing)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.right, self.false + self.missing)


def total(scores: Iterable[Score]) -> Score:
    """The sum of the scores of many pages."""
    return sum(scores, Score())


def of_text(got: str, gold: str, scripts: bool = False) -> Score:
    """Shingles of four tokens, with their multiplicity; each page weighs one, however long it is.

    Tokens are runs of `\\w`, as in the benchmarks of Zyte and WCXB. With `scripts` they are the units of
    `classifiers.words`: Han, kana, Thai characters one by one, and marks stay with their letters.
    """
    tokens = _units if scripts else _WORD.findall
    found, wanted = shingles(tokens(got)), shingles(tokens(gold))
    right = (found & wanted).total()
    false, missing = found.total() - right, wanted.total() - right
    weight = right + false + missing
    return Score(right / weight, false / weight, missing / weight) if weight else Score()


def of_snippets(got: str, present: Iterable[str], absent: Iterable[str]) -> Score:
    """Snippets of a page that a text should have, and those it should not, as Trafilatura's evaluation does.

    Each snippet weighs one. How words are spaced is no matter of the text's worth.
    """
    text = _spaced(got)
    hits = [_spaced(snippet) in text for snippet in present]
    faults = [_spaced(snippet) in text for snippet in absent]
    return Score(sum(hits), sum(faults), len(hits) - sum(hits))


def shingles(tokens: Sequence[Hashable]) -> Counter[tuple[Hashable, ...]]:
    """Every run of four tokens and how often it is there; all tokens as one run, where there are fewer."""
    last = max(1, len(tokens) - SHINGLE + 1) if tokens else 0
    return Counter(tuple(tokens[at : at + SHINGLE]) for at in range(last))


def _units(text: str) -> list[int]:
    hashes: list[int] = words(pa.array([nfc(text)])).hashes.tolist()
    return hashes


def _spaced(text: str) -> str:
    return " ".join(nfc(text).split())


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part else 0.0
