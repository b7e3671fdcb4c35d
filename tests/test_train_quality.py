"""Training the quality classifier: the card tells the truth, and the same documents make the same bytes."""

import json

import numpy as np
import prose
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st
from prose import CLASSIFIER, SIDES, TAGGED, run

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Processes
from stages.sample import cutoff, groups, hold_out, split_by
from stages.train_quality import TrainQuality, load_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    prose.write_sides(folder)
    return run(folder, SIDES + CLASSIFIER)


@pytest.fixture
def folder(tmp_path):
    prose.write_sides(tmp_path, 60)
    return tmp_path


def card_of(out):
    return json.loads((out / "classifier/card.json").read_text())


def test_the_card_counts_both_sides(trained):
    card = card_of(trained)
    good, crawl = Dataset(f"{trained}/wiki", f"{trained}/books").read(), Dataset(f"{trained}/crawl").read()
    for side, documents in (("positives", good), ("crawl", crawl)):
        assert card[side]["documents"] == documents.num_rows
        assert card[side]["words"] == len(words(documents["text"]).hashes)
        assert 0 < card[side]["held_out"] < documents.num_rows / 4
    assert sum(card["histogram"]["positives"]) == good.num_rows
    assert sum(card["histogram"]["crawl"]) == crawl.num_rows
    rows = {row["source"]: row for row in card["sources"]}
    assert [rows[name]["documents"] for name in ("wiki", "books", "cc")] == [240, 80, 240]
    assert [rows[name]["held_out_by"] for name in ("wiki", "books", "cc")] == [
        "document",
        "document",
        "domain",
    ]


def test_the_card_measures_what_the_model_is_worth(trained):
    card = card_of(trained)
    assert set(card["languages"]) == {"en", "ru", "zh"}
    assert 0.75 < card["auc"] <= 1 and 0.75 < card["auc_same_languages"] <= 1
    assert all(row["auc_without"] > 0.75 for row in card["sources"] if row["side"] == "positives")
    assert card["accuracy"] > 0.75 and 0 <= card["calibration_error"] < 0.3
    assert sum(row["documents"] for row in card["reliability"]) == sum(
        card[side]["held_out"] for side in ("positives", "crawl")
    )
    kept = [row["crawl"] for row in card["forecast"]]
    assert kept == sorted(kept, reverse=True)
    assert all(row["positives"] > row["crawl"] for row in card["forecast"])
    good, bad = ({row["word"] for row in card["words"][side]} for side in ("positives", "crawl"))
    for language in ("en", "ru", "zh"):
        assert len(good & set(prose.GOOD[language].split())) >= 6 and not good & set(
            prose.CRAWL[language].split()
        )
        assert len(bad & set(prose.CRAWL[language].split())) >= 6 and not bad & set(
            prose.GOOD[language].split()
        )


def test_the_card_can_be_read(trained):
    text = (trained / "classifier/card.md").read_text()
    assert "step 'classifier'" in text and "| positives | wiki | 240 |" in text
    assert "each scored by a model that did not learn from it" in text


