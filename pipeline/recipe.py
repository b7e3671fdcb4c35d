"""A recipe: a TOML file of named steps, read into checked stage objects and how they are wired.

seed = 1
[steps.good]
stage = "quality"
documents = "english"        # inputs by step name; a list means order of precedence
model = "../runs/2026-09/classifier"  # or the folder of a finished step of another run
alpha = 9                    # every other key is a field of the stage
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline import files, remote, storage
from pipeline.errors import InputError, RecipeError, nearest
from pipeline.remote_settings import Network
from pipeline.stage import MapStage, Stage

Stages = Mapping[str, type[Stage]]
_FINITE = ConfigDict(allow_inf_nan=False)  # an identity is JSON, which has no other numbers
_STEP = re.compile(r"[\w-]+")
_TOP = {"seed", "error_limit", "workers", "network", "steps"}


@dataclass(frozen=True)
class Step:
    """A stage with its parameters, and the steps whose datasets it reads."""

    name: str
    kind: str  # name of the stage
    stage: Stage
    inputs: Mapping[str, tuple[str, ...]]  # names of steps, and folders of other runs' steps
    materialize: bool = True

    @property
    def reads(self) -> set[str]:
        """All steps of the recipe that this one reads."""
        return {step for steps in self.inputs.values() for step in steps if not is_outside(step)}

    @property
    def outside(self) -> set[str]:
        """The folders of other runs' steps that this one reads."""
        return {step for steps in self.inputs.values() for step in steps if is_outside(step)}


@dataclass(frozen=True)
class Recipe:
    """What was asked. `steps` are in an order in which each comes after those it reads."""

    name: str
    text: str  # verbatim
    steps: Mapping[str, Step]
    workers: int | None  # None: one for each core
    error_limit: float  # share of a step's rows that may be rejected with an `error:` reason
    stages: Stages  # what there is, by name
    network: Network = field(default_factory=Network)  # of no influence on results

    def readers(self, name: str) -> list[str]:
        """The steps that read `name`, directly or not, in order."""
        found = {name}
        for step in self.steps.values():
            if step.reads & found:
                found.add(step.name)
        return [step for step in self.steps if step in found and step != name]

    def ancestors(self, name: str) -> set[str]:
        """The steps that `name` reads, directly or not."""
        return set().union(*({other} | self.ancestors(other) for other in self.steps[name].reads))

    def step(self, name: str) -> Step:
        """The step of this name; RecipeError names the nearest one."""
        if name not in self.steps:
            raise RecipeError(f"recipe '{self.name}' has no step '{name}'; {nearest(name, self.steps)}")
        return self.steps[name]


def is_outside(name: str) -> bool:
    """Whether an input is not a step of the recipe, but the folder of another run's step."""
    return "/" in name


def load(path: str, stages: Stages) -> Recipe:
    """Read and check a recipe file; RecipeError or InputError says what is wrong and what would be right."""
    name = os.path.basename(path).removesuffix(".toml")
    return parse(storage.read_bytes(path), name, os.path.dirname(os.path.abspath(path)), stages)


def parse(data: bytes, name: str, folder: str, stages: Stages) -> Recipe:
    """A recipe from its text; relative paths in it are taken from `folder`."""
    try:
        text = data.decode("utf-8-sig")
        body = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"recipe '{name}' is not valid TOML: {error}") from error
    for key in body:
        if key not in _TOP:
            raise RecipeError(f"recipe '{name}': unknown key '{key}'; {nearest(key, _TOP)}")
    seed = _typed(f"recipe '{name}'", "seed", body.get("seed", 0), int)
    limit = _typed(f"recipe '{name}'", "error_limit", body.get("error_limit", 0.1), float)
    if not 0 <= limit <= 1:
        raise RecipeError(f"recipe '{name}' error_limit = {limit}: a share of the rows, between 0 and 1")
    workers = _typed(f"recipe '{name}'", "workers", body.get("workers"), int | None)
    if workers is not None and workers < 1:
        raise RecipeError(
            f"recipe '{name}' workers = {workers}: must be at least 1; leave it out for all cores"
        )
    tables = _typed(f"recipe '{name}'", "steps", body.get("steps", {}), dict[str, dict[str, Any]])
    if not tables:
        raise RecipeError(
            f"recipe '{name}' has no steps; a step is a table such as [steps.crawl] with stage = ..."
        )
    steps = {
        key: _step(key, table, {"seed": seed, "folder": folder}, stages) for key, table in tables.items()
    }
    network = _network(body.get("network", {}), folder)
    recipe = Recipe(name, text, _ordered(steps), workers, limit, stages, network)
    for step in recipe.steps.values():
        _check_wiring(recipe, step)
    return recipe


