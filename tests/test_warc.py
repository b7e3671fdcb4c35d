"""WARC files by many writers, whole and damaged: warcio writes them and is the oracle for the whole ones."""

import gzip
import io
import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.errors import InputError
from stages.response import parse_response
from stages.warc import ROWS, Record, read_records

PAGE = "<html><body><p>{}. 今日は。 Grüße</p></body></html>"
TEXTS = [PAGE.format("page " * n + str(n)).encode() for n in (1, 30, 2000, 2, 40_000, 3)]


def write(gzipped: bool = True, bodies: list[bytes] = TEXTS) -> bytes:
    """A crawl: warcinfo, then request, response and metadata for each body."""
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=gzipped)
    writer.write_record(writer.create_warcinfo_record("crawl.warc.gz", {"software": "a test"}))
    for number, body in enumerate(bodies):
        url = f"http://site{number}.example/ü?q={number}"
        request = StatusAndHeaders("GET / HTTP/1.1", [("Host", "site.example")], is_http_request=True)
        writer.write_record(writer.create_warc_record(url, "request", http_headers=request))
        answer = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], "HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=answer)
        )
        writer.write_record(
            writer.create_warc_record(url, "metadata", payload=io.BytesIO(b"fetchTimeMs: 12"))
        )
    return file.getvalue()


def read(data: bytes, **how: int) -> list[Record]:
    return list(read_records(io.BytesIO(data), "test.warc", **how))


def bodies(records: list[Record]) -> list[bytes]:
    return [parse_response(r.block, 1 << 20).body for r in records if r.type == "response" and not r.error]


def by_warcio(data: bytes) -> list[tuple[str, str | None, bytes]]:
    """(type, url, body) of each record."""
    seen = []
    for record in ArchiveIterator(io.BytesIO(data)):
        body = record.content_stream().read()
        seen.append((record.rec_type, record.rec_headers.get_header("WARC-Target-URI"), body))
    return seen


def one_record(block: bytes, kind: str = "response", **fields: str) -> bytes:
    """A record as written by hand, with a right Content-Length unless another is given."""
    fields = {"Content_Length": str(len(block)), "WARC_Target_URI": "http://a.example/"} | fields
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value)
    return f"WARC/1.0\r\nWARC-Type: {kind}\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


@pytest.mark.parametrize("gzipped", [True, False])
def test_records_are_those_that_warcio_reads(gzipped):
    data = write(gzipped)
    ours = [(r.type, r.url, parse_response(r.block, 1 << 20).body) for r in read(data)]
    for mine, other in zip(ours, by_warcio(data), strict=True):
        assert mine[0] == other[0]
        assert mine[1] == (other[1] or "")
        assert mine[2] == other[2] or mine[0] not in ROWS


@pytest.mark.parametrize("gzipped", [True, False])
def test_an_address_leads_back_to_the_record(gzipped):
    data = write(gzipped)
    records = read(data)
    iterator = ArchiveIterator(io.BytesIO(data))
    for record, _ in zip(records, iterator, strict=True):
        assert record.offset == iterator.get_record_offset()
        again = read(data[record.offset : record.offset + record.length])
        assert [(r.type, r.url, r.block) for r in again] == [(record.type, record.url, record.block)]
    assert sum(r.length for r in records) == len(data)


def test_a_file_gzipped_as_a_whole_has_ids_but_no_ranges():
    data = gzip.compress(write(gzipped=False))
    records = read(data)
    assert bodies(records) == TEXTS
    assert len({r.address for r in records}) == len(records)
    assert {r.length for r in records} == {None}
    both = read(data + write(bodies=[b"more"]))
    assert bodies(both) == [*TEXTS, b"more"]
    assert len({r.address for r in both}) == len(both)


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_file_cut_anywhere_keeps_all_records_before_the_cut(gzipped):
    data = write(gzipped, [b"<p>one</p>", b"<p>two</p>"])
    records = read(data)
    ends = [r.offset + r.length for r in records]
    for cut in range(ends[0], len(data)):
        whole = sum(end <= cut for end in ends)
        got = read(data[:cut])
        assert [r.url for r in got[:whole]] == [r.url for r in records[:whole]]
        assert not any(r.error for r in got[:whole])
        tail = data[ends[whole - 1] : cut]
        if not gzipped and got[whole:] and not got[whole].error:  # only the line ends behind it are missing
            assert got[whole].block == records[whole].block and len(got) == whole + 1
        else:
            expected = ["truncated"] if tail.strip(b"\r\n") else []
            assert [r.error for r in got[whole:]] == expected, cut


def test_a_broken_member_costs_only_itself():
    data = write()
    victim = next(r for r in read(data) if r.type == "response" and r.length > 200)
    middle = victim.offset + victim.length // 2
    end = victim.offset + victim.length
    for broken in (
        data[:middle] + bytes(40) + data[middle + 40 :],  # overwritten
        data[:middle] + data[end:],  # cut short, and the next one follows
        data[: end - 8] + b"\1\2\3\4" + data[end - 4 :],  # another checksum
    ):
        got = read(broken)
        errors = [r for r in got if r.error]
        assert [(r.offset, r.error) for r in errors] == [(victim.offset, "corrupt")]
        assert len(bodies(got)) == len(TEXTS) - 1
        assert sum(r.length for r in got) == len(broken)