def test_the_model_can_be_loaded_and_tells_both_kinds_apart(trained):
    model, card = load_model(Dataset(f"{trained}/classifier"))
    assert model.weights.shape == (2, 1 << 18)
    fresh = [prose.table("new", kind, 80, seed=9, mixed=0)["text"] for kind in (prose.GOOD, prose.CRAWL)]
    good, bad = (model.scores(words(texts)) for texts in fresh)
    assert (good[:, None] > bad).mean() > 0.95
    everything = Dataset(f"{trained}/crawl").read()["text"]
    scores = np.sort(model.scores(words(everything)))[::-1]
    assert card["top_shares"][99] == scores[len(scores) // 10 - 1]


def test_one_model_for_all_folds_rates_what_it_learnt_from_lower(folder):
    whole = card_of(run(folder, SIDES + CLASSIFIER + "folds = 1", "whole"))
    parts = card_of(run(folder, SIDES + CLASSIFIER, "parts"))
    alpha = 3
    assert whole["forecast"][alpha]["crawl"] < parts["forecast"][alpha]["crawl"]
    assert "scored by the model that learnt from them" in (folder / "whole/classifier/card.md").read_text()


def test_workers_and_shards_do_not_matter(folder):
    one = toy.contents(run(folder, SIDES + CLASSIFIER))
    two = toy.contents(run(folder, SIDES + CLASSIFIER, "again", Processes(2)))
    assert one == two


def test_the_sample_is_the_documents_that_draw_least(folder):
    steps = SIDES + CLASSIFIER + "sample = 20"
    out = run(folder, steps)
    card = card_of(out)
    assert card["positives"]["documents"] == card["crawl"]["documents"] == 20
    assert Dataset(f"{out}/crawl").read().num_rows > 20
    paths = sorted(map(str, (out / "classifier/sample").glob("crawl-*.parquet")))
    drawn = pa.concat_tables([pa.parquet.read_table(path) for path in paths])
    ids = drawn.filter(pc.less_equal(drawn["draw"], cutoff(paths, 20)))["id"].to_pylist()
    prose.write(folder, {"crawl0": prose.table("cc", prose.CRAWL, 60, seed=3, domains=40)})
    for name in ("crawl1", "crawl2"):
        (folder / "in" / f"{name}.parquet").unlink()
    merged = run(folder, steps, "merged")
    paths = sorted(map(str, (merged / "classifier/sample").glob("crawl-*.parquet")))
    drawn = pa.concat_tables([pa.parquet.read_table(path) for path in paths])
    assert sorted(ids) == sorted(
        drawn.filter(pc.less_equal(drawn["draw"], cutoff(paths, 20)))["id"].to_pylist()
    )


def test_validation_documents_and_empty_ones_take_no_part(folder):
    before = card_of(run(folder, SIDES + CLASSIFIER, "before"))
    wiki = pa.parquet.read_table(folder / "in/wiki.parquet")
    extra = prose.documents(
        [
            {"id": "wiki/9/1", "source": "wiki", "text": "buy cheap click cart " * 50, "split": "val"},
            {"id": "wiki/9/2", "source": "wiki", "text": "?! ... "},
        ],
        TAGGED,
    )
    prose.write(folder, {"wiki": pa.concat_tables([wiki, extra])})
    after = card_of(run(folder, SIDES + CLASSIFIER, "after"))
    assert after["positives"] == before["positives"]
    assert after["auc"] == before["auc"]


def test_languages_are_found_when_no_column_tells(folder):
    for path in (folder / "in").iterdir():
        pa.parquet.write_table(pa.parquet.read_table(path).drop_columns(["language"]), path)
    card = card_of(run(folder, SIDES + CLASSIFIER))
    assert {"en", "ru"} <= set(card["languages"])


def test_languages_are_found_where_one_input_has_no_such_column(folder):
    wiki = pa.parquet.read_table(folder / "in/wiki.parquet").drop_columns(["language"])
    pa.parquet.write_table(wiki, folder / "in/wiki.parquet")
    assert set(card_of(run(folder, SIDES + CLASSIFIER))["languages"]) >= {"en", "ru", "zh"}


def test_one_source_cannot_be_left_out(folder):
    out = run(folder, SIDES + CLASSIFIER.replace('["wiki", "books"]', '"wiki"'))
    assert [row["auc_without"] for row in card_of(out)["sources"] if row["side"] == "positives"] == [None]
    assert "One source alone has none." in (out / "classifier/card.md").read_text()


@pytest.mark.parametrize("side", ["wiki", "crawl0"])
@pytest.mark.parametrize("rows", [[], [{"id": "x/0/1", "source": "x", "text": "a b c", "split": "val"}]])
def test_nothing_to_learn_from_is_an_error_that_names_the_side(folder, side, rows):
    prose.write(folder, {side: prose.documents(rows, TAGGED)})
    for name in ("crawl1", "crawl2"):
        prose.write(folder, {name: prose.documents([], TAGGED)} if side == "crawl0" else {})
    steps = SIDES + CLASSIFIER.replace('["wiki", "books"]', '"wiki"')
    what = "positives" if side == "wiki" else "crawl"
    with pytest.raises(
        InputError, match=rf"\[steps.classifier\] {what}: no document to learn from .* name a step"
    ):
        run(folder, steps)


def test_too_few_documents_for_the_folds_is_an_error_that_says_so(folder):
    prose.write(folder, {"wiki": prose.table("wiki", prose.GOOD, 1, seed=1)})
    steps = SIDES + CLASSIFIER.replace('["wiki", "books"]', '"wiki"')
    with pytest.raises(
        InputError, match="1 positives and 60 of the crawl: give it more of them, or folds = 1"
    ):
        run(folder, steps)
    assert card_of(run(folder, steps + "folds = 1", "one"))["auc"] is None


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("sample = 0", "sample = 0 must be at least 1"),
        ("held_out = 1.0", "held_out = 1.0 must lie between 0 and 1"),
        ("bucket_bits = 40", "bucket_bits = 40 must lie between 8 and 24"),
        ("folds = 0", "folds = 0 must lie between 1 and 100"),
        ("c = 0.0", "c = 0.0 must be above 0"),
        ('normalize = "l1"', "normalize"),
    ],
)
def test_a_field_out_of_range_is_refused(tmp_path, field, message):
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, SIDES + CLASSIFIER + field)


