"""How much each block has in common with the title of its page."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import TEXT, TEXT_END, Page
from stages.measures import WORDS, Measures
from stages.scan import Bytes

Floats = NDArray[np.float32]

TITLED = ["title_precision", "title_recall", "blocks_from_named"]
_LONGEST = 400  # tenths of words of a block that may be a title
_FAR = 999


class Title(NamedTuple):
    """The words of a page's <title>, by hash."""

    words: NDArray[np.uint32]
    seen: Bytes  # scratch


def titled(page: Page, measures: Measures) -> Floats:
    """What each block shares with the title, and how far behind the first that is like it: [blocks, 3]."""
    out = np.zeros((len(page.blocks), len(TITLED)), np.float32)
    words = np.zeros(page.title.size // 2 + 1, np.uint32)
    count = _words(page.title, 0, page.title.size, words)
    if count:
        buffer = np.zeros(_LONGEST + 1, np.uint32)
        _compare(page, measures, Title(words[:count], np.zeros(count, np.uint8)), buffer, out)
    return out


@lean
def _compare(page: Page, measures: Measures, title: Title, buffer: NDArray[np.uint32], out: Floats) -> None:
    first = -1
    for block in range(len(page.blocks)):
        if measures[block, WORDS] <= _LONGEST:
            count = _words(page.text, page.blocks[block, TEXT], page.blocks[block, TEXT_END], buffer)
            title.seen[:] = 0
            hits = 0
            for word in range(count):
                hit = 0
                for place in range(title.words.size):
                    if title.words[place] == buffer[word]:
                        title.seen[place] = hit = 1
                hits += hit
            covered = 0
            for place in range(title.words.size):
                covered += title.seen[place]
            out[block, 0] = hits / max(count, 1)
            out[block, 1] = covered / title.words.size
            if first < 0 < block and 5 * hits > 4 * count and 2 * covered > title.words.size:
                first = block
        out[block, 2] = block - first if first >= 0 else -_FAR


@lean
def _words(text: Bytes, at: int, end: int, out: NDArray[np.uint32]) -> int:
    """Fill in hashes of runs of letters and digits, ASCII capitals as small letters; returns their number."""
    count = 0
    while at < end and count < out.size:
        value = np.uint32(2166136261)
        start = at
        while at < end and _is_word(text[at]):
            byte = text[at] | np.uint8(32 if 65 <= text[at] <= 90 else 0)
            value = np.uint32((value ^ np.uint32(byte)) * np.uint32(16777619))
            at += 1
        if at > start:
            out[count] = value
            count += 1
        else:
            at += 1
    return count


@lean
def _is_word(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 128
