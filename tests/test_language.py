"""Language identification: scripts that decide, what pages look like, mixed texts, the stage."""

import itertools

import numpy as np
import prose
import pyarrow as pa
import pytest
from corpus import documents
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES as MORE

from classifiers import windows
from classifiers.language import LANGUAGES, detect
from classifiers.lid import model
from classifiers.scripts import COLUMN, SCRIPTS
from classifiers.words import locate
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
FOUND = ("Latn", "Latn", "Latn", "Hans", "Jpan", "Kore", "Thai", "Arab", "Deva", "Cyrl")  # their scripts
WORDS = {  # a few words in a script that one language writes
    ("el", "Grek"): "Καλημέρα σε όλους",
    ("hy", "Armn"): "Բարի լույս բոլորին",
    ("he", "Hebr"): "שלום לכולם וברוכים הבאים לעיר שלנו",
    ("yi", "Hebr"): "דאָס איז אַ שיינער טאָג און מיר גייען אַלע אין שטאָט אַרײַן",
    ("ka", "Geor"): "დილა მშვიდობისა ყველას ჩვენს ქალაქში",
    ("am", "Ethi"): "እንደምን አደራችሁ ወደ ከተማችን በደህና መጣችሁ",
    ("ti", "Ethi"): "ኩሉ ሰብ ኣብ ከተማና ብሰላም ይነብር ኣሎ",
    ("ta", "Taml"): "அனைவருக்கும் வணக்கம்",
    ("te", "Telu"): "అందరికీ నమస్కారం",
    ("kn", "Knda"): "ಎಲ್ಲರಿಗೂ ನಮಸ್ಕಾರ",
    ("ml", "Mlym"): "എല്ലാവർക്കും നമസ്കാരം",
    ("si", "Sinh"): "හැමෝටම ආයුබෝවන්",
    ("gu", "Gujr"): "બધાને નમસ્તે",
    ("pa", "Guru"): "ਸਾਰਿਆਂ ਨੂੰ ਨਮਸਕਾਰ",
    ("or", "Orya"): "ସମସ୍ତଙ୍କୁ ନମସ୍କାର",
    ("bn", "Beng"): "সবাইকে শুভ সকাল আমাদের শহরে স্বাগতম",
    ("lo", "Laoo"): "ສະບາຍດີທຸກຄົນ",
    ("km", "Khmr"): "សួស្តីអ្នកទាំងអស់គ្នា",
    ("my", "Mymr"): "မင်္ဂလာပါ အားလုံး",
    ("bo", "Tibt"): "བཀྲ་ཤིས་བདེ་ལེགས",
    ("dv", "Thaa"): "އައްސަލާމު ޢަލައިކުމް",
    ("chr", "Cher"): "ᎣᏏᏲ ᏂᎦᏓ",
    ("zh", "Hant"): "歡迎來到我們的城市，這裡說國語",
    ("und", "Tfng"): "ⴰⵣⵓⵍ ⴼⵍⵍⴰⵡⵏ",
}


def one(text):
    """(language, score, second, its score, script, mixed) of a text."""
    return [column[0] for column in detect(pa.array([text]))]


def language(text):
    return one(text)[0]


def mixed(text):
    return bool(one(text)[5])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_languages_of_all_scripts(kind):
    found = detect(pa.array(list(SENTENCES.values()), kind))
    assert found.codes == list(SENTENCES)
    assert found.scripts == list(FOUND)
    assert found.scores.dtype == np.float32
    assert found.scores.min() > 0.5 and found.scores.max() <= 1
    assert not found.mixed.any()


@pytest.mark.parametrize(("expected", "text"), WORDS.items(), ids=lambda value: value[0])
def test_a_few_words_are_enough_where_the_script_tells(expected, text):
    code, score, _, _, script, _ = one(text)
    assert (code, script) == expected
    assert score > 0.9 or code == "und"


def test_texts_without_letters_are_undetermined():
    found = detect(pa.array(["", "   ", "12 + 30 = 42 …", "\x00\n", "😀🎉", None]))
    assert found.codes == ["und"] * 6
    assert found.scores.tolist() == [0] * 6
    assert found.scripts == found.second_codes == [None] * 6
    assert not found.mixed.any()
    assert detect(pa.array([], pa.string())).codes == []
    assert detect(pa.chunked_array([], pa.string())).mixed.tolist() == []


