"""Words -> terms, what a classifier counts: words, n-grams of words; not what would give a side away.

GPT-3's classifier counts every token of a text (appendix A). Numbers can be left out: years, dates and prices
tell when and from where a text was collected, and a classifier learns just that. So can chosen words, such as
the name of a source; and a traditional Han character can be the same term as its simplified form, or a
classifier learns which of them the good texts are written in.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel, lean
from classifiers.words import DIGIT, IGNORED, MARK, Words, character_table, decode, finalize, locate, words

_ODD = np.uint64(0xD1342543DE82EF95)
_CLASS = np.uint32(24)  # a table entry's class is above this bit
_HAN, _HAN_END = 0x3400, 0xA000  # the code points of which variants are known


class Reading(NamedTuple):
    """Which terms a text has."""

    ngrams: int = 1  # 2: words, and pairs of neighbours; 3: triples as well
    numbers: bool = True  # whether words of digits alone are terms
    ignored: tuple[int, ...] = ()  # hashes of words that are none
    variants: bool = True  # whether traditional and simplified Han characters are different terms


class Terms(NamedTuple):
    """The terms of a batch of texts, one document after another: its words, its pairs of words, …"""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]  # document d owns hashes offsets[d]:offsets[d + 1]


def terms(texts: pa.Array | pa.ChunkedArray, split: Words, reading: Reading) -> Terms:
    """The terms of `texts`, which `split` are the words of: a document's words, then its pairs, then triples.

    The words on both sides of one that is no term are neighbours.
    """
    found, _ = chosen_words(texts, split, reading)
    if reading.ngrams > 1:
        offsets = offsets_of(np.diff(found.offsets), reading.ngrams)
        chained = Terms(np.empty(offsets[-1], np.uint64), offsets)
        _chain(found, reading.ngrams, chained)
        found = chained
    return found


def offsets_of(sizes: NDArray[np.int64], ngrams: int) -> NDArray[np.int64]:
    """The offsets of the terms of documents of so many chosen words."""
    room = sum((np.maximum(sizes - n, 0) for n in range(ngrams)), np.zeros_like(sizes))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(room)])


def chosen_words(
    texts: pa.Array | pa.ChunkedArray, split: Words, reading: Reading
) -> tuple[Terms, NDArray[np.int64]]:
    """The words that are terms, and the number of each in `split`."""
    numbers = np.arange(len(split.hashes))
    if reading.numbers and reading.variants and not reading.ignored:
        return Terms(split.hashes, split.offsets), numbers
    ignored = np.sort(np.array(reading.ignored, np.uint64))
    simplified = np.zeros(0, np.uint64) if reading.variants else simplified_forms()
    rules = (reading.numbers, ignored, simplified)
    out = Terms(np.empty_like(split.hashes), np.zeros_like(split.offsets))
    document = 0
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        data, begins, _ = locate(chunk)
        _choose(data, begins, character_table(), (split, document), rules, (out, numbers))
        document += len(begins)
    size = out.offsets[-1]
    return out._replace(hashes=out.hashes[:size]), numbers[:size]


@cache
def simplified_forms() -> NDArray[np.uint64]:
    """The hash of the simplified form of each Han character from U+3400 on; 0 for those that have none."""
    with np.load(Path(__file__).with_name("variants.npz")) as packed:
        traditional, simplified = packed["pairs"].T
    forms = np.zeros(_HAN_END - _HAN, np.uint64)
    forms[traditional - _HAN] = words(pa.array([" ".join(map(chr, simplified.tolist()))])).hashes
    return forms


@lean
def _is_number(data: NDArray[np.uint8], at: int, end: int, table: NDArray[np.uint32]) -> bool:
    """Whether a word is of digits alone; signs between U+3000 and U+9FFF never are."""
    lead = data[at]
    if (0x3A <= lead < 0x80) or (0xE3 <= lead <= 0xE9):
        return False
    while at < end:
        code, width = decode(data, at, end)
        kind = np.int64(table[code] >> _CLASS)
        if kind not in (DIGIT, MARK, IGNORED):
            return False
        at += width
    return True


@lean
def _is_in(known: NDArray[np.uint64], word: np.uint64) -> bool:
    """Whether a sorted list has `word`."""
    low, high = 0, len(known)
    while low < high:
        middle = (low + high) // 2
        if known[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low < len(known) and known[low] == word


@kernel
def _choose(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    table: NDArray[np.uint32],
    source: tuple[Words, int],
    rules: tuple[bool, NDArray[np.uint64], NDArray[np.uint64]],
    target: tuple[Terms, NDArray[np.int64]],
) -> None:
    """Copy the hashes and numbers of the words that are terms; the first text is document `first`."""
    (split, first), (numbers, ignored, simplified), (out, places) = source, rules, target
    offsets, starts, ends, hashes = split.offsets, split.starts, split.ends, split.hashes
    terms_at, chosen = out.offsets, out.hashes
    alike, some_ignored = len(simplified) > 0, len(ignored) > 0
    term = terms_at[first]
    for row in range(len(begins)):
        document = first + row
        for unit in range(offsets[document], offsets[document + 1]):
            at, end = begins[row] + starts[unit], begins[row] + ends[unit]
            word = hashes[unit]
            if alike and end - at == 3 and 0xE3 <= data[at] <= 0xE9:
                code, _ = decode(data, at, end)
                if code >= _HAN and simplified[code - _HAN]:
                    word = simplified[code - _HAN]
            chosen[term], places[term] = word, unit
            gone = (not numbers and _is_number(data, at, end, table)) or (
                some_ignored and _is_in(ignored, word)
            )
            term += not gone
        terms_at[document + 1] = term


@kernel
def _chain(words: Terms, ngrams: int, out: Terms) -> None:
    """Fill `out` with the words of each document, then its pairs, and so on; its offsets are known."""
    for document in range(len(out.offsets) - 1):
        begin = words.offsets[document]
        size = words.offsets[document + 1] - begin
        at = out.offsets[document]
        for place in range(size):
            out.hashes[at + place] = words.hashes[begin + place]
        shorter = at
        at += size
        for n in range(1, min(ngrams, size)):
            for place in range(size - n):
                last = words.hashes[begin + place + n]
                out.hashes[at + place] = finalize(out.hashes[shorter + place] * _ODD + last)
            shorter = at
            at += size - n
