"""Reddit's dumps to links: who counts, who is first, and what dumps of all years and damages are like."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest
import toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reddit import DAY, dump, run, submission

from pipeline import cli
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, StaleRunError
from pipeline.executors import Processes
from stages import links as links_module
from stages.canonical import address
from stages.listed import UNKNOWN, Listed, page_key, paths_of
from stages.outbound import leads_to
from stages.submissions import unescaped

STEP = "[steps.links]\nstage = 'links'\nfiles = FILES\n"


def links(folder, fields="", files="'dumps'", out="out", **how):
    return run(folder, STEP.replace("FILES", files) + fields, out, **how)["links"]


def outcome(dataset):
    """line of the dump -> reason, or None."""
    rows = dataset.read().to_pylist() + dataset.rejected().to_pylist()
    return {row["id"].partition("/")[2]: row.get("reason") for row in rows}


CASES = {  # a submission -> its reason
    "kept": (submission("http://a.example/kept"), None),
    "least": (submission("http://a.example/3", 3), None),
    "less": (submission("http://a.example/2", 2), "link:karma"),
    "string": (submission("http://a.example/string", "3"), None),
    "no number": (submission("http://a.example/none", "many"), "link:karma"),
    "no score": (submission("http://a.example/none", None), "link:karma"),
    "hidden": ({"url": "http://a.example/x", "is_self": False}, "link:karma"),
    "votes": ({"url": "http://a.example/old", "ups": 9, "downs": 4, "created": "1119552233.0"}, None),
    "infinite": (submission("http://a.example/x", float("inf")), "link:karma"),
    "huge": (submission("http://a.example/huge", 10**14), None),
    "text": (submission("https://www.reddit.com/r/a/comments/1/b/", is_self=True), "link:self"),
    "text by domain": (submission("http://x.example", domain="self.programming"), "link:self"),
    "other thread": (submission("https://old.reddit.com/r/a/comments/1"), "link:reddit"),
    "short": (submission("https://redd.it/abc"), "link:reddit"),
    "video there": (submission("https://v.redd.it/abc"), "link:reddit"),
    "crosspost": (submission("/r/a/comments/1/b/"), "link:reddit"),
    "encyclopedia": (submission("https://en.m.wikipedia.org/wiki/A"), "link:wikipedia"),
    "in Chinese": (submission("http://zh.wikipedia.org/wiki/%E6%96%87"), "link:wikipedia"),
    "picture": (submission("http://i.imgur.com/abc"), "link:media"),
    "film": (submission("https://youtu.be/abc"), "link:media"),
    "paper": (submission("http://a.example/b/Paper.PDF?download=1#page=2"), "link:file"),
    "no file": (submission("http://a.example/view?file=Paper.pdf"), None),
    "not its host": (submission("http://notreddit.com/imgur.com"), None),
    "no url": ({"title": "t", "is_self": False, "score": 9}, "link:none"),
    "deleted": (submission("[deleted]"), "link:none"),
    "null": (submission(None), "link:none"),
    "a number": (submission(7), "link:none"),
    "blank": (submission(" \x00\x1f"), "link:none"),
    "nowhere": (submission("mailto:me@a.example"), "link:none"),
    "overridden": (submission(None, url_overridden_by_dest="http://a.example/dest"), None),
    "script": (submission("http://例え.テスト/ページ"), None),
    "comment": ({"body": "text", "link_id": "t3_1", "score": 9}, "error:submission"),
    "list": ([1, 2], "error:json"),
    "broken": (b'{"url": "http://a.example', "error:json"),
    "not text": (b"\xff\xfe\x00{", "error:json"),
}


@pytest.mark.parametrize("suffix", ["", ".zst", ".xz", ".gz", ".bz2", ".jsonl"])
def test_every_submission_is_a_link_or_has_a_reason(tmp_path, suffix):
    path = dump(tmp_path / f"RS_2011-01{suffix}", [row for row, _ in CASES.values()])
    dataset = links(tmp_path, files=f"'{path.name}'")
    wanted = {f"RS_2011-01/{n}": reason for n, (_, reason) in enumerate(CASES.values(), 1)}
    assert outcome(dataset) == wanted
    rows = {row["id"].rpartition("/")[2]: row for row in dataset.read().to_pylist()}
    numbers = {name: str(n) for n, name in enumerate(CASES, 1)}
    assert rows[numbers["kept"]] == {
        "id": "reddit/RS_2011-01/1",
        "source": "reddit",
        "url": "http://a.example/kept",
        "date": "2005-06-23T18:43:53Z",
        "domain": "a.example",
        "page": "a.example/kept",
        "karma": 5,
        "submissions": 1,
        "subreddit": "programming",
        "repeats": None,
    }
    assert (rows[numbers["votes"]]["karma"], rows[numbers["votes"]]["date"]) == (5, "2005-06-23T18:43:53Z")
    assert rows[numbers["huge"]]["karma"] == 2**31 - 1
    assert rows[numbers["script"]]["domain"] == "xn--r8jz45g.xn--zckzah"


def test_two_spellings_are_one_link_and_the_first_stays(tmp_path):
    spellings = ["https://www.a.example/b/?utm_source=x", "http://A.example/b", "http://a.example:80/b/#c"]
    rows = [submission(url, 4 + n, 1_300_000_000 - n * DAY) for n, url in enumerate(spellings)]
    dump(tmp_path / "dumps/RS_2011-02.gz", [submission("http://b.example/"), *rows[:2]])
    dump(tmp_path / "dumps/RS_2011-01.xz", [submission("http://b.example", "9"), rows[2]])
    dataset = links(tmp_path)
    kept = {row["page"]: row for row in dataset.read().to_pylist()}
    assert {page: (row["id"], row["karma"], row["submissions"]) for page, row in kept.items()} == {
        "a.example/b": ("reddit/RS_2011-01/2", 6, 3),
        "b.example": ("reddit/RS_2011-01/1", 9, 2),  # of one second: by the dumps' names
    }
    gone = {
        row["id"]: (row["repeats"], row["karma"], row["submissions"])
        for row in dataset.rejected().to_pylist()
    }
    assert gone == {
        "reddit/RS_2011-02/1": ("reddit/RS_2011-01/1", 5, None),
        "reddit/RS_2011-02/2": ("reddit/RS_2011-01/2", 4, None),
        "reddit/RS_2011-02/3": ("reddit/RS_2011-01/2", 5, None),
    }


def test_escapes_of_reddit_are_undone_and_no_others():
    assert unescaped("http://a.example/?a=1&amp;b=2&amp;lt;") == "http://a.example/?a=1&b=2&lt;"
    assert unescaped("http://a.example/?a=1&copy=2&lt;") == "http://a.example/?a=1&copy=2<"


def test_dates(tmp_path):
    days = {"a": 1_485_900_000, "b": 1_485_993_600, "c": 1_512_086_399, "d": 1_512_086_400, "e": None}
    dump(tmp_path / "dumps/x", [submission(f"http://{name}.example", 9, day) for name, day in days.items()])
    kept = links(tmp_path, "after = '2017-02-02'\nbefore = '2017-12'", "'dumps/x'").read(["domain", "date"])
    assert kept.to_pylist() == [
        {"domain": "b.example", "date": "2017-02-02T00:00:00Z"},
        {"domain": "c.example", "date": "2017-11-30T23:59:59Z"},
    ]
    with pytest.raises(RecipeError, match=r"before = '12/2017' is no date; write 2017-12-01"):
        links(tmp_path, "before = '12/2017'", "'dumps/x'")


def test_rules_and_lists_of_ones_own(tmp_path):
    (tmp_path / "block.txt").write_text("b.example # domain\nhttps://c.example/bad*\nd.example/only\n")
    urls = [
        "en.wikipedia.org/wiki/A",
        "imgur.com/a",
        "x.b.example/",
        "c.example/bad/1",
        "c.example/",
        "d.example/only",
    ]
    dump(tmp_path / "dumps/x.zst", [submission(f"http://{url}") for url in urls])
    dataset = links(tmp_path, "block = 'block.txt'\nrules = ['media']")
    assert [*outcome(dataset).values()].count(None) == 2
    assert Counter(dataset.rejected()["reason"].to_pylist()) == {
        "link:media": 1,
        "url:domain": 1,
        "url:exact": 2,
    }
    assert [leads_to(address(f"http://{url}"), ()) for url in urls] == [None] * len(urls)


def test_a_list_of_urls_has_links_without_karma(tmp_path):
    text = b"\xef\xbb\xbf# ours\nhttps://a.example/1\r\n\na.example/2\nhttp://i.imgur.com/3.jpg\nhttp://a.example/1/\n"
    dump(tmp_path / "dumps/mine.txt.gz", [text])
    dump(tmp_path / "dumps/RS_2011-01.zst", [submission("http://a.example/2")])
    dataset = links(tmp_path, "after = '2005'\nbefore = '2017'")
    kept = {row["page"]: (row["id"], row["karma"], row["submissions"]) for row in dataset.read().to_pylist()}
    assert kept == {
        "a.example/1": ("reddit/mine/2", None, 2),
        "a.example/2": ("reddit/RS_2011-01/1", 5, 2),
    }
    assert outcome(dataset)["mine/5"] == "link:media"
    listed = Listed(paths_of(dataset))
    keys = [
        page_key(address(url).page)
        for url in ("a.example/1", "//a.example/1", "//a.example/2?", "//b.example")
    ]
    found, karma = listed.karma(np.array(keys, np.uint64))
    assert (found.tolist(), karma.tolist()) == ([False, True, True, False], [UNKNOWN, UNKNOWN, 5, UNKNOWN])


@pytest.mark.parametrize("suffix", [".zst", ".xz", ".gz", ".bz2"])
def test_a_cut_or_damaged_dump_says_where(tmp_path, suffix):
    draws = random.Random(1)
    rows = [submission(f"http://a.example/{n}", title=draws.randbytes(200).hex()) for n in range(4_500)]
    path = dump(tmp_path / f"dumps/RS_2011-01{suffix}", rows)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    dataset = links(tmp_path)
    (error,) = dataset.rejected().filter(dataset.rejected()["domain"].is_null()).to_pylist()
    assert error["reason"] == "error:truncated"
    assert error["id"] == f"reddit/RS_2011-01/{dataset.read().num_rows + 1}"
    damaged = bytearray(data)
    damaged[len(data) * 4 // 5 :] = bytes(len(data) - len(data) * 4 // 5)
    path.write_bytes(damaged)
    dataset = links(tmp_path, out="damaged")
    *noise, error = dataset.rejected().to_pylist()
    assert error["reason"] in ("error:corrupt", "error:truncated")
    assert error["id"] == f"reddit/RS_2011-01/{dataset.read().num_rows + len(noise) + 1}"
    assert {row["reason"] for row in noise} <= {"error:json", "link:repeated"}  # what zeros inflate to


@pytest.mark.parametrize("data", [b"", b"no JSON\n" * 3, b'{"body": "a comment"}\n', b"\n\n"])
def test_what_is_no_dump_is_named(tmp_path, data):
    (tmp_path / "RC_2011-01").write_bytes(data)
    with pytest.raises(
        InputError, match=r"RC_2011-01: no submission can be read from it, (line 1 is error|it is)"
    ):
        links(tmp_path, files="'RC_2011-01'")


URLS = st.sampled_from([f"http://{'www.' * (n % 2)}s{n // 4}.example/{'/' * (n % 3 > 1)}" for n in range(24)])
ROWS = st.lists(st.tuples(URLS, st.integers(0, 9), st.none() | st.integers(0, 5)), min_size=1, max_size=40)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_a_plain_twin_says_the_same(tmp_path_factory, dumps):
    folder = tmp_path_factory.mktemp("twin")
    seen = defaultdict(list)
    for name, rows in zip("abc", dumps, strict=False):
        dump(folder / f"dumps/{name}.jsonl", [submission(*row) for row in rows])
        for line, (url, karma, created) in enumerate(rows, 1):
            if karma >= 3:
                late = created is None
                seen[address(url).page].append((late, created or 0, name, line, karma))
    dataset = links(folder)
    kept = {row["page"]: (row["id"], row["karma"], row["submissions"]) for row in dataset.read().to_pylist()}
    assert kept == {
        page: (f"reddit/{min(each)[2]}/{min(each)[3]}", max(one[4] for one in each), len(each))
        for page, each in seen.items()
    }
    counted = dataset.manifests[0].totals
    assert (
        counted["rows_in"] == sum(map(len, dumps)) == counted["rows_out"] + sum(counted["reasons"].values())
    )
    listed = Listed(paths_of(dataset))
    hits, karma = listed.karma(np.array([page_key(page) for page in kept], np.uint64))
    assert hits.all() and karma.tolist() == [each[1] for each in kept.values()]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda v: st.lists(v, max_size=2),
)
ODD = st.text(st.sampled_from("htps:/.@?#[]%&;=\\ \x00\ud800é例ａ。xn-1"), max_size=30)
FIELDS = [
    "url",
    "score",
    "created_utc",
    "is_self",
    "domain",
    "subreddit",
    "ups",
    "downs",
    "url_overridden_by_dest",
]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES | ODD, min_size=1), min_size=40, max_size=80))
def test_nothing_in_a_field_stops_it(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("odd")
    dump(folder / "dumps/a.jsonl", [submission("http://a.example"), *rows])
    dump(folder / "dumps/b.jsonl", [row | {"title": "t", "score": 5} for row in rows] + [submission(None)])
    assert len(outcome(links(folder))) == 2 * len(rows) + 2


def three_dumps(folder):
    for month in range(3):
        rows = [
            submission(f"http://s{n * 31 % 97}.example/{n % 5}", n % 7, 1_300_000_000 + n * 7919 % 1009)
            for n in range(month, 900, 2)
        ]
        dump(folder / f"dumps/RS_2011-0{month}.zst", [*rows, b"{"])


def test_workers_partitions_and_order_make_no_difference(tmp_path, monkeypatch):
    three_dumps(tmp_path)
    alone = toy.contents(tmp_path / "out") if links(tmp_path) else {}
    links(tmp_path, out="two", executor=Processes(2))
    assert toy.contents(tmp_path / "two") == alone
    backwards = "['dumps/RS_2011-02.zst', 'dumps/RS_2011-01.zst', 'dumps/RS_2011-00.zst']"
    monkeypatch.setattr(links_module, "MEMORY", 1 << 10)
    links(tmp_path, files=backwards, out="small")
    small = toy.contents(tmp_path / "small")
    assert len(list((tmp_path / "small/links/tasks/decided").iterdir())) > 8
    same = [name for name in alone if name.startswith(("links/shards", "links/rejected", "links/listed"))]
    assert len(same) == 7
    assert [name for name in same if small[name] != alone[name]] == []


def test_more_dumps_are_refused_before_they_are_read(tmp_path):
    three_dumps(tmp_path)
    links(tmp_path)
    dump(tmp_path / "dumps/RS_2011-09.zst", [submission("http://new.example")])
    with pytest.raises(StaleRunError, match=r"out/links: the input of dumps changed .*--redo links"):
        links(tmp_path)
    assert not (tmp_path / "out/links/read/reddit-RS_2011-09.parquet").exists()
    assert "new.example" in links(tmp_path, redo="links").read(["domain"])["domain"].to_pylist()


def test_a_link_can_be_shown_and_its_way_told(tmp_path, monkeypatch, capsys):
    three_dumps(tmp_path)
    links(tmp_path)
    repeated = next(
        row for row in Dataset(str(tmp_path / "out/links")).rejected().to_pylist() if row["repeats"]
    )
    for arguments, words in {
        ("status", "out"): ["link:karma", "link:repeated", "error:json"],
        ("show", "out/links", "-n", "1"): ["submissions", "karma"],
        ("show", "out/links", "--reason", "link:repeated"): ["repeats", repeated["repeats"]],
        ("why", "out", repeated["id"]): ["rejected: link:repeated"],
    }.items():
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["pipeline", *arguments])
        with pytest.raises(SystemExit, match="0"):
            cli.main()
        printed = capsys.readouterr().out
        assert [word for word in words if word not in printed] == [], printed
