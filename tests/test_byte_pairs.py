"""Merges are those of a plain twin, and of the trainer of `tokenizers`, whatever the order of the pieces."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripts import SENTENCES
from tokenizers import models, pre_tokenizers, trainers

from stages.byte_pairs import LETTERS, Limits, learn

Merge = tuple[int, int, int, int]  # left, right, token, count


def merges(pieces: Mapping[bytes, int], limits: Limits) -> list[Merge]:
    offsets = np.cumsum([0, *map(len, pieces)])
    data = np.frombuffer(b"".join(pieces), np.uint8)
    found = learn(data, offsets, np.array(list(pieces.values()), np.int64), limits)
    return list(zip(*found.pairs.T.tolist(), found.tokens.tolist(), found.counts.tolist(), strict=True))


def twin(pieces: Mapping[bytes, int], limits: Limits) -> list[Merge]:
    """Counts every pair anew for every merge."""
    words = [(list(piece), count) for piece, count in pieces.items()]
    spelled = {byte: bytes([byte]) for byte in range(256)}
    made: list[Merge] = []
    new = limits.first
    while new < limits.tokens:
        totals: Counter[tuple[int, int]] = Counter()
        for word, count in words:
            for left, right in pairwise(word):
                if sum(LETTERS[list(spelled[left] + spelled[right])]) <= limits.longest:
                    totals[left, right] += count
        often = [(-total, pair) for pair, total in totals.items() if total >= limits.least]
        if not often:
            break
        total, (left, right) = min(often)
        bytes_of = spelled[left] + spelled[right]
        token = next((known for known, word in spelled.items() if word == bytes_of), new)
        spelled[token] = bytes_of
        new += token == new
        made.append((left, right, token, -total))
        for word, _ in words:
            at = 0
            while at + 1 < len(word):
                if word[at : at + 2] == [left, right]:
                    word[at : at + 2] = [token]
                at += 1
    return made


PIECES = st.dictionaries(
    st.text("ab中文é", min_size=1, max_size=12).map(str.encode), st.integers(1, 5), max_size=12
)


@given(PIECES, st.integers(256, 300), st.integers(1, 4), st.sampled_from([3, 4, 6, 1000]))
@example({b"aaaaaaa": 1, b"aaaa": 2, b"abababa": 1}, 290, 1, 1000)
@example({}, 300, 1, 1000)
@settings(max_examples=150, deadline=None)
def test_merges_are_those_of_the_twin(pieces, tokens, least, longest):
    limits = Limits(tokens, least, longest)
    assert merges(pieces, limits) == twin(pieces, limits)


def counted() -> dict[bytes, int]:
    """Pieces of many scripts, some long."""
    rng = random.Random(3)
    found: Counter[bytes] = Counter()
    for sentence in SENTENCES.values():
        for _ in range(300):
            start = rng.randrange(len(sentence))
            found[sentence[start : start + rng.randint(1, 9)].encode()] += rng.randint(1, 20)
    return dict(found)


def test_the_order_of_the_pieces_makes_no_difference():
    pieces = list(counted().items())
    want = merges(dict(pieces), Limits(900))
    random.Random(4).shuffle(pieces)
    assert merges(dict(pieces), Limits(900)) == want
    assert merges(dict(pieces), Limits(500)) == want[: len(merges(dict(pieces), Limits(500)))]


def test_merges_are_those_of_tokenizers():
    """Its ids of bytes are in another order, which decides between pairs that are equally frequent."""
    own = tokenizers.Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "removed"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), key=ord)
    pieces = counted()
    texts = "\n".join(piece.decode() for piece, count in pieces.items() for _ in range(count))
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        min_frequency=3,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    own.train_from_iterator([texts], trainer)
    body = json.loads(own.to_str())["model"]
    want = [tuple(body["vocab"][part] for part in pair) for pair in body["merges"]]

    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letter = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    rank = bytes(alphabet.index(letter[byte]) for byte in range(256))
    limits = Limits(800, 3, first=256)
    ranked = {piece.translate(rank): count for piece, count in pieces.items()}
    assert [merge[:2] for merge in merges(ranked, limits)] == want
    assert len(want) > 100
