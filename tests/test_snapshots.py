"""Datasets that nothing is removed from, snapshots one after another, and what must hold of any documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from duplicates import (
    STAGES,
    Sources,
    Twin,
    corpus,
    edited,
    grams,
    jaccard,
    kept,
    parsed,
    prose,
    removed,
    run,
    shards,
    some_sources,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset import Dataset
from pipeline.errors import AlarmError, RecipeError
from pipeline.executors import Inline
from pipeline.forget import TakeDown
from pipeline.runner import Run
from stages.deduplicate import Deduplicate
from stages.forgotten import Forgotten


def snapshots(folder: Path, sources: Sources, **fields: Any) -> dict[str, Dataset]:
    """A step for each source against all before it, and one over all of them; by name."""
    recipe, numbers = write(folder, sources), "".join(f"{key} = {value}\n" for key, value in fields.items())
    earlier: list[str] = []
    for source in sources:
        recipe += f'[steps.{source}-new]\nstage = "deduplicate"\ndocuments = "{source}"\n{numbers}'
        recipe += f"against = {json.dumps(earlier)}\n" if earlier else ""
        earlier.append(f"{source}-new")
    recipe += f'[steps.all]\nstage = "deduplicate"\ndocuments = {json.dumps(list(sources))}\n{numbers}'
    Run(parsed(recipe, folder), str(folder / "out"), Inline(), say=lambda line: None).run()
    return {name: Dataset(str(folder / "out" / name)) for name in (*earlier, "all")}


@settings(deadline=None, max_examples=25)
@given(some_sources(), st.sampled_from([(8, 1, 2, 0.5), (6, 3, 3, 0.6), (3, 5, 5, 0.9)]))
def test_a_snapshot_after_another_is_all_at_once(tmp_path_factory, sources, numbers):
    rows = {
        name: [[row | {"split": "train"} for row in rows] for rows in parts]
        for name, parts in sources.items()
    }
    bands, values, shingle, threshold = numbers
    fields = {"bands": bands, "rows": values, "shingle": shingle, "threshold": threshold}
    steps = snapshots(tmp_path_factory.mktemp("run"), rows, **fields)
    at_once = steps.pop("all")
    assert {k: v for step in steps.values() for k, v in removed(step).items()} == removed(at_once)
    assert {name for step in steps.values() for name in kept(step)} == set(kept(at_once))


def test_what_is_compared_with_is_not_signed_again_and_not_touched(tmp_path):
    texts = [" ".join(text) for text in corpus(40, seed=9)]
    old, new = [{"text": text} for text in texts[::2]], [{"text": text} for text in texts[1::2]]
    recipe = write(tmp_path, {"old": [old], "new": [new + old[:3]]})
    recipe += '[steps.first]\nstage = "deduplicate"\ndocuments = "old"\n'
    Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    before = shards(tmp_path, "out", "first")
    for step, against in (("second", "first"), ("plain", "old")):
        recipe += f'[steps.{step}]\nstage = "deduplicate"\ndocuments = "new"\nagainst = "{against}"\n'
    Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    assert shards(tmp_path, "out", "first") == before
    second, plain = (Dataset(str(tmp_path / "out" / step)) for step in ("second", "plain"))
    assert [path.stem for path in (tmp_path / "out/second/signatures").iterdir()] == ["new-000"]
    assert kept(second).keys() >= kept(plain).keys()  # `plain` also has what `first` removed
    assert {name.split("/")[0] for name, _, _ in removed(plain).values()} == {"old", "new"}
    for name, (stays, similarity, _) in removed(plain).items():
        assert (
            name.startswith("new/")
            and similarity >= 0.8
            and (stays.startswith("old/") or stays in kept(plain))
        )
    assert sum(kept(plain).values()) == sum(
        stays.startswith("new/") for stays, _, _ in removed(plain).values()
    )


def test_signatures_of_another_kind_are_refused(tmp_path):
    recipe = write(tmp_path, {"old": [[{"text": "one"}]], "new": [[{"text": "two"}]]})
    recipe += '[steps.first]\nstage = "deduplicate"\ndocuments = "old"\nseed = 3\nshingle = 4\n'
    recipe += '[steps.second]\nstage = "deduplicate"\ndocuments = "new"\nagainst = "first"\n'
    with pytest.raises(RecipeError, match="seed 3 and not 0, shingle 4 and not 5"):
        Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()


@settings(deadline=None, max_examples=20)
@given(some_sources(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_sharding_change_nothing(tmp_path_factory, sources, chance, parts):
    folder = tmp_path_factory.mktemp("run")
    fields = {"bands": 6, "rows": 3, "shingle": 3, "threshold": 0.6}
    named = {
        source: [
            {"id": f"{source}/{n}", **row} for n, row in enumerate(row for rows in shards for row in rows)
        ]
        for source, shards in sources.items()
    }
    first = run(folder, {source: [rows] for source, rows in named.items()}, "first", **fields)
    for rows in named.values():
        chance.shuffle(rows)
    again = {source: [rows[n::parts] for n in range(parts)] for source, rows in named.items()}
    second = run(folder / "again", again, "second", **fields)
    assert (kept(second), removed(second)) == (kept(first), removed(first))


@settings(deadline=None, max_examples=20)
@given(some_sources(), st.data())
def test_a_document_never_removes_one_of_higher_precedence(tmp_path_factory, sources, data):
    folder = tmp_path_factory.mktemp("run")
    stage = Deduplicate(bands=6, rows=3, shingle=3, threshold=0.6)
    order = [name for _, name, _, _ in Twin(sources, stage).order]
    if not order:
        return
    added = data.draw(st.sampled_from(order))
    fields = {"bands": 6, "rows": 3, "shingle": 3, "threshold": 0.6}
    source, number, row = added.split("/")
    with_it = removed(run(folder, sources, **fields))
    named = {
        name: [
            [{"id": f"{name}/{n:03d}/{at}", **each} for at, each in enumerate(rows)]
            for n, rows in enumerate(parts)
        ]
        for name, parts in sources.items()
    }
    del named[source][int(number)][int(row)]
    without = removed(run(folder / "without", named, **fields))
    before = order[: order.index(added)]
    assert {name: with_it.get(name) for name in before} == {name: without.get(name) for name in before}


@settings(deadline=None, max_examples=20)
@given(some_sources())
def test_a_second_time_changes_nothing(tmp_path_factory, sources):
    folder = tmp_path_factory.mktemp("run")
    recipe = write(folder, sources)
    for step, reads in (("once", list(sources)), ("twice", ["once"])):
        recipe += f'[steps.{step}]\nstage = "deduplicate"\ndocuments = {json.dumps(reads)}\nshingle = 3\n'
    Run(parsed(recipe, folder), str(folder / "out"), Inline(), say=lambda line: None).run()
    once, twice = (Dataset(str(folder / "out" / step)) for step in ("once", "twice"))
    assert removed(twice) == {} and twice.read().equals(once.read())


def test_months_in_runs_of_their_own_are_one_step_over_all(tmp_path):
    texts = [" ".join(text) for text in corpus(30, seed=2)]
    months = {
        name: [[{"text": text} for text in texts[n::3]]] for n, name in enumerate(("aug", "sep", "oct"))
    }
    recipe, against = write(tmp_path, months), []
    for month in months:
        own = f'[steps.unique]\nstage = "deduplicate"\ndocuments = "{month}"\nagainst = {against}\n'
        Run(parsed(recipe + own, tmp_path), str(tmp_path / month), Inline(), say=lambda line: None).run()
        against.append(f"{month}/unique")
    steps = [Dataset(str(tmp_path / folder)) for folder in against]
    at_once = run(tmp_path, months)
    assert {name: why for step in steps for name, why in removed(step).items()} == removed(at_once)
    assert {name for step in steps for name in kept(step)} == set(kept(at_once))
    assert [path.stem for path in (tmp_path / "oct/unique/signatures").iterdir()] == ["oct-000"]


def test_what_is_against_another_can_be_compared_with_alone(tmp_path):
    base, other = prose(1), prose(2)
    near = " ".join(edited(base, 2, 1))
    sources = {
        "a": [[{"text": " ".join(base)}]],
        "b": [[{"text": near}, {"text": " ".join(other)}]],
        "c": [[{"text": near}, {"text": " ".join(other)}, {"text": " ".join(prose(3))}]],
    }
    recipe = write(tmp_path, sources)
    for source, against in (("a", []), ("b", ["a-new"]), ("c", ["b-new"])):
        recipe += f'[steps.{source}-new]\nstage = "deduplicate"\n'
        recipe += f'documents = "{source}"\nagainst = {against}\n'
    Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    last = Dataset(str(tmp_path / "out/c-new"))
    assert {name: stays for name, (stays, _, _) in removed(last).items()} == {
        "c/000/0": "a/000/0",  # a copy of what went because of it
        "c/000/1": "b/000/1",
    }
    assert set(kept(last)) == {"c/000/2"}


def test_a_step_goes_on_behind_its_alarm_though_signatures_of_references_are_gone(tmp_path):
    text = " ".join(prose(1))
    recipe = write(tmp_path, {"old": [[{"text": text}]], "new": [[{"text": text}] * 120]})
    recipe += '[steps.unique]\nstage = "deduplicate"\ndocuments = "new"\nagainst = "old"\n'
    again = Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None)
    with pytest.raises(AlarmError, match="120 of 120 documents of 'new'"):
        again.run()
    assert not list((tmp_path / "out/unique/references").glob("*.parquet"))
    again.run(allow=["unique"])
    assert len(removed(Dataset(str(tmp_path / "out/unique")))) == 120


def test_a_text_that_one_reference_removed_and_another_keeps_is_compared_with(tmp_path):
    base = prose(1)
    text, like = base[18:], base[34:]
    assert jaccard(grams(" ".join(base), 5), grams(" ".join(like), 5)) < 0.75
    sources = {
        "crawl": [[{"text": " ".join(base)}, {"text": " ".join(text)}]],
        "heldout": [[{"text": " ".join(text)}]],
        "new": [[{"text": " ".join(like)}, {"text": " ".join(text)}]],
    }
    numbers = "threshold = 0.8\nbands = 40\nrows = 3\n"
    recipe = write(tmp_path, sources)
    recipe += f'[steps.first]\nstage = "deduplicate"\ndocuments = "crawl"\n{numbers}'
    recipe += f'[steps.second]\nstage = "deduplicate"\ndocuments = "new"\n{numbers}'
    recipe += 'against = ["first", "heldout"]\nmax_removed = 1.0\n'
    Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    assert set(removed(Dataset(str(tmp_path / "out/first")))) == {"crawl/000/1"}
    gone = removed(Dataset(str(tmp_path / "out/second")))
    assert {name: stays for name, (stays, _, _) in gone.items()} == {
        "new/000/0": "heldout/000/0",
        "new/000/1": "heldout/000/0",
    }


def test_what_went_because_of_what_was_forgotten_since_removes_nothing(tmp_path):
    base = prose(1)
    near = " ".join(edited(base, 2, 1))
    sources = {
        "old": [[{"text": " ".join([*base, "longer"])}], [{"text": near}]],
        "new": [[{"text": near}, {"text": near}]],
    }
    recipe = write(tmp_path, sources) + '[steps.first]\nstage = "deduplicate"\ndocuments = "old"\n'
    out = str(tmp_path / "out")
    Run(parsed(recipe, tmp_path), out, Inline(), say=lambda line: None).run()
    assert removed(Dataset(f"{out}/first"))["old/001/0"][0] == "old/000/0"
    TakeDown(out, STAGES, Forgotten.of, Inline(), say=lambda line: None).run(["old/000/0"])
    recipe += '[steps.second]\nstage = "deduplicate"\n'
    recipe += 'documents = "new"\nagainst = "first"\n'
    Run(parsed(recipe, tmp_path), out, Inline(), say=lambda line: None).run()
    second = Dataset(f"{out}/second")
    assert len(kept(second)) == 1
    assert [reason for _, _, reason in removed(second).values()] == ["duplicate:exact"]
    assert not [*(tmp_path / "out/second").glob("states-*/*"), *(tmp_path / "out/second/forgotten").glob("*")]
