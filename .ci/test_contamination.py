"""Acceptance of decontamination: all benchmarks against real pages and texts.

And examples planted in texts of 500 characters to 5 MB, in English and Chinese.
"""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import truth
from conftest import run

from classifiers.words import words
from pipeline.dataset import Dataset
from stages.text import clean

SIZES = (500, 5_000, 50_000, 500_000, 5_000_000, 500_000)  # characters, or bytes from 100,000
PLACES = (1, 1, 6, 6, 8, 13)  # where there is an example; the last makes too many pieces
TEXTS = {"en": "standardebooks", "zh": "wikipedia_zh"}
BENCHMARKS = {"en": ("lambada_openai",), "zh": ("agieval_gaokao-chinese", "agieval_logiqa-zh")}
KNOWN = ("camel", "self-evident")  # words of passages that these books and a benchmark share


def examples(name):
    return {
        line["id"]: clean(line["text"]) for line in truth.lines(truth.DATA / f"benchmarks/{name}.jsonl.zst")
    }


def base(language):
    """5 MB of text without examples."""
    lines = truth.lines(truth.DATA / f"reference/{TEXTS[language]}.jsonl.zst")
    texts = (clean(line["text"]) for line in lines)
    found = "\n".join(text for text in texts if not any(word in text for word in KNOWN))
    while len(found.encode()) < 5_200_000:
        found = f"{found}\n{found}"
    return found


def planted(language):
    """id -> (text, the examples in it): one in the middle, or several from the beginning to the end."""
    text = base(language)
    chosen = [
        list(examples(name).values())[:: 8 if language == "zh" else 140] for name in BENCHMARKS[language]
    ]
    free = iter([each for several in zip(*chosen, strict=False) for each in several if len(each) < 2000])
    documents = {}
    for number, (size, places) in enumerate(zip(SIZES, PLACES, strict=True)):
        body = text.encode()[:size].decode(errors="ignore") if size > 100_000 else text[:size]
        mine = list(islice(free, places))
        if places == 1:
            parts = [body[: size // 2], mine[0], body[size // 2 :]]
        else:
            step = len(body) // (places - 1)
            gaps = [body[at * step : (at + 1) * step] for at in range(places - 1)]
            parts = [mine[0], *(part for pair in zip(gaps, mine[1:], strict=True) for part in pair)]
        documents[f"{language}{number}"] = (clean("\n".join(parts)), mine)
    return documents


def pieces_of(text, mine):
    """Appendix C by hand."""
    gone = np.zeros(len(text), bool)
    for example in mine:
        found = words(pa.array([example]))
        data = example.encode()
        before = len(data[: found.starts[0]].decode())
        length = len(data[: found.ends[-1]].decode())
        at = text.index(example)
        gone[max(0, at + before - 200) : at + length + 200] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], gone, [True]]))).tolist()
    found = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return found if len(found) <= 10 else None


@pytest.fixture(scope="module")
def contamination(tmp_path_factory):
    """(the run's folder, what was planted)."""
    folder = tmp_path_factory.mktemp("contamination")
    known = planted("en") | planted("zh")
    lines = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, (text, _) in known.items()]
    (folder / "planted.jsonl").write_text("\n".join(lines))
    recipe = (Path(__file__).parent / "contamination.toml").read_text()
    recipe = recipe.replace("../../shared/data", str(truth.DATA)).replace(
        "PLANTED", str(folder / "planted.jsonl")
    )
    (folder / "contamination.toml").write_text(recipe)
    return run(str(folder / "contamination.toml"), folder / "run"), known


def rows_of(path):
    return [row for file in sorted(path.iterdir()) for row in pq.read_table(file).to_pylist()]


def test_planted_examples_are_cut_exactly(contamination):
    out, known = contamination
    clean_ = {
        row["id"]: row for row in Dataset(f"{out}/clean").read().to_pylist() if row["source"] == "planted"
    }
    gone = {row["id"]: row["reason"] for row in Dataset(f"{out}/clean").rejected().to_pylist()}
    for number, (name, (text, mine)) in enumerate(known.items(), 1):
        assert len(mine) == PLACES[int(name[2:])]
        id_ = f"planted/planted/{number}"
        expected = pieces_of(text, mine)
        left = [piece for piece in expected or () if len(piece) >= 200]
        if expected is None:
            assert gone[id_] == "contaminated:pieces"
        elif not left:
            assert gone[id_] == "contaminated:nothing_left"
        else:
            assert clean_[id_]["text"] == text
            assert list(truth.pieces(clean_[id_])) == left, name
        print(f"\n{name}: {len(mine)} in {len(text):,} characters, {len(left)} pieces", end="")


def test_what_is_not_planted_is_hardly_cut(contamination):
    out, _ = contamination
    counts = Counter()
    for batch in Dataset(f"{out}/clean").batches(columns=["id", "source", "grams_hit"]):
        for row in batch.to_pylist():
            stem = row["id"].split("/")[1]
            counts[stem, row["grams_hit"] > 0] += 1
    print("\n", {stem: (counts[stem, True], counts[stem, False]) for stem, _ in counts})
    assert counts["wikipedia_zh", True] == 0
    assert counts["wikipedia_en", True] <= 0.003 * counts["wikipedia_en", False]
    assert counts["standardebooks", True] <= 5


def test_examples_pasted_into_pages_are_found(contamination):
    out, _ = contamination
    texts = truth.texts(Dataset(f"{out}/crawl"))
    listed = {(row["benchmark"], row["example"]): row for row in Dataset(f"{out}/report").read().to_pylist()}
    cuts = {row["id"] for row in rows_of(out / "clean/cuts")}
    splits = Dataset(f"{out}/crawl").read(["id", "split"]).to_pylist()
    held_out = {row["id"] for row in splits if row["split"] == "val"}
    known = {}
    for task in {line["contam_task"] for line in truth.planted() if line["kind"] == "contaminated"}:
        known |= examples(task)
    outcome = Counter()
    for line in truth.planted():
        id_ = truth.document_id(line)
        if line["kind"] != "contaminated" or id_ not in texts:
            continue
        row = listed[line["contam_task"], line["contam_id"]]
        page, example = (
            words(pa.array([text])).hashes.tobytes() for text in (texts[id_], known[line["contam_id"]])
        )
        where = page.find(example)
        if where < 0 or where % 8:
            outcome["not extracted whole" + (", and cut" if id_ in cuts else "")] += 1
        elif row["status"] == "not covered":
            outcome["too short"] += 1
        else:
            assert id_ in cuts, line["contam_id"]
            assert row["status"] == "dirty" or id_ in held_out, line["contam_id"]
            outcome["found"] += 1
    print("\npasted into pages:", dict(outcome))
    assert outcome["found"] >= 40


def test_lists_are_whole(contamination):
    out, _ = contamination
    rows = Dataset(f"{out}/report").read().to_pylist()
    lists = [path.read_text().splitlines() for path in sorted((out / "report/lists").iterdir())]
    assert len(lists) == len({row["benchmark"] for row in rows}) == 43
    assert sum(map(len, lists)) == len(rows) > 90_000
    short = {row["example"] for row in rows if row["benchmark"] == "nq_open_dev" and row["grams"] <= 1}
    print(f"\nof NQ-open {len(short):,} questions have one gram at most")
