"""The embedded crawl of `configs/tiny/`: made again it is the same, and its truth is true of it."""

import gzip
import html
import importlib
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from warcio.archiveiterator import ArchiveIterator

CONFIGS = Path(__file__).parent.parent / "configs"
TINY = CONFIGS / "tiny"
GENERATED = (
    "crawl/tiny-00000.warc.gz", "crawl/tiny-00001.warc.gz", "crawl/tiny-00002.warc.gz", "truth.jsonl",
    "books.jsonl", "wiki.jsonl.gz", "web.jsonl", "benchmark.jsonl",
)  # fmt: skip
LANGUAGES = {"en", "de", "fr", "es", "ru", "zh", "ja", "ko", "ar", "hi", "th"}


def content(path):
    """Bytes of a file, unpacked: another zlib may pack them differently."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def rows(name):
    return [json.loads(line) for line in content(TINY / name).decode().splitlines()]


@pytest.fixture(scope="module")
def truth():
    return {row["url"]: row for row in rows("truth.jsonl")}


@pytest.fixture(scope="module")
def records():
    """(file, type, url, status, content type, body) of every record, as warcio reads them."""
    found = []
    for path in sorted(TINY.glob("crawl/*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                http = record.http_headers if record.rec_type == "response" else None
                status = int(http.get_statuscode()) if http else 0
                kind = http.get_header("Content-Type") if http else ""
                url = record.rec_headers.get_header("WARC-Target-URI")
                body = record.content_stream().read()
                found.append((path.name, record.rec_type, url, status, kind, body))
    return found


@pytest.fixture(scope="module")
def bodies(records):
    return {url: body for _, kind, url, _, _, body in records if kind == "response"}


@pytest.fixture(scope="module")
def told():
    """What the generator says: the text of each page that has one, by address; each curated text, by id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CONFIGS))
        crawl, texts = importlib.import_module("tiny_crawl"), importlib.import_module("tiny_texts")
        pages = {draft.url: draft.text for draft in crawl.drafts() if draft.text}
        curated = {text.id: text.text for text in (*texts.books(), *texts.wiki(), *texts.web())}
    return pages, curated


