"""locate: where in a crawl the linked pages are, by Common Crawl's columnar URL index."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.files import Files, basename, expand, stem
from pipeline.schema import REASON
from pipeline.shards import count_rows, read_batches
from pipeline.shuffle import exchange, key_partitions, partitions_for, read_partition, scatter
from pipeline.stage import Job, Output, Stage
from stages.listed import UNKNOWN, Listed, paths_of
from stages.picks import ADDRESS, archive_keys
from stages.url_index import CAPTURE, Spans, captures, surt_prefixes

MEMORY = 64 << 20  # bytes of captures in a task; it decides how many shards there are, never what is in them
_CAPTURE_BYTES = 256
_DOMAINS = pa.schema([("surt", pa.string())])
_OTHERS = re.compile(r"subset=(?!warc/)")


@dataclass(frozen=True)
class Locate(Stage):
    """Find linked pages in a crawl by its columnar URL index, so that `extract` fetches only their records.

    Reads Parquet with the columns url, warc_filename, warc_record_offset, warc_record_length and, where they
    are, fetch_time, fetch_status, url_surtkey, as in Common Crawl's cc-index-table. A row is a capture of a
    linked page; those that were not answered with status 200 go to the ledger: http:301, …

    Fields:
        index: files of an index: paths, folders, globs, lists, commoncrawl:CC-MAIN-2024-10/cc-index-table; of
            files with `subset=…` in their paths, those of subset=warc
        source: name of the source in the ids, as in the step of `extract` that reads the records
    """

    index: Files
    source: str = "cc"

    inputs: ClassVar[Mapping[str, str]] = {"links": "links"}
    makes: ClassVar[str] = "addresses"

    def check_files(self) -> None:
        """There must be files, no two of one name."""
        _parts(self.index)

    def run(self, job: Job) -> None:
        """List the linked domains, look through the index, sort what is found by archive."""
        links, parts = job.inputs["links"], _parts(self.index)
        spans = job.map("domains", _list_domains, {"index": links}, {"index": list(parts)})["index"]
        found = tuple(job.map_files("found", partial(self.find, paths_of(links), spans), parts).values())
        partitions = partitions_for(_CAPTURE_BYTES * sum(map(count_rows, found)), MEMORY)
        numbers = {name: number for number, name in enumerate(parts)}
        sent = exchange(job, "sent", partial(_send, found, partitions), numbers, partitions)
        shards = {f"{job.step}-{partition:05d}": partition for partition in range(partitions)}
        job.map("shards", partial(self.write, sent), shards, {})

    def find(self, links: Sequence[str], spans: str, path: str, output: Output) -> None:
        """The captures of linked pages that one file of the index lists."""
        prefixes = pa.concat_tables([_DOMAINS.empty_table(), *read_batches(spans)])["surt"].combine_chunks()
        counts: dict[str, int] = {}
        writer = output.table(CAPTURE)
        for table in captures(path, Listed(links), Spans(prefixes), counts):
            writer.write(table)
            output.tick(table.num_rows, 0)
        output.count(**counts)

    def write(self, sent: Sequence[str], partition: int, output: Output) -> None:
        """The addresses of some archives, in the order in which they lie there."""
        table = read_partition(sent, partition, CAPTURE.names)
        table = table.sort_by([("warc_filename", "ascending"), ("warc_record_offset", "ascending")])
        writer = output.documents(ADDRESS)
        last = None
        for batch in table.to_batches(1 << 10):
            rows = []
            for row in batch.to_pylist():
                place = (row["warc_filename"], row["warc_record_offset"])
                rows.append(self._row(row, place == last))
                last = place
            writer.write(pa.Table.from_pylist(rows, pa.schema([*ADDRESS, (REASON, pa.string())])))

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """How much of the index was read, and what was in it."""
        names = ("groups_read", "groups_skipped", "captures_read")
        total = {name: sum(each.totals.get(name, 0) for each in dataset.manifests) for name in names}
        linked = sum(each.totals["rows_in"] for each in dataset.manifests)
        return {
            "index": [
                {
                    "row groups read": total["groups_read"],
                    "row groups without a linked domain": total["groups_skipped"],
                    "captures read": total["captures_read"],
                    "of linked pages": linked,
                }
            ]
        }

    def _row(self, row: Mapping[str, Any], again: bool) -> dict[str, Any]:
        status = row["fetch_status"]
        unfit = None if status in (200, None) else f"http:{status}"
        return {
            "id": f"{self.source}/{stem(row['warc_filename'])}/{row['warc_record_offset']}",
            "source": self.source,
            "url": row["url"],
            "date": row["fetch_time"],
            "warc": row["warc_filename"],
            "offset": row["warc_record_offset"],
            "length": row["warc_record_length"],
            "karma": None if row["karma"] == UNKNOWN else row["karma"],
            REASON: "link:repeated" if again else unfit,
        }


def _parts(index: Sequence[str]) -> dict[str, str]:
    """The files of an index by their names."""
    paths = [path for path in expand(index, [".parquet"]) if not _OTHERS.search(path)]
    if not paths:
        raise InputError("of the files that `index` names, none is of subset=warc; name some")
    named = {stem(path): path for path in paths}
    if len(named) < len(paths):
        twice = next(path for path in paths if named[stem(path)] != path)
        raise RecipeError(f"index: two files are named {basename(twice)}; give each crawl a step of its own")
    return named


def _list_domains(links: Dataset, output: Output) -> None:
    """What the SURTs of linked pages begin with, sorted."""
    domains = {
        domain
        for batch in links.batches(columns=["domain"])
        for domain in pc.unique(batch["domain"]).to_pylist()
        if domain
    }
    surts = sorted({surt for domain in domains for surt in surt_prefixes(domain)})
    output.table(_DOMAINS, group_rows=1 << 16).write(pa.table({"surt": surts}, schema=_DOMAINS))


def _send(found: Sequence[str], partitions: int, part: int, output: Output) -> None:
    """What one file of the index lists, by archive."""
    table = pa.concat_tables([CAPTURE.empty_table(), *read_batches(found[part])])
    names = pa.chunked_array([[basename(name) for name in table["warc_filename"].to_pylist()]], pa.string())
    scatter(output, table, key_partitions(archive_keys(names), partitions))
