"""Where datatrove's measures of a text differ from ours: each cause by itself, in plain Python.

A measure is computed as datatrove does, and then again with one cause after another changed to our way. With
none changed it must equal what datatrove's own code compares with its bounds; with all changed, our column.
So nothing differs but what is listed here.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from classifiers.words import words
from stages.lines import BULLETS, CLOSERS, DROPPED, QUOTES, STOPS
from stages.shape import APART, IDEOGRAPH, WEIGHTS, letters_of, script_of, shape_of


class Cause(NamedTuple):
    """A difference, and who follows the paper."""

    theirs: str
    ours: str
    right: str


GOPHER = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
OURS, OPEN = "ours", "open: the paper does not say"
CAUSES = {
    "marks": Cause(
        "a punctuation mark or symbol is a word: in every ratio; in counts of words, if not on a list",
        "words have a letter or digit",
        OURS,
    ),
    "words": Cause(
        'words are spaCy\'s tokens: "do", "n\'t"; "so.[1"; "https://a.b"',
        '"don\'t" is one, an address many',
        "ours; open for addresses",
    ),
    "case": Cause(
        "'The' is not 'the'", "it is, in stop words and in n-grams", "ours in stop words; open in n-grams"
    ),
    "signs": Cause(
        "words of Chinese, Thai and the like as the tokenizer has them",
        "as many as a reader would count; letters of Hangul and of ideographs count for more",
        OURS,
    ),
    "symbols": Cause("'......' is two ellipses", "it is one", OURS),
    "blank lines": Cause("are lines", "are none: else 90 % of lines can hardly be bullets", OURS),
    "bullets": Cause("'•', '-' and '-5'", "many more signs; '-' and '*' before a blank only", OURS),
    "indents": Cause("blanks around a line belong to it", "they do not", OPEN),
    "line feeds": Cause("count among a text's characters", "do not count among those of its lines", OPEN),
    "once": Cause(
        "an n-gram that occurs once may be the most frequent one",
        "nothing is repeated",
        "open: datatrove by the rule's words, ours by what it is for",
    ),
    "joined": Cause("'1 23' repeats '12 3': words are joined to compare them", "it does not", OURS),
    "spans": Cause(
        "an n-gram's characters are those of its words (and blanks between them, for the top ones)",
        "those of the text from its first word to its last, and at most all",
        OURS,
    ),
    "quotation marks": Cause("a line may not end with one", "it may", "ours: they are punctuation"),
    "line ends": Cause("a line ends with the mark itself", "brackets may follow; '…' is a mark", OURS),
    "sentences": Cause(
        "by spaCy's sentencizer", "by a mark and a blank, but not before a small letter", OPEN
    ),
    "citations": Cause(
        "'[12]' is removed before C4 looks at a line's end",
        "it is in the way; clean_lines removes it",
        "open: it is in C4's code alone",
    ),
    "C4's line ends": Cause(
        "the marks . ? ! \" '", "also ” and those of other scripts; brackets may follow", OURS
    ),
    "C4's line words": Cause("what blanks separate; none over 1,000 letters", "words, of any length", OURS),
    "C4's phrases": Cause("anywhere in a word: 'javascripts'", "whole words, whatever is between them", OURS),
    "dropped lines": Cause(
        "are not searched for '{' and 'lorem ipsum'", "whole pages are", "ours; C4's code does as datatrove"
    ),
    "brackets": Cause("'{'", "'{' or '}'", OURS),
}
BOUNDS = {
    "fineweb_line_copies": Cause("0.01", "0.1", "ours: section 3.6"),
    "other bounds of FineWeb": Cause("what is equal stays", "it goes", "ours: ≤ 0.12, ≥ 0.67 in section 3.6"),
    "c4_sentences": Cause("5", "3", "ours: 5 in an earlier version of the paper"),
    "words of C4's lines": Cause("3", "5", "ours: 3 in an earlier version of the paper"),
}


@dataclass(frozen=True)
class Document:
    """A text as both sides read it."""

    text: str
    tokens: Sequence[str]  # datatrove's words
    counted: Sequence[str]  # those that are not all marks of its list
    sentences: Sequence[int]  # datatrove's, of each line that its C4 filter leaves
    units: Sequence[str]  # our words as they stand in the text
    spans: Sequence[tuple[int, int]]  # where, in characters
    keys: Sequence[int]  # equal for equal words
    kinds: Sequence[int]  # how they are written

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.split("\n") if line.strip()]

    @property
    def script(self) -> int:
        return int(np.argmax(np.bincount(np.array(self.kinds, np.int64), minlength=3)))

    def words(self, ours: Collection[str]) -> Sequence[str]:
        if "words" in ours:
            return self.units
        return [t for t in self.tokens if any(map(str.isalnum, t))] if "marks" in ours else self.tokens

    def count(self, ours: Collection[str]) -> int:
        """How many words there are, to divide by."""
        if "signs" in ours:
            return max(sum(int(WEIGHTS[kind]) for kind in self.kinds) // 16, 1)
        return max(len(self.words(ours)), 1)


def documents(texts: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Texts with what datatrove says of each (see datatrove_values.py)."""
    array = pa.array(texts, pa.large_string())
    found = words(array)
    shape = shape_of(array, found)
    kinds = {int(weight): kind for kind, weight in enumerate(WEIGHTS)}
    read = []
    for d, (text, answer) in enumerate(zip(texts, answers, strict=True)):
        own = slice(int(found.offsets[d]), int(found.offsets[d + 1]))
        leads = (np.frombuffer(text.encode(), np.uint8) & 0xC0) != 0x80  # first bytes of characters
        before = np.concatenate([[0], np.cumsum(leads)])  # characters before a byte
        spans = list(zip(before[found.starts[own]].tolist(), before[found.ends[own]].tolist(), strict=True))
        written = [kinds[int(weight)] for weight in shape.weights[own]]
        units = [text[start:end] for start, end in spans]
        said = answer["tokens"], answer["counted"], answer["sentences"]
        read.append(Document(text, *said, units, spans, found.hashes[own].tolist(), written))
    return read


