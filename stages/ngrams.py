"""The n-grams of word hashes: hash them, find them in an index, cut texts around them (GPT-3, appendix C)."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, finalize, locate

_BASE = np.uint64(0xD1342543DE82EF95)  # of the polynomial in the hashes of a gram's words, modulo 2^64
_BITS_PER_GRAM = 16  # in the filter: about one in a hundred grams that are not in the index passes it


class Grams(NamedTuple):
    """The n-grams of a batch of documents; none spans two of them."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[
        np.int64
    ]  # document d owns grams offsets[d]:offsets[d + 1], the first begins at its first word


class Index(NamedTuple):
    """A set of n-grams to look for."""

    grams: NDArray[np.uint64]  # sorted, each once
    filter: NDArray[np.uint64]  # blocked Bloom filter (Putze, Sanders and Singler, 2007), a block is one word
    shift: np.uint64  # a gram shifted right by this is the number of its block


class Hits(NamedTuple):
    """Where the n-grams of an index occur, in the order of documents and words."""

    words: NDArray[np.int64]  # the word at which the gram begins, numbered as in Words
    entries: NDArray[np.int64]  # the gram's position in the index
    offsets: NDArray[np.int64]  # document d owns hits offsets[d]:offsets[d + 1]


class Pieces(NamedTuple):
    """What is left of each document."""

    starts: NDArray[np.int32]  # byte where a piece begins in its document's text
    ends: NDArray[np.int32]  # byte where it ends
    offsets: NDArray[np.int64]  # document d owns pieces offsets[d]:offsets[d + 1]
    cut: NDArray[np.int64]  # how many pieces each document was cut into, counted with the short ones


def gram_hashes(found: Words, n: int) -> Grams:
    """Hash each run of `n` words of each document; the order of the words matters."""
    sizes = np.maximum(np.diff(found.offsets) - (n - 1), 0)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    grams = Grams(np.empty(offsets[-1], np.uint64), offsets)
    _hash(found.hashes, found.offsets, n, grams)
    return grams


