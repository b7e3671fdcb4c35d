"""Documents on their way through a chain of row-wise stages, within one task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError, SchemaError
from pipeline.output import DocumentWriter, Output
from pipeline.schema import REASON
from pipeline.shards import GROUP_ROWS

if TYPE_CHECKING:
    from pipeline.stage import MapStage


@dataclass(frozen=True)
class Link:
    """One map step in a chain of such that share a task."""

    step: str
    folder: str
    stage: "MapStage"
    inputs: Mapping[str, Dataset]
    identity: str  # digest


class Flow:
    """A chain of map stages; each link has its ledger and record, the last one also a shard."""

    def __init__(self, links: Sequence[Link], outputs: Sequence[Output]) -> None:
        self.outputs = outputs  # one for each link
        self._links = links
        self._writers: list[DocumentWriter] = []
        self._schemas: list[pa.Schema] = []
        self._loaded: list[Any] = []

    def open(self, schema: pa.Schema) -> None:
        """Make ready for documents of `schema`."""
        for link, output in zip(self._links, self.outputs, strict=True):
            schema = after(link, schema)
            self._schemas.append(schema)
            self._writers.append(output.documents(schema, keep=link is self._links[-1]))
        self._loaded = _loaded(self._links)

    def push(self, documents: pa.Table) -> None:
        """Send documents through all links."""
        for start in range(0, documents.num_rows, GROUP_ROWS):
            rows = documents.slice(start, GROUP_ROWS)
            for link, load, schema, writer, output in zip(
                self._links, self._loaded, self._schemas, self._writers, self.outputs, strict=True
            ):
                result = link.stage.save(link.stage.process(rows, load), output)
                rows = writer.write(_checked(link, rows, result, schema))

    def settle(self, read: Any) -> None:
        """Commit all links but the last, which is left ready for it; `read` says what came in."""
        for output, writer in zip(self.outputs, self._writers, strict=True):
            output.read = read
            read = writer.content()
            if output is not self.outputs[-1]:
                output.commit()

    def abandon(self) -> None:
        """Forget what is not committed."""
        for output in self.outputs:
            output.abandon()


_cache: dict[tuple[str, str], Any] = {}  # what the links of the current task have loaded in this worker


def _loaded(links: Sequence[Link]) -> list[Any]:
    """What each link has loaded: once in a worker, and given up with the first task of another step."""
    keys = [(link.folder, link.identity) for link in links]
    for old in [key for key in _cache if key not in keys]:
        del _cache[old]
    for key, link in zip(keys, links, strict=True):
        if key not in _cache:
            _cache[key] = link.stage.load(link.step, link.inputs)
    return [_cache[key] for key in keys]


def after(link: Link, before: pa.Schema) -> pa.Schema:
    """The columns of the documents after a stage."""
    step, stage = link.step, link.stage
    adds = stage.adds_from(link.inputs)
    if clash := (set(before.names) & set(adds.names)) - stage.replaces:
        raise RecipeError(
            f"step '{step}': the documents already have a column '{min(clash)}', and this step would add it; "
            "leave one of the two steps out, or name its column differently"
        )
    kept = [f for f in before if f.name not in stage.drops]
    return pa.schema([*kept, *(f for f in adds if f.name not in before.names)])


def _checked(link: Link, before: pa.Table, result: pa.Table, schema: pa.Schema) -> pa.Table:
    """`result` in the order of `schema`, plus the reason; same documents as before or SchemaError."""
    names = set(result.column_names)
    what = f"step '{link.step}': {type(link.stage).__name__}.process"
    if missing := set(schema.names) - names:
        raise SchemaError(f"{what} returned no column '{min(missing)}'")
    if extra := names - set(schema.names) - {REASON} - link.stage.drops:
        raise SchemaError(f"{what} returned a column '{min(extra)}' that it does not declare in adds()")
    if not result["id"].equals(before["id"]):
        raise SchemaError(f"{what} moved, split or dropped rows: {before.num_rows} in, {result.num_rows} out")
    try:
        kept = result.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(f"{what} returned other types than it declares in adds(): {error}") from error
    return kept.append_column(REASON, result[REASON]) if REASON in names else kept
