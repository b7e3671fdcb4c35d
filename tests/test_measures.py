"""What the text of blocks is like, character by character, against a plain twin on decoded text."""

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nested import TEXTS, Block, made_page, read, text_blocks
from numpy.typing import NDArray
from scripts import SENTENCES

from stages.blocks import Page
from stages.measures import (
    BARS,
    BOLD_CHARACTERS,
    CAPITAL,
    CAPITALS,
    CHARACTERS,
    COLON,
    COLONS,
    COMMAS,
    DIGITS,
    FIRST,
    HASH,
    LAST,
    LETTER,
    LINK_CHARACTERS,
    LINK_WORDS,
    NUMERAL,
    OTHER,
    SMALL,
    STOP,
    WORDS,
    measure,
)
from stages.measures import SENTENCES as ENDS

COMMA_LIKE, STOP_LIKE, COLON_LIKE = ",;،؛、，；", ".!?؟。！．？।॥", ":："
CLOSING = "\"')]»’”」』"
SPACES = " \t\n\f\r"
# First and last of the characters that are ...
SIGNS = [
    ("\x80", "\xbf"),
    ("\u2000", "\u2fff"),
    ("\u3000", "\u303f"),
    ("\uff00", "\uff0f"),
    ("\uff1a", "\uff1f"),
]
WIDE = [("\u3040", "\udfff"), ("\U00020000", "\U00020fff")]  # Han, kana, Hangul
NARROW = [("\u0e00", "\u0eff"), ("\u1000", "\u10bf"), ("\u1780", "\u17ff")]  # Thai, Lao, Myanmar, Khmer
CAPITALS_OF = [("A", "Z"), ("À", "Þ"), ("\u0380", "Ω"), ("\u0400", "Я")]
CASED = [("\xc0", "\u053f")]  # Latin, Greek, Cyrillic; capitals are told from small letters in part of them


def within(character: str, ranges: list[tuple[str, str]]) -> bool:
    return any(first <= character <= last for first, last in ranges)


def kind(character: str) -> str:
    if character in COMMA_LIKE + STOP_LIKE + COLON_LIKE + CLOSING:
        return "sign"
    if within(character, WIDE):
        return "wide"
    if within(character, NARROW):
        return "narrow"
    if character.isascii():
        return "word" if character.isalnum() else "sign"
    return "sign" if within(character, SIGNS) or character >= "\U00010000" else "word"


def case(character: str) -> int:
    if character in string.digits:
        return NUMERAL
    if within(character, CAPITALS_OF):
        return CAPITAL
    return SMALL if character in string.ascii_lowercase or within(character, CASED) else LETTER


def beginnings(text: str) -> list[str]:
    """The first character of each word; Han, kana and Thai words are not told apart."""
    found, inside = [], False
    for character in text:
        of = kind(character)
        if of != "sign" and not (inside and of == "word"):
            found.append(character)
        inside = of == "word" or (inside and character == "'")
    return found


def words(text: str) -> int:
    """In tenths."""
    return sum({"word": 10, "wide": 5, "narrow": 2}[kind(character)] for character in beginnings(text))


def characters(text: str) -> int:
    return sum(3 if kind(character) == "wide" else 1 for character in text)


def ends_sentence(text: str, at: int) -> bool:
    """A full stop does before a blank, a quote or bracket that closes, and what is not alphabetic."""
    if text[at] != "." or at + 1 == len(text):
        return text[at] in STOP_LIKE
    return text[at + 1] <= " " or text[at + 1] in "\"')]" or text[at + 1] >= "\u2000"


def fnv(text: str) -> int:
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value - 2**32 if value >= 2**31 else value


def first_and_last(text: str) -> tuple[int, int]:
    """What the first and the last character are that neither close nor part anything."""
    seen = [at for at, character in enumerate(text) if character not in CLOSING + SPACES]
    if not seen:
        return -1, OTHER
    first, at = text[seen[0]], seen[-1]
    last = OTHER
    if text[at] in STOP_LIKE:
        last = STOP if ends_sentence(text, at) else OTHER
    elif text[at] in COLON_LIKE:
        last = COLON
    elif text[at] in string.digits:
        last = NUMERAL
    return OTHER if kind(first) == "sign" else case(first), last


def twin(block: Block) -> dict[int, int]:
    text = block.text
    letters = "".join(character for character in text if kind(character) != "sign")
    first, last = first_and_last(text)
    return {
        WORDS: words(text),
        CHARACTERS: characters(text),
        LINK_WORDS: sum(map(words, block.linked)),
        LINK_CHARACTERS: sum(map(characters, block.linked)),
        BOLD_CHARACTERS: sum(map(characters, block.bold)),
        CAPITALS: sum(case(character) == CAPITAL for character in beginnings(text)),
        DIGITS: sum(character in string.digits for character in text),
        COMMAS: sum(character in COMMA_LIKE for character in text),
        ENDS: sum(ends_sentence(text, at) for at in range(len(text))),
        COLONS: sum(character in COLON_LIKE for character in text),
        BARS: text.count("|"),
        FIRST: first,
        LAST: last,
        HASH: fnv(letters),
    }


def check(page: Page) -> NDArray[np.int32]:
    found = measure(page)
    for block, row in zip(text_blocks(page), found.tolist(), strict=True):
        assert dict(enumerate(row)) == dict(sorted(twin(block).items())), block
    return found


@pytest.mark.parametrize("seed", range(40))
def test_measures_are_those_of_a_plain_twin(seed: int) -> None:
    check(made_page(seed))


TEXT = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="<&\xa0"), max_size=30),
    st.text("".join(TEXTS).replace("&", "") + COMMA_LIKE + STOP_LIKE + COLON_LIKE + CLOSING, max_size=60),
)


@settings(deadline=None, max_examples=200)
@given(TEXT, TEXT, TEXT)
def test_any_characters_are_measured_as_by_the_twin(before: str, linked: str, bold: str) -> None:
    check(read(f"<p>{before}<a href=x>{linked}</a><b>{bold}</b></p><pre>{before}<b>{linked}</b>"))


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_of_each_script_has_its_end_and_its_length(language: str) -> None:
    (row,) = check(read(f"<p>{SENTENCES[language]} {SENTENCES[language]}"))
    (once,) = check(read(f"<p>{SENTENCES[language]}"))
    assert row[WORDS] == 2 * once[WORDS] and row[CHARACTERS] == 2 * once[CHARACTERS] + 1
    assert 60 <= once[WORDS] <= 200
    assert once[ENDS] == (language != "th") and (once[LAST] == STOP) == (language != "th")


def test_every_character_is_measured_as_by_the_twin() -> None:
    """64 to a block; of those beyond the basic plane, some."""
    known = [*range(0x80), *range(0xA1, 0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x30000, 97)]
    texts = ["".join(map(chr, known[at : at + 64])) for at in range(0, len(known), 64)]
    page = read("".join(f"<p>{text.replace('&', '').replace('<', '')}</p>" for text in texts))
    assert len(check(page)) == len(texts)
