"""Pages of links out of a crawl: from the whole crawl, or by its URL index; the same documents."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st
from reddit import dump, run, submission, surt, write_index
from scripts import SENTENCES
from test_extract import Archive, page
from webserver import serving

from pipeline.errors import InputError, RecipeError, StaleRunError
from pipeline.executors import Processes
from stages.canonical import address
from stages.domain import registered_domain
from stages.locate import Locate
from stages.url_index import Spans, surt_prefixes

LINKS = "[steps.links]\nstage = 'links'\nfiles = 'RS_2011-01.zst'\n"
WHOLE = f"{LINKS}[steps.webtext]\nstage = 'extract'\nlinks = 'links'\nwarcs = 'crawl'\n"
INDEXED = f"""{LINKS}
[steps.found]
stage = 'locate'
links = 'links'
index = 'crawl=CC-MAIN-2019-18'
[steps.webtext]
stage = 'extract'
addresses = 'found'
warcs = 'crawl'
"""


TESTS = str(Path(__file__).parent)
CODE = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import reddit
def run(out="killed"): reddit.run(Path({folder!r}), {recipe!r}, out, to="found")
run("calm")  # and all that is imported and read once, before it forks
"""


def save(folder: Path) -> list[Path]:
    """Three archives, of which links lead to some pages; archives without and with an index."""
    (folder / "crawl").mkdir()
    paths = []
    for number, name in enumerate("abc"):
        archive = Archive()
        for language, text in SENTENCES.items():
            url = f"http://{language}.example/{name}"
            archive.add("request", url, http="GET / HTTP/1.1")
            archive.page(url, page(f"{name}: {text}"))
        archive.page(
            "http://moved.example/", b"", f"30{number + 1} Moved\nContent-Type: text/html\nLocation: /x"
        )
        archive.page("https://www.spelt.example:443/A%7eb/?utm_source=reddit", page(f"Spelt {name}."))
        archive.page("http://pdf.example/paper", b"%PDF-1.4", "200 OK\nContent-Type: application/pdf")
        paths.append(archive.save(folder / f"crawl/{name}.warc.gz"))
    return paths


def save_all(folder: Path) -> list[Path]:
    paths = save(folder)
    place = write_index(folder, paths)
    place.rename(folder / "crawl=CC-MAIN-2019-18")
    urls = [
        "https://ja.example/a",
        "http://www.ru.example/b/",
        "http://ar.example/a#x",
        "http://gone.example/",
    ]
    urls += ["http://moved.example", "http://spelt.example/A~b", "http://pdf.example/paper"]
    dump(folder / "RS_2011-01.zst", [submission(url, 3 + n) for n, url in enumerate(urls)])
    return paths


def documents(dataset) -> list[dict]:
    return sorted(dataset.read().to_pylist(), key=lambda row: row["id"])


def test_both_routes_give_the_same_documents(tmp_path):
    save_all(tmp_path)
    whole, indexed = run(tmp_path, WHOLE, "whole"), run(tmp_path, INDEXED, "indexed")
    found = {(row["url"], row["karma"]) for row in documents(whole["webtext"])}
    assert found == {
        ("http://ja.example/a", 3),
        ("http://ru.example/b", 4),
        ("http://ar.example/a", 5),
        ("https://www.spelt.example:443/A%7eb/?utm_source=reddit", 8),
    }
    assert len(documents(whole["webtext"])) == 6  # one of them in each archive
    first, second = (toy.contents(tmp_path / out / "webtext/shards") for out in ("whole", "indexed"))
    assert first == second and len(first) == 3
    reasons = Counter(whole["webtext"].rejected()["reason"].to_pylist())
    assert reasons == {
        "link:not_listed": 3 * (len(SENTENCES) + 3) - 12,
        "http:301": 1,
        "http:302": 1,
        "http:303": 1,
        "type:application/pdf": 3,
    }
    assert indexed["webtext"].rejected()["reason"].to_pylist() == ["type:application/pdf"] * 3
    places = documents(indexed["found"])
    assert {row["id"] for row in documents(whole["webtext"])} < {row["id"] for row in places}
    assert Counter(indexed["found"].rejected()["reason"].to_pylist()) == {f"http:30{n}": 1 for n in (1, 2, 3)}
    (summary,) = Locate(("",)).summary(indexed["found"]).values()
    assert summary[0]["of linked pages"] == 12
    assert summary[0]["row groups without a linked domain"] >= 1


