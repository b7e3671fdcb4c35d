"""Clean lines: each rule, every script, and a plain-Python twin."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from harbour import PROSE
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.clean_lines import CleanLines
from stages.lines import CLOSERS, QUOTES, STOPS

CONFIGS = Path(__file__).parent.parent / "configs"
C4 = CleanLines()
FINEWEB = CleanLines(punctuated=False, line_words=3, min_sentences=5)
LINES = st.lists(
    st.sampled_from(
        [
            *("", "Short.", "A line of many words without an end", "A line of many words that ends."),
            *("  It is said: 'so be it, my dear friend.'", "It goes on and on and on..."),
            *("它在很久以前就已经建成了。", "没有句号的一行文字在这里", "เด็ก ๆ ก็ปีนต้นไม้ทุกฤดูร้อน"),
            "Please enable JavaScript in your browser.",
        ]
    ),
    max_size=9,
)


def cleaned(text, stage=C4):
    documents = pa.table({"text": pa.array([text], pa.large_string())})
    return stage.process(documents, None).to_pylist()[0]


def cuts(text, stage=C4):
    row = cleaned(text, stage)
    return {name.removeprefix("cut_"): count for name, count in row.items() if name[:4] == "cut_" and count}


@pytest.mark.parametrize("stage", [C4, FINEWEB])
@pytest.mark.parametrize("language", PROSE)
def test_prose_of_every_script_stays_as_it_is(language, stage):
    row = cleaned(PROSE[language], stage)
    assert row["text"] == PROSE[language]
    assert row["reason"] is None
    assert row["sentences_left"] >= 5


@pytest.mark.parametrize("language", PROSE)
def test_a_menu_among_prose_goes(language):
    first, *others = PROSE[language].split("\n")
    menu = "Home | Products | Over 100 services | Contact\n"
    assert cleaned(menu + first + "\n" + menu + "\n".join(others))["text"] == PROSE[language]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("This line has many words and no end", "unpunctuated"),
        ("This line goes on and on and on...", "unpunctuated"),
        ("This line goes on and on and on…", "unpunctuated"),
        ("Too short to stay.", "short"),
        ("Please enable JavaScript in your web browser.", "phrases"),
        ("Read our Privacy-Policy before you go on reading.", "phrases"),
        ("This web site uses  cookies to work at all.", "phrases"),
        ("这一行没有句号而且也没有别的什么标记", "unpunctuated"),
        ("太短了。", "short"),
        ("Эта строка ничем не кончается и так и стоит", "unpunctuated"),
        ("สั้น", "short"),
        ("यह पंक्ति बिना किसी विराम के समाप्त होती है", "unpunctuated"),
    ],
)
def test_each_rule(line, rule):
    text = PROSE["en"] + "\n\n" + line
    assert cuts(text) == {rule: 1}
    assert cleaned(text)["text"] == PROSE["en"]


@pytest.mark.parametrize(
    "line",
    [
        "He asked her whether it was true?",
        'And then she said "it is not."',
        "(They had been there for a long time.)",
        "他们已经在那里住了很长的时间。",
        "彼らは長い間そこに住んでいた。」",
        "그들은 아주 오랫동안 그곳에서 살았다.",
        "พวกเขาอยู่ที่นั่นมานานแล้ว",
        "वे बहुत समय से वहाँ रह रहे थे।",
        "Նրանք այնտեղ երկար ժամանակ են ապրել։",
        "هل تعرف لماذا كانوا يعيشون هناك؟",
        "ለረጅም ጊዜ እዚያ ይኖሩ ነበር ።",
    ],
)
def test_lines_that_end_as_sentences_do_stay(line):
    assert cuts(line) == {}


def test_citations_go_before_the_end_is_looked_at():
    line = "It was built in the year 1815.[12][citation needed]"
    assert cleaned(line)["text"] == "It was built in the year 1815."
    assert cuts(line) == {"citations": 2}
    assert cuts(line, CleanLines(citations=False)) == {"unpunctuated": 1}
    assert cuts("He wrote a[i], [] and [edit of the text by hand.") == {}


def test_documents_with_too_little_left_get_a_reason():
    assert cleaned("Home\nAbout us")["reason"] == "clean_lines:nothing_left"
    two = "There was a house in the wood. It was very old indeed."
    assert cleaned(two)["reason"] == "clean_lines:few_sentences"
    assert cleaned(two, CleanLines(min_sentences=2))["reason"] is None
    assert cleaned(None)["reason"] == "clean_lines:nothing_left"


def test_fineweb_keeps_lines_without_an_end():
    text = PROSE["en"] + "\nA list of things\nTwo words"
    assert cleaned(text, FINEWEB)["text"] == PROSE["en"] + "\nA list of things"


def test_phrases_of_one_s_own_in_any_script():
    stage = CleanLines(phrases=("Datenschutzerklärung", "点击这里", "alle Rechte an diesem Text vorbehalten"))
    assert cuts("Hier steht alles in unserer Datenschutzerklärung.", stage) == {"phrases": 1}
    assert cuts("如果您想了解更多的信息请点击这里。", stage) == {"phrases": 1}
    assert cuts("Wie immer: alle Rechte an diesem Text vorbehalten.", stage) == {"phrases": 1}
    assert cuts("Please enable JavaScript in your web browser.", CleanLines(phrases=())) == {}
    with pytest.raises(ValueError, match="no word in '--'"):
        CleanLines(phrases=("--",))


def twin(lines):
    """The text that C4's rules leave of some LINES, in plain Python."""
    kept, apart = "", False
    brackets = "".join(set(CLOSERS) - set(QUOTES))
    for line in lines:
        apart = apart or not line
        bare = line.strip()
        ends = bare.rstrip(brackets)[-1:] in {*STOPS, *QUOTES} or bool(re.search("[\u0e01-\u0e5b]$", bare))
        enough = len(re.findall("[\u4e00-\u9fff]", bare)) >= 8 or len(bare.split()) >= 5 or "ฤดู" in bare
        if bare and ends and not bare.endswith(("...", "…")) and enough and "JavaScript" not in bare:
            kept += (("\n\n" if apart else "\n") if kept else "") + line
            apart = False
    return kept


