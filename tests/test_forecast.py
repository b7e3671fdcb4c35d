"""What rules would reject, told from a finished step."""

import sys

import numpy as np
import pytest
from corpus import Given, documents, write
from harbour import PROSE

from pipeline import cli
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline
from pipeline.forecast import forecast
from pipeline.inspection import RunFolder
from pipeline.recipe import parse
from pipeline.runner import Run
from stages.heuristics import PRESETS, RULES, Heuristics

STAGES = {"given": Given, "heuristics": Heuristics}
STEPS = """
[steps.all]
stage = "given"
files = "in/*.parquet"
[steps.good]
stage = "heuristics"
documents = "all"
rules = ["gopher"]
[steps.flowing]
stage = "heuristics"
documents = "all"
materialize = false
[steps.better]
stage = "heuristics"
documents = "flowing"
"""
TEXTS = [*PROSE.values(), "Too short.", "Too {short}.", PROSE["en"] + "\nfunction f() {}", PROSE["ru"] * 3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast")
    rows = [{"id": f"given/a/{n}", "source": "given", "text": text} for n, text in enumerate(TEXTS)]
    write(folder, {"a": documents(rows[:5]), "b": documents(rows[5:])})
    steps = STEPS.partition("[steps.flowing]")[0]
    recipe = parse(steps.encode(), "forecast", str(folder), STAGES)
    Run(recipe, str(folder / "out"), Inline(), say=lambda line: None).run()
    return str(folder / "out")


def test_each_rule_alone_and_all_together(folder):
    found = forecast(RunFolder.open(folder, STAGES), "good")
    assert tuple(found) == PRESETS
    assert [row["rule"] for rows in found.values() for row in rows if row["rule"] != "together"] == [
        rule.name for rule in RULES
    ]
    rows = {row["rule"]: row for group in found.values() for row in group}
    assert rows["gopher_word_count"] == {
        "rule": "gopher_word_count",
        "documents": 2,
        "%": f"{200 / len(TEXTS):.1f}",
        "by_no_other": 0,
    }
    assert rows["c4_curly_brackets"]["documents"] == 2
    assert rows["c4_curly_brackets"]["by_no_other"] == 1
    rejected = Dataset(f"{folder}/good").rejected()
    assert found["gopher"][-1]["documents"] == rejected.num_rows == 3


def test_it_tells_of_other_rules_what_these_do(folder):
    told = forecast(RunFolder.open(folder, STAGES), "good")
    texts = Dataset(f"{folder}/all").read()
    for preset in PRESETS:
        reasons = Heuristics(rules=(preset,)).process(texts, None)["reason"]
        assert told[preset][-1]["documents"] == np.sum(reasons.is_valid().to_numpy())


def test_the_command_prints_it(folder, monkeypatch, capsys):
    monkeypatch.setattr(cli, "STAGES", STAGES)
    monkeypatch.setattr(sys, "argv", ["pipeline", "forecast", f"{folder}/good"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert "good: gopher" in printed and "c4_curly_brackets" in printed


def test_a_step_without_rules_or_documents(folder, tmp_path):
    with pytest.raises(RecipeError, match="step 'all' has no rules to tell apart; steps that have: good"):
        forecast(RunFolder.open(folder, STAGES), "all")
    (tmp_path / "recipe.toml").write_text(STEPS.replace("in/", f"{tmp_path}/in/"))
    for step in ("good", "flowing"):
        with pytest.raises(InputError, match=f"{step} holds no finished documents"):
            forecast(RunFolder.open(str(tmp_path), STAGES), step)
