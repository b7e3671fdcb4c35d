"""What a page is worth as UTF-8, found in one pass over its bytes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel

_HIGH = np.uint64(0x8080808080808080)


class Survey(NamedTuple):
    """What there is beyond ASCII when bytes are read as UTF-8."""

    characters: int  # of the whole text, with one U+FFFD for each error
    sequences: int  # characters of several bytes
    errors: int  # as Unicode counts them: one for the longest beginning of a character that breaks off
    stray: int  # bytes in these errors
    marks: int  # times that U+FFFD itself is written

    @property
    def replaced(self) -> float:
        """Share of U+FFFD among the characters."""
        return (self.errors + self.marks) / max(self.characters, 1)


def survey(data: bytes) -> Survey:
    """Read `data` as UTF-8, by the standard: no overlong forms, no surrogates, nothing above U+10FFFF."""
    return Survey(*_survey(np.frombuffer(data, np.uint8)))


@kernel
def _survey(data: NDArray[np.uint8]) -> tuple[int, int, int, int, int]:
    """The fields of a Survey."""
    characters = sequences = errors = stray = marks = at = 0
    while at < data.size:
        while at + 8 <= data.size:
            block = np.uint64(0)
            for lane in range(8):
                block |= np.uint64(data[np.uint64(at) + np.uint64(lane)]) << np.uint64(8 * lane)
            if block & _HIGH:
                break
            at += 8
            characters += 8
        first = _byte(data, at)
        if at < data.size:
            characters += 1
        if first < 0x80:
            at += 1
            continue
        needed, lowest, highest = _form(first)
        good = 0
        while good < needed and lowest <= _byte(data, at + good + 1) <= highest:
            good += 1
            lowest, highest = 0x80, 0xBF
        if needed and good == needed:
            sequences += 1
            marks += first == 0xEF and data[at + 1] == 0xBF and data[at + 2] == 0xBD
        else:
            errors += 1
            stray += 1 + good
        at += 1 + good
    return characters, sequences, errors, stray, marks


@kernel
def _byte(data: NDArray[np.uint8], at: int) -> np.int64:
    """The byte at a place; 0 behind the end."""
    return np.int64(data[at]) if at < data.size else np.int64(0)


@kernel
def _form(first: np.int64) -> tuple[int, int, int]:
    """(bytes that follow this one, least and greatest value of the next); none follow a bad one."""
    if 0xC2 <= first <= 0xDF:
        return 1, 0x80, 0xBF
    if 0xE0 <= first <= 0xEF:
        return 2, 0xA0 if first == 0xE0 else 0x80, 0x9F if first == 0xED else 0xBF
    if 0xF0 <= first <= 0xF4:
        return 3, 0x90 if first == 0xF0 else 0x80, 0x8F if first == 0xF4 else 0xBF
    return 0, 0x80, 0xBF
