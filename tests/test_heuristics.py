"""Heuristics: every value against a plain-Python twin, prose of every script, rules at their bounds."""

import re
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from harbour import PROSE
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from classifiers.words import SEPARATOR, SIGN, character_table, words
from stages.heuristics import PRESETS, RULES, Heuristics
from stages.shape import IDEOGRAPH, script_of

TEXTS = st.text(st.sampled_from("ab.,!\"'#{}…•- \n\n的在。？กา้ кé가"), max_size=60)
EVERY = Heuristics()


def table(texts, **columns):
    documents = {"text": pa.array(texts, pa.large_string())}
    return pa.table(documents | {name: pa.array(values, pa.string()) for name, values in columns.items()})


def measured(*texts, stage=EVERY, **columns):
    return stage.process(table(texts, **columns), None).to_pylist()


def one(text, stage=EVERY, **columns):
    return measured(text, stage=stage, **{name: [value] for name, value in columns.items()})[0]


def kinds(word):
    """How a word is written, by the names of its first letter."""
    name = unicodedata.name(word[0], "")
    return "ideograph" if "CJK" in name else "southern" if "THAI" in name else "apart"


def repeated(counter):
    return sum(count - 1 for count in counter.values())


def twin(text):
    """The values of one text, in plain Python, for the characters of TEXTS."""
    found = words(pa.array([text], pa.large_string()))
    data = text.encode()
    spans = [
        (len(data[:start].decode()), len(data[:end].decode()))
        for start, end in zip(found.starts, found.ends, strict=True)
    ]
    units = [text[start:end].casefold() for start, end in spans]
    styles = Counter(map(kinds, units))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    weight = {"apart": 16, "ideograph": 10, "southern": 5}
    style = max(weight, key=lambda name: styles[name])
    total, number = sum(styles[name] * weight[name] for name in weight) // 16, max(len(lines), 1)
    paragraphs = ["\n".join(part) for part in blocks(text)]
    characters = max(sum(map(len, lines)), 1)
    values = {
        "words": total,
        "curly_brackets": text.count("{") + text.count("}"),
        "hashes_per_word": text.count("#") / max(total, 1),
        "ellipses_per_word": len(re.findall(r"\.{3,}|…+", text)) / max(total, 1),
        "newlines_per_word": text.count("\n") / max(total, 1),
        "alphabetic_words": 1.0 if units else 0.0,
        "duplicate_lines": repeated(Counter(lines)) / number,
        "duplicate_paragraphs": repeated(Counter(paragraphs)) / max(len(paragraphs), 1),
        "duplicate_line_characters": sum(len(k) * (n - 1) for k, n in Counter(lines).items()) / characters,
        "duplicate_paragraph_characters": sum(
            (len(k) - k.count("\n")) * (n - 1) for k, n in Counter(paragraphs).items()
        )
        / characters,
        "bullet_lines": sum(line[0] == "•" or line == "-" or line[:2] == "- " for line in lines) / number,
        "ellipsis_lines": sum(line.endswith(("...", "…")) for line in lines) / number,
    }
    for n in (2, 3, 4):
        values[f"top_{n}_gram"] = top(units, spans, n * 16 // weight[style]) / max(len(text), 1)
    for n in (5, 6, 10):
        values[f"duplicate_{n}_grams"] = again(units, spans, n * 16 // weight[style]) / max(len(text), 1)
    return values


def blocks(text):
    """Paragraphs: lists of lines."""
    found = [[]]
    for line in text.split("\n"):
        if line.strip():
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [part for part in found if part]


def grams(units, n):
    return [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]


def top(units, spans, n):
    listed = grams(units, n)
    gram, count = Counter(listed).most_common(1)[0] if listed else ((), 0)
    places = [at for at, each in enumerate(listed) if each == gram]
    return sum(spans[at + n - 1][1] - spans[at][0] for at in places) if count > 1 else 0


def again(units, spans, n):
    seen, covered, at = set(), 0, 0
    listed = grams(units, n)
    while at < len(listed):
        if listed[at] in seen:
            covered += spans[at + n - 1][1] - spans[at][0]
            at += n
        else:
            seen.add(listed[at])
            at += 1
    return covered


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("a b a b a b a b a b a b\n\na b a b\n")
@example("ab ab. ab ab. ab ab\n- a\n- a\n\nab ab. ab ab. ab ab\n的在的在的在的在的在")
def test_every_value_is_that_of_the_twin(text):
    found = one(text)
    for name, value in twin(text).items():
        wanted = min(value, 1.0) if name.startswith("top") else value
        assert found[name] == pytest.approx(wanted, rel=1e-6), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "ab", "ab.\n", "的", "กา", "é"]), max_size=300).map(" ".join))
