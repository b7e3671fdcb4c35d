"""Acceptance on charsets: pages decode to the text that their true charset gives, declared or not."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import truth

from stages.charset import decode
from stages.decoders import text_of
from stages.labels import name_of
from stages.page import fetched
from stages.warc import read_records

DECLARED = re.compile(rb"(?i)(charset|encoding)(\s*=)")
FILES = sorted(path for path in (truth.DATA / "charset-files").rglob("*") if path.is_file())
UNKNOWN = {"EUC-TW", "Johab", "UTF-32", "UTF-32BE", "UTF-32LE", "IBM855"}  # to the standard


def pages(name: str) -> Iterator[tuple[dict[str, Any], bytes, str]]:
    """(what is true, body, Content-Type) of each page of a crawl."""
    folder = truth.DATA / name
    lines = {(line["file"], line["offset"]): line for line in truth.lines(folder / "truth.jsonl.zst")}
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in read_records(file, path.name):
                line = lines.get((path.name, record.offset), {})
                if line.get("kind") == "page":
                    answer = fetched(record)
                    yield line, answer.body, answer.headers.get("content-type", "")


def said(body: bytes, charset: str) -> str:
    """The text that the true charset gives."""
    name = name_of(charset)
    return text_of(body, "utf-8" if charset == "us-ascii" else name).lstrip("\ufeff")


@pytest.mark.parametrize(("name", "least"), [("crawl-charsets", 330), ("crawl", 1440)])
def test_pages_decode_to_what_they_say(name, least):
    right, total, wrong = Counter(), Counter(), []
    for line, body, declared in pages(name):
        total[line["charset"]] += 1
        page = decode(body, declared)
        if page.text.lstrip("\ufeff") == said(body, line["charset"]):
            right[line["charset"]] += 1
        else:
            wrong.append((line["charset"], declared, page.charset, round(page.replaced, 5), line["url"]))
    share = right.total() / total.total()
    print(f"\n{name}: {right.total()} of {total.total()} pages ({share:.2%})", *map(str, wrong), sep="\n  ")
    print("  " + ", ".join(f"{charset} {right[charset]}/{n}" for charset, n in total.most_common()))
    assert total.total() == least
    assert share >= 0.99


def test_pages_that_say_nothing():
    right, total = Counter(), Counter()
    for name in ("crawl-charsets", "crawl"):
        for line, body, _ in pages(name):
            if line["charset"] not in ("utf-8", "us-ascii"):
                silent = DECLARED.sub(rb"xxxxxxx\2", body)
                total[line["charset"]] += 1
                right[line["charset"]] += decode(silent).text == said(silent, line["charset"])
    print(f"\nundeclared: {right.total()} of {total.total()} pages in other charsets than UTF-8")
    print("  " + ", ".join(f"{charset} {right[charset]}/{n}" for charset, n in total.most_common()))
    assert right.total() >= 0.98 * total.total() >= 300


def test_files_of_many_charsets():
    right, total, wrong = Counter(), Counter(), []
    for path in FILES:
        folder = path.parent.name
        charset = name_of(re.sub(r"^((?:iso-8859|windows)-\d+).*", r"\1", folder.removesuffix("-sig")))
        if folder in UNKNOWN:
            decode(path.read_bytes())
            continue
        data = path.read_bytes()
        total[folder] += 1
        page = decode(data, f"; charset={folder}" if folder == "iso-2022-kr" else "")
        wanted = text_of(data, charset if folder != "ascii" else "utf-8").lstrip("\ufeff")
        if folder.startswith("UTF-16"):
            wanted = data.decode(folder).lstrip("\ufeff")
        right[folder] += page.text == wanted
        if page.text != wanted:
            wrong.append((str(path.relative_to(truth.DATA)), page.charset))
    print(f"\ncharset-files: {right.total()} of {total.total()}", *map(str, wrong), sep="\n  ")
    assert total.total() >= 200
    assert right.total() >= 0.98 * total.total()
