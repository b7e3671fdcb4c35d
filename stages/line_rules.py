"""Which lines of a text C4 retains, and the text without the others (Raffel et al. 2020, section 2.2)."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, locate
from stages.lines import Lines, Phrases, count_sentences, ends_well, find_phrase

KEPT, UNPUNCTUATED, SHORT, PHRASE = range(4)  # a line, or the first rule that it breaks
_CITATIONS = (b"edit]", b"citation needed]")
_EDIT, _NEEDED = (np.frombuffer(citation, np.uint8) for citation in _CITATIONS)


class Judged(NamedTuple):
    """What the rules say of a batch."""

    verdicts: NDArray[np.uint8]  # of each line
    cut: NDArray[np.int32]  # row: document; column: lines that were KEPT, UNPUNCTUATED, SHORT, PHRASE
    sentences: NDArray[np.int32]  # of each document, in the lines that are kept


def judge(
    texts: pa.Array,
    found: Words,
    weights: NDArray[np.uint8],
    rows: Lines,
    phrases: Phrases,
    rules: tuple[bool, int],
) -> Judged:
    """Judge each line; `rules`: whether it must end as sentences do, and how many words it must have."""
    verdicts = np.zeros(int(rows.offsets[-1]), np.uint8)
    judged = Judged(verdicts, np.zeros((len(texts), 4), np.int32), np.zeros(len(texts), np.int32))
    _judge(locate(texts)[:2], (found, weights), rows, phrases, rules, judged)
    return judged


def keep_lines(texts: pa.Array, rows: Lines, verdicts: NDArray[np.uint8]) -> pa.Array:
    """The texts of the lines that are kept; blank lines stay between those that they separate."""
    data, begins, ends = locate(texts)
    copied = np.empty(int((ends - begins).sum()), np.uint8)
    return _array(copied, _keep(data, begins, rows, verdicts, copied))


def without_citations(texts: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """The texts without '[12]', '[edit]' and '[citation needed]', and how many each had."""
    located = locate(texts)
    copied = np.empty(int((located[2] - located[1]).sum()), np.uint8)
    counts = np.zeros(len(texts), np.int32)
    return _array(copied, _uncite(located, copied, counts)), counts


def _array(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]])]
    return pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)


@kernel
def _judge(
    located: tuple[NDArray[np.uint8], NDArray[np.int64]],
    units: tuple[Words, NDArray[np.uint8]],
    rows: Lines,
    phrases: Phrases,
    rules: tuple[bool, int],
    judged: Judged,
) -> None:
    data, begins = located
    found, weights = units
    punctuated, least = rules
    for document in range(len(begins)):
        unit, last = found.offsets[document], found.offsets[document + 1]
        for row in range(rows.offsets[document], rows.offsets[document + 1]):
            first, weight = unit, 0
            while unit < last and found.starts[unit] < rows.ends[row]:
                weight += weights[unit]
                unit += 1
            start, end = begins[document] + rows.starts[row], begins[document] + rows.ends[row]
            verdict = KEPT
            if punctuated and not ends_well(data, start, end):
                verdict = UNPUNCTUATED
            elif weight < 16 * least:
                verdict = SHORT
            else:
                for word in range(first, unit):
                    if find_phrase(found.hashes, word, unit, phrases) >= 0:
                        verdict = PHRASE
                        break
            judged.verdicts[row] = verdict
            judged.cut[document, verdict] += 1
            if verdict == KEPT:
                judged.sentences[document] += count_sentences(data, start, end)


@kernel
def _keep(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    rows: Lines,
    verdicts: NDArray[np.uint8],
    copied: NDArray[np.uint8],
) -> NDArray[np.int64]:
    offsets = np.zeros(len(begins) + 1, np.int64)
    to = 0
    for document in range(len(begins)):
        empty, apart = True, False  # apart: a blank line stands between this line and the last one kept
        for row in range(rows.offsets[document], rows.offsets[document + 1]):
            apart = apart or rows.opens[row]
            if verdicts[row] != KEPT:
                continue
            start, end = begins[document] + rows.starts[row], begins[document] + rows.ends[row]
            while start > begins[document] and data[start - 1] != 10:  # the indentation
                start -= 1
            for _ in range(0 if empty else 1 + apart):
                copied[to] = 10
                to += 1
            copied[to : to + end - start] = data[start:end]
            to += end - start
            empty, apart = False, False
        offsets[document + 1] = to
    return offsets


@kernel
def _uncite(
    located: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    copied: NDArray[np.uint8],
    counts: NDArray[np.int32],
) -> NDArray[np.int64]:
    data, begins, ends = located
    offsets = np.zeros(len(begins) + 1, np.int64)
    to = 0
    for document in range(len(begins)):
        at, end = begins[document], ends[document]
        while at < end:
            width = _citation(data, at, end) if data[at] == 91 else 0
            if width:
                at += width
                counts[document] += 1
            else:
                copied[to] = data[at]
                to += 1
                at += 1
        offsets[document + 1] = to
    return offsets


@kernel
def _citation(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Bytes of the citation that a '[' begins, or 0."""
    stop = at + 1
    while stop < end and 48 <= data[stop] <= 57:
        stop += 1
    if at + 1 < stop < end and data[stop] == 93:
        return stop + 1 - at
    for known in (_EDIT, _NEEDED):
        stop = at + 1 + len(known)
        if stop <= end and (data[at + 1 : stop] == known).all():
            return stop - at
    return 0
