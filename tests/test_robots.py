"""Opt-outs as pages and servers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset import Dataset
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.response import parse_response
from stages.robots import SIGNAL, opt_outs


def of_page(meta: str) -> str | None:
    page = f"<!DOCTYPE html><html><head><title>Größe</title>{meta}</head><body><p>Text.</p></body></html>"
    return opt_outs({}, page.encode())


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("X-Robots-Tag: noindex", "noindex"),
        ("x-robots-tag: NoAI, noimageai , noindex", "noai,noimageai,noindex"),
        ("X-Robots-Tag: none", "nofollow,noindex"),
        ("X-Robots-Tag: noindex\r\nX-Robots-Tag: ccbot: noai, nofollow", "noindex,ccbot:noai,ccbot:nofollow"),
        ("X-Robots-Tag: ccbot: noai\r\nX-Robots-Tag: noindex", "noindex,ccbot:noai"),
        ("X-Robots-Tag: ccbot: noai, otherbot: noindex", "ccbot:noai,otherbot:noindex"),
        ("X-Robots-Tag: all, index, max-snippet:50, max-image-preview: large", None),
        ("X-Robots-Tag: unavailable_after: 25 Nov 2030 15:00:00 PST", None),
        ("X-Robots-Tag: unavailable_after: Monday, 25 Nov 2030 15:00:00 GMT, noai", "noai"),
        ("TDM-Reservation: 1", "tdm-reservation"),
        ("TDM-Reservation: 0", None),
        ("Server: noindex", None),
    ],
)
def test_headers(fields, found):
    answer = parse_response(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\nText.".encode(), 100)
    assert opt_outs(answer.headers) == found
    assert all(SIGNAL.fullmatch(signal) for signal in (found or "noai").split(","))


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ('<meta name="robots" content="noindex, nofollow">', "nofollow,noindex"),
        ("<META CONTENT='NOAI NOIMAGEAI' NAME=ROBOTS />", "noai,noimageai"),
        ("<meta\nname = robots\ncontent = noai>", "noai"),
        ('<meta name="googlebot" content="noindex"><meta name="robots" content="all">', "googlebot:noindex"),
        ('<meta name="CCBot" content="noai">', "ccbot:noai"),
        ('<meta name="tdm-reservation" content="1">', "tdm-reservation"),
        ('<meta name="tdm-reservation" content="0">', None),
        ('<meta name="robots" content="index, follow, max-image-preview:large">', None),
        ('<meta name="description" content="robots say noai > noindex">', None),
        ('<meta name="a" content="1 > 0"><meta name="robots" content="noai">', "noai"),
        ('<!-- <meta name="robots" content="noai"> -->', None),
        ('<!-- a --><meta name="robots" content="noai"><!-- b -->', "noai"),
        ("<script>document.write('<meta name=robots content=noai>')</script>", None),
        ('<meta name="robots" content="noai"', None),
        ('<meta name="robots">', None),
    ],
)
def test_meta(meta, found):
    assert of_page(meta) == found


def test_a_body_speaks_for_nobody():
    page = b'<head></head><body>&lt;meta&gt;<meta name="robots" content="noai"></body>'
    assert opt_outs({}, page) is None


def test_headers_and_meta_are_one_list():
    page = b'<meta name="robots" content="noindex,noai">'
    assert (
        opt_outs({"x-robots-tag": "noindex", "tdm-reservation": "1"}, page) == "noai,noindex,tdm-reservation"
    )


@given(st.binary(max_size=300), st.text(max_size=100))
def test_any_page_has_signals_or_none(data, header):
    page = b'<meta name="robots" content="' + data + b'">' + data
    found = opt_outs({"x-robots-tag": header}, page)
    assert found is None or all(SIGNAL.fullmatch(signal) for signal in found.split(","))


@pytest.mark.parametrize(
    "piece", ['<meta "', "<meta bot ", '<meta name="robots" content=noai>', "<!--<meta bot>"]
)
def test_a_hostile_head_is_read_to_an_end(piece):
    page = piece.encode() * (300_000 // len(piece))
    assert opt_outs({}, page) == ("noai" if "noai" in piece else None)


RECIPE = """
[steps.crawl]
stage = "extract"
warcs = "crawl.warc"
engine = "trafilatura"
[steps.wanted]
stage = "urls"
documents = "crawl"
respect = ["noai", "noindex"]
[steps.again]
stage = "refine"
documents = "wanted"
warcs = "crawl.warc"
engine = "resiliparse"
"""
PAGES = {  # by their host, header fields and what is in their head
    "open.example": ("X-Robots-Tag: nofollow", "<meta name=bingbot content=noarchive>"),
    "header.example": ("X-Robots-Tag: noai", ""),
    "meta.example": ("Server: x", "<meta name='robots' content='NOINDEX'>"),
    "silent.example": ("Server: x", ""),
}


def record(host: str, field: str, head: str) -> bytes:
    text = f"<html><head>{head}</head><body><p>委员会星期四开会: {host} said so at length.</p></body></html>"
    block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{field}\r\n\r\n{text}".encode()
    fields = {
        "WARC-Type": "response",
        "WARC-Target-URI": f"http://{host}/",
        "WARC-Date": "2026-11-21T08:00:00Z",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"WARC/1.0\r\n{lines}\r\n".encode() + block + b"\r\n\r\n"


def test_pages_keep_what_they_asked_for_when_their_headers_are_gone(tmp_path):
    pages = [record(host, *page) for host, page in PAGES.items()]
    (tmp_path / "crawl.warc").write_bytes(b"".join(pages))
    recipe = parse(RECIPE.encode(), "test", str(tmp_path), STAGES)
    Run(recipe, str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    wanted = Dataset(str(tmp_path / "out/wanted")).rejected()
    assert dict(zip(wanted["url"].to_pylist(), wanted["reason"].to_pylist(), strict=True)) == {
        "http://header.example/": "optout:noai",
        "http://meta.example/": "optout:noindex",
    }
    again = Dataset(str(tmp_path / "out/again")).read()
    assert again["refined"].to_pylist() == ["yes", "yes"]
    assert again["robots"].to_pylist() == ["nofollow,bingbot:noarchive", None]
