"""ARC files of both versions, plain and gzipped, whole and damaged: warcio is the oracle for version 1."""

import gzip
import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from pipeline.errors import InputError
from stages.page import read_page
from stages.warc import Record, read_records

PAGES = [
    "<p>One page, and a word.</p>",
    "<p>今日は。</p>" * 400,
    "",
    "<p>Größe\n\nhttp://a.example/ x</p>",
    "<p>4</p>",
]
ONE = "URL IP-address Archive-date Content-type Archive-length"
TWO = "URL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename Archive-length"


def line(
    url: str, length: int | str, kind: str = "text/html", version: int = 1, date: str = "20080430204825"
) -> str:
    more = " 200 6ef0a9ce15 - 1234 an.arc" if version == 2 else ""
    return f"{url} 207.241.229.39 {date} {kind}{more} {length}\n"


def first(version: int = 1) -> bytes:
    body = f"{version} 0 Its Maker\n{(ONE, TWO)[version - 1]}\n".encode()
    return line("filedesc://an.arc", len(body), "text/plain", version).encode() + body + b"\n"


def fetched(html: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html.encode()


def pieces(version: int = 1, wrong: int | str = "") -> list[bytes]:
    """The records of an archive; the second page with a wrong length, if one is given."""
    records = [first(version)]
    for number, html in enumerate(PAGES):
        block = fetched(html)
        length = wrong if wrong != "" and number == 1 else len(block)
        url = f"http://site{number}.example/a page?q=ü{number}"
        records.append(line(url, length, version=version).encode() + block + b"\n")
    dns = b"20080430204825\na.example.\t589\tIN\tA\t1.2.3.4\n"
    records.insert(2, line("dns:a.example", len(dns), "text/dns", version).encode() + dns + b"\n")
    return records


PACKS = {
    "plain": b"".join,
    "a member a record": lambda parts: b"".join(map(gzip.compress, parts)),
    "one member": lambda parts: gzip.compress(b"".join(parts)),
}


def read(data: bytes) -> list[Record]:
    return list(read_records(io.BytesIO(data), "test.arc"))


def pages(records: list[Record]) -> list[str]:
    found = [read_page(record, "winnow") for record in records if record.type == "response"]
    return [page.text or page.reason or "" for page in found]


TEXTS = ["One page, and a word.", "scheme:dns", "今日は。" * 400, "empty", "Größe http://a.example/ x", "4"]


def whole(records: list[Record]) -> bool:
    return [text.replace("\n", "") for text in pages(records)] == TEXTS


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("version", [1, 2])
def test_records_of_both_versions(pack, version):
    records = read(PACKS[pack](pieces(version)))
    assert [record.type for record in records] == ["warcinfo"] + ["response"] * 6
    assert whole(records)
    assert records[1].url == "http://site0.example/a page?q=ü0"
    assert records[1].headers["warc-date"] == "20080430204825"
    assert len({record.address for record in records}) == 7


@pytest.mark.parametrize("pack", ["plain", "a member a record"])
def test_records_are_those_that_warcio_reads(pack):
    data = PACKS[pack](pieces())
    theirs = []
    iterator = ArchiveIterator(io.BytesIO(data), arc2warc=False)
    for record in iterator:
        kind = {"arc_header": "warcinfo"}.get(record.rec_type, record.rec_type)
        theirs.append((kind, record.rec_headers.get_header("uri"), iterator.get_record_offset()))
    ours = [(record.type, record.url, record.offset) for record in read(data)]
    assert [each[::2] for each in ours] == [each[::2] for each in theirs]
    assert ours[1][1] == "http://site0.example/a page?q=ü0"


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("wrong", [0, 7, 99_999, -1, "abc", "9" * 20])
def test_a_wrong_length_costs_nothing(pack, wrong):
    assert whole(read(PACKS[pack](pieces(wrong=wrong))))


@pytest.mark.parametrize("pack", ["plain", "a member a record"])
def test_an_address_leads_back_to_the_record(pack):
    data = PACKS[pack](pieces())
    for record in read(data):
        (again,) = read(data[record.offset : record.offset + record.length])
        assert (again.type, again.url, again.block) == (record.type, record.url, record.block)
        behind = read(data[record.offset : record.offset + record.length + 40])[0]
        assert behind.block == record.block


def test_a_broken_member_costs_only_itself():
    parts = list(map(gzip.compress, pieces()))
    for victim in range(len(parts)):
        broken = [*parts]
        broken[victim] = parts[victim][:30] + b"\0\xff" * 9 + parts[victim][48:]
        records = read(b"".join(broken))
        assert sum(bool(record.error) for record in records) == 1
        assert len(records) == len(parts)
        assert sum(record.length for record in records) == sum(map(len, broken))


def test_a_file_cut_anywhere_keeps_all_records_before_the_cut():
    parts = pieces()[:4]
    data = b"".join(parts)
    ends = list(itertools.accumulate(map(len, parts)))
    for cut in range(ends[0], len(data)):
        records = read(data[:cut])
        known = sum(end <= cut for end in ends)
        assert not any(record.error for record in records[:known])
        assert [record.offset for record in records[:known]] == [0, *ends][:known]
        assert len(records) <= known + 1


def test_headers_of_wild_writers():
    kinds = ["text/html; charset=utf-8", "text/html, text/plain", "", "no-type", "text/html;charset=x y"]
    for kind in kinds:
        for date in ("20080430204825", "200804302048", "201404010000000000"):
            for address in ("1.2.3.4", "-", "0.0.0.0", "2001:db8::1"):
                record = line("http://a.example/", len(fetched("<p>x</p>")), kind, date=date)
                record = record.replace("207.241.229.39", address)
                _, found = read(first() + record.encode() + fetched("<p>x</p>") + b"\n")
                assert pages([found]) == ["x"]
    latin = line("http://a.example/\xe9", 3).encode("latin-1") + b"abc\n"
    assert read(first() + latin)[1].url == "http://a.example/é"
    index = "dns:a.example 1.2.3.4 20060329081336 text/dns 56 2-2-2006.arc 1596 9b03ea39d107841a5c9c\n" * 9
    block = line("metadata://a.example/cdx", len(index), "application/x-cdx") + index + "\n"
    assert len(read(first() + block.encode())) == 2


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damage_raises_or_loses_bytes(data):
    archive = bytearray(PACKS[data.draw(st.sampled_from(sorted(PACKS)))](pieces()))
    start = len(first())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(start, len(archive) - 1))
        archive[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=30))
    try:
        records = read(bytes(archive))
    except InputError:  # the one member broke before its first record was whole
        return
    assert len({record.address for record in records}) == len(records)
    for before, after in itertools.pairwise(records):
        assert before.length is None or before.offset + before.length <= after.offset
