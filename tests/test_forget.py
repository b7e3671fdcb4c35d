"""pipeline forget: what is gone, what stays, and that a run is whole afterwards."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import takedown
import toy
from scripts import SENTENCES
from takedown import Traces, copied, forget, mark, run, url

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import InputError, StaleRunError
from pipeline.executors import Processes
from pipeline.inspection import RunFolder, why
from pipeline.manifest import Manifest
from stages import STAGES

TESTS = str(Path(__file__).parent)
END = 50256
# by URL, spelled otherwise: escaped, in punycode, with port and fragment; by domain, and one below it; by id
LINES = [
    "HTTP://www.th.example:443/p%61ge/1#top  # a reader asked",
    f"https://{'новости'.encode('idna').decode()}.example/page/2",
    "https://ar.example/page/*",
    "news.example",
    "books/books/2",
    "books/books/11",
]
GONE = {
    *(100 + at for at, language in enumerate(SENTENCES) if language == "th"),
    *(200 + at for at, language in enumerate(SENTENCES) if language == "ru"),
    *(100 * n + at for n in range(7) for at, each in enumerate(SENTENCES) if each in ("ar", "en", "ja")),
    9001,
    9012,
}
STAY = {100 * n + at for n in range(7) for at in range(8)} | {
    9000 + 10 * n + at for n in range(3) for at in range(8)
}
STAY -= GONE | {101}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return takedown.write(tmp_path_factory.mktemp("forget"))


@pytest.fixture(scope="module")
def before(folder):
    """A run that nothing was taken out of."""
    return run(folder)


@pytest.fixture(scope="module")
def after(folder, before):
    """The same, and the table of what was taken out."""
    out = copied(before, folder / "after")
    return out, forget(folder, LINES, "after")


def test_nothing_of_them_is_left_in_any_file(before, after):
    old, new = Traces(before), Traces(after[0])
    for number in GONE:
        assert old.of(mark(number)), number  # what is looked for is found where it is
        assert new.of(mark(number)) == [], number
    for number in STAY:
        gone = {name for name in old.of(mark(number)) if name not in new.of(mark(number))}
        assert {name.split("/")[1] for name in gone} <= {"units", "merged"}, number


def test_they_stand_in_every_ledger_with_their_address_and_the_reason_alone(before, after):
    out, _ = after
    for step in ("crawl", "saved", "books", "unique", "tokens"):
        had = {row["id"]: row for row in Dataset(f"{before}/{step}").read().to_pylist()}
        has = {row["id"]: row for row in Dataset(f"{out}/{step}").read().to_pylist()}
        gone = {row["id"]: row for row in Dataset(f"{out}/{step}").rejected().to_pylist()}
        forgotten = {name: row for name, row in gone.items() if row["reason"] == "forgotten"}
        assert forgotten.keys() == had.keys() - has.keys() and has.keys() < had.keys()
        assert all(has[name] == had[name] for name in has)
        for name, row in forgotten.items():
            for column in ("source", "url", "date", "domain", "split", "warc", "offset", "length"):
                assert row[column] == had[name][column]
            assert not {"charset", "engine", "title", "similarity"} & {
                c for c, v in row.items() if v is not None
            }


def test_a_ledger_keeps_no_words_of_what_was_rejected_before(folder, before):
    assert "books/rejected/books-books.parquet" in Traces(before).of(f"'{mark(1)}'")
    out = copied(before, folder / "ledger")
    (row,) = forget(folder, ["books/books/26"], "ledger")
    assert (row["step"], row["rejected_rows"], row["kept_rows"]) == ("books", 1, 0)
    (rejected,) = Dataset(f"{out}/books").rejected().to_pylist()
    assert (rejected["reason"], rejected["title"]) == ("empty", None)


def test_the_table_says_what_went(before, after):
    out, rows = after
    found = {row["step"]: row for row in rows}
    for step in ("crawl", "saved", "books", "unique", "tokens"):
        old, new = (Manifest.load(f"{each}/{step}").totals for each in (before, out))
        assert found[step]["kept_rows"] == old["rows_out"] - new["rows_out"] == new["reasons"]["forgotten"]
        assert old["rows_in"] == new["rows_in"] == new["rows_out"] + sum(new["reasons"].values())
    assert found["tokens"]["tokens"] == old["tokens_out"] - new["tokens_out"] > 0
    assert found["mixture"]["tokens"] == Manifest.load(f"{out}/mixture").totals["tokens_forgotten"] > 0
    assert found["crawl"]["kept_rows"] == len(GONE) - 2 and found["books"]["kept_rows"] == 2


def test_the_mixture_keeps_every_other_token_where_it_was(before, after):
    out, rows = after
    ids = set(Dataset(f"{before}/tokens").read(["id"])["id"].to_pylist())
    left = set(Dataset(f"{out}/tokens").read(["id"])["id"].to_pylist())
    touched = shared = 0
    old, new = Dataset(f"{before}/mixture"), Dataset(f"{out}/mixture")
    assert old.schema.equals(new.schema, check_metadata=True) and old.rows == new.rows
    for was, now in zip(old.read().to_pylist(), new.read().to_pylist(), strict=True):
        expected, segments = list(was["tokens"]), []
        for segment in was["documents"]:
            if segment["id"] in left:
                segments.append(segment)
                continue
            assert segment["id"] in ids
            expected[segment["start"] : segment["end"]] = [END] * (segment["end"] - segment["start"])
            segments.append({**segment, "id": None, "offset": None})
            shared += segment["start"] == 0 or segment["end"] == 49
        assert now == {"tokens": expected, "source": was["source"], "documents": segments}
        touched += was != now
    assert touched == next(row["mixture_rows"] for row in rows if row["step"] == "mixture")
    assert 0 < touched < sum(old.rows.values()) and shared > 10


def test_tokens_that_two_rows_share_are_equal_in_both(after):
    """In the stream of a source, row r ends with the token that row r + 1 begins with."""
    out, _ = after
    rows = Dataset(f"{out}/mixture").read()
    tokens = np.array(rows["tokens"].to_pylist())
    sources = np.array(rows["source"].to_pylist())
    for source in ("cc", "books"):
        ends = sorted(tokens[sources == source][:, -1].tolist())
        starts = sorted(tokens[sources == source][:, 0].tolist())
        assert len([each for each in ends if each not in starts]) <= 4  # the last of each shard and split


def test_the_run_is_whole(folder, after):
    out, _ = after
    held = toy.contents(out)
    run(folder, "after")
    assert toy.contents(out) == held
    (way,) = why(RunFolder.open(str(out), STAGES), url("en", 3))
    assert [(seen.step, seen.outcome, seen.row["reason"]) for seen in way] == [
        ("crawl", "rejected", "forgotten")
    ]
    for step in storage.folders(str(out)):
        manifest = Manifest.load(f"{out}/{step}")
        for records in manifest.tasks.values():
            for record in records.values():
                for name, checksum in record["written"].items():
                    path = f"{out}/{step}/{name}"
                    assert not storage.exists(path) or storage.checksum(path) == checksum, path


def test_shards_without_them_are_not_written(before, folder):
    out = copied(before, folder / "few")
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    forget(folder, ["cc/b/0"], "few")
    changed = {
        str(path.relative_to(out))
        for path, time in times.items()
        if path.exists()
        if path.stat().st_mtime_ns != time
    }
    steps = ("crawl", "saved", "unique", "tokens")
    parts = {f"{step}/{part}/cc-b.parquet" for step in steps for part in ("shards", "rejected")}
    mixture = {name for name in changed if name.startswith("mixture/shards/")}
    assert changed == parts | mixture and 0 < len(mixture) < 8


@pytest.mark.parametrize("lines", [LINES, ["news.example", "https://ko.example/page/5", "books/books/3"]])
def test_the_same_bytes_as_sources_write_that_never_read_them(folder, before, lines):
    copied(before, folder / "place")
    forget(folder, lines, "place")
    fresh = run(folder, "fresh", more='forget = "list.txt"', to="saved")
    run(folder, "fresh", more='forget = "list.txt"', to="books")
    place = folder / "place"
    ledger = {"url": [], "reason": []}
    for step in ("crawl", "books"):
        for part in ("shards", "rejected"):
            for name in storage.names(str(fresh / step / part)):
                path = f"{step}/{part}/{name}"
                if part == "shards":
                    assert (place / path).read_bytes() == (fresh / path).read_bytes(), path
                    continue
                one, other = (pq.read_table(each / path).to_pylist() for each in (place, fresh))
                assert [row["id"] for row in one] == [row["id"] for row in other]
                for left, right in zip(one, other, strict=True):
                    if left["reason"] != right["reason"]:  # it was rejected before its URL was
                        ledger["url"].append(left["url"])
                        ledger["reason"].append((left["reason"], right["reason"]))
                    else:
                        assert left == right
    assert set(ledger["reason"]) <= {("http:404", "forgotten")}
    assert all(each.endswith("/gone") for each in ledger["url"])
    for each in (folder / "place", folder / "fresh"):
        takedown.shutil.rmtree(each)


def test_sources_that_run_again_leave_them_out(folder, after):
    out = copied(after[0], folder / "again")
    run(folder, "again", redo="crawl")
    run(folder, "again", redo="books")
    new = Traces(out)
    for number in (*GONE, *STAY):
        assert bool(new.of(mark(number))) == (number in STAY), number
    for step in ("crawl", "books"):
        reasons = Manifest.load(f"{out}/{step}").totals["reasons"]
        assert reasons["forgotten"] >= Manifest.load(f"{after[0]}/{step}").totals["reasons"]["forgotten"]


def test_a_new_archive_and_a_new_source_do_not_bring_them_back(tmp_path):
    folder = takedown.write(tmp_path)
    run(folder, recipe=takedown.SAVED)
    forget(folder, LINES)
    takedown.write_archive(folder / "crawl/d.warc.gz", [1, 8])
    more = takedown.SAVED + '[steps.more]\nstage = "extract"\nwarcs = "crawl/d*"\nsource = "more"\n'
    out = run(folder, recipe=more)
    for step, source in (("crawl", "cc"), ("saved", "cc"), ("more", "more")):
        rows = Dataset(f"{out}/{step}").read(["id", "url", "text"]).to_pylist()
        new = [row for row in rows if row["id"].startswith(f"{source}/d/")]
        here = [mark(100 * n + at) for n in (1, 8) for at, each in enumerate(SENTENCES)]
        forgot = {"en", "ar", "ja"}
        wanted = [each not in forgot and (n, each) != (1, "th") for n in (1, 8) for each in SENTENCES]
        held = "".join(row["text"] for row in new)
        assert [word in held for word in here] == wanted
    run(folder, recipe=more)


def test_in_two_goes_by_two_workers_or_in_one_the_same_bytes(folder, before, after):
    out = copied(before, folder / "two")
    forget(folder, LINES[3:], "two")
    forget(folder, LINES[:4], "two", Processes(2))
    assert toy.contents(out) == toy.contents(after[0])
    assert forget(folder, LINES, "two") == []
    assert toy.contents(out) == toy.contents(after[0])
    assert (out / "forgotten.txt").read_text().splitlines() == sorted(line.split("  #")[0] for line in LINES)


CODE = """
import os, sys; sys.path.insert(0, {tests!r})
os.fsync = lambda descriptor: None  # the machine does not die
from pathlib import Path
import takedown
from stages.forgotten import entries
def run(): takedown.take_down(Path({out!r})).run(entries([{path!r}]))
"""


def test_killed_after_every_commit_it_ends_in_the_same_bytes(tmp_path):
    folder = takedown.write(tmp_path, "a")
    killed = copied(run(folder), folder / "killed")
    assert len(forget(folder, LINES)) == 6
    code = CODE.format(tests=TESTS, out=str(killed), path=str(folder / "list.txt"))
    command = [sys.executable, f"{TESTS}/crash.py", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50
    assert toy.contents(killed) == toy.contents(folder / "out")


def test_a_run_is_refused_while_a_take_down_is_half_done(folder, before, after, monkeypatch):
    out, commits = copied(before, folder / "half"), storage.commit

    class Stopped(BaseException):
        """As good as kill -9."""

    def commit(partial, path):
        commits(partial, path)
        if "unique/tasks" in path and ".forgetting" not in path:
            raise Stopped

    monkeypatch.setattr(storage, "commit", commit)
    with pytest.raises(Stopped):
        forget(folder, LINES, "half")
    monkeypatch.undo()
    with pytest.raises(StaleRunError, match=r"forget. was stopped here.*end it with .pipeline forget .*half"):
        run(folder, "half")
    assert takedown.take_down(out).run([]) != []
    assert toy.contents(out) == toy.contents(after[0])
    run(folder, "half")


def test_another_list_comes_after_the_one_that_was_stopped(folder, before, after, monkeypatch):
    out, commits = copied(before, folder / "other"), storage.commit

    def commit(partial, path):
        commits(partial, path)
        if "crawl/shards" in path and ".forgetting" not in path:
            raise KeyboardInterrupt

    monkeypatch.setattr(storage, "commit", commit)
    with pytest.raises(KeyboardInterrupt):
        forget(folder, LINES[3:], "other")
    monkeypatch.undo()
    forget(folder, LINES[:3], "other")
    assert toy.contents(out) == toy.contents(after[0])


def test_a_dry_run_says_the_same_and_changes_nothing(folder, before, after):
    held = toy.contents(before)
    wanted = takedown.take_down(before).preview(takedown.listed(folder, LINES))
    out = copied(before, folder / "dry")
    assert wanted == forget(folder, LINES, "dry")
    assert toy.contents(before) == held and toy.contents(out) == toy.contents(after[0])


def test_a_run_that_was_stopped_is_continued_without_them(tmp_path):
    """What is half made has rows that are counted elsewhere, so it is made anew."""
    folder = takedown.write(tmp_path)
    wanted = toy.contents(run(folder, "calm", to="tokens"))
    commits = storage.commit
    for number, stop in enumerate(
        ("saved/shards/cc-b.parquet", "unique/signatures", "unique/shards/cc-b", "mixture/units")
    ):

        def commit(partial, path, stop=stop):
            commits(partial, path)
            if stop in path:
                raise KeyboardInterrupt

        out = folder / f"run{number}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(storage, "commit", commit)
            with pytest.raises(KeyboardInterrupt):
                run(folder, out.name)
        forget(folder, LINES, out.name)
        for moment in ("stopped", "continued"):
            new = Traces(out)
            assert not [gone for gone in GONE if new.of(mark(gone))], (stop, moment)
            run(folder, out.name)
        held = "".join(Dataset(f"{out}/unique").read(["text"])["text"].to_pylist())
        assert all(mark(stay) in held for stay in STAY), stop
    assert wanted


def test_records_that_were_saved_are_blank_and_the_others_where_they_were(folder, before):
    recipe = takedown.SAVED.replace("raw = true", "raw = true\nmaterialize = false")
    again = '[steps.again]\nstage = "refine"\ndocuments = "saved"\nraw = "saved"\n'
    out = run(folder, "flowing", recipe)
    old = {path.name: path.read_bytes() for path in (out / "saved/raw").iterdir()}
    rows = forget(folder, LINES, "flowing")
    assert [row["step"] for row in rows] == ["saved"]  # nothing of the crawl was written
    for name, data in Dataset(f"{out}/saved").files("raw").items():
        new = Path(data).read_bytes()
        was = old[f"{name}.warc.gz"]
        assert len(new) == len(was) and gzip.decompress(new)
        for row in pq.read_table(out / f"saved/shards/{name}.parquet").to_pylist():
            place = slice(row["offset"], row["offset"] + row["length"])
            assert new[place] == was[place]
    new = Traces(out)
    assert not [gone for gone in GONE if new.of(mark(gone))]
    (way,) = why(RunFolder.open(str(out), STAGES), url("en", 3))
    assert [(seen.step, seen.outcome) for seen in way] == [("crawl", "flowed"), ("saved", "rejected")]
    run(folder, "flowing", recipe + again)
    assert set(Dataset(f"{out}/again").read(["refined"])["refined"].to_pylist()) == {"yes"}
    run(folder, "flowing", recipe + again)


def test_mistakes_are_named(folder, before, tmp_path):
    out = copied(before, tmp_path / "run")
    with pytest.raises(InputError, match="holds no run"):
        forget(folder, LINES, "crawl")
    with pytest.raises(
        InputError, match=r"list.txt, line 2: 'no such thing' is neither an id.*nor a URL.*nor a domain"
    ):
        takedown.listed(tmp_path, ["news.example", "no such thing"])
    with pytest.raises(InputError, match=r"never told to forget anything; name a list .*--urls"):
        takedown.take_down(out).run([])
    with storage.locked(str(out)), pytest.raises(StaleRunError, match="another run is using"):
        takedown.take_down(out).run(["news.example"])
    assert takedown.take_down(out).run(["nowhere.example", "cc/a/1", "https://a.example/例え"]) == []
    held = toy.contents(out)
    assert json.loads(held["crawl/manifest.json"])["totals"]["reasons"] == {"http:404": 7}
    assert held.pop("forgotten.txt").decode().splitlines() == [
        "cc/a/1",
        "https://a.example/例え",
        "nowhere.example",
    ]
    assert held == toy.contents(before)
