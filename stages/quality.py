"""quality: how much a document looks like the good ones, and whether it stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from stages.card import TOP_SHARES
from stages.train_quality import load_model

Score = Callable[[pa.ChunkedArray, Words], Floats]  # of texts and of their words
Rule = Callable[[Floats], Floats]  # scores -> keep probabilities


class Judge(NamedTuple):
    """What a worker needs to score and keep documents."""

    score: Score
    rule: Rule
    purpose: str  # of the draw


@dataclass(frozen=True)
class Quality(MapStage):
    """Score each document with a quality model; keep it by GPT-3's Pareto rule, a threshold or a top share.

    Draw and score depend on the document's words alone, so that copies share one fate even where case, space
    or punctuation differ (but a fastText model reads these too). A document without words scores 0.

    Fields:
        keep: the rule: pareto (GPT-3, appendix A), threshold, top_share, or all
        alpha: shape of the Pareto draw, up to 100: the higher, the fewer stay; 9 in GPT-3, appendix A
        threshold: least score that the rule threshold keeps
        top_share: share of the crawl that the rule top_share keeps, by the scores of the model's crawl sample
        column: name of the score's column; <column>_draw and <column>_keep are beside it
        fasttext: file of a fastText classifier (.bin, .ftz), in place of the input `model`
        label: the fastText label that means good
        sha256: of the fastText file; checked if given
        seed: of the draw; the recipe's, if not given
    """

    keep: Literal["pareto", "threshold", "top_share", "all"] = "pareto"
    alpha: float = 9.0
    threshold: float = 0.5
    top_share: float = 0.1
    column: str = "quality"
    fasttext: SmallFiles = ()
    label: str = ""
    sha256: str = ""
    seed: int = 0

    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "model": "model"}
    optional: ClassVar[frozenset[str]] = frozenset({"model"})
    libraries: ClassVar[tuple[str, ...]] = ("fasttext-numpy2",)

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= LARGEST_ALPHA:
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
        if not self.fasttext and (self.label or self.sha256):
            raise ValueError('label and sha256 belong to a fastText file: fasttext = "..."')

    def adds(self) -> pa.Schema:
        """The score in [0, 1], the draw in [0, 1) and the keep probability: kept iff the draw is below it."""
        return pa.schema([(f"{self.column}{part}", pa.float64()) for part in ("", "_draw", "_keep")])

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
        score, least = self._model(inputs)
        rules: dict[str, Rule] = {
            "pareto": lambda scores: pareto(scores, self.alpha),
            "threshold": lambda scores: threshold(scores, self.threshold),
            "top_share": lambda scores: threshold(scores, least),
            "all": np.ones_like,
        }
        return Judge(score, rules[self.keep], f"{step}/pareto")

    def process(self, documents: pa.Table, loaded: Judge) -> pa.Table:
        """Score, draw, and decide."""
        split = words(documents["text"])
        scores = np.where(np.diff(split.offsets) > 0, loaded.score(documents["text"], split), 0.0)
        draws = uniform(self.seed, loaded.purpose, text_keys(split))
        probabilities = loaded.rule(scores)
        for name, values in zip(self.adds().names, (scores, draws, probabilities), strict=True):
            documents = with_column(documents, name, pa.array(values))
        stays = pa.array(kept(draws, probabilities))
        return with_column(documents, REASON, pc.if_else(stays, None, f"quality:{self.keep}"))

    def _model(self, inputs: Mapping[str, Dataset]) -> tuple[Score, float]:
        """What scores, and the least score of the top share."""
        if not self.fasttext:
            model, card = load_model(inputs["model"])
            least: float = card["top_shares"][round(self.top_share * TOP_SHARES) - 1]
            return lambda texts, split: model.scores(split), least
        foreign = self._foreign()
        return lambda texts, split: foreign.scores(texts), 0.0

    def _foreign(self) -> FastText:
        """The classifier in the fastText file."""
        paths = expand(self.fasttext)
        if len(paths) != 1:
            raise InputError(f"fasttext: {len(paths)} files match, such as {paths[0]}; name one")
        try:
            return FastText(paths[0], self.label, self.sha256)
        except ValueError as error:
            raise InputError(f"fasttext: {error}") from error
