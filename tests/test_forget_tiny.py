"""pipeline forget on the whole recipe, by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import toy
from takedown import Traces, copied

from pipeline.dataset import Dataset
from pipeline.manifest import Manifest

ROOT = Path(__file__).parent.parent
SCRIPTS = ("zh", "ja", "ko", "th", "ar", "hi", "ru", "en")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def doomed(tiny):
    """One document in each script from the mixture; one that the card shows; one that is a duplicate."""
    rows = Dataset(f"{tiny}/tokens").read(["id", "url", "language"]).to_pylist()
    chosen = [next(row for row in rows if row["language"] == each) for each in SCRIPTS]
    card = json.loads((tiny / "classifier/card.json").read_text())
    shown = [page["id"] for page in card["pages"]["best"]][:2]
    (copy, *_) = [r for r in Dataset(f"{tiny}/unique").rejected().to_pylist() if r["source"] == "cc"]
    return [row["url"] for row in chosen], [*shown, copy["id"]]


@pytest.fixture(scope="module")
def after(tiny, doomed, tmp_path_factory):
    """What is left of a run, and what the commands printed."""
    folder = tmp_path_factory.mktemp("forget")
    out, listed = copied(tiny, folder / "tiny"), folder / "list.txt"
    listed.write_text("# by URL\n" + "\n".join(doomed[0]) + "\n# by id\n" + "\n".join(doomed[1]))
    how = "forget", out, "--urls", listed
    return out, [
        command(*how, "--dry-run"),
        command(*how, "--workers", 2),
        command(*how),
        command("status", out),
    ]


def test_no_text_of_them_is_left(tiny, doomed, after):
    urls, ids = doomed
    sources = [
        Dataset(f"{tiny}/{step}").read(["id", "url", "text"])
        for step in ("crawl", "wiki", "webtext", "books")
    ]
    rows = [row for table in sources for row in table.to_pylist()]
    gone = [row for row in rows if row["url"] in urls or row["id"] in ids]
    others = "\n".join(row["text"] for row in rows if row not in gone)
    old, new, lines = Traces(tiny), Traces(after[0]), 0
    for row in gone:
        own = [line[:60] for line in row["text"].split("\n") if len(line) > 20 and not set("'\\") & set(line)]
        for line in (line for line in own if line not in others):
            assert old.of(line) and new.of(line) == [], row["id"]
            lines += 1
    assert len(gone) >= 11 and lines >= 30


def test_what_the_commands_say(doomed, after):
    dry, real, again, status = after[1]
    assert [each.returncode for each in after[1]] == [0, 0, 0, 0], real.stderr
    table = dry.stdout[dry.stdout.index("to be forgotten") :].split("\n")[1:]
    assert table[0].split() == [
        "step",
        "kept",
        "rows",
        "rejected",
        "rows",
        "mixture",
        "rows",
        "tokens",
        "elsewhere",
    ]
    assert [line.split() for line in table if line] == [
        line.split() for line in real.stdout[real.stdout.index(": forgotten") :].split("\n")[1:-2] if line
    ]
    assert "classifier, unique, grams: made of all documents, and kept as they are" in " ".join(
        real.stdout.split()
    )
    assert "--redo classifier" in real.stdout and "nothing found" in again.stdout
    assert status.stdout.count("forgotten") >= 5
    for url in doomed[0]:
        assert "rejected: forgotten" in command("why", after[0], url).stdout


def test_a_plain_run_has_nothing_to_do(after):
    out, _ = after
    held = toy.contents(out)
    done = command("run", ROOT / "configs/tiny.toml", "--out", out)
    assert done.returncode == 0, done.stderr
    assert toy.contents(out) == held


def test_the_card_shows_the_others_and_the_model_is_the_same(tiny, doomed, after):
    out, _ = after
    old, new = (json.loads((each / "classifier/card.json").read_text()) for each in (tiny, out))
    gone = {r["id"] for r in Dataset(f"{out}/crawl").rejected().to_pylist() if r["reason"] == "forgotten"}
    assert gone >= set(doomed[1][:2])
    for name, pages in old.pop("pages").items():
        assert new["pages"][name] == [page for page in pages if page["id"] not in gone]
    del new["pages"]
    assert new == old
    weights = "classifier/shards/weights.parquet"
    assert (out / weights).read_bytes() == (tiny / weights).read_bytes()


def test_a_duplicate_leaves_the_texts_before_and_stays_a_duplicate_in_the_ledger(tiny, doomed, after):
    out, _ = after
    copy = doomed[1][2]
    (row,) = [row for row in Dataset(f"{out}/unique").rejected().to_pylist() if row["id"] == copy]
    assert row["reason"].startswith("duplicate:") and row["duplicate_of"]  # which later steps read
    assert copy in Dataset(f"{tiny}/good").read(["id"])["id"].to_pylist()
    assert copy not in Dataset(f"{out}/good").read(["id"])["id"].to_pylist()
    kept = set(Dataset(f"{out}/unique").read(["id"])["id"].to_pylist())
    assert kept < set(Dataset(f"{tiny}/unique").read(["id"])["id"].to_pylist())  # no duplicate came back


def test_every_count_is_that_of_the_files(after):
    out, _ = after
    for step in ("crawl", "books", "tagged", "good", "unique", "clean", "tokens"):
        for name, record in Manifest.load(f"{out}/{step}").shards.items():
            kept, rejected = (
                pq.read_table(out / step / part / f"{name}.parquet") for part in ("shards", "rejected")
            )
            counts = record["counts"]
            assert (counts["rows_out"], sum(counts["reasons"].values())) == (kept.num_rows, rejected.num_rows)
            assert counts["rows_in"] == kept.num_rows + rejected.num_rows
            texts = kept["text"].to_pylist() if "text" in kept.column_names else []
            assert counts["bytes_out"] == sum(len(text.encode()) for text in texts)


def test_mistakes_are_one_message_and_exit_code_2(after, tmp_path):
    (tmp_path / "bad.txt").write_text("a.example\n\nhttps://\n")
    for arguments, message in (
        ([tmp_path], "holds no run"),
        ([after[0], "--urls", tmp_path / "bad.txt"], "line 3: 'https://' is no URL"),
        ([after[0], "--urls", tmp_path / "none.txt"], "no file matches"),
    ):
        done = command("forget", *arguments)
        assert (done.returncode, done.stdout) == (2, "") and message in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
