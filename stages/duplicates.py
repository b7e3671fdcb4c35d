"""The search for duplicates among signed documents, phase by phase.

Copies first; then candidates, for as many bands at a time as the disk has room for; then verification of each
pair, resolution in order of precedence, and the names of what stays. What a phase wrote is deleted when the
phases that read it are done.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline import storage
from pipeline.shards import read_batches
from pipeline.shuffle import exchange, merge, merge_sorted, partitions_for
from pipeline.stage import Job, Output
from stages.candidates import BUCKETS, KEY_BYTES, REPORTED, TEXT_BYTES, Candidates
from stages.numbering import by_shard
from stages.resolve import Evidence, Resolution
from stages.signed import Signed
from stages.verify import CERTAIN, RUN_ROWS, Verification

COMMON_KEYS = "common_keys.json"
_ROOM = 6  # bytes of memory that a task takes for each byte of the rows it sorts


@dataclass(frozen=True)
class Search:
    """What to look for, and how much room there is; the room never changes what is found."""

    signed: Signed
    threshold: float
    memory: int  # bytes that a task may take, about
    scratch: int  # bytes of keys, or of shingles, on disk at a time, about

    def run(self, job: Job) -> tuple[str, ...]:
        """Files of DECISION rows, merged by block: what goes, and how often each document is named."""
        copies = self.copies(job)
        pairs = self.pairs(job, copies)
        similar = self.similar(job, pairs)
        job.discard("pairs")
        decisions = self.decisions(job, copies, similar)
        job.discard("copies-merged", "similar", "ranked", "kept")
        return decisions

    def copies(self, job: Job) -> tuple[str, ...]:
        """Documents of equal words."""
        find = Candidates(self.signed, self.partitions(TEXT_BYTES))
        texts = exchange(job, "digests", find.send_texts, self.shards, find.partitions)
        items = {f"{partition:05d}": partition for partition in range(find.partitions)}
        found = exchange(job, "copies", partial(find.find_copies, texts), items, len(self.blocks))
        job.discard("digests-merged")
        return found

    def pairs(self, job: Job, copies: tuple[str, ...]) -> tuple[str, ...]:
        """Documents that share a band, a pass for as many bands as there is room for."""
        bands = self.signed.scheme.bands
        at_once = self.bands_at_once
        find = Candidates(self.signed, self.partitions(KEY_BYTES * at_once))
        items = {f"{partition:05d}": partition for partition in range(find.partitions)}
        found: list[str] = []
        common: list[str] = []
        for start in range(0, bands, at_once):
            some = range(start, min(start + at_once, bands))
            part = f"keys-{start:03d}"
            keys = exchange(job, part, partial(find.send_keys, copies, some), self.shards, find.partitions)
            written = job.map(f"pairs-{start:03d}", partial(find.find_pairs, keys), items, {})
            job.discard(f"{part}-merged")
            found += written.values()
            common += [f"{job.folder}/pairs-{start:03d}-common/{name}.parquet" for name in items]
        merged = merge(job, "pairs", found, len(self.blocks))
        job.map("common", partial(report_common, self.signed), {"all": tuple(common)}, {})
        for start in range(0, bands, at_once):
            job.discard(f"pairs-{start:03d}", f"pairs-{start:03d}-common")
        job.discard("common")
        return merged

    def similar(self, job: Job, pairs: tuple[str, ...]) -> tuple[str, ...]:
        """The pairs at or above the threshold, a file for each block of the second, in precedence of that."""
        verify, blocks = Verification(self.signed, self.threshold), self.blocks
        sent = exchange(job, "sent", partial(verify.send_sketches, pairs), blocks, len(blocks))
        doubted = exchange(job, "doubted", partial(verify.estimate, sent), blocks, len(blocks))
        job.discard("sent-merged")
        waves = self.waves(job, verify, doubted)
        settled = [f"{job.folder}/{CERTAIN}"]
        for number, wave in enumerate(waves):
            part = f"shingles-{number:03d}"
            items = {f"{block:05d}": block for block in wave}
            shingles = exchange(job, part, partial(verify.send_shingles, doubted), items, len(blocks))
            job.map(f"settled-{number:03d}", partial(verify.settle, shingles), blocks, {})
            job.discard(f"{part}-merged")
            settled.append(f"{job.folder}/settled-{number:03d}")
        files = {name: tuple(f"{folder}/{name}.parquet" for folder in settled) for name in blocks}
        found = tuple(job.map("similar", verify.sort, files, {}).values())
        job.discard("doubted-merged", "waves", *(folder.rpartition("/")[2] for folder in settled))
        return found

    def waves(self, job: Job, verify: Verification, doubted: tuple[str, ...]) -> list[list[int]]:
        """Blocks of firsts whose shingles are sent together."""
        plan = partial(verify.plan_waves, doubted, self.scratch // 2)
        record = job.map("waves", plan, {"all": range(len(self.blocks))}, {})["all"]
        if not storage.exists(record):  # all that they were for is done
            return []
        numbers = np.concatenate([table["wave"].to_numpy() for table in read_batches(record)])
        return [np.flatnonzero(numbers == wave).tolist() for wave in range(int(numbers[-1]) + 1)]

    def decisions(self, job: Job, copies: tuple[str, ...], similar: tuple[str, ...]) -> tuple[str, ...]:
        """What goes and because of which."""
        resolve, blocks = Resolution(self.signed), self.blocks
        ranked = merge_sorted(job, "ranked", similar, ("second_rank", "second"), RUN_ROWS)
        kept = job.map("kept", resolve.keep, {"all": ranked}, {})["all"]
        evidence = Evidence(kept, copies, similar)
        removals = exchange(job, "removals", partial(resolve.decide, evidence), blocks, len(blocks))
        told = exchange(job, "told", partial(resolve.name, removals), blocks, len(blocks))
        job.discard("removals-merged")
        return told

    @property
    def shards(self) -> dict[str, int]:
        """Index of each shard, by task name."""
        return {f"{shard:06d}": shard for shard in range(len(self.signed.numbering.rows))}

    @property
    def blocks(self) -> dict[str, int]:
        """Blocks of shards, by task name."""
        return self.signed.numbering.blocks

    @property
    def bands_at_once(self) -> int:
        """Bands whose keys, written and then merged, fit on the disk, and in memory those of any shard."""
        numbering = self.signed.numbering
        on_disk = self.scratch // (2 * KEY_BYTES * max(numbering.total, 1))
        in_memory = self.memory // (_ROOM * KEY_BYTES * max(*numbering.rows, 1))
        return int(max(1, min(on_disk, in_memory, self.signed.scheme.bands)))

    def partitions(self, row_bytes: int) -> int:
        """Tasks to spread rows of so many bytes for each document over."""
        return partitions_for(row_bytes * self.signed.numbering.total, max(1, self.memory // _ROOM))


def report_common(signed: Signed, files: Sequence[str], output: Output) -> None:
    """The largest buckets of all bands, with the ids of their first members, as `common_keys.json`."""
    tables = [table for path in files for table in read_batches(path)]
    buckets = pa.concat_tables([BUCKETS.empty_table(), *tables])
    buckets = buckets.sort_by([("members", "descending"), ("key", "ascending")]).slice(0, REPORTED)
    rows = []
    for row in buckets.to_pylist():
        heads = np.array(row["heads"], np.uint64)
        named: dict[int, str] = {}
        for shard, places in by_shard(np.sort(heads)):
            found = signed.ids(shard, places).to_pylist()
            named.update(zip(((shard << 32) + int(at) for at in places), found, strict=True))
        rows.append({"documents": row["members"], "first": [named[int(head)] for head in heads]})
    output.side(COMMON_KEYS, json.dumps(rows, indent=1, ensure_ascii=False).encode())
