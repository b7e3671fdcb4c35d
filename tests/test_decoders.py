"""Charsets as the standard maps them: where Python's codecs differ, and what becomes of broken bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.decoders import MULTIBYTE, text_of


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("euc-jp", b"\xad\xa1\xa1\xc1\xfc\xe2\x8e\xb1\x8f\xb0\xa1", "①〜髙ｱ丂"),
        ("iso-2022-jp", b"a \x1b$B-!!A|b\x1b(B b\x1b(I1\x1b(J!", "a ①〜髙 bｱ!"),
        ("shift_jis", b"\x87\x40\x81\x60\xfb\xfc\xb1", "①～髙ｱ"),
        ("big5", b"\xa1\x45\xa2\x46\x88\x62", "‧￠Ê\u0304"),
        ("gb18030", b"\x80\xa2\xe3\xa3\xa0\x81\x30\x81\x30", "€€\u3000\x80"),
        ("euc-kr", b"\x8c\x63\xb0\xa1", "똠가"),
        ("koi8-u", b"\xae\xbe\xa4\xb6", "ўЎєІ"),
        ("windows-1252", b"\x80\x93\x81\xe9", "€“\ufffdé"),
        ("hz-gb-2312", b"a ~{VPND~} b", "a 中文 b"),
        ("iso-2022-kr", b"\x1b$)C a \x0eGQ\x0f b", " a 한 b"),
        ("x-mac-cyrillic", b"\xc0\xe0\xff", "ја€"),
    ],
)
def test_bytes_mean_what_the_standard_says(charset, data, text):
    assert text_of(data, charset) == text


@pytest.mark.parametrize("charset", ["gb18030", "big5", "euc-jp", "shift_jis", "euc-kr", "utf-16le"])
def test_a_page_cut_inside_a_character_has_one_replacement(charset):
    data = "文字文字".encode(charset)
    assert text_of(data[:-1], charset) == "文字文\ufffd"
    if charset != "utf-16le":
        assert text_of(data[:-1] + b"<p>", charset) == "文字文\ufffd<p>"


@pytest.mark.parametrize("charset", ["gb18030", "big5", "euc-jp", "shift_jis", "euc-kr"])
def test_an_unknown_pair_or_byte_is_one_replacement_and_what_follows_is_whole(charset):
    text = "文字" * 5
    unknown = {"gb18030": b"\xff", "euc-jp": b"\xa9\xfe", "shift_jis": b"\xef\xfc"}.get(charset, b"\xfe\xff")
    assert text_of(unknown + text.encode(charset), charset) == "\ufffd" + text


@given(st.binary(max_size=60), st.sampled_from(sorted(MULTIBYTE)))
def test_any_bytes_have_a_text_and_ascii_stays(data, charset):
    text_of(data, charset).encode()
    if not data or data[-1] < 0x80:
        assert text_of(data.replace(b"\x1b", b"") + b"<b>text</b>\n", charset).endswith("b>text</b>\n")
