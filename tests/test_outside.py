"""Two recipes, the second reading finished steps of the first one's run."""

import json
import shutil
import sys
from collections.abc import Mapping
from typing import ClassVar

import pytest
import toy

from pipeline import cli
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, StaleRunError
from pipeline.executors import Processes
from pipeline.inspection import RunFolder, sample_rejected, why
from pipeline.manifest import Identity
from pipeline.recipe import parse
from pipeline.runner import check_files

FIRST = toy.RECIPE.replace("MATERIALIZE", "true")
SECOND = """
seed = 5
[steps.sum]
stage = "total"
documents = ["new", "../march/few", "../march/loud"]
[steps.new]
stage = "lines"
files = "in/*.txt"
source = "april"
[steps.sifted]
stage = "sift"
documents = "../march/half"
column = "second"
"""
SIFTED = SECOND.partition("[steps.sifted]")
FLOWING = f"""{SIFTED[1]}{SIFTED[2]}materialize = false
[steps.again]
stage = "sift"
column = "third"
documents = "sifted"
"""


@pytest.fixture
def folder(tmp_path):
    """`march`, a run, and a folder in which a second recipe lies."""
    toy.write_inputs(tmp_path / "first", "abc")
    toy.run(tmp_path / "first", FIRST, out="../march")
    toy.write_inputs(tmp_path / "recipes", "de")
    return tmp_path


def second(folder, text=SECOND, out="../april", **how):
    return toy.run(folder / "recipes", text, out, **how)


def read(text, folder):
    return parse(text.encode(), "second", str(folder / "recipes"), toy.STAGES)


def test_steps_of_another_run_are_inputs_in_the_order_of_the_list(folder):
    out = second(folder)
    march = folder / "march"
    parts = [Dataset(str(path)) for path in (out / "new", march / "few", march / "loud")]
    rows = sum(sum(part.rows.values()) for part in parts)
    assert json.loads((out / "sum/card.json").read_text())["rows"] == rows
    identity = Identity.load(str(out / "sum"))
    assert identity.inputs["documents"] == [part.manifests[0].identity for part in parts]
    half, sifted = Dataset(f"{march}/half"), Dataset(f"{out}/sifted")
    assert list(half.shards) == list(sifted.shards)
    assert half.read().num_rows == sifted.read().num_rows + sifted.rejected().num_rows
    assert sifted.read()["text"].to_pylist()[0] in half.read()["text"].to_pylist()


def test_no_path_is_in_the_result_which_is_the_same_wherever_the_first_run_lies(folder):
    wanted = toy.contents(second(folder))
    shutil.move(folder / "march", folder / "archive/2026/march")
    moved = SECOND.replace("../march", "../archive/2026/march/")
    got = toy.contents(second(folder, moved, "../elsewhere", executor=Processes(2)))
    assert set(got) == set(wanted)
    assert {n for n in got if got[n] != wanted[n]} == {"recipe.toml"}
    assert str(folder).encode() not in b"".join(wanted.values())
    times = {path: path.stat().st_mtime_ns for path in (folder / "april").rglob("*.parquet")}
    second(folder, moved)  # done already, by the recipe as it was
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_rows_of_another_run_flow_through_steps_that_are_not_written(folder):
    written = toy.contents(second(folder, FLOWING.replace("materialize = false\n", "")))
    flowing = toy.contents(second(folder, FLOWING, "../flowing"))
    shards = {name for name in written if name.startswith("again/shards")}
    assert shards and all(flowing[name] == written[name] for name in shards)
    assert not (folder / "flowing/sifted/shards").exists()


def test_a_dataset_that_changed_since_is_refused_before_any_work(folder):
    out = second(folder)
    wanted = toy.contents(out)
    toy.run(folder / "first", FIRST.replace("share = 0.25", "share = 0.5"), "../march", redo="few")
    with pytest.raises(
        StaleRunError, match=r"april/sum: what it reads \(documents\) is not what.*--redo sum"
    ):
        second(folder)
    toy.run(folder / "first", FIRST, "../march", redo="few")
    assert toy.contents(second(folder)) == wanted
    toy.write_inputs(folder / "first", "abcx")
    toy.run(folder / "first", FIRST.replace('"in/a.txt"', '"in/[ax].txt"'), "../march", to="few")
    toy.write_inputs(folder / "recipes", "f")
    with pytest.raises(StaleRunError, match=r"april/sum: inputs grew or changed \(documents\).*--redo sum"):
        second(folder)


