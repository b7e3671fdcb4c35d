"""Lists of domains, URLs, words and ids: text files, one entry a line, kept as sorted 64-bit hashes.

Millions of entries take 8 bytes each. Two entries of a list share a hash by chance once in 2^64 pairs, so a
list of five million rejects one URL wrongly in some 10^12.

Files are UTF-8, plain or compressed (.gz, .zst, .bz2, .xz). Empty lines count for nothing, nor does what
follows a `#` at the beginning of a line or after a blank.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.words import words
from pipeline.errors import InputError
from pipeline.files import expand
from pipeline.hashing import UInt64s, among, hash_bytes, hash_text, mix
from pipeline.storage import open_input
from stages.canonical import Address, address, ascii_host
from stages.curated import Damage, inflated
from stages.text import nfc

Bools = NDArray[np.bool_]
_COMMENT = r"(^|\s)#.*$"
_LABELS = r"[a-z0-9_-]+(\.[a-z0-9_-]+)"
_PLAIN = rf"^{_LABELS}+$"  # a domain that is spelt as hosts are
_HOST = re.compile(rf"{_LABELS}*|\[[0-9a-f:.]+\]")
_MOST_LABELS = 128  # DNS has room for 127
_BEGINNING = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)  # of a URL
_EMPTY = np.empty(0, np.uint64)


class Line(NamedTuple):
    """An entry, and where it stands, for messages."""

    entry: str
    path: str
    number: int  # from 1

    def refused(self, why: str) -> InputError:
        """That it is not what it should be."""
        shown = self.entry if len(self.entry) <= 80 else f"{self.entry[:80]}…"
        return InputError(f"{self.path}, line {self.number}: '{shown}' {why}")


class DomainList(NamedTuple):
    """Domains, each of which stands for itself and all below it."""

    keys: UInt64s

    def holds(self, addresses: Sequence[Address]) -> Bools:
        """Whether the host of each address is or lies below one of them."""
        if not len(self.keys):
            return np.zeros(len(addresses), bool)
        above = [_above(place.host) for place in addresses]
        rows = np.repeat(np.arange(len(above)), [len(names) for names in above])
        found = among(_hashes(name for names in above for name in names), self.keys)
        return np.bincount(rows[found], minlength=len(above)) > 0


class UrlList(NamedTuple):
    """URLs in their canonical form, and prefixes of such."""

    keys: UInt64s
    prefixes: UInt64s
    lengths: tuple[int, ...]  # of the prefixes

    def holds(self, addresses: Sequence[Address]) -> Bools:
        """Whether each address is one of them, or begins with a prefix."""
        urls = [place.key for place in addresses]
        found = among(_hashes(urls), self.keys)
        for length in self.lengths:
            rows = [row for row, url in enumerate(urls) if len(url) >= length]
            found[rows] |= among(_hashes(urls[row][:length] for row in rows), self.prefixes)
        return found


class WordList(NamedTuple):
    """Words, each a run of units of the word splitter: one, or several as in 成人 or 'casino bonus'."""

    keys: Mapping[int, UInt64s]  # by the number of units

    def counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """How many different ones of them are in each text."""
        if not self.keys:
            return np.zeros(len(texts), np.int64)
        split = words(pa.array([nfc(text) for text in texts], pa.large_string()))
        rows = np.repeat(np.arange(len(texts)), np.diff(split.offsets))
        counts = np.zeros(len(texts), np.int64)
        for length, keys in self.keys.items():
            runs, last = _runs(split.hashes, length), rows[length - 1 :]
            first = rows[: len(last)]
            found = (first == last) & among(runs, keys)
            pairs = np.unique(np.stack([first[found].astype(np.uint64), runs[found]]), axis=1)
            counts += np.bincount(pairs[0].astype(np.int64), minlength=len(texts))
        return counts


class BlockList(NamedTuple):
    """Domains and URLs of one list."""

    domains: DomainList
    urls: UrlList

    def reason(self, place: Address) -> str | None:
        """Why an address is blocked, as `urls` says it."""
        if self.domains.holds([place])[0]:
            return "url:domain"
        return "url:exact" if self.urls.holds([place])[0] else None


class ForgetList(NamedTuple):
    """Documents to forget: by id, by URL, or by domain."""

    ids: UInt64s
    urls: UrlList
    domains: DomainList

    def holds(self, ids: pa.Array | pa.ChunkedArray, addresses: Sequence[Address]) -> Bools:
        """Whether each document is one of them."""
        named = among(hash_text(ids), self.ids)
        return named | self.urls.holds(addresses) | self.domains.holds(addresses)


def read_domains(patterns: Sequence[str]) -> DomainList:
    """Domains from lists; one in another script equals its punycode, `*.a.example` is `a.example`."""
    keys: list[UInt64s] = []
    for path, first, lines in _pieces(patterns):
        plain = pc.match_substring_regex(lines, _PLAIN)
        keys.append(hash_text(lines.filter(plain)))
        others = _lines(path, first, lines, pc.invert(plain))
        keys.append(_hashes(_domain(line) for line in others))
    return DomainList(_sorted(keys))


def read_urls(patterns: Sequence[str]) -> UrlList:
    """URLs from lists; one that ends in `*` is a prefix."""
    return _urls(read_lines(patterns))


def read_blocked(patterns: Sequence[str]) -> BlockList:
    """Domains and URLs from lists of both: a URL has a slash."""
    keys: list[UInt64s] = []
    urls: list[Line] = []
    for path, first, lines in _pieces(patterns):
        plain = pc.match_substring_regex(lines, _PLAIN)
        keys.append(hash_text(lines.filter(plain)))
        others = list(_lines(path, first, lines, pc.invert(plain)))
        keys.append(_hashes(_domain(line) for line in others if "/" not in line.entry))
        urls += [line for line in others if "/" in line.entry]
    return BlockList(DomainList(_sorted(keys)), _urls(urls))


def read_words(patterns: Sequence[str]) -> WordList:
    """Words from lists."""
    keys: dict[int, list[UInt64s]] = {}
    for path, first, lines in _pieces(patterns):
        entries = list(_lines(path, first, lines))
        split = words(pa.array([nfc(line.entry) for line in entries], pa.large_string()))
        for at, line in enumerate(entries):
            units = split.hashes[split.offsets[at] : split.offsets[at + 1]]
            if not len(units):
                raise line.refused("has neither letters nor digits, so it matches nothing; take it out")
            keys.setdefault(len(units), []).append(_runs(units, len(units)))
    return WordList({length: _sorted(keys[length]) for length in sorted(keys)})


def read_forgotten(patterns: Sequence[str]) -> ForgetList:
    """Documents to forget from lists: a domain has no slash, an id two; both where one may be a URL.

    That is so with `a.example/2024/10`: without scheme, it is a URL as well.
    """
    ids: list[str] = []
    urls: list[Line] = []
    domains: list[UInt64s] = []
    for path, first, lines in _pieces(patterns):
        plain = pc.match_substring_regex(lines, _PLAIN)
        domains.append(hash_text(lines.filter(plain)))
        for line in _lines(path, first, lines, pc.invert(plain)):
            name, *rest = line.entry.split("/")
            is_whole, is_word = _BEGINNING.match(line.entry), " " not in line.entry
            is_bare = is_word and "." in (host := ascii_host(name)) and _HOST.fullmatch(host)
            if is_whole or (rest and is_bare):
                urls.append(line)
            if not rest and is_word:
                domains.append(_hashes([_domain(line)]))
            elif not is_whole and len(rest) > 1:
                ids.append(line.entry)
            elif not is_whole and not (rest and is_bare):
                raise line.refused(
                    "is neither an id, such as cc/CC-MAIN-2024-10-00017/8123, nor a URL, such as "
                    "https://a.example/page, nor a domain, such as a.example; write one a line"
                )
    return ForgetList(_sorted([_hashes(ids)]), _urls(urls), DomainList(_sorted(domains)))


def read_lines(patterns: Sequence[str]) -> Iterator[Line]:
    """The entries of lists, whatever they are of."""
    return (line for path, first, lines in _pieces(patterns) for line in _lines(path, first, lines))


def _above(host: str) -> list[str]:
    """A host and the domains above it: 'a.b.example' -> itself, 'b.example', 'example'."""
    labels = host.split(".")[-_MOST_LABELS:]
    return [".".join(labels[at:]) for at in range(len(labels))]


def _domain(line: Line) -> str:
    name = ascii_host(line.entry.removeprefix("*"))
    if not _HOST.fullmatch(name):
        raise line.refused("is no domain; write one a line, such as a.example, without https:// and path")
    if not (set(name) & {".", "["} or line.entry.startswith((".", "*."))):
        raise line.refused(f"has no full stop; if you mean the whole top-level domain, write .{name}")
    return name


def _urls(lines: Iterable[Line]) -> UrlList:
    whole: list[int] = []
    prefixes: list[int] = []
    lengths: set[int] = set()
    for line in lines:
        whole_url = _BEGINNING.match(line.entry)
        place = address(line.entry.removesuffix("*") if whole_url else f"//{line.entry.removesuffix('*')}")
        if place.host and " " in line.entry:
            raise line.refused("has a blank in it, which no URL has; write %20 for it, or one URL a line")
        if not place.host or not (whole_url or "." in place.host):
            raise line.refused(
                "is no URL; write one a line, such as https://a.example/page, or https://a.example/blog/* "
                "for all that begin with it"
            )
        is_prefix = line.entry.endswith("*")
        (prefixes if is_prefix else whole).append(hash_bytes(place.key.encode()))
        lengths |= {len(place.key)} if is_prefix else set()
    keys, starts = (_sorted([np.array(each, np.uint64)]) for each in (whole, prefixes))
    return UrlList(keys, starts, tuple(sorted(lengths)))


def _runs(hashes: UInt64s, length: int) -> UInt64s:
    """A hash of each run of so many units, by the unit that it begins with."""
    count = max(len(hashes) - length + 1, 0)
    runs = hashes[:count]
    with np.errstate(over="ignore"):
        for at in range(1, length):
            runs = mix(runs) + hashes[at : at + count]
    return runs


def _hashes(strings: Iterable[str]) -> UInt64s:
    return np.array([hash_bytes(string.encode("utf-8", "replace")) for string in strings], np.uint64)


def _sorted(keys: Sequence[UInt64s]) -> UInt64s:
    known = np.concatenate([_EMPTY, *keys])
    known.sort()  # in place; what is there twice does no harm, and np.unique would take four times as long
    return known


def _lines(path: str, first: int, lines: pa.Array, wanted: pa.Array | None = None) -> Iterator[Line]:
    """The entries among lines, or among those that are wanted."""
    filled = pc.greater(pc.binary_length(lines), 0)
    at = np.flatnonzero(pc.and_(filled, wanted) if wanted is not None else filled)
    for place, entry in zip(at.tolist(), lines.take(pa.array(at)).to_pylist(), strict=True):
        yield Line(entry, path, first + place)


def _pieces(patterns: Sequence[str]) -> Iterator[tuple[str, int, pa.Array]]:
    """Of all lists: file, number of the first line, some lines without comments and blanks at their ends."""
    for path in expand(patterns):
        first = 1
        with closing(_raw(path)) as pieces:
            for piece in pieces:
                yield path, first, _tidy(piece, path, first)
                first += len(piece)


def _tidy(piece: list[bytes], path: str, first: int) -> pa.Array:
    try:
        lines = pa.array(piece, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        at = next(at for at, line in enumerate(piece) if not _is_utf8(line))
        raise InputError(f"{path}, line {first + at} is not UTF-8; save the list as UTF-8") from None
    lines = pc.utf8_ltrim(lines, "\ufeff")  # the byte order mark that some editors write
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(lines, _COMMENT, ""))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _raw(path: str) -> Generator[list[bytes], None, None]:
    """The lines of a file, decompressed, some at a time."""
    rest, number = b"", 0
    with open_input(path) as file:
        try:
            for data in inflated(file, path.rpartition(".")[2].lower()):
                *lines, rest = (rest + data).split(b"\n")
                yield lines
                number += len(lines)
        except Damage as damage:
            raise InputError(f"{path}: the file is {damage} after line {number}; get it again") from damage
    yield [rest]
