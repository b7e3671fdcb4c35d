"""Second readings: archives to refined documents through the engine, and what can go wrong with a record."""

import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pyarrow as pa
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st
from scripts import SENTENCES
from test_extract import CODECS, Archive, page
from webserver import serving

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Executor, Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.stage import MapStage
from stages import STAGES, engines
from stages.addresses import Address
from stages.agreement import agreement
from stages.page import Page
from stages.refine import Refine
from stages.reread import Again, Found, Reread, Wanted
from stages.warc import Record

CRAWL = "[steps.crawl]\nstage = 'extract'\nwarcs = 'crawl/*'\nengine = 'winnow'\n"
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Title</title><p>Text."
HTML = "<html><head><title>{title}</title>{meta}</head><body><p>{text}</p></body></html>"


def body(html: str) -> bytes:
    return f"<html><body>{html}</body></html>".encode()


def again(documents: str = "'crawl'", fields: str = "warcs = 'crawl'") -> str:
    """The step, for a recipe."""
    return f"[steps.again]\nstage = 'refine'\ndocuments = {documents}\n{fields}\n"


def run(folder: Path, recipe: str = "", out: str = "out", executor: Executor | None = None) -> Dataset:
    """Run a recipe over files in the folder: to extract and to refine, if not told otherwise."""
    text = f"error_limit = 1.0\n{recipe or CRAWL + again()}"
    steps = parse(text.encode(), "test", str(folder), STAGES)
    Run(steps, str(folder / out), executor or Inline(), say=lambda line: None).run()
    return Dataset(str(folder / out / list(steps.steps)[-1]))


def save(folder: Path, archive: Archive, name: str = "crawl.warc.gz") -> Path:
    (folder / "crawl").mkdir(exist_ok=True)
    return archive.save(folder / "crawl" / name)


def three(folder: Path, how: str) -> dict[str, str]:
    """An archive of three pages in every script, stored in one of three ways; url -> sentence."""
    archive, sentences = Archive(), {}
    for language, text in SENTENCES.items():
        archive.add("request", f"http://{language}.example/", http="GET / HTTP/1.1")
        for kind, codec in {"utf-8": "utf-8", "legacy": CODECS.get(language, "utf-16le")}.items():
            url = f"http://{language}.example/{kind}"
            archive.page(url, page(text, codec, codec))
            sentences[url] = text
    path = save(folder, archive)
    plain = gzip.decompress(path.read_bytes())
    if how == "plain":
        path.rename(path.with_suffix("")).write_bytes(plain)
    if how == "in one member":
        path.write_bytes(gzip.compress(plain))
    return sentences


@pytest.mark.parametrize("how", ["a member each", "plain", "in one member"])
def test_the_second_engine_reads_the_same_records_in_every_script(tmp_path, how):
    sentences = three(tmp_path, how)
    first, second = run(tmp_path, CRAWL).read(), run(tmp_path).read()
    assert second["id"].equals(first["id"])
    assert set(second["engine"].to_pylist()) == {"trafilatura"} != set(first["engine"].to_pylist())
    for row, before in zip(second.to_pylist(), first.to_pylist(), strict=True):
        assert sentences[row["url"]] in row["text"]
        assert row["refined"] == "yes" and 0.5 < row["agreement"] <= 1
        assert all(row[name] == before[name] for name in ("charset", "offset", "length", "domain", "split"))
    whole = run(tmp_path, CRAWL.replace("winnow", "trafilatura"), "whole").read()
    assert second.select(whole.column_names).equals(whole)


def test_the_first_text_stays_where_the_second_is_none(tmp_path):
    archive = Archive().page("http://a.example/good", page(SENTENCES["ru"]))
    archive.page("http://a.example/nothing", body(f"<button>{SENTENCES['ja']}</button>"))
    archive.page("http://a.example/plain", b"Plain text.", "200 OK\nContent-Type: text/plain")
    save(tmp_path, archive)
    crawl = CRAWL.replace("winnow", "trafilatura")
    first = run(tmp_path, crawl).read().to_pylist()
    second = run(tmp_path, crawl + again(fields="warcs = 'crawl'\nengine = 'resiliparse'")).read().to_pylist()
    assert [row["refined"] for row in second] == ["yes", "empty", "yes"]
    assert [row["engine"] for row in second] == ["resiliparse", "trafilatura", "plain"]
    assert (second[1]["text"], second[1]["agreement"]) == (first[1]["text"], None)
    assert second[1]["text"] == SENTENCES["ja"]
    assert (second[2]["text"], second[2]["agreement"]) == ("Plain text.", 1)