@example("a b c d e f g h i j k l " * 9 + "a b c\n" * 40)
@example("的一是不了在有和这我为中与以也" * 9 + "กาขาคางา" * 30)
def test_repetition_in_longer_texts_is_that_of_the_twin(text):
    found = one(text)
    for name, value in twin(text).items():
        if "gram" in name or "duplicate" in name:
            assert found[name] == pytest.approx(min(value, 1.0), rel=1e-6), name


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.integers(1, 8))
def test_values_do_not_depend_on_the_batch(texts, size):
    whole = table(texts)
    pieces = [whole.slice(at, size) for at in range(0, len(texts), size)]
    apart = [row for piece in pieces for row in EVERY.process(piece, None).to_pylist()]
    chunked = EVERY.process(pa.concat_tables(pieces), None)
    assert EVERY.process(whole, None).to_pylist() == apart == chunked.to_pylist()


@pytest.mark.parametrize("language", PROSE)
def test_prose_of_every_script_breaks_no_rule(language):
    row = one(PROSE[language], language=language)
    assert (row["failed_rules"], row["reason"]) == (None, None)
    assert row["sentences"] >= 5
    if language != "th":
        assert row["stop_words"] >= 4
    assert one(PROSE[language])["reason"] is None  # nor where nobody knows the language


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_has_about_as_many_words_as_in_english(language):
    assert 7 <= one(SENTENCES[language])["words"] <= 25


def test_an_unknown_language_is_not_judged_by_stop_words_of_another():
    greek = "Η επιτροπή συναντήθηκε την Πέμπτη."
    assert one(greek, language="ka")["stop_words"] is None
    assert one(greek, language="el")["stop_words"] == 2
    assert one(greek)["stop_words"] is None  # not Latin: the lists are too few to tell
    assert one("The cat sat with the dog of the house")["stop_words"] == 3


def test_units_that_begin_as_han_does_are_han():
    codes = np.arange(0x4000, 0xA000)  # those whose UTF-8 begins with E4 to E9
    assert {chr(code).encode()[0] for code in codes} == set(range(0xE4, 0xEA))
    assert set(character_table()[codes] >> 24) == {SEPARATOR, SIGN}  # hexagrams make no unit
    assert {script_of(int(code)) for code in codes} == {IDEOGRAPH}