def index_of(grams: NDArray[np.uint64]) -> Index:
    """An index of sorted and unique grams."""
    bits = max(1, (len(grams) * _BITS_PER_GRAM // 64).bit_length())
    shift = np.uint64(64 - bits)
    blocks = np.zeros(1 << bits, np.uint64)
    _fill(blocks, grams, shift)
    return Index(grams, blocks, shift)


def find(found: Words, grams: Grams, index: Index) -> Hits:
    """Every occurrence of a gram of the index."""
    # Room for as many hits as grams; what is not touched is never really taken.
    hits = Hits(
        words=np.empty(len(grams.hashes), np.int64),
        entries=np.empty(len(grams.hashes), np.int64),
        offsets=np.zeros(len(grams.offsets), np.int64),
    )
    _find(found.offsets, grams, index, hits)
    count = int(hits.offsets[-1])
    return Hits(hits.words[:count], hits.entries[:count], hits.offsets)


@kernel
def count_documents(hits: Hits, first: int, latest: NDArray[np.int64], counts: NDArray[np.uint32]) -> None:
    """Add to `counts` the documents that hold each gram of the index, each document once.

    Documents are numbered from `first`; `latest` is the last one counted for each gram, at the start -1.
    """
    for document in range(len(hits.offsets) - 1):
        for hit in range(hits.offsets[document], hits.offsets[document + 1]):
            entry = hits.entries[hit]
            if latest[entry] != first + document:
                latest[entry] = first + document
                counts[entry] += np.uint32(1)


def cut_out(texts: pa.Array, found: Words, hits: Hits, n: int, window: int, min_piece: int) -> Pieces:
    """Cut every hit of `n` words, and `window` characters on each side of it, out of its text.

    Overlapping cuts are one. Pieces of fewer than `min_piece` characters are counted, and then dropped; a
    document without hits is one piece however short.
    """
    starts, ends = found.starts[hits.words], found.ends[hits.words + (n - 1)]
    room = len(hits.words) + len(texts)
    pieces = Pieces(
        starts=np.empty(room, np.int32),
        ends=np.empty(room, np.int32),
        offsets=np.zeros(len(texts) + 1, np.int64),
        cut=np.zeros(len(texts), np.int64),
    )
    _cut(locate(texts), (starts, ends, hits.offsets), window, min_piece, pieces)
    count = int(pieces.offsets[-1])
    return Pieces(pieces.starts[:count], pieces.ends[:count], pieces.offsets, pieces.cut)


@kernel
def _hash(hashes: NDArray[np.uint64], offsets: NDArray[np.int64], n: int, grams: Grams) -> None:
    """Roll the polynomial over each document: add the word that comes, take away the one that leaves."""
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    for document in range(len(offsets) - 1):
        first, gram = offsets[document], grams.offsets[document]
        state = np.uint64(0)
        for word in range(first, offsets[document + 1]):
            state = state * _BASE + hashes[word]
            if word - first >= n:
                state -= hashes[word - n] * power
            if word - first >= n - 1:
                grams.hashes[gram] = finalize(state)
                gram += 1


@kernel
def _fill(blocks: NDArray[np.uint64], grams: NDArray[np.uint64], shift: np.uint64) -> None:
    for gram in grams:
        blocks[gram >> shift] |= _mask(gram)


@kernel
def _mask(gram: np.uint64) -> np.uint64:
    """The three bits that a gram sets in its block of the filter, chosen by its low bits."""
    one, low = np.uint64(1), np.uint64(63)
    return one << (gram & low) | one << (gram >> np.uint64(6) & low) | one << (gram >> np.uint64(12) & low)


@kernel
def _find(offsets: NDArray[np.int64], grams: Grams, index: Index, hits: Hits) -> None:
    hit = 0
    for document in range(len(offsets) - 1):
        for gram in range(grams.offsets[document], grams.offsets[document + 1]):
            value = grams.hashes[gram]
            mask = _mask(value)
            if index.filter[value >> index.shift] & mask == mask:
                entry = np.searchsorted(index.grams, value)
                if entry < len(index.grams) and index.grams[entry] == value:
                    hits.words[hit] = offsets[document] + gram - grams.offsets[document]
                    hits.entries[hit] = entry
                    hit += 1
        hits.offsets[document + 1] = hit


@kernel
def _starts_character(data: NDArray[np.uint8], at: int) -> bool:
    return bool((data[at] & np.uint8(0xC0)) != np.uint8(0x80))


@kernel
def _back(data: NDArray[np.uint8], at: int, characters: int, floor: int) -> int:
    """The byte `characters` before `at`, or `floor` where there are not so many."""
    while at > floor and characters > 0:
        at -= 1
        if _starts_character(data, at):
            characters -= 1
    return at


@kernel
def _on(data: NDArray[np.uint8], at: int, characters: int, ceiling: int) -> int:
    """The byte `characters` after `at`, or `ceiling` where there are not so many."""
    while at < ceiling:
        if _starts_character(data, at):
            characters -= 1
            if characters < 0:
                break
        at += 1
    return at


@kernel
def _is_long(data: NDArray[np.uint8], start: int, end: int, characters: int) -> bool:
    """Whether there are at least so many characters between two bytes."""
    return characters <= 0 or _on(data, start, characters - 1, end) < end


@kernel
def _cut(
    located: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    spans: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]],
    window: int,
    min_piece: int,
    pieces: Pieces,
) -> None:
    """Walk each text from cut to cut: no walk passes the cut before it or the hit after it."""
    data, begins, text_ends = located
    starts, ends, offsets = spans
    piece = 0
    for document in range(len(begins)):
        begin, end = begins[document], text_ends[document]
        hit, last = offsets[document], offsets[document + 1]
        whole = hit == last
        free = begin  # where the text after the last cut begins
        tail = False
        while not tail:
            tail = hit == last
            stop = end if tail else _back(data, begin + starts[hit], window, free)
            if stop > free or whole:
                pieces.cut[document] += 1
                if whole or _is_long(data, free, stop, min_piece):
                    pieces.starts[piece] = free - begin
                    pieces.ends[piece] = stop - begin
                    piece += 1
            if not tail:
                cut_end = begin + ends[hit]
                hit += 1
                while hit < last and begin + starts[hit] <= cut_end:
                    cut_end = begin + ends[hit]
                    hit += 1
                free = _on(data, cut_end, window, begin + starts[hit] if hit < last else end)
        pieces.offsets[document + 1] = piece
