"""Charsets: every script comes out as it went in, whatever header, <meta> and bytes say of it."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import charset
from stages.labels import name_of

# Python's codec, the name in the standard, and a text that needs it.
SAMPLES = {
    "shift_jis": (
        "shift_jis",
        "日本語の文章です。吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。",
    ),
    "cp932": ("shift_jis", "①髙橋さんと﨑山さんは㈱山田商店で働いています。料金は八千円です。"),
    "euc_jp": (
        "euc-jp",
        "日本語の文章です。吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。",
    ),
    "iso2022_jp": ("iso-2022-jp", "日本語の文章です。吾輩は猫である。名前はまだ無い。"),
    "gb2312": ("gb18030", "这是一个中文网页。我们今天讨论机器学习和自然语言处理的最新进展。"),
    "gbk": ("gb18030", "朱镕基總理說，這是一個測試網頁，内容包括繁體字和简体字。"),
    "gb18030": ("gb18030", "这是一个中文网页，里面有少见的字：㐂㑇𠀀。我们今天讨论语言。"),
    "big5": ("big5", "這是一個繁體中文網頁。我們今天討論機器學習和自然語言處理的最新進展。"),
    "euc_kr": ("euc-kr", "이것은 한국어 문서입니다. 오늘은 날씨가 맑고 바람이 조금 붑니다."),
    "cp949": ("euc-kr", "똠방각하와 펲시콜라를 찦차에 싣고 왔다. 오늘은 날씨가 맑습니다."),
    "tis_620": ("windows-874", "นี่คือข้อความภาษาไทยสำหรับการทดสอบ วันนี้อากาศดีมากและท้องฟ้าแจ่มใส"),
    "cp1251": ("windows-1251", "Это русский текст для проверки. Сегодня хорошая погода, и мы идём гулять."),
    "koi8_r": ("koi8-r", "Это русский текст для проверки. Сегодня хорошая погода, и мы идём гулять."),
    "iso8859_5": ("iso-8859-5", "Это русский текст для проверки. Сегодня хорошая погода, и мы идём гулять."),
    "cp1256": ("windows-1256", "هذا نص عربي للاختبار. الطقس اليوم جميل جدا وسنذهب إلى الحديقة مع الأصدقاء."),
    "cp1255": ("windows-1255", "זהו טקסט בעברית לבדיקה. היום מזג האוויר נעים מאוד ואנחנו הולכים לטייל."),
    "cp1253": (
        "windows-1253",
        "Αυτό είναι ένα ελληνικό κείμενο για δοκιμή. Σήμερα ο καιρός είναι πολύ καλός.",
    ),
    "cp1250": ("windows-1250", "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy."),
    "cp1252": ("windows-1252", "“Größe” – là où l’été finit… El niño comió 3 € de jamón."),
    "iso8859_15": ("iso-8859-15", "L'œuvre coûte 12 € à Besançon, où l'été s'achève."),
    "cp1254": (
        "windows-1254",
        "Bugün hava çok güzel, İstanbul'da şiir okuyoruz ve ağaçların altında oturuyoruz.",
    ),
    "utf_8": ("utf-8", "Всё 日本語 العربية हिन्दी ไทย 한국어 — in one text, as it should be."),
}


def decode(data: bytes, content_type: str = "") -> tuple[str, str]:
    """(text, charset) of a page."""
    page = charset.decode(data, content_type)
    assert page.replaced == pytest.approx(page.text.count("\ufffd") / max(len(page.text), 1))
    return page.text, page.charset


PAGE = "<!DOCTYPE html><html><head>{}<title>t</title></head><body><p>{}</p></body></html>"
BOTH = pytest.mark.parametrize(("codec", "sample"), SAMPLES.items())


@BOTH
def test_the_http_header_says_it(codec, sample):
    name, text = sample
    page = PAGE.format("", text)
    assert decode(page.encode(codec), f"text/html; charset={name}") == (page, name)
    assert decode(page.encode(codec), f"text/html;CharSet = '{name.upper()}'") == (page, name)


@BOTH
def test_meta_says_it(codec, sample):
    name, text = sample
    for meta in (
        f"<meta charset={name}>",
        f'<META http-equiv="Content-Type" content="text/html; charset={name}">',
        f"<!-- <meta charset=utf-16> {'-' * 1500} --><meta name=a content=b><meta charset='{name}' />",
    ):
        page = PAGE.format(meta, text)
        assert decode(page.encode(codec), "text/html") == (page, name)


@BOTH
def test_nobody_says_it(codec, sample):
    _, text = sample
    page = PAGE.format("", f"{text} " * 20)
    found, _ = decode(page.encode(codec))
    if codec != "iso8859_15":  # nothing but its euro sign tells it from windows-1252
        assert found == page


EAST = ["shift_jis", "cp932", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr", "cp949"]


@pytest.mark.parametrize("codec", EAST)
def test_a_sentence_is_enough_for_the_charsets_of_east_asia(codec):
    name, text = SAMPLES[codec]
    assert decode(text.encode(codec)) == (text, name)
    script = "<script>" + "var a = 'b'; " * 9000 + "</script>"
    page = PAGE.format(script, text)
    assert decode(page.encode(codec)) == (page, name)


@pytest.mark.parametrize("codec", EAST)
def test_one_charset_of_east_asia_declared_for_another(codec):
    name, text = SAMPLES[codec]
    page = PAGE.format("", f"{text} " * 3)
    for wrong in {name for name, _ in SAMPLES.values()} - {"utf-8"}:
        assert decode(page.encode(codec), f"text/html; charset={wrong}") == (page, name), wrong


@pytest.mark.parametrize("codec", [*EAST, "cp1251", "koi8_r", "cp1256", "cp1253", "tis_620", "cp1255"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_bad_byte_or_a_cut_costs_itself_and_no_more(codec, declared):
    name, text = SAMPLES[codec]
    header = f"text/html; charset={name}" if declared else ""
    data = PAGE.format("", f"<p>{text}</p>\n" * 20).encode(codec)
    at = data.index(b"</p>", len(data) // 2)
    for broken in (data[:at] + b"\xff" + data[at:], data[:at] + b"\x80" + data[at:], data[: at - 1]):
        found, charset = decode(broken, header)
        assert charset == name or not declared
        assert found.count("\ufffd") <= 1
        assert found.count(text) >= 9


UKRAINIAN = "Це український текст для перевірки. Сьогодні гарна погода, і ми їдемо гуляти з її друзями."
CHARSETS_THAT_LOOK_ALIKE = [
    ("koi8_u", "koi8-u", UKRAINIAN),
    (
        "iso8859_7",
        "iso-8859-7",
        "Οι Άνεμοι φυσούν και η Άννα γράφει ένα μικρό κείμενο για τον καιρό στην Αθήνα.",
    ),
    ("iso8859_2", "iso-8859-2", "Zażółć gęślą jaźń. Dziś jest ładna pogoda i idziemy na spacer do parku."),
    ("cp1250", "windows-1250", "Příliš žluťoučký kůň. Dnes je pěkné počasí, půjdeme na procházku do lesa."),
    ("cp1252", "windows-1252", "La alcaldesa acompaña a la Peña en la mañana de España, y el niño sueña."),
    (
        "cp1252",
        "windows-1252",
        "Më mirë të jetosh në shtëpi, ku është gëzim për të gjithë njerëzit e vegjël.",
    ),
    ("cp1252", "windows-1252", "Við eigum öll að lifa í friði, því að það er gott og þess væntum við hér."),
    (
        "cp1252",
        "windows-1252",
        "’n Hond en ’n kat loop saam deur die straat, want dit is ’n mooi dag vandag.",
    ),
    (
        "iso8859_13",
        "iso-8859-13",
        "Šiandien gražus oras, todėl eisime pasivaikščioti į mišką su draugais ir šunimi.",
    ),
]


@pytest.mark.parametrize(("codec", "name", "text"), CHARSETS_THAT_LOOK_ALIKE)
def test_charsets_that_look_alike(codec, name, text):
    page = PAGE.format("", f"<p>{text}</p>" * 3)
    assert decode(page.encode(codec))[0] == page
    assert decode(page.encode(codec), f"text/html; charset={name}") == (page, name)


@pytest.mark.parametrize(("codec", "name"), [("hz", "hz-gb-2312"), ("iso2022_kr", "iso-2022-kr")])
def test_charsets_of_mail(codec, name):
    text = {"hz": "这是一个中文网页。", "iso2022_kr": "이것은 한국어 문서입니다."}[codec]
    assert decode(text.encode(codec), f"text/plain; charset={name}") == (text, name)
    assert decode(b"a ~{tilde~} $)C", f"text/plain; charset={name}")[0] != ""
    assert decode(b"if (~{a}) x", "text/plain") == ("if (~{a}) x", "utf-8")


def test_zeros_are_not_utf16():
    for data in (bytes(600) + b"<p>text", b"<p>text</p>" + bytes(3000), b"\0" * 8):
        assert decode(data)[1] == "utf-8"


@pytest.mark.parametrize("codec", ["shift_jis", "gbk", "euc_kr", "cp1251", "cp1256", "cp1255", "tis_620"])
@pytest.mark.parametrize("wrong", ["utf-8", "iso-8859-1", "utf-16le"])
def test_the_bytes_overrule_a_wrong_header(codec, wrong):
    name, text = SAMPLES[codec]
    page = PAGE.format("", f"{text} " * 20)
    assert decode(page.encode(codec), f"text/html; charset={wrong}") == (page, name)
    page = PAGE.format(f"<meta charset={name}>", f"{text} " * 20)
    assert decode(page.encode(codec), f"text/html; charset={wrong}") == (page, name)


@BOTH
def test_utf8_is_utf8_whatever_is_declared(codec, sample):
    page = PAGE.format("", sample[1])
    assert decode(page.encode(), f"text/html; charset={sample[0]}") == (page, "utf-8")


def test_a_declared_western_charset_is_believed_of_western_text():
    for name in ("windows-1250", "windows-1252", "iso-8859-15", "windows-1254"):
        codec = next(codec for codec, sample in SAMPLES.items() if sample[0] == name)
        text = SAMPLES[codec][1]
        assert decode(text.encode(codec), f"text/html; charset={name}") == (text, name)


def test_the_second_declaration_is_believed_if_the_bytes_speak_for_it():
    page = PAGE.format("<meta charset=euc-jp>", SAMPLES["euc_jp"][1] * 5)
    assert decode(page.encode("euc_jp"), "text/html; charset=windows-1251") == (page, "euc-jp")


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be")],
)
def test_a_byte_order_mark_wins(mark, codec):
    page = PAGE.format("<meta charset=big5>", "文字 text")
    assert decode(mark + page.encode(codec), "text/html; charset=shift_jis") == (page, codec)


@pytest.mark.parametrize("codec", ["utf-16le", "utf-16be"])
def test_utf16_without_a_mark(codec):
    page = PAGE.format("", "文字 text")
    assert decode(page.encode(codec)) == (page, codec)
    assert decode(page.encode(codec), "text/html; charset=utf-8") == (page, codec)


def test_a_few_bad_bytes_do_not_make_another_charset():
    data = (SAMPLES["utf_8"][1] * 20).encode()
    for broken in (data[:-1], data[:100] + b"\xff" + data[100:], b"\x80" + data):
        for header in ("", "text/html; charset=utf-8", "text/html; charset=gbk"):
            text, name = decode(broken, header)
            assert name == "utf-8" and text.count("\ufffd") <= 2
    data = (SAMPLES["shift_jis"][1] * 20).encode("shift_jis")
    text, name = decode(b"\xfd\xff" + data, "text/html; charset=shift_jis")
    assert name == "shift_jis" and "吾輩は猫である" in text


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("iso-8859-1", "windows-1252"),
        ("US-ASCII", "windows-1252"),
        ("latin1", "windows-1252"),
        ("iso_8859-9:1989", "windows-1254"),
        ("Shift-JIS", "shift_jis"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc-kr"),
        ("TIS-620", "windows-874"),
        ("iso-8859-11", "windows-874"),
        ("big5-hkscs", "big5"),
        ("x-mac-cyrillic", "x-mac-cyrillic"),
        ("iso-8859-8-i", "iso-8859-8"),
        ("utf8", "utf-8"),
        ("unicode", "utf-16le"),
        ("rot13", ""),
        ("zlib", ""),
        ("iso-2022-kr", "iso-2022-kr"),
        ("cseucpkdfmtjapanese", "euc-jp"),
        ("x-mac-ukrainian", "x-mac-cyrillic"),
        ("ISO_8859-8-I", "iso-8859-8"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("utf-7", ""),
        ("", ""),
        ("日本", ""),
    ],
)
def test_labels_are_those_of_the_standard(label, name):
    assert name_of(label) == name


@given(st.binary(max_size=400), st.text(max_size=40))
def test_any_bytes_have_a_text(data, header):
    _, name = decode(data, f"text/html; charset={header}")
    assert name_of(name) == name
