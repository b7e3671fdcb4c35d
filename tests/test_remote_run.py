"""A crawl read over a network gives the same bytes as from a disk, however bad the network is."""

import gzip
import random
from collections import deque
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from toy import contents
from webserver import cut, honest, longer, serving, stall, status

from pipeline.errors import InputError, StaleRunError
from pipeline.executors import Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES

CRAWL = Path(__file__).parent.parent / "configs/tiny/crawl"
NETWORK = {"requests_per_second": 1000, "backoff": 0.005, "timeout": 0.5, "attempts": 8}
STEPS = """
[steps.crawl]
stage = "extract"
source = "cc"
warcs = WARCS
[steps.tagged]
stage = "language"
documents = "crawl"
[network]
"""


def run(folder, warcs, executor=None, **network):
    table = "\n".join(f"{key} = {value!r}" for key, value in (NETWORK | network).items())
    recipe = parse(f"{STEPS.replace('WARCS', warcs)}{table}".encode(), "remote", str(CRAWL), STAGES)
    Run(recipe, str(folder), executor or Inline(), say=lambda line: None).run()
    kept = contents(folder)
    return {name: data for name, data in kept.items() if name != "recipe.toml" and ".network" not in name}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return run(tmp_path_factory.mktemp("local"), f"'{CRAWL}'")


@pytest.fixture
def site():
    """The crawl as Common Crawl publishes one."""
    with serving() as site:
        paths = [
            f"/crawl-data/CC-MAIN-2019-18/segments/1/warc/{path.name}" for path in sorted(CRAWL.iterdir())
        ]
        for path in paths:
            site.put(path, (CRAWL / Path(path).name).read_bytes())
        lines = "".join(f"{path[1:]}\n" for path in paths)
        site.put("/crawl-data/CC-MAIN-2019-18/warc.paths.gz", gzip.compress(lines.encode()))
        site.put("/crawl-data/CC-MAIN-2019-18/wet.paths.gz", gzip.compress(b"crawl-data/none.warc.wet.gz\n"))
        yield site


def test_from_a_hostile_server_by_workers(site, local, tmp_path):
    draws = random.Random(5)
    evils = [status(503), cut(0), cut(20_000), stall(30_000), longer(5), longer(-5), honest(ranges=False)]
    for path, plan in site.plan.items():
        plan.extend(draws.sample(evils, 6) if "warc/" in path else [status(503, Retry_After="0"), cut(10)])
    found = run(tmp_path, "'commoncrawl:CC-MAIN-2019-18'", Processes(2), commoncrawl=site.url(""))
    assert found == local
    assert len(site.requests) > 20


def test_from_an_s3_server(local, tmp_path, monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="crawls")
    for path in CRAWL.iterdir():
        client.upload_file(str(path), "crawls", f"2019/{path.name}")
    assert run(tmp_path / "run", "'s3://crawls/2019/*.warc.gz'", Processes(2)) == local
    server.stop()


def test_with_a_cache_a_file_comes_once(site, local, tmp_path):
    how = {"commoncrawl": site.url(""), "cache": str(tmp_path / "cache")}
    assert run(tmp_path / "a", "'commoncrawl:CC-MAIN-2019-18'", **how) == local
    before = len(site.requests)
    assert run(tmp_path / "b", "'commoncrawl:CC-MAIN-2019-18'", Processes(2), **how) == local
    again = [request.range for request in site.requests[before:] if "warc/" in request.path]
    assert again and set(again) == {"bytes=0-0"}


def test_a_crawl_grows_file_by_file(site, local, tmp_path):
    how = {"commoncrawl": site.url("")}
    few = run(tmp_path, "'commoncrawl:CC-MAIN-2019-18#0:2'", **how)
    assert sorted(name for name in few if name.startswith("crawl/shards")) == [
        f"crawl/shards/cc-tiny-0000{n}.parquet" for n in range(2)
    ]
    before = len(site.requests)
    assert run(tmp_path, "'commoncrawl:CC-MAIN-2019-18'", **how) == local
    read = {request.path for request in site.requests[before:] if "warc/" in request.path}
    assert [Path(path).name for path in read] == ["tiny-00002.warc.gz"]
    with pytest.raises(StaleRunError, match="cc-tiny-00002 is no longer among the inputs"):
        run(tmp_path, "'commoncrawl:CC-MAIN-2019-18#:2'", **how)


