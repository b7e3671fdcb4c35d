"""Bytes read as UTF-8 in one pass: Python's own decoder is the oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.utf8 import survey

PARTS = [
    b"ascii only, and long enough for a few words", b"<", "é".encode(), "文".encode(), "\ud7ff".encode(),
    "\U0010ffff".encode(), "\ufffd".encode(), b"\x80", b"\xbf", b"\xc0\x80", b"\xc1", b"\xc2",
    b"\xe0\x9f\x80", b"\xe0\xa0", b"\xed\xa0\x80", b"\xed\x9f", b"\xef\xbf", b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x80",
    b"\xf4\x90\x80\x80", b"\xf4\x8f", b"\xf5\x80", b"\xff", b"\0",
]  # fmt: skip


def check(data: bytes) -> None:
    found = survey(data)
    text = data.decode(errors="replace")
    assert found.characters == len(text)
    assert found.errors + found.marks == text.count("\ufffd")
    kept = data.decode(errors="ignore")
    assert found.stray == len(data) - len(kept.encode())
    assert found.sequences == sum(character > "\x7f" for character in kept)
    assert found.marks == kept.count("\ufffd")
    assert found.replaced == pytest.approx(text.count("\ufffd") / max(len(text), 1))


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=3), max_size=12).map(b"".join))
def test_characters_and_errors_are_those_that_python_finds(data):
    check(data)


def test_every_beginning_of_a_character_and_every_pair():
    for first in range(0x80, 0x100):
        for second in range(0x00, 0x100, 3):
            check(bytes((first, second, 0x80, 0x80)))
    whole = "aé文🙂".encode() * 3
    for cut in range(len(whole)):
        check(whole[:cut])
        assert survey(whole[:cut]).errors <= 1