GARBAGE = [b"\x1f\x8b\x08 no member", b"GARBAGE" * 300, gzip.compress(b"no record")]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_between_members_is_one_stretch(garbage):
    data = write()
    place = read(data)[7].offset
    got = read(data[:place] + garbage + data[place:])
    assert bodies(got) == TEXTS
    assert [(r.offset, r.length) for r in got if r.error] == [(place, len(garbage))]


def test_padding_is_nothing():
    data = write()
    place = read(data)[7].offset
    got = read(data[:place] + bytes(1000) + data[place:] + bytes(5000))
    assert bodies(got) == TEXTS and not any(r.error for r in got)


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("declared", ["", "5", "999999", "-3", "x", "9" * 30])
def test_a_wrong_content_length_costs_nothing(gzipped, declared):
    pages = [one_record(HTTP + text) for text in TEXTS]
    pages[1] = one_record(HTTP + TEXTS[1], Content_Length=declared)
    data = b"".join(gzip.compress(page) if gzipped else page for page in pages)
    assert bodies(read(data)) == TEXTS


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_block_that_holds_records_itself(gzipped):
    inner = write(False, [b"inner"])
    data = one_record(inner, "resource") + one_record(HTTP + b"outer")
    if gzipped:
        data = b"".join(map(gzip.compress, (one_record(inner, "resource"), one_record(HTTP + b"outer"))))
    resource, outer = read(data)
    assert resource.block == inner and bodies([outer]) == [b"outer"]


def test_a_stored_member_that_holds_members_itself():
    inner = write(True, [b"inner"])
    stored = zlib.compressobj(level=0, wbits=31)
    data = stored.compress(one_record(inner, "resource")) + stored.flush() + gzip.compress(one_record(HTTP))
    resource, outer = read(data)
    assert resource.block == inner and outer.type == "response"


def test_a_block_over_the_limit_is_an_error_and_its_neighbours_live():
    blocks = [HTTP + b"small", HTTP + b"x" * 300_000, HTTP + b"last"]
    for pack in (bytes, gzip.compress):
        got = read(b"".join(pack(one_record(block)) for block in blocks), limit=100_000)
        assert [r.error for r in got] == ["", "too_large", ""]
        assert bodies(got) == [b"small", b"last"]


def test_odd_writers():
    line_feeds = one_record(HTTP.replace(b"\r\n", b"\n") + TEXTS[0]).replace(b"\r\n", b"\n")
    miscounted = one_record(HTTP + TEXTS[0]).replace(b"\r\n", b"\n")
    assert bodies(read(line_feeds + miscounted + line_feeds)) == [TEXTS[0]] * 3
    wget = one_record(HTTP, WARC_Target_URI="<http://a.example/>")
    assert read(wget)[0].url == "http://a.example/"
    old = one_record(HTTP + b"old").replace(b"WARC/1.0", b"WARC/0.18")
    assert bodies(read(old)) == [b"old"]
    latin = one_record(HTTP, WARC_Target_URI="http://a.example/\xe9").decode().encode("latin-1")
    assert read(latin)[0].url == "http://a.example/é"
    wet = one_record("Text, ready. 文".encode(), "conversion")
    assert [(r.type, r.block.decode()) for r in read(wet)] == [("conversion", "Text, ready. 文")]


def test_a_record_without_a_type_or_an_end_of_its_header():
    untyped = one_record(HTTP).replace(b"WARC-Type: response\r\n", b"")
    endless = b"WARC/1.0\r\n" + b"X: y\r\n" * 30_000
    got = read(one_record(HTTP + b"1") + untyped + endless + one_record(HTTP + b"2"))
    assert [r.error for r in got] == ["", "record", "record", ""]
    assert bodies(got) == [b"1", b"2"]


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"just text", gzip.compress(b"text"), b"\x1f\x8b", bytes(100)]
)
def test_what_is_no_warc_is_refused_with_its_name(data):
    with pytest.raises(InputError, match=r"test\.warc is no web archive.*name WARC"):
        read(data)


class Dribble(io.BytesIO):
    """A file that hands out few bytes at a time, as a network does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 700))


ARCHIVES = [write(True, TEXTS[:2]), write(False, TEXTS[:2])]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_raises_or_loses_bytes(data):
    archive = bytearray(data.draw(st.sampled_from(ARCHIVES)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(400, len(archive) - 1))
        junk = data.draw(st.binary(max_size=30))
        archive[place : place + data.draw(st.integers(0, 40))] = junk
    records = read(bytes(archive))
    assert len({r.address for r in records}) == len(records)
    assert list(read_records(Dribble(bytes(archive)), "test.warc")) == records
    for before, after in itertools.pairwise(records):
        assert before.length is None or before.offset + before.length <= after.offset
