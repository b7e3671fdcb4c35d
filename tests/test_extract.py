"""Archives to documents: through the engine, as a recipe runs it, and the parts that need a closer look."""

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Executor, Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.domain import registered_domain
from stages.engines import ENGINES, engine_version
from stages.extract import Extract, iso_date
from stages.media import media_type
from stages.page import read_page
from stages.warc import Record

PAGE = """<!DOCTYPE html><html><head><meta charset="{charset}"><title>News</title></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
<main><article><h1>{title}</h1><p>{text}</p><p>{text}</p><img alt="ALTERNATIVE" src="x.png"></article></main>
<footer>Copyright 2026</footer></body></html>"""


def page(text: str, charset: str = "utf-8", codec: str = "utf-8") -> bytes:
    return PAGE.format(charset=charset, title="A title", text=text).encode(codec)


class Archive:
    """A WARC file in the making."""

    def __init__(self) -> None:
        self.file = io.BytesIO()
        self._writer = WARCWriter(self.file, gzip=True)

    def add(self, kind: str, url: str, payload: bytes = b"", http: str = "", **fields: str) -> "Archive":
        """A record; `http` is a status line and header fields, a line each."""
        first, *rest = http.split("\n")
        headers = [tuple(line.split(": ", 1)) for line in rest]
        answer = StatusAndHeaders(first, headers, "HTTP/1.1") if http else None
        dated = {"WARC-Date": "2026-11-21T08:00:00Z"} | {k.replace("_", "-"): v for k, v in fields.items()}
        record = self._writer.create_warc_record(
            url, kind, io.BytesIO(payload), http_headers=answer, warc_headers_dict=dated
        )
        self._writer.write_record(record)
        return self

    def page(self, url: str, payload: bytes, http: str = "200 OK\nContent-Type: text/html") -> "Archive":
        return self.add("response", url, payload, http)

    def save(self, path: Path) -> Path:
        path.write_bytes(self.file.getvalue())
        return path


def run(folder: Path, fields: str, out: str = "out", executor: Executor | None = None) -> Dataset:
    """Run a recipe of one step over files in the folder."""
    text = f"error_limit = 1.0\n[steps.crawl]\nstage = 'extract'\n{fields}"
    recipe = parse(text.encode(), "test", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), say=lambda line: None).run()
    return Dataset(str(folder / out / "crawl"))


def outcome(dataset: Dataset) -> dict[str, str]:
    """url -> text, or reason."""
    kept = dataset.read(["url", "text"]).to_pylist()
    gone = dataset.rejected().to_pylist()
    return {row["url"]: row["text"] for row in kept} | {row["url"]: row["reason"] for row in gone}


def test_every_row_is_kept_or_has_a_reason(tmp_path):
    good = page(SENTENCES["en"])
    archive = Archive().add("warcinfo", "", b"software: test")
    archive.add("request", "http://a.example/", http="GET / HTTP/1.1")
    archive.page("http://a.example/good", good)
    archive.page("http://a.example/xhtml", good, "200 OK\nContent-Type: Application/XHTML+xml; charset=UTF-8")
    archive.page("http://a.example/untyped", good, "200 OK\nServer: x")
    archive.page("http://a.example/mistyped", good, "200 OK\nContent-Type: text/plain")
    archive.page("http://a.example/plain", b"Plain\r\ntext.", "200 OK\nContent-Type: text/plain")
    archive.page("http://a.example/moved", good, "301 Moved\nContent-Type: text/html\nLocation: /x")
    archive.page("http://a.example/gone", good, "404 Not Found\nContent-Type: text/html")
    archive.page("http://a.example/pdf", b"%PDF-1.4", "200 OK\nContent-Type: Application/PDF")
    archive.page("http://a.example/image", b"\x89PNG\r\n\x1a\n" + bytes(99))
    archive.page("http://a.example/binary", bytes(range(256)) * 8)
    archive.page("http://a.example/strange", b"?", "200 OK\nContent-Type: <script>alert(1)</script>")
    archive.page("http://a.example/empty", b"  \n ")
    archive.page("http://a.example/textless", b"<html><body><img src=x></body></html>")
    archive.page("http://a.example/deep", b"<div>" * 100_000 + b"text")
    archive.page("http://a.example/wide", b"<p " + b"a=1 " * 200_000 + b">text")
    archive.page("http://a.example/large", b"<p>text" * (2 << 20))
    archive.add("response", "dns:a.example", b"a.example. 1 IN A 1.2.3.4", Content_Type="text/dns")
    archive.add("resource", "http://a.example/file", good, Content_Type="text/html")
    archive.add("resource", "metadata://wget/log", b"log", Content_Type="text/plain")
    archive.add("conversion", "http://a.example/wet", "Ready text. 文".encode(), Content_Type="text/plain")
    archive.add("metadata", "http://a.example/", b"time: 1")
    archive.save(tmp_path / "crawl.warc.gz")
    dataset = run(tmp_path, "warcs = 'crawl.warc.gz'\nlicense = 'CC0'")
    seen = outcome(dataset)
    for name in ("good", "xhtml", "untyped", "mistyped", "file"):
        text = seen.pop(f"http://a.example/{name}")
        assert text.count(SENTENCES["en"]) == 2
        assert not any(word in text for word in ("About", "ALTERNATIVE", "<"))
    assert {url.removeprefix("http://a.example/"): what for url, what in seen.items()} == {
        "plain": "Plain\ntext.",
        "wet": "Ready text. 文",
        "moved": "http:301",
        "gone": "http:404",
        "pdf": "type:application/pdf",
        "image": "type:image/png",
        "binary": "type:application/octet-stream",
        "strange": "type:none",
        "empty": "empty",
        "textless": "empty",
        "deep": "error:too_deep",
        "wide": "error:too_many_attributes",
        "large": "error:too_large",
        "dns:a.example": "scheme:dns",
        "metadata://wget/log": "scheme:metadata",
    }
    counts = json.loads((tmp_path / "out/crawl/tasks/shards/cc-crawl.json").read_text())["counts"]
    assert counts["rows_in"] == counts["rows_out"] + sum(counts["reasons"].values()) == 20
    types = {name.removeprefix("records:"): n for name, n in counts.items() if name.startswith("records:")}
    assert types == {
        "warcinfo": 1,
        "request": 1,
        "response": 17,
        "resource": 2,
        "conversion": 1,
        "metadata": 1,
    }


