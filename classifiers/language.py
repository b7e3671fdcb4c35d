"""Which language a text is in: its script says which languages it can be, lid.176 chooses among these.

One language is written in most scripts: then nobody is asked. What lid.176 reads is words of the text's own
script, in lower case where a text is mostly in capitals. A text is read in windows, and mixed if a good part
of them is in one other language.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers import writing
from classifiers.curve import Floats
from classifiers.kernel import lean
from classifiers.lid import DIMENSIONS, Lid, Sums, add_word, model
from classifiers.scripts import COLUMN_BITS, LONG, SCRIPTS, UPPER, WIRED, count_letters, script_table
from classifiers.windows import Windows, cut
from classifiers.words import character_table, decode, locate
from classifiers.writing import Choices, Systems

LANGUAGES = writing.LANGUAGES
UNDETERMINED = writing.UNDETERMINED
DECIMALS = 4  # of a score

CAPITALS = 0.5  # share of capitals among letters from which a text is read in lower case
ENOUGH = (
    48  # twice the letters of an alphabet that a window must have to be in another language than the text
)
SURE = 0.5  # least probability of the other language in such a window
UNLIKE = 0.1  # most probability of the text's language there
MIXED = 0.25  # share of letters in such windows, all in one language, from which a text is mixed
MOSTLY = 0.5  # share from which this is the text's language; its score is the share then

Indices = NDArray[np.int64]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]

_NOT_READ = -1
_WHITE = np.uint8(0x20)
_BEGIN, _END = np.uint8(0x3C), np.uint8(0x3E)  # how lid.176 marks a word
_CODE_POINT = np.uint32(0xFFFFFF)


class Languages(NamedTuple):
    """What each text is in."""

    codes: list[str]  # of `LANGUAGES`, or "und"
    scores: Scores  # its probability among the languages of the script, in [0, 1]
    second_codes: list[str | None]  # the next likeliest, or the other language of a mixed text
    second_scores: Scores  # its probability, or the share of letters that are in it; 0 for none
    scripts: list[str | None]  # that of most letters in ISO 15924, such as Latn, Jpan, Hans; None for none
    mixed: Mask  # a quarter or more of the letters is in one other language


class _Tables(NamedTuple):
    """What tells words of a writing system from others, and small letters from capitals."""

    scripts: NDArray[np.uint8]
    characters: NDArray[np.uint32]
    members: NDArray[np.bool_]
    wired: NDArray[np.bool_]
    word: NDArray[np.uint8]  # room for the one that is read


def detect(texts: pa.Array | pa.ChunkedArray) -> Languages:
    """The languages of `string` or `large_string` texts; one without letters (or null) is ("und", 0)."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    chunks = [chunk for chunk in chunks if len(chunk)] or [pa.array([""])]
    columns: Any = zip(*(_detect(*locate(chunk)) for chunk in chunks), strict=True)
    joined: Any = (np.concatenate(column)[: len(texts)] for column in columns)
    codes, scores, second_codes, second_scores, scripts, mixed = joined
    return Languages(codes.tolist(), scores, second_codes.tolist(), second_scores, scripts.tolist(), mixed)


def _detect(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Any, ...]:
    """The fields of `Languages`, as arrays, for the texts `data[begins[t] : ends[t]]`."""
    windows, able = cut(data, begins, ends), _choices()
    firsts, text = windows.offsets[:-1], np.repeat(np.arange(len(begins)), np.diff(windows.offsets))
    counts = count_letters(data, windows.begins, windows.ends)
    total, weights = np.add.reduceat(counts, firsts), writing.weigh(counts)
    parts, whole = writing.of_parts(weights, counts, windows.offsets)
    shouted: Mask = np.greater(total[:, UPPER], CAPITALS * total[:, : len(SCRIPTS)].sum(axis=1))

    sums = _read(data, windows, parts, shouted[text], able)
    same: Mask = np.any(able.allowed[parts] & able.allowed[whole[text]], axis=1)
    found = _probabilities(np.add.reduceat(sums * same[:, None], firsts), whole, able)
    lettered = np.add.reduceat(weights, firsts).any(axis=1)
    found[~lettered] = 0
    expected = np.where(found.any(axis=1), found.argmax(axis=1), able.codes.index(UNDETERMINED))
    shares = _shares(_probabilities(sums, parts, able), expected, weights.sum(axis=1), text)
    first, score, second, second_score = _ranked(found, expected, shares)

    codes: NDArray[np.object_] = np.array([*able.codes, None], object)
    second[second_score == 0] = len(able.codes)
    names = writing.script_names(whole, total, codes[first])
    names[~lettered] = None
    share = shares.max(axis=1)
    mixed = (share >= MIXED) & (share <= 1 - MIXED)
    return codes[first], score, codes[second], second_score, names, mixed