def _network(table: Any, folder: str) -> Network:
    """The [network] table."""
    where, hints = "[network]", get_type_hints(Network)
    values = {}
    for key, raw in _typed("the recipe's", "network", table, dict[str, Any]).items():
        if key not in hints:
            raise RecipeError(f"{where}: unknown field '{key}'; {nearest(key, hints)}")
        values[key] = _typed(where, key, raw, hints[key])
    if values.get("cache"):
        values["cache"] = os.path.join(folder, os.path.expanduser(values["cache"]))
    with _blamed(where):
        return Network(**values)


def _step(name: str, table: dict[str, Any], given: Mapping[str, Any], stages: Stages) -> Step:
    where = f"[steps.{name}]"
    if not _STEP.fullmatch(name):
        raise RecipeError(
            f"{where}: a step's name becomes a folder, so it is of letters, digits, '_' and '-'"
        )
    kind = _typed(where, "stage", table.pop("stage", None), str | None)
    if kind is None:
        raise RecipeError(f'{where} names no stage; write stage = "...", one of: {", ".join(sorted(stages))}')
    if kind not in stages:
        raise RecipeError(f"{where} stage = '{kind}': no such stage; {nearest(kind, stages)}")
    cls, hints = stages[kind], get_type_hints(stages[kind])
    materialize = _typed(where, "materialize", table.pop("materialize", True), bool)
    inputs = {}
    for key in cls.inputs:
        if key in hints and not _names_step(table.get(key)):
            continue  # it is a field, too: a file
        value = table.pop(key, [])
        names = _typed(where, key, (value,) if isinstance(value, str) else _tuples(value), tuple[str, ...])
        if names:
            inputs[key] = tuple(_place(f"{where} {key}", name, given["folder"]) for name in names)
        elif key not in cls.optional:
            raise RecipeError(
                f"{where}: stage '{kind}' needs an input '{key}'; write {key} = \"<name of a step>\""
            )
    stage = _stage(where, cls, table, given)
    with _blamed(where):
        stage.check_inputs(frozenset(inputs))
    return Step(name, kind, stage, inputs, materialize)


def _stage(where: str, cls: type[Stage], table: dict[str, Any], given: Mapping[str, Any]) -> Stage:
    hints = get_type_hints(cls, include_extras=True)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, raw in table.items():
        if key not in known:
            valid = {*known, *cls.inputs, "stage", "materialize"}
            raise RecipeError(f"{where}: unknown field '{key}'; {nearest(key, valid)}")
        marked = is_files(hints[key])
        value = [raw] if marked and isinstance(raw, str) else raw
        values[key] = _typed(where, key, _tuples(value), hints[key])
        if marked:
            values[key] = tuple(_located(f"{where} {key}", path, given["folder"]) for path in values[key])
    if "seed" in known:
        values.setdefault("seed", given["seed"])
    for key, f in known.items():
        if key not in values and f.default is MISSING and f.default_factory is MISSING:
            raise RecipeError(f"{where}: field '{key}' is missing; `pipeline stages` says what it means")
    with _blamed(where):
        return cls(**values)


def _names_step(value: Any) -> bool:
    """Whether a value names a step, where a file might stand as well: a file's name has a point.

    Of the folder of another run's step, the last part counts.
    """
    return isinstance(value, str) and _STEP.fullmatch(value.rstrip("/").rpartition("/")[2]) is not None


