"""Which files a pattern stands for: lists of paths, crawls by name, slices, addresses."""

import gzip

import pytest
from webserver import quick, serving

from pipeline import files
from pipeline.errors import InputError, RecipeError
from pipeline.lists import listed
from pipeline.remote_settings import used

LINES = [f"crawl-data/CC-MAIN-2019-18/segments/{n // 4}/warc/CC-{n:05}.warc.gz" for n in range(12)]


@pytest.fixture(scope="module")
def site():
    with serving() as site:
        text = "".join(f"{line}\n" for line in LINES)
        site.put("/crawl-data/CC-MAIN-2019-18/warc.paths.gz", gzip.compress(text.encode()))
        site.put(
            "/crawl-data/CC-MAIN-2019-18/wet.paths.gz", gzip.compress(text.replace("warc", "wet").encode())
        )
        site.put(
            "/mine/some.paths", b"/a/b.warc.gz\n\n s3://bucket/c.warc.gz \nhttps://a.example/d.warc.gz\n"
        )
        site.put("/empty.paths", b"\n")
        site.put("/damaged.paths.gz", gzip.compress(b"a\nb\n")[:-9])
        site.put("/x.warc.gz", b"-")
        yield site


@pytest.fixture(autouse=True)
def settings(site, tmp_path):
    with used(quick(commoncrawl=site.url("")), str(tmp_path)):
        yield


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("", range(12)),
        ("#0:8", range(8)),
        ("#:8", range(8)),
        ("#10:", range(10, 12)),
        ("#::5", [0, 5, 10]),
        ("#1:9:4", [1, 5]),
        ("#8:100", range(8, 12)),
    ],
)
def test_a_crawl_by_its_name(site, pattern, places):
    wanted = [site.url(f"/{LINES[at]}") for at in places]
    assert files.expand([f"commoncrawl:CC-MAIN-2019-18{pattern}"]) == wanted
    assert files.expand([site.url(f"/crawl-data/CC-MAIN-2019-18/warc.paths.gz{pattern}")]) == wanted
    wet = files.expand([f"commoncrawl:CC-MAIN-2019-18/wet{pattern}"])
    assert wet == [url.replace("warc", "wet") for url in wanted]


def test_the_url_index_of_a_crawl(site):
    parts = "cc-index/table/subset=warc/part-0.parquet\ncc-index/table/subset=robotstxt/part-0.parquet\n"
    site.put("/crawl-data/CC-MAIN-2019-18/cc-index-table.paths.gz", gzip.compress(parts.encode()))
    wanted = [site.url(f"/{line}") for line in sorted(parts.split())]
    assert files.expand(["commoncrawl:CC-MAIN-2019-18/cc-index-table"]) == wanted


def test_the_list_is_asked_for_once(site):
    before = len(site.requests)
    for _ in range(3):
        files.of_source(["commoncrawl:CC-MAIN-2019-18"], "cc")
    assert len(site.requests) == before + 1  # and no file of it


def test_paths_in_a_remote_list_start_from_the_root(site):
    assert listed(site.url("/mine/some.paths")) == [
        site.url("/a/b.warc.gz"),
        "s3://bucket/c.warc.gz",
        "https://a.example/d.warc.gz",
    ]


def test_paths_in_a_local_list_start_from_its_folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / f"in/{name}.warc").write_text("-")
    text = f"in/c.warc\n{tmp_path}/in/a.warc\nhttps://a.example/b.warc\n"
    (tmp_path / "some.paths").write_text(text)
    here, there = str(tmp_path / "in"), "https://a.example/b.warc"
    assert files.expand([f"{tmp_path}/some.paths"]) == [f"{here}/a.warc", there, f"{here}/c.warc"]
    assert files.expand([f"{tmp_path}/some.paths#1:"]) == [f"{here}/a.warc", there]
    assert files.expand([f"{tmp_path}/in/*#:2"]) == [f"{here}/a.warc", f"{here}/b.warc"]
    (tmp_path / "bad.paths").write_text(LINES[0])
    with pytest.raises(InputError, match=r"line 1: no file .*relative to the list's folder.*commoncrawl:"):
        files.expand([f"{tmp_path}/bad.paths"])


def test_a_name_that_looks_like_a_slice_is_a_name(tmp_path):
    (tmp_path / "a#0:1").write_text("-")
    assert files.expand([f"{tmp_path}/a#0:1"]) == [f"{tmp_path}/a#0:1"]


@pytest.mark.parametrize(
    ("path", "basename", "stem"),
    [
        ("/a/CC-1.warc.gz", "CC-1.warc.gz", "CC-1"),
        ("s3://a/b/CC-1.warc.gz", "CC-1.warc.gz", "CC-1"),
        ("https://a.example/b/CC-1.warc.gz?key=a/b.gz&x=1#y", "CC-1.warc.gz", "CC-1"),
        ("https://a.example/b/a%20b%2Fc.jsonl.zst", "a b_c.jsonl.zst", "a b_c"),
        ("/a/what?.warc", "what?.warc", "what?"),
    ],
)
def test_names(path, basename, stem):
    assert files.basename(path) == basename and files.stem(path) == stem


def test_patterns_in_a_recipe():
    assert files.located("a/b.gz", "/home") == "/home/a/b.gz"
    for pattern in ("s3://a/b", "https://a.example/b?c", "commoncrawl:CC-MAIN-2019-18#:3", "/a/b"):
        assert files.located(pattern, "/home") == pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("commoncrawl:2019-18", "is no crawl; write commoncrawl:CC-MAIN-2019-18"),
        ("commoncrawl:CC-MAIN-2019-18/wat", "is no crawl"),
        ("commoncrawl:CC-MAIN-2013-99", r"no file .*CC-MAIN-2013-99/warc.paths.gz \(404"),
        ("commoncrawl:CC-MAIN-2019-18#12:", "takes none of the 12 files"),
        ("commoncrawl:CC-MAIN-2019-18#8", "is no crawl"),
        ("HOST/empty.paths", "is empty"),
        ("HOST/damaged.paths.gz", "not a list of paths"),
        ("HOST/x.warc.gz#3:", "takes none of the 1 files"),
        ("HOST/*.warc.gz", "web servers list no files"),
        ("s3:///x", "names no bucket"),
        ("https://", "names no host"),
        ("hdfs://a/b", "begins with https://"),
    ],
)
def test_mistakes(site, pattern, words):
    with pytest.raises(InputError, match=words):
        files.expand([pattern.replace("HOST", site.url(""))])


def test_two_files_of_one_name(site):
    site.put("/y/x.warc.gz", b"-")
    with pytest.raises(RecipeError, match="same name without folder"):
        files.of_source([site.url("/x.warc.gz"), site.url("/y/x.warc.gz")], "cc")
