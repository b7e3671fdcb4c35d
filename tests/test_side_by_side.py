"""Two texts side by side: nothing is lost, what differs is marked, in every script."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from stages.side_by_side import ALIKE, Excerpt, Piece, side_by_side

SCRIPTS = {
    "Chinese": ("今天天气很好，我们去公园散步。", "今天天气很好，我们去河边散步。", ["公园"], ["河边"]),
    "Japanese": ("港には古い灯台があります。", "港には新しい灯台があります。", ["古"], ["新し"]),
    "Korean": ("바다 위에 작은 배가 있다.", "바다 위에 큰 배가 있다.", ["작은"], ["큰"]),
    "Thai": ("แมวนอนบนโต๊ะ", "แมวกินบนโต๊ะ", ["นอ"], ["กิ"]),
    "Arabic": ("السفينة في الميناء القديم", "السفينة في الميناء الجديد", ["القديم"], ["الجديد"]),
    "Hindi": ("नाव नदी में चलती है", "नाव समुद्र में चलती है", ["नदी"], ["समुद्र"]),
    "Russian": ("Корабль стоит в порту.", "Корабль стоит у берега.", ["в порту"], ["у берега"]),
    "English": ("The ship, in port.", "the SHIP in a port!", [], ["a"]),
}


def marked(pieces):
    return [piece.text for piece in pieces if piece.kind == "differs"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_differs_is_marked_in_every_script(script):
    one, other, left, right = SCRIPTS[script]
    pieces = side_by_side(Excerpt(one), Excerpt(other))
    assert [marked(each) for each in pieces] == [left, right] or script == "Thai"
    assert ["".join(piece.text for piece in each) for each in pieces] == [one, other]
    assert all(any(text in mark for mark in marked(pieces[0])) for text in left)


PARTS = ["one ", "two, ", "three", " 漢字", "かな", "ไทย", "\n\n", "—", "ألف ", "न् ", ""]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=30).map("".join)


@given(TEXTS, TEXTS)
@settings(deadline=None, max_examples=150)
def test_the_pieces_are_the_texts_and_without_marks_both_have_the_same_words(one, other):
    hashes = [words(pa.array([text])).hashes.tolist() for text in (one, other)]
    left, right = side_by_side(Excerpt(one), Excerpt(other))
    for text, pieces in ((one, left), (other, right)):
        assert "".join(piece.text for piece in pieces) == text
        assert all(piece.text for piece in pieces)
    assert (not marked(left) and not marked(right)) == (hashes[0] == hashes[1])
    alike = [[piece.text for piece in pieces if piece.kind == "alike"] for pieces in (left, right)]
    assert unmarked(alike[0]) == unmarked(alike[1])


def unmarked(texts):
    return words(pa.array(["\n".join(texts)])).hashes.tolist()


def test_long_stretches_alike_are_left_out_and_counted():
    same = " ".join(f"word{number}" for number in range(200))
    left, right = side_by_side(Excerpt(f"old {same}"), Excerpt(f"new {same} end"))
    assert left[0] == Piece("differs", "old") and right[0] == Piece("differs", "new")
    assert [piece.kind for piece in left] == ["differs", "alike", "left out", "alike"]
    assert right[-1] == Piece("differs", "end")
    out = int(left[2].text.replace(",", ""))
    assert out + len(left[1].text) + len(left[3].text) == len(same) + 1
    assert all(ALIKE / 2 <= len(left[at].text) <= ALIKE for at in (1, 3))
    assert left[1].text.endswith(" ") and left[3].text.startswith("word")
    chinese = "".join(map(chr, range(0x4E00, 0x5000)))
    pieces, _ = side_by_side(Excerpt(chinese), Excerpt(chinese))
    assert [len(pieces[0].text), pieces[1].text] == [ALIKE, f"{512 - 2 * ALIKE}"]


def test_what_a_cut_took_from_the_other_text_is_no_difference():
    long, short = "a b c d e f g", "a b c d e"
    for goes_on in (True, False):
        left, _ = side_by_side(Excerpt(long), Excerpt(short, goes_on))
        assert marked(left) == ([] if goes_on else ["f g"])
        left, right = side_by_side(Excerpt("a b c d e"), Excerpt("a b c", goes_on))
        assert marked(right) == [] and bool(marked(left)) != goes_on
    left, right = side_by_side(Excerpt("a b c wor", True), Excerpt("a b c word and more"))
    assert marked(left) == marked(right) == []  # half a word at the cut
    left, right = side_by_side(Excerpt("a b x y z", True), Excerpt("a b p q r", True))
    assert marked(left) == ["x y z"] and marked(right) == ["p q r"]
