"""What a user can get wrong: each ends in one message, the right exit code, and nothing half-written."""

import fcntl
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import fasttext_model
import pytest

from pipeline import cli

SOURCE = """
[steps.books]
stage = "ingest"
source = "books"
files = "books.jsonl"
"""
RECIPE = f"""{SOURCE}
[steps.tagged]
stage = "language"
documents = "books"
keep = ["en"]
[steps.tokens]
stage = "encode"
documents = "tagged"
[steps.mixture]
stage = "mix"
documents = "tokens"
weights = {{ books = 1 }}
sequence = 16
"""
CRAWL = '[steps.crawl]\nstage = "extract"\nwarcs = "FILES"\n'
GRAMS = f'{SOURCE}[steps.grams]\nstage = "count_grams"\ndocuments = "books"\nbenchmarks = "FILES"\n'
GOOD = f'{SOURCE}[steps.good]\nstage = "quality"\ndocuments = "books"\n'
TEXT = "The quick brown fox jumps over the lazy dog and runs away from it as fast as it can. "


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str


@pytest.fixture
def pipeline(tmp_path, monkeypatch, capsys):
    """The command line, in this process, in a folder with some inputs."""
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code
        return Ended(code, *capsys.readouterr())

    return command


def write_inputs(folder):
    lines = [json.dumps({"text": f"Book {n}. {TEXT * (n + 1)}"}) for n in range(30)]
    (folder / "books.jsonl").write_text("\n".join(lines))
    (folder / "body.jsonl").write_text('{"body": "a text under another name"}\n' * 5)
    (folder / "broken.jsonl").write_text(f"{lines[0]}\n" * 5 + '{"text": \n' * 4)
    (folder / "empty.jsonl").write_text("")
    (folder / "empty.paths").write_text("\n")
    (folder / "lost.paths").write_text("books.jsonl\nnowhere.jsonl\n")
    (folder / "list.json").write_text("[1, 2]")
    (folder / "cut.json").write_text('{"model": {"type"')
    (folder / "unigram.json").write_text('{"model": {"type": "Unigram"}}')
    (folder / "noise.warc.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(range(256)) * 20)
    (folder / "empty.warc").write_text("")
    for name in ("again/books.jsonl", "letters/letter.doc"):
        (folder / name).parent.mkdir()
        shutil.copy(folder / "books.jsonl", folder / name)
    fasttext_model.write_model(folder / "model.bin", {"the": 2.0})


def run(pipeline, text, *arguments, workers=1):
    Path("recipe.toml").write_text(text)
    return pipeline("run", "recipe.toml", "--out", "out", "--workers", workers, *arguments)


def finished():
    """The steps that say they are done."""
    return {path.parent.name for path in Path("out").glob("*/manifest.json")}


def assert_refused(ended, code, *words):
    """One message with all the words, the code, and nothing half-written."""
    assert ended.code == code, ended
    assert ended.errors.startswith("error: ") and ended.errors.count("\n") == 1, ended.errors
    assert [word for word in words if word not in ended.errors] == [], ended.errors
    assert not list(Path().rglob("*.partial"))
    for step in Path("out").glob("*/"):  # nothing is there that no record speaks of
        kept = {path.stem for part in ("shards", "rejected") for path in step.glob(f"{part}/*.parquet")}
        assert kept <= {path.stem for path in step.glob("tasks/shards/*.json")}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"language"', '"langauge"', ["[steps.tagged] stage", "did you mean 'language'?"]),
        ("keep =", "keeps =", ["[steps.tagged]", "'keeps'", "did you mean 'keep'?"]),
        ('"tagged"', '"taged"', ["[steps.tokens] reads 'taged'", "did you mean 'tagged'?"]),
        ('documents = "tokens"', 'documents = "tagged"', ["tagged", "makes documents, not tokens"]),
        ('documents = "books"\n', "", ["[steps.tagged]", "needs an input 'documents'"]),
        ('documents = "books"\n', 'documents = "tagged"\n', ["circle: tagged -> tagged"]),
        ("sequence = 16", 'sequence = "16"', ["[steps.mixture] sequence = '16'", "integer"]),
        ("sequence = 16", "sequence = 0", ["[steps.mixture]", "sequence = 0 must be more than 0"]),
        ("books = 1", "books = 0", ["[steps.mixture]", "leave every source out"]),
        ('["en"]', '["english"]', ["[steps.tagged]", "'english' is no language"]),
        ('source = "books"\n', "", ["[steps.books]: field 'source' is missing"]),
        ("[steps.tokens]", "[steps.tokens", ["not valid TOML", "line"]),
        ('"books.jsonl"', '"bocks.jsonl"', ["[steps.books] files: no file matches", "bocks.jsonl"]),
        ('"books.jsonl"', '"*.json.gz"', ["[steps.books] files: no file matches", "*.json.gz"]),
        ('"books.jsonl"', '"empty.paths"', ["[steps.books] files", "empty.paths is empty"]),
        ('"books.jsonl"', '"lost.paths"', ["lost.paths, line 2: no file", "nowhere.jsonl"]),
        ('"encode"', '"encode"\ntokenizer = "none.json"', ["[steps.tokens] tokenizer: no file", "none.json"]),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_anything_runs(pipeline, old, new, words):
    assert old in RECIPE
    text = RECIPE.replace(old, new)
    assert_refused(run(pipeline, text), 2, *words)
    assert not Path("out").exists()
    assert_refused(pipeline("check", "recipe.toml"), 2, *words)


TOKENIZER = RECIPE.replace('"encode"', '"encode"\ntokenizer = "FILES"')
FASTTEXT = f"{GOOD}fasttext = 'FILES'\nlabel = 'LABEL'"


@pytest.mark.parametrize(
    ("text", "file", "words"),
    [
        (f"{GOOD}model = 'books'", "", ["[steps.good] model = 'books'", "makes documents, not model"]),
        (GOOD, "", ["[steps.good]", "needs either model", "or fasttext"]),
        (f"{GOOD}fasttext = 'model.bin'", "", ["[steps.good]", "label that means good"]),
        (FASTTEXT, "gone.bin", ["[steps.good] fasttext: no file matches"]),
        (FASTTEXT, "cut.json", ["[steps.good] fasttext: ", "cut.json is not a fastText model"]),
        (FASTTEXT, "model.bin", ["[steps.good] fasttext: ", "no label 'LABEL'", "nearest of its 2 is 'hq'"]),
        (GRAMS, "benchmarks/*.jsonl", ["[steps.grams] benchmarks: no file matches"]),
        (GRAMS, "letters", ["[steps.grams] no file in", "letters ends in .jsonl"]),
        (GRAMS, "body.jsonl", ["[steps.grams]", "body.jsonl, line 1", "the fields body", "text_field"]),
        (TOKENIZER, "list.json", ["[steps.tokens]", "list.json is not a tokenizer.json"]),
        (TOKENIZER, "cut.json", ["[steps.tokens]", "cut.json is not a tokenizer.json"]),
        (TOKENIZER, "unigram.json", ["[steps.tokens]", "unigram.json holds a Unigram model", "BPE"]),
        (CRAWL, "letters", ["[steps.crawl] no file in", "letters ends in .warc"]),
        (RECIPE.replace("books.jsonl", "FILES"), "letters", ["[steps.books] no file in", "ends in .jsonl"]),
        (RECIPE.replace('"books.jsonl"', "[]"), "", ["[steps.books] source 'books' has no files"]),
        (
            RECIPE.replace('"books.jsonl"', '["books.jsonl", "again"]'),
            "",
            ["[steps.books] source 'books'", "again/books.jsonl", "the same name", "rename one"],
        ),
    ],
)
def test_so_are_files_that_cannot_be_what_they_should(pipeline, text, file, words):
    text = text.replace("FILES", file)
    assert_refused(run(pipeline, text), 2, *words)
    assert not Path("out").exists()
    assert_refused(pipeline("check", "recipe.toml"), 2, *words)


@pytest.mark.parametrize(
    ("text", "file", "done", "words"),
    [
        (RECIPE, "empty.jsonl", "", ["empty.jsonl", "it is empty"]),
        (RECIPE, "body.jsonl", "", ["body.jsonl", "error:text in books/body/1", "text_field"]),
        (RECIPE, "letters/letter.doc", "", ["letter.doc", "rename or convert it"]),
        (CRAWL, "books.jsonl", "", ["books.jsonl is no web archive"]),
        (CRAWL, "noise.warc.gz", "", ["noise.warc.gz is no web archive"]),
        (CRAWL, "empty.warc", "", ["empty.warc is no web archive"]),
        (GRAMS, "empty.jsonl", "", ["no example in", "empty.jsonl"]),
        (RECIPE.replace("books = 1", "boks = 1"), "", "books tagged tokens", ["weights", "no source boks"]),
        (RECIPE.replace('"en"', '"zh"'), "", "books tagged tokens", ["no document has training tokens"]),
    ],
)
def test_an_input_that_cannot_be_read_stops_its_step(pipeline, text, file, done, words):
    named = "FILES" if "FILES" in text else "books.jsonl"
    assert_refused(run(pipeline, text.replace(named, file or named)), 2, *words)
    assert finished() == set(done.split())


def test_one_source_twice(pipeline):
    text = SOURCE + SOURCE.replace("steps.books", "steps.more")
    text += '[steps.unique]\nstage = "deduplicate"\ndocuments = ["books", "more"]\n'
    assert_refused(
        run(pipeline, text), 2, "two inputs have a shard 'books-books'", "give one another `source`"
    )


def test_too_many_broken_lines_are_an_alarm(pipeline):
    text = RECIPE.replace("books.jsonl", "broken.jsonl")
    assert_refused(run(pipeline, text), 3, "'books': 4 of 9 records", "'error:json'", "error_limit = 0.45")
    assert finished() == set()
    shown = pipeline("show", "out/books", "--rejected")
    assert shown.code == 0 and "error:json" in shown.output
    assert run(pipeline, f"error_limit = 0.45\n{text}").code == 0


def test_a_changed_recipe(pipeline):
    assert run(pipeline, RECIPE).code == 0
    changed = RECIPE.replace("sequence = 16", "sequence = 32")
    words = ["out/mixture was made by another recipe", "sequence: 16 -> 32", "--redo mixture", "--out"]
    assert_refused(run(pipeline, changed), 2, *words)
    assert Path("out/recipe.toml").read_text() == RECIPE
    assert run(pipeline, changed, "--redo", "mixture").code == 0


def test_changed_and_lost_and_new_inputs(pipeline):
    text = RECIPE.replace('"books.jsonl"', '"shelf"')
    Path("shelf").mkdir()
    shelf = Path("shelf/books.jsonl")
    shutil.copy("books.jsonl", shelf)
    assert run(pipeline, text).code == 0
    shelf.write_text(shelf.read_text() + "\n" + json.dumps({"text": TEXT}))
    assert_refused(run(pipeline, text), 2, "out/books: the input of books-books changed", "--redo books")
    shelf.rename("shelf/more.jsonl")
    assert_refused(run(pipeline, text), 2, "out/books: books-books is no longer among", "--redo books")
    shutil.copy("books.jsonl", shelf)
    assert_refused(run(pipeline, text), 2, "out/mixture: inputs grew", "--redo mixture")
    assert run(pipeline, text, "--redo", "mixture").code == 0


def test_steps_that_do_not_exist(pipeline):
    for option in ("--to", "--redo"):
        assert_refused(run(pipeline, RECIPE, option, "tokns"), 2, "no step 'tokns'", "did you mean 'tokens'?")
    assert not Path("out").exists()


def test_a_folder_that_another_run_uses(pipeline):
    Path("out").mkdir()
    with Path("out/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_refused(run(pipeline, RECIPE), 2, "another run is using out", "--out")
    assert run(pipeline, RECIPE).code == 0


def test_a_folder_that_is_no_run(pipeline):
    Path("out/tokens").mkdir(parents=True)
    Path("out/tokens/passwords.txt").write_text("secret")
    assert_refused(run(pipeline, RECIPE), 2, "out/tokens is there already", "it is no step's folder", "--out")
    assert Path("out/tokens/passwords.txt").read_text() == "secret"
    assert finished() == set()
    Path("file").write_text("")
    ended = pipeline("run", "recipe.toml", "--out", "file/run")
    assert_refused(ended, 1, "cannot write file/run", "a file where a folder should be", "--out")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unreadable_shard(pipeline, workers):
    assert run(pipeline, RECIPE, "--to", "books").code == 0
    shard = Path("out/books/shards/books-books.parquet")
    shard.write_bytes(shard.read_bytes()[:-9])
    ended = run(pipeline, RECIPE, workers=workers)
    assert_refused(ended, 1, "cannot read the shard", "out/books/shards/books-books.parquet", "--redo")
    assert finished() == {"books"}
    assert run(pipeline, RECIPE, "--redo", "books").code == 0


def test_workers_say_what_one_process_says(pipeline):
    for text in (RECIPE.replace("books.jsonl", "body.jsonl"), CRAWL.replace("FILES", "noise.warc.gz")):
        alone = run(pipeline, text)
        shutil.rmtree("out")
        assert_refused(run(pipeline, text, workers=2), 2)
        shutil.rmtree("out")
        assert run(pipeline, text) == alone
        shutil.rmtree("out")


def in_a_small_disk(folder, script):
    """Run `script` in `folder`, where `disk` is a file system of its own that only it can see."""
    mounted = f"mount -t tmpfs -o size=64k tmpfs disk && {{ {script}; }}"
    (folder / "disk").mkdir()
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a mount namespace (unshare -rm)")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted], cwd=folder, capture_output=True, text=True, check=False
    )


RUN = f"PYTHONPATH={Path(__file__).parent.parent} {sys.executable} -m pipeline run recipe.toml --out disk/run"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_and_then_space(tmp_path, workers):
    write_inputs(tmp_path)
    text = "".join(f"{number * 7919 % 10007} " for number in range(20_000))
    (tmp_path / "books.jsonl").write_text(json.dumps({"text": text}) + "\n")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace('["en"]', "[]"))
    run = f"{RUN} --workers {workers} > log; echo $?"
    left, more_space = "find disk -name '*.partial'", "mount -o remount,size=10m disk"
    ended = in_a_small_disk(tmp_path, f"{run}; {left}; {more_space}; {run}")
    message = "the disk is full; free some space and run the same command again, it continues"
    assert ended.stderr.startswith("error: cannot write disk/run/") and message in ended.stderr
    assert ended.stderr.count("\n") == 1 and ended.stdout.split() == ["1", "0"], ended


def test_a_read_only_disk(tmp_path):
    write_inputs(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    ended = in_a_small_disk(tmp_path, f"mount -o remount,ro disk; {RUN} --workers 1; echo $?; ls -A disk")
    message = "cannot write disk/run: the disk is read-only; choose another folder with --out"
    assert ended.stderr == f"error: {message} (Read-only file system)\n"
    assert ended.stdout.split() == ["1"]
