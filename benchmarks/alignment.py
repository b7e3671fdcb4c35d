"""Which blocks of a page are its gold text: what the extractor is trained on.

Gold text is what a person took out of the page, without a word on where it stood. Both are read as words; the
alignment that keeps the order of both and explains most of the gold, in runs as long as may be, says which
words of the page are gold. A block is positive if at least half of its words are. What stands elsewhere in
the page than in the gold text is found again by its runs of four words.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel

LARGEST = 400_000_000  # words of the page times words of the gold text: bytes of memory
_WORD = re.compile(r"\w+")
_NEW_RUN = np.float32(0.25)  # what a match is worth that continues none
_MATCH, _RUN, _UP = 1, 2, 4


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def labels(blocks: Sequence[str], gold: str) -> NDArray[np.float32] | None:
    """The share of each block's words that is gold; None for a page too long to align."""
    block_words, gold_words = [words(block) for block in blocks], words(gold)
    codes: dict[str, int] = {}
    page = np.array([codes.setdefault(word, len(codes)) for block in block_words for word in block], np.int32)
    wanted = np.array([codes.setdefault(word, len(codes)) for word in gold_words], np.int32)
    if len(page) * len(wanted) > LARGEST:
        return None
    matched = align(page, wanted, np.isin(np.arange(len(codes)), wanted))
    shares = np.zeros(len(blocks), np.float32)
    explained = np.zeros(len(gold_words) + 1, np.bool_)
    start = 0
    for number, block in enumerate(block_words):
        places = matched[start : start + len(block)]
        start += len(block)
        if block:
            shares[number] = np.mean(places >= 0)
            if 2 * shares[number] >= 1:
                explained[places[places >= 0]] = True
    _find_moved(block_words, gold_words, explained, shares)
    return shares


def _find_moved(
    blocks: Sequence[list[str]], gold: list[str], explained: NDArray[np.bool_], shares: NDArray[np.float32]
) -> None:
    """Blocks most of whose runs of four words are in the gold text where nothing explains it yet."""
    missing = Counter(
        tuple(gold[at : at + 4]) for at in range(len(gold) - 3) if not explained[at : at + 4].any()
    )
    for number, block in enumerate(blocks):
        if 2 * shares[number] >= 1 or len(block) < 5:
            continue
        runs = [tuple(block[at : at + 4]) for at in range(len(block) - 3)]
        if 10 * sum(missing[run] > 0 for run in runs) >= 7 * len(runs):
            shares[number] = 1
            missing.subtract({run: 1 for run in runs if missing[run] > 0})


@kernel
def align(page: NDArray[np.int32], gold: NDArray[np.int32], in_gold: NDArray[np.bool_]) -> NDArray[np.int32]:
    """For each word of the page, the word of the gold text that it is, or -1."""
    run = np.zeros(gold.size + 1, np.float32)  # the best value if the last words of both are a match
    best = np.zeros(gold.size + 1, np.float32)
    choices = np.zeros((page.size + 1, gold.size + 1), np.uint8)
    for i in range(1, page.size + 1):
        common = in_gold[page[i - 1]]
        run_before = best_before = left = np.float32(0)
        for j in range(1, gold.size + 1):
            value, choice = np.float32(0), 0
            if common and gold[j - 1] == page[i - 1]:
                value = best_before + _NEW_RUN
                if run_before > 0 and run_before + np.float32(1) >= value:
                    value, choice = run_before + np.float32(1), _RUN
            run_before, best_before = run[j], best[j]
            run[j] = value
            if value > 0 and value >= best_before and value >= left:
                left = value
                choice |= _MATCH
            elif best_before >= left:
                left = best_before
                choice |= _UP
            best[j] = left
            choices[i, j] = choice
    return _traced(choices)


@kernel
def _traced(choices: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The way back through the table of choices."""
    matched = np.full(choices.shape[0] - 1, -1, np.int32)
    i, j = choices.shape[0] - 1, choices.shape[1] - 1
    inside = False
    while i > 0 and j > 0:
        choice = choices[i, j]
        if inside or choice & _MATCH:
            matched[i - 1] = j - 1
            inside = (choice & _RUN) != 0
            i -= 1
            j -= 1
        elif choice & _UP:
            i -= 1
        else:
            j -= 1
    return matched