def _ranked(found: Floats, likeliest: Indices, shares: Floats) -> tuple[Indices, Scores, Indices, Scores]:
    """The first and second language of each text, and their scores."""
    other, share = _best(shares)
    mostly, rows = share > MOSTLY, np.arange(len(found))
    found[mostly] = 0
    found[rows[mostly], likeliest[mostly]] = 1 - share[mostly]
    found = np.maximum(found, shares)
    first = np.where(mostly, other, likeliest)
    score = found[rows, first]
    found[rows, first] = 0
    second, second_score = _best(found)
    return first, _rounded(score), second, _rounded(second_score)


def _rounded(scores: Floats) -> Scores:
    return np.minimum(np.round(scores, DECIMALS), 1).astype(np.float32)


@cache
def _choices() -> Choices:
    return writing.choices(model().labels)


def _probabilities(sums: Sums, systems: Systems, able: Choices) -> Floats:
    """Row: what was read of a text in this system. Column: the probability of each language."""
    found = able.allowed[systems].astype(np.float64)
    several = np.flatnonzero(able.allowed.sum(axis=1)[systems] > 1)
    labels = len(model().labels)
    found[several, :labels] = model().probabilities(sums[several], able.allowed[systems[several], :labels])
    return found


def _best(found: Floats) -> tuple[Indices, Floats]:
    """The column of the greatest value of each row, and the value."""
    column = found.argmax(axis=1)
    return column, found[np.arange(len(found)), column]


def _shares(spoken: Floats, expected: Indices, letters: Indices, text: Indices) -> Floats:
    """Row: text. Column: language. The share of letters that are in it for sure, and not in the one expected.

    `spoken` and `letters` have a row for each window, the probabilities of languages and the weight of the
    letters; `text` says which text each window is of.
    """
    language, score = _best(spoken)
    own = spoken[np.arange(len(text)), expected[text]]
    other = (letters >= ENOUGH) & (score >= SURE) & (own <= UNLIKE)
    shares = np.zeros((len(expected), spoken.shape[1]))
    np.add.at(shares, (text[other], language[other]), letters[other])
    return shares / np.maximum(np.bincount(text, letters), 1)[:, None]


def _read(
    data: NDArray[np.uint8], windows: Windows, parts: Systems, shouted: NDArray[np.bool_], able: Choices
) -> Sums:
    """Sums of what lid.176 knows of the words in each window, where its system leaves a choice."""
    sums = np.zeros((len(parts), DIMENSIONS + 1), np.int32)
    systems = np.where(able.allowed.sum(axis=1)[parts] > 1, parts, _NOT_READ)
    longest = int((windows.ends - windows.begins).max())
    word = np.full(2 * longest + 2, _BEGIN, np.uint8)  # small letters of one may take a byte more
    tables = _Tables(script_table(), character_table(), able.members, WIRED, word)
    _read_windows(data, windows, (systems, shouted), tables, model().lid, sums)
    return sums


@lean
def _read_windows(
    data: NDArray[np.uint8],
    windows: Windows,
    ways: tuple[Systems, NDArray[np.bool_]],
    tables: _Tables,
    lid: Lid,
    sums: Sums,
) -> None:
    systems, shouted = ways
    for window in range(len(systems)):
        if systems[window] == _NOT_READ:
            continue
        at, end = windows.begins[window], windows.ends[window]
        while at < end:
            at, size, counts = _next_word(data, (at, end), systems[window], shouted[window], tables)
            if counts:
                tables.word[size] = _END
                add_word(tables.word, size + 1, lid, sums, window)


@lean
def _next_word(
    data: NDArray[np.uint8],
    span: tuple[int, int],
    system: int,
    shouted: bool,
    tables: _Tables,
) -> tuple[int, int, bool]:
    """Copy what is before the next blank: (where to go on, its end, is it one of the system)."""
    at, end = span
    size, lettered, ascii_, marked = 1, False, True, False
    while at < end:
        byte = data[at]
        if byte <= _WHITE:
            at += 1
            break
        code, width = int(np.int64(byte)), 1
        if byte < 0x80:
            marked |= tables.wired[byte]
        else:
            code, width = decode(data, at, end)
            ascii_ = False
        lettered |= tables.members[system, tables.scripts[code] & COLUMN_BITS]
        if shouted:
            size = _encode(int(np.int64(tables.characters[code] & _CODE_POINT)), tables.word, size)
        else:
            for k in range(width):
                tables.word[size + k] = data[at + k]
            size += width
        at += width
    return at, size, lettered and not (ascii_ and marked and size > LONG)


@lean
def _encode(code: int, into: NDArray[np.uint8], at: int) -> int:
    """Write a code point as UTF-8 and return where it ends."""
    if code < 0x80:
        into[at] = code
        return at + 1
    width = 2 if code < 0x800 else (3 if code < 0x10000 else 4)
    for k in range(width - 1, 0, -1):
        into[at + k] = 0x80 | (code & 0x3F)
        code >>= 6
    into[at] = ((0xF00 >> width) & 0xFF) | code
    return at + width