def test_a_page_that_takes_too_long_keeps_its_text_and_its_neighbours(tmp_path):
    archive = Archive().page("http://a.example/1", page(SENTENCES["th"]))
    slow = "".join(f"<p>Paragraph number {n} of a page that never ends.</p>" for n in range(20_000))
    archive.page("http://a.example/2", page(f"{SENTENCES['zh']}</p>{slow}<p>"))
    archive.page("http://a.example/3", page(SENTENCES["hi"]))
    save(tmp_path, archive)
    rows = run(tmp_path, f"{CRAWL}{again()}deadline = 0.3").read().to_pylist()
    assert [row["refined"] for row in rows] == ["yes", "error:timeout", "yes"]
    assert [row["engine"] for row in rows] == ["trafilatura", "winnow", "trafilatura"]
    assert SENTENCES["zh"] in rows[1]["text"] and rows[1]["agreement"] is None


def test_an_engine_that_raises_costs_one_page(monkeypatch):
    def lame(html: bytes) -> str:
        raise RecursionError("a parser gave up")

    monkeypatch.setitem(engines.ENGINES, "winnow", lame)
    found = Found(Wanted(Address("", 0, 1), 7, None, None), Record(0, 1, 0, {"warc-type": "response"}, HTTP))
    outcome = Reread((), "winnow", True).result(found)
    assert (outcome.row, outcome.page.reason, outcome.text) == (7, "error:engine", None)
    assert outcome.metadata.title == "Title"


def test_a_record_that_cannot_be_read_is_no_other(tmp_path):
    path = save(tmp_path, Archive().page("http://a.example/1", page("one")))
    date = "2026-11-21T08:00:00Z"
    wanted = [
        Wanted(Address(str(path), 0, path.stat().st_size), row, "http://a.example/1", date) for row in (4, 6)
    ]
    work = Reread(wanted, "winnow", False)
    assert [work.result(found).page.reason for _, found in work.records(None, "")] == [None, None]
    (place, found), *rest = work.records(None, "crash")
    assert (place, work.result(found)) == (0, Again(4, Page(reason="error:crash")))
    assert [(place, work.result(found).row) for place, found in rest] == [(1, 6)]
    assert [(place, found.wanted.row) for place, found in work.records(0, "")] == [(1, 6)]
    assert list(work.records(1, "")) == []


def test_another_record_at_the_address_changes_nothing(tmp_path):
    archive = Archive()
    for n in range(6):
        archive.page(f"http://a.example/{n}", page(f"number {n} of six. {SENTENCES['zh']}"))
    path = save(tmp_path, archive)
    first = run(tmp_path, CRAWL).read()
    at = dict(zip(first["url"].to_pylist(), first["offset"].to_pylist(), strict=True))
    data = bytearray(path.read_bytes())
    data[at["http://a.example/1"] + 40] ^= 0xFF  # a member that does not inflate
    data[at["http://a.example/3"] : at["http://a.example/3"] + 2] = b"no"  # no member at all
    cut = at["http://a.example/5"]
    other = Archive().page("http://b.example/", page("Another page altogether.")).file.getvalue()
    path.write_bytes(bytes(data[:cut]) + other)
    second = refine_only(tmp_path)
    what = dict(zip((url[-1] for url in at), second["refined"].to_pylist(), strict=True))
    assert what == {"0": "yes", "1": "changed", "2": "yes", "3": "changed", "4": "yes", "5": "changed"}
    stays = np.array([what[url[-1]] == "changed" for url in at])
    assert second["text"].filter(stays).equals(first["text"].filter(stays))
    assert set(second["engine"].filter(stays).to_pylist()) == {"winnow"}


def test_documents_of_no_archive_pass(tmp_path):
    save(tmp_path, Archive().page("http://a.example/", page(SENTENCES["ar"])))
    (tmp_path / "book.txt").write_text(SENTENCES["th"])
    books = "[steps.books]\nstage = 'ingest'\nsource = 'books'\nfiles = 'book.txt'\n"
    both = run(tmp_path, CRAWL + books + again("['books', 'crawl']")).read().to_pylist()
    assert [row["refined"] for row in both] == ["no_address", "yes"]
    assert (both[0]["text"], both[0]["engine"], both[0]["agreement"]) == (SENTENCES["th"], None, None)
    alone = run(tmp_path, books + again("'books'"), "alone").read().to_pylist()
    assert [(row["text"], row["refined"]) for row in alone] == [(SENTENCES["th"], "no_address")]


