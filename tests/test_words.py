"""Words: the kernel against a plain-Python twin, every script by example, every way Arrow may hold a text."""

import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.make_unicode_tables import BLANKS, HALFWIDTH_VOICE_MARKS, JOINERS, UNSPACED, ZERO_WIDTH_SPACE
from classifiers.words import unicode_version, words

LETTERS = ("letter", "digit", "sign")
JOINS = {"letter": ("letter", "digit", "apostrophe"), "digit": ("letter", "digit"), "mark": LETTERS}


def kind_of(character):
    """What a character is, by the running Python's Unicode and the rules of classifiers/words.py."""
    code, category = ord(character), unicodedata.category(character)
    if character in "'’":
        return "apostrophe"
    if code in BLANKS or code in JOINERS or (category == "Cf" and code != ZERO_WIDTH_SPACE):
        return "ignored"
    if category[0] == "M" or code in HALFWIDTH_VOICE_MARKS:
        return "mark"
    unspaced = any(first <= code <= last for first, last in UNSPACED)
    if unspaced and (category[0] == "L" or category == "Nl"):
        return "sign"
    return {"L": "letter", "N": "digit"}.get(category[0], "separator")


def folded(character):
    """Simple case folding, as far as full folding tells it: 'ß' and 'ẞ' must agree, 'ß' and 'ss' need not."""
    full = character.casefold()
    return full if len(full) == 1 else (full,)


def twin(data):
    """The units of one text: (what enters the hash, byte where it starts, byte where it ends)."""
    units, before, at = [], None, 0  # before: the last character that counts, None where no unit is open
    for character in data.decode("utf-8", errors="surrogateescape"):
        width = len(character.encode("utf-8", errors="surrogateescape"))
        kind = kind_of(character)
        if kind == "ignored":
            pass
        elif before in JOINS.get(kind, ()):
            characters, start, _ = units[-1]
            units[-1] = ((*characters, folded(character)), start, at + width)
            before = before if kind == "mark" else kind
        elif kind in LETTERS:
            units.append(((folded(character),), at, at + width))
            before = kind
        else:
            before = kind if kind == "apostrophe" and before == "letter" else None
        at += width
    return units


def hash_twin(folds):
    """The hash of a unit: its characters as one byte or three, mixed in blocks of eight, the rest last."""

    def mix(state):
        for _ in range(2):
            state = (state ^ (state >> 32)) * 0xE9846AF9B1A615D5 % 2**64
        return state ^ (state >> 28)

    codes = [ord(character) for character in folds]
    data = b"".join(
        bytes([code]) if code < 0x80 else (code | 0x800000).to_bytes(3, "little") for code in codes
    )
    digest, whole = 0x9E3779B97F4A7C15, len(data) // 8 * 8
    for at in range(0, whole, 8):
        digest = mix(digest ^ int.from_bytes(data[at : at + 8], "little"))
    return mix(digest ^ int.from_bytes(data[whole:], "little") ^ (len(data) - whole) << 56)


def texts_of(values):
    """Arrow strings that hold these bytes, valid UTF-8 or not."""
    return pa.array(values, pa.large_binary()).view(pa.large_string())


def check_against_twin(values):
    found, expected = words(texts_of(values)), [twin(value or b"") for value in values]
    flat = [unit for units in expected for unit in units]
    assert np.diff(found.offsets).tolist() == [len(units) for units in expected]
    assert found.starts.tolist() == [start for _, start, _ in flat]
    assert found.ends.tolist() == [end for _, _, end in flat]
    hash_of = {}
    for (characters, _, _), value in zip(flat, found.hashes.tolist(), strict=True):
        assert hash_of.setdefault(characters, value) == value
        if all(isinstance(character, str) for character in characters):
            assert value == hash_twin(characters)
    assert len(set(hash_of.values())) == len(hash_of)


def split(text):
    """The units of one text, as strings."""
    data, found = text.encode(), words(pa.array([text]))
    return [data[start:end].decode() for start, end in zip(found.starts, found.ends, strict=True)]


def hashes(text):
    return words(pa.array([text])).hashes.tolist()


CHARACTERS = st.one_of(
    st.sampled_from("  .aZé0٣'’_-\u00ad\u200b\u200c\u200d\u0301\ufe0f\ufeff\ufffdกำ中カﾞ한باש😀👩🏽ẞßΣςİıK"),
    st.characters(exclude_categories=["Cs", "Cn", "Co"], max_codepoint=0x2FFFF),
)
LATIN = st.text("abcXYZ019 ,.'-", max_size=80)
TEXTS = st.lists(st.none() | LATIN | st.text(CHARACTERS, max_size=60), max_size=8)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_units_are_those_of_the_twin(texts):
    check_against_twin([None if text is None else text.encode() for text in texts])


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=40) | st.text(CHARACTERS, min_size=1).map(lambda text: text.encode()[:-1]))
)
def test_bytes_that_are_not_utf8_separate(values):
    check_against_twin(values)


