"""Sequences in which some documents are end-of-text: what `pipeline forget` makes of a mixture.

No row moves and none gets shorter, so whoever trains finds everything else where it was. A token that two
rows share belongs to a document in both of them, and is end-of-text in both.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.hashing import UInt64s, among, hash_text
from pipeline.output import Output
from pipeline.shards import read_batches, read_schema

Int64s = NDArray[np.int64]
FORGOTTEN_TOKENS = "tokens_forgotten"  # in the record of a shard: positions that are end-of-text for that


def rows_of(path: str, gone: UInt64s) -> Mapping[str, int]:
    """How many rows of a shard hold documents whose ids have the sorted hashes `gone`, and their tokens."""
    rows = tokens = 0
    for batch in read_batches(path, ["documents"]):
        lists = batch["documents"].combine_chunks()
        goes = _are(lists.flatten(), gone)
        rows += len(np.unique(_rows(lists)[goes]))
        tokens += int(_lengths(lists.flatten())[goes].sum())
    return {"mixture_rows": rows, "tokens": tokens}


def blank(path: str, gone: UInt64s, output: Output) -> None:
    """Write a shard of sequences once more, with end-of-text where these documents were.

    The segments stay, and name nobody. Raises InputError if the column does not say what ends a text.
    """
    schema = read_schema(path)
    told = (schema.field("tokens").metadata or {}).get(b"end_of_text")
    if told is None:
        raise InputError(
            f"{path}: the column `tokens` does not say which token ends a text, so nothing can stand for the "
            "documents; delete its step's folder, then `pipeline forget` again, and run the recipe"
        )
    writer, blanks = output.table(schema), 0
    for batch in read_batches(path):
        table = blanked(batch, gone, int(told)).select(schema.names)
        flat = table["documents"].combine_chunks().flatten()
        blanks += int(_lengths(flat)[pc.struct_field(flat, "id").is_null().to_numpy(False)].sum())
        writer.write(table)
        output.tick(batch.num_rows, batch.nbytes)
    output.counts[FORGOTTEN_TOKENS] = blanks


def blanked(batch: pa.Table, gone: UInt64s, end: int) -> pa.Table:
    """The rows with the token `end` in place of those of some documents, which no segment names now."""
    lists, column = batch["documents"].combine_chunks(), batch["tokens"].combine_chunks()
    flat = lists.flatten()
    goes = _are(flat, gone)
    tokens = column.flatten().to_numpy().reshape(len(column), -1)
    starts, ends = (pc.struct_field(flat, name).to_numpy()[goes] for name in ("start", "end"))
    edges = np.zeros((tokens.shape[0], tokens.shape[1] + 1), np.int8)
    np.add.at(edges, (_rows(lists)[goes], starts), 1)
    np.add.at(edges, (_rows(lists)[goes], ends), -1)
    tokens = np.where(edges[:, :-1].cumsum(axis=1, dtype=np.int8) > 0, tokens.dtype.type(end), tokens)
    fields = list(flat.type)
    mask = pa.array(goes)
    values = [
        pc.if_else(mask, pa.scalar(None, f.type), pc.struct_field(flat, f.name))
        if f.name in ("id", "offset")
        else pc.struct_field(flat, f.name)
        for f in fields
    ]
    segments = pa.StructArray.from_arrays(values, fields=fields)
    bounds = np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())])
    offsets = pa.array(bounds, pa.int32())
    new = pa.table(
        {
            "tokens": pa.FixedSizeListArray.from_arrays(pa.array(tokens.ravel()), tokens.shape[1]),
            "documents": pa.ListArray.from_arrays(offsets, segments),
        }
    )
    return (
        batch.drop_columns(new.column_names)
        .append_column("tokens", new["tokens"])
        .append_column("documents", new["documents"])
    )


def _are(segments: pa.StructArray, gone: UInt64s) -> NDArray[np.bool_]:
    """Which segments are of documents whose ids have these hashes."""
    ids = pc.struct_field(segments, "id")
    return np.asarray(among(hash_text(ids), gone) & ids.is_valid().to_numpy(False))


def _rows(lists: pa.ListArray) -> Int64s:
    """The row of each segment."""
    return np.asarray(pc.list_parent_indices(lists).to_numpy(), np.int64)


def _lengths(segments: pa.StructArray) -> Int64s:
    starts, ends = (pc.struct_field(segments, name).to_numpy() for name in ("start", "end"))
    return np.asarray(ends - starts, np.int64)