def test_archives_are_found_by_their_names_alone(tmp_path):
    save(tmp_path, Archive().page("http://a.example/", page(SENTENCES["ko"])))
    run(tmp_path, CRAWL)
    moved = tmp_path / "elsewhere" / "deep"
    moved.mkdir(parents=True)
    (tmp_path / "crawl" / "other.warc.gz").write_bytes(b"")
    (tmp_path / "crawl" / "crawl.warc.gz").rename(moved / "crawl.warc.gz")
    with pytest.raises(InputError, match=r"no archive has the name crawl.warc.gz, where cc/crawl/0 is from"):
        refine_only(tmp_path)
    assert refine_only(tmp_path, "warcs = ['elsewhere', 'crawl']")["refined"].to_pylist() == ["yes"]
    (tmp_path / "crawl" / "crawl.warc.gz").write_bytes((moved / "crawl.warc.gz").read_bytes())
    with pytest.raises(InputError, match=r"two archives have the name crawl\.warc\.gz"):
        refine_only(tmp_path, "warcs = ['elsewhere', 'crawl']")


def refine_only(folder: Path, fields: str = "warcs = 'crawl'") -> pa.Table:
    """What `refine` does to the documents that an earlier run made."""
    recipe = parse(f"{CRAWL}{again(fields=fields)}".encode(), "test", str(folder), STAGES)
    stage = recipe.steps["again"].stage
    assert isinstance(stage, Refine)
    documents = Dataset(str(folder / "out" / "crawl")).read()
    return stage.process(documents, stage.load("again", {}))


def test_workers_batches_and_shards_make_no_difference(tmp_path):
    for name in "abc":
        archive = Archive()
        for n in range(20):
            archive.page(f"http://s{n}.example/{name}", page(f"{name} {n} {SENTENCES['hi']}"))
        save(tmp_path, archive, f"{name}.warc.gz")
    chain = CRAWL + "[steps.words]\nstage = 'language'\ndocuments = 'crawl'\nmaterialize = false\n"
    chain += again("'words'")
    run(tmp_path, chain, "flow")
    run(tmp_path, chain.replace("false", "true"), "two", Processes(2))
    flow, two = (toy.contents(tmp_path / out / "again") for out in ("flow", "two"))
    assert {name: data for name, data in flow.items() if "shards/" in name} == {
        name: data for name, data in two.items() if "shards/" in name
    }
    stage = Refine((str(tmp_path / "crawl"),))
    documents = Dataset(str(tmp_path / "flow" / "crawl")).read()
    archives = stage.load("again", {})
    whole = stage.process(documents, archives)
    shuffled = np.random.default_rng(0).permutation(documents.num_rows)
    pieces = [documents.take(shuffled[at : at + 7]) for at in range(0, len(shuffled), 7)]
    parts = pa.concat_tables(stage.process(piece, archives) for piece in pieces)
    assert parts.equals(whole.take(shuffled))
    assert whole["refined"].to_pylist() == ["yes"] * 60


def test_neighbours_on_a_server_cost_one_request(tmp_path):
    archive = Archive()
    for language, text in SENTENCES.items():
        archive.page(f"http://{language}.example/", page(text))
    path = save(tmp_path, archive)
    local = run(tmp_path).read()
    with serving() as site:
        fields = f"warcs = '{site.put('/crawl.warc.gz', path.read_bytes())}'"
        remote = run(tmp_path, CRAWL + again(fields=fields), "remote").read()
        asked = [request.range for request in site.requests]
        assert len([each for each in asked if each != "bytes=0-0"]) == 1  # besides the question for its size
    assert remote.equals(local) and set(remote["refined"].to_pylist()) == {"yes"}


META = '<meta name="author" content="Ngũgĩ Example"><meta property="article:published_time" content="{}">'


