"""The form of every text: NFC, tidy lines, in linear time."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from scripts import SENTENCES

from stages.text import _PLANES, clean, nfc


@given(st.text(st.characters(), max_size=200))
def test_clean_text(text):
    tidy = clean(text)
    assert clean(tidy) == tidy
    assert unicodedata.is_normalized("NFC", tidy)
    assert not any(
        unicodedata.category(char) in ("Cc", "Cs") for char in tidy.replace("\n", "").replace("\t", "")
    )
    assert "\n\n\n" not in tidy and not tidy.startswith("\n") and not tidy.endswith("\n")
    assert all(line == line.rstrip() for line in tidy.split("\n"))


def test_clean_text_by_example():
    assert clean("\ufeffa\0b  \r\n\r\n\r\n \u3000\nc\u2028d\te\x85f\u00a0\n") == "ab\n\nc\nd\te\nf"
    assert clean("e\u0301 \ud83d x") == "é  x"
    for text in SENTENCES.values():
        assert clean(text) == unicodedata.normalize("NFC", text)
    assert clean("  indented\n\tcode") == "  indented\n\tcode"


def test_normalising_takes_no_quadratic_time():
    text = "a" + "\u0301\u0316" * 200_000 + "b"
    assert nfc(text).startswith("á") and len(nfc(text)) < 40
    assert nfc("q\u0307\u0323") == "q\u0323\u0307"


def test_no_combining_mark_is_overlooked():
    assert not any(unicodedata.combining(chr(point)) for point in range(_PLANES, 0x110000))
