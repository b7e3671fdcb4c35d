"""Texts with placeholders in place of what is found in their passages."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from stages.personal import Found
from stages.suspects import suspects

Search = Callable[[str, int, int], list[Found]]  # passage, marks, row -> places in characters

_MOST_PASSES = 24


class Redacted(NamedTuple):
    """A text with placeholders, and where they are in its bytes."""

    text: bytes
    places: list[Found]


def redacted(texts: pa.Array, search: Search, placeholders: Mapping[str, bytes]) -> dict[int, Redacted]:
    """The texts that change, by row, in order; `placeholders` are those of the kinds to replace.

    A placeholder may bring a number nearer to the word that announces it, so what has changed is looked
    through again, until nothing is found. That is soon: a word announces numbers within 48 characters, and no
    placeholder announces any.
    """
    done: dict[int, Redacted] = {}
    rows = list(range(len(texts)))
    for _ in range(_MOST_PASSES):
        found = _found(texts, rows, search)
        changed = []
        for row, (text, places) in found:
            earlier = done[row].places if row in done else []
            wanted = [each for each in _apart(places, earlier) if each.kind in placeholders]
            if wanted:
                done[row] = replaced(text, wanted, earlier, placeholders)
                changed.append(row)
        if not changed:
            break
        rows = changed
        texts = pa.array([done[row].text for row in rows], pa.large_binary()).cast(pa.large_string())
    return dict(sorted(done.items()))


def replaced(
    text: bytes, found: Sequence[Found], earlier: Sequence[Found], placeholders: Mapping[str, bytes]
) -> Redacted:
    """`text` with placeholders for what is found; `earlier` ones stay, and none of them overlap."""
    every = [
        *((each, placeholders[each.kind]) for each in found),
        *((each, text[each.start : each.end]) for each in earlier),
    ]
    pieces: list[bytes] = []
    places: list[Found] = []
    end = size = 0
    for each, new in sorted(every, key=lambda pair: pair[0].start):
        start = size + each.start - end
        pieces += [text[end : each.start], new]
        places.append(each._replace(start=start, end=start + len(new)))
        end, size = each.end, start + len(new)
    return Redacted(b"".join([*pieces, text[end:]]), places)


def _found(texts: pa.Array, rows: Sequence[int], search: Search) -> Iterator[tuple[int, Redacted]]:
    """Texts in which something is found, by row, with the places in bytes."""
    passages = suspects(texts)
    binary = texts.cast(pa.large_binary())
    last, text = -1, b""
    places: list[Found] = []
    for document, start, end, marks in zip(*(column.tolist() for column in passages), strict=True):
        if document != last:
            if places:
                yield rows[last], Redacted(text, places)
            last, text, places = document, binary[document].as_py(), []
        passage = text[start:end].decode()
        places += _in_bytes(search(passage, marks, rows[document]), passage, start)
    if places:
        yield rows[last], Redacted(text, places)


def _in_bytes(found: Sequence[Found], passage: str, begin: int) -> Iterator[Found]:
    """Places in characters of a passage as places in bytes of its text."""
    at = 0
    for each in found:
        start = begin + len(passage[at : each.start].encode())
        begin = start + len(passage[each.start : each.end].encode())
        at = each.end
        yield each._replace(start=start, end=begin)


def _apart(places: Sequence[Found], earlier: Sequence[Found]) -> Iterator[Found]:
    """Those that touch none of the earlier ones, which are in order."""
    starts = [each.start for each in earlier]
    for place in places:
        at = bisect_left(starts, place.end) - 1
        if at < 0 or earlier[at].end <= place.start:
            yield place