def test_raw_records_are_the_same_on_both_routes(tmp_path):
    save_all(tmp_path)
    runs = []
    for recipe, out in ((WHOLE, "whole"), (INDEXED, "indexed")):
        steps = (
            recipe
            + "raw = true\nmaterialize = false\n[steps.saved]\nstage = 'save_raw'\ndocuments = 'webtext'\n"
        )
        run(tmp_path, steps, out)
        runs.append(
            {
                k: v
                for k, v in toy.contents(tmp_path / out / "saved").items()
                if k.startswith(("raw", "shards"))
            }
        )
    assert runs[0] == runs[1] and len(runs[0]) == 6


def test_workers_make_no_difference_nor_does_a_redo(tmp_path):
    save_all(tmp_path)
    both = INDEXED + WHOLE.removeprefix(LINKS).replace("webtext", "whole").replace(
        "'crawl'", "'crawl'\nsource = 'w'"
    )
    run(tmp_path, both)
    wanted = toy.contents(tmp_path / "out")
    run(tmp_path, both, "two", Processes(2))
    assert toy.contents(tmp_path / "two") == wanted
    run(tmp_path, both, redo="links")
    assert toy.contents(tmp_path / "out") == wanted


def test_killed_after_every_commit(tmp_path):
    save_all(tmp_path)
    code = CODE.format(tests=TESTS, folder=str(tmp_path), recipe=INDEXED)
    command = [sys.executable, f"{TESTS}/crash.py", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wanted = toy.contents(tmp_path / "calm")
    assert int(done.stdout) >= len(wanted) > 30
    assert toy.contents(tmp_path / "killed") == wanted


def test_addresses_of_several_crawls(tmp_path):
    save_all(tmp_path)
    one = run(tmp_path, INDEXED)["webtext"]
    step, _, rest = INDEXED.partition("[steps.found]")[2].partition("[steps.webtext]")
    twice = f"{LINKS}[steps.found]{step}[steps.more]{step}[steps.webtext]{rest}"
    two = run(tmp_path, twice.replace("addresses = 'found'", "addresses = ['more', 'found']"), "two")
    assert two["webtext"].read().equals(one.read())


def test_a_larger_index_is_refused_before_it_is_read(tmp_path):
    save_all(tmp_path)
    run(tmp_path, INDEXED)
    part = next((tmp_path / "crawl=CC-MAIN-2019-18/subset=warc").iterdir())
    (part.parent / "part-00009-x.c000.gz.parquet").write_bytes(part.read_bytes())
    with pytest.raises(StaleRunError, match=r"out/found: the input of index changed .*--redo found"):
        run(tmp_path, INDEXED)
    found = run(tmp_path, INDEXED, redo="found")["found"]
    assert "link:repeated" in found.rejected()["reason"].to_pylist()


@pytest.mark.parametrize("recipe", [WHOLE, INDEXED])
def test_other_links_make_what_read_them_stale(tmp_path, recipe):
    save_all(tmp_path)
    run(tmp_path, recipe, to="links")
    first = run(tmp_path, recipe)["webtext"]
    ids = {row["id"] for row in documents(first)}
    dump(tmp_path / "RS_2011-01.zst", [submission("http://zh.example/a")])
    with pytest.raises(StaleRunError, match=r"out/links: the input of reddit-RS_2011-01 changed"):
        run(tmp_path, recipe)
    second = run(tmp_path, recipe, redo="links")["webtext"]
    assert [row["url"] for row in documents(second)] == ["http://zh.example/a"]
    assert not ids & {row["id"] for row in documents(second)}


def test_from_a_server_only_the_records_are_asked_for(tmp_path):
    paths = save_all(tmp_path)
    local = run(tmp_path, INDEXED)
    with serving() as site:
        root = "/crawl-data/CC-MAIN-2019-18"
        lines = []
        for path in paths:
            lines.append(f"{root[1:]}/segments/1/warc/{path.name}")
            site.put(f"/{lines[-1]}", path.read_bytes())
        site.put(f"{root}/warc.paths.gz", "\n".join(lines).encode())
        parts = sorted((tmp_path / "crawl=CC-MAIN-2019-18").rglob("*.parquet"))
        lines = [f"cc-index/table/{part.relative_to(tmp_path)}" for part in parts]
        for part, line in zip(parts, lines, strict=True):
            site.put(f"/{line}", part.read_bytes())
        site.put(f"{root}/cc-index-table.paths.gz", "\n".join(lines).encode())
        recipe = INDEXED.replace("'crawl'", "'commoncrawl:CC-MAIN-2019-18'")
        recipe = recipe.replace("'crawl=CC-MAIN-2019-18'", "'commoncrawl:CC-MAIN-2019-18/cc-index-table'")
        recipe += f"[network]\ncommoncrawl = '{site.url('')}'\nrequests_per_second = 1000\nbackoff = 0.01\n"
        remote = run(tmp_path, recipe, "remote")
        asked = [
            each for each in site.requests if each.path.endswith(".warc.gz") and each.range != "bytes=0-0"
        ]
        assert asked and all(each.range.split("-")[1] for each in asked)
        assert not [each for each in site.requests if "robotstxt" in each.path]
    assert remote["webtext"].read().equals(local["webtext"].read())
    assert remote["found"].read().equals(local["found"].read())


def test_another_record_at_the_address_is_an_error_of_its_own(tmp_path):
    paths = save_all(tmp_path)
    first = run(tmp_path, INDEXED)
    places = {row["url"]: row for row in documents(first["found"]) if "/a.warc" in row["warc"]}
    data = bytearray(paths[0].read_bytes())
    at = places["http://ja.example/a"]["offset"]
    data[at : at + 2] = b"no"
    other = Archive().page("http://other.example/", page("x")).file.getvalue()
    at = places["http://ar.example/a"]
    assert len(other) < at["length"]
    data[at["offset"] : at["offset"] + at["length"]] = other + bytes(at["length"] - len(other))
    paths[0].write_bytes(data)
    second = run(tmp_path, INDEXED, "again")["webtext"]
    gone = {row["url"]: row["reason"] for row in second.rejected().to_pylist() if row["url"]}
    assert gone["http://ja.example/a"] == gone["http://ar.example/a"] == "error:changed"
    assert second.read().num_rows == 4


def test_pages_are_blocked_before_they_are_parsed(tmp_path):
    save(tmp_path)
    (tmp_path / "block.txt").write_text(
        "ja.example\nhttp://ru.example/b\nhttp://spelt.example/*\n# pdf.example\n"
    )
    crawl = "[steps.crawl]\nstage = 'extract'\nwarcs = 'crawl'\nblock = 'block.txt'\n"
    dataset = run(tmp_path, crawl)["crawl"]
    reasons = Counter(dataset.rejected()["reason"].to_pylist())
    assert reasons["url:domain"] == 3 and reasons["url:exact"] == 4
    assert "karma" not in dataset.schema.names
    ruled = "[steps.urls]\nstage = 'urls'\ndocuments = 'crawl'\ndomains = 'domains.txt'\nurls = 'urls.txt'\n"
    (tmp_path / "domains.txt").write_text("ja.example\n")
    (tmp_path / "urls.txt").write_text("http://ru.example/b\nhttp://spelt.example/*\n")
    later = run(tmp_path, crawl.replace("block = 'block.txt'", "") + ruled, "later")["urls"]
    assert later.read(dataset.schema.names).equals(dataset.read())
    (tmp_path / "block.txt").write_text("ja.example\nno domain\n")
    with pytest.raises(InputError, match=r"block\.txt, line 2: 'no domain' is no domain"):
        run(tmp_path, crawl, "bad")


def test_mistakes_are_named(tmp_path):
    save_all(tmp_path)
    with pytest.raises(RecipeError, match=r"takes links or addresses, not both"):
        run(tmp_path, INDEXED + "links = 'links'\n")
    with pytest.raises(RecipeError, match=r"links = 'webtext': stage 'extract' makes documents, not links"):
        run(tmp_path, WHOLE + "[steps.more]\nstage = 'extract'\nlinks = 'webtext'\nwarcs = 'crawl'\n")
    pq.write_table(pa.table({"url": ["http://a.example"]}), tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_bytes(b"no Parquet" * 9)
    for name, words in {
        "other": "has no column 'warc_filename'",
        "text": "cannot be read as Parquet",
    }.items():
        with pytest.raises(InputError, match=words):
            run(tmp_path, INDEXED.replace("crawl=CC-MAIN-2019-18", f"{name}.parquet"), name)
    (tmp_path / "else").mkdir()
    Archive().page("http://a.example", page("x")).save(tmp_path / "else/d.warc.gz")
    with pytest.raises(
        InputError, match=r"no archive of `warcs` holds any of the addresses, which are in a\.warc"
    ):
        run(tmp_path, INDEXED.replace("warcs = 'crawl'", "warcs = 'else'"), "else")


# Where linked domains are in a sorted index.


def spans_of(*domains: str) -> Spans:
    surts = {prefix for domain in domains for prefix in surt_prefixes(domain)}
    return Spans(pa.array(sorted(surts), pa.string()))


NAMES = st.lists(st.text(st.sampled_from("ab-"), min_size=1, max_size=3), min_size=1, max_size=3)


@settings(deadline=None)
@given(
    st.lists(NAMES.map(".".join), max_size=6),
    st.lists(NAMES.map(".".join), min_size=1, max_size=8),
    st.data(),
)
def test_no_group_with_a_linked_domain_is_passed_over(domains, hosts, data):
    spans = spans_of(*domains)
    ports = data.draw(st.lists(st.sampled_from(["", ":8080"]), min_size=len(hosts), max_size=len(hosts)))
    surts = sorted(surt(f"http://{host}{port}/x") for host, port in zip(hosts, ports, strict=True))
    within = any(f".{host}".endswith(f".{domain}") for host in hosts for domain in domains)
    if within:
        assert spans.meet(surts[0], surts[-1])
    assert not spans_of().meet(surts[0], surts[-1])


SURTS = {  # as the Internet Archive's `surt` makes them, but for two
    "https://www.gov.uk/vat": "uk,gov)/vat",  # gov.uk is a public suffix, so the domain has the www
    "http://www.github.io:8080/x": "io,github:8080)/x",
    "http://www2.com/": "com)/",
    "http://WWW12.example.com:81/A": "com,example:81)/a",
    "http://www.www.example.com./x": "com,example,www)/x",
    "http://www-2.a_b.example.co.uk/x": "uk,co,example,a_b,www-2)/x",
    "http://me:pw@foo.blogspot.com/": "com,blogspot,foo)/",
    "http://gov.uk/x": "uk,gov)/x",
    "http://localhost/x": "localhost)/x",
    "http://10.0.0.7:81/x": "7,0,0,10:81)/x",
    "http://10.0.0.8/x": "10.0.0.8)/x",  # not turned round
    "http://[2001:db8::1]/x": "2001:db8::1)/x",
    "http://b\u00fccher.example/x": "example,xn--bcher-kva)/x",
    "http://xn--bcher-kva.example/": "example,xn--bcher-kva)/",
    "http://stra\u00dfe.example/x": "example,strasse)/x",  # IDNA of 2003; ours is of 2008
    "http://xn--strae-oqa.example/x": "example,xn--strae-oqa)/x",
    "http://\u4f8b\u3048.example/": "example,\u4f8b\u3048)/",  # not in ASCII
}


@pytest.mark.parametrize("url", SURTS)
def test_no_host_is_passed_over_however_its_surt_is_spelled(url):
    spans, surt = spans_of(registered_domain(f"http://{address(url).host}/")), SURTS[url]
    assert spans.meet(surt, surt) and spans.meet(surt[:-1], f"{surt}x") and spans.meet("", surt)
    assert not spans.meet("com,zzz)/", "com,zzz)/z")


def test_an_index_without_what_it_may_lack(tmp_path):
    save_all(tmp_path)
    wanted = run(tmp_path, INDEXED)
    for part in (tmp_path / "crawl=CC-MAIN-2019-18/subset=warc").iterdir():
        table = pq.read_table(part).drop_columns(["url_surtkey", "fetch_status"])
        table = table.set_column(
            table.schema.get_field_index("fetch_time"), "fetch_time", [["then"] * len(table)]
        )
        pq.write_table(table, part, write_statistics=False)
    bare = run(tmp_path, INDEXED, "bare")
    assert bare["webtext"].read().equals(wanted["webtext"].read())
    assert bare["found"].read().num_rows == wanted["found"].read().num_rows + 3  # that were moved
    assert set(bare["found"].read(["date"])["date"].to_pylist()) == {"then"}
    assert set(wanted["found"].read(["date"])["date"].to_pylist()) == {"2023-11-14T22:13:20Z"}


def test_groups_that_say_nothing_are_read():
    assert spans_of("a.example").meet("", "\U0010ffff")
    assert not spans_of("a.example").meet("example,b)/", "example,c)/")
    assert not spans_of("www.gov.uk").meet("uk,gov,hmrc)/", "uk,gov,hmrc)/z")
    assert surt_prefixes("1.2.3.4") == {"1.2.3.4", "4,3,2,1"}


def test_an_index_of_plain_bytes_is_read_as_well(tmp_path):
    save_all(tmp_path)
    wanted = run(tmp_path, INDEXED, to="found")
    for part in (tmp_path / "crawl=CC-MAIN-2019-18/subset=warc").iterdir():
        table = pq.read_table(part)
        fields = [f.with_type(pa.binary()) if f.type == pa.string() else f for f in table.schema]
        pq.write_table(table.cast(pa.schema(fields)), part, row_group_size=5)
    assert run(tmp_path, INDEXED, "bytes", to="found")["found"].read().equals(wanted["found"].read())
