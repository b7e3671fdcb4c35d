"""fastText (Joulin et al. 2016) as another way to train a linear classifier of hashed counts.

fastText's classifier is the softmax of a linear function of the mean of its words' vectors. With two labels
that is one weight for each word: the difference of the two rows of the output, times the word's vector. So
the model that `fasttext` trains becomes a `Logistic` of normalization "mean", which a kernel scores in
integers; and its words are our buckets, in hexadecimal, so that it reads what the logistic regression reads.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from classifiers.curve import Floats
from classifiers.features import Features
from classifiers.kernel import kernel
from classifiers.training import Batches, Part
from classifiers.words import finalize

GOOD, OTHER, END = "__label__good", "__label__other", "</s>"
_READINGS = 100_000  # of documents: about what the usual rate needs
_MOST_COPIES = 100  # of a document that weighs more than another
_IN_MEMORY = 1 << 26  # bytes of lines that are put into order at a time


class Settings(NamedTuple):
    """How to train."""

    bits: int = 18  # 2^bits buckets
    dimensions: int = 16  # of a bucket's vector
    epochs: int = 0  # 0: see `passes`
    rate: float = 0.1


def train(batches: Batches, everything: Part, settings: Settings, keys: NDArray[np.uint64]) -> Floats:
    """The weight of each bucket, and that of the end of a line, by one thread; `keys` are the texts' hashes.

    The documents are written to a file in an order that depends on their keys alone; one that is more
    important than others is there several times.
    """
    import fasttext

    repeats = copies(everything.importance, keys)
    with TemporaryDirectory() as folder:
        lines, vectors = Path(folder, "lines.txt"), Path(folder, "vectors.txt")
        used = _write_lines(lines, _Lines(batches, everything.good, repeats, settings.bits, keys))
        _write_vectors(vectors, used, settings)
        try:
            model = fasttext.train_supervised(
                str(lines),
                dim=settings.dimensions,
                epoch=settings.epochs or passes(repeats),
                lr=settings.rate,
                bucket=0,
                thread=1,
                verbose=0,
                pretrainedVectors=str(vectors),
            )
        except RuntimeError as error:
            raise ValueError(f"fastText cannot learn from these documents ({error}); lower `rate`") from error
    return _weights(model, settings.bits)


def passes(repeats: NDArray[np.int64]) -> int:
    """How often the optimiser reads the documents: five times, or more if that is too little to learn."""
    return int(max(5, -(-_READINGS // repeats.sum())))


def copies(importance: Floats, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How often each document is written: one of 2.4 times the least importance twice, or, by chance, thrice.

    So that the copies of a side weigh together what its documents do.
    """
    times = np.minimum(importance / importance[importance > 0].min(), _MOST_COPIES)
    draws = _draws(_scattered(keys, np.full_like(keys, _MOST_COPIES)))
    found: NDArray[np.int64] = (np.floor(times) + (draws < times % 1)).astype(np.int64)
    return found


class _Lines(NamedTuple):
    """All that decides which lines fastText reads."""

    batches: Batches
    good: NDArray[np.bool_]
    repeats: NDArray[np.int64]  # how often each document is written
    bits: int
    keys: NDArray[np.uint64]

    def batches_of_lines(self, used: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.uint64], list[str]]]:
        """Places in the order, and lines; what buckets there are goes into `used`."""
        done = 0
        for batch in self.batches:
            rows = np.arange(done, done + len(batch.offsets) - 1)
            done += len(rows)
            repeated = np.repeat(np.arange(len(rows)), self.repeats[rows])
            number = np.arange(len(repeated)) - np.searchsorted(repeated, repeated)
            places = _scattered(self.keys[rows][repeated], number.astype(np.uint64))
            lines = _lines(batch, self.good[rows])
            used[batch.buckets[np.repeat(self.repeats[rows] > 0, np.diff(batch.offsets))]] = True
            yield places, [lines[row] for row in repeated.tolist()]


