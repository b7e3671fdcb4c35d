"""Keep one of many copies and near-copies, within and across datasets, and say why each of the others went.

A document goes only if one that is kept is similar to it at or above the threshold, checked on the pair
itself; the ledger names that document and the similarity. There is no transitive closure: of A ~ B ~ C with B
gone because of A, C stays unless it is similar to A or to another document that is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.hashing import UInt64s
from pipeline.schema import FORGOTTEN, REASON, check_scores, unify, with_column
from pipeline.shards import read_batches
from pipeline.shuffle import read_partition
from pipeline.stage import Job, Output, Stage
from stages import duplicate_report, minhash
from stages.duplicates import COMMON_KEYS, Search
from stages.numbering import ORDERS, Numbering, row_of, shard_of
from stages.signed import Scheme, Shard, SignedFiles, Signer, orders_in, recall_forgotten, recall_states

ADDED = pa.schema(
    [
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("duplicates", pa.int32()),
        ("exact_only", pa.bool_()),
    ]
)
SIGNATURES = "signatures"  # the part that later steps read
PRESETS = {"fineweb": (14, 8, 5), "spark": (10, 1, 1)}  # bands, rows, words in a shingle
SPARK_MOST = 100_000  # documents; with one value to a band nearly half of all pairs become candidates
VALUES = 256  # in a signature at most, when the bands are chosen
BLOCK_BYTES = 2_048  # of memory for each document of a block


@dataclass(frozen=True)
class Deduplicate(Stage):
    """Remove copies (of all words) and near-copies (MinHash-LSH, every pair verified), naming what stays.

    Of similar documents the first in this order stays: those of `against`, in its order; split "val"; the
    datasets as they are listed; the higher quality; the one with more words; a hash of the id. Copies share
    the fate of the first of them. Adds `duplicate_of` and `similarity` (what a rejected document is a
    duplicate of, and how like), `duplicates` (how many rejected documents name this one) and `exact_only`
    (too short for a shingle, so only copies of it were looked for).

    `against` names datasets that nothing is removed from: what is like a document of theirs goes. If one is
    the folder of another `deduplicate` step, say of last month's run, its signatures are read and not made
    again, and the result is that of one step over both in which the earlier dataset comes first.

    Fields:
        threshold: the least Jaccard similarity of two sets of shingles at which one goes
        preset: bands, rows and shingle of "fineweb" (14, 8, 5), of Spark's MinHashLSH as in GPT-3 ("spark":
            10, 1, 1; for at most 100,000 documents), or "chosen" for the threshold, by `missed`
        missed: with "chosen", the share of pairs at the threshold that you will bear not to find
        shingle: words in a shingle, signs where no spaces are written; this and the next two, if given, stand
            instead of the preset's
        bands: groups of signature values; two documents are compared when they agree in a whole group
        rows: values in a group; similarity s is found with chance 1 - (1 - s^rows)^bands
        quality: column of scores from 0 to 1; that of this name is used if it is there
        seed: chooses the permutations, as in datasketch
        memory: megabytes that a task may take, about; changes no result
        scratch: gigabytes on disk for keys that are being matched, about; changes no result
        max_removed: the run stops when a source of 100 documents or more loses a larger share than this
    """

    threshold: float = 0.8
    preset: Literal["fineweb", "spark", "chosen"] = "fineweb"
    missed: float = 0.01
    shingle: int | None = None
    bands: int | None = None
    rows: int | None = None
    quality: str = "quality"
    seed: int = 0
    memory: int = 2_048
    scratch: float = 100.0

    max_removed: float = 0.9

    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "against": "documents"}
    optional: ClassVar[frozenset[str]] = frozenset({"against"})
    evidence: ClassVar[frozenset[str]] = frozenset({"duplicate_of"})
    alarms: ClassVar[frozenset[str]] = frozenset({"max_removed"})
    version: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not 0 <= self.max_removed <= 1:
            raise ValueError(f"max_removed = {self.max_removed} must lie between 0 and 1")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold = {self.threshold} must be above 0 and at most 1")
        if not 0 < self.missed < 1:
            raise ValueError(f"missed = {self.missed} must be between 0 and 1")
        for name in ("shingle", "bands", "rows", "memory", "scratch"):
            value = getattr(self, name)
            if value is not None and not (value > 0 if name == "scratch" else value >= 1):
                raise ValueError(
                    f"{name} = {value} must be {'more than 0' if name == 'scratch' else 'at least 1'}"
                )
        if not 0 <= self.seed < 1 << 32:
            raise ValueError(f"seed = {self.seed} must be at least 0 and below 2^32")
        if self.preset == "spark" and self.shingle not in (None, 1):
            raise ValueError(f"shingle = {self.shingle}: Spark's are single words; take another preset")
        _ = self.scheme

    @property
    def scheme(self) -> Scheme:
        """The bands, rows and shingles that the fields ask for."""
        bands, rows, shingle = PRESETS.get(self.preset, PRESETS["fineweb"])
        if self.preset == "chosen":
            bands, rows = minhash.chosen_bands(self.threshold, self.missed, VALUES)
        return Scheme(self.bands or bands, self.rows or rows, self.shingle or shingle, self.seed)

    def preview(self) -> Mapping[str, list[dict[str, Any]]]:
        """The probability of finding a pair, by its similarity."""
        bands, rows, shingle, _ = vars(self.scheme).values()
        steps = sorted({0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, self.threshold})
        curve = [(step, minhash.found(step, bands, rows)) for step in steps]
        title = (
            f"pairs that {bands} bands of {rows} values find, by similarity of their {shingle}-word shingles"
        )
        return {
            title: [
                {
                    "similarity": step,
                    "found": f"{chance:.4f}",
                    "": "█" * round(30 * chance),
                    "then": "one goes" if step >= self.threshold else "compared, both stay",
                }
                for step, chance in curve
            ]
        }

    def alarm(self, dataset: Dataset) -> str | None:
        """A source that is nearly gone."""
        return duplicate_report.alarm(dataset, self.max_removed)

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """What went, by source, language, domain and similarity; the largest groups; very common keys."""
        return duplicate_report.summary(dataset)

    @classmethod
    def erase(cls, folder: str, task: str, gone: UInt64s, output: Output) -> bool:
        """The report shows no text of the documents either."""
        if task == "report/all":
            return duplicate_report.erase(folder, gone, output)
        return super().erase(folder, task, gone, output)

    def run(self, job: Job) -> None:
        """Sign the documents, search for duplicates, mark the documents."""
        documents = job.inputs["documents"]
        if not documents.shards:
            raise InputError(f"{documents} has no shards; look at what its step read: pipeline status")
        if self.quality not in ("", "quality") or self.quality in documents.schema.names:
            check_scores(job.step, documents.schema, self.quality)
        signed = self.signed(job)
        own, total = signed.numbering.references, signed.numbering.total
        if self.preset == "spark" and total > SPARK_MOST:
            raise RecipeError(
                f"step '{job.step}': preset = \"spark\" compares nearly half of all pairs, so it is "
                f'for at most {SPARK_MOST:,} documents, and here are {total:,}; use "fineweb"'
            )
        search = Search(signed, self.threshold, self.memory << 20, int(self.scratch * 1e9))
        decisions = search.run(job)
        shards = {shard.name: own + number for number, shard in enumerate(signed.shards[own:])}
        mark = partial(self.mark, documents, signed, decisions)
        job.map("shards", mark, shards, documents.contents)
        duplicate_report.write(job, common_keys(job.folder))
        states = (f"states-{place:03d}" for place in range(len(references(job))))
        job.discard("told-merged", "references", "forgotten", *states)

    def signed(self, job: Job) -> SignedFiles:
        """The documents of `against`, then the step's own, all with signatures."""
        against = references(job)
        forgotten = self._forgotten(job, against)
        recalled = [self._recalled(job, place, part, forgotten) for place, part in enumerate(against)]
        plain = {place: part for place, part in enumerate(against) if not recalled[place]}
        signed_here = self._references(job, plain)
        shards: list[Shard] = []
        end = 0
        for place in range(len(against)):
            found = recalled[place] or signed_here[place]
            first, last = orders_in(found[0].signatures) if recalled[place] else (0, 1)
            shards += [shard._replace(shift=end - first) for shard in found]
            end += last - first
        own = self._own(job, job.inputs["documents"], end)
        rows = tuple(shard.rows for shard in (*shards, *own))
        numbering = Numbering(rows, len(shards), max(1, (self.memory << 20) // BLOCK_BYTES))
        return SignedFiles(numbering, self.scheme, (*shards, *own))

    def _own(self, job: Job, documents: Dataset, first: int) -> list[Shard]:
        """The documents that are to be deduplicated: split "val" of all of them, then by dataset."""
        end = first + 1 + len(documents.parts)
        if end > ORDERS:
            raise RecipeError(
                f"step '{job.step}': deduplicate puts at most {ORDERS:,} datasets in order; join some of them"
            )
        places = [(name, place, part) for place, part in enumerate(documents.parts) for name in part.shards]
        items = {name: (part, name, (first, first + 1 + place, end)) for name, place, part in sorted(places)}
        sign = Signer(self.scheme, self.quality).sign
        paths = job.map(SIGNATURES, sign, items, documents.contents)
        order = sorted(places, key=lambda each: (each[1], each[0]))
        return [Shard(part, name, paths[name], "", 0) for name, _, part in order]

    def _references(self, job: Job, against: Mapping[int, Dataset]) -> dict[int, list[Shard]]:
        """Datasets to be compared with that bring no signatures."""
        for part in against.values():
            if self.quality in part.schema.names:
                check_scores(job.step, part.schema, self.quality)
        items = {
            f"{place:03d}-{name}": (part, name, (0, 0, 1))
            for place, part in against.items()
            for name in sorted(part.shards)
        }
        sign = Signer(self.scheme, self.quality).sign
        paths = job.map("references", sign, items, {}) if items else {}
        return {
            place: [Shard(part, name, paths[f"{place:03d}-{name}"], "", 0) for name in sorted(part.shards)]
            for place, part in against.items()
        }

    def _forgotten(self, job: Job, against: Sequence[Dataset]) -> str:
        """A file of the ids that runs have forgotten since; empty if there are none."""
        ledgers = tuple(
            f"{part.folders[0]}/rejected/{name}.parquet"
            for part in against
            for name, record in sorted(part.manifests[0].shards.items())
            if FORGOTTEN in record["counts"].get("reasons", {})
        )
        return job.map("forgotten", recall_forgotten, {"all": ledgers}, {})["all"] if ledgers else ""

    def _recalled(self, job: Job, place: int, reference: Dataset, forgotten: str) -> list[Shard]:
        """The documents of an earlier step of this kind, kept and removed; empty if it is of another kind."""
        [manifest], [folder] = reference.manifests, reference.folders
        files = {
            name: f"{folder}/{SIGNATURES}/{name}.parquet"
            for name in sorted(manifest.tasks.get(SIGNATURES, {}))
        }
        for path in list(files.values())[:1]:
            if differences := self.scheme.differs(path):
                raise RecipeError(
                    f"step '{job.step}': signatures of {folder} cannot be compared with those of this step: "
                    f"{differences}; give both steps the same bands, rows, shingle and seed"
                )
        items = {f"{place:03d}-{name}": (reference, name, path) for name, path in files.items()}
        recall = partial(recall_states, forgotten)
        states = job.map(f"states-{place:03d}", recall, items, {}) if items else {}
        return [
            Shard(reference, name, path, states[f"{place:03d}-{name}"], 0) for name, path in files.items()
        ]

    def mark(
        self,
        documents: Dataset,
        signed: SignedFiles,
        decisions: tuple[str, ...],
        shard: int,
        output: Output,
    ) -> None:
        """Write the documents of a shard, with the columns of all datasets and what was decided."""
        _, name, signatures, _, _ = signed.shards[shard]
        marks = decided(decisions, signed.numbering, shard)
        short = [table["short"] for table in read_batches(signatures, ["short"])]
        marks = marks.append_column("exact_only", pa.chunked_array(short, pa.bool_()))
        writer = output.documents(unify([documents.schema, ADDED], output.folder))
        start = 0
        for table in documents.batches(name):
            rows = marks.slice(start, table.num_rows)
            start += table.num_rows
            if "duplicates" in table.column_names:  # counted by an earlier step of this kind
                earlier = pc.fill_null(table["duplicates"], 0)
                rows = with_column(rows, "duplicates", pc.add(earlier, rows["duplicates"]))
            writer.write(
                reduce(
                    lambda all_rows, each: with_column(all_rows, each, rows[each]), rows.column_names, table
                )
            )


def references(job: Job) -> Sequence[Dataset]:
    """The datasets that nothing is removed from."""
    return job.inputs["against"].parts if "against" in job.inputs else ()


def common_keys(folder: str) -> duplicate_report.Tables:
    """Keys that very many documents share, as a table."""
    common = storage.read_json(f"{folder}/{COMMON_KEYS}")
    rows = [{"documents": each["documents"], "first": ", ".join(each["first"][:3])} for each in common[:10]]
    return {"keys that very many documents share: compared with the first 8 each": rows}


def decided(decisions: tuple[str, ...], numbering: Numbering, shard: int) -> pa.Table:
    """The added columns but `exact_only`, and the reason, for each document of a shard."""
    told = read_partition(decisions, numbering.block_of_shard(shard))
    told = told.filter(pa.array(shard_of(told["document"].to_numpy()) == shard))
    rows = row_of(told["document"].to_numpy())
    goes = pc.is_valid(told["duplicate_of"]).to_numpy()
    place = np.full(numbering.rows[shard], -1)
    place[rows[goes]] = np.flatnonzero(goes)
    marks = told.take(pa.array(place, mask=place < 0))
    counts = np.bincount(rows[~goes], told["duplicates"].filter(pa.array(~goes)).to_numpy(), len(place))
    return pa.table(
        {
            "duplicate_of": marks["duplicate_of"],
            "similarity": marks["similarity"],
            "duplicates": counts.astype(np.int32),
            REASON: pc.if_else(marks["exact"], "duplicate:exact", "duplicate:near"),
        }
    )
