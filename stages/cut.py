"""Texts cut around spans of bytes, with a window of characters on each side (GPT-3, appendix C)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import lean
from classifiers.words import Words, locate, words
from stages.ngrams import Hits, Index, Located, find


class Spans(NamedTuple):
    """Stretches of texts, in the order of documents and of bytes."""

    starts: NDArray[np.int32]  # byte where it begins in its document's text
    ends: NDArray[np.int32]  # byte where it ends
    offsets: NDArray[np.int64]  # document d owns spans offsets[d]:offsets[d + 1]

    @property
    def owners(self) -> NDArray[np.int64]:
        """The document of each span."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def spans_of(found: Words, hits: Hits) -> Spans:
    """The bytes of hits: as in Hits, sorted by where they begin; they may overlap."""
    return Spans(found.starts[hits.firsts], found.ends[hits.lasts], hits.offsets)


def cut_out(texts: pa.Array, found: Words, spans: Spans, index: Index, window: int) -> Spans:
    """What is left of each text when its spans, and `window` characters on each side, are gone.

    A cut may go through a word, and what is left of that may be a word of a benchmark: then this is cut out
    too, until no piece holds a run of the index that `find` would find there.
    """
    pieces = _around(texts, spans, window)
    while len((fresh := _torn(texts, found, pieces, spans, index))[0]):
        owners = np.concatenate([spans.owners, fresh[0]])
        starts, ends = np.concatenate([spans.starts, fresh[1]]), np.concatenate([spans.ends, fresh[2]])
        order = np.lexsort((ends, starts, owners))
        offsets = np.searchsorted(owners[order], np.arange(len(texts) + 1))
        spans = Spans(starts[order], ends[order], offsets)
        pieces = _around(texts, spans, window)
    return pieces


def without_short(texts: pa.Array, pieces: Spans, spans: Spans, min_piece: int) -> Spans:
    """Less the pieces of fewer than `min_piece` characters, but for documents without spans to cut."""
    cut = np.diff(spans.offsets) > 0
    if not cut.any():
        return pieces
    keep = np.ones(len(pieces.starts), np.bool_)
    _long(locate(texts), pieces, cut, min_piece, keep)
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    return Spans(pieces.starts[keep], pieces.ends[keep], kept[pieces.offsets])


def between(texts: pa.Array, pieces: Spans, spans: Spans) -> Spans:
    """The cuts: what `pieces` leave out of each document that has spans."""
    _, begins, text_ends = locate(texts)
    starts, ends = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    counts = np.zeros(len(texts), np.int64)
    for row in np.flatnonzero(np.diff(spans.offsets)).tolist():
        mine = slice(pieces.offsets[row], pieces.offsets[row + 1])
        start = np.concatenate([np.zeros(1, np.int32), pieces.ends[mine]])
        size = np.int32(text_ends[row] - begins[row])
        end = np.append(pieces.starts[mine], size)
        starts.append(start[start < end])
        ends.append(end[start < end])
        counts[row] = len(ends[-1])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return Spans(np.concatenate(starts), np.concatenate(ends), offsets)


def _around(texts: pa.Array, spans: Spans, window: int) -> Spans:
    """Cut around spans; overlapping cuts are one, and a document without spans is one piece."""
    room = len(spans.starts) + len(texts)
    pieces = Spans(np.empty(room, np.int32), np.empty(room, np.int32), np.zeros(len(texts) + 1, np.int64))
    _cut(locate(texts), spans, window, pieces)
    count = int(pieces.offsets[-1])
    return Spans(pieces.starts[:count], pieces.ends[:count], pieces.offsets)


