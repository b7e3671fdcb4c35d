"""One document of each URL stays: by date across datasets, in plain Python; spellings of URLs and dates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from duplicates import Sources, write
from given import files, kept, make, one_of_each, removed, resharded, run, step
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import shuffle
from pipeline.dataset import Dataset
from pipeline.errors import RecipeError
from pipeline.executors import Processes
from stages import first_of_each
from stages.drop_recrawls import instant

URLS = [
    None,
    "",
    "mailto:me",
    "http://a.example/x",
    "https://www.a.example/x/",
    "http://a.example/y?utm_source=b",
]
PAGES = {URLS[3]: "x", URLS[4]: "x", URLS[5]: "y"}
DATES = {None: None, "soon": None, "2024": 0, "2024-01-01T00:00:00Z": 0, "2024-03": 60, "20240302000000": 61}


def twin(sources: Sources, keep: str) -> tuple[dict[str, int], dict[str, str]]:
    """(id -> recrawls of what stays, id -> what stays instead)."""
    sign = -1 if keep == "newest" else 1
    ordered = []
    for place, (source, parts) in enumerate(sources.items()):
        for number, rows in enumerate(parts):
            for n, row in enumerate(rows):
                day = DATES[row["date"]]
                name = f"{source}/{number:03d}/{n}"
                ordered.append((day is None, sign * (day or 0), place, name, PAGES.get(row["url"])))
    ordered.sort(key=lambda each: each[:4])
    return one_of_each((name, page) for *_, name, page in ordered)


@st.composite
def some_sources(draw: st.DrawFn) -> Sources:
    def document() -> dict[str, object]:
        return {"url": draw(st.sampled_from(URLS)), "date": draw(st.sampled_from(list(DATES)))}

    names = ["march", "april"][: draw(st.integers(1, 2))]
    return {
        name: [[document() for _ in range(draw(st.integers(0, 8)))] for _ in range(draw(st.integers(1, 3)))]
        for name in names
    }


@settings(deadline=None, max_examples=12)
@given(some_sources(), st.sampled_from(["newest", "first"]), st.integers(1, 3))
def test_it_is_what_the_twin_says_in_any_shards(tmp_path_factory, sources, keep, shards):
    counts, gone = twin(sources, keep)
    for each in (sources, resharded(sources, shards)):
        dataset = run(tmp_path_factory.mktemp("run"), each, "drop_recrawls", keep=keep)
        assert kept(dataset, "recrawls") == counts
        assert removed(dataset, "recrawl_of") == gone
        assert set(removed(dataset, "reason").values()) <= {f"recrawl:{keep}"}


def test_spellings_of_a_url(tmp_path):
    same = [
        "http://bücher.example/straße?q=1",
        "https://www.XN--BCHER-KVA.example/stra%c3%9fe?q=1#top",
        "//me@bücher.example:443/straße?q=1",
    ]
    page = [
        *same,
        "http://bücher.example/straße/?q=1&utm_source=x",
        "http://bücher.example/straße?gclid=7&q=1",
    ]
    others = ["http://bücher.example/straße", "http://bücher.example/Straße?q=1", "http://m.bücher.example/"]
    others += [
        f"http://a.example/{word}" for word in ("图书", "図書", "도서", "หนังสือ", "كتاب", "पुस्तक", "книга")
    ]
    sources = {"web": [[{"url": url} for url in [*page, *others]]]}
    assert list(removed(run(tmp_path / "page", sources, "drop_recrawls"), "url").values()) == page[1:]
    dataset = run(tmp_path / "address", sources, "drop_recrawls", same="address")
    assert list(removed(dataset, "url").values()) == same[1:]


def test_dates_are_those_of_the_calendar():
    utc = datetime(2024, 3, 1, 12, 30, 5, tzinfo=UTC)
    micro = timedelta(microseconds=1)
    for written in (
        "2024-03-01T12:30:05Z",
        "2024-03-01 12:30:05",
        "20240301123005",
        "2024-03-01T14:30:05+02:00",
    ):
        assert instant(written) == (utc - datetime(1970, 1, 1, tzinfo=UTC)) // micro, written
    there = datetime(1969, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert instant("1969-12-31T20:00:00.25-05:00") == int(there.timestamp() * 10**6) + 250_000
    assert instant("2024") == instant("2024-01") == instant("2024-01-01T00:00:00Z")
    assert instant("0001-01-01") < instant("1969") < 0 == instant("1970")
    for nothing in ("", "soon", "2024-13", "2024-02-30", "Fri, 01 Mar 2024", "March 2024", "0000", "9" * 14):
        assert instant(nothing) is None


def test_the_newest_of_two_crawls_stays_whichever_is_listed_first(tmp_path):
    march = [{"url": "http://a.example/", "date": "2024-03-01T00:00:00Z"}]
    april = [{"url": "http://a.example/", "date": "2024-04-01T00:00:00Z"}]
    for sources in ({"march": [march], "april": [april]}, {"april": [april], "march": [march]}):
        folder = tmp_path / "-".join(sources)
        newest = run(folder, sources, "drop_recrawls")
        assert removed(newest, "recrawl_of") == {"march/000/0": "april/000/0"}
        assert kept(run(folder, sources, "drop_recrawls", "first", keep="first"), "recrawls") == {
            "march/000/0": 1
        }
    tables = newest.manifests[0].totals
    assert (tables["with_url"], tables["undated"]) == (2, 0)


def test_the_same_bytes_for_other_partitions_and_workers_and_twice_changes_nothing(tmp_path, monkeypatch):
    rows = [{"url": f"http://a.example/{n % 17}", "date": f"20{n:02d}", "text": str(n)} for n in range(80)]
    sources = {"web": [rows[:30], rows[30:], []]}
    wanted = run(tmp_path, sources, "drop_recrawls")
    assert files(run(tmp_path, sources, "drop_recrawls", "workers", Processes(2))) == files(wanted)
    recipe = write(tmp_path, sources) + step("once", "drop_recrawls", ["web"])
    out = make(tmp_path, recipe + step("twice", "drop_recrawls", ["once"]), "twice")
    once, twice = (Dataset(str(out / name)) for name in ("once", "twice"))
    assert removed(twice, "url") == {} and twice.read().equals(once.read())
    monkeypatch.setattr(first_of_each, "ROW_BYTES", 1 << 16)
    monkeypatch.setattr(shuffle, "FAN_IN", 2)
    assert files(run(tmp_path, sources, "drop_recrawls", "small", memory=1)) == files(wanted)
    assert len(list((tmp_path / "small/made/tasks/firsts").iterdir())) > 2


def test_mistakes_are_refused(tmp_path):
    sources = {"web": [[{"text": "a"}]]}
    with pytest.raises(RecipeError, match=r"steps.made.*keep.*'newest'"):
        run(tmp_path, sources, "drop_recrawls", "a", keep="last")
    with pytest.raises(RecipeError, match=r"steps.made.*memory = -1 must be at least 1"):
        run(tmp_path, sources, "drop_recrawls", "b", memory=-1)