def _place(where: str, name: str, folder: str) -> str:
    """The name of a step as it is; the folder of another run's step, which has a '/', as a whole path."""
    if remote.is_remote(name):
        raise RecipeError(f"{where} = '{name}': a step of another run is read from a disk; copy its folder")
    return _located(where, name, folder) if is_outside(name) else name


@contextmanager
def _blamed(where: str) -> Iterator[None]:
    """Put the place in the recipe before what a stage says of its fields."""
    try:
        yield
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from error


def is_files(hint: Any, mark: str | None = None) -> bool:
    """Whether a field's type is `Files` or `SmallFiles` (or just the one that `mark` names)."""
    marks = (mark,) if mark else (files.DATA, files.SMALL)
    return any(m in marks for m in getattr(hint, "__metadata__", ()) if isinstance(m, str))


def _located(where: str, pattern: str, folder: str) -> str:
    try:
        return files.located(pattern, folder)
    except InputError as error:
        raise RecipeError(f"{where}: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _typed(where: str, key: str, value: Any, hint: Any) -> Any:
    """`value` if it is of the type `hint`; RecipeError otherwise."""
    try:
        return TypeAdapter(hint, config=_FINITE).validate_python(value, strict=True)
    except ValidationError as error:
        shown = list(value) if isinstance(value, tuple) else value
        raise RecipeError(f"{where} {key} = {shown!r}: {error.errors()[0]['msg'].lower()}") from error


def _ordered(steps: Mapping[str, Step]) -> dict[str, Step]:
    """Each step after those it reads; else by name, so that the order in the file means nothing."""
    for step in steps.values():
        for other in sorted(step.reads):
            if other not in steps:
                raise RecipeError(
                    f"[steps.{step.name}] reads '{other}', which is no step; {nearest(other, steps)}"
                )
    try:
        return {
            name: steps[name]
            for name in TopologicalSorter({n: sorted(s.reads) for n, s in steps.items()}).static_order()
        }
    except CycleError as error:
        raise RecipeError(f"steps read each other in a circle: {' -> '.join(error.args[1])}") from error


def _check_wiring(recipe: Recipe, step: Step) -> None:
    where = f"[steps.{step.name}]"
    for key, names in step.inputs.items():
        for other in names:
            if is_outside(other):
                continue  # what it makes is seen in its folder, by check_outside
            made, wanted = recipe.steps[other].stage.makes, step.stage.inputs[key]
            if made != wanted:
                kind = recipe.steps[other].kind
                raise RecipeError(f"{where} {key} = '{other}': stage '{kind}' makes {made}, not {wanted}")
        if len(set(names)) < len(names):
            raise RecipeError(f"{where} {key} names a step twice: {', '.join(names)}")
    if "text" in step.stage.replaces:
        for other in sorted(recipe.ancestors(step.name)):
            if recipe.steps[other].stage.offsets:
                raise RecipeError(
                    f"{where} replaces the text, but '{other}' before it stored places in that text; "
                    f"put '{step.name}' before '{other}'"
                )
    if not step.materialize:
        _check_unmaterialized(recipe, step)


def _check_unmaterialized(recipe: Recipe, step: Step) -> None:
    where = f"[steps.{step.name}] materialize = false"
    if not isinstance(step.stage, MapStage) and not step.stage.is_source():
        raise RecipeError(
            f"{where}: stage '{step.kind}' does not work row by row, so its dataset must be written"
        )
    readers = [other for other in recipe.steps.values() if step.name in other.reads]
    flows = [
        o for o in readers if isinstance(o.stage, MapStage) and o.inputs.get("documents") == (step.name,)
    ]
    if len(readers) != 1 or len(flows) != 1:
        names = ", ".join(other.name for other in readers) or "none"
        raise RecipeError(
            f"{where}: its rows must flow into exactly one other row-wise step that reads nothing else "
            f"as documents (readers: {names}); leave materialize out"
        )