def _torn(
    texts: pa.Array, found: Words, pieces: Spans, spans: Spans, index: Index
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """(document, first byte, byte after the last) of runs that begin or end with what is left of a unit."""
    rows = np.flatnonzero(np.diff(spans.offsets)).tolist()
    edges = [edge for row in rows for edge in _edges(found, pieces, row, index.sizes.longest)]
    data, begins, _ = locate(texts)
    beside = [data[begins[row] + start : begins[row] + end].tobytes() for row, start, end in edges]
    ends_of = pa.array(beside, pa.large_binary()).cast(pa.large_string())
    split = words(ends_of)
    again = spans_of(split, find(ends_of, split, index))
    owners = np.array([row for row, _, _ in edges], np.int64)[again.owners]
    shift = np.array([start for _, start, _ in edges], np.int32)[again.owners]
    return owners, again.starts + shift, again.ends + shift


def _edges(found: Words, pieces: Spans, row: int, reach: int) -> Iterator[tuple[int, int, int]]:
    """(document, bytes) beside each cut through a unit: what is left of it and `reach` units more."""
    units = slice(found.offsets[row], found.offsets[row + 1])
    starts, ends = found.starts[units], found.ends[units]
    for piece in range(pieces.offsets[row], pieces.offsets[row + 1]):
        start, end = pieces.starts[piece], pieces.ends[piece]
        at = int(np.searchsorted(starts, start)) - 1  # the last unit that begins before the piece
        if at >= 0 and start < ends[at]:
            yield row, int(start), int(min(end, ends[min(at + reach, len(ends) - 1)]))
        at = int(np.searchsorted(ends, end, side="right"))  # the first one that ends behind it
        if at < len(ends) and starts[at] < end:
            yield row, int(max(start, starts[max(at - reach, 0)])), int(end)


@lean
def _starts_character(data: NDArray[np.uint8], at: int) -> bool:
    return bool((data[at] & np.uint8(0xC0)) != np.uint8(0x80))


@lean
def _back(data: NDArray[np.uint8], at: int, characters: int, floor: int) -> int:
    """The byte `characters` before `at`, or `floor` where there are not so many."""
    while at > floor and characters > 0:
        at -= 1
        if _starts_character(data, at):
            characters -= 1
    return at


@lean
def _on(data: NDArray[np.uint8], at: int, characters: int, ceiling: int) -> int:
    """The byte `characters` after `at`, or `ceiling` where there are not so many."""
    while at < ceiling:
        if _starts_character(data, at):
            characters -= 1
            if characters < 0:
                break
        at += 1
    return at


@lean
def _long(
    located: Located, pieces: Spans, cut: NDArray[np.bool_], characters: int, keep: NDArray[np.bool_]
) -> None:
    """Clear `keep` of pieces that have fewer characters, in the documents that were cut."""
    data, begins, _ = located
    for document in range(len(begins)):
        for piece in range(pieces.offsets[document], pieces.offsets[document + 1]):
            if cut[document] and characters > 0:
                start, end = begins[document] + pieces.starts[piece], begins[document] + pieces.ends[piece]
                keep[piece] = _on(data, start, characters - 1, end) < end


@lean
def _cut(located: Located, spans: Spans, window: int, pieces: Spans) -> None:
    """Walk each text from cut to cut: no walk passes the cut before it or the span after it."""
    data, begins, text_ends = located
    starts, ends = spans.starts, spans.ends
    piece = 0
    for document in range(len(begins)):
        begin, end = begins[document], text_ends[document]
        span, last = spans.offsets[document], spans.offsets[document + 1]
        whole = span == last
        free = begin  # where the text after the last cut begins
        tail = False
        while not tail:
            tail = span == last
            stop = end if tail else _back(data, begin + starts[span], window, free)
            if stop > free or whole:
                pieces.starts[piece] = free - begin
                pieces.ends[piece] = stop - begin
                piece += 1
            if not tail:
                cut_end = begin + ends[span]
                span += 1
                while span < last and begin + starts[span] <= cut_end:
                    cut_end = max(cut_end, begin + ends[span])
                    span += 1
                free = _on(data, cut_end, window, begin + starts[span] if span < last else end)
        pieces.offsets[document + 1] = piece
