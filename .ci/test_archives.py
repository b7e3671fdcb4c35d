"""Acceptance on archives of many writers, and on damaged ones: nothing raises, nothing is lost unsaid."""

import contextlib
import io
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
import truth
from warcio.archiveiterator import ArchiveIterator

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.page import fetched, read_page
from stages.warc import Record, read_records

ARCHIVES = sorted(path for path in (truth.DATA / "archives").rglob("*") if path.is_file())
NONE = {  # what is no archive
    "4081d7-test1.arc": "ten bytes of text",
    "705331-test2.arc": "a line of text",
    "test1.arc": "a line of text",
    "input-nonarc.arc": "a line of text; warcio takes it for a response",
    "invalid_example_1.wacz": "a zip file",
    "block-sized-records.warc.lz4": "compressed by LZ4",
}
BETTER = {  # where warcio reads to the end, and other records than there are
    "81620b-2-metadata-1.arc": "takes lines of a CDX inside of a record for records",
    "30-metadata-4.arc": "skips a record behind one whose length is 0",
}


class Theirs(NamedTuple):
    """What warcio makes of an archive."""

    kinds: Counter[str]
    bodies: list[tuple[str, bytes]]  # (url, body) of responses
    failure: str  # what it raised in the end


def ours(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(read_records(file, path.name))


def theirs(path: Path) -> Theirs:
    kinds, bodies, failure = Counter(), [], ""
    with path.open("rb") as file, contextlib.redirect_stderr(io.StringIO()):
        try:
            for record in ArchiveIterator(file):
                kind = {"arc_header": "warcinfo"}.get(record.rec_type, record.rec_type)
                kinds[kind] += 1
                body = record.content_stream().read()
                if kind == "response" and record.http_headers:
                    headers = record.rec_headers
                    bodies.append((headers.get_header("WARC-Target-URI") or headers.get_header("uri"), body))
        except Exception as error:
            failure = f"{type(error).__name__} {str(error).strip()[:60]!r}"
    return Theirs(kinds, bodies, failure)


def kinds_of(records: list[Record]) -> Counter[str]:
    """Records by type; a record of which only a part is there has its type, too."""
    return Counter(record.type or record.error for record in records)


def test_the_archives_are_there():
    assert len(ARCHIVES) == 119


def test_every_byte_is_a_record_a_reason_or_padding():
    refused, errors, outcomes = {}, Counter(), Counter()
    for path in ARCHIVES:
        try:
            records = ours(path)
        except InputError as error:
            refused[path.name] = str(error)
            continue
        assert len({record.address for record in records}) == len(records)
        end = 0
        for record in records:
            assert record.offset == end or record.ordinal or record.length is None or not end
            end = record.offset + record.length if record.length is not None else 0
            if record.error or record.type in ("response", "resource", "conversion"):
                page = read_page(record, "winnow", 0.01)
                outcomes["kept" if page.text and not page.reason else page.reason.partition(":")[0]] += 1
            errors[record.error] += 1
        assert end in (0, path.stat().st_size), path
    print(f"\n{sum(errors.values())} records; unread: {dict(errors)}; rows: {dict(outcomes)}")
    assert set(refused) == set(NONE)
    assert all("is no web archive" in message for message in refused.values())


def test_records_are_those_that_warcio_reads():
    same, more, bodies, other = 0, {}, 0, []
    for path in ARCHIVES:
        if path.name in NONE:
            continue
        records, oracle = ours(path), theirs(path)
        mine = kinds_of(records)
        if oracle.failure:
            assert not oracle.kinds - mine, path
            more[path.name] = f"{mine.total()} to {oracle.kinds.total()}, {oracle.failure}"
        elif path.name not in BETTER:
            assert mine == oracle.kinds, path
            same += 1
        if path.name not in BETTER:
            found = defaultdict(list)
            for record in records:
                found[record.url].append(fetched(record).body)
            for url, body in oracle.bodies:
                bodies += 1
                if body not in found[url.strip("<>")]:
                    other.append((path.name, url[:80], len(body), [len(each) for each in found[url]][:5]))
    print(f"\n{same} files as warcio reads them; of {bodies} bodies of responses others: {len(other)}")
    print(*map(str, other), sep="\n")
    print("further than warcio:", *map(str, more.items()), sep="\n  ")
    assert len(other) <= 0.02 * bodies


LOST = {  # kinds of damage after which there is no page to be had
    "binary_as_html": {"type:image/jpeg", "type:image/png"},
    "deep_nesting": {"error:too_deep"},
    "empty_body": {"empty"},
    "truncated_gzip_member": {"error:corrupt", "error:truncated"},
}
UNSAID = {"chunked_left_in", "content_encoding_left_in"}  # bodies are shorter or longer than stored


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    files = truth.DATA / "crawl-damaged" / "*.warc.gz"
    text = f"error_limit = 1.0\n[steps.crawl]\nstage = 'extract'\nwarcs = '{files}'\n"
    Run(parse(text.encode(), "damaged", str(folder), STAGES), str(folder / "run"), Inline()).run()
    return Dataset(str(folder / "run" / "crawl"))


def test_a_broken_record_costs_itself_and_not_its_neighbours(damaged):
    lines = {line["offset"]: line for line in truth.lines(truth.DATA / "crawl-damaged" / "truth.jsonl.zst")}
    kept = {row["offset"]: "kept" for row in damaged.read(["offset"]).to_pylist()}
    ledger = {row["offset"]: row["reason"] for row in damaged.rejected().to_pylist()}
    assert not set(kept) & set(ledger)
    outcomes = kept | ledger
    assert set(lines) <= set(outcomes)
    strangers = {outcomes[offset] for offset in set(outcomes) - set(lines)}
    assert strangers <= {"error:corrupt", "error:record", "error:truncated"}  # garbage between members
    table = defaultdict(Counter)
    for offset, line in lines.items():
        table[line.get("malformed_kind", "page")][outcomes[offset]] += 1
    print(*(f"\n  {kind}: {dict(count)}" for kind, count in sorted(table.items())))
    for kind, count in table.items():
        if kind in LOST:
            assert set(count) <= LOST[kind], kind
        else:  # a page of pictures only is empty, broken or not
            assert set(count) <= {"kept", "empty"}, kind
            assert count["empty"] <= 1, kind


def test_bodies_have_all_their_bytes():
    lines = {line["offset"]: line for line in truth.lines(truth.DATA / "crawl-damaged" / "truth.jsonl.zst")}
    checked = 0
    for record in ours(truth.DATA / "crawl-damaged" / "damaged-00000.warc.gz"):
        line = lines.get(record.offset, {})
        kind = line.get("malformed_kind", "page")
        if line and kind not in LOST and kind not in UNSAID:
            assert len(fetched(record).body) == line["payload_len"], line["url"]
            checked += 1
    assert checked >= 130
