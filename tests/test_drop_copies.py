"""One of each text stays: which one, in plain Python; the same for any shards, order, workers, memory."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pytest
from duplicates import Rows, Sources, write
from given import TEXTS, files, kept, make, one_of_each, removed, resharded, run, step
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from pipeline import shuffle
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline, Processes
from pipeline.stage import Job
from stages import first_of_each
from stages.drop_copies import DropCopies

PHRASES = ["The cat.", "the CAT", "a cat", "猫", "猫。", "!!!", "???", "", "the", "cat the"]


def key(text: str, by: str):
    import pyarrow as pa

    return tuple(words(pa.array([text])).hashes.tolist()) or text if by == "words" else text


def twin(sources: Sources, by: str, quality: bool) -> tuple[dict[str, int], dict[str, str]]:
    """(id -> copies of what stays, id -> what it is a copy of), one document after the other."""
    ordered = []
    for place, (source, parts) in enumerate(sources.items()):
        for number, rows in enumerate(parts):
            for n, row in enumerate(rows):
                name = row.get("id", f"{source}/{number:03d}/{n}")
                score = row.get("quality") if quality else 0.0
                worth = (score is None, -(score or 0.0))
                ordered.append((row.get("split") != "val", place, worth, name, row["text"]))
    return one_of_each((name, (key(text, by),)) for *_, name, text in sorted(ordered))


@st.composite
def some_sources(draw: st.DrawFn) -> Sources:
    def document() -> dict[str, object]:
        return {
            "text": draw(st.sampled_from(PHRASES)),
            "split": draw(st.sampled_from(["train", "train", "val"])),
            "quality": draw(st.sampled_from([None, 0.0, 0.5, -1.0])),
        }

    names = ["web", "books", "wiki"][: draw(st.integers(1, 3))]
    return {
        name: [[document() for _ in range(draw(st.integers(0, 8)))] for _ in range(draw(st.integers(1, 3)))]
        for name in names
    }


@settings(deadline=None, max_examples=12)
@given(some_sources(), st.sampled_from(["words", "text"]), st.booleans(), st.integers(1, 4))
def test_it_is_what_the_twin_says_in_any_shards(tmp_path_factory, sources, by, quality, shards):
    fields = {"by": by, "quality": "quality" if quality else ""}
    copies, gone = twin(sources, by, quality)
    for each in (sources, resharded(sources, shards)):
        dataset = run(tmp_path_factory.mktemp("run"), each, "drop_copies", **fields)
        assert kept(dataset, "copies") == copies
        assert removed(dataset, "copy_of") == gone
        assert set(kept(dataset, "copy_of").values()) <= {None}
        assert set(removed(dataset, "reason").values()) <= {f"copy:{by}"}


def test_pandas_counts_the_same(tmp_path):
    texts = [f"number {n * n % 97}" for n in range(500)]
    dataset = run(
        tmp_path, {"web": [[{"text": text} for text in texts[n::3]] for n in range(3)]}, "drop_copies"
    )
    table = dataset.read(["text", "copies"]).to_pandas()
    expected = pd.Series(texts).value_counts() - 1
    pd.testing.assert_series_equal(
        table.set_index("text")["copies"].sort_index(),
        expected.sort_index(),
        check_names=False,
    )


def many() -> dict[str, Sequence[Rows]]:
    rows = [{"text": f"{TEXTS[n % 8]} {n % 5}", "quality": n % 3} for n in range(120)]
    return {"books": [rows[:7], rows[7:20]], "web": [rows[20:60], [], rows[60:]]}


def test_the_same_bytes_for_other_partitions_workers_and_orders(tmp_path, monkeypatch):
    wanted = run(tmp_path, many(), "drop_copies")
    assert len(files(wanted)) == 10
    assert files(run(tmp_path, many(), "drop_copies", "workers", Processes(2))) == files(wanted)
    monkeypatch.setattr(first_of_each, "ROW_BYTES", 1 << 15)
    monkeypatch.setattr(shuffle, "FAN_IN", 2)
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 4)
    small = run(tmp_path, many(), "drop_copies", "small", memory=1)
    assert files(small) == files(wanted)
    folder = tmp_path / "small/made/tasks"
    assert len(list((folder / "firsts").iterdir())) == 4 and len(list((folder / "firsts-told").iterdir())) > 2
    listed = write(tmp_path, many()).replace(
        '"web/*.json"', '["web/002.json", "web/000.json", "web/001.json"]'
    )
    recipe = listed + step("made", "drop_copies", ["books", "web"])
    assert files(Dataset(str(make(tmp_path, recipe, "listed") / "made"))) == files(wanted)


def test_twice_changes_nothing_and_counts_add_up(tmp_path):
    recipe = write(tmp_path, {**many(), "more": [[{"text": f"{TEXTS[0]}, 0"}]]})
    recipe += step("once", "drop_copies", ["books", "web"]) + step("twice", "drop_copies", ["once"])
    recipe += step("grown", "drop_copies", ["twice", "more"])
    out = make(tmp_path, recipe)
    once, twice, grown = (Dataset(str(out / name)) for name in ("once", "twice", "grown"))
    assert removed(twice, "copy_of") == {} and twice.read().equals(once.read())
    assert sum(kept(once, "copies").values()) == len(removed(once, "copy_of")) > 50
    assert removed(grown, "copy_of") == {"more/000/0": "books/000/0"}
    assert kept(grown, "copies") == kept(once, "copies") | {
        "books/000/0": kept(once, "copies")["books/000/0"] + 1
    }


def test_a_document_that_comes_later_removes_none_before_it(tmp_path):
    before = run(tmp_path / "a", many(), "drop_copies")
    after = run(tmp_path / "b", {**many(), "late": [[{"text": TEXTS[n]} for n in range(8)]]}, "drop_copies")
    assert set(kept(before, "copies")) <= set(kept(after, "copies"))


def test_many_copies_cost_a_row_for_each_shard(tmp_path):
    rows = [{"text": "the same"} for _ in range(5000)]
    dataset = run(tmp_path, {"web": [rows[n::4] for n in range(4)]}, "drop_copies")
    assert kept(dataset, "copies") == {"web/000/0": 4999}
    assert dataset.manifests[0].totals["candidates"] == 4


def test_copies_in_all_scripts_whatever_stands_between_their_words(tmp_path):
    rows = [{"text": text} for text in TEXTS]
    marked = [{"text": f"«{text.upper()}»…\n"} for text in TEXTS]
    sources = {"one": [rows], "two": [marked]}
    expected = {f"two/000/{n}": f"one/000/{n}" for n in range(len(TEXTS))}
    assert removed(run(tmp_path / "words", sources, "drop_copies"), "copy_of") == expected
    assert removed(run(tmp_path / "text", sources, "drop_copies", by="text"), "copy_of") == {}
    assert Counter(kept(run(tmp_path / "x", {"one": [rows]}, "drop_copies"), "copies").values()) == {0: 8}


def test_mistakes_are_refused(tmp_path):
    sources = {"web": [[{"text": "a"}]]}
    with pytest.raises(
        RecipeError, match=r"quality: the documents have no column 'qualty'; did you mean 'quality'"
    ):
        run(tmp_path, sources, "drop_copies", "a", quality="qualty")
    with pytest.raises(RecipeError, match="quality: the column 'url' holds string and no numbers"):
        run(tmp_path, sources, "drop_copies", "b", quality="url")
    with pytest.raises(RecipeError, match=r"steps.made.*memory = 0 must be at least 1"):
        run(tmp_path, sources, "drop_copies", "c", memory=0)
    with pytest.raises(RecipeError, match=r"by.*'words'"):
        run(tmp_path, sources, "drop_copies", "d", by="bytes")
    with pytest.raises(InputError, match="no shards"):
        DropCopies().run(Job("made", {"documents": Dataset()}, str(tmp_path), Inline()))
