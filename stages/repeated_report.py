"""What `drop_repeated` took from whom: the commonest spans with their text, the sites that lost most.

Counts are exact. No task holds more than what it was given of one partition.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.shards import read_batches
from pipeline.shuffle import PARTITION, partitions_of
from pipeline.stage import Output
from stages.delivery import found_in
from stages.spans import Spans
from stages.text import clean_line

SHOWN = 50  # spans and sites
_CHARACTERS = 160  # of a span that are shown

LEADERS = pa.schema([("key", pa.uint64()), ("documents", pa.int64()), ("first", pa.uint64())])
LOSSES = pa.schema(
    [
        ("site", pa.string()),
        ("span", pa.string()),  # its text; null: all that the site lost
        ("documents", pa.int64()),  # that have the span, or lost something
        ("lines", pa.int64()),
        ("characters", pa.int64()),
    ]
)


def leaders(common: pa.Table) -> pa.Table:
    """The spans of most documents, but one alone of each first document: neighbours overlap."""
    ordered = common.sort_by([("documents", "descending"), ("key", "ascending")])
    _, rows = np.unique(ordered["first"].to_numpy(), return_index=True)
    return ordered.take(pa.array(np.sort(rows)[:SHOWN]))


def choose_leaders(paths: Sequence[str], output: Output) -> None:
    """Those of all partitions, by key."""
    tables = [table for path in paths for table in read_batches(path)]
    output.table(LEADERS).write(leaders(pa.concat_tables([LEADERS.empty_table(), *tables])).sort_by("key"))


class Losses:
    """What the documents of one shard lose."""

    def __init__(self, path: str) -> None:
        """Of the file of `choose_leaders`."""
        self._leaders = pa.concat_tables([LEADERS.empty_table(), *read_batches(path)])
        self._rows = [LOSSES.empty_table()]

    def show(self, found: Spans, texts: pa.Array, sites: pa.Array, order: NDArray[np.uint64]) -> None:
        """Note the text of a common span where its first document, by the `order` of each line, is."""
        keys, firsts = self._leaders["key"].to_numpy(), self._leaders["first"].to_numpy()
        shown, at = found_in(keys, found.keys)
        shown[shown] = firsts[at[shown]] == order[shown]
        for row in np.flatnonzero(shown).tolist():
            document, end = int(found.documents[row]), int(found.ends[row])
            data = texts[document].as_py().encode()[found.lines.starts[row] : found.lines.ends[end - 1]]
            pieces = [clean_line(piece) for piece in data.decode().split("\n")]
            span = " / ".join(piece for piece in pieces if piece)[:_CHARACTERS]
            size = int(found.lines.characters[row:end].sum())
            documents = self._leaders["documents"][int(at[row])].as_py()
            columns = [[sites[document].as_py()], [span], [documents], [end - row], [size]]
            self._rows.append(pa.table(columns, schema=LOSSES))

    def add(self, sites: pa.Array, lines: NDArray[np.int64], characters: NDArray[np.int64]) -> None:
        """Note what each document loses."""
        lost = np.flatnonzero(lines)
        ones, nothing = np.ones(len(lost), np.int64), pa.nulls(len(lost), pa.string())
        columns = [sites.take(pa.array(lost)), nothing, ones, lines[lost], characters[lost]]
        self._rows.append(pa.table(columns, schema=LOSSES))

    def table(self) -> pa.Table:
        """One row for each site that lost something, one for each span to be shown."""
        return _by_site(pa.concat_tables(self._rows))


def report(merged: Sequence[str], output: Output) -> None:
    """The sites that lost most characters and the commonest spans, of files sorted by partitions of sites."""
    best = LOSSES.empty_table()
    for _, tables in partitions_of(merged):
        rows = _by_site(pa.concat_tables([table.drop_columns([PARTITION]) for table in tables]))
        rows = pa.concat_tables([best, rows])
        whole = pc.is_null(rows["span"])
        sites = rows.filter(whole).sort_by([("characters", "descending"), ("site", "ascending")])
        spans = rows.filter(pc.invert(whole))
        spans = spans.sort_by([("documents", "descending"), ("site", "ascending"), ("span", "ascending")])
        best = pa.concat_tables([sites.slice(0, SHOWN), spans.slice(0, SHOWN)])
    output.table(LOSSES).write(best)


def tables(path: str, shown: int = 20) -> dict[str, list[dict[str, object]]]:
    """The two tables of a report as a person reads them."""
    rows = pa.concat_tables([LOSSES.empty_table(), *read_batches(path)]).to_pylist()
    sites = [
        {"site": row["site"] or "all", **{name: row[name] for name in ("documents", "lines", "characters")}}
        for row in rows
        if row["span"] is None
    ]
    spans = [
        {"documents": row["documents"], "site": row["site"] or "all", "span": row["span"]}
        for row in rows
        if row["span"] is not None
    ]
    named = {"sites that lost most": sites, "repeated most, one of a document": spans}
    return {title: found[:shown] for title, found in named.items() if found}


def _by_site(rows: pa.Table) -> pa.Table:
    """Sums by site; spans as they are."""
    whole = pc.is_null(rows["span"])
    names = ("documents", "lines", "characters")
    summed = rows.filter(whole).group_by("site").aggregate([(name, "sum") for name in names])
    nothing = pa.nulls(summed.num_rows, pa.string())
    columns = [summed["site"], nothing, *(summed[f"{name}_sum"] for name in names)]
    return pa.concat_tables([pa.table(columns, schema=LOSSES).sort_by("site"), rows.filter(pc.invert(whole))])
