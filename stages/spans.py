"""Runs of neighbouring lines, as hashes of their words: what a site repeats, and which lines go with it.

A span begins at each line that has words and goes on, within its paragraph, until it has enough of them. So a
long line is a span of its own, and a short one ("Share", "}") is looked at only together with those around
it: C4 takes three sentences for the same reason (Raffel et al. 2020, section 2.2). Lines without words, such
as rules, are of no account.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.terms import Reading, chosen_words
from classifiers.words import Words, finalize, words
from stages.lines import Lines, lines
from stages.shape import shape_of

_NUMBER = np.uint64(0x9D8A7C6B5E4F3021)  # stands for every number
_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_SALT = np.uint64(0x2545F4914F6CDD1D)


class Rules(NamedTuple):
    """What a span is."""

    min_words: int
    paragraphs: bool  # a span is a whole paragraph, if it has enough words
    numbers: bool  # whether numbers differ


class Spans(NamedTuple):
    """The spans of a batch of texts, by the line that they begin with."""

    keys: NDArray[np.uint64]  # one for each line; 0 where no span begins
    ends: NDArray[np.int64]  # the line behind its last one
    words: NDArray[np.int64]  # of each line, in sixteenths
    lines: Lines
    site_of: NDArray[np.uint64]  # of each document

    @property
    def documents(self) -> NDArray[np.int64]:
        """The document of each line."""
        return np.repeat(np.arange(len(self.lines.offsets) - 1), np.diff(self.lines.offsets))


def spans(texts: pa.Array, sites: NDArray[np.uint64], keyed: NDArray[np.bool_], rules: Rules) -> Spans:
    """The spans of `large_string` texts; those of documents that are not `keyed` have none.

    Equal words at equal sites have equal keys, whatever their case and the marks between them.
    """
    found, rows = words(texts), lines(texts)
    hashes = found.hashes
    if not rules.numbers:
        _, chosen = chosen_words(texts, found, Reading(numbers=False))
        hashes = np.full_like(found.hashes, _NUMBER)
        hashes[chosen] = found.hashes[chosen]
    count = len(rows.starts)
    out = Spans(np.zeros(count, np.uint64), np.zeros(count, np.int64), np.zeros(count, np.int64), rows, sites)
    digests = np.zeros(count, np.uint64)
    _weigh(found._replace(hashes=hashes), shape_of(texts, found).weights, rows, (out.words, digests))
    _span(digests, keyed, (16 * rules.min_words, rules.paragraphs), out)
    return out


def covered(found: Spans, repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The lines of the spans that begin at `repeated` lines, and wordless ones with only such around them."""
    gone = np.zeros(len(found.keys), np.bool_)
    _cover(found, repeated, gone)
    return gone


def parted(rows: Lines, gone: NDArray[np.bool_]) -> Lines:
    """The same lines, but a paragraph begins behind each gap: no span will reach across it."""
    opens = rows.opens.copy()
    opens[1:] |= gone[:-1]
    return rows._replace(opens=opens)


def sums(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of values[offsets[d] : offsets[d + 1]] for each d."""
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)])
    summed: NDArray[np.int64] = total[offsets[1:]] - total[offsets[:-1]]
    return summed


@kernel
def _weigh(
    found: Words,
    weights: NDArray[np.uint8],
    rows: Lines,
    out: tuple[NDArray[np.int64], NDArray[np.uint64]],
) -> None:
    """Words of each line in sixteenths, and a hash of them in order."""
    sizes, digests = out
    for document in range(len(rows.offsets) - 1):
        unit, last = found.offsets[document], found.offsets[document + 1]
        for row in range(rows.offsets[document], rows.offsets[document + 1]):
            state = _SALT
            while unit < last and found.starts[unit] < rows.ends[row]:
                sizes[row] += weights[unit]
                state = (state ^ found.hashes[unit]) * _MULTIPLIER
                state ^= state >> np.uint64(29)
                unit += 1
            digests[row] = finalize(state)


@kernel
def _span(digests: NDArray[np.uint64], keyed: NDArray[np.bool_], rules: tuple[int, bool], out: Spans) -> None:
    """Fill keys and ends. A line with words has 5 sixteenths at least, so a span has few lines with words."""
    least, paragraphs = rules
    rows = out.lines
    for document in range(len(rows.offsets) - 1):
        stop = rows.offsets[document]
        while keyed[document] and stop < rows.offsets[document + 1]:
            start, stop = stop, stop + 1
            while stop < rows.offsets[document + 1] and not rows.opens[stop]:
                stop += 1
            for first in range(start, start + 1 if paragraphs else stop):
                if out.words[first] == 0 and not paragraphs:
                    continue
                size, state, row = 0, finalize(_SALT ^ out.site_of[document]), first
                while row < stop and (paragraphs or size < least):
                    if out.words[row]:
                        size += out.words[row]
                        state = (state ^ digests[row]) * _MULTIPLIER
                        state ^= state >> np.uint64(29)
                    row += 1
                if size >= least:
                    out.keys[first] = finalize(state) | np.uint64(1)
                    out.ends[first] = row


@kernel
def _cover(found: Spans, repeated: NDArray[np.bool_], gone: NDArray[np.bool_]) -> None:
    offsets = found.lines.offsets
    for document in range(len(offsets) - 1):
        covered = offsets[document]
        for row in range(offsets[document], offsets[document + 1]):
            if repeated[row]:
                covered = max(covered, found.ends[row])
            gone[row] = row < covered
        row = offsets[document]
        while row < offsets[document + 1]:
            end = row
            while end < offsets[document + 1] and found.words[end] == 0:
                end += 1
            before = row == offsets[document] or gone[row - 1]
            after = end == offsets[document + 1] or gone[end]
            whole = row == offsets[document] and end == offsets[document + 1]
            if end > row and before and after and not whole:
                gone[row:end] = True
            row = end + 1
