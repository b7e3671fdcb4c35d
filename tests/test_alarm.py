"""A stage that finds its own result wrong stops the run, until `--allow`; and what `check` tells before."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pytest
import toy

from pipeline import cli
from pipeline.dataset import Dataset
from pipeline.errors import AlarmError, RecipeError, StaleRunError


@dataclass(frozen=True)
class WarySum(toy.Total):
    """A sum that must not be too large."""

    most: int = 100
    alarms: ClassVar[frozenset[str]] = frozenset({"most"})

    def alarm(self, dataset: Dataset) -> str | None:
        rows = json.loads(dataset.side("card.json"))["rows"]
        assert dataset.read()["rows"].to_pylist() == [rows]  # the shards can be read already
        return f"{rows} rows are more than {self.most}; see card.json" if rows > self.most else None

    def preview(self) -> Mapping[str, list[dict[str, Any]]]:
        return {"limits [b]": [{"rows": self.most, "told": "yes"}]}


@dataclass(frozen=True)
class WarySift(toy.Sift):
    """Stops when a shard lost everything."""

    def alarm(self, dataset: Dataset) -> str | None:
        records = dataset.manifests[0].shards
        empty = [name for name, record in records.items() if not record["counts"]["rows_out"]]
        return f"nothing is left of {empty[0]}" if empty else None


RECIPE = toy.RECIPE.replace("MATERIALIZE", "true").replace('stage = "total"', 'stage = "total"\nmost = MOST')
RECIPE += '[steps.after]\nstage = "again"\nof = "total"\n'


@dataclass(frozen=True)
class Again(toy.Total):
    inputs: ClassVar[Mapping[str, str]] = {"of": "model"}

    def run(self, job: Any) -> None:
        job.map("shards", self.add, {"total": list(job.inputs["of"].shards.values())})


STAGES = toy.STAGES | {"total": WarySum, "again": Again}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "STAGES", STAGES)
    toy.write_inputs(tmp_path, "abc")
    return tmp_path


def recipe(most):
    return RECIPE.replace("MOST", str(most))


MANY = r"step 'total': \d+ rows are more than 100; see card.json; .* the same command with --allow total"


def times(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".parquet", ".json")}


def test_an_alarm_stops_the_run_until_it_is_allowed(folder):
    wanted = toy.contents(toy.run(folder, recipe(10_000), out="calm"))
    out = folder / "out"
    with pytest.raises(AlarmError, match=MANY):
        toy.run(folder, recipe(100))
    done = times(out)
    assert not (out / "total/manifest.json").exists() and not (out / "after").exists()
    with pytest.raises(AlarmError, match=MANY):
        toy.run(folder, recipe(100))
    assert times(out) == done  # raised again, and nothing was done again
    toy.run(folder, recipe(100), allow=["total"])
    assert {path: when for path, when in times(out).items() if path in done} == done
    toy.run(folder, recipe(100))  # finished, so it is not asked any more
    got = toy.contents(out)
    assert {name for name in got if got[name] != wanted[name]} == {"recipe.toml"}


def test_a_limit_that_only_the_alarm_reads_may_change(folder):
    with pytest.raises(AlarmError):
        toy.run(folder, recipe(100))
    done = times(folder / "out")
    toy.run(folder, recipe(10_000))
    assert {path: when for path, when in times(folder / "out").items() if path in done} == done
    assert "most" not in json.loads((folder / "out/total/identity.json").read_text())["parameters"]
    with pytest.raises(StaleRunError, match=r"few was made by another recipe \(share"):
        toy.run(folder, recipe(10_000).replace("0.25", "0.5"))


def test_after_a_redo_the_alarm_is_asked_again(folder):
    with pytest.raises(AlarmError):
        toy.run(folder, recipe(100))
    toy.run(folder, recipe(100), allow=["total", "loud"])
    with pytest.raises(AlarmError):
        toy.run(folder, recipe(100), redo="total")


def test_a_step_to_allow_must_be_one(folder):
    with pytest.raises(RecipeError, match="no step 'totl'; did you mean 'total'"):
        toy.run(folder, recipe(100), allow=["totl"])
    assert not (folder / "out").exists()


@pytest.mark.parametrize("materialize", ["true", "false"])
def test_a_map_step_asks_again_when_it_has_grown(folder, materialize, monkeypatch):
    monkeypatch.setattr(toy, "STAGES", STAGES | {"sift": WarySift})
    text = recipe(10_000).replace('stage = "shout"', 'stage = "sift"\ncolumn = "more"')
    text = text.replace("materialize = true", f"materialize = {materialize}")
    toy.run(folder, text, to="loud")
    (folder / "in/x.txt").write_text("\n")
    with pytest.raises(AlarmError, match=r"step '(half|loud)': nothing is left of toy-x; .*--allow"):
        toy.run(folder, text, to="loud")
    if materialize == "true":
        with pytest.raises(AlarmError, match="step 'loud'"):
            toy.run(folder, text, to="loud", allow=["half"])
    done = times(folder / "out")
    toy.run(folder, text, to="loud", allow=["half", "loud"])
    shards = {path for path in done if path.suffix == ".parquet"}
    assert {path: times(folder / "out")[path] for path in shards} == {path: done[path] for path in shards}
    toy.run(folder, text, to="loud")


def test_on_the_command_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(cli, "STAGES", STAGES)
    monkeypatch.chdir(folder)
    (folder / "toy.toml").write_text(recipe(100))

    def pipeline(*arguments):
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        output = capsys.readouterr()
        return end.value.code, output.out + output.err

    code, output = pipeline("check", "toy.toml")
    assert code == 0 and re.search(r"^total: limits \[b\]\s+rows +told\s+100 +yes *$", output, re.MULTILINE)
    code, output = pipeline("run", "toy.toml", "--workers", "1")
    assert code == 3 and re.search(MANY, output.replace("\n", " "))
    code, output = pipeline("status", "runs/toy")
    assert code == 0 and re.search(r"^total +1 tasks done, not finished", output, re.MULTILINE)
    assert pipeline("run", "toy.toml", "--workers", "1", "--allow", "few", "--allow", "total")[0] == 0
    assert pa.parquet.read_metadata("runs/toy/after/shards/total.parquet").num_rows == 1
