"""The extraction benchmark counts as the papers do, by hand on small texts."""

import base64
import json
from collections import Counter
from itertools import pairwise

import pytest
import zstandard

from benchmarks import extraction, mark_gold
from benchmarks.gold_pages import digest, full_texts, key, learnt_from, lines, marked, responses, snippets
from benchmarks.gold_spans import Span, blocks, text
from benchmarks.scores import Score, of_snippets, of_text, shingles, total

HTML = b"<title>t</title><p>one two three four five six</p>"
MARKED = """<title>Not <p>seen</title><style>p > b {}</style><body>
<nav><a href="/" title="a > b">Home</a> | <a>In<!-- no --></a>side</nav>
<h1> Caf&eacute; &amp; <em>Bar</em>&nbsp;</h1>
<script>if (1 < 2) document.write("<p>no</p>")</script>
<p>漢字と<ruby>仮名<rt>かな</rt></ruby>。<br>Second
   line <p>&nbsp;</p><table><tr><td>1<td>2 &lt; 3</table>
<footer>Imprint</footer>"""


def test_shingles_keep_their_multiplicity() -> None:
    assert shingles("abababa") == {tuple("abab"): 2, tuple("baba"): 2}
    assert shingles("abc") == {tuple("abc"): 1}
    assert shingles("") == Counter()


def test_a_text_by_hand() -> None:
    score = of_text("a b c d e x", "a, b! c (d) e f?")  # abcd and bcde are right, cdex false, cdef missing
    assert score == Score(2 / 4, 1 / 4, 1 / 4)
    assert (score.precision, score.recall, score.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    score = of_text("a b c d", "a b c d e f g")
    assert (score.precision, score.recall, score.f1) == pytest.approx((1, 1 / 4, 2 / 5))


@pytest.mark.parametrize(
    ("got", "gold", "f1"),
    [
        ("", "", 0.0),
        ("a b", "", 0.0),
        ("", "a b", 0.0),
        ("a b", "a b", 1.0),
        ("a b", "a b c", 0.0),  # three tokens are one shingle
        ("x a b c d", "a b c d y", 0.5),  # one right, one false, one missing
        ("a a a a a", "a a a a", 2 / 3),  # the shingle is there twice and wanted once
    ],
)
def test_texts_by_hand(got: str, gold: str, f1: float) -> None:
    assert of_text(got, gold).f1 == pytest.approx(f1)
    assert of_text(got, gold, scripts=True).f1 == pytest.approx(f1)


def test_every_page_weighs_one() -> None:
    long, short = of_text("a b c d " * 100, "a b c d " * 100), of_text("w x y z", "a b c d")
    assert long == Score(1, 0, 0)
    assert short == Score(0, 0.5, 0.5)
    assert total([long, short]).f1 == pytest.approx(2 / 3)
    assert total([]).f1 == 0


def test_scripts_without_spaces_count_by_the_character() -> None:
    assert of_text("我们在海边散步", "我们在海边散步了") == Score(0, 0.5, 0.5)  # `\\w+` sees one word
    assert of_text("我们在海边散步", "我们在海边散步了", scripts=True) == Score(0.8, 0, 0.2)
    # a decomposed letter is the letter; marks belong to their letters
    assert of_text("cafe\u0301 한국", "café 한국", scripts=True).f1 == 1
    assert of_text("नमस्ते दुनिया", "नमस्ते दुनिया", scripts=True) == Score(1, 0, 0)


def test_snippets_by_hand() -> None:
    score = of_snippets("The cat\n  sat here. Log in", ["cat sat", "dog", "here."], ["Log in", "Menu"])
    assert score == Score(right=2, false=1, missing=1)
    assert (score.precision, score.recall) == (2 / 3, 2 / 3)


def compressed(path, *lines) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(text.encode()))


@pytest.fixture
def data(tmp_path):
    page = {"html": base64.b64encode(HTML).decode(), "charset": "utf-8", "gold_in_page": 1.0}
    rest = {"gold_text": "one two three four five six", "page_kind": "article", "lang_detected": "en"}
    compressed(
        tmp_path / "gold" / "pages-own.jsonl.zst",
        page | rest | {"id": "good"},
        page | rest | {"id": "forum", "page_kind": "forum", "html": base64.b64encode(HTML * 2).decode()},
        page | rest | {"id": "other text", "gold_in_page": 0.5},
        page | {"id": "no text"},
    )
    snippet = {"gold_kind": "snippets", "gold_with": ["three four"], "gold_without": ["five six"]}
    compressed(tmp_path / "gold" / "gold.jsonl.zst", snippet | {"page_id": "a"})
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + HTML
    head = f"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\nContent-Length: {len(http)}"
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "own.warc").write_bytes(head.encode() + b"\r\n\r\n" + http + b"\r\n\r\n")
    truth = {"kind": "page", "page_id": "a", "file": "own.warc", "offset": 0, "lang": "de"}
    compressed(tmp_path / "crawl" / "truth.jsonl.zst", truth, {"kind": "non_html"})
    compressed(tmp_path / "crawl-again" / "truth.jsonl.zst", truth)
    return tmp_path