def test_the_columns_of_a_document(tmp_path):
    archive = Archive().page("http://news.site.co.uk/größe?q=a b", page(SENTENCES["en"], "latin1", "latin-1"))
    archive.add("conversion", "http://b.example/", b"text", WARC_Date="yesterday", Content_Type="text/plain")
    path = archive.save(tmp_path / "CC-MAIN-1.warc.gz")
    first, second = (
        run(tmp_path, "warcs = 'CC-MAIN-1.warc.gz'\nsource = 'cc'\nlicense = 'CC0'").read().to_pylist()
    )
    length = first.pop("length")
    assert first.pop("text").count(SENTENCES["en"]) == 2
    assert first == {
        "id": "cc/CC-MAIN-1/0",
        "source": "cc",
        "url": "http://news.site.co.uk/größe?q=a b",
        "date": "2026-11-21T08:00:00Z",
        "license": "CC0",
        "domain": "site.co.uk",
        "split": "train",
        "warc": "CC-MAIN-1.warc.gz",
        "offset": 0,
        "charset": "utf-8",
        "replaced": 0.0,
        "engine": "winnow",
        "engine_version": engine_version("winnow"),
        "robots": None,
    }
    assert second["id"] == f"cc/CC-MAIN-1/{length}" and second["offset"] == length
    assert second["length"] == path.stat().st_size - length
    assert (second["date"], second["charset"]) == (None, "utf-8")
    assert (second["engine"], second["engine_version"]) == ("wet", None)


def test_a_page_of_which_too_much_is_lost_is_rejected(tmp_path):
    archive = Archive()
    for number, lost in enumerate((0, 1, 30)):
        text = page(SENTENCES["ru"] * 9).replace("о".encode(), b"\xff", lost)
        archive.page(f"http://a.example/{number}", text, "200 OK\nContent-Type: text/html; charset=utf-8")
    archive.page("http://a.example/3", page("\ufffd " * 99))
    archive.save(tmp_path / "crawl.warc.gz")
    dataset = run(tmp_path, "warcs = 'crawl.warc.gz'")
    shares = dataset.read(["replaced"])["replaced"].to_pylist()
    assert shares[0] == 0 < shares[1] < 0.01
    gone = dataset.rejected().select(["replaced", "reason"]).to_pylist()
    assert [row["reason"] for row in gone] == ["error:charset"] * 2
    assert all(row["replaced"] > 0.01 for row in gone)
    assert len(run(tmp_path, "warcs = 'crawl.warc.gz'\nmax_replaced = 1.0", "all").read()) == 4


CODECS = {"zh": "gb18030", "ja": "shift_jis", "ko": "euc-kr", "th": "tis-620", "ar": "windows-1256"}


