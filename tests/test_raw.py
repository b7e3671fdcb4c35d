"""Raw records: remembered while an archive is read, and written as an archive of their own."""

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import test_arc
import test_extract
import toy
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES
from test_addresses import archive, record
from warcio.archiveiterator import ArchiveIterator

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError
from pipeline.executors import Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.raw import Recent, warc_bytes
from stages.warc import START, Place, Record, read_records

RECORDS = [record(n, 100 * n) for n in range(7)]


def taken(data: bytes, most: int = 1 << 20, place: Place = START) -> list[Record]:
    recent = Recent(io.BytesIO(data), most)
    return [recent.take(each) for each in read_records(recent, "a.warc", place=place)]


@pytest.mark.parametrize("how", ["plain", "one", "three", "all"])
def test_a_record_is_remembered_as_it_lies_in_its_archive(how):
    data = archive(RECORDS, how)
    for each in taken(data):
        alone = each.length is not None
        assert each.raw == (data[each.offset : each.offset + each.length] if alone else b"")
    assert sum(bool(each.raw) for each in taken(data)) == {"plain": 7, "one": 7, "three": 1, "all": 0}[how]


def test_memory_is_bounded_and_what_is_forgotten_is_never_another_record():
    data = archive([record(n, 1 << 20) for n in range(8)], "plain")
    kept = [each.raw for each in taken(data, 3 << 20)]
    assert all(raw in (b"", data[at : at + len(raw)]) for at, raw in zip(offsets(data), kept, strict=True))
    assert not any(taken(data, 1 << 10)[0].raw)
    assert all(kept)


def offsets(data: bytes) -> list[int]:
    return [each.offset for each in read_records(io.BytesIO(data), "a.warc")]


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=20))
def test_recent_is_the_file_itself(data, moves):
    file, recent = io.BytesIO(data), Recent(io.BytesIO(data), 64)
    for seeks, number in moves:
        if seeks:
            assert recent.seek(number) == file.seek(number)
        else:
            assert recent.read(number) == file.read(number)
    at = min(file.tell(), len(data))
    assert recent.take(Record(max(0, at - 1), min(at, 1))).raw in (b"", data[max(0, at - 1) : at])


def test_reading_from_the_midst_remembers_too():
    data = archive(RECORDS, "one")
    places = offsets(data)
    assert [each.raw for each in taken(data, place=Place(places[3]))] == [each.raw for each in taken(data)][
        3:
    ]


@pytest.mark.parametrize("how", ["plain", "one", "three", "all"])
def test_any_record_becomes_one_that_warcio_reads(how):
    for each in taken(archive(RECORDS, how)):
        data = warc_bytes(each, None)
        (again,) = read_records(io.BytesIO(data), "a")
        assert (again.headers, again.block) == (each.headers, each.block)
        (seen,) = warcio(data)
        assert seen == (each.url, each.block)


@pytest.mark.parametrize("version", [1, 2])
def test_records_of_an_arc_become_warc_records(version):
    data = b"".join(test_arc.pieces(version))
    pages = [each for each in taken(data) if each.type == "response"]
    assert len(pages) >= len(test_arc.PAGES)
    for each in pages:
        member = gzip.compress(warc_bytes(each, "2008-04-30T20:48:25Z"))
        (again,) = read_records(io.BytesIO(member), "a")
        assert (again.type, again.url, again.block) == ("response", each.url, each.block)
        assert again.headers["warc-date"] == "2008-04-30T20:48:25Z"
        ((url, _),) = warcio(member)
        assert url.replace("%20", " ") == each.url


CRAWL = """
[steps.crawl]
stage = "extract"
warcs = "crawl/*"
engine = "winnow"
raw = true
materialize = false
[steps.words]
stage = "language"
documents = "crawl"
keep = ["zh", "ru", "th"]
min_score = 0.3
materialize = false
[steps.saved]
stage = "save_raw"
documents = "words"
"""
AGAIN = """
[steps.again]
stage = "refine"
documents = "saved"
raw = "saved"
"""


