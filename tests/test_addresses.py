"""Records by their address are those that a reader of the whole file meets."""

import gzip
import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.addresses import GAP, LONGEST, Address, neighbours, records_at
from stages.warc import Record, read_records

HEAD = "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: http://a.example/{n}\r\n"
LETTERS = [bytes([letter]) for letter in range(97, 123)]


def record(n: int, size: int, wrong: int = 0) -> bytes:
    """A record of `size` bytes; it says that it has `wrong` more."""
    head = f"{HEAD.format(n=n)}Content-Length: {size + wrong}\r\n\r\n"
    return head.encode() + LETTERS[n % 26] * size + b"\r\n\r\n"


def archive(records: list[bytes], how: str) -> bytes:
    """The records plain, in gzip members of one or three each, or all in one member."""
    if how == "plain":
        return b"".join(records)
    each = {"one": 1, "three": 3, "all": len(records)}[how]
    groups = [records[at : at + each] for at in range(0, len(records), each)]
    return b"".join(gzip.compress(b"".join(group), mtime=0) for group in groups)


def address(path: str, found: Record) -> Address:
    if found.length is None:
        return Address(path, found.offset, 0, found.ordinal)
    return Address(path, found.offset, found.length)


RECORDS = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([0, 0, 0, 9, 70, 5000, -3])), min_size=1)


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.sampled_from(["plain", "one", "three", "all"]), st.randoms(use_true_random=False))
def test_any_choice_of_records_is_read_as_in_the_whole_file(tmp_path_factory, sizes, how, chance):
    path = tmp_path_factory.mktemp("w") / "a.warc"
    path.write_bytes(archive([record(n, *size) for n, size in enumerate(sizes)], how))
    with path.open("rb") as file:
        found = {address(str(path), each): each for each in read_records(file, "a.warc")}
    chosen = sorted(chance.sample(sorted(found), chance.randint(0, len(found))))
    for at, again in zip(chosen, records_at(chosen), strict=True):
        assert again is not None
        before = found[at]
        assert (again.headers, again.block, again.error) == (before.headers, before.block, before.error)


def test_what_is_no_record_is_none(tmp_path):
    path = tmp_path / "a.warc.gz"
    path.write_bytes(archive([record(n, 50) for n in range(4)], "all") + b"no gzip" * 20)
    end = path.stat().st_size
    wrong = [
        Address(str(path), 0, 0, 4),  # the member has four
        Address(str(path), 5, 40),
        Address(str(path), end - 60, 30),
        Address(str(path), end - 60, 0, 0),
        Address(str(path), end + 99, 10),
    ]
    assert list(records_at(wrong)) == [None] * 5
    assert list(records_at([])) == []


@pytest.mark.parametrize("path", ["a.warc.gz", "https://a.example/a.warc.gz"])
@given(st.lists(st.tuples(st.integers(0, 1 << 28), st.integers(1, 1 << 23)), unique_by=lambda each: each[0]))
def test_neighbours_share_a_read_of_bounded_length(path, places):
    addresses = sorted(Address(path, offset, length) for offset, length in places)
    runs = list(neighbours(addresses))
    assert [each for run in runs for each in run] == addresses
    gap = GAP["remote" if "://" in path else "local"]
    for run in runs:
        for before, after in pairwise(run):
            assert after.offset - before.offset - before.length <= gap
        assert len(run) == 1 or run[-1].offset + run[-1].length - run[0].offset <= LONGEST
    for run, following in pairwise(runs):
        start, end = run[-1].offset + run[-1].length, following[0].offset
        longer = following[0].offset + following[0].length - run[0].offset
        assert end - start > gap or longer > LONGEST


def test_members_of_unknown_length_are_read_by_themselves():
    places = [
        Address("a", 0, 9),
        Address("a", 9, 0, 1),
        Address("a", 9, 0, 2),
        Address("a", 99, 0),
        Address("b", 99, 9),
    ]
    assert [len(run) for run in neighbours(places)] == [1, 2, 1, 1]


def test_a_read_stays_small_however_many_records_are_wanted(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(record(n, 1 << 20) for n in range(40)))
    with path.open("rb") as file:
        wanted = [address(str(path), each) for each in read_records(io.BytesIO(file.read()), "a")]
    assert [len(run) for run in neighbours(wanted)] == [15, 15, 10]
    assert [each.block[:1] for each in records_at(wanted) if each] == [LETTERS[n % 26] for n in range(40)]