def test_blanks_and_marks_of_all_kinds_change_nothing():
    english = SENTENCES["en"]
    texts = ["\n" + english, "\x00 " + english, "\r\n \t" + english, english.replace(" ", "\r\n"), english]
    found = detect(pa.array(texts))
    assert found.codes == ["en"] * 5
    assert len(set(found.scores.tolist())) == 1


@pytest.mark.parametrize("code", ["en", "de", "fr", "ru"])
def test_capitals_are_read_as_small_letters(code):
    small, large = detect(pa.array([SENTENCES[code].lower(), SENTENCES[code].upper()])).scores
    assert language(SENTENCES[code].upper()) == code
    assert small == pytest.approx(large, abs=0.01)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", f"Our guide in Bangkok was called สมชาย ใจดี. {SENTENCES['en']}"),
        ("th", f"{SENTENCES['th']} Microsoft Windows {SENTENCES['th']} iPhone"),
        ("ja", "東京都交通局発表資料一覧、気象庁観測部長談話の全文を掲載しました。"),
        ("ja", "カタカナ"),
        ("zh", f"这家名为“まる”的小店卖茶叶和点心。{SENTENCES['zh'] * 2}"),
        ("zh", "本文介绍如何用Docker Compose部署PostgreSQL和Redis，并配置备份。"),
        ("ko", "大韓民國의 主權은 國民에게 있고, 모든 權力은 國民으로부터 나온다."),
        ("ru", "Установка Debian GNU/Linux и настройка ssh, rsync и cron на сервере"),
        ("zh", "Home About Login\n" + SENTENCES["zh"] * 12 + "\nCopyright All rights reserved"),
        ("en", "首页 关于 登录\n" + SENTENCES["en"] * 12 + "\n版权所有"),
        ("zh", f"{SENTENCES['zh']} https://cdn.example/static/js/app.min.js?v=1234567890abcdefgh&lang=en_US"),
        ("de", f"{SENTENCES['de']} 😀🎉👍 12.11.2024, 18:30"),
        ("und", "https://a.example/path/to/page?id=12 user.name@mail.example"),
    ],
)
def test_what_pages_look_like(code, text):
    assert language(text) == code
    assert not mixed(text)


def test_a_text_is_read_to_its_end():
    menu = "Startseite Über uns Kontakt Impressum Anmelden Warenkorb\n" * 3
    assert language(menu + SENTENCES["en"] * 40) == "en"
    assert language(menu) == "de"


