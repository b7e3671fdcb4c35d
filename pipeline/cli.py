"""The command line; the one place that ties the engine and the stages together."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipeline import forecast as forecasts
from pipeline import inspection, tables
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, WinnowError, nearest
from pipeline.executors import Executor, Inline, Processes
from pipeline.files import located
from pipeline.forget import LIST, TakeDown
from pipeline.inspection import RunFolder
from pipeline.progress import Bars, Lines
from pipeline.recipe import Recipe, is_outside, load
from pipeline.remote_settings import used
from pipeline.runner import Run, check_files
from stages import STAGES
from stages.forgotten import Forgotten, entries

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Common Crawl in, GPT training shards out."
)
WIDE = None if sys.stdout.isatty() else 140  # a log or a pipe has no width; tables need some
console = Console(width=WIDE)
errors = Console(stderr=True)

RecipePath = Annotated[str, typer.Argument(metavar="RECIPE", help="a recipe file, such as configs/gpt3.toml")]
RunPath = Annotated[str, typer.Argument(metavar="DIR", help="a run's folder, such as runs/gpt3")]


@app.command()
def run(
    recipe: RecipePath,
    out: Annotated[str, typer.Option(help="the run's folder; runs/<recipe name> if not given")] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="worker processes; 0: as the recipe says, or all cores")
    ] = 0,
    to: Annotated[str, typer.Option(metavar="STEP", help="make this step and those it needs")] = "",
    redo: Annotated[
        str, typer.Option(metavar="STEP", help="first delete this step and all that read it")
    ] = "",
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP", help="finish this step in spite of its alarm; may be given several times"
        ),
    ] = None,
) -> None:
    """Make every step of a recipe; what is done already is left alone."""
    asked = load(recipe, STAGES)
    folder = (out or f"runs/{asked.name}").rstrip("/")
    progress = Bars(console) if console.is_terminal else Lines(console)
    work = Run(asked, folder, executor(workers or asked.workers), progress, console.print)
    try:
        work.run(to or None, redo or None, allow or ())
    except KeyboardInterrupt:
        errors.print("stopped; run the same command again to continue")
        raise typer.Exit(130) from None
    status(folder)


@app.command()
def status(folder: RunPath) -> None:
    """The funnel: documents, bytes and tokens in and kept, and rejected by reason, for each step."""
    found = RunFolder.open(folder, STAGES)
    console.print(tables.funnel(found))
    for name, step in found.recipe.steps.items():
        if found.manifest(name):
            print_tables(name, step.stage.summary(Dataset(found.path(name))))


@app.command()
def show(
    step: Annotated[str, typer.Argument(metavar="DIR/STEP", help="a step's folder, such as runs/gpt3/good")],
    number: Annotated[int, typer.Option("-n", min=1, help="how many documents")] = 5,
    sort: Annotated[str, typer.Option(metavar="COLUMN", help="first by this column; -COLUMN: last")] = "",
    rejected: Annotated[bool, typer.Option("--rejected", help="those that this step rejected")] = False,
    reason: Annotated[str, typer.Option(help="rejected with a reason that begins so")] = "",
    characters: Annotated[int, typer.Option(min=1, help="of each text")] = 1500,
) -> None:
    """Documents as a person reads them: spread evenly over the step, or in the order of a column."""
    found, name = opened(step)
    if not (rejected or reason):
        rows = inspection.sample(found, name, number, sort)
    else:
        rows = inspection.sample_rejected(found, name, number, reason, sort)
        if not rows:
            known = ", ".join(inspection.reasons(found, name)) or "none"
            wanted = f" for '{reason}'" if reason else ""
            raise InputError(f"{step} rejected nothing{wanted}; its reasons: {known}")
    for row in rows:
        console.print(tables.document(row, characters))


@app.command()
def why(
    folder: RunPath,
    key: Annotated[str, typer.Argument(metavar="ID-OR-URL", help="a document's id, or its whole URL")],
) -> None:
    """The way of a document through every step: kept here, rejected there because …"""
    for seen in inspection.why(RunFolder.open(folder, STAGES), key):
        console.print(tables.way(seen))
        console.print()


@app.command()
def forget(
    folder: RunPath,
    urls: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="a list of ids, URLs and domains, one a line; may be repeated"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    workers: Annotated[int, typer.Option(min=0, help="worker processes; 0: all cores")] = 0,
) -> None:
    """Take documents out of every step of a run and out of its training shards, for good.

    Without a list: what the run was told before; also ends what was stopped.
    """
    progress = Bars(console) if console.is_terminal else Lines(console)
    take_down = TakeDown(folder, STAGES, Forgotten.of, executor(workers or None), progress, console.print)
    wanted = entries([located(path, os.getcwd()) for path in urls or ()])
    try:
        found = take_down.preview(wanted) if dry_run else take_down.run(wanted)
    except KeyboardInterrupt:
        errors.print("stopped; run the same command again to continue")
        raise typer.Exit(130) from None
    title = f"{folder}: to be forgotten" if dry_run else f"{folder}: forgotten"
    console.print(
        tables.rows(title, found) if found else f"nothing found: {folder} holds none of these documents"
    )
    if not dry_run:
        console.print(
            f"{folder}/{LIST} lists what sources will leave out from now on, also when they run again"
        )


@app.command()
def forecast(
    step: Annotated[str, typer.Argument(metavar="DIR/STEP", help="a step with rules, such as heuristics")],
) -> None:
    """What each rule of a step would reject, alone and together; nothing runs again."""
    found, name = opened(step)
    for group, records in forecasts.forecast(found, name).items():
        console.print(tables.rows(f"{name}: {group}", records))
        console.print()


@app.command()
def check(recipe: RecipePath) -> None:
    """Read a recipe and say what is wrong with it, without running anything."""
    asked = load(recipe, STAGES)
    with used(asked.network):
        check_files(asked)
    console.print(tables.rows(f"{asked.name}: {len(asked.steps)} steps, all well", plan(asked)))
    for name, step in asked.steps.items():
        print_tables(name, step.stage.preview())


@app.command()
def stages(name: Annotated[str, typer.Argument(help="of one stage: all its fields")] = "") -> None:
    """What each stage does; with a NAME, each of its fields."""
    if not name:
        console.print(tables.stage_list(STAGES))
        return
    if name not in STAGES:
        raise RecipeError(f"no stage '{name}'; {nearest(name, STAGES)}")
    console.print(tables.stage_page(name, STAGES[name]))


def print_tables(step: str, told: Mapping[str, list[dict[str, Any]]]) -> None:
    """What a stage tells of itself: title -> rows."""
    for title, records in told.items():
        console.print()
        console.print(tables.rows(f"{step}: {title}", records))


def opened(step: str) -> tuple[RunFolder, str]:
    """The run of DIR/STEP, and the step's name."""
    if inspection.is_run(step):
        raise RecipeError(f"{step} is a whole run; name one of its steps, such as {step.rstrip('/')}/<step>")
    folder, _, name = step.rstrip("/").rpartition("/")
    found = RunFolder.open(folder or ".", STAGES)
    found.recipe.step(name)
    return found, name


def plan(recipe: Recipe) -> list[dict[str, str]]:
    """The steps in the order in which they run."""
    return [
        {
            "step": step.name,
            "stage": step.kind,
            "reads": ", ".join(
                f"{key} = {' + '.join(map(shown, names))}" for key, names in step.inputs.items()
            ),
            "makes": step.stage.makes if step.materialize else "flows on",
        }
        for step in recipe.steps.values()
    ]


def shown(name: str) -> str:
    """An input as a person finds it: a step's name, or the folder of another run's step seen from here."""
    return os.path.relpath(name) if is_outside(name) else name


def executor(workers: int | None) -> Executor:
    """This process for one worker, worker processes for more; all cores if it is None."""
    wanted = workers or len(os.sched_getaffinity(0))
    return Inline() if wanted == 1 else Processes(wanted)


def main() -> None:
    """Run the command line; an error of ours is one message and its exit code, never a traceback."""
    try:
        app()
    except WinnowError as error:
        errors.print(Text.assemble(("error:", "bold red"), f" {error}"), soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
