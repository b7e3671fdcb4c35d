"""Pages of which somebody said what their main text is, as the extraction benchmark reads them.

Three kinds of gold: the full text (files of JSON lines with the page in them), snippets that must be in the
text or must not be, and our own marks of where in its HTML a page's main text stands (benchmarks/gold).
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from fastwarc.warc import ArchiveIterator

from benchmarks.gold_spans import Span, text
from benchmarks.scores import Score, of_snippets, of_text

GOLD_IN_PAGE = 0.8  # least share of a gold text's words that its page must have
CARD = Path(__file__).parent.parent / "stages" / "winnow.json"  # what our engine has learnt from
UNKNOWN = "?"


@dataclass(frozen=True)
class Page:
    """The bytes of a page, what is known of it, and how to score a text of it."""

    name: str
    data: bytes
    content_type: str
    kind: str  # article, forum, …
    language: str
    score: Callable[[str], Score]

    @property
    def key(self) -> str:
        """Name of its bytes."""
        return key(self.data)


def digest(data: bytes) -> str:
    """SHA-256 of a page's bytes."""
    return hashlib.sha256(data).hexdigest()


def key(data: bytes) -> str:
    """Name of a page: 16 hex digits of its digest."""
    return digest(data)[:16]


def learnt_from(card: Path = CARD) -> frozenset[str]:
    """Keys of the pages that our own engine was trained on; none where it has no card."""
    return frozenset(json.loads(card.read_text())["pages"]) if card.exists() else frozenset()


def full_texts(path: Path) -> Iterator[Page]:
    """Pages with their main text; without those whose text is not what the page says."""
    for line in lines(path):
        if line.get("gold_text") and (line.get("gold_in_page") or 0) >= GOLD_IN_PAGE:
            yield Page(
                line["id"],
                base64.b64decode(line["html"]),
                f"text/html; charset={line['charset']}",
                line.get("page_kind") or UNKNOWN,
                line.get("lang_detected") or UNKNOWN,
                partial(of_text, gold=line["gold_text"]),
            )


def snippets(folder: Path) -> Iterator[Page]:
    """Pages of the archives in `folder` from which people wrote down a few snippets."""
    gold = {line["page_id"]: line for line in lines(folder / "gold" / "gold.jsonl.zst")}
    for truth, archive in responses(folder):
        # a page that is in several archives counts once
        line = gold.pop(truth["page_id"], {"gold_kind": ""})
        if "snippets" in line["gold_kind"]:
            yield Page(
                truth["page_id"],
                *fetched(archive, truth["offset"]),
                truth.get("page_kind") or UNKNOWN,
                line.get("lang_detected") or truth.get("lang") or UNKNOWN,
                partial(of_snippets, present=line["gold_with"], absent=line["gold_without"]),
            )


def marked(marks: Path, folder: Path) -> Iterator[Page]:
    """Pages of the archives in `folder` in which we marked the main text; a page that is another is none.

    Whether title, author and date belong to a text is a matter of taste: it may have them or not.
    """
    gold = {(line["file"], line["offset"]): line for line in lines(marks)}
    for truth, archive in responses(folder):
        line = gold.get((f"{archive.parent.name}/{archive.name}", truth["offset"]))
        if not line:
            continue
        data, content_type = fetched(archive, line["offset"])
        if digest(data) == line["sha256"]:
            html = data.decode(line["charset"], "replace")
            body, heading = (text(html, [Span(*span) for span in line[part]]) for part in ("body", "heading"))
            score = partial(_better, golds=(body, f"{heading}\n{body}"))
            yield Page(truth["page_id"], data, content_type, line["kind"], line["language"], score)


def _better(got: str, golds: tuple[str, ...]) -> Score:
    """The score by that of several gold texts to which a text is closest."""
    return max((of_text(got, gold, scripts=True) for gold in golds), key=lambda score: score.f1)


def responses(folder: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """What is known of each page in the archives of `folder`, and its archive."""
    for listed in sorted(folder.glob("*/truth.jsonl.zst")):
        for truth in lines(listed):
            if truth["kind"] == "page":
                yield truth, listed.parent / truth["file"]


def fetched(archive: Path, offset: int) -> tuple[bytes, str]:
    """Body and Content-Type of the response at `offset`."""
    with archive.open("rb") as file:
        file.seek(offset)
        record = next(iter(ArchiveIterator(file, parse_http=True, auto_decode="all")))
        return record.reader.read(), record.http_headers.get("Content-Type") or ""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file of JSON lines, plain or compressed with Zstandard."""
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        yield from map(json.loads, io.TextIOWrapper(stream, "utf-8"))
