"""What datasets of `count_grams` know, one or several, as it is looked for and reported."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError
from pipeline.shards import count_rows, read_batches
from stages.count_grams import COVERAGE, EXAMPLES, OCCURRENCES
from stages.ngrams import Index, Sizes, index_of
from stages.shared_text import Occurrences, is_among


class Known(NamedTuple):
    """The grams that must go."""

    grams: Index
    names: pa.Array  # of the benchmarks, sorted
    owners: NDArray[np.int32]  # positions in `names`, of one gram after another
    offsets: NDArray[np.int64]  # gram g of the index is of owners[offsets[g]:offsets[g + 1]]


def sizes_of(grams: Dataset) -> Sizes:
    """How long a gram is; RecipeError when the datasets do not agree."""
    told = [json.loads(part.side(COVERAGE)) for part in grams.parts]
    sizes = [Sizes(*(each[name] for name in Sizes._fields)) for each in told]
    for folder, each in zip(grams.folders, sizes, strict=True):
        if each != sizes[0]:
            raise RecipeError(
                f"{folder} counts grams of {_said(each)}, {grams.folders[0]} of {_said(sizes[0])}; make them "
                "with the same fields, or decontaminate in two runs"
            )
    return sizes[0]


def benchmarks_of(grams: Dataset) -> list[str]:
    """The names of all benchmarks, sorted."""
    return sorted({name for part in grams.parts for name in json.loads(part.side(COVERAGE))["benchmarks"]})


def known(grams: Dataset, max_documents: int) -> Known:
    """The grams that at most `max_documents` training documents hold.

    Where several datasets have a gram, the first one says how common it is, so that to add benchmarks later
    cuts more, and never less.
    """
    sizes, names = sizes_of(grams), pa.array(benchmarks_of(grams), pa.string())
    rare: list[NDArray[np.uint64]] = []
    whole: list[NDArray[np.bool_]] = []
    heads: list[NDArray[np.uint64]] = []
    pairs: list[tuple[NDArray[np.uint64], NDArray[np.int32]]] = []
    for batch, told in _batches(grams, ["gram", "head", "whole", "documents", "benchmarks"]):
        gram = batch["gram"].to_numpy()
        wanted = (batch["documents"].to_numpy() <= max_documents) & ~told
        rare.append(gram[wanted])
        whole.append(batch["whole"].to_numpy()[wanted])
        heads.append(batch["head"].to_numpy()[wanted])
        pairs.append(_pairs(batch, gram, names))
    every, alone = _joined(rare, np.uint64), _joined(whole, bool)
    if len(grams.folders) > 1:  # one is sorted as it is
        order = np.argsort(every)
        every, alone = every[order], alone[order]
    index = index_of(every, alone, _joined(heads, np.uint64), sizes)
    return Known(index, names, *_owners(every, pairs))


def common(grams: Dataset, max_documents: int) -> NDArray[np.uint64]:
    """The grams that more training documents hold, sorted."""
    found = [
        batch["gram"].to_numpy()[(batch["documents"].to_numpy() > max_documents) & ~told]
        for batch, told in _batches(grams, ["gram", "documents"])
    ]
    return np.sort(_joined(found, np.uint64))


def examples(grams: Dataset, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The examples of all datasets, in their order."""
    for part in grams.parts:
        yield from read_batches(f"{part.folders[0]}/{EXAMPLES}/grams.parquet", columns)


def occurrences(grams: Dataset) -> Iterator[Occurrences]:
    """Where grams are in the examples, in their order; the numbers of examples go on from part to part."""
    before = 0
    for part in grams.parts:
        for batch in read_batches(f"{part.folders[0]}/{OCCURRENCES}/grams.parquet"):
            example, first, last = (
                batch[name].to_numpy().astype(np.int64) for name in ("example", "first", "last")
            )
            yield Occurrences(batch["gram"].to_numpy(), example + before, first, last)
        before += count_rows(f"{part.folders[0]}/{EXAMPLES}/grams.parquet")


def _batches(grams: Dataset, columns: Sequence[str]) -> Iterator[tuple[pa.Table, NDArray[np.bool_]]]:
    """The rows of all datasets, and which of them an earlier one has told of."""
    earlier = np.empty(0, np.uint64)
    for part in grams.parts:
        seen = [earlier]
        for batch in part.batches(columns=columns):
            gram = batch["gram"].to_numpy()
            yield batch, is_among(gram, earlier)
            seen.append(gram)
        if part.folders != grams.folders[-1:]:
            earlier = np.unique(np.concatenate(seen))


def _pairs(
    batch: pa.Table, gram: NDArray[np.uint64], names: pa.Array
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """(gram, benchmark) of a batch."""
    lists = batch["benchmarks"]
    owners = pc.index_in(pc.list_flatten(lists), names).to_numpy()
    return np.repeat(gram, pc.list_value_length(lists).to_numpy()), owners.astype(np.int32)


def _owners(
    grams: NDArray[np.uint64], pairs: Sequence[tuple[NDArray[np.uint64], NDArray[np.int32]]]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The benchmarks of each of these sorted grams, one gram after another, and where those of each begin."""
    places, owners = [], []
    for holders, codes in pairs:
        there = is_among(holders, grams)
        places.append(np.searchsorted(grams, holders[there]).astype(np.int32))
        owners.append(codes[there])
    place, owner = _joined(places, np.int32), _joined(owners, np.int32)
    if (place[1:] < place[:-1]).any():  # of several datasets
        order = np.argsort(place, kind="stable")
        place, owner = place[order], owner[order]
    counts = np.bincount(place, minlength=len(grams))
    return owner, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays])


def _said(sizes: Sizes) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes._asdict().items())