def count_words(d: Document, ours: Collection[str]) -> float:
    if "signs" in ours:
        return sum(int(WEIGHTS[kind]) for kind in d.kinds) // 16
    return len(_counted(d, ours))


def word_length(d: Document, ours: Collection[str]) -> float | None:
    if "signs" not in ours:
        return float(np.mean([len(word) for word in _counted(d, ours)]))
    apart = [unit for unit, kind in zip(d.units, d.kinds, strict=True) if kind == APART]
    if 2 * len(apart) <= len(d.units) or not apart:
        return None
    return sum(letters_of(ord(letter)) for unit in apart for letter in unit) / len(apart)


def _counted(d: Document, ours: Collection[str]) -> Sequence[str]:
    return d.words(ours) if "marks" in ours else d.counted


def hashes(d: Document, ours: Collection[str]) -> float:
    return d.text.count("#") / d.count(ours)


def ellipses(d: Document, ours: Collection[str]) -> float:
    if "symbols" in ours:
        return len(re.findall(r"\.{3,}|…+", d.text)) / d.count(ours)
    return (d.text.count("...") + d.text.count("…")) / d.count(ours)


def newlines(d: Document, ours: Collection[str]) -> float:
    return d.text.count("\n") / d.count(ours)


def alphabetic(d: Document, ours: Collection[str]) -> float:
    found = d.words(ours)
    return sum(any(map(str.isalpha, word)) for word in found) / len(found)


def stop_words(d: Document, ours: Collection[str]) -> float:
    found = d.words(ours)
    return len(GOPHER & {word.lower() if "case" in ours else word for word in found})


def bullet_lines(d: Document, ours: Collection[str]) -> float:
    lines = d.lines if "blank lines" in ours else d.text.split("\n")
    bullet = f"[{re.escape(BULLETS.strip('-*'))}]|[-*]( |$)" if "bullets" in ours else "[•-]"
    return sum(bool(re.match(bullet, line.strip())) for line in lines) / len(lines)


def ellipsis_lines(d: Document, ours: Collection[str]) -> float:
    lines = d.lines if "blank lines" in ours else d.text.split("\n")
    return sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)