@settings(max_examples=200, deadline=None)
@given(LINES)
def test_the_text_is_that_of_the_twin(lines):
    assert cleaned("\n".join(lines))["text"] == twin(lines)


@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=6), st.integers(1, 6))
def test_texts_do_not_depend_on_the_batch(texts, size):
    whole = pa.table({"text": pa.array(["\n".join(lines) for lines in texts], pa.large_string())})
    pieces = [whole.slice(at, size) for at in range(0, len(texts), size)]
    apart = [row for piece in pieces for row in C4.process(piece, None).to_pylist()]
    chunked = C4.process(pa.concat_tables(pieces), None)
    assert C4.process(whole, None).to_pylist() == apart == chunked.to_pylist()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.booleans())
def test_any_text_and_twice_is_once(text, punctuated):
    stage = CleanLines(citations=False, punctuated=punctuated)
    once = cleaned(text, stage)["text"]
    assert cleaned(once, stage)["text"] == once


def test_fineweb_s_recipe(tmp_path):
    steps = (CONFIGS / "fineweb.toml").read_text().replace("crawl/*.warc.gz", "tiny/crawl/*.warc.gz")
    recipe = parse(steps.encode(), "fineweb", str(CONFIGS), STAGES)
    Run(recipe, str(tmp_path), Inline(), say=lambda line: None).run()
    gopher, good, tokens = (Dataset(str(tmp_path / step)) for step in ("gopher", "good", "tokens"))
    assert 0 < sum(tokens.rows.values()) < sum(gopher.rows.values())
    reasons = {reason.split("_")[0] for reason in good.rejected()["reason"].to_pylist()}
    assert reasons <= {"heuristics:c4", "heuristics:fineweb"}
    texts = good.read(["text", "words"])
    again = words(texts["text"])  # what is measured is the text as it is after clean_lines
    assert (texts["words"].to_numpy() == again.offsets[1:] - again.offsets[:-1]).all()
