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
from pipeline.manifest import Identity
from pipeline.shards import read_batches
from stages.count_grams import COVERAGE, EXAMPLES
from stages.ngrams import Index, Sizes, index_of


class Known(NamedTuple):
    """The grams that must go."""

    index: Index
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
    told = np.empty(0, np.uint64)
    rare: list[NDArray[np.uint64]] = []
    whole: list[NDArray[np.bool_]] = []
    heads: list[NDArray[np.uint64]] = []
    pairs: list[tuple[NDArray[np.uint64], NDArray[np.int32]]] = []
    for part in grams.parts:
        seen = [told]
        for batch in part.batches(columns=["gram", "head", "whole", "documents", "benchmarks"]):
            gram = batch["gram"].to_numpy()
            wanted = (batch["documents"].to_numpy() <= max_documents) & ~np.isin(gram, told)
            rare.append(gram[wanted])
            whole.append(batch["whole"].to_numpy()[wanted])
            heads.append(batch["head"].to_numpy()[wanted])
            pairs.append(_pairs(batch, gram, names))
            seen.append(gram)
        told = np.concatenate(seen) if len(grams.folders) > 1 else told
    every = _joined(rare, np.uint64)
    order = np.argsort(every)
    index = index_of(every[order], _joined(whole, bool)[order], _joined(heads, np.uint64), sizes)
    return Known(index, names, *_owners(index.grams, pairs))


def max_documents_of(decontaminated: Dataset) -> int:
    """The most documents that may hold a gram which a dataset of `decontaminate` was cut by."""
    identities = [Identity.load(folder) for folder in decontaminated.folders]
    return max(int(each.parameters["max_documents"]) for each in identities if each)


def examples(grams: Dataset, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The examples of all datasets, in their order."""
    for part in grams.parts:
        yield from read_batches(f"{part.folders[0]}/{EXAMPLES}/grams.parquet", columns)


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
        at = np.searchsorted(grams, holders)
        there = at < len(grams)
        there[there] = grams[at[there]] == holders[there]
        places.append(at[there])
        owners.append(codes[there])
    place, owner = _joined(places, np.int64), _joined(owners, np.int32)
    order = np.lexsort((owner, place))
    return owner[order], np.searchsorted(place[order], np.arange(len(grams) + 1))


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays])


def _said(sizes: Sizes) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes._asdict().items())
