"""Two texts side by side: which words differ, and long stretches alike left out.

Words are those of `classifiers.words`, so that scripts without spaces are compared character by character,
and neither case nor punctuation counts as a difference.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

import pyarrow as pa

from classifiers.words import words

ALIKE = 160  # characters that are shown of either end of a long stretch alike


class Piece(NamedTuple):
    """A piece of a text: what both have, what this one alone has, or how many characters are left out."""

    kind: Literal["alike", "differs", "left out"]
    text: str


class Excerpt(NamedTuple):
    """The beginning of a text, and whether it goes on."""

    text: str
    goes_on: bool = False


class _Split(NamedTuple):
    """A text as bytes, with its words; the text ends where the words do, plus one."""

    data: bytes
    hashes: list[int]
    starts: list[int]  # of each word, then the end of the text; the first one has what is before it
    ends: list[int]


def side_by_side(one: Excerpt, other: Excerpt) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both texts."""
    first, second = _split(one.text), _split(other.text)
    matcher = SequenceMatcher(None, first.hashes, second.hashes, autojunk=False)
    left: list[Piece] = []
    right: list[Piece] = []
    codes = matcher.get_opcodes() or [("equal", 0, 0, 0, 0)]
    for number, (code, from_one, to_one, from_other, to_other) in enumerate(codes):
        alike = code == "equal"
        if number == len(codes) - 1:  # the other text may have it, too, behind the cut
            cut = (one.goes_on and to_one - from_one <= 1) or (other.goes_on and to_other - from_other <= 1)
            alike = alike or cut
        left += _pieces(first, from_one, to_one, alike)
        right += _pieces(second, from_other, to_other, alike)
    return _brief(left), _brief(right)


def _split(text: str) -> _Split:
    data, found = text.encode(), words(pa.array([text], pa.large_string()))
    starts = found.starts.tolist()
    return _Split(data, found.hashes.tolist(), [0, *starts[1:], len(data)], found.ends.tolist())


def _pieces(split: _Split, start: int, stop: int, alike: bool) -> Iterator[Piece]:
    """Words `start` to `stop` with all between them; what follows the last word is never a difference."""
    if not split.hashes:
        yield Piece("alike", split.data.decode())
    elif start < stop:
        begin, end, after = split.starts[start], split.ends[stop - 1], split.starts[stop]
        if alike:
            yield Piece("alike", split.data[begin:after].decode())
        else:
            yield Piece("differs", split.data[begin:end].decode())
            yield Piece("alike", split.data[end:after].decode())


def _brief(pieces: list[Piece]) -> list[Piece]:
    """Without empty pieces; neighbours alike as one; the middle of long ones left out."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and piece.kind == "alike" == joined[-1].kind:
            joined[-1] = Piece("alike", joined[-1].text + piece.text)
        elif piece.text:
            joined.append(piece)
    return [part for piece in joined for part in _shortened(piece)]


def _shortened(piece: Piece) -> Iterator[Piece]:
    """Of a long stretch alike, its two ends and what is missing between them."""
    text = piece.text
    if piece.kind == "differs" or len(text) <= 3 * ALIKE:
        yield piece
        return
    head = text.rfind(" ", ALIKE // 2, ALIKE) + 1 or ALIKE  # at a space, if there is one
    tail = text.find(" ", len(text) - ALIKE, len(text) - ALIKE // 2) + 1 or len(text) - ALIKE
    yield Piece("alike", text[:head])
    yield Piece("left out", f"{tail - head:,}")
    yield Piece("alike", text[tail:])
