"""Clean and dirty lists, documents and both texts, from recipes over small corpora in many scripts."""

import json

import pyarrow.parquet as pq
import pytest
from corpus import Given, documents, write
from grams import Rule, grams, known_of, occurrences, runs, units, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages.contamination import Contamination
from stages.count_grams import CountGrams
from stages.decontaminate import Decontaminate

STAGES = {
    "given": Given,
    "count_grams": CountGrams,
    "decontaminate": Decontaminate,
    "contamination": Contamination,
}
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
window = {window}
min_piece = 0
max_documents = {max_documents}
max_pieces = 1000
[steps.report]
stage = "contamination"
documents = "clean"
grams = "grams"
listed = {listed}
"""
DEFAULTS = {"batch": 1024, "window": 200, "max_documents": 10, "listed": 10}
ENGLISH = "seven grey herons stood by the quiet mill pond and waited for the thin fog to lift"
CHINESE = "七只灰色的苍鹭站在安静的磨坊池塘边，等着薄雾慢慢散去。"
SHORT = "who was the first woman to climb Kinabalu"
GPT3 = Rule()
FILLER = {
    "en": " ".join(f"w{number}" for number in range(120)),
    "zh": "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳" * 10,
    "th": "เธอเดินไปตามถนนที่เงียบสงบ" * 30,
    "ru": " ".join(f"слово{number}" for number in range(120)),
}


def prepare(folder, shards, benchmarks):
    """Rows by shard, examples (texts by id) by benchmark."""
    tables = {
        name: documents([{"id": f"given/{name}/{n}", "source": "given"} | row for n, row in enumerate(rows)])
        for name, rows in shards.items()
    }
    write(folder, tables)
    (folder / "benchmarks").mkdir(exist_ok=True)
    for number, (name, examples) in enumerate(benchmarks.items()):
        lines = [json.dumps({"task": name, "id": key, "text": text}) for key, text in examples.items()]
        (folder / "benchmarks" / f"{number}.jsonl").write_text("\n".join(lines))


def run(folder, recipe=RECIPE, out="out", executor=None, rule=GPT3, **fields):
    text = recipe.format(**DEFAULTS | rule._asdict() | fields)
    made = Run(parse(text.encode(), "test", str(folder), STAGES), str(folder / out), executor or Inline())
    made.run()
    return folder / out


def judged(out, step="report"):
    """The rows of examples, by benchmark and id."""
    rows = Dataset(str(out / step)).read().to_pylist()
    return {(row["benchmark"], row["example"]): row for row in rows}


def listed(out):
    """The documents listed for each example, in order."""
    found = {}
    for path in sorted((out / "report/documents").iterdir()):
        for row in pq.read_table(path).to_pylist():
            found.setdefault((row["benchmark"], row["example"]), []).append(row)
    return found


def around(passage, filler):
    return {"text": f"{filler} {passage} {filler}"}


SHARDS = {
    "a": [
        around(ENGLISH.upper(), FILLER["en"]),
        around(CHINESE, FILLER["zh"]),
        around("nothing of note", FILLER["ru"]),
        {"text": f"{FILLER['en']} {ENGLISH}", "split": "val"},
    ],
    "b": [
        around(f"Q: {SHORT}?", FILLER["th"]),
        around(" ".join(ENGLISH.split()[:13]), FILLER["ru"]),
        *[around("all rights reserved " * 5, FILLER["en"])] * 11,
        {"text": ENGLISH, "url": "http://a.example/"},
    ],
}
BENCHMARKS = {
    "english": {
        "herons": ENGLISH,
        "rights": "all rights reserved " * 5,
        "clean": f"not {ENGLISH[:60]}",
        "no": "a b",
    },
    "汉语/测试": {"苍鹭": CHINESE, "洪荒": "没有人在训练数据里写过这一句话所以它是干净的"},
    "short": {
        "climb": SHORT,
        "heron": "seven grey herons",
        "mill": "was the quiet mill pond ever full of fog",
    },
}


def test_every_example_has_its_status_and_its_documents(tmp_path):
    prepare(tmp_path, SHARDS, BENCHMARKS)
    out = run(tmp_path)
    rows = judged(out)
    assert {key: row["status"] for key, row in rows.items()} == {
        ("english", "herons"): "dirty",
        ("english", "rights"): "common",
        ("english", "clean"): "clean",
        ("english", "no"): "not covered",
        ("汉语/测试", "苍鹭"): "dirty",
        ("汉语/测试", "洪荒"): "clean",
        ("short", "climb"): "dirty",
        ("short", "heron"): "not covered",
        ("short", "mill"): "clean",
    }
    herons = rows["english", "herons"]
    assert (herons["documents"], herons["rejected"], herons["overlap"]) == (3, 1, 1.0)
    assert (herons["units"], herons["grams"], herons["grams_found"]) == (17, 5, 5)
    assert rows["english", "rights"]["overlap_common"] == 1.0
    assert rows["short", "climb"]["overlap"] == 1.0
    found = listed(out)
    assert [row["document"] for row in found["english", "herons"]] == [
        "given/a/0",
        "given/b/13",
        "given/b/1",
    ]
    assert [row["grams"] for row in found["english", "herons"]] == [5, 5, 1]
    assert found["english", "herons"][1]["url"] == "http://a.example/"
    assert found["english", "herons"][1]["reason"] == "contaminated:nothing_left"
    last = found["english", "herons"][2]
    for side, text in (("example", ENGLISH), ("document", SHARDS["b"][1]["text"])):
        shared = last[f"{side}_text"].encode()[last[f"{side}_start"] : last[f"{side}_end"]].decode()
        assert shared == " ".join(ENGLISH.split()[:13]), side
        at = last["at"] if side == "document" else 0
        assert text.encode()[at:].decode().startswith(last[f"{side}_text"])
    (chinese,) = found["汉语/测试", "苍鹭"]
    shared = chinese["document_text"].encode()[chinese["document_start"] : chinese["document_end"]]
    assert shared.decode() == CHINESE[:-1]


def test_lists_page_and_status(tmp_path):
    prepare(tmp_path, SHARDS, BENCHMARKS)
    out = run(tmp_path)
    names = sorted(path.name for path in (out / "report/lists").iterdir())
    assert names == ["english.jsonl", "short.jsonl", "汉语_测试.jsonl"]
    lines = [json.loads(line) for line in (out / "report/lists/english.jsonl").read_text().splitlines()]
    assert lines[:2] == [
        {"id": "herons", "status": "dirty", "overlap": 1.0, "overlap_common": 0.0},
        {"id": "rights", "status": "common", "overlap": 0.0, "overlap_common": 1.0},
    ]
    page = (out / "report/contamination.html").read_text()
    assert f"<mark>{ENGLISH.upper()}</mark>" in page and f"<mark>{CHINESE[:-1]}</mark>" in page
    table = Contamination().summary(Dataset(str(out / "report")))["contamination"]
    assert table[0] == {
        "benchmark": "english",
        "examples": 4,
        "not covered": 1,
        "clean": 1,
        "common": 1,
        "dirty": 1,
        "dirty by half": 1,
        "documents": 3,
        "rejected": 1,
    }
    covered = CountGrams(("x",)).summary(Dataset(str(out / "grams")))["benchmarks covered"]
    assert covered[1] == {
        **{"benchmark": "short", "examples": 3, "by grams": 0, "as a whole": 2, "not covered": 1},
        **{"grams": 2, "%": 66.7},
    }
    cut = Decontaminate().summary(Dataset(str(out / "clean")))["documents with text of benchmarks"]
    assert cut[0] == {"benchmark": "english", "documents": 4, "rejected": 1}  # one of them is held out


ATOMS = ["a", "b", "c", "中", "文", "あ", "한국"]
TEXTS = st.lists(st.sampled_from(ATOMS), max_size=25).map(" ".join)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=6),
    st.lists(TEXTS, min_size=1, max_size=4),
    st.builds(Rule, st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    st.integers(0, 3),
)
def test_statuses_are_those_of_the_twin(tmp_path_factory, texts, examples, rule, max_documents):
    folder = tmp_path_factory.mktemp("run")
    rows = [{"text": text, "split": "val" if held_out else "train"} for text, held_out in texts]
    prepare(folder, {"a": rows[:3], "b": rows[3:]}, {"b": {str(n): text for n, text in enumerate(examples)}})
    out = run(folder, rule=rule, max_documents=max_documents, window=0)
    training = [row["text"] for row in rows if row["split"] == "train"]
    known = known_of(examples, rule)
    held = [{units(text)[a : b + 1] for a, b in occurrences(text, known, rule)} for text in training]
    counts = {key: sum(key in keys for keys in held) for key in known}
    for number, text in enumerate(examples):
        row = judged(out)["b", str(number)]
        mine = runs(text, rule)
        hit = [each for each in mine if 0 < counts[each.key] <= max_documents]
        much = [each for each in mine if counts[each.key] > max_documents]
        status = "dirty" if hit else "common" if much else "clean" if mine else "not covered"
        assert row["status"] == status
        assert (row["grams"], row["grams_found"], row["grams_common"]) == (len(mine), len(hit), len(much))
        assert row["documents"] == sum(bool({each.key for each in hit} & keys) for keys in held)
        for column, found in (("overlap", hit), ("overlap_common", much)):
            inside = {unit for each in found for unit in range(each.first, each.last + 1)}
            assert row[column] == len(inside) / max(1, len(units(text)))
        assert row["units"] == len(weights(text, rule)) and len(grams(text, rule)) <= len(mine)


def test_the_documents_that_share_most_are_listed(tmp_path):
    words = ENGLISH.split()
    parts = [" ".join(words[: 13 + n % 4]) for n in range(9)]
    prepare(
        tmp_path,
        {"a": [{"text": t} for t in parts[:5]], "b": [{"text": t} for t in parts[5:]]},
        {"b": {"e": ENGLISH}},
    )
    out = run(tmp_path, listed=3)
    (rows,) = listed(out).values()
    assert [(row["document"], row["grams"], row["rank"]) for row in rows] == [
        ("given/a/3", 4, 0),
        ("given/b/2", 4, 1),
        ("given/a/2", 3, 2),
    ]
    assert judged(out)["b", "e"]["documents"] == 9


def test_the_same_bytes_from_two_workers_and_other_batches(tmp_path):
    prepare(tmp_path, SHARDS, BENCHMARKS)
    one, two = run(tmp_path, out="one"), run(tmp_path, out="two", executor=Processes(2), batch=2)
    for gone in (
        "manifest.json",
        "tasks/shards/examples.json",
        "tasks/shared/given-b.json",
        "shards/examples.parquet",
    ):
        (two / "report" / gone).unlink()  # as if it had been killed
    run(tmp_path, out="two", batch=2)
    for step in ("clean/cuts", "report"):
        files = sorted(path.relative_to(one) for path in (one / step).rglob("*") if path.is_file())
        files = [path for path in files if not {"log", "tasks"} & set(path.parts)]
        files = [path for path in files if path.name not in ("manifest.json", "identity.json")]
        assert len(files) >= 2
        for path in files:
            assert (one / path).read_bytes() == (two / path).read_bytes(), path


LATER = """
[steps.more]
stage = "count_grams"
documents = "given"
benchmarks = "later"
[steps.cleaner]
stage = "decontaminate"
documents = "given"
grams = ["grams", "more"]
[steps.again]
stage = "contamination"
documents = "cleaner"
grams = {grams}
"""


def test_benchmarks_added_later_cut_more_and_never_less(tmp_path):
    prepare(tmp_path, SHARDS, {"english": BENCHMARKS["english"]})
    (tmp_path / "later").mkdir()
    both = {"twice": ENGLISH, "rights": "all rights reserved " * 5, "new": SHORT}
    lines = [json.dumps({"id": key, "text": text}) for key, text in both.items()]
    (tmp_path / "later/later.jsonl").write_text("\n".join(lines))
    out = run(tmp_path, RECIPE + LATER, grams='["grams", "more"]')
    rows = judged(out, "again")
    assert {key: row["status"] for key, row in rows.items()} == {
        ("english", "herons"): "dirty",
        ("english", "rights"): "common",
        ("english", "clean"): "clean",
        ("english", "no"): "not covered",
        ("later", "twice"): "dirty",
        ("later", "rights"): "common",
        ("later", "new"): "dirty",
    }
    before, after = (Dataset(str(out / step)).read().to_pylist() for step in ("clean", "cleaner"))
    hit = {row["id"]: row["benchmarks"] for row in after if row["benchmarks"]}
    assert hit == {"given/a/0": ["english", "later"], "given/a/3": ["english", "later"]} | {
        "given/b/0": ["later"],
        "given/b/1": ["english", "later"],
    }
    pieces = {row["id"]: row["pieces"] for row in before if row["benchmarks"]}
    assert all(row["pieces"] == pieces[row["id"]] for row in after if row["id"] in pieces)


def test_mistakes_are_explained(tmp_path):
    prepare(tmp_path, SHARDS, BENCHMARKS)
    (tmp_path / "later").mkdir()
    (tmp_path / "later/later.jsonl").write_text(json.dumps({"text": ENGLISH}))
    with pytest.raises(RecipeError, match="was cut by other grams"):
        run(tmp_path, RECIPE + LATER, out="a", grams='"grams"')
    with pytest.raises(RecipeError, match="is not of the stage decontaminate"):
        run(tmp_path, RECIPE + LATER.replace('"cleaner"', '"given"'), out="b", grams='"grams"')
    with pytest.raises(RecipeError, match=r"characters = 20.*make them with the same fields"):
        run(tmp_path, RECIPE + LATER, out="c", grams='["grams", "more"]', rule=Rule(13, 21, 8))
    with pytest.raises(RecipeError, match="listed = 0"):
        run(tmp_path, out="d", listed=0)


def test_a_shard_may_be_empty_but_not_all(tmp_path):
    prepare(tmp_path, {"a": [{"text": ENGLISH}], "b": []}, {"b": {"1": ENGLISH}})
    assert judged(run(tmp_path))["b", "1"]["status"] == "dirty"
    prepare(tmp_path, {"a": []}, {"b": {"1": ENGLISH}})
    with pytest.raises(InputError, match=r"step 'report': .*clean.* has seen no documents; see"):
        run(tmp_path, out="none")


def test_examples_in_every_script_are_found_cut_and_listed(tmp_path):
    more = {
        "my": "ကော်မတီသည် ကြာသပတေးနေ့တွင် တွေ့ဆုံပြီး ဘတ်ဂျက်ကို သဘောတူခဲ့သည်",
        "km": "គណៈកម្មាធិការបានជួបប្រជុំនៅថ្ងៃព្រហស្បតិ៍",
    }
    scripts = SENTENCES | more
    text = {code: f"{'· ' * 150}{sentence} {'· ' * 150}" for code, sentence in scripts.items()}
    half = {code: f"{'· ' * 150}{sentence[: len(sentence) // 4]}" for code, sentence in scripts.items()}
    rows = [{"text": each} for each in (*text.values(), *half.values())]
    prepare(tmp_path, {"a": rows}, {code: {"1": sentence} for code, sentence in scripts.items()})
    out = run(tmp_path)
    assert {row["status"] for row in judged(out).values()} == {"dirty"}
    assert all(row["overlap"] == 1.0 and row["documents"] == 1 for row in judged(out).values())
    pieces = {row["id"]: row["pieces"] for row in Dataset(str(out / "clean")).read().to_pylist()}
    for number, (code, whole) in enumerate(text.items()):
        before, behind = pieces[f"given/a/{number}"]
        data, letters = whole.encode(), scripts[code].rstrip("。.।")
        start = whole.index(letters)
        assert data[: before["end"]].decode() == whole[: start - 200], code
        assert data[behind["start"] :].decode() == whole[start + len(letters) + 200 :], code
        assert len(pieces[f"given/a/{number + len(text)}"]) == 1
