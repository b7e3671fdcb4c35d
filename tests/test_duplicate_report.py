"""The report of duplicates: exact counts, groups with their texts, the same bytes, pages in every script.

Most tests give the marks themselves, as `deduplicate` would write them, and count them in plain Python.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import duplicates
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import storage
from pipeline.dataset import Dataset
from pipeline.errors import AlarmError, RecipeError
from pipeline.executors import Executor, Inline, Processes
from pipeline.files import Files
from pipeline.output import Output
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT, REASON
from pipeline.stage import Job, Stage
from stages import duplicate_report
from stages.deduplicate import Deduplicate

MARKS = [("duplicate_of", pa.string()), ("similarity", pa.float32()), ("duplicates", pa.int32())]
SCHEMA = pa.schema([*DOCUMENT, ("language", pa.string()), *MARKS, (REASON, pa.string())])


@dataclass(frozen=True)
class Given(Stage):
    """Documents as the test wrote them, with their marks in the text's place of birth."""

    files: Files
    inputs: ClassVar[Mapping[str, str]] = {}

    def run(self, job: Job) -> None:
        job.map("shards", self.read, job.files(self.files, "given"))

    def read(self, path: str, output: Output) -> None:
        table = table_of(path).drop_columns([REASON, *(name for name, _ in MARKS)])
        output.documents(table.schema).write(table)


@dataclass(frozen=True)
class Marked(Stage):
    """What `deduplicate` leaves: kept documents with `duplicates`, a ledger with the evidence."""

    files: Files
    more: bool = False

    def run(self, job: Job) -> None:
        paths = job.files(self.files, "given")
        job.map("shards", partial(self.mark, paths), {name: name for name in job.inputs["documents"].shards})
        duplicate_report.write(
            job, {"very common keys": [{"key": "<b>", "documents": 7}]} if self.more else None
        )

    def mark(self, paths: Mapping[str, str], shard: str, output: Output) -> None:
        table = table_of(paths[shard])
        output.documents(table.drop_columns([REASON]).schema).write(table)

    def summary(self, dataset: Dataset) -> duplicate_report.Tables:
        return duplicate_report.summary(dataset)


STAGES = {"given": Given, "marked": Marked, "deduplicate": Deduplicate}
RECIPE = """
[steps.documents]
stage = "given"
files = "in/*.json"
[steps.unique]
stage = "marked"
documents = "documents"
files = "in/*.json"
"""


def table_of(path: str) -> pa.Table:
    return pa.Table.from_pylist(json.loads(Path(path).read_text()), SCHEMA)


def run(
    folder: Path,
    shards: list[list[dict[str, Any]]],
    out: str = "out",
    executor: Executor | None = None,
    more: str = "",
    **how: Any,
) -> Path:
    """Report on shards of marked documents; returns the step's folder."""
    shutil.rmtree(folder / "in", ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    for number, rows in enumerate(shards):
        (folder / f"in/{number:03d}.json").write_text(json.dumps(rows))
    recipe = parse(f"{RECIPE}{more}".encode(), "test", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), say=lambda line: None).run(**how)
    return folder / out / "unique"


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def corpus(groups: Mapping[str, int], shards: int = 3) -> list[list[dict[str, Any]]]:
    """Groups by the name of what stays -> how many duplicates, dealt to shards in turn."""
    rows: list[dict[str, Any]] = []
    for place, (name, size) in enumerate(groups.items()):
        source, language = ("web", "books")[place % 2], (None, "zh", "en")[place % 3]
        head = {"id": f"{source}/{name}/0", "source": source, "language": language, "duplicates": size}
        rows.append(head | {"domain": f"{name}.example", "text": f"{name} stays here"})
        for number in range(size):
            near = number % 4
            rows.append(
                {
                    "id": f"web/{name}/{number + 1}",
                    "source": "web",
                    "language": language,
                    "domain": f"{name}.example" if number % 2 else None,
                    "duplicate_of": head["id"],
                    "similarity": 0.8 + 0.06 * near if near else 1.0,
                    "reason": "duplicate:near" if near else "duplicate:exact",
                    "text": f"{name} goes {number}",
                }
            )
    return [rows[start::shards] for start in range(shards)]


def counted(shards: list[list[dict[str, Any]]], facet: str) -> dict[str, list[int]]:
    """By a column, in plain Python: documents, exact, near."""
    found: dict[str, list[int]] = {}
    for row in (row for rows in shards for row in rows):
        counts = found.setdefault(row.get(facet) or "", [0, 0, 0])
        for place, wanted in enumerate((None, "duplicate:exact", "duplicate:near")):
            counts[place] += wanted is None or row.get("reason") == wanted
    return found


GROUPS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 12), max_size=30)


