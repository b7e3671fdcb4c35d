"""What sources share: rows become documents, with a domain and a side of the split, and are written."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa

from pipeline.schema import REASON, with_column
from pipeline.stage import Output
from stages.domain import registered_domain, splits

Row = Mapping[str, Any]
SplitBy = Literal["domain", "document"]
BATCH_ROWS = 256
BATCH_CHARACTERS = 1 << 24


def write_rows(
    rows: Iterable[Row], output: Output, schema: pa.Schema, validation: float, by: SplitBy, seed: int
) -> None:
    """Write rows as documents of `schema`; a row with a `reason` goes to the ledger.

    A row has an `id` and some of the columns. Its side of the split is drawn by its domain, where it has one
    and `by` says so; else by its `unit`, where it is a part of something; else by its id.
    """
    writer = output.documents(schema)
    with_reason = pa.schema([*schema, (REASON, pa.string())])
    for batch in _batches(rows):
        domains = [registered_domain(row.get("url") or "") for row in batch]
        keys = [
            (by == "domain" and domain) or row.get("unit") or row["id"]
            for domain, row in zip(domains, batch, strict=True)
        ]
        table = pa.Table.from_pylist(batch, with_reason)
        table = with_column(table, "domain", pa.array([domain or None for domain in domains], pa.string()))
        writer.write(with_column(table, "split", splits(keys, validation, seed)))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += len(row.get("text") or "") + len(row.get("raw") or b"")
        if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
