"""What the rules of a step would reject, each alone and all together, from the columns it has measured."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import shards
from pipeline.errors import InputError, RecipeError
from pipeline.inspection import Row, RunFolder
from pipeline.schema import FORGOTTEN, REASON
from pipeline.stage import MapStage

_TOGETHER = "together"


def forecast(run: RunFolder, step: str) -> dict[str, list[Row]]:
    """Group of rules -> a row for each rule, and one for all of the group: documents, share, and how many
    no other rule of the group rejects.

    Counts what the step kept and what it rejected, and so tells also of rules that it did not use. Raises
    RecipeError for a step without rules, InputError for one whose documents are not there.
    """
    stage = run.recipe.step(step).stage
    if not isinstance(stage, MapStage) or not _has_rules(stage):
        known = [name for name, each in run.recipe.steps.items() if _has_rules(each.stage)]
        raise RecipeError(
            f"step '{step}' has no rules to tell apart; steps that have: {', '.join(known) or 'none'}"
        )
    if run.manifest(step) is None or not run.recipe.steps[step].materialize:
        raise InputError(
            f"{run.path(step)} holds no finished documents: it must be done, and not say materialize = false"
        )
    total = 0
    counts: dict[str, dict[str, NDArray[np.int64]]] = {}
    for table in _measured(run, step, stage.adds().names):
        total += table.num_rows
        for group, masks in stage.judge(table).items():
            known_counts = counts.setdefault(group, {})
            for rule, found in _counted(masks).items():
                known_counts[rule] = known_counts.get(rule, np.zeros(2, np.int64)) + found
    return {
        group: [_row(rule, found, total) for rule, found in rules.items()] for group, rules in counts.items()
    }


def _has_rules(stage: Any) -> bool:
    return isinstance(stage, MapStage) and type(stage).judge is not MapStage.judge


def _measured(run: RunFolder, step: str, columns: list[str]) -> Iterator[pa.Table]:
    for name in run.names(step, "shards"):
        yield from shards.read_batches(f"{run.path(step, 'shards')}/{name}.parquet", columns)
    for name in run.names(step, "rejected"):
        for table in shards.read_batches(f"{run.path(step, 'rejected')}/{name}.parquet", [*columns, REASON]):
            yield table.filter(pc.not_equal(table[REASON], FORGOTTEN)).drop_columns([REASON])


def _counted(masks: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
    """Rule -> (rows it rejects, rows that it alone rejects); the last is all of them together."""
    broken = np.array([mask.to_numpy(zero_copy_only=False) for mask in masks.values()], bool)
    rules = broken.sum(axis=0)
    found = {
        rule: np.array([row.sum(), (row & (rules == 1)).sum()], np.int64)
        for rule, row in zip(masks, broken, strict=True)
    }
    return found | {_TOGETHER: np.array([(rules > 0).sum(), (rules > 0).sum()], np.int64)}


def _row(rule: str, found: NDArray[np.int64], total: int) -> Row:
    share = f"{100 * int(found[0]) / max(total, 1):.1f}"
    return {"rule": rule, "documents": int(found[0]), "%": share, "by_no_other": int(found[1])}
