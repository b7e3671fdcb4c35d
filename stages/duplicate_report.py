"""What deduplicate removed, for people: shares by source, language and domain, and the largest groups.

Tasks count each shard alone; equal keys meet in a partition, where they are summed, so that the domains of a
whole crawl never have to be in one memory. Of the largest groups, the texts of the kept document and of a few
duplicates are fetched. All of it is in `report.json`, and as a page to look at in `report.html`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.hashing import UInt64s, among, hash_text
from pipeline.output import record_path
from pipeline.schema import REASON
from pipeline.shards import read_batches
from pipeline.shuffle import exchange, key_partitions, partitions_for, read_partition, scatter
from pipeline.stage import Job, Output
from stages.duplicate_page import to_html

Row = dict[str, Any]
Tables = Mapping[str, list[Row]]  # title -> rows

REPORT = "report.json"
PAGE = "report.html"
MEMORY = 64 << 20  # bytes of tallies in a task
TALLY_BYTES = 64  # of a row, about
MEMBERS = 3  # duplicates shown of a group
EXCERPT = 6_000  # characters of each text
LEAST = 100  # documents that a source must have for its share to mean something
SHOWN = 12  # rows of a table of `pipeline status`

TALLY = pa.schema(
    [
        ("facet", pa.string()),
        ("key", pa.string()),
        ("detail", pa.string()),  # source of what stays, shard of a group's
        ("documents", pa.int64()),  # all; of a similarity those removed, of a group those that name it
        ("exact", pa.int64()),  # removed as copies
        ("near", pa.int64()),  # removed as near-copies
    ]
)
MOST = {  # facet -> rows of it in the report
    "source": 10_000,
    "because": 1_000,  # key: source of what goes, detail: source of what stays
    "language": 1_000,
    "domain": 100,
    "similarity": 100,
    "group": 20,  # key: id of what stays, detail: its shard
}
MEMBER = pa.schema(
    [
        ("group", pa.string()),  # id of the document that stays
        ("id", pa.string()),
        ("shard", pa.string()),
        ("similarity", pa.float32()),
        ("exact", pa.bool_()),
    ]
)
TEXT = pa.schema(
    [("id", pa.string()), ("url", pa.string()), ("characters", pa.int64()), ("text", pa.large_string())]
)
_COLUMNS = ("source", "language", "domain")
_BANDS = pa.array([*(f"{n / 20:.2f} to {(n + 1) / 20:.2f}" for n in range(20)), "1.00"])


def write(job: Job, more: Tables | None = None) -> None:
    """Report on the shards and ledgers that the step has just written; `more` tables come at the end.

    What stays of the work is `tallies`, with a row for every domain, language and source.
    """
    if not storage.exists(record_path(job.folder, "report", "all")):
        _make(job, dict(more or {}))
    job.discard("counts-merged", "largest", "members-merged", "texts")


def _make(job: Job, more: Tables) -> None:
    documents = job.inputs["documents"]
    shards = {name: name for name in documents.shards}
    partitions = partitions_for(TALLY_BYTES * sum(documents.rows.values()), MEMORY)
    counts = exchange(job, "counts", partial(_count, job.folder, documents, partitions), shards, partitions)
    each = {f"{partition:05d}": partition for partition in range(partitions)}
    tallies = tuple(job.map("tallies", partial(_tally, counts), each).values())
    largest = job.map("largest", _largest, {"all": tallies})["all"]
    members = exchange(job, "members", partial(_members, job.folder, largest), shards, 1)
    chosen = _chosen(largest, members)
    wanted: dict[str, tuple[str, ...]] = {}
    for row in chosen:
        wanted[row["shard"]] = (*wanted.get(row["shard"], ()), row["id"])
    items = {shard: (shard, ids) for shard, ids in sorted(wanted.items())}
    texts = tuple(job.map("texts", partial(_texts, documents), items).values())
    job.map("report", partial(_report, job.step, chosen, texts, more), {"all": largest})


def summary(dataset: Dataset) -> Tables:
    """The report in a few tables, for `pipeline status`."""
    if not storage.exists(f"{dataset.folders[0]}/{REPORT}"):
        return {}  # of an earlier version
    told = json.loads(dataset.side(REPORT))
    tables = {
        "removed by source": [_shares(row) for row in told["source"]],
        "because of": [
            {"source": row["key"], "because of": row["detail"], "removed": row["exact"] + row["near"]}
            for row in told["because"]
        ],
        "removed by language": [_shares(row) for row in told["language"]],
        "domains that lose most": [_shares(row) for row in told["domain"] if row["exact"] + row["near"]],
        "removed by similarity": [
            {"similarity": row["key"], "exact": row["exact"], "near": row["near"]}
            for row in told["similarity"]
        ],
        f"largest groups ({PAGE} has their texts side by side)": [
            {"removed": row["removed"], "stays": row["id"], "its text": " ".join(row["text"].split())[:60]}
            for row in told["groups"]
        ],
        **told["more"],
    }
    return {title: rows[:SHOWN] for title, rows in tables.items() if rows}


def alarm(dataset: Dataset, most: float) -> str | None:
    """What to tell when a source of LEAST documents or more has lost more than the share `most` of them."""
    lost = [
        row
        for row in json.loads(dataset.side(REPORT))["source"]
        if row["documents"] >= LEAST and row["exact"] + row["near"] > most * row["documents"]
    ]
    if not lost:
        return None
    told = ", ".join(
        f"{row['exact'] + row['near']:,} of {row['documents']:,} documents of '{row['key']}'" for row in lost
    )
    folder = dataset.folders[0]
    return (
        f"{told} are removed as duplicates, and max_removed is {most}; {folder}/{PAGE} shows the largest "
        f"groups, `pipeline show {folder} --rejected` what went"
    )


def _shares(row: Row) -> Row:
    removed = row["exact"] + row["near"]
    share = f"{100 * removed / max(1, row['documents']):.1f}"
    name = row["key"] or "–"
    return {row["facet"]: name, "documents": row["documents"], "removed": removed, "%": share} | {
        "exact": row["exact"],
        "near": row["near"],
    }


def _count(folder: str, documents: Dataset, partitions: int, shard: str, output: Output) -> None:
    """The documents of a shard, kept and removed, by each facet."""
    kept = read_batches(f"{folder}/shards/{shard}.parquet", ["id", "duplicates", *_COLUMNS])
    gone = read_batches(
        f"{folder}/rejected/{shard}.parquet", ["duplicate_of", "similarity", REASON, *_COLUMNS]
    )
    earlier = _earlier(documents, shard)
    counted = chain((_kept(table, earlier, shard) for table in kept), (_gone(table) for table in gone))
    rows = _most(_summed(counted), {"group": MOST["group"]})
    scatter(output, rows, key_partitions(hash_text(rows["key"]), partitions))


def _earlier(documents: Dataset, shard: str) -> pa.Table | None:
    """Ids and `duplicates` that an earlier step of this kind counted; the column goes on counting."""
    if "duplicates" not in documents.schema.names:
        return None
    empty = documents.schema.empty_table().select(["id", "duplicates"])
    return pa.concat_tables([empty, *documents.batches(shard, empty.column_names)])


def _kept(table: pa.Table, earlier: pa.Table | None, shard: str) -> pa.Table:
    named = table["duplicates"].cast(pa.int64())
    if earlier is not None:
        before = earlier["duplicates"].take(pc.index_in(table["id"], earlier["id"].combine_chunks()))
        named = pc.subtract(named, pc.fill_null(before, 0).cast(pa.int64()))
    heads = pa.table({"key": table["id"], "documents": named}).filter(pc.greater(named, 0))
    heads = heads.sort_by([("documents", "descending"), ("key", "ascending")]).slice(0, MOST["group"])
    groups = _rows("group", heads["key"], shard, {"documents": heads["documents"]})
    return pa.concat_tables([*(_rows(name, table[name]) for name in _present(table)), groups])


def _gone(table: pa.Table) -> pa.Table:
    exact = pc.equal(table[REASON], "duplicate:exact").cast(pa.int64())
    removed = {"exact": exact, "near": pc.subtract(1, exact)}
    places = np.floor(pc.fill_null(table["similarity"], 1).to_numpy().astype(np.float64) * 20 + 1e-4)
    bands = _BANDS.take(pa.array(places.astype(np.int64)))
    stays = pc.struct_field(pc.extract_regex(table["duplicate_of"], "^(?P<source>[^/]*)"), "source")
    return pa.concat_tables(
        [
            *(_rows(name, table[name], counts=removed) for name in _present(table)),
            _rows("because", table["source"], stays, removed),
            _rows("similarity", bands, counts=removed),
        ]
    )


def _present(table: pa.Table) -> list[str]:
    return [name for name in _COLUMNS if name in table.column_names]


def _rows(facet: str, keys: Any, detail: Any = "", counts: Mapping[str, Any] | None = None) -> pa.Table:
    """Tallies of one facet, not summed; each row counts one document unless `counts` says otherwise."""
    rows = len(keys)

    def column(value: Any) -> Any:
        return pa.array(np.full(rows, value)) if isinstance(value, int) else value

    given = {"documents": 1, "exact": 0, "near": 0} | dict(counts or {})
    strings = [pa.array([facet] * rows, pa.string()), pc.fill_null(keys, "")]
    strings.append(pa.array([detail] * rows, pa.string()) if isinstance(detail, str) else detail)
    return pa.table([*strings, *map(column, given.values())], schema=TALLY)


def _summed(tables: Iterable[pa.Table], waiting: int = 1 << 16) -> pa.Table:
    """One row for each facet, key and detail, ranked."""
    some, rows = [TALLY.empty_table()], 0
    for table in tables:
        some.append(table)
        rows += table.num_rows
        if rows > waiting:
            some, rows = [_sum(pa.concat_tables(some))], 0
    return _ranked(_sum(pa.concat_tables(some)))


def _sum(table: pa.Table) -> pa.Table:
    names, counts = TALLY.names[:3], TALLY.names[3:]
    grouped = table.group_by(names, use_threads=False).aggregate([(name, "sum") for name in counts])
    return grouped.select([*names, *(f"{name}_sum" for name in counts)]).rename_columns(TALLY.names)


def _ranked(table: pa.Table) -> pa.Table:
    """By facet; what lost or has most first."""
    order = [("facet", "ascending"), ("removed", "descending"), ("documents", "descending")]
    removed = table.append_column("removed", pc.add(table["exact"], table["near"]))
    return removed.sort_by([*order, ("key", "ascending"), ("detail", "ascending")]).select(TALLY.names)


def _most(table: pa.Table, limits: Mapping[str, int]) -> pa.Table:
    """Of ranked rows, the first of some facets, and all of the others."""
    facets = table["facet"].to_numpy(zero_copy_only=False)
    fine = np.ones(len(facets), np.bool_)
    for facet, limit in limits.items():
        fine[np.flatnonzero(facets == facet)[limit:]] = False
    return table.filter(pa.array(fine))


def _tally(counts: tuple[str, ...], partition: int, output: Output) -> None:
    """The sums of all keys of a partition."""
    table = read_partition(counts, partition, TALLY.names)
    output.table(TALLY).write(_summed([table]))


def _largest(tallies: tuple[str, ...], output: Output) -> None:
    """What the report has room for."""
    found = TALLY.empty_table()
    for path in tallies:
        for table in read_batches(path):
            found = _most(_ranked(pa.concat_tables([found, table])), MOST)
    output.table(TALLY).write(found)


def _read(largest: str) -> pa.Table:
    return pa.concat_tables([TALLY.empty_table(), *read_batches(largest)])


def _groups(largest: str) -> pa.Table:
    table = _read(largest)
    return table.filter(pc.equal(table["facet"], "group"))


def _members(folder: str, largest: str, shard: str, output: Output) -> None:
    """A few documents that a shard lost to each of the largest groups."""
    groups = _groups(largest)["key"].combine_chunks()
    found = [MEMBER.empty_table()]
    for table in read_batches(
        f"{folder}/rejected/{shard}.parquet", ["id", "duplicate_of", "similarity", REASON]
    ):
        rows = table.filter(pc.is_in(table["duplicate_of"], groups))
        exact = pc.equal(rows[REASON], "duplicate:exact")
        where = pa.array([shard] * rows.num_rows, pa.string())
        columns = [rows["duplicate_of"], rows["id"], where, rows["similarity"], exact]
        found = [_told([*found, pa.table(columns, schema=MEMBER)])]
    rows = pa.concat_tables(found)
    scatter(output, rows, np.zeros(rows.num_rows, np.uint32))


def _told(tables: Iterable[pa.Table]) -> pa.Table:
    """The members of each group that tell most of it: those least like what stays."""
    table = pa.concat_tables(tables)
    table = table.sort_by([("group", "ascending"), ("similarity", "ascending"), ("id", "ascending")])
    groups = table["group"].to_numpy(zero_copy_only=False)
    starts = np.searchsorted(groups, groups) if len(groups) else np.zeros(0, np.int64)
    return table.filter(pa.array(np.arange(len(groups)) - starts < MEMBERS))


def _chosen(largest: str, members: tuple[str, ...]) -> list[Row]:
    """Of each group, largest first, the document that stays, then the duplicates to be shown."""
    found = MEMBER.empty_table()
    for path in members:
        for table in read_batches(path, MEMBER.names):
            found = _told([found, table])
    told = found.to_pylist()
    rows: list[Row] = []
    for group in _groups(largest).to_pylist():
        rows.append({"id": group["key"], "shard": group["detail"], "removed": group["documents"]})
        rows += [member for member in told if member["group"] == group["key"]]
    return rows


def _texts(documents: Dataset, item: tuple[str, tuple[str, ...]], output: Output) -> None:
    """The beginnings of some documents of a shard, as they came into the step."""
    shard, ids = item
    writer = output.table(TEXT)
    columns = [name for name in ("id", "url", "text") if name in documents.schema.names]
    for table in documents.batches(shard, columns):
        rows = table.filter(pc.is_in(table["id"], pa.array(ids, pa.string())))
        urls = rows["url"] if "url" in columns else pa.nulls(rows.num_rows, pa.string())
        texts = pc.fill_null(rows["text"].cast(pa.large_string()), "")
        lengths = pc.utf8_length(texts).cast(pa.int64())
        excerpts = pc.utf8_slice_codeunits(texts, 0, EXCERPT)
        writer.write(pa.table([rows["id"], urls, lengths, excerpts], schema=TEXT))


def _report(
    step: str, chosen: list[Row], texts: tuple[str, ...], more: Tables, largest: str, output: Output
) -> None:
    """Write `report.json`, and the same as a page."""
    found = {row["id"]: row for path in texts for table in read_batches(path) for row in table.to_pylist()}
    groups: list[Row] = []
    for row in chosen:
        whole = {name: value for name, value in row.items() if name not in ("group", "shard")}
        if "group" in row:
            whole["similarity"] = round(row["similarity"], 4)
            groups[-1]["members"].append(whole | found[row["id"]])
        else:
            groups.append(whole | found[row["id"]] | {"members": []})
    tallies = _read(largest).to_pylist()
    facets = {facet: [row for row in tallies if row["facet"] == facet] for facet in MOST if facet != "group"}
    facets["similarity"].sort(key=lambda row: row["key"])
    _write({"step": step, **facets, "groups": groups, "more": dict(more)}, output)


def erase(folder: str, gone: UInt64s, output: Output) -> bool:
    """Write the report of a finished step without the texts of documents whose ids have the hashes `gone`."""
    told = json.loads(storage.read_bytes(f"{folder}/{REPORT}"))
    shown = [row for group in told["groups"] for row in (group, *group["members"])]
    goes = among(hash_text(pa.array([row["id"] for row in shown], pa.string())), gone).tolist()
    ids = {row["id"] for row, is_gone in zip(shown, goes, strict=True) if is_gone}
    told["groups"] = [group for group in told["groups"] if group["id"] not in ids]
    for group in told["groups"]:
        group["members"] = [row for row in group["members"] if row["id"] not in ids]
    _write(told, output)
    return True


def _write(told: dict[str, Any], output: Output) -> None:
    """For programs and for people."""
    output.side(REPORT, f"{json.dumps(told, indent=1, ensure_ascii=False)}\n".encode())
    output.side(PAGE, to_html(told).encode())
