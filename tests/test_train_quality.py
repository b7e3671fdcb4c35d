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

from classifiers.terms import terms
from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Processes
from stages.sample import Counted, bound, cutoff, groups, hold_out, quotas, split_by, tokens
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
        assert card[side]["tokens"] == sum(tokens(documents["text"]))
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
    for rule in ("alpha", "threshold"):
        rows = [row for row in card["keeps"]["rules"] if row["rule"] == rule]
        kept = [row["documents"] for row in rows]
        assert kept == sorted(kept, reverse=True) and len(kept) >= 7
        assert all(row["positives"] >= row["documents"] for row in rows)
        assert rows[3]["positives"] > rows[3]["documents"]
    assert card["alpha"]["alpha"] in [row["value"] for row in card["keeps"]["rules"]]
    assert card["alpha"]["documents"] == card["positives"]["held_out"]
    assert card["calibrated_error"] < 0.3
    texts = pa.concat_tables(
        [Dataset(f"{trained}/{name}").read(["text"]) for name in ("wiki", "books", "crawl")]
    )["text"]
    model, _ = load_model(Dataset(f"{trained}/classifier"))
    good = np.arange(len(texts)) < card["positives"]["documents"]
    scores = model.scores(texts, words(texts))
    above, same = scores[good][:, None] > scores[~good], scores[good][:, None] == scores[~good]
    assert card["auc_out_of_fold"] == pytest.approx((above + same / 2).mean(), abs=6e-5)
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
    for title in ("What would be kept", "Words that alone tell", "that rank best", "that score about 0.5"):
        assert title in text
    assert "step 'classifier'" in text and "| positives | wiki | 240 |" in text
    assert "each scored by a model that did not learn from it" in text


def test_the_model_can_be_loaded_and_tells_both_kinds_apart(trained):
    model, card = load_model(Dataset(f"{trained}/classifier"))
    assert model.weights.shape == (2, 1 << 18)
    fresh = [prose.table("new", kind, 80, seed=9, mixed=0)["text"] for kind in (prose.GOOD, prose.CRAWL)]
    good, bad = (model.scores(texts, words(texts)) for texts in fresh)
    assert (good[:, None] > bad).mean() > 0.95
    everything = Dataset(f"{trained}/crawl").read()["text"]
    scores = np.sort(model.scores(everything, words(everything)))[::-1]
    assert card["top_shares"][99] == scores[len(scores) // 10 - 1]


def test_one_model_for_all_folds_rates_what_it_learnt_from_lower(folder):
    whole = card_of(run(folder, SIDES + CLASSIFIER + "folds = 1", "whole"))
    parts = card_of(run(folder, SIDES + CLASSIFIER, "parts"))
    share = [each["keeps"]["rules"][0]["documents"] for each in (whole, parts)]
    assert share[0] < share[1]
    text = (folder / "whole/classifier/card.md").read_text()
    assert "scored by the model that learnt from them" in text
    assert whole["auc_out_of_fold"] is None and 0.7 < parts["auc_out_of_fold"] < 1
    assert "| AUC over all, each scored by a model that did not learn from it | – |" in text


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
        InputError,
        match=r"1 positives and 60 of the crawl, and .* are held out: give it more of them, or folds = 1",
    ):
        run(folder, steps)
    assert card_of(run(folder, steps + "folds = 1", "one"))["auc"] is None


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("sample = 0", "sample = 0 must lie between 1 and"),
        ("ngrams = 9", "ngrams = 9 must lie between 1 and 5"),
        ("rate = 0.0", "rate = 0.0 must be above 0"),
        ('ignored = ["two words"]', "ignored: 'two words' is 2 words to the splitter"),
        ('ignored = ["?"]', r"ignored: '\?' is 0 words"),
        ('learner = "forest"', "learner"),
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


def test_a_rate_that_is_too_high_is_an_error_that_says_just_that(folder):
    fields = 'learner = "fasttext"\nrate = 1e9'
    with pytest.raises(InputError, match=r"\[steps.classifier\] fastText cannot .*lower `rate`$"):
        run(folder, SIDES + CLASSIFIER + fields)


def test_a_word_is_ignored_in_whichever_form_it_is_written():
    spelled = ("維", "Cafe\u0301", "\u110c\u1161")
    texts = pa.array(["維 维 caf\u00e9 자 word"])
    for variants, kept in ((False, ["word"]), (True, ["维", "word"])):
        reading = TrainQuality(ignored=spelled, variants=variants)._reading
        wanted = words(pa.array([" ".join(kept)])).hashes
        assert terms(texts, words(texts), reading).hashes.tolist() == wanted.tolist()