def copies(d: Document, ours: Collection[str], paragraphs: bool, characters: bool, fineweb: bool) -> float:
    """Duplicate lines or paragraphs: their share, or that of their characters."""
    text = "\n".join(line.strip(" \t") for line in d.text.split("\n")) if "indents" in ours else d.text
    parts = re.split(r"\n{2,}", text.strip()) if paragraphs else re.split(r"\n+", text)
    if "line feeds" in ours or fineweb:
        parts, text = [part.replace("\n", "\0") for part in parts], text.replace("\n", "")
    again = [(part, n - 1) for part, n in Counter(parts).items()]
    if not characters:
        return sum(n for _, n in again) / len(parts)
    return sum(n * len(part.replace("\0", "")) for part, n in again) / len(text)


def _grams(
    d: Document, ours: Collection[str], n: int, blanks: bool
) -> tuple[list[Any], Callable[[int], int]]:
    """Keys of the n-grams, and how many characters the one at a place has; datatrove may count blanks."""
    listed = d.words(ours)
    keys = d.keys if "case" in ours else listed
    n = n * 16 // int(WEIGHTS[d.script]) if "signs" in ours else n

    def characters(at: int) -> int:
        if "spans" in ours:
            return d.spans[at + n - 1][1] - d.spans[at][0]
        return sum(map(len, listed[at : at + n])) + (n - 1) * blanks

    return [tuple(keys[at : at + n]) for at in range(len(keys) - n + 1)], characters


def top_gram(d: Document, ours: Collection[str], n: int) -> float:
    keys, characters = _grams(d, ours, n, blanks=True)
    if not keys:
        return 0.0
    gram, count = Counter(keys).most_common(1)[0]
    if count == 1 and "once" in ours:
        return 0.0
    if "spans" not in ours:
        return characters(keys.index(gram)) * count / len(d.text)
    return min(sum(characters(at) for at, key in enumerate(keys) if key == gram) / len(d.text), 1.0)


def repeated_grams(d: Document, ours: Collection[str], n: int) -> float:
    keys, characters = _grams(d, ours, n, blanks=False)
    width = len(keys[0]) if keys else 1
    if "joined" not in ours:
        keys = ["".join(key) for key in keys]
    seen, covered, at = set(), 0, 0
    while at < len(keys):
        if keys[at] in seen:
            covered += characters(at)
            at += width
        else:
            seen.add(keys[at])
            at += 1
    return covered / len(d.text)


def short_lines(d: Document, ours: Collection[str]) -> float:
    lines = [line.strip(" \t") for line in d.lines] if "indents" in ours else d.lines
    if "signs" in ours:
        return sum(sum(letters_of(ord(c)) for c in line) <= 30 for line in lines) / len(lines)
    return sum(len(line) <= 30 for line in lines) / len(lines)


def punctuated_lines(d: Document, ours: Collection[str]) -> float:
    marks = set(STOPS) - set("…།༎") | (set(QUOTES) if "quotation marks" in ours else set())
    if "line ends" in ours:
        return sum(_ends(line) for line in d.lines) / len(d.lines)
    return sum(line[-1] in marks for line in d.lines) / len(d.lines)


def _ends(line: str) -> bool:
    """Whether a line ends as sentences do, by our rule."""
    brackets = "".join(set(CLOSERS) - set(QUOTES))
    return line.rstrip(" \t").rstrip(brackets)[-1:] in set(STOPS + QUOTES)


def c4_lines(d: Document, ours: Collection[str], phrases: Sequence[str] = DROPPED) -> list[str]:
    """The lines that C4 leaves."""
    left = []
    for whole in d.lines:
        line = whole.strip()
        if "C4's line words" in ours:
            few = len(words(pa.array([line])).hashes) < 3
        else:
            few = len(line.split()) < 3 or any(len(word) > 1000 for word in line.split())
        if "citations" not in ours:
            line = re.sub(r"\[(\d*|edit|citation needed)\]", "", line)
        good = _ends(line) if "C4's line ends" in ours else line.endswith((".", "?", "!", '"', "'"))
        trails = line.endswith(("...", "…") if "C4's line ends" in ours else "...")
        if good and not trails and not few and not _says(line, phrases, ours):
            left.append(line)
    return left


