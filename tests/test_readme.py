"""The README is true: its commands, stages, files, code and numbers are those of the project."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import typer

from pipeline import cli
from pipeline.recipe import load, parse
from pipeline.schema import DOCUMENT
from stages import STAGES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def test_every_command_and_option_is_named():
    group = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        assert f"pipeline {name}" in README
        for option in (o for p in command.params for o in p.opts if o.startswith("-")):
            assert option in README or option in ("--characters", "--help"), f"{name} {option}"


def test_every_stage_and_every_file_has_a_line():
    for name in STAGES:
        assert f"| `{name}` |" in README
    for package in ("pipeline", "classifiers", "stages"):
        for path in (ROOT / package).glob("[!_]*.py"):
            assert re.search(rf"^ +{path.name} ", README, re.MULTILINE), path.name
    for name in re.findall(r"^ +(\w+\.py) ", README, re.MULTILINE):
        assert list(ROOT.glob(f"*/{name}")), name


def test_recipes_are_recipes():
    """The first is whole; the others add steps to it."""
    whole, *parts = blocks("toml")
    recipe = parse(whole.encode(), "readme", "/nowhere", STAGES)
    assert list(recipe.steps)[-1] == "mixture"
    steps, network = whole.split("[network]")
    for part in parts:
        grown = parse(f"{steps}{part}[network]{network}".encode(), "readme", "/nowhere", STAGES)
        assert len(grown.steps) > len(recipe.steps)


def test_the_code_runs(tiny, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/tiny").symlink_to(tiny)
    notebook, trainer, stage = blocks("python")
    codes = [notebook, trainer] if find_spec("torch") else [notebook]
    for code in codes:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    scope: dict[str, object] = {"__name__": "readme"}
    exec(stage, scope)
    length = scope["Length"](least=3)
    table = length.process(
        DOCUMENT.empty_table().from_pylist([{"id": "a", "text": "no"}, {"id": "b", "text": "yes"}], DOCUMENT),
        None,
    )
    assert table["reason"].to_pylist() == ["length", None]


def test_the_funnel_is_what_status_prints(tiny):
    command = [sys.executable, "-m", "pipeline", "status", str(tiny)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    funnel, mixture = blocks("")[:2]
    want = [line.split() for line in printed.splitlines() if line.strip()]
    got = [line.split() for line in funnel.splitlines() if line.strip()]
    # up to the classifier everything is the same on every machine; training may differ in the last bits
    until = next(at for at, line in enumerate(want) if line[0] == "classifier")
    assert got[:until] == want[:until]
    assert [line[0] for line in got] == [line[0] for line in want[: len(got)]]
    assert mixture.splitlines()[1] in printed


def test_what_winnow_scores_is_what_its_card_says():
    names = {("wcxb", ""): "WCXB, all", ("zyte", ""): "Zyte, articles"}
    for row in json.loads((ROOT / "stages/winnow.json").read_text())["F1 by cross-validation over hosts"]:
        name = names.get((row["set"], row["kind"]), f"WCXB, {row['kind']}")
        if row["set"] == "wcxb" or not row["kind"]:
            scores = " | ".join(f"{row[engine]:.3f}*" for engine in ("winnow", "winnow-small"))
            assert f"| {name} | {row['pages']:,} | {scores} |" in README


def test_every_recipe_that_comes_along_is_well_wired():
    paths = sorted((ROOT / "configs").glob("*.toml"))
    assert {path.stem for path in paths} >= {"tiny", "gpt3", "common-crawl"}
    for path in paths:
        assert load(str(path), STAGES).steps
        assert path.name in README
