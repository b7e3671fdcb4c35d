"""More of the same pages: variations that are no copies of each other, to have enough of them to measure on.

A variation has the page's markup, length, language and words; its words have changed places, each with
others as long as itself, so that hardly a run of five of them is left. Every tenth variation is a near-copy
of the one before, and benchmark examples are pasted into a few, so that deduplication and decontamination
find something.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from fastwarc.warc import ArchiveIterator
from numpy.typing import NDArray
from resiliparse.parse.encoding import detect_encoding

from benchmarks.bare_loop import is_html
from stages.domain import registered_domain

NEAR_COPY = 10  # every so many variations, one is a near-copy
CHANGED = 0.02  # share of the words in which it differs
PASTED = 25  # every so many pages, one holds an example,
TIMES = 8  # and every example is pasted so often: common phrases would not count
LEVEL = 2  # of gzip: quick

_NO_TEXT = r"<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->|<[^>]*>|&[#\w]+;"
NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # scripts
_WORD = re.compile(rf"{_NO_TEXT}|([{NO_SPACES}]|[^\W{NO_SPACES}]+)", re.DOTALL | re.IGNORECASE)
_WORD_ASCII = re.compile(rf"{_NO_TEXT}|([a-z0-9]+)", re.DOTALL | re.IGNORECASE | re.ASCII)
_OK = re.compile(rb"HTTP/\S+ +200\b")
_TYPE = re.compile(rb"^content-type:[ \t]*([\w/+-]*)", re.MULTILINE | re.IGNORECASE)


class Written(NamedTuple):
    """WARC files, and how many HTML responses are in them."""

    paths: list[str]
    pages: int


@dataclass(frozen=True)
class Text:
    """A text in which words can change places."""

    pieces: list[str]  # what is between words and, at odd places, the words
    lengths: NDArray[np.int64]  # of the words, in bytes

    @staticmethod
    def of(text: str, word: re.Pattern[str] = _WORD) -> "Text":
        """Find the words of HTML or plain text."""
        edges = [edge for found in word.finditer(text) if found[1] for edge in found.span(1)]
        bounds = [0, *edges, len(text)]
        pieces = [text[start:end] for start, end in pairwise(bounds)]
        return Text(pieces, np.array([len(word.encode()) for word in pieces[1::2]], np.int64))

    def varied(self, key: int, number: int) -> str:
        """Variation `number`; 0 is the text itself."""
        order = np.arange(len(self.lengths))
        near = number % NEAR_COPY == NEAR_COPY - 1
        if number:
            order = shuffled(self.lengths, order, key, number - near)
        if near:
            start, size = len(order) // 3, int(CHANGED * len(order))
            order[start : start + size] = shuffled(self.lengths, order[start : start + size], key, number)
        pieces, words = list(self.pieces), self.pieces[1::2]
        pieces[1::2] = [words[place] for place in order.tolist()]
        return "".join(pieces)


@dataclass(frozen=True)
class Page:
    """An HTTP response with HTML."""

    head: bytes
    text: Text
    codec: str

    @staticmethod
    def of(block: bytes) -> "Page | None":
        """The page in a response with status 200, if it is HTML, and its words.

        Where the charset is unclear, only words of ASCII change places.
        """
        head, blank, body = block.partition(b"\r\n\r\n")
        declared = _TYPE.search(head)
        if not (_OK.match(head) and is_html(declared and declared[1].decode().lower(), body)):
            return None
        codec = detect_encoding(body) or "utf-8"
        try:
            text = body.decode(codec)
            faithful = text.encode(codec) == body
        except (UnicodeError, LookupError):
            faithful = False
        if faithful:
            return Page(head + blank, Text.of(text), codec)
        return Page(head + blank, Text.of(body.decode("latin-1"), _WORD_ASCII), "latin-1")

    def varied(self, key: int, number: int) -> bytes:
        """The block of variation `number`."""
        return self.head + self.text.varied(key, number).encode(self.codec)


def write_warcs(
    sources: Iterable[str],
    folder: str,
    numbers: range,
    shards: int,
    examples: Sequence[str],
    limit: int | None = None,
) -> Written:
    """Write variations of the records (the first `limit`) of WARC files, spread over `shards` files.

    A response with status 200 and HTML is written in the variations `numbers`; other records are repeated.
    """
    paths = [f"{folder}/varied-{shard:05d}.warc.gz" for shard in range(shards)]
    pages = 0
    with ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        for key, (headers, block) in enumerate(islice(_records(sources), limit)):
            page = Page.of(block) if headers.get("WARC-Type") == "response" else None
            for number in numbers:
                content = block
                if page:
                    content = _pasted(page.varied(key, number), pages, examples)
                    pages += 1
                files[number % shards].write(_member(headers, number, content))
    return Written(paths, pages)


def write_texts(source: str, path: str, documents: int) -> None:
    """Write variations of the texts of a JSON-lines file, as many as there shall be `documents`."""
    with (
        gzip.open(source, "rt", encoding="utf-8")
        if source.endswith(".gz")
        else open(source, encoding="utf-8") as file
    ):
        rows = [json.loads(line) for line in file]
    texts = [Text.of(row["text"]) for row in rows]
    with open(path, "w", encoding="utf-8") as file:
        for place in range(documents):
            number, key = divmod(place, len(rows))
            row = {"id": f"{place}", "text": texts[key].varied(key, number)}
            file.write(f"{json.dumps(row, ensure_ascii=False)}\n")


def shuffled(lengths: NDArray[np.int64], order: NDArray[np.int64], *seed: int) -> NDArray[np.int64]:
    """`order` (which word stands at each place) after words of equal length have changed places."""
    sizes = lengths[order]
    result = order.copy()
    draws = np.random.default_rng(seed).random(len(order))
    result[np.argsort(sizes, kind="stable")] = order[np.lexsort((draws, sizes))]
    return result


def _pasted(block: bytes, page: int, examples: Sequence[str]) -> bytes:
    """The block with an example in a paragraph of its own, if it is the turn of this page."""
    turn, rest = divmod(page, PASTED)
    if rest or turn >= TIMES * len(examples):
        return block
    return block.replace(
        b"</p>", b"</p><p>" + examples[turn // TIMES].encode("ascii", "xmlcharrefreplace") + b"</p>", 1
    )


def _records(paths: Iterable[str]) -> Iterator[tuple[dict[str, str], bytes]]:
    """Header fields and content of every record."""
    for path in paths:
        with open(path, "rb") as file:
            for record in ArchiveIterator(file, parse_http=False):
                yield dict(record.headers), record.reader.read()


def _member(headers: dict[str, str], number: int, block: bytes) -> bytes:
    """A record as a gzip member; from variation 1 on, with a domain of its own."""
    url = headers.get("WARC-Target-URI", "")
    if number and (domain := registered_domain(url)):
        headers = headers | {"WARC-Target-URI": url.replace(domain, f"v{number}-{domain}", 1)}
    headers = headers | {"Content-Length": str(len(block))}
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    packer = zlib.compressobj(LEVEL, wbits=31)
    return packer.compress(f"WARC/1.0\r\n{fields}\r\n".encode() + block + b"\r\n\r\n") + packer.flush()