def test_what_is_read_as_a_whole_from_outside_alone_is_compared_at_the_start(folder):
    alone = SECOND.replace('["new", "../march/few", "../march/loud"]', '"../march/few"')
    second(folder, alone)
    toy.write_inputs(folder / "first", "x")
    grown = FIRST.replace('"in/a.txt"', '"in/[ax].txt"')
    toy.run(folder / "first", grown, "../march", to="few")
    toy.write_inputs(folder / "recipes", "f")
    with pytest.raises(StaleRunError, match="inputs grew"):
        second(folder, alone)
    assert "april-f" not in Dataset(str(folder / "april/new")).shards
    toy.run(folder / "first", grown.replace("share = 0.25", "share = 0.5"), "../march", redo="few", to="few")
    with pytest.raises(StaleRunError, match=r"what it reads \(documents\) is not what it was made of"):
        second(folder, alone)


def test_new_shards_of_another_run_need_only_tasks_of_their_own(folder):
    out = second(folder, to="sifted")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    toy.write_inputs(folder / "first", "x")
    toy.run(folder / "first", FIRST, "../march", to="half")
    second(folder, to="sifted")
    assert "toy-x" in Dataset(f"{out}/sifted").shards
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_redo_deletes_nothing_of_the_other_run(folder):
    out = second(folder)
    wanted, march = toy.contents(out), toy.contents(folder / "march")
    for step in ("sum", "sifted", "new"):
        second(folder, redo=step)
    assert toy.contents(out) == wanted and toy.contents(folder / "march") == march


MISTAKES = [
    ("../march/hafl", InputError, r"sifted\] documents = '.*march/hafl'.*there is no such folder; check"),
    ("../march", InputError, r"is a whole run; name one of its steps, such as .*march/<step>"),
    ("./in", InputError, r"recipes/in' must be .* it has no identity.json"),
    ("../march/total", RecipeError, r"march/total': stage 'total' makes model, not documents"),
    ("s3://march/half", RecipeError, r"documents = 's3://march/half': .* read from a disk; copy"),
    (["../march/half", "../march/x/../half/"], RecipeError, "names a step twice"),
    (
        ["../march/half", "../march/lines"],
        RecipeError,
        r"sifted\] documents: two inputs have a shard 'toy-a'",
    ),
]


@pytest.mark.parametrize(("value", "error", "message"), MISTAKES)
def test_mistakes_are_named_when_a_recipe_is_checked(folder, value, error, message):
    text = SECOND.replace('"../march/half"', json.dumps(value))
    with pytest.raises(error, match=message):
        check_files(read(text, folder))
    with pytest.raises(error, match=message):
        second(folder, text)
    assert not (folder / "april/new").exists()


def test_a_step_that_is_not_finished_or_not_whole(folder):
    half = folder / "march/half"
    shard = half / "shards/toy-b.parquet"
    shard.rename(folder / "kept")
    with pytest.raises(InputError, match=r"1 of its shards are not there, such as shards/toy-b.parquet"):
        check_files(read(SECOND, folder))
    (folder / "kept").rename(shard)
    (half / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"not finished.* pipeline run <recipe> --out .*march --to half"):
        check_files(read(SECOND, folder))
    toy.run(folder / "first", FIRST, "../march", to="half")
    check_files(read(SECOND, folder))


def test_rows_that_flowed_on_are_not_there_to_be_read(folder):
    toy.run(folder / "first", toy.RECIPE.replace("MATERIALIZE", "false"), "../flowed")
    with pytest.raises(InputError, match=r"flowed/half.*materialize = false"):
        check_files(read(SECOND.replace("march", "flowed"), folder))


def test_a_stage_that_is_not_known_here(folder):
    path = folder / "march/half/identity.json"
    path.write_text(path.read_text().replace('"sift"', '"sieve"'))
    with pytest.raises(RecipeError, match=r"stage 'sieve' made it, which is not known here; valid names"):
        check_files(read(SECOND, folder))


