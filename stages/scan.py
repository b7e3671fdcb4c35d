"""Looking through bytes quickly: eight at a time where one byte is wanted."""

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from classifiers.words import eight

Bytes = NDArray[np.uint8]

BLANK, UPPER, LOWER, DIGIT, HIGH = 1, 2, 4, 8, 16
WORD = UPPER | LOWER | DIGIT | HIGH
CLASSES = np.zeros(256, np.uint8)  # of bytes; in UTF-8 whatever is not ASCII counts as a letter
CLASSES[list(b" \t\n\f\r")] = BLANK
CLASSES[65:91], CLASSES[97:123], CLASSES[48:58], CLASSES[128:] = UPPER, LOWER, DIGIT, HIGH

_EVERY = np.uint64(0x0101010101010101)  # times a byte: that byte in all eight lanes
_HIGHEST = _EVERY * np.uint64(0x80)


@lean
def find(data: Bytes, at: int, byte: int | np.int64) -> int:
    """Where the next such byte is, from a place on; behind the end if there is none."""
    wanted = _EVERY * np.uint64(byte)
    while at + 8 <= data.size:
        other = eight(data, at) ^ wanted  # zero in the lanes of the byte
        found = (other - _EVERY) & ~other & _HIGHEST
        if found:
            below = ((found & (~found + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
            return at + int(np.int64(((below & _EVERY) * _EVERY) >> np.uint64(56)))
        at += 8
    while at < data.size and data[at] != byte:
        at += 1
    return at


@lean
def byte_at(data: Bytes, at: int) -> np.int64:
    """The byte at a place; 0 behind the end."""
    return np.int64(data[at]) if at < data.size else np.int64(0)


@lean
def skip_blanks(data: Bytes, at: int, classes: Bytes) -> int:
    """The next place that is no white space."""
    while at < data.size and classes[data[at]] & BLANK:
        at += 1
    return at


@lean
def block_at(data: Bytes, at: int, end: int) -> np.uint64:
    """The bytes from a place on, eight of them or as many as are left, as one number; zeros fill it up."""
    block = np.uint64(0)
    if at + 8 <= data.size:
        block = eight(data, at)
        if at + 8 > end:
            block &= (np.uint64(1) << np.uint64(8 * (end - at))) - np.uint64(1)
    else:
        for place in range(at, end):
            block |= np.uint64(data[place]) << np.uint64(8 * (place - at))
    return block


@lean
def inner_bytes(block: np.uint64) -> int:
    """How many of eight bytes are not the first of a character."""
    inner = (block >> np.uint64(7)) & ~(block >> np.uint64(6)) & _EVERY
    return int(np.int64((inner * _EVERY) >> np.uint64(56)))


@lean
def characters(data: Bytes, at: int, end: int) -> int:
    """How many characters begin between two places."""
    found = end - at
    while at < end:
        found -= inner_bytes(block_at(data, at, end))
        at += 8
    return found
