"""Many documents of real length, with near-copies of every similarity among them.

Made of given texts: in a variation, words have changed places with others as long (see variations.py), so
that no two variations are similar. Every tenth document is a near-copy of the one before it: edited, cut
off, longer, or with a passage in another order, as much as its Jaccard similarity, drawn from 0.5 to 1, asks.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.variations import NEAR_COPY, Text, shuffled

LEAST = 0.5
SHINGLE = 5

Order = NDArray[np.int64]  # which of a text's words stands at each place
Change = Callable[[Order, float, np.random.Generator], Order]


def documents(texts: Sequence[str], number: int) -> Iterator[str]:
    """So many variations and near-copies."""
    return islice(_documents([Text.of(text) for text in texts]), number)


def _documents(texts: Sequence[Text]) -> Iterator[str]:
    place = 0
    while True:
        variation, key = divmod(place - (near := place % NEAR_COPY == NEAR_COPY - 1), len(texts))
        order = shuffled(texts[key].lengths, np.arange(len(texts[key].lengths)), key, variation + 1)
        if near:
            draw = np.random.default_rng((1, place))
            change = CHANGES[place // NEAR_COPY % len(CHANGES)]
            order = change(order, draw.uniform(LEAST, 1), draw)
        yield _written(texts[key], order)
        place += 1


def edited(order: Order, similarity: float, draw: np.random.Generator) -> Order:
    """Words here and there are others: each costs the runs it stands in."""
    untouched = 2 * similarity / (1 + similarity)  # share of the runs
    other = draw.random(len(order)) > untouched ** (1 / SHINGLE)
    return np.where(other, draw.permutation(order), order)


def cut_off(order: Order, similarity: float, draw: np.random.Generator) -> Order:
    """The end is missing."""
    return order[: round(similarity * len(order))]


def longer(order: Order, similarity: float, draw: np.random.Generator) -> Order:
    """The same words in another order follow."""
    return np.concatenate([order, draw.permutation(order)[: round(len(order) / similarity) - len(order)]])


def reordered(order: Order, similarity: float, draw: np.random.Generator) -> Order:
    """A passage has its words in another order."""
    size = round(len(order) * (1 - similarity) / (1 + similarity))
    start = int(draw.integers(len(order) - size + 1))
    passage = draw.permutation(order[start : start + size])
    return np.concatenate([order[:start], passage, order[start + size :]])


CHANGES: tuple[Change, ...] = (edited, cut_off, longer, reordered)


def _written(text: Text, order: Order) -> str:
    """The words in this order, between them what stands between the text's own words."""
    words, gaps = text.pieces[1::2], text.pieces[::2]
    pieces = [gaps[0]]
    for place, word in enumerate(order.tolist()):
        pieces += [words[word], gaps[1 + place % len(words)]]
    return "".join(pieces)