def test_pages_with_full_texts(data) -> None:
    good, forum = full_texts(data / "gold" / "pages-own.jsonl.zst")
    assert (good.name, good.data, good.kind, good.language) == ("good", HTML, "article", "en")
    assert good.score("one two three four five six").f1 == 1
    assert forum.kind == "forum" and forum.key != good.key == key(HTML)


def test_pages_with_snippets_count_once(data) -> None:
    assert len(list(responses(data))) == 2
    (page,) = snippets(data)
    assert (page.data, page.content_type, page.language) == (HTML, "text/html; charset=utf-8", "de")
    assert page.score("one two three four five six") == Score(right=1, false=1, missing=0)


def test_what_winnow_learnt_from_is_on_its_card(tmp_path) -> None:
    card = tmp_path / "winnow.json"
    assert learnt_from(card) == frozenset()
    card.write_text(json.dumps({"pages": [key(HTML)]}))
    assert learnt_from(card) == {key(HTML)}


def test_every_engine_is_measured_on_every_page(data, monkeypatch) -> None:
    engines = {"all": lambda html: html.decode().replace("<p>", " "), "none": lambda html: str(1 / 0)}
    monkeypatch.setattr(extraction, "ENGINES", engines)
    (name, source), *_ = extraction.sources([], data).items()
    seen = frozenset({key(HTML)})
    measured = extraction.measure(source, ["all", "none"], 2, seen)
    assert name == "own" and [page.seen for page in measured] == [True, False]
    assert all(set(page.seconds) == set(page.scores) == {"all", "none"} for page in measured)
    assert total(page.scores["none"] for page in measured) == Score(0, 0, 2)
    assert 0 < total(page.scores["all"] for page in measured).f1 < 1
    assert [page.name for page in extraction.without(source, seen)] == ["forum"]
    assert "1 of 2 in own" in extraction.caption({name: measured})


def test_engines_take_turns() -> None:
    assert ["".join(extraction.rotated("abc", turn)) for turn in range(4)] == ["abc", "bca", "cab", "abc"]


def test_the_command_prints_its_tables(data, capsys) -> None:
    each = data / "each.jsonl"
    extraction.main([], data, ["resiliparse"], 1, each, False)
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["own", "resiliparse", "2"] in rows and ["snippets", "resiliparse", "1"] in rows
    assert ["own", "article", "1"] not in rows  # too few for a row
    pages = [json.loads(line) for line in each.read_text().splitlines()]
    assert [page["page"] for page in pages] == ["good", "forum", "a"]


def test_blocks_are_what_stands_between_tags_that_are_not_inline() -> None:
    found = blocks(MARKED)
    assert text(MARKED, found).splitlines() == [
        "Home | Inside",
        "Café & Bar",
        "漢字と仮名かな。",
        "Second line",
        "1",
        "2 < 3",
        "Imprint",
    ]
    assert [MARKED[start:end] for start, end in found[3:5]] == ["Second\n   line", "1"]
    assert mark_gold.shown(MARKED)[1] == "1 h1.| Café & Bar"


def test_blocks_in_a_row_make_one_span() -> None:
    found = blocks(MARKED)
    assert mark_gold.picked(found, "") == []
    assert mark_gold.picked(found, "1,3-5") == [found[1], Span(found[3].start, found[5].end)]
    everything = mark_gold.picked(found, "0-6")
    assert text(MARKED, everything) == text(MARKED, found)


def test_marks_are_made_and_read(data, tmp_path, capsys) -> None:
    mark_gold.main(data / "crawl" / "own.warc", 0, "utf-8", "0", "", "en", "article")
    marks = tmp_path / "marks.jsonl"
    line = json.loads(capsys.readouterr().out)
    assert HTML[slice(*line["body"][0])] == b"one two three four five six"
    marks.write_text(json.dumps(line))
    (page,) = marked(marks, data)
    assert (page.data, page.language, page.kind) == (HTML, "en", "article")
    assert page.score("one two three four five six").f1 == 1
    marks.write_text(json.dumps(line | {"sha256": digest(b"another page")}))
    assert not list(marked(marks, data))


def test_a_text_may_have_the_heading_or_not(data, tmp_path) -> None:
    marks = tmp_path / "marks.jsonl"
    start = HTML.index(b"one")
    where = {"file": "crawl/own.warc", "offset": 0, "sha256": digest(HTML), "charset": "utf-8"}
    spans = {"heading": [[start, start + 7]], "body": [[start + 8, len(HTML) - 4]]}
    marks.write_text(json.dumps(where | spans | {"language": "en", "kind": "article"}))
    (page,) = marked(marks, data)
    assert page.score("three four five six").f1 == page.score("one two three four five six").f1 == 1
    assert 0 < page.score("two three four five six").f1 < 1


def test_the_gold_holds_no_text() -> None:
    gold = list(lines(extraction.MARKS))
    assert len({(line["file"], line["offset"]) for line in gold}) == len(gold) == 61
    for line in gold:
        assert " ".join(line) == "file offset sha256 charset language kind heading body"
        spans = [Span(*span) for span in line["body"]]
        assert spans and all(span.start < span.end for span in spans)
        assert all(one.end <= other.start for one, other in pairwise(spans))
