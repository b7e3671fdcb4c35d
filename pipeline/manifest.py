"""What a folder knows about itself: how it was made, and what is in it."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline import storage
from pipeline.errors import StaleRunError

Counts = dict[str, Any]
T = TypeVar("T")


def _read(cls: type[T], path: str) -> T | None:
    body = storage.read_json(path)
    try:
        return None if body is None else cls(**body)
    except TypeError as error:
        raise StaleRunError(
            f"{path} was written by another version of Winnow ({error}); choose another folder with --out, "
            "or run with --redo and the step's name"
        ) from error


def canonical(value: Any) -> str:
    """JSON that is the same in every process; anything without a stable form is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Identity:
    """Everything that decides what a step writes; nothing else is in here, no path and no time."""

    step: str
    stage: str
    version: int
    parameters: dict[str, Any]
    libraries: dict[str, str] = field(default_factory=dict)  # and models: name -> version
    files: dict[str, list[list[str | int]]] = field(default_factory=dict)  # field -> [name, bytes, sha256]
    inputs: dict[str, list[str]] = field(default_factory=dict)  # input -> digests of the identities read
    whole: dict[str, str] = field(default_factory=dict)  # input read as a whole -> digest of all its shards

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for this identity in the steps that read it."""
        return hashlib.sha256(canonical(dataclasses.asdict(self)).encode()).hexdigest()[:16]

    def save(self, folder: str) -> None:
        """Commit as `identity.json`."""
        storage.write_json(f"{folder}/{storage.IDENTITY}", dataclasses.asdict(self))

    @staticmethod
    def load(folder: str) -> "Identity | None":
        """Of the folder, or None where no step was started."""
        return _read(Identity, f"{folder}/{storage.IDENTITY}")


def check_same(folder: str, old: Identity, new: Identity) -> None:
    """Refuse to serve or extend a folder made by another recipe; say which field moved from what to what."""
    before, after = _flat(old), _flat(new)
    moved = [
        f"{name}: {_brief(before.get(name))} -> {_brief(after.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if not moved:
        return
    remedy = f"run with --redo {new.step} to make it again, or choose another folder with --out"
    fields = [name.split(":")[0].partition(".") for name in moved]
    if all(kind in ("inputs", "whole") for kind, _, _ in fields):
        inputs = ", ".join(sorted({name for _, _, name in fields}))
        if all(kind == "whole" for kind, _, _ in fields):
            what = f"inputs grew or changed ({inputs}) since this step saw all of them"
        else:
            what = f"what it reads ({inputs}) is not what it was made of"
        raise StaleRunError(f"{folder}: {what}; {remedy}")
    raise StaleRunError(f"{folder} was made by another recipe ({'; '.join(moved)}); {remedy}")


def _flat(identity: Identity) -> dict[str, Any]:
    """'parameters.alpha' -> 9, so that two identities can be compared field by field."""
    flat: dict[str, Any] = {}
    for name, value in json.loads(canonical(dataclasses.asdict(identity))).items():
        if isinstance(value, dict):
            flat.update(
                {f"{name}.{key}" if name != "parameters" else key: item for key, item in value.items()}
            )
        else:
            flat[name] = value
    return flat


def _brief(value: Any) -> str:
    text = "not set" if value is None else canonical(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@dataclass(frozen=True)
class Manifest:
    """A finished step: its task records, folded in. It exists, so the step is done."""

    identity: str  # digest
    tasks: dict[str, dict[str, Counts]]  # part -> name -> task record
    totals: Counts

    @property
    def shards(self) -> dict[str, Counts]:
        """The records of the tasks that made the shards, by shard name."""
        return self.tasks.get("shards", {})

    @property
    def contents(self) -> str:
        """A digest of every shard's and side file's checksum: changes when any byte of the dataset does.

        But not by what was forgotten: of a step that has read the whole, this does not make another one.
        """
        written = {name: record.get("made", record.get("written")) for name, record in self.shards.items()}
        return hashlib.sha256(canonical([self.identity, written]).encode()).hexdigest()[:16]

    def save(self, folder: str) -> None:
        """Commit as `manifest.json`."""
        storage.write_json(f"{folder}/manifest.json", dataclasses.asdict(self))

    @staticmethod
    def load(folder: str) -> "Manifest | None":
        """Of the folder, or None while the step is not done."""
        return _read(Manifest, f"{folder}/manifest.json")


def totals(tasks: dict[str, dict[str, Counts]]) -> Counts:
    """The sums over a step's task records: rows in and out, bytes, tokens, rows by reason, other counts."""
    total: Counts = {}
    for records in tasks.values():
        for record in records.values():
            _add(total, record.get("counts", {}))
    return total


def _add(total: Counts, counts: Counts) -> None:
    for name, value in counts.items():
        if isinstance(value, dict):
            _add(total.setdefault(name, {}), value)
        else:
            total[name] = total.get(name, 0) + value