@pytest.fixture
def folder(tmp_path):
    """Archives of pages in all scripts: a gzip member each, all in one, plain, and ARC."""
    pages = test_extract.Archive()
    for n in range(3):
        for language, text in SENTENCES.items():
            pages.page(f"http://{language}{n}.example/", test_extract.page(f"{n} {text}"))
    data = pages.file.getvalue()
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "each.warc.gz").write_bytes(data)
    (tmp_path / "crawl" / "all.warc.gz").write_bytes(gzip.compress(gzip.decompress(data)))
    (tmp_path / "crawl" / "plain.warc").write_bytes(gzip.decompress(data))
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + test_extract.page(SENTENCES["ru"])
    old = test_arc.first() + test_arc.line("http://ru.example/", len(block)).encode() + block + b"\n"
    (tmp_path / "crawl" / "old.arc").write_bytes(old)
    return tmp_path


def test_the_records_of_survivors_are_written_while_they_stream(folder):
    saved = run(folder, CRAWL)
    assert not (folder / "out/crawl/shards").exists() and "raw" not in saved.schema.names
    files = saved.files("raw")
    assert list(files) == list(saved.shards) == ["cc-all", "cc-each", "cc-old", "cc-plain"]
    for name in files:
        rows = pa.concat_tables(saved.batches(name)).to_pylist()
        with open(files[name], "rb") as file:
            data = file.read()
        assert len(rows) == (1 if name == "cc-old" else 9)
        assert [url for url, _ in warcio(data)] == [row["url"] for row in rows]
        ends = [row["offset"] + row["length"] for row in rows]
        assert [row["offset"] for row in rows] == [0, *ends[:-1]] and ends[-1] == len(data)
        assert {row["warc"] for row in rows} == {f"{name}.warc.gz"}
    each = (folder / "crawl" / "each.warc.gz").read_bytes()
    with open(files["cc-each"], "rb") as file:
        assert all(member in each for member in members(file.read()))  # not packed anew


def test_refine_reads_what_was_saved_and_needs_no_archive(folder):
    first = run(folder, CRAWL + AGAIN, to="saved").read()
    again = run(folder, CRAWL + AGAIN).read()
    assert again["refined"].to_pylist() == ["yes"] * 28
    assert again["id"].equals(first["id"]) and set(again["engine"].to_pylist()) == {"trafilatura"}
    straight = CRAWL.replace("winnow", "trafilatura")
    assert again["text"].equals(run(folder, straight, "straight").read()["text"])


def test_the_same_bytes_however_it_runs(folder):
    run(folder, CRAWL + AGAIN)
    run(folder, (CRAWL + AGAIN).replace("materialize = false", ""), "written")
    run(folder, CRAWL + AGAIN, "two", executor=Processes(2))
    flow, written, two = (toy.contents(folder / out) for out in ("out", "written", "two"))
    assert two == flow
    raw = {name for name in flow if name.startswith("saved/raw/")}
    assert len(raw) == 4 and {"saved/shards/cc-old.parquet"} <= flow.keys()
    for name in flow:
        if name in raw or name.endswith(".parquet"):
            assert flow[name] == written[name], name
    assert "raw" in pq.read_schema(folder / "written/words/shards/cc-old.parquet").names
    assert "raw" not in pq.read_schema(folder / "written/words/rejected/cc-old.parquet").names


def test_mistakes_are_named(folder):
    with pytest.raises(RecipeError, match=r"no column .raw. to save; write raw = true"):
        run(folder, CRAWL.replace("raw = true", ""))
    (folder / "book.txt").write_text("A book.")
    books = '[steps.books]\nstage = "ingest"\nsource = "books"\nfiles = "book.txt"\n'
    both = books + CRAWL.replace("materialize = false", "").replace('"words"', '["books", "words"]')
    rows = run(folder, both, "both").read(["source", "warc"]).to_pylist()
    assert rows[0] == {"source": "books", "warc": None} and rows[1]["warc"] == "cc-all.warc.gz"


def run(folder, recipe, out="out", to=None, executor=None) -> Dataset:
    """Run a recipe over the archives in the folder; the dataset of its last step, or of `to`."""
    steps = parse(recipe.encode(), "test", str(folder), STAGES)
    Run(steps, str(folder / out), executor or Inline(), say=lambda line: None).run(to=to)
    return Dataset(str(folder / out / (to or list(steps.steps)[-1])))


def members(data: bytes) -> list[bytes]:
    starts = offsets(data)
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def warcio(data: bytes) -> list[tuple[str, bytes]]:
    return [
        (each.rec_headers.get_header("warc-target-uri"), each.content_stream().read())
        for each in ArchiveIterator(io.BytesIO(data))
    ]