@pytest.mark.parametrize(
    "broken",
    [
        b"\x80",
        b"\xc0\x80",
        b"\xc3",
        b"\xe4\xb8",
        b"\xed\xa0\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ],
)
def test_broken_bytes_between_letters_and_at_the_end(broken):
    check_against_twin([b"ab" + broken + b"cd" + broken, broken, broken + b"e", b"\xac\x80after a cut"])


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 8), max_size=4), st.booleans(), st.integers(0, 3))
def test_units_do_not_depend_on_chunks_slices_or_type(texts, cuts, large, lead):
    whole = words(pa.array(texts, pa.string()))
    kind = pa.large_string() if large else pa.string()
    padded = pa.array([*["not mine"] * lead, *texts, "nor this"], kind).slice(lead, len(texts))
    bounds = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    chunks = [padded.slice(start, end - start) for start, end in pairwise(bounds)]
    batches = [words(chunk) for chunk in chunks]
    counts = np.concatenate([np.diff(each.offsets) for each in batches])
    joined = [np.concatenate(column) for column in list(zip(*batches, strict=True))[:3]]
    for other in (words(padded), words(pa.chunked_array(chunks, kind)), (*joined, np.cumsum([0, *counts]))):
        for column, same in zip(whole, other, strict=True):
            assert column.dtype == same.dtype
            assert column.tolist() == same.tolist()


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Don't panic: it’s 'quoted', rock'n'roll!", ["Don't", "panic", "it’s", "quoted", "rock'n'roll"]),
        (
            "5'3 o''clock well-known snake_case x²",
            ["5", "3", "o", "clock", "well", "known", "snake", "case", "x²"],
        ),
        ("caf\u00e9 cafe\u0301 \u0301x", ["café", "cafe\u0301", "x"]),
        ("co\u00adop\u200berate a\u200db \ufeffstart", ["co\u00adop", "erate", "a\u200db", "start"]),
        ("Съешь ещё этих мягких булок", ["Съешь", "ещё", "этих", "мягких", "булок"]),
        ("Η γρήγορη αλεπού", ["Η", "γρήγορη", "αλεπού"]),
        ("مرحبا بالعالم، كَتَبَ ١٢٣", ["مرحبا", "بالعالم", "كَتَبَ", "١٢٣"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("हिन्दी में क्\u200dष", ["हिन्दी", "में", "क्\u200dष"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("한국어 문장입니다", ["한국어", "문장입니다"]),
        ("བོད་སྐད།", ["བོད", "སྐད"]),
        ("አማርኛ፡ቋንቋ", ["አማርኛ", "ቋንቋ"]),
        ("iPhone手机，〇一二３４", ["iPhone", "手", "机", "〇", "一", "二", "３４"]),
        ("葛\U000e0100城市 𠮷野家", ["葛", "城", "市", "𠮷", "野", "家"]),
        ("カタカナとスーパー。ｶﾞ", ["カ", "タ", "カ", "ナ", "と", "ス", "ー", "パ", "ー", "ｶﾞ"]),
        ("ที่นี่ ๑๒", ["ที่", "นี่", "๑๒"]),
        ("ພາສາລາວ", ["ພ", "າ", "ສ", "າ", "ລ", "າ", "ວ"]),
        ("ភាសា", ["ភា", "សា"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("ꆈꌠꉙ", ["ꆈ", "ꌠ", "ꉙ"]),
        ("👩🏽\u200d🚀 ok 🇫🇷❤\ufe0f \ufffd", ["ok"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_every_script(text, units):
    assert split(text) == units


def test_differences_from_the_papers_words_are_those_that_gpt3_toml_names():
    assert len(set(hashes("dog. (dog dog Dog"))) == 1
    assert split("well-known 3.14 a.example") == ["well", "known", "3", "14", "a", "example"]
    assert hashes("don't") == hashes("dont")
    assert hashes("ς") == hashes("σ")
    assert split("-- $ + 😀 -") == []
    assert len(split("他来了。他看见了")) == 7


def test_punctuation_format_characters_and_case_do_not_enter_the_hash():
    assert hashes("don't DON’T dont do\u00adnt Don\u200d'\ufe0ft") == hashes("dont") * 5
    assert hashes("ΣΊΣΥΦΟΣ ΜΆΪΟΣ Straẞe Kelvin ЁЛКА ՀԱՅ") == hashes("σίσυφος μάϊος straße kelvin ёлка հայ")
    assert len(set(hashes("strasse straße résumé resume 한 국 中 b bb 1 l"))) == 11


def test_a_hash_depends_on_the_whole_word_and_nothing_else():
    lengths = [1, 2, 6, 7, 8, 9, 15, 16, 17, 23, 24, 40]
    variants = {letters for n in lengths for letters in ["a" * n, "b" + "a" * (n - 1), "a" * (n - 1) + "é"]}
    values = hashes(" ".join(sorted(variants)))
    assert len(set(values)) == len(variants)
    assert hashes("中, é; x " + " ".join(sorted(variants)) + "!")[3:] == values


def test_every_bit_of_a_hash_is_fair():
    bits = words(pa.array([" ".join(f"w{n}" for n in range(4096))])).hashes[:, None] >> np.arange(
        64, dtype=np.uint64
    )
    ones = (bits & np.uint64(1)).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 0.04  # five standard deviations


def test_hashes_never_change():
    expected = [0x12A84FB69DBDEBBD, 0xE82840865B376C31, 0xFB88CB2BDD9D1BF3, 0xDF4EE35F22E3BBC5]
    assert hashes("The naïve 中 internationalization") == expected


def test_types_and_empty_inputs():
    with pytest.raises(TypeError, match="string or large_string, not binary"):
        words(pa.array([b"a"]))
    for empty in (
        pa.array([], pa.string()),
        pa.chunked_array([], pa.large_string()),
        pa.array(["a"]).slice(1),
    ):
        found = words(empty)
        assert found.offsets.tolist() == [0]
        assert len(found.hashes) == len(found.starts) == len(found.ends) == 0
    assert words(pa.array([None, "a", None, ""])).offsets.tolist() == [0, 0, 1, 1, 1]


def test_tables_agree_with_this_python_on_every_character_it_knows():
    assert unicode_version() == "15.1.0"
    known = [
        chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    for start in range(0, len(known), 5000):
        check_against_twin(
            [f"a{character}'{character}b1{character}".encode() for character in known[start : start + 5000]]
        )
