"""Write the crawl, the curated texts and the benchmark of `configs/tiny/`: `python configs/make_tiny.py`.

Everything in it comes from the grammars in `configs/tiny/grammar/`, which we wrote. The same bytes each time.
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tiny_crawl import Fetch, others, pages
from tiny_grammar import Chance
from tiny_texts import benchmark, books, web, wiki
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

FULL = 150  # fetches of the first WARC; only it has request and metadata records: they cost 400 bytes a fetch
BEGIN = datetime(2026, 2, 14, 9, 0, 0)
Row = Mapping[str, Any]


def lines(rows: Iterable[Row]) -> bytes:
    """JSON lines in UTF-8."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def gzipped(data: bytes) -> bytes:
    """One gzip member without a name or a time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


class Writer(WARCWriter):  # type: ignore[misc]
    """warcio's writer with the payload digest of responses and no other, to save bytes."""

    def ensure_digest(self, record: Any, block: bool = True, payload: bool = True) -> None:
        """Digest the payload of a response."""
        if record.rec_type == "response":
            super().ensure_digest(record, block=False, payload=payload)


class Warc:
    """One WARC: a gzip member a record, ids and dates counted up from fixed ones."""

    def __init__(self, number: int, full: bool) -> None:
        self._file = io.BytesIO()
        self._writer = Writer(self._file, gzip=True)
        self._number, self._full = number, full
        self._records = 0
        self._date = BEGIN + timedelta(hours=number)
        self._write("warcinfo", None, b"software: make_tiny\r\nformat: WARC File Format 1.0\r\n")

    def _write(self, kind: str, url: str | None, payload: bytes, http: Any = None) -> None:
        headers = {
            "WARC-Type": kind,
            "WARC-Date": f"{self._date:%Y-%m-%dT%H:%M:%SZ}",
            "WARC-Record-ID": f"<urn:uuid:{self._number:08x}-0000-4000-8000-{self._records:012x}>",
        }
        self._records += 1
        record = self._writer.create_warc_record(
            url, kind, io.BytesIO(payload), len(payload), warc_headers_dict=headers, http_headers=http
        )
        self._writer.write_record(record)

    def add(self, fetch: Fetch) -> None:
        """One fetch: its response, and in a full WARC the request before and the metadata after it."""
        self._date += timedelta(seconds=3)
        host, _, path = fetch.url.partition("://")[2].partition("/")
        if self._full:
            asked = StatusAndHeaders(f"GET /{path} HTTP/1.1", [("Host", host)], "", is_http_request=True)
            self._write("request", fetch.url, b"", asked)
        headers = [("Content-Type", fetch.content_type), ("Content-Length", str(len(fetch.body)))]
        answer = StatusAndHeaders(fetch.status, [*headers, *fetch.headers], "HTTP/1.1")
        self._write("response", fetch.url, fetch.body, answer)
        if self._full:
            self._write("metadata", fetch.url, f"fetchTimeMs: {len(fetch.body) % 400 + 20}\r\n".encode())

    def bytes(self) -> bytes:
        """The whole file."""
        return self._file.getvalue()


def crawl() -> dict[str, bytes]:
    """The WARCs and the truth about their responses, by file name."""
    fetches = Chance("warcs").shuffled([*pages(), *others()])
    files: dict[str, bytes] = {}
    truth = []
    for number, part in enumerate((fetches[:FULL], fetches[FULL::2], fetches[FULL + 1 :: 2])):
        warc, name = Warc(number, full=number == 0), f"tiny-{number:05}"
        for fetch in part:
            warc.add(fetch)
            truth.append(fetch.truth)
        files[f"crawl/{name}.warc.gz"] = warc.bytes()
    return {**files, "truth.jsonl": lines(truth)}


def everything() -> dict[str, bytes]:
    """All generated files, by their path inside the folder."""
    return {
        **crawl(),
        "books.jsonl": lines(text.row() for text in books()),
        "wiki.jsonl.gz": gzipped(lines(text.row() for text in wiki())),
        "web.jsonl": lines(text.row() for text in web()),
        "benchmark.jsonl": lines(benchmark()),
    }


def main(folder: Path) -> None:
    """Write all files below the folder."""
    for name, data in everything().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):>9,} {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "tiny")
