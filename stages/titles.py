"""How much each block has in common with the title of its page."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import TEXT, TEXT_END, Page
from stages.measures import WORDS, Measures
from stages.scan import Bytes
from stages.surroundings import Floats

Hashes = NDArray[np.uint32]

TITLED = ["title_precision", "title_recall", "blocks_from_named"]
_MOST = 64  # words of a title that count
_LONGEST = 400  # tenths of words of a block that may be a title
_FAR = 40  # blocks: beyond, all distances are the same
_NONE = 99  # no block is like the title


class Title(NamedTuple):
    """Room for the words of a page's <title>, by hash, and of a block."""

    words: Hashes
    seen: Bytes  # which of them a block has
    block: Hashes


def room_for(page: Page) -> Title:
    """For the words of this page's title."""
    most = min(page.title.size // 2 + 1, _MOST)
    return Title(np.empty(most, np.uint32), np.empty(most, np.uint8), np.empty(_LONGEST + 1, np.uint32))


@lean
def titled(page: Page, measures: Measures, title: Title, out: Floats) -> None:
    """What each block shares with the title, and how far behind the first that is like it: [blocks, 3]."""
    size = _words(page.title, 0, page.title.size, title.words)
    if size == 0:
        return
    present = np.uint64(0)  # a bit for each word, by hash: most words of a page are not in its title
    for place in range(size):
        present |= np.uint64(1) << np.uint64(title.words[place] & 63)
    first = -1
    for block in range(len(page.blocks)):
        if measures[block, WORDS] <= _LONGEST:
            count = _words(page.text, page.blocks[block, TEXT], page.blocks[block, TEXT_END], title.block)
            hits, covered = _common(title, size, count, present)
            out[block, 0], out[block, 1] = hits / max(count, 1), covered / size
            if first < 0 < block and 5 * hits > 4 * count and 2 * covered > size:
                first = block
        out[block, 2] = min(block - first, _FAR) if first >= 0 else -_NONE


@lean
def _common(title: Title, size: int, count: int, present: np.uint64) -> tuple[int, int]:
    """(words of the block that are in the title, words of the title that are in the block)."""
    for place in range(size):
        title.seen[place] = 0
    hits = covered = 0
    for word in range(count):
        value = title.block[word]
        if present >> np.uint64(value & 63) & np.uint64(1):
            hit = 0
            for place in range(size):
                if title.words[place] == value:
                    covered += 1 - title.seen[place]
                    title.seen[place] = hit = 1
            hits += hit
    return hits, covered


@lean
def _words(text: Bytes, at: int, end: int, out: Hashes) -> int:
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
