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
from pipeline.output import Measure, Output, record_path
from pipeline.schema import DOCUMENT, FORGOTTEN, REASON, aligned, ledger, with_column
from pipeline.shards import read_batches, read_schema

_NUMBER = re.compile(r"/(\d+)(?:\.(\d+))?$")  # at the end of an id
_ADDRESS = [name for name in ledger(DOCUMENT).names if name != REASON]


def forget_rows(folder: str, name: str, gone: UInt64s, evidence: frozenset[str], output: Output) -> None:
    """Write the shard `name` without the documents whose ids have the sorted hashes `gone`, and its ledger.

    Tables of texts beside them, too. Rows keep their order. Run again where a kill left the new ledger beside
    the old shard, or all that is new beside the old record, it gives the same files and counts.
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
    erase_texts(folder, "shards", name, gone, output)
    rows = _entered(rejected, pa.concat_tables(taken), gone, evidence)
    output.table(ledger_schema, "rejected").write(rows)
    reasons = rows[REASON].value_counts().to_pylist()
    output.counts["reasons"] = {each["values"]: each["counts"] for each in reasons}


def _entered(rejected: str, taken: pa.Table, gone: UInt64s, evidence: frozenset[str]) -> pa.Table:
    """The rows of a ledger, and those that were taken out of its shard."""
    new = with_column(taken, REASON, pa.array([FORGOTTEN] * len(taken), pa.string()))
    rows = pa.concat_tables([taken.slice(0, 0), *read_batches(rejected)])
    twice = pc.and_(pc.equal(rows[REASON], FORGOTTEN), pc.is_in(rows["id"], new["id"].combine_chunks()))
    old = stripped(rows.filter(pc.invert(twice)), gone, evidence)
    whole = pa.concat_tables([old, new])
    return whole.take(pa.array(in_order(whole["id"].to_pylist(), len(old))))


def texts_beside(folder: str, part: str, name: str) -> list[str]:
    """The tables that a task wrote, but shards and ledgers, that hold texts of documents by their ids."""
    record = storage.read_json(record_path(folder, part, name))
    parts = [each.removesuffix(f"/{name}.parquet") for each in record["written"]]
    there = (each for each in sorted(parts) if each not in ("shards", "rejected") and "." not in each)
    return [each for each in there if _has_texts(f"{folder}/{each}/{name}.parquet")]


def may_quote(folder: str, part: str, name: str) -> bool:
    """Whether a task wrote texts by their ids, or a report."""
    written = storage.read_json(record_path(folder, part, name))["written"]
    is_report = any(not each.endswith(".parquet") for each in written)
    return is_report or bool(texts_beside(folder, part, name))


def _has_texts(path: str) -> bool:
    schema = read_schema(path) if storage.exists(path) else pa.schema([])
    return "id" in schema.names and any(pa.types.is_large_string(kind) for kind in schema.types)


def erase_texts(folder: str, part: str, name: str, gone: UInt64s, output: Output) -> bool:
    """Write these tables without the rows of some documents, if any are in them; whether that was so."""
    written = storage.read_json(record_path(folder, part, name))["written"]
    changed = False
    for beside in texts_beside(folder, part, name):
        path = f"{folder}/{beside}/{name}.parquet"
        if not rows_beside(path, gone) and storage.checksum(path) == written[f"{beside}/{name}.parquet"]:
            continue
        changed = True
        writer = output.table(read_schema(path), beside)
        for batch in read_batches(path):
            writer.write(batch.filter(pa.array(~among(hash_text(batch["id"]), gone))))
    return changed


def rows_beside(path: str, gone: UInt64s) -> int:
    """How many rows of a table are of documents whose ids have the sorted hashes `gone`."""
    return sum(int(among(hash_text(batch["id"]), gone).sum()) for batch in read_batches(path, ["id"]))


def strings(schema: pa.Schema, evidence: frozenset[str]) -> list[str]:
    """The columns of a ledger in which a stage, or a corpus, may have left words of a document."""
    told = {*_ADDRESS, REASON, *evidence}
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name not in told]


def stripped(rows: pa.Table, gone: UInt64s, evidence: frozenset[str]) -> pa.Table:
    """Rows of a ledger, those of `gone` without the strings that are more than an address and a reason."""
    goes = pa.array(among(hash_text(rows["id"]), gone))
    for name in strings(rows.schema, evidence):
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
