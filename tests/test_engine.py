"""The engine's promises, on small real stages (toy.py): conservation, resume, identity, the same bytes."""

import json

import pyarrow.parquet as pq
import pytest
import toy

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, StaleRunError, TaskFailedError
from pipeline.executors import Inline, Processes

MATERIALIZED = toy.RECIPE.replace("MATERIALIZE", "true")
FLOWING = toy.RECIPE.replace("MATERIALIZE", "false")


@pytest.fixture
def folder(tmp_path):
    toy.write_inputs(tmp_path)
    return tmp_path


def test_kept_plus_rejected_is_everything(folder):
    out = toy.run(folder)
    lines, half = Dataset(f"{out}/lines"), Dataset(f"{out}/half")
    wanted = sum(len(path.read_text().splitlines()) for path in (folder / "in").iterdir())
    assert lines.read().num_rows + lines.rejected().num_rows == wanted
    assert set(lines.rejected()["reason"].to_pylist()) == {"empty"}
    assert half.read().num_rows + half.rejected().num_rows == lines.read().num_rows
    assert "text" not in half.rejected().column_names and "draw" in half.rejected().column_names
    counts = half.manifests[0].totals
    assert counts["rows_out"] == half.read().num_rows and counts["reasons"] == {
        "draw": half.rejected().num_rows
    }
    assert json.loads(Dataset(f"{out}/total").side("card.json"))["rows"] == sum(
        Dataset(f"{out}/{step}").read().num_rows for step in ("loud", "few")
    )


def test_same_bytes_for_any_number_of_workers(folder):
    wanted = toy.contents(toy.run(folder))
    for workers in (2, 5):
        assert toy.contents(toy.run(folder, out=f"out{workers}", executor=Processes(workers))) == wanted


def test_unmaterialized_rows_flow_on_and_leave_ledger_and_record(folder):
    written, flowing = toy.run(folder, MATERIALIZED), toy.run(folder, FLOWING, out="flowing")
    old, new = toy.contents(written), toy.contents(flowing)
    assert not (flowing / "half/shards").exists()
    for step in ("loud", "total", "few", "lines"):
        same = [name for name in old if name.startswith(f"{step}/") and "manifest" not in name]
        assert same and {name: old[name] for name in same} == {
            name: new[name] for name in same if name in new
        }
    assert {n: b for n, b in old.items() if "half/rejected" in n} == {
        n: b for n, b in new.items() if "half/rej" in n
    }
    assert (
        Dataset(str(flowing / "half")).manifests[0].totals
        == Dataset(str(written / "half")).manifests[0].totals
    )


def test_materialize_may_change_between_runs(folder):
    wanted = toy.contents(toy.run(folder, MATERIALIZED))
    toy.run(folder, FLOWING, out="other")
    toy.run(folder, MATERIALIZED, out="other")
    got = toy.contents(folder / "other")
    assert got == wanted
    toy.run(folder, FLOWING, out="other")
    assert (folder / "other/half/shards").exists()


def test_new_input_files_run_only_their_own_tasks(folder):
    until = {"to": "loud"}
    out = toy.run(folder, **until)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    toy.write_inputs(folder, "f")
    toy.run(folder, **until)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "toy-f" in Dataset(f"{out}/loud").shards
    fresh = toy.run(folder, out="fresh", **until)
    assert toy.contents(fresh) == toy.contents(out)


def test_a_step_that_saw_the_whole_says_that_inputs_grew(folder):
    out = toy.run(folder)
    toy.write_inputs(folder, "f")
    with pytest.raises(StaleRunError, match=r"total: inputs grew or changed .documents.*--redo total"):
        toy.run(folder)
    toy.run(folder, redo="total")
    assert toy.contents(toy.run(folder, out="fresh")) == toy.contents(out)


def test_a_changed_or_missing_input_file_is_refused(folder):
    toy.run(folder)
    text = (folder / "in/b.txt").read_text()
    (folder / "in/b.txt").write_text(text + "\nmore")
    with pytest.raises(StaleRunError, match="the input of toy-b changed since it was read"):
        toy.run(folder)
    (folder / "in/b.txt").unlink()
    with pytest.raises(StaleRunError, match="toy-b is no longer among the inputs"):
        toy.run(folder)