def grams(text):
    """Word 5-grams; a character of Chinese, Japanese or Thai is a word."""
    words = re.findall(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|\w+", text.lower())
    return set(zip(*(words[n:] for n in range(5)), strict=False))


def jaccard(left, right):
    return len(left & right) / len(left | right)


def visible(body, row):
    return html.unescape(re.sub(r"<[^>]*>", "", body.decode(row.get("charset", "utf-8"))))


def test_the_generator_writes_the_committed_files(tmp_path):
    subprocess.run([sys.executable, CONFIGS / "make_tiny.py", tmp_path], check=True, capture_output=True)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == set(GENERATED)
    for name in GENERATED:
        assert content(tmp_path / name) == content(TINY / name), name


def test_sizes():
    sizes = {name: (TINY / name).stat().st_size for name in GENERATED}
    assert sum(sizes.values()) < 1_550_000
    assert sum(len(gzip.compress(content(TINY / name))) for name in GENERATED if name[-2:] != "gz") < 90_000


def test_the_warcs_are_shaped_like_common_crawl(records, truth):
    counts = Counter((name, kind) for name, kind, *_ in records)
    full = "tiny-00000.warc.gz"
    assert counts[full, "request"] == counts[full, "response"] == counts[full, "metadata"] == 150
    assert [counts[f"tiny-0000{n}.warc.gz", "warcinfo"] for n in range(3)] == [1, 1, 1]
    responses = [record for record in records if record[1] == "response"]
    assert 900 <= len(responses) <= 1200
    assert {url for _, _, url, *_ in responses} == set(truth)
    assert len(truth) == len(responses) == len(rows("truth.jsonl"))
    for _, _, url, status, *_ in responses:
        assert status == truth[url].get("status", 200)


def test_each_gzip_member_is_one_record(records):
    for path in sorted(TINY.glob("crawl/*.warc.gz")):
        with path.open("rb") as file:
            offsets = []
            archive = ArchiveIterator(file)
            for _ in archive:
                offsets.append(archive.get_record_offset())
        data = path.read_bytes()
        assert all(data[offset : offset + 2] == b"\x1f\x8b" for offset in offsets)


def test_variety(records, truth):
    domains = {urlsplit(url).hostname.removeprefix("www.").removeprefix("blog.") for url in truth}
    assert 100 <= len(domains) <= 150
    assert all(domain.endswith(".example") for domain in domains)
    kinds = Counter(row["kind"] for row in truth.values())
    expected = {
        "encyclopedia": 70,
        "news": 80,
        "howto": 60,
        "recipe": 45,
        "essay": 50,
        "article": 140,
        "shop": 90,
    }
    expected |= {
        "forum": 50,
        "listing": 40,
        "spam": 50,
        "gibberish": 20,
        "form": 20,
        "error": 20,
        "redirect": 15,
    }
    expected |= {"plain": 5, "json": 2, "pdf": 1, "image": 1, "empty": 1}
    assert {kind: count for kind, count in expected.items() if kinds[kind] < count} == {}
    languages = Counter(row.get("lang", "en") for row in truth.values())
    assert set(languages) == LANGUAGES
    assert min(languages.values()) >= 15
    assert languages["en"] > 600
    assert len({row.get("charset", "utf-8") for row in truth.values()}) >= 12
    headers = Counter(row.get("header") for row in truth.values())
    assert headers["wrong"] == 2
    assert headers["missing"] >= 20
    assert sum(len(body) > 60_000 for *_, body in records) == 1


def test_pages_are_written_in_their_charset_and_say_so(records, truth):
    for _, kind, url, _, content_type, body in records:
        if kind != "response" or not content_type.startswith("text/html") or truth[url].get("status"):
            continue
        row = truth[url]
        charset = row.get("charset", "utf-8")
        text = body.decode(charset)
        said = re.search(r"charset=([\w-]+)", content_type)
        if row.get("header") == "wrong":
            assert said[1] != charset
        elif row.get("header") == "missing":
            assert said is None
        else:
            assert said is None or said[1] == charset
            assert body == b"" or said or f'charset="{charset}"' in text or f"charset={charset}" in text


def test_articles_stand_in_their_pages(bodies, truth, told):
    pages, _ = told
    for url, text in pages.items():
        seen = visible(bodies[url], truth[url])
        assert all(paragraph in seen for paragraph in [text.title, *text.paragraphs()]), url


def test_copies_have_the_stated_similarity(truth, told):
    pages, curated = told
    copies = [row for row in truth.values() if "copy_of" in row]
    assert len(copies) >= 60
    for row in copies:
        original = pages.get(row["copy_of"]) or curated[row["copy_of"]]
        measured = jaccard(grams(pages[row["url"]].body()), grams(original.body()))
        assert measured == pytest.approx(row["jaccard"], abs=1e-4)
        assert 0.8 <= measured <= 0.98 or measured == 1.0
        assert urlsplit(row["url"]).hostname != urlsplit(row["copy_of"]).hostname
    assert sum("://" not in row["copy_of"] for row in copies) >= 15  # curated, and in the crawl as well
    members = defaultdict(list)
    for row in truth.values():
        if "group" in row:
            members[row["group"]].append(row)
    assert all(len(rows) > (rows[0]["group"] < "curated") for rows in members.values())


def test_other_articles_are_not_alike(truth, told):
    pages, _ = told
    groups = {url: truth[url].get("group", url) for url in pages}
    shingles = {url: grams(text.body()) for url, text in pages.items() if text.lang == "en"}
    urls = sorted(shingles)
    found = [
        jaccard(shingles[left], shingles[right])
        for place, left in enumerate(urls)
        for right in urls[place + 1 :: 3]
        if groups[left] != groups[right]
    ]
    assert max(found) < 0.35
    assert sum(found) / len(found) < 0.02


def test_planted_examples_are_in_the_pages(bodies, truth):
    examples = {row["id"]: row["text"] for row in rows("benchmark.jsonl")}
    assert len(examples) == 60
    assert 28 <= sum(len(text.split()) >= 13 for text in examples.values()) <= 36
    planted = {url: row["benchmark"] for url, row in truth.items() if "benchmark" in row}
    assert len(planted) == len(set(planted.values())) == 22
    for url, example in planted.items():
        text = examples[example]
        assert text in visible(bodies[url], truth[url])
        assert len(text.split()) >= 13 or (example.startswith("long_zh") and len(text) > 40)


def test_curated_texts():
    books, wiki, web = rows("books.jsonl"), rows("wiki.jsonl.gz"), rows("web.jsonl")
    assert [30 <= len(books) <= 40, 140 <= len(wiki) <= 160, len(web) == 120] == [True] * 3
    every = [*books, *wiki, *web]
    assert len({row["id"] for row in every}) == len({row["url"] for row in every}) == len(every)
    for row in every:
        assert set(row) == {"id", "title", "url", "text", "lang", "license"}
        assert row["license"] == "CC0-1.0"
    assert {row["lang"] for row in wiki} == LANGUAGES
    assert {row["lang"] for row in books} == {"en", "zh"}
    assert all(len(row["text"]) >= 300 for row in books if row["lang"] == "zh")
    assert all(len(row["text"].split()) >= 300 for row in books if row["lang"] == "en")
    assert not any(re.search(r"[{}\[\]]|\s\s(?!\n)|  ", row["text"].replace("\n\n", "\n")) for row in every)
