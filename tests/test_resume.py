"""Stopped, changed and continued in the oddest places: the same bytes as a run that nothing happened to."""

import json
import shutil

import pytest
import toy

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError, SchemaError, StaleRunError, StorageError, TaskFailedError

MATERIALIZED = toy.RECIPE.replace("MATERIALIZE", "true")
FLOWING = toy.RECIPE.replace("MATERIALIZE", "false")


@pytest.fixture
def folder(tmp_path):
    toy.write_inputs(tmp_path, "abc")
    return tmp_path


class Killed(BaseException):
    """As good as kill -9: nothing catches it."""


def test_a_redo_killed_anywhere_is_finished_by_a_plain_run(folder, monkeypatch):
    wanted = toy.contents(toy.run(folder))
    out, remove = folder / "out", shutil.rmtree
    folders = sum(path.is_dir() for step in ("half", "loud", "total") for path in (out / step).iterdir())
    for last in range(folders):
        left = last

        def rmtree(path):
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            remove(path)

        monkeypatch.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(Killed):
            toy.run(folder, redo="half")
        monkeypatch.undo()
        assert toy.contents(toy.run(folder)) == wanted, f"after {last} folders"


def test_a_step_that_flowed_when_it_was_stopped_may_be_materialized_then(folder):
    fails = FLOWING.replace('stage = "shout"', 'stage = "shout"\nfail = "line 12 of c"')
    with pytest.raises(TaskFailedError):
        toy.run(folder, fails)
    shutil.rmtree(folder / "out/loud")
    assert list((folder / "out/half/tasks/shards").iterdir())
    toy.run(folder, MATERIALIZED)
    assert toy.contents(folder / "out") == toy.contents(toy.run(folder, MATERIALIZED, out="fresh"))


def test_records_of_a_step_that_flows_on_are_made_again_when_they_are_lost(folder):
    wanted = toy.contents(toy.run(folder, FLOWING))
    shutil.rmtree(folder / "out/half")
    assert toy.contents(toy.run(folder, FLOWING)) == wanted


def test_records_are_the_same_whether_rows_are_written_or_flow_on(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":  # several row groups, all scripts
        lines = [f"line {n} of {name} " + "né漢字" * (n % 11) if n % 7 else "" for n in range(2500)]
        (tmp_path / "in" / f"{name}.txt").write_text("\n".join(lines))
    old = toy.contents(toy.run(tmp_path, MATERIALIZED))
    new = toy.contents(toy.run(tmp_path, FLOWING, out="flowing"))
    for name in old:
        if name.startswith(("loud/", "total/", "half/rejected/")):
            assert new[name] == old[name], name
        if name.startswith("half/tasks/"):
            assert json.loads(new[name])["counts"] == json.loads(old[name])["counts"], name


def test_a_redo_is_refused_before_it_deletes_anything(folder):
    wanted = toy.contents(toy.run(folder))
    with pytest.raises(StaleRunError, match=r"few was made by another recipe .*share"):
        toy.run(folder, MATERIALIZED.replace("0.25", "0.5"), redo="half")
    with pytest.raises(RecipeError, match="no step 'haf'; did you mean 'half'"):
        toy.run(folder, redo="haf")
    assert toy.contents(folder / "out") == wanted


def test_an_unknown_step_to_redo_leaves_no_folder(folder):
    with pytest.raises(RecipeError):
        toy.run(folder, redo="haf")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("how", [{}, {"redo": "half"}])
def test_a_folder_that_is_no_step_is_neither_used_nor_deleted(folder, how):
    (folder / "out/half").mkdir(parents=True)
    (folder / "out/half/thesis.tex").write_text("years of work")
    with pytest.raises(StaleRunError, match=r"half is there already, and it is no step's folder.*--out"):
        toy.run(folder, **how)
    assert [path.name for path in (folder / "out/half").iterdir()] == ["thesis.tex"]
    assert not (folder / "out/lines").exists()


def test_rows_that_a_stage_forgets_are_missed(folder, monkeypatch):
    read = Dataset.batches

    def forgetful(self, name=None, columns=None):
        for number, table in enumerate(read(self, name, columns)):
            yield table if number else table.slice(1)

    monkeypatch.setattr(Dataset, "batches", forgetful)
    with pytest.raises(SchemaError, match=r"'(few|half)': it was given \d+ rows, but took in \d+"):
        toy.run(folder)
    assert not list((folder / "out").glob("half/manifest.json"))


def test_a_damaged_record_is_named_and_redo_helps(folder):
    wanted = toy.contents(toy.run(folder))
    record = folder / "out/half/tasks/shards/toy-a.json"
    record.write_text(record.read_text()[:40])
    with pytest.raises(StorageError, match=r"half/tasks/shards/toy-a.json.*damaged.*--redo"):
        toy.run(folder)
    assert toy.contents(toy.run(folder, redo="half")) == wanted
