"""A dataset: a finished folder of Parquet shards, a ledger and a manifest; or several such, in order.

>>> Dataset("runs/gpt3/good").to_pandas()
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import shards, storage
from pipeline.errors import InputError, RecipeError
from pipeline.manifest import Manifest
from pipeline.schema import unify


class Dataset:
    """Shards by name, from one step's folder or from several in order of precedence.

    Raises InputError when a folder holds no finished step.
    """

    def __init__(self, *folders: str) -> None:
        self.folders = folders

    @staticmethod
    def unfinished(folder: str, manifest: Manifest) -> "Dataset":
        """What a step has made, all but its manifest, which is not written yet."""
        dataset = Dataset(folder)
        dataset.manifests = (manifest,)
        return dataset

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, self.folders

    def __repr__(self) -> str:
        return f"Dataset({', '.join(map(repr, self.folders))})"

    @property
    def parts(self) -> tuple["Dataset", ...]:
        """One dataset per folder, in order of precedence."""
        return (self,) if len(self.folders) == 1 else tuple(map(Dataset, self.folders))

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        """One per folder."""
        found = [(folder, Manifest.load(folder)) for folder in self.folders]
        for folder, manifest in found:
            if manifest is None:
                raise InputError(f"{folder} holds no finished step; run the recipe that makes it")
        return tuple(manifest for _, manifest in found if manifest is not None)

    @cached_property
    def shards(self) -> dict[str, str]:
        """Shard files by name, in order of the folders, then of the names; a name stays from step to step."""
        found: dict[str, str] = {}
        for folder, manifest in zip(self.folders, self.manifests, strict=True):
            for name in sorted(manifest.shards):
                if name in found:
                    raise RecipeError(
                        f"two inputs have a shard '{name}': {found[name]} and {folder}; they hold the same "
                        "documents twice, or two sources and files share a name: give one another `source`"
                    )
                if f"shards/{name}.parquet" not in manifest.shards[name]["written"]:
                    raise InputError(
                        f"{folder} holds no documents: its step says materialize = false, and they flowed on"
                    )
                found[name] = f"{folder}/shards/{name}.parquet"
        return found

    @cached_property
    def contents(self) -> dict[str, str]:
        """The digest of the documents of each shard, as its task recorded it."""
        records = {name: record for manifest in self.manifests for name, record in manifest.shards.items()}
        return {name: records[name].get("content", "") for name in self.shards}

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all folders together; every shard of a folder has the same ones."""
        first = [
            part_shards[0]
            for part_shards in (list(part.shards.values()) for part in self.parts)
            if part_shards
        ]
        return unify(map(shards.read_schema, first), " + ".join(self.folders))

    @cached_property
    def rows(self) -> dict[str, int]:
        """Rows of each shard."""
        return {name: shards.count_rows(path) for name, path in self.shards.items()}

    def batches(self, name: str | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Row groups of one shard, or of all of them in order, with the dataset's schema."""
        for path in self.shards.values() if name is None else [self.shards[name]]:
            yield from shards.read_batches(path, columns, self.schema)

    def take(self, name: str, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """The rows of one shard at sorted positions `rows`."""
        return shards.read_rows(self.shards[name], rows, columns)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Everything, as one table."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        return pa.concat_tables([schema.empty_table(), *self.batches(columns=columns)])

    def rejected(self) -> pa.Table:
        """The ledger: one row for each rejected record, with the reason."""
        folders = [f"{folder}/rejected" for folder in self.folders]
        paths = [
            f"{folder}/{name}.parquet" for folder in folders for name in storage.names(folder, ".parquet")
        ]
        schema = unify(map(shards.read_schema, paths), "ledgers")
        batches = (batch for path in paths for batch in shards.read_batches(path, schema=schema))
        return pa.concat_tables([schema.empty_table(), *batches])

    def files(self, part: str) -> dict[str, str]:
        """The files that tasks wrote beside their shards, by the shard's name: `<folder>/<part>/<name>…`."""
        found = {}
        for folder, manifest in zip(self.folders, self.manifests, strict=True):
            for name, record in sorted(manifest.shards.items()):
                for path in record["written"]:
                    if path.startswith(f"{part}/"):
                        found[name] = f"{folder}/{path}"
        return found

    def side(self, name: str) -> bytes:
        """A file beside the shards, such as a model's card."""
        return storage.read_bytes(f"{self.folders[0]}/{name}")

    def to_pandas(self) -> Any:
        """Everything, as a pandas DataFrame."""
        return self.read().to_pandas()

    def to_polars(self) -> Any:
        """Everything, as a polars DataFrame."""
        import polars

        return polars.from_arrow(self.read())