def test_a_run_names_its_own_steps_by_their_names(folder):
    (folder / "link").symlink_to(folder / "april")
    for path in ("../april/new", "../link/new"):
        with pytest.raises(RecipeError, match=r"sifted\] reads .*new, which lies in .* write 'new'"):
            second(folder, SECOND.replace("../march/half", path))


def test_text_that_an_earlier_run_stored_places_in_is_not_replaced(folder, monkeypatch):
    loud = '[steps.loud]\nstage = "shout"\ndocuments = "../april/sifted"\n'
    second(folder)
    check_files(read(loud, folder))
    monkeypatch.setattr(toy.Sift, "offsets", True)
    with pytest.raises(RecipeError, match=r"loud\] replaces the text, but 'sifted', a step of another run"):
        check_files(read(loud, folder))
    monkeypatch.undo()
    monkeypatch.setattr(toy.Lines, "offsets", True)  # two steps before, in the same run
    with pytest.raises(RecipeError, match=r"but 'lines', a step of another run"):
        check_files(read(loud.replace("april/sifted", "march/half"), folder))


def test_a_document_is_followed_from_the_border_on(folder):
    out = second(folder)
    run = RunFolder.open(str(out), toy.STAGES)
    row = Dataset(f"{out}/sifted").rejected().slice(0, 1).to_pylist()[0]
    (way,) = why(run, row["id"])
    half = str(folder / "march/half")
    loud = half.replace("half", "loud")  # which `sum` reads
    assert [(each.step, each.outcome) for each in way] == [
        (half, "kept"),
        (loud, "kept"),
        ("sifted", "rejected"),
    ]
    texts = {row["text"] for row in sample_rejected(run, "sifted", 1000)}
    assert texts < set(Dataset(half).read()["text"].to_pylist())
    with pytest.raises(InputError, match=r"no source step has read .*; ask those that it reads, too; an id"):
        why(run, "toy/a/0")
    shutil.rmtree(folder / "march")
    assert {row["text"] for row in sample_rejected(run, "sifted", 1000)} == {None}


def test_a_place_where_a_file_or_a_step_may_stand(folder):
    stages = toy.STAGES | {"tokens": Tokens}
    text = '[steps.out]\nstage = "tokens"\ndocuments = "../march/half"\nwords = "VALUE"\n'
    for value, is_step in [("../march/total", True), ("a/b.json", False), ("b/../march/total/", True)]:
        parsed = parse(text.replace("VALUE", value).encode(), "second", str(folder / "recipes"), stages)
        step = parsed.steps["out"]
        assert (step.outside > {str(folder / "march/half")}) == is_step
        assert step.stage.words == (() if is_step else (str(folder / "recipes/a/b.json"),))


class Tokens(toy.Sift):
    inputs: ClassVar[Mapping[str, str]] = {"documents": "documents", "words": "model"}
    optional: ClassVar[frozenset[str]] = frozenset({"words"})


def test_on_the_command_line(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder / "recipes")
    (folder / "recipes/texts.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": "one"}\n')
    recipe = '[steps.texts]\nstage = "ingest"\nsource = "texts"\nfiles = "texts.jsonl"\n'
    (folder / "recipes/one.toml").write_text(recipe)
    recipe = '[steps.tagged]\nstage = "deduplicate"\ndocuments = "runs/one/texts"\n'
    (folder / "recipes/two.toml").write_text(recipe)

    def pipeline(*arguments):
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        output = capsys.readouterr()
        return end.value.code, " ".join((output.out + output.err).split())

    code, output = pipeline("check", "two.toml")
    assert code == 2 and "runs/one/texts' must be the folder of a finished step" in output
    assert pipeline("run", "one.toml", "--workers", "1")[0] == 0
    code, output = pipeline("check", "two.toml")
    assert code == 0 and "documents = runs/one/texts documents" in output
    assert pipeline("run", "two.toml", "--workers", "1")[0] == 0
    code, output = pipeline("why", "runs/two", "texts/texts/3")
    assert code == 0 and "tagged rejected: duplicate:exact" in output
    code, output = pipeline("show", "runs/two/tagged", "--rejected")
    assert code == 0 and "one" in output
    assert Dataset("runs/two/tagged").read().num_rows == 2
