"""HTTP messages as crawlers stored them: status, fields and body, whatever is declared and broken."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stages.response import parse_fields, parse_response, unchunked

PAGE = ("<html><body><p>" + "page " * 2000 + "今日は。 Grüße</p></body></html>").encode()
OK = "HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
        ("identity", bytes),
        ("gzip", bytes),  # a header that lies
        ("br", bytes),
        ("unknown", bytes),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_are_decoded(coding, encode, chunked):
    body = encode(PAGE)
    fields = f"Content-Encoding: {coding}\r\n"
    if chunked:
        fields += "Transfer-Encoding: chunked\r\n"
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    block = f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + body
    assert parse_response(block, 1 << 20).body == PAGE


@pytest.mark.parametrize("pack", [gzip.compress, brotli.compress, zstandard.compress])
def test_a_compression_bomb_is_not_inflated(pack):
    coding = {gzip.compress: b"gzip", brotli.compress: b"br", zstandard.compress: b"zstd"}[pack]
    block = b"HTTP/1.1 200 OK\r\nContent-Encoding: " + coding + b"\r\n\r\n" + pack(bytes(1 << 26))
    assert 1 << 20 < len(parse_response(block, 1 << 20).body) < 1 << 21


def test_chunks_that_break_off_or_are_none():
    assert unchunked(b"5\r\nhello\r\n5\r\nwor") == b"hellowor"
    assert unchunked(b"5\r\nhello\r\nnonsense") == b"hello"
    assert unchunked(b"<html>not chunked") == b"<html>not chunked"
    assert unchunked(b"") == b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 404 Not Found", 404),
        (b"HTTP/1.0 200", 200),
        (b"HTTP/2 200 ", 200),
        (b"ICY 200 OK", 200),
        (b"HTTP/1.1 OK", None),
        (b"Date: today", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_status_lines(head, status):
    answer = parse_response(head + b"\r\nContent-Type: text/html\r\n\r\nbody", 100)
    assert answer.status == status
    if head:
        assert answer.headers["content-type"] == "text/html" and answer.body == b"body"


def test_header_fields_that_are_none():
    data = b"A: 1\r\nno colon\r\n folded\r\nB: 2\r\n more\r\nb: again\r\nX-\xc3\xa9: \xc3\xa9\r\n:empty\r\n"
    assert parse_fields(data) == {"a": "1", "b": "2 more", "x-é": "é"}
    assert parse_fields(b"A: \xff") == {"a": "ÿ"}


ENCODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: br, gzip\r\n\r\n"


@given(st.binary(max_size=300))
def test_any_block_can_be_parsed(block):
    parse_response(block, 100)
    parse_response(ENCODED + block, 100)


def chunks(body: bytes, size: int = 1000, end: bytes = b"\r\n") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b%b%b" % (len(piece), end, piece, end) for piece in pieces) + b"0" + end + end


def test_chunks_that_nobody_declared_are_undone_if_they_are_whole():
    for body in (chunks(PAGE), chunks(PAGE, 100_000, b"\n"), chunks(PAGE) + b"\n"):
        assert parse_response(OK.encode() + b"Server: x\r\n\r\n" + body, 1 << 20).body == PAGE
    for body in (b"2010\n<html>", b"5\r\nhello", b"5\r\nhello\r\n5\r\nworld", b"0\r\n\r\n", b"c\r\n"):
        assert parse_response(OK.encode() + b"\r\n" + body, 1 << 20).body == body
    declared = OK.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
    assert parse_response(declared + b"5\nyears and more", 1 << 20).body == b"5\nyears and more"
    assert parse_response(declared + b"0\r\n\r\n", 1 << 20).body == b""


def test_gzip_that_nobody_declared_is_undone_where_html_is_declared():
    head = OK.encode() + b"Content-Type: text/html\r\n\r\n"
    assert parse_response(head + gzip.compress(PAGE), 1 << 20).body == PAGE
    packed = gzip.compress(PAGE)
    assert parse_response(OK.encode() + b"Content-Type: application/zip\r\n\r\n" + packed, 9).body == packed


@pytest.mark.parametrize(
    ("coding", "encode", "most"),
    [
        ("gzip", gzip.compress, 0.5),
        ("deflate", zlib.compress, 0.5),
        ("deflate", lambda body: zlib.compress(body)[2:-4], 0.5),
        ("br", brotli.compress, 0.4),
        ("zstd", lambda body: zstandard.compress(body, 1), 0.0),
    ],
)
def test_of_a_body_cut_short_there_is_the_beginning(coding, encode, most):
    text = "".join(f"<p>Line {n * n}</p>\n" for n in range(5000)).encode()
    body = encode(text)
    head = f"{OK}Content-Encoding: {coding}\r\n\r\n".encode()
    found = parse_response(head + body[: len(body) * 2 // 3], 1 << 20).body
    if most:
        assert text.startswith(found) and len(found) > most * len(text)


def test_of_a_corrupt_body_there_is_what_comes_before():
    text = "".join(f"<p>Line {n * n}</p>\n" for n in range(5000)).encode()
    body = gzip.compress(text)
    broken = body[: len(body) // 2] + b"\xff" * 300 + body[len(body) // 2 + 300 :]
    found = parse_response(OK.encode() + b"Content-Encoding: gzip\r\n\r\n" + broken, 1 << 20).body
    assert found.startswith(text[: len(text) // 3])
    two = gzip.compress(PAGE) + gzip.compress(PAGE) + b"\0\0"
    assert parse_response(OK.encode() + b"Content-Encoding: gzip\r\n\r\n" + two, 1 << 20).body == PAGE * 2


@pytest.mark.parametrize(
    ("block", "status", "kind", "body"),
    [
        (b"<!DOCTYPE html>\n\n<p>a: b</p>", None, None, b"<!DOCTYPE html>\n\n<p>a: b</p>"),
        (b"<html>\r\nContent-Type: text/html\r\n\r\n<p>x", None, "text/html", b"<p>x"),
        (b"Content-Type: text/html\r\n\r\n<p>x", None, "text/html", b"<p>x"),
        (b"HTTP/1.1 abc OK\r\nContent-Type: text/html\r\n\r\n<p>x", None, "text/html", b"<p>x"),
        (b"HTTP/1.1\r\nContent-Type: text/html\r\n\r\n<p>x", None, "text/html", b"<p>x"),
        (b"\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>x", 200, "text/html", b"<p>x"),
        (b"HTTP/1.0 200 OK\n\n\n<p>x", 200, None, b"\n<p>x"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nno end", 200, "text/html", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Type:\r\n text/html\r\n\r\n<p>x", 200, "text/html", b"<p>x"),
    ],
)
def test_headers_that_are_none(block, status, kind, body):
    answer = parse_response(block, 1 << 20)
    assert (answer.status, answer.headers.get("content-type"), answer.body) == (status, kind, body)