def test_a_changed_parameter_is_refused_with_the_field_named(folder):
    out = toy.run(folder)
    before = toy.contents(out)
    with pytest.raises(
        StaleRunError, match=r"few was made by another recipe \(share: 0.25 -> 0.5\).*--redo few"
    ):
        toy.run(folder, MATERIALIZED.replace("0.25", "0.5"))
    assert toy.contents(out) == before
    toy.run(folder, MATERIALIZED.replace("0.25", "0.5"), redo="few")
    assert Dataset(str(out / "few")).read().num_rows > before["few/shards/other-a.parquet"].count(b"") * 0


def test_redo_deletes_the_step_and_its_readers_only(folder):
    out = toy.run(folder)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    toy.run(folder, redo="half")
    touched = {
        path.relative_to(out).parts[0] for path, when in before.items() if path.stat().st_mtime_ns != when
    }
    assert touched == {"half", "loud", "total"}


def test_same_bytes_whatever_the_order_of_steps_in_the_file(folder):
    head, *tables = MATERIALIZED.split("[steps.")
    text = head + "".join(f"[steps.{table}" for table in reversed(tables))
    wanted = toy.contents(toy.run(folder))
    got = toy.contents(toy.run(folder, text, out="other"))
    assert {n: b for n, b in got.items() if n != "recipe.toml"} == {
        n: b for n, b in wanted.items() if n != "recipe.toml"
    }


@pytest.mark.parametrize("executor", [Inline(), Processes(2)], ids=["inline", "processes"])
def test_a_failing_task_leaves_no_shard_and_names_itself(folder, executor):
    recipe = MATERIALIZED.replace('stage = "shout"', 'stage = "shout"\nfail = "line 12 of c"')
    with pytest.raises((TaskFailedError, RuntimeError), match="bug"):
        toy.run(folder, recipe, executor=executor)
    assert not (folder / "out/loud/shards/toy-c.parquet").exists()
    assert not (folder / "out/loud/manifest.json").exists()
    assert not list((folder / "out").rglob("*.partial"))


def test_a_dead_worker_costs_its_task_a_retry_not_the_step(folder):
    once = f'stage = "shout"\ndie = "line 12 of c"\nonce = "{folder}/died"'
    out = toy.run(folder, MATERIALIZED.replace('stage = "shout"', once), executor=Processes(2))
    assert (folder / "died").exists()
    texts = Dataset(str(out / "loud")).read()["text"].to_pylist()
    wanted = Dataset(str(out / "half")).read()["text"].to_pylist()
    assert texts == [text.upper() for text in wanted]


def test_a_worker_that_always_dies_is_reported(folder):
    recipe = MATERIALIZED.replace('stage = "shout"', 'stage = "shout"\ndie = "line 12 of c"')
    with pytest.raises(TaskFailedError, match=r"task toy-c: its worker died 3 times .exit code 7"):
        toy.run(folder, recipe, executor=Processes(2))


def test_two_runs_do_not_share_a_folder(folder):
    from pipeline import storage

    with storage.locked(str(folder / "out")), pytest.raises(StaleRunError, match="another run is using"):
        toy.run(folder)


def test_equal_stems_are_refused(folder):
    (folder / "more").mkdir()
    (folder / "more/a.txt").write_text("x")
    with pytest.raises(RecipeError, match="same name"):
        toy.run(folder, MATERIALIZED.replace('"in/*.txt"', '["in/*.txt", "more/a.txt"]'))


def test_the_alarm_of_errors_and_missing_files(folder):
    with pytest.raises(InputError, match=r"\[steps.lines\] files: no file matches .*nowhere"):
        toy.run(folder, MATERIALIZED.replace('"in/*.txt"', '"nowhere/*.txt"'))
    assert not (folder / "out").exists()


def test_row_groups_are_refilled(folder):
    out = toy.run(folder)
    for path in (out / "half/shards").iterdir():
        groups = pq.ParquetFile(path).metadata
        sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
        assert all(size == 1024 for size in sizes[:-1])
