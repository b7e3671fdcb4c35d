"""What is read of a text to know its language: short windows, evenly from its beginning to its end.

The beginning of a page is often a menu or a banner, and a page may change its language half-way. A window is
measured in bytes, because a byte tells about as much in every script: a Han character has three, and is worth
about three letters.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel

MOST = 8  # windows of a text
BYTES = 192  # of a window
_TO_LINE = 80  # bytes within which a window begins at the next line
_TO_SPACE = 40  # or, if there is none, after the next space


class Windows(NamedTuple):
    """The windows of a batch of texts, one text after another; each text has one at least, maybe empty."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    offsets: NDArray[np.int64]  # text t owns windows offsets[t]:offsets[t + 1]


def cut(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Windows:
    """The windows of the texts `data[begins[t] : ends[t]]`; short texts are divided, long ones sampled."""
    counts = np.clip(-(-(ends - begins) // BYTES), 1, MOST)
    offsets = np.zeros(len(begins) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    windows = Windows(np.zeros(offsets[-1], np.int64), np.zeros(offsets[-1], np.int64), offsets)
    _cut(data, begins, ends, windows)
    return windows


@kernel
def _cut(
    data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], windows: Windows
) -> None:
    for text in range(len(begins)):
        begin, end = begins[text], ends[text]
        first, last = windows.offsets[text], windows.offsets[text + 1]
        start = begin
        for window in range(first, last):
            share = (end - begin) * (window + 1 - first) // (last - first)
            following = end if window + 1 == last else _fresh(data, begin + share, end)
            windows.begins[window] = start
            windows.ends[window] = min(following, _boundary(data, start + BYTES, end))
            start = following


@kernel
def _fresh(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Where a line begins near `at`, or else a word, or else a character."""
    for place in range(at, min(at + _TO_LINE, end)):
        if data[place] == 0x0A:
            return place + 1
    return _boundary(data, at, end)


@kernel
def _boundary(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Where a word begins near `at`, or else a character."""
    if at >= end:
        return end
    for place in range(at, min(at + _TO_SPACE, end)):
        if data[place] <= 0x20:
            return place + 1
    while at < end and data[at] & np.uint8(0xC0) == np.uint8(0x80):
        at += 1
    return at