@pytest.mark.parametrize("engine", ENGINES)
def test_all_scripts_and_their_charsets_come_out_whole(tmp_path, engine):
    archive = Archive()
    for language, text in SENTENCES.items():
        archive.page(f"http://{language}.example/utf-8", page(text))
        codec = {"ru": "koi8-r"}.get(language) or CODECS.get(language, "utf-16le")
        archive.page(f"http://{language}.example/legacy", page(text, codec, codec))
    archive.save(tmp_path / "crawl.warc.gz")
    seen = outcome(run(tmp_path, f"warcs = 'crawl.warc.gz'\nengine = '{engine}'"))
    assert len(seen) == 2 * len(SENTENCES)
    for url, text in seen.items():
        assert SENTENCES[url[7:9]] in text, url


def test_files_folders_globs_and_lists_name_the_same_archives(tmp_path):
    (tmp_path / "crawl" / "deep").mkdir(parents=True)
    for name in ("crawl/a.warc.gz", "crawl/deep/b.warc.gz"):
        Archive().page(f"http://{name[-9]}.example/", page(name)).save(tmp_path / name)
    plain = Archive().page("http://c.example/", page("c")).file.getvalue()
    (tmp_path / "crawl" / "c.warc").write_bytes(gzip.decompress(plain))
    (tmp_path / "crawl" / "readme.txt").write_text("not this")
    listed = "a.warc.gz\ndeep/b.warc.gz\n\nc.warc\n"
    (tmp_path / "crawl" / "warc.paths").write_text(listed)
    (tmp_path / "crawl" / "warc.paths.gz").write_bytes(gzip.compress(listed.encode()))
    ids = []
    for at, warcs in enumerate(("crawl", "crawl/**/*.warc*", "crawl/warc.paths", "crawl/warc.paths.gz")):
        if at == 1:
            (tmp_path / "crawl" / "warc.paths").rename(tmp_path / "kept")
            (tmp_path / "crawl" / "warc.paths.gz").rename(tmp_path / "kept.gz")
        ids.append(run(tmp_path, f"warcs = '{warcs}'", f"out{at}").read(["id", "url"]).to_pydict())
        if at == 1:
            (tmp_path / "kept").rename(tmp_path / "crawl" / "warc.paths")
            (tmp_path / "kept.gz").rename(tmp_path / "crawl" / "warc.paths.gz")
    assert ids[0]["id"] == ["cc/a/0", "cc/b/0", "cc/c/0"]
    assert ids[1:] == ids[:1] * 3


def test_one_process_or_two_write_the_same_bytes(tmp_path):
    for n in range(3):
        archive = Archive()
        for m in range(40):
            archive.page(f"http://s{m % 7}.example/{m}", page(f"{SENTENCES['en']} {n} {m}"))
        archive.save(tmp_path / f"{n}.warc.gz")
    run(tmp_path, "warcs = '*.warc.gz'", "one")
    run(tmp_path, "warcs = ['2.warc.gz', '[01].warc.gz']", "two", Processes(2))
    files = sorted(f.relative_to(tmp_path / "one") for f in (tmp_path / "one").rglob("*.parquet"))
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_validation_is_a_share_of_domains(tmp_path):
    archive = Archive()
    for n in range(400):
        archive.page(f"http://www{n % 2}.site{n // 2}.example/{n}", page(f"text {n}"))
    archive.save(tmp_path / "crawl.warc.gz")
    table = run(tmp_path, "warcs = 'crawl.warc.gz'\nvalidation = 0.2").read(["domain", "split"]).to_pylist()
    sides: dict[str, set[str]] = {}
    for row in table:
        sides.setdefault(row["domain"], set()).add(row["split"])
    assert len(sides) == 200 and all(len(side) == 1 for side in sides.values())
    assert 25 <= sum(side == {"val"} for side in sides.values()) <= 55


def test_mistakes_are_named(tmp_path):
    (tmp_path / "notes.warc.gz").write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(InputError, match=r"notes\.warc\.gz is no web archive"):
        run(tmp_path, "warcs = 'notes.warc.gz'")
    with pytest.raises(InputError, match="missing"):
        run(tmp_path, "warcs = 'missing/*.warc.gz'")
    with pytest.raises(RecipeError, match=r"validation = 2\.0 must lie between"):
        run(tmp_path, "warcs = 'notes.warc.gz'\nvalidation = 2.0")
    with pytest.raises(RecipeError, match="engine"):
        run(tmp_path, "warcs = 'notes.warc.gz'\nengine = 'lynx'")


