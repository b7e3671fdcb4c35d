"""Finished steps of other runs that a recipe reads: looked at before anything runs.

What they are is in their folders: `identity.json` names the stage, and so the kind of dataset; its digest,
and that of the bytes where all of them are read at once, enter the identity of the reader. No path does.
"""

import os
from collections.abc import Iterator

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, blamed, nearest
from pipeline.manifest import Identity
from pipeline.recipe import Recipe, Step, is_outside


def refuse_own(recipe: Recipe, folder: str) -> None:
    """A run cannot read its own steps by their folders: what is to run before what would be unknown."""
    own = os.path.realpath(folder)
    for step in recipe.steps.values():
        for path in sorted(step.outside):
            if os.path.dirname(os.path.realpath(path)) == own:
                raise RecipeError(
                    f"[steps.{step.name}] reads {path}, which lies in the folder of this very run; write "
                    f"'{os.path.basename(path)}', the name of the step"
                )


def check_outside(recipe: Recipe, step: Step) -> None:
    """Each dataset of another run is there, finished, whole, and of the kind that the step reads.

    Raises InputError or RecipeError otherwise.
    """
    for key, names in step.inputs.items():
        found = [name for name in names if name in step.outside]
        for path in found:
            where = f"[steps.{step.name}] {key} = '{path}'"
            identity = _identity(where, path)
            _check_kind(recipe, f"{where}: stage '{identity.stage}'", identity, step.stage.inputs[key])
            _check_whole(where, path)
        with blamed(f"[steps.{step.name}] {key}:"):
            _ = Dataset(*found).shards  # no two of one name
    if "text" in step.stage.replaces:
        _check_offsets(recipe, step)


def _identity(where: str, path: str) -> Identity:
    """Of the step in `path`."""
    if identity := Identity.load(path):
        return identity
    if storage.exists(f"{path}/recipe.toml"):
        raise InputError(f"{where} is a whole run; name one of its steps, such as {path}/<step>")
    what = f"it has no {storage.IDENTITY}" if storage.exists(path) else "there is no such folder"
    raise InputError(
        f"{where} must be the folder of a finished step of another run, but {what}; check the path, which "
        "is relative to the recipe (a file, where one may stand, has a point in its name)"
    )


def _check_kind(recipe: Recipe, what: str, identity: Identity, wanted: str) -> None:
    if identity.stage not in recipe.stages:
        raise RecipeError(
            f"{what} made it, which is not known here; {nearest(identity.stage, recipe.stages)}"
        )
    if (made := recipe.stages[identity.stage].makes) != wanted:
        raise RecipeError(f"{what} makes {made}, not {wanted}")


def _check_whole(where: str, path: str) -> None:
    """The manifest is there, and every shard that it tells of."""
    if not storage.exists(f"{path}/manifest.json"):
        raise InputError(
            f"{where}: that step is not finished; run its recipe again, which continues where it stopped: "
            f"pipeline run <recipe> --out {os.path.dirname(path)} --to {os.path.basename(path)}"
        )
    there = set(storage.names(f"{path}/shards", ".parquet"))
    with blamed(f"{where}:"):
        shards = Dataset(path).shards
    if missing := sorted(set(shards) - there):
        raise InputError(
            f"{where}: {len(missing)} of its shards are not there, such as shards/{missing[0]}.parquet; copy "
            "the whole folder, or make it again"
        )


def _check_offsets(recipe: Recipe, step: Step) -> None:
    """No step of another run on the way here stored places in the text that `step` replaces."""
    chain = [recipe.steps[name] for name in sorted(recipe.ancestors(step.name) | {step.name})]
    for path in sorted(
        path for each in chain for path in each.inputs.get("documents", ()) if is_outside(path)
    ):
        for identity in _lineage(path):
            stage = recipe.stages.get(identity.stage)
            if stage is not None and stage.offsets:
                raise RecipeError(
                    f"[steps.{step.name}] replaces the text, but '{identity.step}', a step of another run on "
                    f"the way to {path}, stored places in that text; read a step before it"
                )


def _lineage(path: str) -> Iterator[Identity]:
    """The identities of a step and of those before it, as far as they lie in the same run."""
    run = os.path.dirname(path)
    steps = [
        f"{run}/{name}" for name in storage.names(run) if storage.exists(f"{run}/{name}/{storage.IDENTITY}")
    ]
    known = {each.digest: each for each in map(Identity.load, steps) if each}
    first = Identity.load(path)
    todo = [first] if first else []
    while todo:
        identity = todo.pop()
        yield identity
        todo += [known.pop(digest) for digest in identity.inputs.get("documents", ()) if digest in known]
