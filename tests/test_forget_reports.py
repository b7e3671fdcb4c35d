"""pipeline forget, where steps quote what they cut: decontaminate, contamination, drop_repeated."""

import json

import pytest
import takedown
from scripts import SENTENCES
from takedown import Traces, copied, forget, mark, run, text

from pipeline import storage
from pipeline.dataset import Dataset
from stages.drop_repeated import DropRepeated

QUESTION = (
    "which of the seven harbours of the northern coast was closed for the winter by order of the council"
)
FIRST = 9100  # of the marks in the books
RECIPE = """
[steps.crawl]
stage = "extract"
warcs = "crawl/*"
[steps.books]
stage = "ingest"
source = "books"
files = "books.jsonl"
[steps.lines]
stage = "drop_repeated"
documents = ["books", "crawl"]
within = "all"
max_documents = 2
min_share = 0.01
[steps.grams]
stage = "count_grams"
documents = "lines"
benchmarks = "quiz.jsonl"
[steps.clean]
stage = "decontaminate"
documents = "lines"
grams = "grams"
min_piece = 10
window = 40
[steps.overlap]
stage = "contamination"
documents = "clean"
grams = "grams"
"""


def test_what_was_cut_and_what_was_reported_is_forgotten(tmp_path):
    footer = (
        f"all rights of this page are reserved by those who wrote it, says {mark(77)} of the harbour office"
    )
    books = [
        {"text": f"{text(language, FIRST + n)}. {QUESTION}. {text(language, FIRST + n)}\n\n{footer}"}
        for n, language in enumerate(SENTENCES)
    ]
    takedown.write(tmp_path, "a")
    (tmp_path / "books.jsonl").write_text("\n".join(json.dumps(book) for book in books))
    (tmp_path / "quiz.jsonl").write_text(json.dumps({"id": "one", "text": QUESTION}))
    before = Traces(run(tmp_path, recipe=RECIPE))
    copied(tmp_path / "out", tmp_path / "after")
    forget(tmp_path, ["books/books/1", "books/books/2"], "after")
    after = Traces(tmp_path / "after")
    for number in (FIRST, FIRST + 1):
        steps = {name.split("/")[0] for name in before.of(mark(number))}
        assert {"books", "lines", "clean", "overlap"} <= steps
        assert after.of(mark(number)) == []
    assert any(name.startswith("lines/report") for name in before.of(mark(77)))
    assert not any(name.startswith("lines/report") for name in after.of(mark(77)))
    assert "repeated lines" in DropRepeated().summary(Dataset(str(tmp_path / "after/lines")))
    again = Traces(run(tmp_path, "after", recipe=RECIPE))
    assert any(name.startswith("overlap/") for name in again.of(mark(FIRST + 2)))
    assert again.of(mark(FIRST)) == again.of(mark(FIRST + 1)) == []


@pytest.mark.parametrize("killed", [False, True])
def test_a_report_goes_that_shows_what_was_rejected_for_it(tmp_path, monkeypatch, killed):
    """Of such a document the stage that rejected it kept no more than what it had cut out."""
    recipe = "".join(RECIPE.replace('["books", "crawl"]', '"books"').partition("[steps.books]")[1:])
    books = [{"text": f"{mark(1)} {QUESTION} {mark(1)}"}, {"text": text("th", 2) * 3}]
    (tmp_path / "books.jsonl").write_text("\n".join(json.dumps(book) for book in books))
    (tmp_path / "quiz.jsonl").write_text(json.dumps({"id": "one", "text": QUESTION}))
    out = run(tmp_path, recipe=recipe)
    (row,) = Dataset(f"{out}/clean").rejected().to_pylist()
    assert row["reason"] == "contaminated:nothing_left"
    places = {name.rpartition("/")[0] for name in Traces(out).of(mark(1))}
    assert {"clean/cuts", "overlap/documents"} <= places
    if killed:
        remove = storage.shutil.rmtree

        def stopped(path):
            remove(path)
            if path.endswith("overlap/tasks"):
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(storage.shutil, "rmtree", stopped)
            with pytest.raises(KeyboardInterrupt):
                forget(tmp_path, ["books/books/1"])
    forget(tmp_path, ["books/books/1"])
    assert Traces(out).of(mark(1)) == [] and not (out / "overlap").exists()
    run(tmp_path, recipe=recipe)
    assert Traces(out).of(mark(1)) == [] and (out / "overlap/contamination.html").exists()


def test_what_a_killed_task_had_written_goes_too(tmp_path, monkeypatch):
    recipe = "".join(RECIPE.partition("[steps.books]")[1:]).partition("[steps.lines]")[0]
    (tmp_path / "books.jsonl").write_text(json.dumps({"text": text("ja", 1)}))
    commits = storage.commit

    def commit(partial, path):
        commits(partial, path)
        if "books/shards" in path:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, recipe=recipe)
    assert Traces(tmp_path / "out").of(mark(1))
    assert forget(tmp_path, ["books/books/1"]) == []
    assert Traces(tmp_path / "out").of(mark(1)) == []
    run(tmp_path, recipe=recipe)
    assert Traces(tmp_path / "out").of(mark(1)) == []