def test_what_is_not_prose_goes_by_its_own_rule():
    words_only = " ".join(f"keyword{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(80))
    bullets = "\n".join(f"• {line}" for line in PROSE["en"].split("\n"))
    trailing = PROSE["en"].replace(".\n", "...\n")
    assert {
        "words": one("Too short.")["reason"],
        "stops": one(words_only)["reason"],
        "bullets": one(bullets)["reason"],
        "trailing": one(trailing)["reason"],
        "hashes": one(PROSE["en"] + " #" * 20)["reason"],
        "ellipses": one(PROSE["en"] + " …," * 20 + " end.")["reason"],
        "digits": one(PROSE["en"] + " 1815 1848 1871 1914" * 8)["reason"],
        "twice": one(PROSE["en"] + "\n" + PROSE["en"])["reason"],
    } == {
        name: f"heuristics:gopher_{rule}"
        for name, rule in {
            "words": "word_count",
            "stops": "stop_words",
            "bullets": "bullet_lines",
            "trailing": "ellipsis_lines",
            "hashes": "hashes",
            "ellipses": "ellipses",
            "digits": "alphabetic_words",
            "twice": "duplicate_lines",
        }.items()
    }


def test_every_rule_rejects_something():
    paragraph = PROSE["en"].split("\n")[0]
    texts = [
        "Too short.",
        " ".join(f"{chr(97 + n % 26) * 12}{chr(97 + n // 26)}" for n in range(80)),
        *(
            "# " * 80 + PROSE["en"],
            "… " * 80 + PROSE["en"],
            "1815 " * 600 + PROSE["en"],
            "ding dong bang " * 90,
        ),
        "\n".join(f"• line {chr(97 + n)}…" for n in range(20)),
        "\n\n".join([paragraph] * 3),
        "Lorem ipsum {dolor}.",
        "\n".join(f"Item {n}" for n in range(40)),
    ]
    failed = " ".join(row["failed_rules"] for row in measured(*texts)).split()
    assert set(failed) == {rule.name for rule in RULES}


def test_a_guessed_language_is_not_judged_by_its_stop_words():
    columns = {"language": pa.array(["en", "en"]), "language_score": pa.array([0.2, 0.9], pa.float32())}
    keywords = pa.array(["harbour boats trees"] * 2, pa.large_string())
    rows = EVERY.process(pa.table({"text": keywords} | columns), None).to_pylist()
    assert [row["stop_words"] for row in rows] == [None, 0]


def test_korean_prose_has_stop_words_whatever_it_is_about():
    assert (
        one("마리오는 (게임의 주인공)은 버섯을 먹는다. 쿠파(악당)를 이긴다.", language="ko")["stop_words"]
        == 2
    )


def test_what_is_measured_again_replaces_what_was_measured_before():
    before = EVERY.process(table(["Too short."]), None)
    after = EVERY.process(before.set_column(0, "text", pa.array([PROSE["en"]], pa.large_string())), None)
    assert after.to_pylist()[0] == one(PROSE["en"])


def test_c4_and_fineweb():
    c4, fineweb = Heuristics(rules=("c4",)), Heuristics(rules=("fineweb",))
    assert one(PROSE["en"] + "\nLorem  IPSUM dolor.", c4)["reason"] == "heuristics:c4_lorem_ipsum"
    assert one(PROSE["en"] + "\nif (a) { b(); }", c4)["reason"] == "heuristics:c4_curly_brackets"
    assert one("One sentence is here. And here is another one.", c4)["reason"] == "heuristics:c4_sentences"
    menu = "\n".join(f"Item {n}" for n in range(40))
    row = one(menu, fineweb)
    assert row["reason"] == "heuristics:fineweb_punctuated_lines"
    assert row["failed_rules"] == "fineweb_punctuated_lines fineweb_short_lines fineweb_newlines"
    assert (
        one(PROSE["en"] + "\n" + PROSE["en"].split("\n")[0], fineweb)["reason"]
        == "heuristics:fineweb_line_copies"
    )


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He left at noon. She stayed for tea. Why was that?", 3),
        ("They saw e.g. apples and pears there.", 1),
        ('He said "stop right there." And he meant it.', 2),
        ("It ends without a mark", 0),
        ("It just goes on and on...", 0),
        ("Too short.", 0),
        ("Please enable JavaScript to see this page.", 0),
        ("By reading on you accept our use of cookies.", 0),
        ("他来了。他看见了！他走了吗？我们不知道。", 4),
        ("यह पहला वाक्य है। यह दूसरा वाक्य है।", 2),
        ("(This is all in brackets.)", 1),
    ],
)
def test_sentences(text, sentences):
    assert one(text)["sentences"] == sentences


def test_presets_choose_what_rejects_and_all_is_measured():
    short = "Too short."
    assert [one(short, Heuristics(rules=rules))["reason"] for rules in ((), ("gopher",), ("c4",))] == [
        None,
        "heuristics:gopher_word_count",
        "heuristics:c4_sentences",
    ]
    assert len({tuple(one(short, Heuristics(rules=(preset,)))) for preset in PRESETS}) == 1


def test_a_value_at_its_bound_is_kept_by_gopher_and_c4_and_not_by_fineweb():
    lines = "\n".join([*(f"Line {'abcdefghij'[n]}" for n in range(9)), "Line a"])
    assert one(lines)["duplicate_lines"] == np.float32(0.1)
    broken = Heuristics(max_duplicate_lines=0.1, max_line_copies=0.1).judge(
        EVERY.process(table([lines]), None)
    )
    assert not broken["gopher"]["gopher_duplicate_lines"][0].as_py()
    assert broken["fineweb"]["fineweb_line_copies"][0].as_py()


def test_texts_without_words_and_nulls():
    rows = measured("", None, "…\n\n---", "\n")
    assert [row["words"] for row in rows] == [0] * 4
    assert [row["word_length"] for row in rows] == [None] * 4
    assert {row["reason"] for row in rows} == {"heuristics:gopher_word_count"}
    assert EVERY.process(table([]), None).num_rows == 0


def test_every_rule_has_a_column_a_field_and_a_preset():
    for rule in RULES:
        assert rule.column in EVERY.adds().names
        assert rule.name.split("_")[0] in PRESETS
        assert all(hasattr(EVERY, field) for field in (rule.least, rule.most) if field)


def test_bad_fields():
    with pytest.raises(ValueError, match="no preset 'gofer'"):
        Heuristics(rules=("gofer",))
    with pytest.raises(ValueError, match="min_words = 10 is above max_words = 5"):
        Heuristics(min_words=10, max_words=5)