@pytest.mark.parametrize("pair", list(itertools.permutations(["en", "de", "zh", "ko", "ar", "ru", "hi"], 2)))
def test_half_in_one_language_and_half_in_another_is_mixed(pair):
    halves = []
    for code in pair:
        sentence = SENTENCES[code] + " " + MORE.get(code, SENTENCES[code]) + "\n"
        halves.append(sentence * (1200 // len(sentence.encode())))
    code, _, second, share, _, is_mixed = one("".join(halves))
    assert is_mixed and {code, second} == set(pair)
    assert 0.25 <= share <= 0.75
    assert not any(map(mixed, halves))


def test_one_foreign_paragraph_does_not_make_a_text_mixed():
    text = f"{SENTENCES['en']}\n" * 20
    assert not mixed(text + SENTENCES["de"] + "\n" + text)


def test_an_unknown_language_beside_a_known_one():
    cree = "ᑭᓯᒪᓂᑐ ᐅᑕᔭᒥᐊᐏᐣ "
    code, score, second, _, script, is_mixed = one(cree * 30 + "\n" + SENTENCES["en"] * 10)
    assert (code, score, second, script, is_mixed) == ("und", 0, "en", "Cans", True)


def test_the_batch_does_not_matter():
    texts = pa.chunked_array([list(SENTENCES.values()), ["", "?"], list(SENTENCES.values())[:3]])
    whole = detect(texts)
    alone = [detect(pa.array([text])) for text in texts.to_pylist()]
    for column, name in zip(whole, whole._fields, strict=True):
        assert list(column) == [getattr(found, name)[0] for found in alone]
    assert detect(texts.slice(3, 9)).codes == whole.codes[3:12]


pieces = st.one_of(st.text(max_size=40), st.sampled_from([*SENTENCES.values(), "\n", *WORDS.values()]))
texts_ = st.lists(pieces, max_size=12).map(" ".join)


@given(st.lists(texts_, min_size=1, max_size=5), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_any_text_has_a_language_of_its_script_whatever_the_chunks(texts, size):
    found = detect(pa.array(texts, pa.string()))
    chunks = [texts[at : at + size] for at in range(0, len(texts), size)]
    for column, other in zip(found, detect(pa.chunked_array(chunks, pa.large_string())), strict=True):
        assert list(column) == list(other)
    assert set(found.codes) <= LANGUAGES | {"und"}
    for scores in (found.scores, found.second_scores):
        assert all(0 <= score <= 1 and np.float32(round(float(score), 4)) == score for score in scores)
    for code, script, second in zip(found.codes, found.scripts, found.second_codes, strict=True):
        assert code == "und" or code in allowed(script)
        assert second != code


def allowed(script):
    eastern = {"Jpan": "ja", "Hans": "zh yue wuu", "Hant": "zh yue wuu", "Hani": "zh yue wuu", "Kore": "ko"}
    more = {"Ethi": " ti"}.get(script, "")
    return (eastern.get(script) or SCRIPTS[COLUMN[script]].languages + more).split()


@given(st.text(max_size=6000), st.integers(0, 4))
@settings(deadline=None, max_examples=60)
def test_windows_are_whole_characters_of_the_text_in_order(text, repeat):
    data, begins, ends = locate(pa.array(["é" * repeat, text * (repeat + 1), "ก\n"]))
    found = windows.cut(data, begins, ends)
    assert (np.diff(found.offsets) >= 1).all() and (np.diff(found.offsets) <= windows.MOST).all()
    assert (found.begins <= found.ends).all() and (found.ends[:-1] <= found.begins[1:]).all()
    assert (found.ends - found.begins).max() <= windows.BYTES + 44
    for begin, end in zip(found.begins, found.ends, strict=True):
        bytes(data[begin:end]).decode()
    first, last = found.offsets[1], found.offsets[2]
    assert found.begins[first] == begins[1]
    if ends[1] - begins[1] <= windows.MOST * windows.BYTES // 2:
        assert found.ends[last - 1] == ends[1]


def test_nothing_is_printed(capfd):
    model.cache_clear()
    detect(pa.array(["hello"]))
    assert capfd.readouterr() == ("", "")


def tagged(stage, texts):
    table = documents({"id": f"s/f/{n}", "text": text} for n, text in enumerate(texts))
    return stage.process(table, stage.load("english", {}))


def test_the_stage_adds_its_columns_and_rejects_nothing_by_itself():
    result = tagged(Language(), [*SENTENCES.values(), "", "42"])
    assert result["language"].to_pylist() == [*SENTENCES, "und", "und"]
    assert result["script"].to_pylist() == [*FOUND, None, None]
    assert result.schema.names[-7:] == [*Language().adds().names, "reason"]
    for field in Language().adds():
        assert result.schema.field(field.name).type == field.type
    assert (
        result["second_language"].to_pylist()[4] is None and result["second_language_score"][4].as_py() == 0
    )
    assert result["reason"].null_count == result.num_rows
    assert tagged(Language(keep=("en",)), []).num_rows == 0


def test_the_stage_keeps_the_wanted_languages_of_which_it_is_sure():
    both = "Bonjour hello 42"
    result = tagged(Language(keep=("en", "zh"), min_score=0.7), [*SENTENCES.values(), "", both])
    reasons = dict(zip([*SENTENCES, "und", "both"], result["reason"].to_pylist(), strict=True))
    assert reasons["en"] is None and reasons["zh"] is None
    assert reasons["ja"] == "language:ja" and reasons["und"] == "language:und"
    assert tagged(Language(min_score=0.99), [both])["reason"].to_pylist() == ["language:unsure"]


def test_the_stage_rejects_mixed_documents_where_asked():
    texts = [SENTENCES["en"] * 8, SENTENCES["en"] * 8 + "\n" + SENTENCES["ru"] * 8]
    assert tagged(Language(), texts)["mixed_language"].to_pylist() == [False, True]
    assert tagged(Language(), texts)["reason"].to_pylist() == [None, None]
    assert tagged(Language(mixed=False), texts)["reason"].to_pylist() == [None, "language:mixed"]


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
        ({"keep": ("english",)}, "'english' is no language"),
        ({"min_score": 2.0}, "between 0 and 1"),
    ],
)
def test_the_stage_refuses_what_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        Language(**fields)
