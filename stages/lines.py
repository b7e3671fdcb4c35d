"""The lines of texts, and what can be counted in them: a kernel over Arrow's bytes, no Python string."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classifiers.kernel import lean
from classifiers.words import Words, decode, finalize, locate, words
from stages.scan import block_at, find, inner_bytes
from stages.shape import IDEOGRAPH, letters_of, script_of

STOPS = (  # marks that end sentences: Unicode's Sentence_Terminal below U+10000, Tibetan's, and '…'
    ".!?…‼⁇⁈⁉‽؟؝؞۔।॥։።፧፨།༎။၊។៕៖៙៚᙮。！？．｡﹒﹗﹖⸮⸼܀܁܂߹࠷࠹࠽࠾᜵᜶᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᰻᰼᱾᱿꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫"
)
QUOTES = "\"'”’“»«›」』】"
CLOSERS = QUOTES + ")]）］〉》"  # may stand between the end of a sentence and the space after it
BULLETS = "•‣◦▪▫●○■□▸▹►▻⁃∙・·-*"
_STOP, _QUOTE, _CLOSER, _BULLET = 1, 2, 4, 8
_MARKS = np.zeros(0x10000, np.uint8)
for _signs, _flag in ((STOPS, _STOP), (QUOTES, _QUOTE), (CLOSERS, _CLOSER), (BULLETS, _BULLET)):
    _MARKS[[ord(sign) for sign in _signs]] |= np.uint8(_flag)

DROPPED = (  # C4 drops lines with these
    *("javascript", "terms of use", "privacy policy", "cookie policy"),
    *("uses cookies", "use of cookies", "use cookies"),
)

# Bytes that cannot begin a sentence's end, a terminal mark or a SOUTHERN letter, as far as one byte tells.
_PASS = np.ones(256, np.bool_)
_PASS[[sign.encode()[0] for sign in STOPS]] = False
_PASS[[chr(code).encode()[0] for code in (0x0E00, 0x1000, 0xA9E0)]] = False
_DOTS, _ELLIPSIS = (46, 46, 46), (0xE2, 0x80, 0xA6)
_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)


class Lines(NamedTuple):
    """The lines of a batch of texts that are not blank, without the blanks around them."""

    starts: NDArray[np.int32]  # byte where a line begins in its document's text
    ends: NDArray[np.int32]  # byte where it ends
    characters: NDArray[np.int32]  # in it
    hashes: NDArray[np.uint64]  # of its bytes
    opens: NDArray[np.bool_]  # whether a paragraph begins: the first line, and the first after a blank line
    offsets: NDArray[np.int64]  # document d owns lines offsets[d]:offsets[d + 1]


class LineCounts(NamedTuple):
    """What is counted in each document, one row a document."""

    bullets: NDArray[np.int32]  # lines that begin with a bullet
    trailing: NDArray[np.int32]  # lines that end with an ellipsis
    punctuated: NDArray[np.int32]  # lines that end as sentences do, or with a quotation mark
    short: NDArray[np.int32]  # lines of few letters
    breaks: NDArray[np.int32]  # line feeds
    hashes: NDArray[np.int32]  # '#'
    ellipses: NDArray[np.int32]  # runs of three full stops or more, runs of '…'
    curly: NDArray[np.int32]  # '{' and '}'
    sentences: NDArray[np.int32]  # in the lines that C4 retains
    placeholders: NDArray[np.int32]  # times that a phrase of place holder text stands in it


class Phrases(NamedTuple):
    """Word sequences to look for, as hashes."""

    words: NDArray[np.uint64]  # row: a phrase, as many words as the longest has
    lengths: NDArray[np.int64]  # words in it
    first: np.uint64  # bit h % 64 for the hash h of each first word
    voids: NDArray[np.bool_]  # whether C4 drops the line; else it counts against the document


class Limits(NamedTuple):
    """What is short."""

    line_letters: int  # a line of so many letters or fewer is short
    line_words: int  # C4 drops lines of fewer words


def lines(texts: pa.Array) -> Lines:
    r"""The lines of `string` or `large_string` texts; only \n ends a line (`stages/text.py` makes it so)."""
    data, begins, ends = locate(texts)
    room = int(((ends - begins + 1) // 2).sum())  # a line takes a byte and its end; see words()
    found = Lines(
        starts=np.empty(room, np.int32),
        ends=np.empty(room, np.int32),
        characters=np.empty(room, np.int32),
        hashes=np.empty(room, np.uint64),
        opens=np.empty(room, np.bool_),
        offsets=np.zeros(len(begins) + 1, np.int64),
    )
    _lines(data, begins, ends, found)
    count = int(found.offsets[-1])
    return Lines(
        found.starts[:count],
        found.ends[:count],
        found.characters[:count],
        found.hashes[:count],
        found.opens[:count],
        found.offsets,
    )


def phrases_of(*phrases: str) -> Phrases:
    """Phrases that void a line, in any case and whatever stands between their words."""
    found = words(pa.array(phrases, pa.string()))
    lengths = np.diff(found.offsets)
    hashes = np.zeros((len(lengths), int(lengths.max(initial=1))), np.uint64)
    for row, length in enumerate(lengths):
        hashes[row, :length] = found.hashes[found.offsets[row] : found.offsets[row + 1]]
    first = np.bitwise_or.reduce(np.uint64(1) << (hashes[:, 0] & np.uint64(63)), initial=np.uint64(0))
    return Phrases(hashes, lengths, first, np.ones(len(lengths), np.bool_))


def count_in_lines(
    texts: pa.Array, found: Words, weights: NDArray[np.uint8], rows: Lines, phrases: Phrases, limits: Limits
) -> LineCounts:
    """Count all that a LineCounts holds; `weights` are those of the words, in sixteenths."""
    counts = LineCounts(*(np.zeros(len(texts), np.int32) for _ in LineCounts._fields))
    located = locate(texts)
    _count_signs(located, counts)
    _count_lines(located[0], located[1], rows, limits, counts)
    _count_sentences(located[:2], found, (weights, rows), (phrases, limits.line_words), counts)
    return counts


@lean
def _is_blank(byte: np.uint8) -> bool:
    return bool(byte in (9, 13, 32))


@lean
def _lines(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], rows: Lines) -> None:
    row = 0
    for document in range(len(begins)):
        text = data[begins[document] : ends[document]]
        opens, at = True, 0
        while at < len(text):
            stop = find(text, at, 10)
            first, last = at, stop
            while first < last and _is_blank(text[first]):
                first += 1
            while last > first and _is_blank(text[last - 1]):
                last -= 1
            if last > first:
                rows.hashes[row], inner = _digest(text, first, last)
                rows.starts[row], rows.ends[row] = first, last
                rows.characters[row], rows.opens[row] = last - first - inner, opens
                row += 1
            opens = last == first
            at = stop + 1
        rows.offsets[document + 1] = row


@lean
def _digest(text: NDArray[np.uint8], at: int, end: int) -> tuple[np.uint64, int]:
    """A hash of some bytes, and how many of them do not begin a character."""
    state, inner = np.uint64(end - at), 0
    while at < end:
        block = block_at(text, at, end)
        state ^= block
        state = (state ^ (state >> np.uint64(32))) * _MULTIPLIER
        inner += inner_bytes(block)
        at += 8
    return finalize(state), inner


@lean
def _count_signs(
    located: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], counts: LineCounts
) -> None:
    """What can be counted without knowing lines or words."""
    data, begins, ends = located
    for document in range(len(begins)):
        text = data[begins[document] : ends[document]]
        breaks = hashes = curly = 0
        for byte in text:
            breaks += byte == 10
            hashes += byte == 35
            curly += (byte == 123) | (byte == 125)
        counts.breaks[document], counts.hashes[document] = breaks, hashes
        # A run of n dots has n - 2 times three of them, and n - 3 times four; a run of n signs is alike.
        dots = _times(text, _DOTS) - _times(text, _DOTS + _DOTS[:1])
        signs = _times(text, _ELLIPSIS) - _times(text, _ELLIPSIS + _ELLIPSIS)
        counts.curly[document], counts.ellipses[document] = curly, dots + signs


@lean
def _times(text: NDArray[np.uint8], sign: tuple[int, ...]) -> int:
    """How often some bytes stand in a text; they may overlap."""
    times = 0
    for at in range(len(text) - len(sign) + 1):
        same = True
        for k in range(len(sign)):
            same &= text[at + k] == sign[k]
        times += same
    return times


@lean
def _last(data: NDArray[np.uint8], first: int, stop: int) -> int:
    """Where the last character before `stop` begins."""
    at = stop - 1
    while at > first and (data[at] & np.uint8(0xC0)) == np.uint8(0x80):
        at -= 1
    return at


@lean
def _mark(code: int) -> np.uint8:
    return _MARKS[code] if code < 0x10000 else np.uint8(0)


@lean
def trails_off(data: NDArray[np.uint8], first: int, stop: int) -> bool:
    """Whether a line ends with an ellipsis."""
    if stop - first < 3:
        return False
    a, b, c = data[stop - 3], data[stop - 2], data[stop - 1]
    return bool((a == 46 and b == 46 and c == 46) or (a == 0xE2 and b == 0x80 and c == 0xA6))


@lean
def is_punctuated(data: NDArray[np.uint8], first: int, stop: int) -> bool:
    """Whether a line ends in a terminal mark, be it within brackets, or in a quotation mark."""
    end = stop
    code, _ = decode(data, _last(data, first, end), end)
    while end > first and _mark(code) & _CLOSER and not _mark(code) & _QUOTE:
        end = _last(data, first, end)
        code, _ = decode(data, _last(data, first, end), end) if end > first else (0, 1)
    return bool(_mark(code) & (_STOP | _QUOTE))


@lean
def ends_well(data: NDArray[np.uint8], first: int, stop: int) -> bool:
    """Whether C4 retains a line for its end: punctuated, no ellipsis; any in a script that ends its sentences
    with blanks."""
    if trails_off(data, first, stop):
        return False
    code, _ = decode(data, _last(data, first, stop), stop)
    return is_punctuated(data, first, stop) or script_of(code) > IDEOGRAPH


@lean
def _count_lines(
    data: NDArray[np.uint8], begins: NDArray[np.int64], rows: Lines, limits: Limits, counts: LineCounts
) -> None:
    for document in range(len(begins)):
        for row in range(rows.offsets[document], rows.offsets[document + 1]):
            first, stop = begins[document] + rows.starts[row], begins[document] + rows.ends[row]
            counts.trailing[document] += trails_off(data, first, stop)
            counts.punctuated[document] += is_punctuated(data, first, stop)
            code, width = decode(data, first, stop)
            if _mark(code) & _BULLET:
                # '-' and '*' are bullets before a blank alone
                counts.bullets[document] += code >= 0x80 or first + 1 == stop or data[first + 1] == 32
            letters, at = 0, first
            while at < stop and letters <= limits.line_letters:
                code, width = decode(data, at, stop)
                letters += letters_of(code)
                at += width
            counts.short[document] += letters <= limits.line_letters


@lean
def count_sentences(data: NDArray[np.uint8], first: int, stop: int) -> int:
    """Sentences in a line that has words.

    A sentence ends with a terminal mark and its closing brackets and quotation marks before a blank, or with
    a full-width mark; not before a small letter of ASCII. In Thai, Lao, Khmer and Burmese, a blank ends it.
    """
    sentences, at = 1, first
    ended, gap, southern = False, False, False  # southern: the last letter was of a script without marks
    while at < stop:
        if not (ended or southern):
            while at < stop and _PASS[data[at]]:
                at += 1
            if at == stop:
                break
        code, width = decode(data, at, stop)
        flags = _mark(code)
        if flags & _STOP:
            ended = True
            gap = code >= 0x3000
        elif code in (9, 32, 0xA0, 0x3000):
            gap = True
        elif not flags & _CLOSER:
            south = script_of(code) > IDEOGRAPH
            if gap and ((ended and not 97 <= code <= 122) or (southern and south)):
                sentences += 1
            ended, gap, southern = False, False, south
        at += width
    return sentences


@lean
def find_phrase(hashes: NDArray[np.uint64], word: int, stop: int, phrases: Phrases) -> int:
    """The phrase that begins at a word, or -1."""
    if not (phrases.first >> (hashes[word] & np.uint64(63))) & np.uint64(1):
        return -1
    for phrase in range(len(phrases.lengths)):
        if hashes[word] == phrases.words[phrase, 0] and word + phrases.lengths[phrase] <= stop:
            same = 1
            while same < phrases.lengths[phrase] and hashes[word + same] == phrases.words[phrase, same]:
                same += 1
            if same == phrases.lengths[phrase]:
                return phrase
    return -1


@lean
def _count_sentences(
    located: tuple[NDArray[np.uint8], NDArray[np.int64]],
    found: Words,
    weighed: tuple[NDArray[np.uint8], Lines],
    wanted: tuple[Phrases, int],
    counts: LineCounts,
) -> None:
    """Sentences in the lines that end as sentences do, have enough words and none of C4's phrases."""
    data, begins = located
    weights, rows = weighed
    phrases, least = wanted
    for document in range(len(begins)):
        begin = begins[document]
        unit, last = found.offsets[document], found.offsets[document + 1]
        for row in range(rows.offsets[document], rows.offsets[document + 1]):
            weight, clean, stop = 0, True, unit
            while stop < last and found.starts[stop] < rows.ends[row]:
                weight += weights[stop]
                stop += 1
            for word in range(unit, stop):
                phrase = find_phrase(found.hashes, word, stop, phrases)
                if phrase >= 0:
                    clean = clean and not phrases.voids[phrase]
                    counts.placeholders[document] += not phrases.voids[phrase]
            unit = stop
            start, end = begin + rows.starts[row], begin + rows.ends[row]
            if clean and weight >= 16 * least and ends_well(data, start, end):
                counts.sentences[document] += count_sentences(data, start, end)