def _says(line: str, phrases: Sequence[str], ours: Collection[str]) -> int:
    """How many of the phrases are in a line."""
    if "C4's phrases" not in ours:
        return sum(phrase in line.lower() for phrase in phrases)
    found = "|".join(map(str, words(pa.array([line])).hashes))
    wanted = ("|".join(map(str, words(pa.array([phrase])).hashes)) for phrase in phrases)
    return sum(f"|{found}|".count(f"|{phrase}|") for phrase in wanted)


def sentences(d: Document, ours: Collection[str]) -> float:
    return sum(map(count_sentences, c4_lines(d, ours))) if "sentences" in ours else sum(d.sentences)


def count_sentences(line: str) -> int:
    """Sentences of a line that has words, by our rule."""
    total, ended, gap, southern = 1, False, False, False
    for sign in line:
        if sign in STOPS:
            ended, gap = True, sign >= "\u3000"
        elif sign in "\t \xa0\u3000":
            gap = True
        elif sign not in CLOSERS:
            south = script_of(ord(sign)) > IDEOGRAPH
            total += gap and ((ended and not "a" <= sign <= "z") or (southern and south))
            ended, gap, southern = False, False, south
    return total


def placeholders(d: Document, ours: Collection[str]) -> float:
    lines = d.lines if "dropped lines" in ours else c4_lines(d, (), ())
    return float(any(_says(line, ["lorem ipsum"], ours) for line in lines))


def brackets(d: Document, ours: Collection[str]) -> float:
    lines = d.lines if "dropped lines" in ours else c4_lines(d, (), ["javascript"])
    return float(any(sign in line for line in lines for sign in ("{}" if "brackets" in ours else "{")))


Measure = Callable[[Document, Collection[str]], float | None]
_PER_WORD = ("marks", "words", "signs")


def measures() -> dict[str, tuple[Measure, tuple[str, ...]]]:
    """By our column's name (but `line_copies`): the measure, and its causes in the order of changing them."""
    found: dict[str, tuple[Measure, tuple[str, ...]]] = {
        "words": (count_words, _PER_WORD),
        "word_length": (word_length, _PER_WORD),
        "hashes_per_word": (hashes, _PER_WORD),
        "ellipses_per_word": (ellipses, ("symbols", *_PER_WORD)),
        "bullet_lines": (bullet_lines, ("blank lines", "bullets")),
        "ellipsis_lines": (ellipsis_lines, ("blank lines",)),
        "alphabetic_words": (alphabetic, ("marks", "words")),
        "stop_words": (stop_words, ("marks", "words", "case")),
    }
    for name, paragraphs, characters in (
        ("duplicate_lines", False, False),
        ("duplicate_paragraphs", True, False),
        ("duplicate_line_characters", False, True),
        ("duplicate_paragraph_characters", True, True),
    ):
        causes = ("indents", "line feeds") if characters else ("indents",)
        found[name] = partial(copies, paragraphs=paragraphs, characters=characters, fineweb=False), causes
    for n in (2, 3, 4):
        found[f"top_{n}_gram"] = (
            partial(top_gram, n=n),
            ("marks", "words", "case", "once", "spans", "signs"),
        )
    for n in range(5, 11):
        found[f"duplicate_{n}_grams"] = (
            partial(repeated_grams, n=n),
            ("joined", "marks", "words", "case", "spans", "signs"),
        )
    return found | {
        "lorem_ipsum": (placeholders, ("dropped lines", "C4's phrases")),
        "curly_brackets": (brackets, ("dropped lines", "brackets")),
        "sentences": (
            sentences,
            ("sentences", "citations", "C4's line ends", "C4's line words", "C4's phrases"),
        ),
        "punctuated_lines": (punctuated_lines, ("quotation marks", "line ends")),
        "short_lines": (short_lines, ("indents", "signs")),
        "line_copies": (partial(copies, paragraphs=False, characters=True, fineweb=True), ("indents",)),
        "newlines_per_word": (newlines, _PER_WORD),
    }