def test_what_a_page_says_of_itself(tmp_path):
    archive = Archive()
    for language, text in SENTENCES.items():
        archive.page(
            f"http://{language}.example/",
            HTML.format(title=text, meta=META.format("2019-05-18T07:00:00Z"), text=text * 3).encode(),
        )
    later = HTML.format(title="Later", meta=META.format("2031-01-01"), text=SENTENCES["en"] * 3)
    archive.page("http://later.example/", later.encode())
    archive.page("http://plain.example/", b"By Plain, 2019-05-18", "200 OK\nContent-Type: text/plain")
    save(tmp_path, archive)
    rows = {
        row["url"][7:-9]: row for row in run(tmp_path, f"{CRAWL}{again()}metadata = true").read().to_pylist()
    }
    for language, text in SENTENCES.items():
        said = [rows[language][name] for name in ("title", "author", "published")]
        assert said == [text, "Ngũgĩ Example", "2019-05-18"]
    assert rows["later"]["published"] is None  # after it was fetched
    assert [rows["plain"][name] for name in ("title", "author", "published")] == [None] * 3
    assert not {"title", "author", "published"} & {*run(tmp_path, out="without").schema.names}


def test_a_person_may_ask_for_agreement(tmp_path):
    archive = Archive().page("http://a.example/same", body(f"<p>{SENTENCES['en']}</p>"))
    other = f"<p>{SENTENCES['en']}</p><button>{SENTENCES['en']}</button>"
    archive.page("http://a.example/other", body(other))
    archive.page("http://a.example/none", body(f"<button>{SENTENCES['en']}</button>"))
    save(tmp_path, archive)
    crawl = CRAWL.replace("winnow", "trafilatura")
    fields = "warcs = 'crawl'\nengine = 'resiliparse'\nmin_agreement = 0.9"
    dataset = run(tmp_path, crawl + again(fields=fields))
    assert dataset.read(["refined", "agreement"]).to_pylist() == [
        {"refined": "yes", "agreement": 1.0},
        {"refined": "empty", "agreement": None},
    ]
    (gone,) = dataset.rejected().to_pylist()
    assert gone["reason"] == "refine:disagreement" and gone["agreement"] < 0.9


@dataclass(frozen=True)
class Places(MapStage):
    """Stores places in the text."""

    offsets = True

    def process(self, documents, loaded):
        return documents


def test_mistakes_are_named(tmp_path):
    save(tmp_path, Archive().page("http://a.example/", page("x")))
    with pytest.raises(RecipeError, match=r"min_agreement = 2\.0 must lie between"):
        run(tmp_path, f"{CRAWL}{again()}min_agreement = 2.0")
    with pytest.raises(RecipeError, match=r"needs archives: warcs = .*, or raw = "):
        run(tmp_path, CRAWL + again(fields="warcs = []"))
    with pytest.raises(InputError, match=r"no file matches .*gone"):
        run(tmp_path, CRAWL + again(fields="warcs = 'gone'"))
    before = "[steps.places]\nstage = 'places'\ndocuments = 'crawl'\n" + again("'places'")
    with pytest.raises(RecipeError, match="'places' before it stored places in that text"):
        parse(f"{CRAWL}{before}".encode(), "test", str(tmp_path), STAGES | {"places": Places})


def test_every_engine_can_refine():
    assert set(get_type_hints(Refine)["engine"].__args__) == set(engines.ENGINES)


# Agreement.

TEXTS = st.text(st.sampled_from("ab 漢字 кот ไทย. \n"), max_size=40)


@given(st.lists(st.tuples(st.none() | TEXTS, st.none() | TEXTS), max_size=6))
def test_agreement_is_the_f1_of_words(pairs):
    first, second = (pa.array([pair[at] for pair in pairs], pa.large_string()) for at in (0, 1))
    expected = []
    for pair in pairs:
        a, b = (Counter(words(pa.array([text], pa.string())).hashes.tolist()) for text in pair)
        both = (a & b).total()
        share = 2 * both / (a.total() + b.total()) if a or b else 1.0
        expected.append(None if pair[1] is None else np.float32(share))
    assert agreement(pa.chunked_array([first]), second).to_pylist() == expected


@pytest.mark.parametrize("text", SENTENCES.values())
def test_agreement_in_all_scripts(text):
    half = text[: len(text) // 2]
    one = pa.chunked_array([[text, text, text]], pa.large_string())
    same, some, none = agreement(one, pa.array([text, half, "0123"], pa.large_string())).to_pylist()
    assert same == 1 and 0.5 < some < 0.8 and none == 0
