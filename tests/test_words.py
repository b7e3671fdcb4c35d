"""Words: the kernel against a plain-Python twin, and every script by example."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.make_unicode_tables import BLANKS, HALFWIDTH_VOICE_MARKS, JOINERS, UNSPACED, ZERO_WIDTH_SPACE
from classifiers.words import Words, unicode_version, words


def split(text):
    """The units of one text, as strings."""
    data, found = text.encode(), words(pa.array([text]))
    return [data[start:end].decode() for start, end in zip(found.starts, found.ends, strict=True)]


def kind_of(character):
    """What a character is, by the running Python's Unicode and by the rules in the module's docstring."""
    code, category = ord(character), unicodedata.category(character)
    if character in "'’":
        return "apostrophe"
    if code in HALFWIDTH_VOICE_MARKS:
        return "mark"
    if code in BLANKS or code in JOINERS or (category == "Cf" and code != ZERO_WIDTH_SPACE):
        return "ignored"
    if category[0] == "M":
        return "mark"
    if category[0] == "L" or category == "Nl":
        if any(first <= code <= last for first, last in UNSPACED):
            return "sign"
    return {"L": "letter", "N": "digit"}.get(category[0], "separator")


def twin(data):
    """Units of one text's bytes: (what is hashed, byte where it starts, byte where it ends)."""
    units, at, before, joined = [], 0, None, []
    for character in data.decode("utf-8", errors="surrogateescape"):
        width = len(character.encode("utf-8", errors="surrogateescape"))
        kind = kind_of(character)
        if kind != "ignored":
            joins = {
                "letter": before in ("letter", "digit", "apostrophe"),
                "digit": before in ("letter", "digit"),
                "mark": before in ("letter", "digit", "sign"),
            }.get(kind, False)
            if joins:
                letters, start, _ = units[-1]
                units[-1] = (letters + character.casefold(), start, at + width)
            elif kind in ("letter", "digit", "sign"):
                units.append((character.casefold(), at, at + width))
            if kind != "mark" or not joins:
                pending = kind == "apostrophe" and before == "letter"
                before = kind if kind in ("letter", "digit", "sign") or pending else None
        at += width
    return units


def as_lists(found: Words):
    return [column.tolist() for column in found]


ALPHABET = st.one_of(
    st.sampled_from(" .aZ'’\u200d\u200c\u00ad\ufe0f\ufeff\u0301\u0e33ก中カ한बاש9٣😀👩\ufffd\u200b\n_é"),
    st.characters(exclude_categories=["Cs", "Cn", "Co"]),
)
TEXTS = st.lists(st.text(ALPHABET, max_size=40), max_size=12)


@settings(deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=60), max_size=8))
def test_units_are_the_twins(texts):
    found = words(pa.array(texts, pa.string()))
    expected = [twin(text.encode()) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(units) for units in expected]
    flat = [unit for units in expected for unit in units]
    assert found.starts.tolist() == [start for _, start, _ in flat]
    assert found.ends.tolist() == [end for _, _, end in flat]
    by_letters = {}
    for (letters, _, _), value in zip(flat, found.hashes.tolist(), strict=True):
        assert by_letters.setdefault(letters, value) == value
    assert len(set(by_letters.values())) == len(by_letters)


def test_tables_agree_with_this_python_on_every_character_it_knows():
    assert unicode_version() == "15.1.0"
    for code in range(0x110000):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co") and not 0x20000 <= code:
            text = f"a{chr(code)}a"
            assert words(pa.array([text])).starts.tolist() == [
                start for _, start, _ in twin(text.encode())
            ], hex(code)
