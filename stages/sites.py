"""Which site a document is of, and how many documents each site has, over all datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.dataset import Dataset
from pipeline.hashing import hash_text
from pipeline.shuffle import exchange, key_partitions, read_partition
from pipeline.stage import Job, Output
from stages.canonical import address
from stages.delivery import SHARD, Budget, Shards, deliver, found_in, told

READS = {"domain": ["domain"], "host": ["url"], "all": []}  # the columns that say what a site is
SIZE = "site_documents"  # the column that says how many documents a site has
SITE_BYTES = 300  # of a row for a site while its partition is sorted, at most

_SITES = pa.schema(
    [("site", pa.uint64()), ("documents", pa.int64()), ("before", pa.int64()), (SHARD, pa.uint32())]
)


class Sizes(NamedTuple):
    """How many documents the sites of one shard have."""

    sites: NDArray[np.uint64]  # hashes, ascending
    documents: NDArray[np.int64]

    def of(self, sites: pa.Array) -> NDArray[np.int64]:
        """Documents of each site; 0 for none."""
        found, at = found_in(self.sites, hash_text(sites))
        found &= pc.is_valid(sites).to_numpy(zero_copy_only=False)
        sizes = np.zeros(len(found), np.int64)
        sizes[found] = self.documents[at[found]]
        return sizes


class Counted(NamedTuple):
    """Where the sizes of all sites are, for the tasks of shards."""

    files: tuple[str, ...]
    blocks: NDArray[np.uint32]

    def sizes(self, shard: int) -> Sizes:
        """Those of the sites of one shard."""
        table = told(self.files, self.blocks, shard).sort_by("site")
        return Sizes(table["site"].to_numpy(), table["documents"].to_numpy())


@dataclass(frozen=True)
class CountSites:
    """Two phases: the sites of each shard to where they are counted; sizes to the shards."""

    documents: Dataset
    shards: Shards
    within: str
    memory: int  # megabytes

    def run(self, job: Job) -> Counted:
        """Count all."""
        rows = [self.documents.rows[name] for name in self.shards.names]
        budget = Budget(self.memory, SITE_BYTES)
        partitions, blocks = budget.partitions(sum(rows)), budget.blocks(rows)
        sent = exchange(job, "sites", partial(self.send, budget, partitions), self.shards.items, partitions)
        items = {f"{partition:05d}": partition for partition in range(partitions)}
        files = deliver(job, "sizes", partial(_sizes, sent, budget, blocks), items, blocks)
        job.discard("sites-merged")
        return Counted(files, blocks)

    def send(self, budget: Budget, partitions: int, shard: int, output: Output) -> None:
        """Each site of a shard once, with its documents there, and its size as an earlier step counted it."""
        sites, before = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        earlier = [SIZE] if SIZE in self.documents.schema.names else []
        columns = ["id", *READS[self.within], *earlier]
        for table in self.documents.batches(self.shards.names[shard], columns):
            names = sites_of(table, self.within)
            valid = pc.is_valid(names).to_numpy(zero_copy_only=False)
            output.count(with_site=int(valid.sum()))
            sites.append(hash_text(names)[valid])
            known = pc.fill_null(table[SIZE], 0).to_numpy() if earlier else np.zeros(len(valid), np.int64)
            before.append(known[valid])
        order, starts = runs(np.concatenate(sites))
        ones, known = np.ones(len(order), np.int64), np.concatenate(before)[order]
        distinct = np.concatenate(sites)[order][starts]
        counts, greatest = np.add.reduceat(ones, starts), np.maximum.reduceat(known, starts)
        where = np.full(len(starts), shard, np.uint32)
        rows = pa.table([distinct, counts, greatest, where], schema=_SITES)
        budget.scatter(output, rows, key_partitions(distinct, partitions))


def _sizes(
    sent: Sequence[str], budget: Budget, blocks: NDArray[np.uint32], partition: int, output: Output
) -> None:
    """The size of each site of a partition, to the shards that have documents of it."""
    table = read_partition(sent, partition, _SITES.names)
    order, starts = runs(table["site"].to_numpy())
    counts = np.add.reduceat(table["documents"].to_numpy()[order], starts)
    sizes = np.maximum(counts, np.maximum.reduceat(table["before"].to_numpy()[order], starts))
    spread = np.repeat(sizes, np.diff(starts, append=len(order)))
    shards = table[SHARD].to_numpy()[order]
    rows = pa.table({"site": table["site"].to_numpy()[order], "documents": spread, SHARD: shards})
    budget.scatter(output, rows, blocks[shards])


def sites_of(documents: pa.Table, within: str) -> pa.Array:
    """What each document belongs to; null for those that belong to nothing."""
    if within == "all":
        return pa.array([""] * documents.num_rows, pa.string())
    if within == "host":
        hosts = [address(url or "").host.removeprefix("www.") for url in documents["url"].to_pylist()]
        return pa.array([host or None for host in hosts], pa.string())
    domains = documents["domain"].combine_chunks()
    return pc.if_else(pc.equal(domains, ""), pa.scalar(None, pa.string()), domains)


def runs(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order that sorts keys, and where in it each distinct one begins."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order][:1]))
    return order, starts