# The parts.


def response(body: bytes, fields: str = "Content-Type: text/html") -> Record:
    block = f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body
    return Record(0, 1, 0, {"warc-type": "response", "warc-target-uri": "http://a.example/"}, block)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=500), st.text(max_size=30), st.sampled_from(sorted(ENGINES)))
def test_no_page_raises(body, kind, engine):
    for markup in (body, b"<html><p>" + body):
        found = read_page(response(markup, f"Content-Type: {kind}"), engine)
        assert bool(found.text) == (found.reason is None)
    assert read_page(Record(0, 1, 0, {"warc-type": "conversion"}, body), engine)


def test_a_page_without_a_main_part_is_not_lost():
    body = "<html><body><div class='cookie-banner'><p>" + "All that there is on this page. " * 5
    for engine in ENGINES:
        found = read_page(response(body.encode()), engine)
        assert found.text and found.text.startswith("All that there is")


@pytest.mark.parametrize(
    ("declared", "body", "kind"),
    [
        ("text/html", b"<p>x", "text/html"),
        ("TEXT/HTML;charset=x", b"x", "text/html"),
        ("", b" \n<!-- a --><!-- b -->\n<!DOCTYPE HTML>", "text/html"),
        ("", b"\xef\xbb\xbf<?xml version='1.0'?><html>", "text/html"),
        ("", b"no markup", "none"),
        ("html", b"<html>", "text/html"),
        ("text/plain", b"a < b", "text/plain"),
        ("text/plain", b"<HTML>", "text/html"),
        ("text/css", b"<html>", "text/css"),
        ("text/html", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("text/html", b"GIF89a", "image/gif"),
        ("text/html", bytes(100) + b"x" * 200, "application/octet-stream"),
        ("text/html", "<p>文字".encode("utf-16"), "text/html"),
        ("text/html", "<p>文字 and more".encode("utf-16-be"), "text/html"),
        ("text/html", b"<p>one\0 NUL in a sentence that has a certain length. " * 4, "text/html"),
        ("a/b" * 99, b"x", "none"),
        ("", b"<!---->" * 400 + b"x", "none"),  # would take for ever if the pattern tried all ways
    ],
)
def test_media_types(declared, body, kind):
    assert media_type(declared, body) == kind


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://a.b.example.co.uk/x", "example.co.uk"),
        ("http://www.stadt-köln.de", "xn--stadt-kln-67a.de"),
        ("http://user:pass@WWW.Example.COM.:8080/", "example.com"),
        ("http://someone.github.io/page", "someone.github.io"),
        ("http://co.uk/", "co.uk"),
        ("http://localhost/", "localhost"),
        ("http://192.168.0.1/x", "192.168.0.1"),
        ("http://[2001:db8::1]:80/x", "[2001:db8::1]"),
        ("http://例え.jp/?q=http://other.com", "xn--r8jz45g.jp"),
        ("http://a..b.example/", "a..b.example"),
        ("dns:example.com", ""),
        ("not a url", ""),
        ("", ""),
    ],
)
def test_registered_domains(url, domain):
    assert registered_domain(url) == domain


@given(st.text(max_size=60))
def test_any_url_has_a_domain_or_none(url):
    registered_domain(url)
    registered_domain(f"http://{url}")


@pytest.mark.parametrize(
    ("date", "iso"),
    [
        ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"),
        ("2026-11-21T08:00:00.123456Z", "2026-11-21T08:00:00.123456Z"),
        ("20261121080000", "2026-11-21T08:00:00Z"),
        ("2026", "2026"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(date, iso):
    assert iso_date(date) == iso


def test_fields_are_checked_when_made():
    with pytest.raises(ValueError, match="validation"):
        Extract(warcs=("x",), validation=-1)


def test_a_page_without_a_status_or_a_type_is_read_if_it_is_one():
    def outcome(block: bytes, **fields: str) -> str | None:
        headers = {"warc-type": "response", "content-type": "application/http"} | fields
        page = read_page(Record(0, 1, 0, headers, block), "winnow")
        return page.text or page.reason

    assert outcome(b"Content-Type: text/html\r\n\r\n<p>A page.</p>") == "A page."
    assert outcome(b"<html><body><p>A page.</p>\n\n</body></html>") == "A page."
    assert outcome(b"HTTP/1.1 abc\r\n\r\nWords.") == "http:none"
    assert outcome(b"") == "http:none"
    identified = {"warc-identified-payload-type": "text/plain"}
    assert outcome(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nWords.", **identified) == "Words."
    assert outcome(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nWords.") == "type:none"
