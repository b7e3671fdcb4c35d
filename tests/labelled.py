"""Texts of words drawn from two overlapping lists, counted, for tests of what learns to tell them apart."""

import numpy as np
import pyarrow as pa

from classifiers.features import Features, features, text_keys
from classifiers.terms import Reading, terms
from classifiers.words import words

GOOD = [
    "history of the ancient empire",
    "the theory of numbers",
    "帝国的历史与理论",
    "история древней империи",
]
BAD = ["buy cheap watches now", "click here to win now", "立即购买便宜手表", "купить дешёвые часы сейчас"]
BITS = 14


def texts(seed=1, documents=120):
    """An array of texts, and whether each is good."""
    draw = np.random.default_rng(seed)
    common = [f"w{i}" for i in range(60)]
    found, good = [], []
    for number in range(documents):
        own = [word for text in (GOOD if number % 2 else BAD) for word in text.split()]
        found.append(" ".join(draw.choice(own + common, size=draw.integers(5, 80))))
        good.append(number % 2 == 1)
    return pa.array(found), np.array(good)


def counted(found, bits=BITS):
    """Their counts, and the hashes of the texts."""
    split = words(found)
    return features(terms(found, split, Reading()), bits), text_keys(split)


def cut(counts, size):
    """The same in batches of `size` documents."""
    for first in range(0, len(counts.offsets) - 1, size):
        offsets = counts.offsets[first : first + size + 1]
        mine = slice(offsets[0], offsets[-1])
        yield Features(offsets - offsets[0], counts.buckets[mine], counts.counts[mine])


def matrix(counts, normalize, bits=BITS):
    """The counts as scikit-learn takes them."""
    from scipy.sparse import csr_array
    from sklearn.preprocessing import normalize as scaled

    shape = (len(counts.offsets) - 1, 1 << bits)
    found = csr_array((counts.counts.astype(float), counts.buckets, counts.offsets), shape=shape)
    return scaled(found) if normalize == "l2" else found
