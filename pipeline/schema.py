"""What a document is, and how stages may change it."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import RecipeError, nearest

DOCUMENT = pa.schema(
    [
        ("id", pa.string()),  # <source>/<stem>/<byte offset or line>: points back at the raw bytes
        ("source", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("license", pa.string()),
        ("domain", pa.string()),  # registered domain of the url
        ("split", pa.string()),  # "train" or "val", decided at birth
        ("warc", pa.string()),  # the address of the raw record: file name, byte offset, bytes
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("text", pa.large_string()),  # NFC
    ]
)
REASON = "reason"  # a stage says why it rejects a row; the engine moves the row to the ledger
FORGOTTEN = "forgotten"  # the reason of what `pipeline forget` has taken out, and of what sources leave out


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """`table` with the column set: replaced in place when it is there, else added at the end."""
    at = table.schema.get_field_index(name)
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    if at >= 0:
        return table.set_column(at, name, column)
    return table.append_column(name, column)


def ledger(schema: pa.Schema) -> pa.Schema:
    """The columns of the ledger of rejected rows: every one but texts, bytes and lists, then the reason."""
    heavy = (pa.types.is_large_string, pa.types.is_large_binary, pa.types.is_nested)
    light = [f for f in schema if not any(check(f.type) for check in heavy)]
    return pa.schema([*light, pa.field(REASON, pa.string())])


def unify(schemas: Iterable[pa.Schema], what: str) -> pa.Schema:
    """All columns of several schemas, in order of first appearance; one name, two types: RecipeError."""
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.setdefault(field.name, field)
            if known.type != field.type:
                raise RecipeError(
                    f"{what}: column '{field.name}' is {known.type} in one input, {field.type} in another; "
                    "give both the same type where they are made"
                )
    return pa.schema(list(fields.values()))


def aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with exactly the columns of `schema`; one that it lacks is null."""
    if table.schema == schema:
        return table
    columns = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def check_scores(step: str, schema: pa.Schema, name: str) -> None:
    """Refuse a column of scores that is not there or holds no numbers."""
    kinds = (pa.types.is_integer, pa.types.is_floating)
    numeric = [field.name for field in schema if any(kind(field.type) for kind in kinds)]
    if name not in schema.names:
        raise RecipeError(
            f"step '{step}': quality: the documents have no column '{name}'; {nearest(name, numeric)}"
        )
    if name not in numeric:
        raise RecipeError(
            f"step '{step}': quality: the column '{name}' holds {schema.field(name).type} and no numbers; "
            "name a score, such as the column that a step of `quality` added"
        )


def text_size(texts: pa.ChunkedArray) -> tuple[int, int]:
    """(bytes, those of them that are more than one a character) of a column of texts."""
    size = pc.sum(pc.binary_length(texts)).as_py() or 0
    return size, size - (pc.sum(pc.utf8_length(texts)).as_py() or 0)


def estimated_tokens(size: int, beyond: int) -> int:
    """GPT-2 tokens in `size` bytes of UTF-8 of which `beyond` are more than one a character.

    One for every 4.4 ASCII characters and, in other scripts, for every 1.2 bytes; what this is worth is
    printed by `python -m benchmarks.token_estimate`.
    """
    return round((size - 1.5 * beyond) / 4.4 + 1.5 * beyond / 1.2) if beyond else round(size / 4.4)
