"""Any fastText classifier as a model of quality: the score of a text is the probability of one label."""

import difflib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.curve import Floats

PREFIX = "__label__"
DECIMALS = 6  # of a score; float32 arithmetic may differ between machines in the seventh


class FastText:
    """A supervised model in fastText's own format (`.bin`, `.ftz`) and the label that means good.

    Raises ValueError when the file is no such model, is not the one of the given sha256, or lacks the label.
    """

    def __init__(self, path: str, label: str, sha256: str = "") -> None:
        if sha256 and (found := _sha256(path)) != sha256.lower():
            raise ValueError(
                f"{path} has sha256 {found}, not {sha256}: it is another model, or a damaged one"
            )
        self.label = label if label.startswith(PREFIX) else PREFIX + label
        self._model = _load(path)
        labels = self._model.get_labels()
        if self.label not in labels:
            raise ValueError(f"{path} has no label '{label}'; {_nearest(self.label, labels)}")

    def scores(self, texts: pa.Array | pa.ChunkedArray) -> Floats:
        """The probability of the label for each text, read as one line; float64 in [0, 1]."""
        lines = one_line(pc.fill_null(texts, "")).to_pylist()
        if not lines:
            return np.zeros(0)
        labels, probabilities = self._model.predict(lines, k=-1)
        rows = (dict(zip(*row, strict=True)) for row in zip(labels, probabilities, strict=True))
        raw = np.array([row.get(self.label, 0.0) for row in rows], np.float64)
        return np.clip(np.round(raw, DECIMALS), 0, 1)


def one_line(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Texts as fastText takes them: spaces for the characters and the mark at which it stops reading."""
    return pc.replace_substring_regex(texts, r"[\n\r\x00]|</s>", " ")


def _load(path: str) -> Any:
    import fasttext

    try:
        model = fasttext.load_model(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a fastText model: {error}") from error
    if model.f.getArgs().model != fasttext.FastText.model_name.supervised:
        raise ValueError(
            f"{path} holds word vectors, not a classifier; train one with fastText's 'supervised'"
        )
    return model


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nearest(label: str, labels: list[str]) -> str:
    close = difflib.get_close_matches(label, labels, n=1, cutoff=0.0)
    return f"the nearest of its {len(labels)} is '{close[0].removeprefix(PREFIX)}'"
