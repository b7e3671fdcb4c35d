"""Benchmarks out of documents: counts and cuts against a plain-Python twin of GPT-3's appendix C."""

import gzip
import json

import pyarrow as pa
import pytest
import zstandard
from corpus import Given, documents, write
from grams import SIGN_TEXTS, Rule, known_of, occurrences, pieces_of, units
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages.count_grams import CountGrams
from stages.decontaminate import Decontaminate
from stages.examples import read_examples
from stages.text import clean

GPT3 = Rule()
STAGES = {"given": Given, "count_grams": CountGrams, "decontaminate": Decontaminate}
RECIPE = """
[steps.given]
stage = "given"
files = "in/*.parquet"
batch = {batch}
[steps.grams]
stage = "count_grams"
documents = "given"
benchmarks = "benchmarks"
words = {words}
characters = {characters}
shortest = {shortest}
[steps.clean]
stage = "decontaminate"
documents = "given"
grams = "grams"
{fields}
"""
PASSAGE = "The quick brown fox jumps over the lazy dog while seven wizards don't sleep"
FILLER = " ".join(f"w{number}" for number in range(400))


def run(folder, shards, benchmarks, rule=GPT3, out="out", executor=None, batch=1024, **fields):
    """Texts (or rows) by shard and examples by benchmark, through the three steps; returns the run folder."""
    rows = {
        name: [{"text": row} if not isinstance(row, dict) else row for row in texts]
        for name, texts in shards.items()
    }
    write(
        folder,
        {
            name: documents(
                [{"id": f"given/{name}/{n}", "source": "given"} | row for n, row in enumerate(texts)]
            )
            for name, texts in rows.items()
        },
    )
    (folder / "benchmarks").mkdir(exist_ok=True)
    for name, examples in benchmarks.items():
        lines = "\n".join(json.dumps({"text": text}) for text in examples)
        (folder / "benchmarks" / f"{name}.jsonl").write_text(lines)
    text = RECIPE.format(
        batch=batch, **rule._asdict(), fields="\n".join(f"{key} = {value}" for key, value in fields.items())
    )
    recipe = parse(text.encode(), "test", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), say=lambda line: None).run()
    return folder / out


def cleaned(out):
    """The pieces of each kept document as texts, and the reason of each rejected one, by id."""
    kept, gone = (
        Dataset(str(out / "clean")).read().to_pylist(),
        Dataset(str(out / "clean")).rejected().to_pylist(),
    )
    pieces = {
        row["id"]: [row["text"].encode()[span["start"] : span["end"]].decode() for span in row["pieces"]]
        for row in kept
    }
    return pieces, {row["id"]: row["reason"] for row in gone}


def twin(texts, benchmark, rule, window, max_pieces, min_piece, max_documents):
    """Appendix C, one rule after the other: for each text its pieces, or the reason to reject it."""
    wanted = known_of(benchmark, rule)
    held = [{units(text)[a : b + 1] for a, b in occurrences(text, wanted, rule)} for text in texts]
    rare = {key for key in wanted if sum(key in keys for keys in held) <= max_documents}
    answers = []
    for text in texts:
        spans, cut = pieces_of(text, rare, rule, window)
        pieces = [text[start:end] for start, end in spans]
        if not cut:
            answers.append([text])
        elif len(pieces) > max_pieces:
            answers.append("contaminated:pieces")
        else:
            answers.append(
                [piece for piece in pieces if len(piece) >= min_piece] or "contaminated:nothing_left"
            )
    return answers