def _write_lines(path: Path, source: _Lines) -> NDArray[np.int64]:
    """Write the lines by their places: first to files by the upper bits, then each of these in order.

    Returns the buckets in use.
    """
    used = np.zeros(1 << source.bits, np.bool_)
    copied = max(1, round(source.repeats.mean()))
    size = 6 * copied * sum(int(batch.counts.sum()) for batch in source.batches)  # bytes, about
    shift = np.uint64(64 - max(1, (size // _IN_MEMORY).bit_length()))
    parts: dict[int, list[NDArray[np.uint64]]] = {}
    with ExitStack() as stack:
        files: dict[int, Any] = {}
        for places, lines in source.batches_of_lines(used):
            where = (places >> shift).astype(np.int64)
            for part in np.unique(where).tolist():
                if part not in files:
                    files[part] = stack.enter_context(path.with_suffix(f".{part}").open("w"))
                rows = np.flatnonzero(where == part)
                parts.setdefault(part, []).append(places[rows])
                files[part].writelines(lines[row] for row in rows.tolist())
    with path.open("w") as whole:
        for part in sorted(parts):
            some = path.with_suffix(f".{part}").read_text().splitlines(keepends=True)
            order = np.argsort(np.concatenate(parts[part]), kind="stable")
            whole.writelines(some[row] for row in order.tolist())
            path.with_suffix(f".{part}").unlink()
    return np.flatnonzero(used)


def _lines(batch: Features, good: NDArray[np.bool_]) -> list[str]:
    """A document each: its label, and the names of its buckets as often as they occur."""
    ends = np.concatenate([[0], np.cumsum(batch.counts)])[batch.offsets]
    names = _names(np.repeat(batch.buckets, batch.counts).astype(np.int64))
    terms = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names)
    labels = pc.if_else(pa.array(good), GOOD, OTHER)
    lines: list[str] = pc.binary_join_element_wise(labels, pc.binary_join(terms, " "), " ").to_pylist()
    return [f"{line}\n" for line in lines]


def _names(buckets: NDArray[np.int64]) -> pa.Array:
    distinct, at = np.unique(buckets, return_inverse=True)
    return pa.array([f"{bucket:x}" for bucket in distinct.tolist()], pa.string()).take(pa.array(at))


def _write_vectors(path: Path, used: NDArray[np.int64], settings: Settings) -> None:
    """First vectors, between -1/n and 1/n in n dimensions as fastText draws them, but for every bucket.

    The package leaves nine in ten of its own as they are found in memory when it has one thread.
    """
    words = [END, *_names(used).to_pylist()]
    place = np.arange(len(words) * settings.dimensions, dtype=np.uint64)
    draws = _draws(_scattered(place, np.zeros_like(place)))
    vectors = np.round((2 * draws - 1) / settings.dimensions, 4).reshape(len(words), -1)
    table = pa.table(
        [pa.array(words), *map(pa.array, vectors.T)], names=list(map(str, range(1 + settings.dimensions)))
    )
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with path.open("wb") as file:
        file.write(f"{len(words)} {settings.dimensions}\n".encode())
        pyarrow.csv.write_csv(table, file, options)


def _weights(model: Any, bits: int) -> Floats:
    """One weight for each word of the model, by its bucket; that of the end of a line is the last."""
    labels = model.get_labels()
    output = model.get_output_matrix().astype(np.float64)
    difference = output[labels.index(GOOD)] - output[labels.index(OTHER)]
    weights = np.zeros((1 << bits) + 1)
    found = model.get_input_matrix().astype(np.float64) @ difference
    words = model.get_words()
    places = [1 << bits if word == END else int(word, 16) for word in words]
    weights[places] = found[: len(words)]
    return weights


@kernel
def _scatter(keys: NDArray[np.uint64], numbers: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    for row in range(len(keys)):
        out[row] = finalize(finalize(keys[row] + np.uint64(0x9E3779B97F4A7C15)) + numbers[row])


def _scattered(keys: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of pairs of numbers."""
    out = np.empty(len(keys), np.uint64)
    _scatter(keys, numbers, out)
    return out


def _draws(hashes: NDArray[np.uint64]) -> Floats:
    """A number in [0, 1) for each hash."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