def test_a_run_begun_on_a_disk_goes_on_over_a_network(site, local, tmp_path):
    run(tmp_path, f"'{CRAWL}#:1'")
    list_url = site.url("/crawl-data/CC-MAIN-2019-18/warc.paths.gz")
    assert run(tmp_path, f"'{list_url}'") == local


def test_a_dead_network_stops_the_step_and_the_same_command_continues(site, local, tmp_path):
    path = "/crawl-data/CC-MAIN-2019-18/segments/1/warc/tiny-00001.warc.gz"
    site.plan[path] = deque([status(503)] * 8)
    with pytest.raises(Exception, match=r"tiny-00001.*503 Service Unavailable \(8 times\)"):
        run(tmp_path, "'commoncrawl:CC-MAIN-2019-18'", commoncrawl=site.url(""))
    assert (tmp_path / "crawl/shards/cc-tiny-00000.parquet").exists()
    assert run(tmp_path, "'commoncrawl:CC-MAIN-2019-18'", commoncrawl=site.url("")) == local


def test_mistakes_are_found_before_anything_runs(site, tmp_path):
    for warcs, words in {
        "'commoncrawl:CC-MAIN-2019-99'": r"\[steps.crawl\] warcs: no file .*2019-99/warc.paths.gz .404",
        "'commoncrawl:CC-MAIN'": "is no crawl; write commoncrawl:CC-MAIN-2019-18",
        "'commoncrawl:CC-MAIN-2019-18#7:9'": "takes none of the 3 files",
        f"'{site.url('/a/*.warc.gz')}'": "web servers list no files",
        f"'{site.url('/none.warc.gz')}'": r"no file http.*404",
    }.items():
        with pytest.raises(InputError, match=words):
            run(tmp_path, warcs, commoncrawl=site.url(""))
    assert not (tmp_path / "crawl").exists()


def test_addresses_with_a_query(site, local, tmp_path):
    folder = "/crawl-data/CC-MAIN-2019-18/segments/1/warc"
    urls = [site.url(f"{folder}/{path.name}?sig=a/b.c&key=1") for path in sorted(CRAWL.iterdir())]
    assert run(tmp_path, str(urls)) == local


def test_parquet_and_lines_over_a_network(site, tmp_path):
    texts = [f"Text number {n}, long enough." for n in range(2000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=500)
    site.put("/a.parquet", (tmp_path / "a.parquet").read_bytes(), status(503), honest(), cut(100))
    site.put("/b.jsonl.gz", gzip.compress(b"".join(b'{"text": "%b"}\n' % text.encode() for text in texts)))
    steps = (
        '[steps.own]\nstage = "ingest"\nsource = "own"\nfiles = ["URL/a.parquet?x=1", "URL/b.jsonl.gz?y"]\n'
    )
    table = "\n".join(f"{key} = {value!r}" for key, value in NETWORK.items())
    text = f"{steps.replace('URL', site.url(''))}[network]\n{table}"
    Run(parse(text.encode(), "own", "/", STAGES), str(tmp_path / "run"), Inline(), say=print).run()
    for name in ("own-a", "own-b"):
        assert pq.read_table(tmp_path / f"run/own/shards/{name}.parquet")["text"].to_pylist() == texts


def test_records_are_read_again_where_they_are(site, tmp_path):
    steps = """
[steps.crawl]
stage = "extract"
warcs = "WARCS"
[steps.again]
stage = "refine"
documents = "crawl"
warcs = "WARCS"
engine = "resiliparse"
[network]
"""
    settings = "\n".join(f"{key} = {value!r}" for key, value in NETWORK.items())
    runs = []
    for name, warcs in {"disk": f"{CRAWL}#:1", "web": "commoncrawl:CC-MAIN-2019-18#:1"}.items():
        text = f"{steps.replace('WARCS', warcs)}{settings}\ncommoncrawl = '{site.url('')}'"
        Run(parse(text.encode(), "again", "/", STAGES), str(tmp_path / name), Inline(), say=print).run()
        runs.append(contents(tmp_path / name / "again"))
    assert runs[0] == runs[1]
    assert any(request.range not in ("", "bytes=0-", "bytes=0-0") for request in site.requests)