@settings(deadline=None, max_examples=30)
@given(
    st.lists(SIGN_TEXTS.map(clean), min_size=1, max_size=6),
    st.lists(SIGN_TEXTS.map(clean), max_size=3),
    st.builds(Rule, st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(*(st.integers(low, high) for low, high in [(0, 5), (1, 3), (0, 6), (0, 3)])),
)
def test_documents_become_what_the_twin_says(tmp_path_factory, texts, benchmark, rule, limits):
    fields = dict(zip(("window", "max_pieces", "min_piece", "max_documents"), limits, strict=True))
    out = run(tmp_path_factory.mktemp("run"), {"a": texts}, {"b": [*benchmark, "."]}, rule, **fields)
    pieces, gone = cleaned(out)
    expected = twin(texts, benchmark, rule, *limits)
    assert [(pieces | gone)[f"given/a/{number}"] for number in range(len(texts))] == expected


def test_counts_are_exact_over_shards_batches_and_splits(tmp_path):
    shards = {
        "a": ["x y z x y z", "y z", "q"] * 5,
        "b": [
            {"text": "x y, Z!"},
            {"text": "x y z", "split": "val"},
            {"text": None},
            {"text": "y z", "split": None},
        ],
    }
    out = run(tmp_path, shards, {"first": ["x", "X Y Z"], "second": ["y z w", "z w"]}, Rule(2, 2, 2), batch=4)
    grams = Dataset(str(out / "grams")).read().to_pylist()
    assert [row["gram"] for row in grams] == sorted(row["gram"] for row in grams)
    found = sorted((row["documents"], row["benchmarks"]) for row in grams)
    assert found == [(0, ["second"]), (6, ["first"]), (12, ["first", "second"])]
    assert json.loads(Dataset(str(out / "grams")).side("coverage.json")) == {
        **Rule(2, 2, 2)._asdict(),
        "benchmarks": {
            "first": {"examples": 2, "by grams": 1, "as a whole": 0, "not covered": 1, "grams": 2},
            "second": {"examples": 2, "by grams": 2, "as a whole": 0, "not covered": 0, "grams": 2},
        },
    }


def test_a_gram_of_more_than_ten_documents_stays(tmp_path):
    text = f"{FILLER} {PASSAGE} {FILLER}"
    for documents_, pieces in ((10, 2), (11, 1)):
        shards = {"a": [text] * (documents_ - 2), "b": [text, f"{PASSAGE} {PASSAGE} {FILLER}"]}
        kept, gone = cleaned(run(tmp_path / str(documents_), shards, {"b": [PASSAGE]}))
        assert not gone
        assert len(kept["given/a/0"]) == len(kept["given/b/0"]) == pieces


@pytest.mark.parametrize(
    "script", [FILLER, "汉字，" * 600, "слово за словом " * 60, "كتاب جديد " * 90, "😀" * 700]
)
def test_two_hundred_characters_on_each_side(tmp_path, script):
    text = f"{script} {PASSAGE.upper()}! {script}"
    kept, _ = cleaned(run(tmp_path, {"a": [text]}, {"b": [PASSAGE]}))
    start = text.index(PASSAGE.upper())
    assert kept["given/a/0"] == [text[: start - 200], text[start + len(PASSAGE) + 200 :]]
    row = Dataset(str(tmp_path / "out/clean")).read().to_pylist()[0]
    assert (row["grams_hit"], row["benchmarks"]) == (2, ["b"])
    assert row["text"] == text


def test_short_pieces_are_counted_and_then_dropped(tmp_path):
    def document(hits, between, ends):
        return ("x" * ends + " ") + (" " + "y" * between + " ").join([PASSAGE] * hits) + (" " + "x" * ends)

    texts = [
        document(9, 398 + 1, 600),  # ten pieces, eight of one character
        document(10, 398 + 1, 600),  # eleven
        document(10, 398, 600),  # two: the cuts touch
        document(1, 0, 399),  # two of exactly 200 characters
        document(1, 0, 398),  # two of 199
        document(1, 0, 0),  # all cut
        "short",
        "",
    ]
    kept, gone = cleaned(run(tmp_path, {"a": texts}, {"b": [PASSAGE]}))
    assert {key: [len(piece) for piece in pieces] for key, pieces in kept.items()} == {
        "given/a/0": [401, 401],
        "given/a/2": [401, 401],
        "given/a/3": [200, 200],
        "given/a/6": [5],
        "given/a/7": [0],
    }
    assert gone == {
        "given/a/1": "contaminated:pieces",
        "given/a/4": "contaminated:nothing_left",
        "given/a/5": "contaminated:nothing_left",
    }


def test_a_long_book_loses_what_it_should_and_nothing_else(tmp_path):
    body = "".join(f"Kapitel {number}: наша книга 第{number}章。 " for number in range(125_000))
    text = f"{body[:1000]} {PASSAGE} {body} {PASSAGE} {body[-1000:]}"
    assert len(text.encode()) > 5_000_000
    kept, _ = cleaned(run(tmp_path, {"a": [text, body]}, {"b": [PASSAGE]}))
    first, last = text.index(PASSAGE), text.rindex(PASSAGE)
    middle = text[first + len(PASSAGE) + 200 : last - 200]
    assert kept["given/a/0"] == [text[: first - 200], middle, text[last + len(PASSAGE) + 200 :]]
    assert kept["given/a/1"] == [body]


def test_names_are_those_of_the_benchmarks_hit(tmp_path):
    benchmarks = {"zeta": ["a b c"], "alpha": ["d e f"], "beta": ["a b c d"]}
    texts = ["x a b c y d e f a b c", "nothing here", "b c d"]
    out = run(tmp_path, {"a": texts}, benchmarks, Rule(3, 3, 3), window=0, min_piece=1)
    rows = Dataset(str(out / "clean")).read().to_pylist()
    assert [row["benchmarks"] for row in rows] == [["alpha", "beta", "zeta"], []]
    assert [row["grams_hit"] for row in rows] == [3, 0]
    ledger = Dataset(str(out / "clean")).rejected().to_pylist()
    assert [(row["grams_hit"], row["reason"]) for row in ledger] == [(1, "contaminated:nothing_left")]


def test_the_same_bytes_from_two_workers_and_other_batches(tmp_path):
    shards = {name: [f"{FILLER} {PASSAGE} {name} {FILLER}", FILLER, "中文"] * 3 for name in "abcd"}
    folders = [
        run(tmp_path, shards, {"b": [PASSAGE], "c": [FILLER]}, out="one"),
        run(tmp_path, shards, {"b": [PASSAGE], "c": [FILLER]}, out="two", executor=Processes(2)),
        run(tmp_path, shards, {"b": [PASSAGE], "c": [FILLER]}, out="three", batch=2),
    ]
    for step, part in (("grams", "shards"), ("grams", "counts"), ("clean", "shards"), ("clean", "rejected")):
        first, *others = (
            {path.name: path.read_bytes() for path in (out / step / part).iterdir()} for out in folders
        )
        assert first and all(first == other for other in others)


def test_examples_of_every_kind_of_file(tmp_path):
    lines = b'{"text": "one", "task": "quiz", "id": 0}\n\n{"text": "cafe\\u0301\\ud800"}\n'
    (tmp_path / "a.jsonl").write_bytes(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines[:20]) + gzip.compress(lines[20:]))
    packed = zstandard.compress(lines[:20]) + zstandard.compress(lines[20:])
    (tmp_path / "c.ndjson.zst").write_bytes(packed)
    (tmp_path / "d.txt").write_text("two\nlines")
    for stem, name in (("a", "a.jsonl"), ("b", "b.jsonl.gz"), ("c", "c.ndjson.zst")):
        examples = list(read_examples(str(tmp_path / name), "text"))
        assert examples == [("quiz", "0", "one"), (stem, "3", "café")]
    assert list(read_examples(str(tmp_path / "d.txt"), "text")) == [("d", "1", "two\nlines")]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("b.jsonl", b'{"text": "a"}\n{"text"', r"b\.jsonl, line 2: .*set by text_field"),
        (
            "b.jsonl",
            b'{"question": "a", "answer": "b"}',
            r"b\.jsonl, line 1: the fields answer, question, no text",
        ),
        ("b.jsonl", b'{"text": null}', r"line 1: the fields text, no text"),
        ("b.jsonl", b"[1]", r"b\.jsonl, line 1: no object"),
        ("b.jsonl", b'{"text": "\xff"}', r"b\.jsonl, line 1: .*utf-8"),
        ("b.jsonl", b"\n", "no example in .*b.jsonl"),
        ("b.jsonl.gz", b"no gzip", r"b\.jsonl\.gz cannot be unpacked"),
        ("b.jsonl.zst", b"no zstd", r"b\.jsonl\.zst cannot be unpacked"),
        ("b.txt", b"\xff", r"b\.txt is not UTF-8"),
    ],
)
def test_unreadable_benchmarks_are_explained(tmp_path, name, data, message):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        run(tmp_path, {"a": ["text"]}, {"another": [PASSAGE]})


