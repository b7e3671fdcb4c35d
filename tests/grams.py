"""Grams in plain Python: by strings and loops, for the tests of what finds and cuts them."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from classifiers.words import words
from stages.ngrams import Sizes, index_of, runs_of

_ATOMS = [
    "a",
    "b",
    "C",
    "don't",
    "é",
    "한국",
    "كتاب",
    "नमस्ते",
    "7",
    *"中文あกထ",
    " ",
    " ",
    " ",
    ", ",
    "😀",
    "\u0301",
]
SIGN_TEXTS = st.lists(st.sampled_from(_ATOMS), max_size=30).map("".join)


class Rule(NamedTuple):
    """As Sizes."""

    words: int = 13
    characters: int = 20
    shortest: int = 8


class Run(NamedTuple):
    """What is looked for: the units it begins and ends with, and their strings."""

    first: int
    last: int
    whole: bool
    key: tuple


def texts_of(texts):
    return pa.array(texts, pa.large_string())


def places(text):
    """(first byte, byte after the last) of each unit."""
    found = words(texts_of([text]))
    return list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))


def units(text):
    """The units of a text, as their hashes."""
    return tuple(words(texts_of([text])).hashes.tolist())


def weight(unit, rule):
    """By the Unicode blocks that the tests use."""
    first = ord(unit[0])
    alone = 0x0E00 <= first < 0x1100 or 0x3040 <= first < 0x3100 or 0x4E00 <= first < 0xA000
    return rule.words if alone else rule.characters


def weights(text, rule):
    data = text.encode()
    return [weight(data[start:end].decode(), rule) for start, end in places(text)]


def grams(text, rule):
    """(first unit, last unit) of each run that weighs enough, and no more than it must."""
    heavy, full = weights(text, rule), rule.words * rule.characters
    found = []
    for first in range(len(heavy)):
        for last in range(first, len(heavy)):
            if sum(heavy[first : last + 1]) >= full:
                found.append((first, last))
                break
    return found


def runs(text, rule):
    """What is looked for of an example."""
    key, found = units(text), grams(text, rule)
    if found:
        return [Run(first, last, False, key[first : last + 1]) for first, last in found]
    return [Run(0, len(key) - 1, True, key)] if len(key) >= rule.shortest else []


def occurrences(text, known, rule):
    """(first unit, last unit) of each stretch of a text that is one of these runs."""
    key = units(text)
    stretches = [(a, b) for a in range(len(key)) for b in range(a, min(len(key), a + max(rule)))]
    return [(a, b) for a, b in stretches if key[a : b + 1] in known]


def index_for(benchmark, sizes):
    """An index of all runs of these examples."""
    column = texts_of(benchmark)
    found = runs_of(column, words(column), Sizes(*sizes))
    grams, first = np.unique(found.hashes, return_index=True)
    return index_of(grams, found.whole[first], found.heads, Sizes(*sizes))


def known_of(benchmark, rule):
    """The keys of all runs of these examples."""
    return {run.key for example in benchmark for run in runs(example, rule)}


def pieces_of(text, known, rule, window):
    """The pieces of one text, in characters, and whether anything was cut.

    Marks what goes until nothing is found in what is left; then reads that off.
    """
    gone = np.zeros(len(text), bool)
    while True:
        edges = np.flatnonzero(np.diff(np.concatenate([[True], gone, [True]])))
        pieces = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        hits = []
        for start, end in pieces:
            piece = text[start:end]
            at = {len(piece[:place].encode()): start + place for place in range(len(piece) + 1)}
            where = places(piece)
            hits += [(at[where[a][0]], at[where[b][1]]) for a, b in occurrences(piece, known, rule)]
        if not hits:
            return pieces or [(0, 0)] * (not text), bool(gone.any())
        for start, end in hits:
            gone[max(0, start - window) : end + window] = True