def sources(*groups_of):
    rows = [(source, group, f"{source}/{n}") for source, found in groups_of for n, group in enumerate(found)]
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(("source", "group", "id"))})


def test_a_source_is_held_out_by_domain_file_or_document():
    domains, files = [f"d{n}.example" for n in range(12)] * 5, [f"b/f{n}" for n in range(10)] * 9
    table = sources(("a", domains), ("b", files), ("c", ["c/one"] * 80), ("d", ["wikipedia.org"] * 80))
    assert split_by(table) == {"a": "domain", "b": "file", "c": "document", "d": "document"}
    held = table.filter(pa.array(hold_out(table, 0.3, 1, "step/heldout")))
    kept = table.filter(pa.array(~hold_out(table, 0.3, 1, "step/heldout")))
    for source in "ab":
        inside = [
            set(part.filter(pc.equal(part["source"], source))["group"].to_pylist()) for part in (held, kept)
        ]
        assert inside[0] and inside[1] and not inside[0] & inside[1]
    for source in "cd":
        assert 10 < pc.sum(pc.equal(held["source"], source)).as_py() < 40


@given(st.permutations(range(30)), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=20)
def test_what_is_held_out_does_not_depend_on_the_order(order, share):
    table = sources(("a", [f"d{n}.example" for n in range(15)]), ("b", ["b/one"] * 15))
    mask = hold_out(table, share, 1, "step/heldout")
    assert (hold_out(table.take(order), share, 1, "step/heldout") == mask[list(order)]).all()
    assert not mask.all()


def test_the_group_is_the_domain_or_else_the_file():
    table = pa.table({"id": ["s/f/1", "s/f/2", "s/g/h/3"], "domain": ["a.example", "", None]})
    assert groups(table).to_pylist() == ["a.example", "s/f", "s/g/h"]


def test_the_summary_has_the_cards_headlines(tiny):
    tables = TrainQuality().summary(Dataset(f"{tiny}/classifier"))
    measures, forecast = tables.values()
    assert 0.5 < measures[0]["auc"] <= 1 and measures[0]["positives_documents"] > 100
    kept = [row["crawl"] for row in forecast]
    assert kept == sorted(kept, reverse=True)