def test_mistakes_in_the_recipe_are_explained(tmp_path):
    with pytest.raises(InputError, match=r"no file matches .*benchmarks"):
        run(tmp_path, {"a": ["text"]}, {})
    with pytest.raises(InputError, match="a benchmark is one of"):
        (tmp_path / "b.csv").write_text("a,b")
        list(read_examples(str(tmp_path / "b.csv"), "text"))
    for fields, message in (
        ({"max_pieces": 0}, "must be at least 1"),
        ({"window": -1}, "must not be negative"),
    ):
        with pytest.raises(RecipeError, match=message):
            run(tmp_path, {"a": ["text"]}, {"b": ["a"]}, **fields)
    for rule in (Rule(words=0), Rule(characters=0), Rule(shortest=0), Rule(words=1001)):
        with pytest.raises(RecipeError, match="must be between 1 and 1,000"):
            run(tmp_path, {"a": ["text"]}, {"b": ["a"]}, rule)


def test_documents_without_any_gram(tmp_path):
    out = run(tmp_path, {"a": ["text", None]}, {"b": ["too short"]})
    rows = Dataset(str(out / "clean")).read()
    assert rows["pieces"].to_pylist() == [[{"start": 0, "end": 4}], [{"start": 0, "end": 0}]]
    assert rows.schema.field("pieces").type == pa.list_(
        pa.struct([("start", pa.int32()), ("end", pa.int32())])
    )
    assert rows["benchmarks"].to_pylist() == [[], []]
