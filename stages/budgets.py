"""How many sequences to draw of each source: weights, epochs or tokens into whole numbers; and the table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

from pipeline.errors import RecipeError

Way = Literal["weights", "epochs", "tokens"]
Key = tuple[str, str]  # split and source
TRAIN: Final = "train"
VAL: Final = "val"


@dataclass(frozen=True)
class Supply:
    """What there is of one source in one split."""

    documents: int = 0
    tokens: int = 0

    def rows(self, epochs: float, sequence: int) -> int:
        """Sequences in so many epochs, each with one token more than it is long."""
        return max(0, (math.floor(decimal(epochs) * self.tokens) - 1) // sequence)


@dataclass(frozen=True)
class Budget:
    """What a recipe asks for. A weight is met within one sequence; table 2.2 of GPT-3 sums to 101 %."""

    step: str
    way: Way
    asked: Mapping[str, float]  # by source; 0 leaves it out
    total_tokens: int | None  # only with weights
    max_epochs: float
    sequence: int

    def rows(self, supplies: Mapping[Key, Supply]) -> dict[Key, int]:
        """Sequences of each split and source: training as asked, validation once.

        Raises RecipeError where the documents do not allow it.
        """
        sources = sorted({source for _, source in supplies})
        training = self._training({source: supplies.get((TRAIN, source), Supply()) for source in sources})
        rows = {(TRAIN, source): count for source, count in training.items()}
        for key, supply in supplies.items():
            rows.setdefault(key, supply.rows(1, self.sequence) if key[0] == VAL else 0)
        return rows

    def table(self, supplies: Mapping[Key, Supply], rows: Mapping[Key, int]) -> list[dict[str, Any]]:
        """One line for each split and source: what there is, and what is drawn of it."""
        return [self._line(key, supplies.get(key, Supply()), rows) for key in sorted(rows)]

    def _training(self, supplies: Mapping[str, Supply]) -> dict[str, int]:
        self._check_names(supplies)
        most = {source: supply.rows(self.max_epochs, self.sequence) for source, supply in supplies.items()}
        self._check_enough(supplies, most)
        if self.way == "weights":
            total = self.total_tokens and self.total_tokens // self.sequence
            rows = apportion(largest_mixture(self.asked, most) if total is None else total, self.asked)
        elif self.way == "epochs":
            rows = {
                source: supplies[source].rows(times, self.sequence) for source, times in self.asked.items()
            }
        else:
            rows = {source: int(tokens) // self.sequence for source, tokens in self.asked.items()}
        self._check_rows(rows, supplies, most)
        return rows

    def _line(self, key: Key, supply: Supply, rows: Mapping[Key, int]) -> dict[str, Any]:
        split, source = key
        drawn = rows[key] * self.sequence  # inputs of training; the very last target is one more
        wanted = drawn
        if split == VAL:
            wanted = supply.tokens
        elif self.way == "epochs":
            wanted = math.floor(decimal(self.asked.get(source, 0)) * supply.tokens)
        elif self.way == "tokens":
            wanted = int(self.asked.get(source, 0))
        return {
            "split": split,
            "source": source,
            "documents": supply.documents,
            "tokens_available": supply.tokens,
            "weight": rows[key] / max(1, sum(count for (other, _), count in rows.items() if other == split)),
            "tokens_drawn": drawn,
            "sequences": rows[key],
            "epochs": drawn / max(1, supply.tokens),
            "tokens_dropped": wanted - drawn,
            "note": self._note(key, supply, rows[key]),
        }

    def _note(self, key: Key, supply: Supply, rows: int) -> str:
        if rows == 0:
            return "too little for one sequence" if key[0] == VAL else "left out"
        limits = self.way == "weights" and self.total_tokens is None
        if key[0] == TRAIN and limits and rows == supply.rows(self.max_epochs, self.sequence):
            return f"at max_epochs = {self.max_epochs:g}: limits the mixture"
        return ""

    def _check_names(self, supplies: Mapping[str, Supply]) -> None:
        unknown = sorted(set(self.asked) - set(supplies))
        unnamed = sorted(
            name for name, supply in supplies.items() if supply.tokens and name not in self.asked
        )
        if unknown or unnamed:
            wrong = [f"there is no source {', '.join(unknown)}"] if unknown else []
            wrong += [f"{', '.join(unnamed)} is not named"] if unnamed else []
            raise RecipeError(
                f"step '{self.step}': {self.way} name {', '.join(sorted(self.asked))}, and the documents "
                f"come from {', '.join(sorted(supplies))}: {' and '.join(wrong)}; name each source, "
                "with 0 to leave it out"
            )

    def _check_enough(self, supplies: Mapping[str, Supply], most: Mapping[str, int]) -> None:
        for source in sorted(self.asked):
            if self.asked[source] and not most[source]:
                raise RecipeError(
                    f"step '{self.step}': '{source}' has {supplies[source].tokens:,} training tokens, and "
                    f"{self.max_epochs:g} epochs of them do not fill one sequence of {self.sequence:,} + 1; "
                    f"add documents, lower `sequence`, or leave it out with {source} = 0"
                )

    def _check_rows(
        self, rows: Mapping[str, int], supplies: Mapping[str, Supply], most: Mapping[str, int]
    ) -> None:
        for source in sorted(rows):
            if self.asked[source] and not rows[source]:
                raise RecipeError(
                    f"step '{self.step}': {self.way} give '{source}' less than one sequence of "
                    f"{self.sequence:,} tokens, of {sum(rows.values()):,} sequences in all; ask for more, "
                    f"lower `sequence`, or leave it out with {source} = 0"
                )
            if rows[source] > most[source]:
                drawn, tokens = rows[source] * self.sequence, supplies[source].tokens
                raise RecipeError(
                    f"step '{self.step}': {self.way} draw {drawn:,} tokens of '{source}', which has "
                    f"{tokens:,}: {drawn / tokens:.2f} epochs, and max_epochs is {self.max_epochs:g}; "
                    f"{self._fewer(most)}, or raise max_epochs"
                )

    def _fewer(self, most: Mapping[str, int]) -> str:
        if self.way == "weights":
            return f"set total_tokens to {largest_mixture(self.asked, most) * self.sequence:,} or less"
        return "ask for less of it"


def decimal(value: float) -> Fraction:
    """The number as it was written: 1.9 is 19/10, not the nearest binary fraction below."""
    return Fraction(repr(value))


def apportion(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Whole shares of `total` by weight, each within one of the exact share, summing to `total`.

    The largest remainders are rounded up; of equal ones the first names.
    """
    exact = {name: decimal(weight) for name, weight in weights.items()}
    whole = sum(exact.values())
    shares = {name: total * weight / whole for name, weight in exact.items()}
    counts = {name: math.floor(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (counts[name] - shares[name], name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def largest_mixture(weights: Mapping[str, float], most: Mapping[str, int]) -> int:
    """The largest total that `apportion` shares out without giving any source more than `most`."""
    whole = sum(map(decimal, weights.values()))
    weighted = {name: decimal(weight) for name, weight in weights.items() if weight}
    return min(math.floor(most[name] * whole / weight) for name, weight in weighted.items())