@given(GROUPS, st.integers(1, 4), st.sampled_from([1 << 26, 2048]))
@settings(deadline=None, max_examples=10)
def test_every_count_is_that_of_a_plain_loop(tmp_path_factory, groups, parts, memory):
    folder = tmp_path_factory.mktemp("report")
    shards = corpus(groups, parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicate_report, "MEMORY", memory)  # one partition, or many
        report = told(run(folder, shards))
    for facet in ("source", "language", "domain"):
        got = {row["key"]: [row["documents"], row["exact"], row["near"]] for row in report[facet]}
        assert got == counted(shards, facet)
        assert [row["exact"] + row["near"] for row in report[facet]] == sorted(
            (exact + near for _, exact, near in got.values()), reverse=True
        )
    gone = [row for rows in shards for row in rows if row.get("reason")]
    because = Counter((row["source"], row["duplicate_of"].split("/")[0]) for row in gone)
    assert {(r["key"], r["detail"]): r["exact"] + r["near"] for r in report["because"]} == because
    bands = Counter({0.86: "0.85 to 0.90", 0.92: "0.90 to 0.95", 0.98: "0.95 to 1.00"}[s] for s in near(gone))
    assert {row["key"]: row["near"] for row in report["similarity"] if row["near"]} == bands
    sizes = {row["id"]: row["duplicates"] for rows in shards for row in rows if row.get("duplicates", 0) > 0}
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:20]
    assert [(group["id"], group["removed"]) for group in report["groups"]] == largest
    for group in report["groups"]:
        mine = [row for row in gone if row["duplicate_of"] == group["id"]]
        mine.sort(key=lambda row: (row["similarity"], row["id"]))
        assert [row["id"] for row in group["members"]] == [row["id"] for row in mine[:3]]
        assert [row["text"] for row in group["members"]] == [row["text"] for row in mine[:3]]


def near(gone: list[dict[str, Any]]) -> list[float]:
    return [round(row["similarity"], 2) for row in gone if row["reason"] == "duplicate:near"]


MANY = {f"group{number:02d}": number % 9 + 1 for number in range(40)}


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and "log" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class Killed(BaseException):
    """As good as kill -9: nothing catches it."""


def test_the_same_bytes_for_any_workers_and_killed_after_every_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(duplicate_report, "MEMORY", 8192)
    shards = corpus(MANY, 2)
    wanted = contents(run(tmp_path, shards))
    assert {name.split("/")[0] for name in wanted if name.endswith(".parquet")} == {
        "shards",
        "rejected",
        "tallies",
    }
    assert contents(run(tmp_path, shards, "workers", Processes(2))) == wanted
    seen: set[str] = set()

    def deadly(function: Any) -> Any:
        def wrapped(*paths: str) -> None:
            function(*paths)
            if paths[-1] not in seen:
                seen.add(paths[-1])
                raise Killed

        return wrapped

    for name in ("commit", "remove_files"):
        monkeypatch.setattr(storage, name, deadly(getattr(storage, name)))
    for _ in range(1000):
        with contextlib.suppress(Killed):
            assert contents(run(tmp_path, shards, "killed")) == wanted
            break
    assert len(seen) > 40 and str(tmp_path / "killed/unique/report.html") in seen


