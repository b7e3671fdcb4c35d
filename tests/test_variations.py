"""The benchmark's variations of pages: as heavy as the page, and no copies of each other."""

import re
from collections import Counter

import pytest

from benchmarks.variations import Page, Text

ENGLISH = (
    "The ferry leaves at ten & needs fifty minutes to reach the island that we saw from the old harbour. "
    * 40
)
MIXED = "Русский текст о море, 日本語の文章、ภาษาไทย and some English; " * 40
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


def runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


@pytest.mark.parametrize("text", [ENGLISH, MIXED])
def test_the_same_words_in_other_places(text: str) -> None:
    varied = Text.of(text).varied(1, 2)
    assert varied != text and len(varied) == len(text)
    assert Counter(varied) == Counter(text)
    assert varied == Text.of(text).varied(1, 2)  # the same again on every run


def test_hardly_a_run_of_words_is_left() -> None:
    one, other = (
        Text.of(" ".join(f"{w}{n % 89}" for n, w in enumerate(ENGLISH.split()))).varied(1, n) for n in (1, 2)
    )
    assert len(runs(one) & runs(other)) < 0.02 * len(runs(one))


def test_every_tenth_is_a_near_copy() -> None:
    text = Text.of(ENGLISH)
    one, near = text.varied(1, 8).split(), text.varied(1, 9).split()
    changed = sum(a != b for a, b in zip(one, near, strict=True))
    assert 0 < changed <= 0.02 * len(one)


@pytest.mark.parametrize("codec", ["utf-8", "windows-1251", "shift_jis"])
def test_markup_and_charset_stay(codec: str) -> None:
    text = {
        "windows-1251": "Старый маяк стоял над морем и светил кораблям. ",
        "shift_jis": "古い灯台は海の上に立っていた。",
    }
    words = text.get(codec, "Ein alter Leuchtturm stand über dem Meer. ") * 20
    html = (
        f"<html><script>var the = 'sea'</script><p class='old sea'>{words}&nbsp;</p><!-- old sea --></html>"
    )
    page = Page.of(HEAD + html.encode(codec))
    assert page
    varied = page.varied(1, 3).removeprefix(HEAD).decode(codec)
    assert len(varied) == len(html) and varied != html
    assert re.findall("<script.*?</script>|<.*?>|&nbsp;", varied) == re.findall(
        "<script.*?</script>|<.*?>|&nbsp;", html
    )


def test_other_answers_are_no_pages() -> None:
    assert Page.of(HEAD.replace(b"200 OK", b"404 Not Found") + b"<html>") is None
    assert Page.of(HEAD.replace(b"text/html", b"image/png") + b"<html>") is None
    assert Page.of(HEAD.replace(b"text/html", b"text/plain") + b"<html>") is not None
