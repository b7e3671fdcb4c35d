"""Words of lists counted in documents: every script, a plain twin, thresholds, forecasts."""

import gzip
import re

import pyarrow as pa
import pytest
import toy
from corpus import documents
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.forecast import forecast
from pipeline.inspection import RunFolder
from pipeline.recipe import parse
from stages import STAGES
from stages.wordlist import Wordlist

# An entry in another form than the text has it, and one that only begins like a word of the text.
ENTRIES = {
    "en": ("Coming   YEAR", "comm"),
    "zh": ("预算问题", "算预"),
    "ja": ("来年の予算", "年来"),
    "ko": ("내년 예산을", "내"),
    "th": ("งบประมาณ", "งบปห"),
    "ar": ("ميزانية العام", "ميزان"),
    "hi": ("अगले वर्ष", "अगल"),
    "ru": ("БЮДЖЕТ на", "бюдж"),
}


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """A list in a file."""

    def list_of(entries, name="list.txt"):
        path = tmp_path_factory.mktemp("lists") / name
        data = "\n".join(entries).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return (str(path),)

    return list_of


def counted(stage, texts, **columns):
    table = documents([{"id": f"a/b/{n}", "text": text} for n, text in enumerate(texts)])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return stage.process(table, stage.load("listed", {})).to_pylist()


def hits(stage, texts, **columns):
    return [(row["wordlist_hits"], row["wordlist_entries"]) for row in counted(stage, texts, **columns)]


@pytest.mark.parametrize("script", ENTRIES)
def test_phrases_of_all_scripts(write, script):
    entry, other = ENTRIES[script]
    text = SENTENCES[script]
    assert hits(Wordlist(lists=write([entry])), [text, f"{text} {text}"]) == [(1, 1), (2, 1)]
    assert hits(Wordlist(lists=write([other])), [text]) == [(0, 0)]
    (row,) = counted(Wordlist(lists=write([entry])), [text])
    split = words(pa.array([entry, text]))
    assert row["wordlist_share"] == pytest.approx(split.offsets[1] / (split.offsets[2] - split.offsets[1]))


def test_the_longest_entry_counts_and_the_search_goes_on_behind_it(write):
    stage = Wordlist(lists=write(["new york", "new york city hall", "york", "hall # a comment", "city"]))
    texts = ["New York City", "new-york city hall, Hall", "york new", "new new york's", "", None]
    assert hits(stage, texts) == [(2, 2), (2, 2), (1, 1), (0, 0), (0, 0), (0, 0)]


def test_each_document_has_the_lists_of_its_language(write):
    lists = (*write(["gift"], "de.txt"), *write(["gift box", "present"], "en.txt.gz"), *write(["礼物"], "zh"))
    stage = Wordlist(lists=write(["poison"]), by_language=lists)
    text = "poison gift box 礼物"
    languages = ["de", "en", "zh", "fr", None]
    assert hits(stage, [text] * 5, language=languages) == [(2, 2), (2, 2), (2, 2), (1, 1), (1, 1)]
    with pytest.raises(RecipeError, match="needs the documents' column 'language'; put a step"):
        counted(stage, [text])


def test_entries_with_signs_are_found_as_they_are_written(write):
    stage = Wordlist(lists=write(["a$$", "s&m", "🖕", "f**k you", "rock 'n' roll", "e-mail", "c++"]))
    texts = {
        "a A$$ a$$, xa$$": (2, 1),
        "S&M s m sms&m": (1, 1),
        "🖕🖕 x🖕x": (3, 1),
        "F**K YOU fk you": (1, 1),
        "rock n roll, Rock 'n' Roll": (2, 1),
        "e-mail, e mail and email": (2, 1),
        "C++ and c": (1, 1),
        "🖕": (1, 1),
    }
    assert hits(stage, texts) == list(texts.values())
    assert counted(stage, ["a$$ b c d"])[0]["wordlist_share"] == 0.25