def test_earlier_steps_counts_are_not_counted_again(tmp_path):
    """`duplicates` goes on counting from step to step; a report is of its own."""
    text = " ".join(f"word{number}" for number in range(30))
    rows = [{"text": text + end, "domain": "a.example"} for end in (" one", " two", "", "")]
    recipe = duplicates.write(tmp_path, {"one": [rows], "two": [[{"text": text}, {"text": "alone"}]]})
    recipe += '[steps.first]\nstage = "deduplicate"\ndocuments = "one"\n'
    recipe += '[steps.unique]\nstage = "deduplicate"\ndocuments = ["first", "two"]\n'
    Run(duplicates.parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    first, second = (told(tmp_path / f"out/{step}") for step in ("first", "unique"))
    assert [group["removed"] for group in first["groups"]] == [3]
    assert [group["removed"] for group in second["groups"]] == [1]
    assert second["source"][0] | {"facet": ""} == {
        "facet": "", "key": "two", "detail": "", "documents": 2, "exact": 0, "near": 1,
    }  # fmt: skip
    assert [(row["key"], row["detail"]) for row in second["because"]] == [("two", "one")]


TEXTS = {
    "Chinese": ("这座灯塔很古老，海边的人都知道它。", "这座灯塔很新，海边的人都知道它。", "新"),
    "Japanese": ("港には古い灯台があります。", "港には白い灯台があります。", "白"),
    "Korean": ("바다 위에 작은 배가 있다.", "바다 위에 큰 배가 있다.", "큰"),
    "Thai": ("เรือลำนี้เก่ามาก", "เรือลำนี้ใหม่มาก", "ใหม่"),
    "Arabic": ("السفينة في الميناء القديم", "السفينة في الميناء الجديد", "الجديد"),
    "Hindi": ("नाव नदी में चलती है", "नाव समुद्र में चलती है", "समुद्र"),
    "Russian": ("Корабль стоит в порту.", "Корабль стоит у берега.", "у берега"),
    "English": (
        '<script>alert("x")</script> & \x00\x1b here',
        "<script>alert('y')</script> & \u202ehere",
        "y",
    ),
}


class Page(HTMLParser):
    """Tags, the texts in `<div class="text">`, and those in `<mark>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.texts: list[str] = []
        self.marks: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in ("meta", "br"):
            self._open.append("text" if ("class", "text") in attrs else tag)
        if self._open[-1] == "text":
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() in (tag, "text")

    def handle_data(self, data: str) -> None:
        if "text" in self._open:
            self.texts[-1] += data
        if "mark" in self._open:
            self.marks.append(data)


def test_texts_of_all_scripts_stand_side_by_side_and_do_no_harm(tmp_path):
    rows = []
    for name, (one, other, _) in TEXTS.items():
        head = {"id": f"{name}/a/0", "source": name, "duplicates": 1, "url": f"http://{name}.example/?<b>"}
        rows.append(head | {"domain": "<b>", "text": one})
        gone = {"id": f"{name}/a/1", "source": name, "duplicate_of": head["id"], "similarity": 0.85}
        rows.append(gone | {"reason": "duplicate:near", "domain": "</table>", "text": other})
    folder = run(tmp_path, [rows], more="more = true\n")
    html = (folder / "report.html").read_text()
    page = Page(html)
    assert not {"script", "img", "a", "link", "b"} & set(page.tags) - {"b"} and page.tags["b"] == len(TEXTS)
    shown = set(page.texts)
    for one, other, differs in TEXTS.values():
        seen = [text.replace("\x00", "\ufffd").replace("\x1b", "\ufffd") for text in (one, other)]
        assert set(seen) <= shown
        assert any(differs in mark or mark in differs for mark in page.marks)
    assert "Very" not in html and "very common keys" in html and "&lt;b&gt;" in html
    assert "\x00" not in html and "default-src 'none'" in html


def test_long_texts_are_shown_from_their_beginnings(tmp_path):
    text = "word " * 4000
    rows = [{"id": "a/a/0", "source": "a", "duplicates": 1, "text": text}]
    gone = {"id": "a/a/1", "source": "a", "duplicate_of": "a/a/0", "similarity": 0.99}
    rows.append(gone | {"reason": "duplicate:near", "text": f"{text} end"})
    folder = run(tmp_path, [rows])
    (group,) = told(folder)["groups"]
    assert len(group["text"]) == duplicate_report.EXCERPT and group["characters"] == len(text)
    html = (folder / "report.html").read_text()
    assert "what differs comes later" in html and "20,000 characters" in html and "characters alike" in html


def test_the_tables_of_status(tmp_path):
    folder = run(tmp_path, corpus(MANY), more="more = true\n")
    tables = Marked(("x",)).summary(Dataset(str(folder)))
    assert list(tables) == [
        "removed by source",
        "because of",
        "removed by language",
        "domains that lose most",
        "removed by similarity",
        "largest groups (report.html has their texts side by side)",
        "very common keys",
    ]
    removed = sum(MANY.values())
    web, books = tables["removed by source"]
    assert (web["removed"], web["%"]) == (removed, f"{100 * removed / (removed + 20):.1f}")
    assert (books["documents"], books["removed"], books["%"]) == (20, 0, "0.0")
    assert all(len(rows) <= duplicate_report.SHOWN for rows in tables.values())
    (folder / "report.json").unlink()
    assert Marked(("x",)).summary(Dataset(str(folder))) == {}  # a step of an earlier version


def test_no_documents_and_no_duplicates(tmp_path):
    for shards in ([[]], corpus({"one": 0}), [[], *corpus({"one": 0, "two": 0})]):
        folder = run(tmp_path, shards, out=f"out{len(shards)}{len(shards[0])}")
        report = told(folder)
        assert report["groups"] == [] and report["because"] == []
        assert Page((folder / "report.html").read_text()).tags["details"] == 0


def test_a_source_that_loses_nearly_everything_stops_the_run(tmp_path):
    """Near-copies of one text, as marin#6854 tells of; a small source may go altogether."""
    text = " ".join(f"word{number}" for number in range(200))
    poor = [{"text": f"{text} {number}"} for number in range(110)]
    small = [{"text": f"{text} {number} small"} for number in range(99)]
    rich = [{"text": f"rich {number} text"} for number in range(3)]
    sources = {"rich": [rich], "poor": [poor[:50], poor[50:]], "small": [small]}
    with pytest.raises(AlarmError) as caught:
        duplicates.run(tmp_path, sources)
    message = str(caught.value)
    assert message.startswith("step 'unique': 109 of 110 documents of 'poor' are removed as duplicates, and")
    assert "max_removed is 0.9" in message and "unique/report.html" in message and "'small'" not in message
    assert "pipeline show" in message and "--allow unique" in message
    folder = tmp_path / "out/unique"
    assert (folder / "report.html").exists() and not (folder / "manifest.json").exists()
    done = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    unique = duplicates.run(tmp_path, sources, max_removed=0.995)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert unique.read().num_rows < 10
    with pytest.raises(RecipeError, match=r"max_removed = 1.5 must lie between 0 and 1"):
        duplicates.run(tmp_path, sources, max_removed=1.5)
