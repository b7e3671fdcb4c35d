"""Letters by script, and writing systems: a plain twin, Unicode's own names, what mixtures say."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import scripts, writing
from classifiers.scripts import CAPITAL, COLUMN, COLUMNS, LONG, NONE, SCRIPTS, UPPER, WIRED
from classifiers.words import locate

BITS = int(scripts.COLUMN_BITS)
NAMED = {  # how names of characters begin, by script
    "Latn": "LATIN ",
    "Cyrl": "CYRILLIC ",
    "Grek": "GREEK SMALL LETTER ",
    "Arab": "ARABIC LETTER ",
    "Hebr": "HEBREW LETTER ",
    "Deva": "DEVANAGARI LETTER ",
    "Thai": "THAI CHARACTER ",
    "Laoo": "LAO LETTER ",
    "Hang": "HANGUL SYLLABLE ",
    "Hira": "HIRAGANA LETTER ",
    "Kana": "KATAKANA LETTER ",
    "Ethi": "ETHIOPIC SYLLABLE ",
    "Khmr": "KHMER LETTER ",
    "Mymr": "MYANMAR LETTER ",
    "Taml": "TAMIL LETTER ",
    "Armn": "ARMENIAN ",
    "Geor": "GEORGIAN ",
    "Cher": "CHEROKEE ",
    "Tibt": "TIBETAN LETTER ",
}
MORE_COLUMNS = {
    "Hani": {scripts.SIMPLIFIED, scripts.TRADITIONAL, scripts.JAPANESE},
    "Ethi": {scripts.TIGRINYA},
}


def counted(texts):
    return scripts.count_letters(*locate(pa.array(texts, pa.large_string())))


def twin(text):
    """The same counts, character by character."""
    table = scripts.script_table()
    row = np.zeros(COLUMNS, np.int32)
    for run in re.findall(r"[\x21-\x7f]+|[^\x21-\x7f]", text):
        if not run.isascii():
            row[table[ord(run)] & BITS] += 1
            row[UPPER] += table[ord(run)] >> 7
        elif len(run) < LONG or not any(WIRED[ord(character)] for character in run):
            row[COLUMN["Latn"]] += len(re.findall("[A-Za-z]", run))
            row[UPPER] += len(re.findall("[A-Z]", run))
    row[NONE] = 0
    return row


pieces = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["word ", "https://a.example/x?y=1", "A_B", "русский", "Ελληνικά", "東京国國気", "カタカナ", "한국"]
    ),
)


@given(st.lists(st.lists(pieces, max_size=8).map("".join), max_size=4))
def test_the_kernel_counts_like_its_twin(texts):
    rows = counted(texts)
    rows[:, NONE] = 0
    assert rows.tolist() == [twin(text).tolist() for text in texts]


@pytest.mark.parametrize("code", NAMED)
def test_letters_are_of_the_script_that_their_name_says(code):
    right = {COLUMN[code], *MORE_COLUMNS.get(code, ())}
    letters = [
        character
        for character in map(chr, range(0x20000))
        if unicodedata.category(character)[0] == "L"
        and unicodedata.name(character, "").startswith(NAMED[code])
    ]
    assert len(letters) > 20
    table = scripts.script_table()
    assert {int(table[ord(letter)]) & BITS for letter in letters} <= right


def test_capitals_marks_digits_and_signs():
    table = scripts.script_table()
    assert all(table[ord(letter)] & CAPITAL for letter in "AÄЖΩԱ")
    assert not any(table[ord(letter)] & CAPITAL for letter in "aäжωաßก中")
    assert all(table[ord(other)] & BITS == NONE for other in "1٣ .,、。😀\u0301\u200d€")


def test_han_characters_by_their_forms():
    rows = counted(["汉语说", "漢語說", "気円駅", "中文字"])
    forms = [scripts.SIMPLIFIED, scripts.TRADITIONAL, scripts.JAPANESE, COLUMN["Hani"]]
    assert rows[:, forms].tolist() == (3 * np.eye(4, dtype=int)).tolist()


def test_addresses_and_paths_are_no_letters():
    links = "https://news.example/a/b?c=d user@mail.example C:\\folder\\file.txt snake_case_name_of_it"
    assert counted([links, "say and/or no"])[:, COLUMN["Latn"]].tolist() == [0, 10]


def test_bytes_that_are_no_utf8_are_no_letters():
    data = np.frombuffer(b"ab\xff\xe4\xb8\xc3", np.uint8)
    (row,) = scripts.count_letters(data, np.array([0]), np.array([len(data)]))
    assert row[: len(SCRIPTS)].sum() == row[COLUMN["Latn"]] == 2


def system(text):
    return int(writing.heaviest(writing.weigh(counted([text])))[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("私は学校に行きます", writing.JPAN),
        ("株式会社東京放送局東京都港区赤坂五丁目三番六号あ", writing.HANJ),
        ("気象庁発表", writing.HANJ),
        ("他在北京的大学里学习", writing.HANI),
        ("大韓民國의 憲法은 國民의 基本權을 保障한다", writing.HANG),
        ("中文页面提到韩国的首都서울一次而已没有别的", writing.HANI),
        ("ኣብ ከተማ ኣሎ", writing.TIGR),
        ("በከተማ ውስጥ አለ", writing.ETHI),
        ("The temple is called วัดพระแก้ว by everybody who lives near it", writing.LATN),
        ("使用Python的asyncio和aiohttp编写爬虫", writing.HANI),
        ("настройка сервера nginx и postgresql", COLUMN["Cyrl"]),
    ],
)
def test_what_mixtures_are(text, expected):
    assert system(text) == expected


def test_every_language_is_written_in_a_system():
    able = writing.choices(("en", "zh"))
    assert able.codes[:2] == ("en", "zh") and able.codes[-1] == "und"
    assert set(able.codes[:-1]) == writing.LANGUAGES
    assert able.allowed[:, :-1].any(axis=0).all() and not able.allowed[:, -1].any()