def test_limits_reject_and_name_their_rule(write):
    lists = write(["bad", "worse"])
    texts = ["good " * 9 + "bad", "bad bad good", "bad worse good good good good", "good"]

    def reasons(**limits):
        return [row["reason"] for row in counted(Wordlist(lists=lists, **limits), texts)]

    assert reasons() == [None] * 4
    assert reasons(max_hits=0) == ["wordlist:hits"] * 3 + [None]
    assert reasons(max_hits=1, max_share=0.5) == [None, *["wordlist:hits"] * 2, None]
    assert reasons(max_entries=1) == [None, None, "wordlist:entries", None]
    assert reasons(max_share=0.5) == [None, "wordlist:share", None, None]
    assert reasons(max_share=0.1) == [None, *["wordlist:share"] * 2, None]  # 0.1 itself is not above it
    (row,) = counted(Wordlist(lists=lists, column="toxic", max_hits=0), ["bad"])
    assert (row["toxic_hits"], row["reason"]) == (1, "toxic:hits")


UNITS = st.sampled_from(["a", "b", "Ab", "的", "是", "ก", "7"])
RUNS = st.lists(UNITS, min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(RUNS, min_size=1, max_size=6), st.lists(st.lists(UNITS, max_size=12), max_size=5))
def test_against_a_plain_twin(write, entries, texts):
    known = {tuple(unit.lower() for unit in entry) for entry in entries}

    def twin(units):
        at, found = 0, []
        while at < len(units):
            lengths = [n for n in (3, 2, 1) if tuple(units[at : at + n]) in known and at + n <= len(units)]
            found += [tuple(units[at : at + n]) for n in lengths[:1]]
            at += lengths[0] if lengths else 1
        return len(found), len(set(found)), sum(map(len, found)) / max(len(units), 1)

    rows = counted(Wordlist(lists=write([" ".join(entry) for entry in entries])), map("，".join, texts))
    for row, units in zip(rows, texts, strict=True):
        wanted = twin([unit.lower() for unit in units])
        got = (row["wordlist_hits"], row["wordlist_entries"], row["wordlist_share"])
        assert got == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs a list: lists = "),
        ({"lists": ("a",), "column": ""}, "column must be a name"),
        ({"lists": ("a",), "max_hits": -1}, "max_hits = -1 must not be negative"),
        ({"lists": ("a",), "max_share": -0.1}, "max_share = -0.1 must not be negative"),
    ],
)
def test_fields_are_checked(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Wordlist(**fields)


def test_bad_lists_are_refused_before_anything_runs(write):
    with pytest.raises(InputError, match=r"words\.txt: its name is no language of lid.176"):
        Wordlist(by_language=write(["a"], "words.txt")).check_files()
    with pytest.raises(InputError, match=r"list\.txt, line 2: 'a a .*' has more than 63 words"):
        Wordlist(lists=write(["b", "a " * 64])).check_files()


STEPS = """
[steps.lines]
stage = "lines"
files = "in/a.txt"
[steps.listed]
stage = "wordlist"
documents = "lines"
lists = "bad.txt"
max_entries = 1
"""


def test_through_the_engine_and_forecast(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("\n".join(["good", "a bad line", "bad and worse", "worse worse"] * 60))
    (tmp_path / "bad.txt").write_text("bad\nworse\n")
    stages = {**toy.STAGES, "wordlist": STAGES["wordlist"]}
    recipe = parse(STEPS.encode(), "toy", str(tmp_path), stages)
    for out in ("first", "second"):
        toy.Run(recipe, str(tmp_path / out), toy.Inline(), toy.Silent(), say=lambda line: None).run()
    assert toy.contents(tmp_path / "first") == toy.contents(tmp_path / "second")
    listed = Dataset(str(tmp_path / "first/listed"))
    assert set(listed.rejected()["reason"].to_pylist()) == {"wordlist:entries"}
    assert listed.rejected().num_rows == 60
    rules = forecast(RunFolder.open(str(tmp_path / "first"), stages), "listed")["wordlist"]
    assert {row["rule"]: row["documents"] for row in rules} == {"any": 180, "entries": 60, "together": 180}
