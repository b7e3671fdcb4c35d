"""Language identification: many scripts, odd texts, the model's own codes."""

import numpy as np
import prose
import pyarrow as pa
import pytest
from corpus import documents
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import language
from classifiers.language import CHARACTERS, LANGUAGES, detect
from pipeline.dataset import Dataset
from stages.language import Language

SENTENCES = {
    "en": "The committee will meet again on Thursday to discuss the budget for next year.",
    "de": "Der Ausschuss trifft sich am Donnerstag wieder, um den Haushalt zu besprechen.",
    "fr": "La commission se réunira de nouveau jeudi pour examiner le budget de l'année prochaine.",
    "zh": "委员会将于星期四再次开会，讨论明年的预算问题。",
    "ja": "委員会は木曜日に再び集まり、来年の予算について話し合います。",
    "ko": "위원회는 내년 예산을 논의하기 위해 목요일에 다시 모일 예정이다.",
    "th": "คณะกรรมการจะประชุมอีกครั้งในวันพฤหัสบดีเพื่อหารือเรื่องงบประมาณ",
    "ar": "ستجتمع اللجنة مرة أخرى يوم الخميس لمناقشة ميزانية العام المقبل.",
    "hi": "समिति अगले वर्ष के बजट पर चर्चा करने के लिए गुरुवार को फिर बैठक करेगी।",
    "ru": "Комитет снова соберётся в четверг, чтобы обсудить бюджет на следующий год.",
}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_languages_of_all_scripts(kind):
    found = detect(pa.array(list(SENTENCES.values()), kind))
    assert found.codes == list(SENTENCES)
    assert found.scores.dtype == np.float32
    assert found.scores.min() > 0.5 and found.scores.max() <= 1


def test_texts_without_letters_are_undetermined():
    found = detect(pa.array(["", "   ", "12 + 30 = 42 …", "\x00\n", "😀🎉", None]))
    assert found.codes == ["und"] * 6
    assert found.scores.tolist() == [0] * 6
    assert detect(pa.array([], pa.string())).codes == []


def test_characters_that_stop_fasttext_do_not_hide_the_text():
    english = SENTENCES["en"]
    texts = ["\n" + english, "\x00 " + english, "</s> " + english, english.replace(" ", "\r\n"), english]
    found = detect(pa.array(texts))
    assert found.codes == ["en"] * 5
    assert len(set(found.scores.tolist())) == 1


def test_only_the_first_thousand_characters_are_read():
    chinese = "中文" * (CHARACTERS // 2)
    short, long = detect(pa.array([chinese, chinese + SENTENCES["en"] * 100])).scores.tolist()
    assert short == long


def test_the_batch_does_not_matter():
    texts = pa.chunked_array([list(SENTENCES.values()), ["", "?"], list(SENTENCES.values())[:3]])
    whole = detect(texts)
    alone = [detect(pa.array([text])) for text in texts.to_pylist()]
    assert whole.codes == [one.codes[0] for one in alone]
    assert whole.scores.tolist() == [one.scores[0] for one in alone]
    assert detect(texts.slice(3, 9)).codes == whole.codes[3:12]


@given(st.lists(st.text(max_size=40), max_size=5))
@settings(deadline=None, max_examples=60)
def test_any_text_has_a_known_language_and_a_score_of_four_decimals(texts):
    found = detect(pa.array(texts, pa.string()))
    assert set(found.codes) <= LANGUAGES | {"und"}
    assert all(0 <= score <= 1 and np.float32(round(float(score), 4)) == score for score in found.scores)


def test_the_codes_are_the_models():
    labels = language._model().get_labels()
    assert {label.removeprefix("__label__") for label in labels} == LANGUAGES


def test_nothing_is_printed(capfd):
    language._model.cache_clear()
    detect(pa.array(["hello"]))
    assert capfd.readouterr() == ("", "")


def tagged(stage, texts):
    table = documents({"id": f"s/f/{n}", "text": text} for n, text in enumerate(texts))
    return stage.process(table, stage.load("english", {}))


def test_the_stage_adds_the_language_and_rejects_nothing_by_itself():
    result = tagged(Language(), [*SENTENCES.values(), "", "42"])
    assert result["language"].to_pylist() == [*SENTENCES, "und", "und"]
    assert result.schema.field("language_score").type == pa.float32()
    assert result["reason"].null_count == result.num_rows


def test_the_stage_keeps_the_wanted_languages_of_which_it_is_sure():
    mixed = "Bonjour hello 42"
    result = tagged(Language(keep=("en", "zh"), min_score=0.7), [*SENTENCES.values(), "", mixed])
    reasons = dict(zip([*SENTENCES, "und", "mixed"], result["reason"].to_pylist(), strict=True))
    assert reasons["en"] is None and reasons["zh"] is None
    assert reasons["ja"] == "language:ja" and reasons["und"] == "language:und"
    assert tagged(Language(min_score=0.99), [mixed])["reason"].to_pylist() == ["language:unsure"]


def test_the_stage_in_a_recipe_loses_no_document(tmp_path):
    prose.write(tmp_path, {"all": prose.table("cc", prose.CRAWL, 40, seed=1).drop_columns(["language"])})
    steps = '[steps.crawl]\nstage = "given"\nfiles = "in/all.parquet"\n'
    steps += '[steps.english]\nstage = "language"\ndocuments = "crawl"\nkeep = ["en"]\n'
    english = Dataset(str(prose.run(tmp_path, steps) / "english"))
    assert set(english.read()["language"].to_pylist()) == {"en"}
    assert english.read().num_rows + english.rejected().num_rows == 40
    assert "language:ru" in english.rejected()["reason"].to_pylist()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keep": ("english",)}, "'english' is no language of lid.176"),
        ({"min_score": 2.0}, "between 0 and 1"),
    ],
)
def test_the_stage_refuses_what_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        Language(**fields)
