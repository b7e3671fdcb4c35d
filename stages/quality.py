"""quality: how much a document looks like the good ones, and whether it stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.calibration import Calibration
from classifiers.curve import Floats
from classifiers.fasttext import FastText
from classifiers.features import text_keys
from classifiers.keep import LARGEST_ALPHA, kept, pareto, threshold
from classifiers.words import Words, words
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.files import SmallFiles, expand
from pipeline.hashing import uniform
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.card import TOP_SHARES, calibration_of
from stages.train_quality import load_model

Score = Callable[[pa.ChunkedArray, Words], Floats]  # of texts and of their words
Rule = Callable[[Floats], Floats]  # scores -> keep probabilities


class Judge(NamedTuple):
    """What a worker needs to score and keep documents."""

    score: Score
    calibration: Calibration | None
    rule: Rule
    purpose: str  # of the draw


@dataclass(frozen=True)
class Quality(MapStage):
    """Score each document with a quality model; keep it by GPT-3's Pareto rule, a threshold or a top share.

    The model may tell any two kinds of documents apart: with one of toxic and other comments,
    column = "toxicity" and keep = "below" reject what is toxic.

    Draw and score depend on the document's words alone, so that copies share one fate even where case, space
    or punctuation differ (but a fastText model reads these too). A document without words scores 0.

    Fields:
        keep: the rule: pareto (GPT-3, appendix A), threshold, below, top_share, or all
        alpha: shape of the Pareto draw, up to 100: the higher, the fewer stay; 9 in GPT-3, appendix A;
            "fitted" takes the model's own, fitted as the paper's was to the scores of held-out good documents
        threshold: least score that the rule threshold keeps; from it on, the rule below rejects
        top_share: share of the crawl that the rule top_share keeps, by the scores of the model's crawl sample
        column: name of the score's column, and of the reason; <column>_probability (the calibrated score),
            <column>_draw and <column>_keep are beside it
        fasttext: file of a fastText classifier (.bin, .ftz), in place of the input `model`
        label: the fastText label that means good
        sha256: of the fastText file; checked if given
        seed: of the draw; the recipe's, if not given
    """

    keep: Literal["pareto", "threshold", "below", "top_share", "all"] = "pareto"
    alpha: float | Literal["fitted"] = 9.0
    threshold: float = 0.5
    top_share: float = 0.1
    column: str = "quality"
    fasttext: SmallFiles = ()
    label: str = ""
    sha256: str = ""
    seed: int = 0

    version: ClassVar[int] = 2
    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "model": "model"}
    optional: ClassVar[frozenset[str]] = frozenset({"model"})
    libraries: ClassVar[tuple[str, ...]] = ("fasttext-numpy2",)

    def __post_init__(self) -> None:
        if self.alpha != "fitted" and not 0 < self.alpha <= LARGEST_ALPHA:
            raise ValueError(f"alpha = {self.alpha} must be above 0 and at most {LARGEST_ALPHA:g}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold = {self.threshold} must lie between 0 and 1")
        if not 1 / TOP_SHARES <= self.top_share <= 1:
            raise ValueError(f"top_share = {self.top_share} must lie between {1 / TOP_SHARES} and 1")
        if not self.column:
            raise ValueError("column must be a name")
        if self.fasttext and not self.label:
            raise ValueError('fasttext needs the label that means good: label = "..."')
        if self.fasttext and self.keep == "top_share":
            raise ValueError(
                "top_share needs the scores of a crawl sample, which a fastText file lacks; use threshold"
            )
        if self.fasttext and self.alpha == "fitted":
            raise ValueError("a fastText file has no fitted alpha; give a number, such as 9")
        if not self.fasttext and (self.label or self.sha256):
            raise ValueError('label and sha256 belong to a fastText file: fasttext = "..."')

    def adds(self) -> pa.Schema:
        """The score and the calibrated probability, the draw in [0, 1) and the keep probability.

        A document is kept iff its draw is below the last. The calibrated probability is that of being one of
        the good documents where both sides are equally many (with the model's balance = "none": as many as
        in its sample); null where a model has no calibration.
        """
        parts = ("", "_probability", "_draw", "_keep")
        return pa.schema([(f"{self.column}{part}", pa.float64()) for part in parts])

    def check_inputs(self, given: frozenset[str]) -> None:
        """One model, from a step or from a file."""
        if ("model" in given) == bool(self.fasttext):
            raise ValueError('needs either model = "<a train_quality step>" or fasttext = "<file>"')

    def check_files(self) -> None:
        """The fastText file must hold a classifier with the label."""
        if self.fasttext:
            self._foreign()

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Judge:
        """The model, from the input or the fastText file."""
        if self.fasttext:
            foreign = self._foreign()
            return Judge(
                lambda texts, split: foreign.scores(texts), None, self._rule(step, {}), f"{step}/pareto"
            )
        model, card = load_model(inputs["model"])
        return Judge(model.scores, calibration_of(card), self._rule(step, card), f"{step}/pareto")

    def process(self, documents: pa.Table, loaded: Judge) -> pa.Table:
        """Score, draw, and decide."""
        split = words(documents["text"])
        scores = np.where(np.diff(split.offsets) > 0, loaded.score(documents["text"], split), 0.0)
        draws = uniform(self.seed, loaded.purpose, text_keys(split))
        chances = loaded.rule(scores)
        calibrated = pa.nulls(len(scores), pa.float64())
        if loaded.calibration is not None:
            calibrated = pa.array(loaded.calibration(scores))
        columns = (pa.array(scores), calibrated, pa.array(draws), pa.array(chances))
        for name, values in zip(self.adds().names, columns, strict=True):
            documents = with_column(documents, name, values)
        stays = pa.array(kept(draws, chances))
        return with_column(documents, REASON, pc.if_else(stays, None, f"{self.column}:{self.keep}"))

    def _rule(self, step: str, card: Mapping[str, Any]) -> Rule:
        """Scores -> keep probabilities; `card` is the model's."""
        if self.keep == "pareto":
            alpha = card["alpha"] and card["alpha"]["alpha"] if self.alpha == "fitted" else self.alpha
            if alpha is None:
                raise InputError(
                    f"[steps.{step}] the model held out no good document to fit alpha to; give a number"
                )
            return lambda scores: pareto(scores, alpha)
        if self.keep == "threshold":
            return lambda scores: threshold(scores, self.threshold)
        if self.keep == "below":
            return lambda scores: 1 - threshold(scores, self.threshold)
        if self.keep == "top_share":
            least: float = card["top_shares"][round(self.top_share * TOP_SHARES) - 1]
            return lambda scores: threshold(scores, least)
        return np.ones_like

    def _foreign(self) -> FastText:
        """The classifier in the fastText file."""
        paths = expand(self.fasttext)
        if len(paths) != 1:
            raise InputError(f"fasttext: {len(paths)} files match, such as {paths[0]}; name one")
        try:
            return FastText(paths[0], self.label, self.sha256)
        except ValueError as error:
            raise InputError(f"fasttext: {error}") from error