@given(st.integers(1, 3000), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_enough_documents_draw_less_than_the_bound(size, seed):
    rows = 100_000
    below = (np.random.default_rng(seed).random(rows) < bound(size, rows)).sum()
    assert size <= below < 2 * size + 100


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
    measures, keeps = tables.values()
    assert 0.5 < measures[0]["auc"] <= 1 and measures[0]["positives_documents"] > 100
    kept = [row["documents"] for row in keeps if row["rule"] == "alpha"]
    assert kept == sorted(kept, reverse=True)


@pytest.mark.parametrize(
    "fields",
    [
        'learner = "fasttext"\nepochs = 20',
        "ngrams = 2\nbucket_bits = 20",
        'calibration = "isotonic"\nnumbers = true',
        'balance = "sources"',
        'balance = "none"',
        "memory = 0",
    ],
)
def test_whatever_learns_tells_both_kinds_apart(folder, fields):
    out = run(folder, SIDES + CLASSIFIER + fields)
    card = card_of(out)
    assert card["auc"] > 0.75
    model, _ = load_model(Dataset(f"{out}/classifier"))
    fresh = [prose.table("new", kind, 40, seed=9, mixed=0)["text"] for kind in (prose.GOOD, prose.CRAWL)]
    good, bad = (model.scores(texts, words(texts)) for texts in fresh)
    assert (good[:, None] > bad).mean() > 0.9
    heavy = {row["word"] for row in card["words"]["positives"]}
    assert len(heavy & set(prose.GOOD["en"].split())) >= 4


def test_how_much_memory_there_is_does_not_matter(folder):
    much = toy.contents(run(folder, SIDES + CLASSIFIER, "much"))
    none = toy.contents(run(folder, SIDES + CLASSIFIER + "memory = 0", "none"))
    changed = {name for name in much if much[name] != none[name]}
    assert changed == {"recipe.toml", "classifier/identity.json", "classifier/manifest.json"}


def test_counts_that_do_not_fit_are_read_again(folder):
    out = run(folder, SIDES + CLASSIFIER)
    paths = sorted(map(str, (out / "classifier/counts").glob("*.parquet")))
    whole = [part.buckets.tolist() for part in Counted(paths, 1 << 30)]
    for memory in (0, 1, 2000, 1 << 30):
        counted = Counted(paths, memory)
        assert all([part.buckets.tolist() for part in counted] == whole for _ in range(3))
        assert bool(counted._kept) == (memory > 0)
        assert (len(counted._kept) == len(whole)) == (memory == 1 << 30)


def test_the_pages_of_a_card_are_in_order_and_of_their_side(trained):
    pages = card_of(trained)["pages"]
    best, middle, worst = ([page["score"] for page in pages[name]] for name in ("best", "middle", "worst"))
    assert best == sorted(best, reverse=True) and worst == sorted(worst) and len(best) == len(worst) == 50
    assert middle == sorted(middle, reverse=True) and max(abs(s - 0.5) for s in middle) < 0.5
    assert all(page["source"] == "cc" for name in ("best", "middle", "worst") for page in pages[name])
    assert all(page["source"] in ("wiki", "books") for page in pages["positives"])
    texts = dict(
        zip(*(Dataset(f"{trained}/crawl").read()[name].to_pylist() for name in ("id", "text")), strict=True)
    )
    assert all(texts[page["id"]].startswith(page["text"][:40]) for page in pages["best"])


def test_a_word_that_gives_a_source_away_is_shown_and_can_be_left_out(folder):
    wiki = pa.parquet.read_table(folder / "in/wiki.parquet")
    marked = pc.binary_join_element_wise("Wikipedia 2019", wiki["text"].cast(pa.string()), " ")
    pa.parquet.write_table(
        wiki.set_column(wiki.schema.get_field_index("text"), "text", marked.cast(pa.large_string())),
        folder / "in/wiki.parquet",
    )
    card = card_of(run(folder, SIDES + CLASSIFIER, "leaking"))
    assert card["revealing"]["wiki"][0] == {"word": "wikipedia", "source": 1.0, "crawl": 0.0}
    assert card["words"]["positives"][0]["word"] == "wikipedia"
    shown = {row["word"] for side in card["words"].values() for row in side}
    assert "2019" not in shown
    mended = card_of(run(folder, SIDES + CLASSIFIER + 'ignored = ["Wikipedia"]', "mended"))
    assert "wikipedia" not in json.dumps(mended["words"]) + json.dumps(mended["revealing"])
    with_numbers = card_of(run(folder, SIDES + CLASSIFIER + "numbers = true", "numbers"))
    assert "2019" in {row["word"] for row in with_numbers["words"]["positives"]}


def test_pairs_of_words_are_spelled(folder):
    wiki = pa.parquet.read_table(folder / "in/wiki.parquet")
    marked = pc.binary_join_element_wise(wiki["text"].cast(pa.string()), "Zebra crossing 一二", " ")
    pa.parquet.write_table(
        wiki.set_column(wiki.schema.get_field_index("text"), "text", marked.cast(pa.large_string())),
        folder / "in/wiki.parquet",
    )
    told = card_of(run(folder, SIDES + CLASSIFIER + "ngrams = 2\nbucket_bits = 20"))["revealing"]["wiki"]
    assert {"zebra", "crossing", "zebra crossing", "crossing 一", "一 二"} <= {row["word"] for row in told}


def test_sources_of_one_side_can_weigh_the_same(folder):
    card = card_of(run(folder, SIDES + CLASSIFIER + 'balance = "sources"\nsample = 30'))
    rows = {row["source"]: row["documents"] for row in card["sources"]}
    assert rows == {"wiki": 15, "books": 15, "cc": 30}


@given(st.integers(0, 200), st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_quotas_are_even_and_take_all_there_is(size, rows):
    found = quotas(size, rows)
    assert sum(found) <= min(size, sum(rows)) and sum(found) > min(size, sum(rows)) - len(rows)
    assert all(mine <= there for mine, there in zip(found, rows, strict=True))
    short = [mine for mine, there in zip(found, rows, strict=True) if mine < there]
    assert not short or max(short) - min(short) <= 1
    assert max(found) <= max(short, default=size) + 1 or not short
