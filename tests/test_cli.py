"""The command line as a person sees it, on the embedded crawl."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
import toy

from pipeline import cli
from pipeline.dataset import Dataset
from pipeline.tables import field_meanings
from stages import STAGES

ROOT = Path(__file__).parent.parent
TINY = ROOT / "configs/tiny.toml"


@pytest.fixture
def pipeline(capsys, monkeypatch):
    """Runs a command that must succeed; returns what it prints, without blanks at the ends of lines."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        output, errors = capsys.readouterr()
        assert (end.value.code, errors) == (0, "")
        return "\n".join(line.rstrip() for line in output.splitlines())

    return command


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of a whole run, and what the run printed."""
    folder = tmp_path_factory.mktemp("cli")
    command = [sys.executable, "-m", "pipeline", "run", str(TINY), "--workers", "1"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True
    )
    return folder / "runs/tiny", done.stdout.decode()


@pytest.fixture(scope="module")
def ledger(tiny):
    return Dataset(f"{tiny[0]}/unique").rejected().to_pylist()


def counts(folder, step):
    return json.loads((folder / step / "manifest.json").read_text())["totals"]


def test_run_makes_the_default_folder_and_says_what_it_does(tiny):
    folder, output = tiny
    assert (folder / "mixture/shards/train-00000.parquet").exists()
    lines = output.splitlines()
    assert re.fullmatch(r"crawl shards: 3/3 in \d+ s, [\d,]+ docs/s [\d.]+ MB/s", lines[0].strip())
    steps = list(dict.fromkeys(line.split()[0] for line in lines[: lines.index(title(lines))]))
    assert steps[0] == "crawl" and steps[-1] == "mixture" and len(steps) == 12


def title(lines):
    return next(line for line in lines if line.startswith("tiny: documents through the steps"))


def test_the_funnel_has_the_counts_of_every_step(tiny, pipeline):
    folder, output = tiny
    status = pipeline("status", folder)
    printed = "\n".join(line.rstrip() for line in output.splitlines())
    assert printed.endswith(status)
    for step in ("crawl", "books", "good", "unique", "clean", "tokens"):
        totals = counts(folder, step)
        numbers = re.search(rf"^{step} +([\d,]+) +([\d,]+) ", status, re.MULTILINE)
        assert [int(n.replace(",", "")) for n in numbers.groups()] == [totals["rows_in"], totals["rows_out"]]
    assert re.search(r"^  http:404 +-16 +1\.8$", status, re.MULTILINE)
    assert re.search(r"^train +cc +\d+ +[\d,]+ +0\.5998 ", status, re.MULTILINE)


def test_run_again_does_nothing(tiny, pipeline):
    folder, _ = tiny
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.parent != folder}
    output = pipeline("run", TINY, "--out", folder, "--workers", 1)
    assert output.startswith("tiny: documents through the steps")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_run_to_a_step_makes_what_it_needs_and_the_rest_waits(tmp_path, pipeline):
    output = pipeline("run", TINY, "--out", tmp_path / "run/", "--workers", 1, "--to", "wiki")
    assert [path.parent.name for path in tmp_path.rglob("manifest.json")] == ["wiki"]
    assert re.search(r"^wiki +151 +151 ", output, re.MULTILINE)
    assert re.search(r"^crawl +waits$", output, re.MULTILINE)
    output = pipeline(
        "run", TINY, "--out", tmp_path / "run", "--workers", 1, "--to", "wiki", "--redo", "wiki"
    )
    assert output.startswith("--redo wiki: deleting wiki\nwiki shards: 1/1 in ")


def test_status_of_a_step_half_done(tiny, tmp_path, pipeline):
    folder, _ = tiny
    (tmp_path / "crawl/tasks/shards").mkdir(parents=True)
    (tmp_path / "recipe.toml").write_text(TINY.read_text())
    for name in ("cc-tiny-00000", "cc-tiny-00002"):
        data = (folder / f"crawl/tasks/shards/{name}.json").read_bytes()
        (tmp_path / f"crawl/tasks/shards/{name}.json").write_bytes(data)
    status = pipeline("status", tmp_path)
    assert re.search(r"^crawl +\d+ +\d+ .* 2 tasks done, not finished$", status, re.MULTILINE)


def test_show_spreads_documents_or_sorts_them(tiny, pipeline):
    folder, _ = tiny
    good = Dataset(str(folder / "good")).read(["id", "quality"]).to_pylist()
    best = sorted(good, key=lambda row: -row["quality"])[:3]
    output = pipeline("show", folder / "good", "-n", 3, "--sort=-quality", "--characters", 40)
    assert shown(output) == [row["id"] for row in best]
    assert len(re.findall(r"… \([\d,]+ characters\)$", output, re.MULTILINE)) == 3
    assert shown(pipeline("show", folder / "good", "-n", 1, "--sort", "quality")) != shown(output)[:1]
    spread = shown(pipeline("show", folder / "good"))
    assert len(spread) == 5 and spread[0] == good[0]["id"] and spread[-1] == good[-1]["id"]


def shown(output):
    return re.findall(r"^(\S+) ─+$", output, re.MULTILINE)


def test_show_rejected_documents_with_the_text_they_had(tiny, ledger, pipeline):
    folder, _ = tiny
    row = next(row for row in ledger if row["reason"] == "duplicate:exact")
    output = pipeline("show", f"{folder}/unique/", "--reason", "duplicate:exact", "-n", 100)
    assert set(shown(output)) == {row["id"] for row in ledger if row["reason"] == "duplicate:exact"}
    assert re.search(rf"^duplicate_of +{re.escape(row['duplicate_of'])}$", output, re.MULTILINE)
    table = Dataset(str(folder / "good")).read(["id", "text"]).to_pylist()
    texts = {row["id"]: row["text"] for row in table}
    assert texts[row["id"]].split("\n")[0][:60] in output
    everything = shown(pipeline("show", folder / "unique", "--rejected", "-n", 1000))
    assert sorted(everything) == sorted(row["id"] for row in ledger)


def test_why_follows_a_document_by_id_and_by_url(tiny, ledger, pipeline):
    folder, _ = tiny
    row = next(row for row in ledger if row["source"] == "cc" and row["reason"] == "duplicate:near")
    for key in (row["id"], row["url"]):
        output = pipeline("why", folder, key)
        steps = re.findall(r"^(\w+) +(kept|rejected: \S+)", output, re.MULTILINE)
        assert [step for step, _ in steps] == ["crawl", "tagged", "good", "unique"]
        assert steps[-1][1] == "rejected: duplicate:near"
        assert f"duplicate_of {row['duplicate_of']}" in output and row["url"] in output
    sequences = Dataset(str(folder / "mixture")).read(["documents"])["documents"].to_pylist()
    drawn = sequences[3][0]["id"]
    output = pipeline("why", folder, drawn)
    assert re.search(r"^mixture +kept +sequences \['(train|val)-\d{5} row \d+", output, re.MULTILINE)


def test_check_says_in_which_order_steps_run_and_makes_nothing(tmp_path, pipeline, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = pipeline("check", TINY)
    assert output.startswith("tiny: 12 steps, all well")
    assert re.search(
        r"^good +quality +documents = tagged, model = classifier +documents$", output, re.MULTILINE
    )
    assert list(tmp_path.iterdir()) == []


def test_stages_are_listed_with_what_they_do(pipeline):
    output = pipeline("stages")
    assert [line.split()[0] for line in output.splitlines()] == list(STAGES)
    assert all(len(line.split()) > 5 for line in output.splitlines())


@pytest.mark.parametrize("name", STAGES)
def test_every_field_of_every_stage_is_explained(name, pipeline):
    stage = STAGES[name]
    meanings = field_meanings((stage.__doc__ or "").partition("Fields:")[2])
    assert list(meanings) == [field.name for field in fields(stage)]
    output = pipeline("stages", name)
    for field, meaning in meanings.items():
        assert re.search(rf"^{field} +", output, re.MULTILINE) and meaning.split()[0] in output


def test_what_people_wrote_is_shown_as_it_is(tmp_path, pipeline):
    text, url = "[bold]not bold[/] [/] :smile: \\[x]", "http://a.example/?q=[/b]&r=[red]"
    (tmp_path / "odd.jsonl").write_text(json.dumps({"text": text, "url": url}))
    recipe = tmp_path / "odd [2].toml"
    recipe.write_text('[steps.odd]\nstage = "ingest"\nsource = "odd"\nfiles = "odd.jsonl"\n')
    assert "odd [2]: documents" in pipeline("run", recipe, "--out", tmp_path / "odd [2]", "--workers", 1)
    output = pipeline("show", tmp_path / "odd [2]/odd")
    assert text in output and url in output
    assert url in pipeline("why", tmp_path / "odd [2]", url)


def test_ctrl_c_ends_a_run_with_one_message_and_the_next_run_goes_on(tmp_path, tiny):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
    command = [sys.executable, "-m", "pipeline", "run", str(TINY), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / "run/crawl/tasks").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, b"stopped; run the same command again to continue\n")
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "run/mixture").exists()
    done = subprocess.run([*command, "--workers", "1"], cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""
    assert toy.contents(tmp_path / "run") == toy.contents(tiny[0])


def test_a_reader_that_stops_reading(tiny):
    command = f"{sys.executable} -m pipeline show {tiny[0]}/crawl -n 500 | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b"" and done.stdout.startswith(b"cc/tiny-00000/")
