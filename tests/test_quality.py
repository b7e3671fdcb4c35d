"""Scoring and keeping documents: copies share one fate, the rules are the rules, nobody is lost."""

import hashlib
import json

import numpy as np
import prose
import pyarrow as pa
import pytest
from corpus import documents
from fasttext_model import write_model
from prose import CLASSIFIER, SIDES, run

from classifiers.keep import pareto
from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Processes
from stages.card import calibration_of
from stages.quality import Quality
from stages.train_quality import load_model

QUALITY = '[steps.good]\nstage = "quality"\ndocuments = "crawl"\n'
MODEL = 'model = "classifier"\n'
TEXTS = [
    "The theory of rivers",
    "buy cheap, click here",
    "теория империи",
    "帝国的历史",
    "تاريخ",
    "ประวัติ",
    "역사",
    "",
    "?!",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    prose.write_sides(folder)
    return folder


@pytest.fixture(scope="module")
def good(folder):
    return Dataset(str(run(folder, SIDES + CLASSIFIER + QUALITY + MODEL + "alpha = 2.0") / "good"))


@pytest.fixture(scope="module")
def model(good, folder):
    return Dataset(str(folder / "out/classifier"))


@pytest.fixture
def fasttext(tmp_path):
    return write_model(tmp_path / "model.bin", {"theory": 2.0, "cheap": -2.0, "帝国的历史": 1.0})


def judged(stage, texts, model=None, step="good"):
    rows = [{"id": f"s/f/{n}", "text": text} for n, text in enumerate(texts)]
    table = documents(rows)
    return stage.process(table, stage.load(step, {} if model is None else {"model": model}))


def columns(table, name="quality"):
    return [table[name + part].to_numpy() for part in ("", "_draw", "_keep")]


def test_a_document_stays_iff_its_draw_is_below_its_keep_probability(good):
    kept, gone = good.read(), good.rejected()
    assert kept.num_rows + gone.num_rows == 240 and kept.num_rows > 20 and gone.num_rows > 20
    for table, stays in ((kept, True), (gone, False)):
        scores, draws, chances = columns(table)
        assert ((draws < chances) == stays).all()
        assert chances == pytest.approx((2 - scores) ** -2.0, abs=1e-9)
        assert scores.min() >= 0 and scores.max() <= 1 and draws.min() >= 0 and draws.max() < 1
    assert set(gone["reason"].to_pylist()) == {"quality:pareto"}


def test_the_card_foretold_how_many_stay(good, model):
    scores, _, chances = columns(good.read())
    others = columns(good.rejected())
    expected = np.concatenate([chances, others[2]]).mean()
    card = json.loads(model.side("card.json"))
    row = next(row for row in card["keeps"]["rules"] if (row["rule"], row["value"]) == ("alpha", 2))
    assert row["documents"] == pytest.approx(expected, abs=1e-5)
    every = np.concatenate([chances, others[2]])
    assert row["error"] == pytest.approx(np.sqrt((every * (1 - every)).sum()) / 240, abs=1e-5)
    assert abs(len(scores) / 240 - row["documents"]) < 4 * row["error"]


def test_the_forecast_holds_for_languages_domains_and_tokens(good, model):
    crawl = pa.concat_tables(
        [
            good.read().drop_columns(["text"]),
            good.rejected().select(good.read().drop_columns(["text"]).column_names),
        ]
    ).to_pandas()
    keeps = json.loads(model.side("card.json"))["keeps"]
    row = next(row for row in keeps["rules"] if (row["rule"], row["value"]) == ("alpha", 2))
    for language, part in crawl.groupby("language"):
        assert row["languages"][language][0] == pytest.approx(part.quality_keep.mean(), abs=1e-5)
    for group in keeps["groups"]["domains"]:
        part = crawl[crawl.domain == group["name"]]
        assert group["documents"] == len(part)
        assert row["domains"][group["name"]][0] == pytest.approx(part.quality_keep.mean(), abs=1e-5)
    assert sum(group["tokens"] for group in keeps["groups"]["languages"]) > 1000
    assert 0 < row["tokens"] < 1


def test_the_fitted_alpha_is_the_cards(good, model):
    alpha = json.loads(model.side("card.json"))["alpha"]["alpha"]
    for fitted, given in zip(
        columns(judged(Quality(alpha="fitted"), TEXTS, model)),
        columns(judged(Quality(alpha=alpha), TEXTS, model)),
        strict=True,
    ):
        assert fitted.tolist() == given.tolist()


def test_a_model_that_held_nothing_out_has_no_fitted_alpha():
    with pytest.raises(InputError, match=r"\[steps.good\] the model held out no good document .* a number"):
        Quality(alpha="fitted")._rule("good", {"alpha": None})


def test_the_probability_is_the_cards_calibration_of_the_score(good, model):
    calibration = calibration_of(json.loads(model.side("card.json")))
    table = good.read()
    assert table["quality_probability"].to_pylist() == calibration(table["quality"].to_numpy()).tolist()
    order = np.argsort(table["quality"].to_numpy())
    assert (np.diff(table["quality_probability"].to_numpy()[order]) >= 0).all()


def test_what_scores_from_the_threshold_on_can_be_rejected(model):
    texts = prose.table("x", prose.CRAWL, 80, seed=6, mixed=0.5)["text"].to_pylist()
    stage = Quality(keep="below", threshold=0.5, column="toxicity")
    result = judged(stage, texts, model)
    scores = columns(result, "toxicity")[0]
    assert result["reason"].to_pylist() == [None if s < 0.5 else "toxicity:below" for s in scores]


def test_scores_are_the_models(good, model):
    texts = good.read()["text"]
    assert load_model(model)[0].scores(texts, words(texts)).tolist() == good.read()["quality"].to_pylist()


@pytest.mark.parametrize("rule", ["pareto", "threshold", "below", "top_share", "all"])
def test_copies_share_one_fate(model, rule):
    texts = [*TEXTS, *prose.table("x", prose.GOOD, 40, seed=4)["text"].to_pylist()]
    copies = [f" «{text.upper()}»\n" for text in texts]
    first, second = (judged(Quality(keep=rule, alpha=1.0), each, model) for each in (texts, copies))
    for name in ("quality", "quality_draw", "quality_keep", "reason"):
        assert first[name].to_pylist() == second[name].to_pylist()


def test_a_draw_depends_on_the_text_the_step_and_the_seed_only(model):
    first = judged(Quality(), TEXTS, model)["quality_draw"].to_pylist()
    assert len(set(first[:7])) == 7
    assert judged(Quality(alpha=3.0), TEXTS[::-1], model)["quality_draw"].to_pylist() == first[::-1]
    assert not set(first) & set(judged(Quality(seed=1), TEXTS, model)["quality_draw"].to_pylist())
    assert not set(first) & set(judged(Quality(), TEXTS, model, step="other")["quality_draw"].to_pylist())


def test_the_batch_does_not_matter(model):
    texts = prose.table("x", prose.CRAWL, 50, seed=5)["text"].to_pylist()
    whole = judged(Quality(), texts, model)
    for size in (1, 7):
        parts = [judged(Quality(), texts[at : at + size], model) for at in range(0, 50, size)]
        for name in ("quality", "quality_draw", "quality_keep", "reason"):
            assert [value for part in parts for value in part[name].to_pylist()] == whole[name].to_pylist()


@pytest.mark.parametrize(
    "fields",
    [
        "",
        'normalize = "none"\nngrams = 3\nnumbers = true\nvariants = true\nbucket_bits = 12',
        'learner = "fasttext"\nepochs = 5\nngrams = 2\nfolds = 3\nignored = ["theory", "帝"]',
    ],
)
def test_neither_workers_nor_shards_decide_anything(tmp_path, fields):
    prose.write_sides(tmp_path, 60)
    every = pa.concat_tables(
        [pa.parquet.read_table(tmp_path / f"in/crawl{number}.parquet") for number in range(3)]
    )
    judged_steps = """
[steps.judged]
stage = "given"
files = "in/part*.parquet"
source = "cc"
"""
    steps = SIDES + CLASSIFIER + fields + judged_steps + QUALITY.replace("crawl", "judged") + MODEL
    seen = []
    for size, executor in ((60, None), (7, Processes(2)), (23, None)):
        for path in (tmp_path / "in").glob("part*"):
            path.unlink()
        prose.write(
            tmp_path, {f"part{at:02}": every.slice(at, size) for at in range(0, every.num_rows, size)}
        )
        redo = {"redo": "judged"} if seen else {}
        out = run(tmp_path, steps + "alpha = 1.0", "out", executor, **redo)
        names = ["id", *(f"quality{part}" for part in ("", "_probability", "_draw", "_keep"))]
        good = Dataset(f"{out}/good")
        seen.append(
            [sorted(map(repr, part.select(names).to_pylist())) for part in (good.read(), good.rejected())]
        )
    assert all(seen[0]) and seen == [seen[0]] * 3


def test_a_threshold_keeps_from_it_on(model):
    texts = prose.table("x", prose.CRAWL, 80, seed=6, mixed=0.5)["text"].to_pylist()
    scores = columns(judged(Quality(), texts, model))[0]
    result = judged(Quality(keep="threshold", threshold=float(scores[3])), texts, model)
    wanted = [None if score >= scores[3] else "quality:threshold" for score in scores]
    assert result["reason"].to_pylist() == wanted
    assert set(columns(result)[2]) == {0.0, 1.0}


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_a_top_share_of_the_crawl_stays(folder, model, share):
    texts = Dataset(str(folder / "out/crawl")).read()["text"].to_pylist()
    reasons = judged(Quality(keep="top_share", top_share=share), texts, model)["reason"].to_pylist()
    assert reasons.count(None) == round(share * len(texts))
    assert set(reasons) <= {None, "quality:top_share"}


def test_all_keeps_all_and_scores_them(model):
    result = judged(Quality(keep="all", column="toxicity"), TEXTS, model)
    assert result["reason"].null_count == len(TEXTS)
    scores, draws, chances = columns(result, "toxicity")
    assert (chances == 1).all() and len(set(scores)) > 3 and len(set(draws)) > 3


def test_documents_without_words_score_nothing(model, fasttext):
    by_fasttext = Quality(fasttext=(fasttext,), label="hq")
    for result in (judged(Quality(), ["", "?!", None], model), judged(by_fasttext, ["", "?!", None])):
        assert result["quality"].to_pylist() == [0, 0, 0]
        assert result["quality_keep"].to_pylist() == pareto(np.zeros(3), 9).tolist()


def test_a_fasttext_file_is_a_model_too(fasttext):
    stage = Quality(fasttext=(fasttext,), label="hq", keep="threshold")
    result = judged(stage, ["theory", "cheap", "帝国的历史", "theory cheap"])
    assert result["quality"].to_pylist() == pytest.approx([0.88080, 0.11920, 0.73106, 0.5], abs=2e-5)
    assert result["reason"].to_pylist() == [None, "quality:threshold", None, None]


def test_a_fasttext_file_is_named_in_a_recipe(folder, fasttext):
    with open(fasttext, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    steps = SIDES + QUALITY + f'fasttext = "{fasttext}"\nlabel = "hq"\n'
    good = Dataset(str(run(folder, steps + f'sha256 = "{sha256}"', "fasttext") / "good"))
    assert good.read().num_rows + good.rejected().num_rows == 240
    for wrong, message in (
        ('sha256 = "00"', rf"\[steps.good\] fasttext: .*model.bin has sha256 {sha256}"),
        ('label = "hqq"', r"\[steps.good\] fasttext: .* no label 'hqq'; the nearest of its 2 is 'hq'"),
    ):
        with pytest.raises(InputError, match=message):
            text = steps.replace('label = "hq"\n', "") if "label" in wrong else steps
            run(folder, text + wrong, f"wrong-{wrong[:5]}")


@pytest.mark.parametrize("extra", ["", MODEL + 'fasttext = "model.bin"\nlabel = "hq"\n'])
def test_one_model_is_needed(folder, extra):
    (folder / "model.bin").write_bytes(b"")
    with pytest.raises(RecipeError, match=r"\[steps.good\]: needs either model = .* or fasttext ="):
        run(folder, SIDES + CLASSIFIER + QUALITY + extra, f"models-{len(extra)}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alpha": 0.0}, "alpha = 0.0 must be above 0"),
        ({"alpha": 101.0}, "at most 100"),
        ({"threshold": 1.5}, "threshold = 1.5"),
        ({"top_share": 0.0}, "top_share = 0.0"),
        ({"column": ""}, "column"),
        ({"fasttext": ("m.bin",), "label": "hq", "alpha": "fitted"}, "no fitted alpha"),
        ({"fasttext": ("m.bin",)}, "label that means good"),
        ({"fasttext": ("m.bin",), "label": "hq", "keep": "top_share"}, "use threshold"),
        ({"label": "hq"}, "belong to a fastText file"),
    ],
)
def test_a_field_out_of_range_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Quality(**fields)


def test_the_columns_are_declared(model):
    stage = Quality(column="score")
    result = judged(stage, TEXTS, model)
    parts = ("", "_probability", "_draw", "_keep")
    assert stage.adds() == pa.schema([(f"score{part}", pa.float64()) for part in parts])
    assert all(result.schema.field(field.name).type == field.type for field in stage.adds())
