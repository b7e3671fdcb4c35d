"""Sentences from a grammar: the words and shapes of `configs/tiny/grammar/*.toml`, dealt by seeded chance."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

GRAMMAR = Path(__file__).parent / "tiny" / "grammar"
UNSPACED = frozenset({"zh", "ja"})
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([^{}]+)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO]|[uU](?!ni|se|su))")
WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|\w+")
T = TypeVar("T")
Symbols = Mapping[str, Sequence[str]]


class Chance:
    """Repeatable draws: the same key gives the same numbers on every machine and Python."""

    def __init__(self, *key: object) -> None:
        self._random = random.Random("/".join(map(str, key)))

    def below(self, end: int) -> int:
        """A whole number from 0 to end - 1; `random()` is the one draw that no Python version changes."""
        return int(self._random.random() * end)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """The items in another order."""
        deck = list(items)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck


@dataclass(frozen=True)
class Text:
    """A title and its blocks (p, h2 or li), each a tuple of sentences."""

    kind: str
    lang: str
    topic: str
    title: str
    blocks: tuple[tuple[str, tuple[str, ...]], ...]

    def paragraphs(self) -> list[str]:
        """Each block as one string."""
        gap = "" if self.lang in UNSPACED else " "
        return [gap.join(sentences) for _, sentences in self.blocks]

    def body(self) -> str:
        """The text without its title, a blank line between blocks."""
        return "\n\n".join(self.paragraphs())

    def with_block(self, place: int, tag: str, sentence: str) -> Text:
        """The same text with one more block before the given place."""
        return replace(self, blocks=(*self.blocks[:place], (tag, (sentence,)), *self.blocks[place:]))


@cache
def load(name: str) -> dict[str, Any]:
    """One grammar file."""
    return tomllib.loads((GRAMMAR / f"{name}.toml").read_text("utf-8"))


@cache
def topics(lang: str) -> tuple[str, ...]:
    """Names of the topics of a language."""
    return tuple(load("en_topics") if lang == "en" else load(lang)["topics"])


def topic_symbols(lang: str, topic: str) -> dict[str, list[str]]:
    """Words of a topic; an act such as "wind/winding/wound the clock" becomes do, doing and did."""
    words = dict((load("en_topics") if lang == "en" else load(lang)["topics"])[topic])
    for place, form in enumerate(("do", "doing", "did")):
        acts = [act.partition(" ") for act in words.get("act", ())]
        words[form] = [f"{verb.split('/')[place]} {rest}".strip() for verb, _, rest in acts]
    return words


class Teller:
    """Tells one document: deals each symbol's choices without repeating and keeps what must stay the same."""

    def __init__(self, chance: Chance, lang: str, *layers: Symbols) -> None:
        self.chance = chance
        self.lang = lang
        self._symbols: dict[str, Sequence[str]] = {}
        for layer in layers:
            self._symbols.update(layer)
        self._decks: dict[str, list[str]] = {}
        self._kept: dict[str, str] = {}

    def symbol(self, name: str) -> str:
        """The next choice of a symbol, expanded."""
        deck = self._decks.get(name)
        if not deck:
            deck = self._decks[name] = self.chance.shuffled(self._symbols[name])
        return self._expand(deck.pop())

    def sentence(self, name: str) -> str:
        """The next choice of a symbol as a sentence: tidy spaces, articles and the first letter."""
        return self.tidy(self.symbol(name))

    def tidy(self, text: str) -> str:
        """Expanded text with single spaces, "an" before vowels and a capital at the start."""
        text = " ".join(self._expand(text).split())
        if self.lang == "en":
            text = ARTICLE.sub(r"\1n ", text)
        return text[:1].upper() + text[1:]

    def _expand(self, template: str) -> str:
        chosen = CHOICE.sub(lambda match: self.chance.pick(match[1].split("|")), template)
        return SLOT.sub(lambda match: self._slot(match[1]), chosen)

    def _slot(self, slot: str) -> str:
        if limits := RANGE.fullmatch(slot):
            return str(self.chance.between(int(limits[1]), int(limits[2])))
        name = slot.rstrip("!")
        plain = name if name in self._symbols else name[:1].lower() + name[1:]
        if slot.endswith("!"):
            if plain not in self._kept:
                self._kept[plain] = self.symbol(plain)
            text = self._kept[plain]
        else:
            text = self.symbol(plain)
        return text if plain == name else text[:1].upper() + text[1:]


def tell(teller: Teller, kind: str, topic: str, genre: Mapping[str, Any]) -> Text:
    """One text by the plan of its genre: a paragraph per list; "# x" is a heading, "* x" a list item."""
    title = teller.tidy(teller.chance.pick(genre["titles"]))
    blocks: list[tuple[str, tuple[str, ...]]] = []
    for paragraph in genre["plan"]:
        told: list[str] = []
        for part in paragraph:
            if part.startswith("# "):
                blocks.append(("h2", (teller.tidy(part[2:]),)))
            elif part.startswith("* "):
                blocks.append(("li", (teller.sentence(part[2:]),)))
            else:
                told.append(teller.sentence(part))
        if told:
            blocks.append(("p", tuple(told)))
    return Text(kind, teller.lang, topic, title, tuple(blocks))


def teller_for(lang: str, topic: str, key: str, *layers: Symbols) -> Teller:
    """A teller with the words of a language, of one topic and of any further layers."""
    return Teller(Chance(lang, topic, key), lang, load(lang)["symbols"], topic_symbols(lang, topic), *layers)


def grams(text: str, length: int = 5) -> set[tuple[str, ...]]:
    """Word n-grams; a character of Chinese, Japanese or Thai counts as a word."""
    words = WORD.findall(text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def jaccard(left: str, right: str) -> float:
    """Shared over all word 5-grams of two texts."""
    a, b = grams(left), grams(right)
    return len(a & b) / max(1, len(a | b))
