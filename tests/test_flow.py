"""Documents that flow from a source through row-wise steps in one task; files made on the way."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pytest
import toy
from test_crash import CODE, TESTS

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, StaleRunError, TaskFailedError
from pipeline.executors import Processes
from pipeline.schema import with_column
from pipeline.stage import MapStage

WRITTEN = toy.RECIPE.replace("MATERIALIZE", "true")
SOURCE = '[steps.lines]\nstage = "lines"\nfiles = "in/*.txt"\n'
FLOWING = WRITTEN.replace(SOURCE, f"{SOURCE}materialize = false\n")  # from the source into `half`
FAR = FLOWING.replace("materialize = true", "materialize = false")  # and on into `loud`


@pytest.fixture
def folder(tmp_path):
    toy.write_inputs(tmp_path)
    (tmp_path / "in" / "none.txt").write_text("")
    return tmp_path


def test_the_recipes_are_what_they_say():
    assert WRITTEN.count("materialize = false") == 0 and FLOWING.count("materialize = false") == 1
    assert FAR.count("materialize = false") == 2


@pytest.mark.parametrize(
    ("text", "unwritten", "workers"), [(FLOWING, {"lines"}, 1), (FAR, {"lines", "half"}, 2)]
)
def test_a_source_that_flows_makes_the_same(folder, text, unwritten, workers):
    old = toy.contents(toy.run(folder, WRITTEN))
    out = toy.run(folder, text, out="flowing", executor=Processes(2) if workers > 1 else None)
    new = toy.contents(out)
    parquet = {name for name in old if name.endswith(".parquet")}
    missing = {name for name in parquet if name.split("/")[0] in unwritten and "shards/" in name}
    assert missing and {name for name in new if name.endswith(".parquet")} == parquet - missing
    assert all(new[name] == old[name] for name in parquet - missing)
    for step in ("lines", "half", "loud"):
        written, flowed = (Dataset(str(folder / at / step)).manifests[0] for at in ("out", "flowing"))
        assert flowed.totals == written.totals and flowed.identity == written.identity
        for name, record in flowed.shards.items():
            assert {key: record[key] for key in ("read", "content", "counts")} == {
                key: written.shards[name][key] for key in ("read", "content", "counts")
            }
    with pytest.raises(InputError, match="materialize = false"):
        Dataset(str(out / "lines")).read()


def test_new_files_run_only_their_own_tasks_and_changed_ones_are_refused(folder):
    out = toy.run(folder, FAR, to="loud")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    toy.write_inputs(folder, "f")
    toy.run(folder, FAR, to="loud")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "toy-f" in Dataset(str(out / "loud")).shards
    assert toy.contents(out) == toy.contents(toy.run(folder, FAR, out="new", to="loud"))
    (folder / "in" / "a.txt").write_text("something else")
    with pytest.raises(StaleRunError, match="the input of toy-a changed"):
        toy.run(folder, FAR, to="loud")


def test_whether_a_source_is_written_may_change_between_runs(folder):
    wanted = toy.contents(toy.run(folder, WRITTEN))
    toy.run(folder, FAR, out="other")
    toy.run(folder, WRITTEN, out="other")
    assert toy.contents(folder / "other") == wanted
    toy.run(folder, FAR, out="other")
    assert (folder / "other/lines/shards").exists()


def test_what_fails_downstream_leaves_nothing_half_done(folder):
    text = FAR.replace('stage = "shout"', 'stage = "shout"\nfail = "line 12 of c"')
    seen = {path.stem for path in folder.glob("in/*")}
    with pytest.raises(TaskFailedError, match="step 'loud'"):
        toy.run(folder, text, to="loud", executor=Processes(2))
    assert not list(folder.rglob("*.partial")) and seen
    toy.run(folder, FAR, redo="loud")
    assert toy.contents(folder / "out") == toy.contents(toy.run(folder, FAR, out="new"))


def test_killed_at_every_commit(tmp_path):
    toy.write_inputs(tmp_path, "ab")
    text = SOURCE + "materialize = false\n" + '[steps.loud]\nstage = "shout"\ndocuments = "lines"\n'
    wanted = toy.contents(toy.run(tmp_path, text))
    code = CODE.format(tests=TESTS, folder=str(tmp_path), text=text, out="killed")
    subprocess.run([sys.executable, f"{TESTS}/crash.py", code], capture_output=True, check=True)
    assert toy.contents(tmp_path / "killed") == wanted


def test_a_source_with_two_readers_is_written():
    with pytest.raises(RecipeError, match=r"exactly one other row-wise step.*readers: few, half"):
        toy.parse(FLOWING.replace('"other"\n', '"lines"\n', 1).encode(), "toy", "/nowhere", toy.STAGES)


@dataclass(frozen=True)
class Bytes(MapStage):
    """Writes each text into a file beside the shard and says where it is."""

    replaces: ClassVar[frozenset[str]] = frozenset({"offset", "length"})

    def process(self, documents, loaded):
        return documents

    def save(self, documents, output):
        file = output.file("raw", ".txt")
        data = [text.encode() for text in documents["text"].to_pylist()]
        documents = with_column(documents, "offset", pa.array(map(file.write, data), pa.int64()))
        return with_column(documents, "length", pa.array(map(len, data), pa.int64()))


@pytest.mark.parametrize(("text", "workers"), [(WRITTEN, 2), (FAR, 1)])
def test_a_file_beside_the_shard(folder, text, workers):
    text = text.replace('stage = "shout"', 'stage = "bytes"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(toy.STAGES, "bytes", Bytes)
        out = toy.run(folder, text, to="loud", executor=Processes(2) if workers > 1 else None)
        dataset = Dataset(str(out / "loud"))
        files = dataset.files("raw")
        assert set(files) <= set(dataset.shards) and "toy-a" in files
        for name, path in files.items():
            rows = pa.concat_tables(dataset.batches(name)).to_pylist()
            with open(path, "rb") as file:
                data = file.read()
            assert [data[row["offset"] :][: row["length"]].decode() for row in rows] == [
                row["text"] for row in rows
            ]
            record = json.loads((out / f"loud/tasks/shards/{name}.json").read_text())
            assert f"raw/{name}.txt" in record["written"]
        before = toy.contents(out)
        toy.run(folder, text, to="loud", redo="lines")
        assert toy.contents(out) == before
