"""Records read again by their address: file, offset, length, and the place in a member that holds several."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import takewhile
from typing import IO, NamedTuple

from pipeline.errors import InputError
from pipeline.storage import open_input, read_range
from stages import arc
from stages.warc import Place, Record, read_records

GAP = {"local": 1 << 16, "remote": 1 << 20}  # bytes between two records that cost less than another read
LONGEST = 1 << 24  # bytes of a read that takes several records
_AFTER = arc.LONGEST  # bytes behind a record: the reader tells by them that it ends there


class Address(NamedTuple):
    """Where a record is. Addresses sort as the records lie in their files."""

    path: str
    offset: int
    length: int  # 0 in a gzip member that holds several records: where this one ends is not known
    ordinal: int = 0  # its place among the records of its member


def records_at(addresses: Sequence[Address]) -> Iterator[Record | None]:
    """The record at each of the sorted addresses, or None where there is none (now).

    Neighbours are read at once. In memory is one read, of at most `LONGEST` bytes or one record.
    """
    for near in neighbours(addresses):
        first, last = near[0], near[-1]
        if not first.length:
            yield from _of_member(near)
            continue
        data = read_range(first.path, first.offset, last.offset + last.length + _AFTER - first.offset)
        for address in near:
            start = address.offset - first.offset
            record = _begins(data[start : start + address.length + _AFTER], address.path)
            raw = data[start : start + address.length]
            yield record and replace(record, offset=address.offset, length=address.length, raw=raw)


def neighbours(addresses: Sequence[Address]) -> Iterator[Sequence[Address]]:
    """Runs of sorted addresses to be read at once: near each other, or in one member of unknown length."""
    start = 0
    for at in range(1, len(addresses) + 1):
        if at == len(addresses) or not _together(addresses[start], addresses[at - 1], addresses[at]):
            yield addresses[start:at]
            start = at


def _together(first: Address, last: Address, address: Address) -> bool:
    """Whether `address` is in the run that begins with `first` and so far ends with `last`."""
    if address.path != last.path or not address.length or not last.length:
        return address[:3] == last[:3]
    gap = GAP["remote" if "://" in address.path else "local"]
    near = address.offset - (last.offset + last.length) <= gap
    return near and address.offset + address.length - first.offset <= LONGEST


def _begins(data: bytes, name: str) -> Record | None:
    """The record that the bytes begin with."""
    with suppress(InputError):  # no record at all: the file is another one now
        record = next(read_records(BytesIO(data), name), None)
        return record if record and record.headers else None
    return None


def _of_member(addresses: Sequence[Address]) -> Iterator[Record | None]:
    """Records of the one member that all the addresses are in, inflated once."""
    first = addresses[0]
    with open_input(first.path) as file:
        records = _from_place(file, first)
        record = next(records, None)
        for address in addresses:
            while record is not None and record.ordinal < address.ordinal:
                record = next(records, None)
            yield record if record is not None and record.ordinal == address.ordinal else None


def _from_place(file: IO[bytes], address: Address) -> Iterator[Record]:
    """The record at an address, and what follows in the same member."""
    records = read_records(file, address.path, place=Place(address.offset, address.ordinal))
    with suppress(InputError):  # no record at all: the file is another one now
        yield from takewhile(lambda record: record.offset == address.offset and record.headers, records)
