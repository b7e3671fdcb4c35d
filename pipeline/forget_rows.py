"""A shard and its ledger once more, without some documents: what `pipeline forget` does to each.

A forgotten document is a row of the ledger with its address and the reason alone, as a source writes it that
was told to leave it out. One that was rejected for another reason keeps that, but no other string.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage
from pipeline.hashing import UInt64s, among, hash_text
from pipeline.output import Measure, Output
from pipeline.schema import DOCUMENT, FORGOTTEN, REASON, aligned, ledger, with_column
from pipeline.shards import read_batches, read_schema

_NUMBER = re.compile(r"/(\d+)(?:\.(\d+))?$")  # at the end of an id
_ADDRESS = [name for name in ledger(DOCUMENT).names if name != REASON]


def forget_rows(folder: str, name: str, gone: UInt64s, output: Output) -> None:
    """Write the shard `name` without the documents whose ids have the sorted hashes `gone`, and its ledger.

    Rows keep their order. Run again where a kill left the new ledger beside the old shard, or both new ones
    beside the old record, it gives the same files and counts.
    """
    shard, rejected = f"{folder}/shards/{name}.parquet", f"{folder}/rejected/{name}.parquet"
    ledger_schema = read_schema(rejected)
    taken = [ledger_schema.empty_table()]
    if storage.exists(shard):  # else its rows flowed on
        schema = read_schema(shard)
        writer, size = output.table(schema), Measure()
        for batch in read_batches(shard):
            goes = pa.array(among(hash_text(batch["id"]), gone))
            address = batch.filter(goes).select([each for each in _ADDRESS if each in schema.names])
            taken.append(aligned(address, ledger_schema))
            kept = batch.filter(pc.invert(goes))
            size.add(kept)
            writer.write(kept)
            output.tick(batch.num_rows, batch.nbytes)
        output.counts.update({f"{what}_out": number for what, number in size.counts().items()})
    rows = _entered(rejected, pa.concat_tables(taken), gone)
    output.table(ledger_schema, "rejected").write(rows)
    reasons = rows[REASON].value_counts().to_pylist()
    output.counts["reasons"] = {each["values"]: each["counts"] for each in reasons}


def _entered(rejected: str, taken: pa.Table, gone: UInt64s) -> pa.Table:
    """The rows of a ledger, and those that were taken out of its shard."""
    new = with_column(taken, REASON, pa.array([FORGOTTEN] * len(taken), pa.string()))
    rows = pa.concat_tables([taken.slice(0, 0), *read_batches(rejected)])
    twice = pc.and_(pc.equal(rows[REASON], FORGOTTEN), pc.is_in(rows["id"], new["id"].combine_chunks()))
    old = stripped(rows.filter(pc.invert(twice)), gone)
    whole = pa.concat_tables([old, new])
    return whole.take(pa.array(in_order(whole["id"].to_pylist(), len(old))))


def strings(schema: pa.Schema) -> list[str]:
    """The columns of a ledger in which a stage, or a corpus, may have left words of a document."""
    told = {*_ADDRESS, REASON}
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name not in told]


def stripped(rows: pa.Table, gone: UInt64s) -> pa.Table:
    """Rows of a ledger, those of `gone` without the strings that are more than an address and a reason."""
    goes = pa.array(among(hash_text(rows["id"]), gone))
    for name in strings(rows.schema):
        rows = with_column(rows, name, pc.if_else(goes, pa.scalar(None, pa.string()), rows[name]))
    return rows


def in_order(ids: Sequence[str], old: int) -> list[int]:
    """Where each row of a ledger comes from, of which the first `old` are in order and the others new.

    A shard's records are in the order of the numbers that end their ids; so then are the rows. Where these
    tell no order, the new ones come last, by id.
    """
    numbers = [(int(found[1]), int(found[2] or 0)) if (found := _NUMBER.search(each)) else () for each in ids]
    first = numbers[:old]
    if all(numbers) and all(one <= other for one, other in pairwise(first)):
        return sorted(range(len(ids)), key=lambda row: numbers[row])
    return [*range(old), *sorted(range(old, len(ids)), key=lambda row: ids[row])]
