"""Files on web servers that throttle, cut, stall, lie and change: the right bytes, or a clear error."""

import io
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from rich.console import Console
from webserver import chunked, cut, elsewhere, endless, honest, longer, quick, serving, stall, status

from pipeline import storage
from pipeline.errors import InputError, StorageError, WinnowError
from pipeline.progress import Lines
from pipeline.remote_pace import take_turn, waiting
from pipeline.remote_settings import used

DATA = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)


@pytest.fixture(scope="module")
def site():
    with serving() as site:
        yield site


@pytest.fixture(autouse=True)
def settings(tmp_path):
    with used(quick(), str(tmp_path)):
        yield


def test_a_file_and_its_size(site):
    url = site.put("/a/b.gz", DATA)
    assert storage.size(url) == len(DATA)
    assert site.requests[-1].range == "bytes=0-0"
    assert storage.read_bytes(url) == DATA
    assert storage.read_bytes(site.put("/empty", b"")) == b""
    assert storage.size(site.url("/empty")) == 0


def test_seeking(site):
    url = site.put("/seek", DATA)
    with storage.open_input(url) as file, io.BytesIO(DATA) as twin:
        draws = random.Random(3)
        for _ in range(30):
            at, size = draws.randrange(len(DATA) + 10), draws.randrange(5000)
            assert file.seek(at) == twin.seek(at)
            assert file.read(size) == twin.read(size)
        assert file.seek(-7, io.SEEK_END) == twin.seek(-7, io.SEEK_END)
        assert file.read() == twin.read()


def test_ranges(site):
    url = site.put("/ranges", DATA)
    before = len(site.requests)
    assert storage.read_range(url, 1000, 50) == DATA[1000:1050]
    assert len(site.requests) == before + 1
    assert storage.read_range(url, 299_990, 50) == DATA[-10:]
    assert storage.read_range(url, 400_000, 50) == b"" == storage.read_range(url, 5, 0)


@pytest.mark.parametrize(
    "answers",
    [
        [status(503), status(503, Retry_After="0"), status(500), status(502), status(429, Retry_After="0")],
        [status(403), status(403)],
        [cut(0), cut(100_000), cut(70_000), status(503), cut(1)],
        [stall(50_000), stall(10)],
        [cut(200_000, ranges=False), honest(ranges=False)],
        [honest(ranges=False)],
        [elsewhere(1)],
        [elsewhere(1), cut(10_000), elsewhere(-5)],
        [longer(10), longer(-10)],
        [status(416), status(416, Content_Range="bytes */1000000")],
    ],
)
def test_the_right_bytes_in_the_end(site, answers):
    url = site.put("/hard", DATA, *answers)
    assert storage.read_bytes(url) == DATA
    site.put("/hard", DATA, *answers)
    assert storage.read_range(url, 0, len(DATA)) == DATA


def test_a_body_in_chunks(site):
    url = site.put("/chunks", DATA, chunked, cut(100), chunked)
    assert storage.read_bytes(url) == DATA
    assert storage.read_bytes(url) == DATA
    file = storage.open_input(site.put("/chunks", DATA, chunked))
    with file, pytest.raises(InputError, match="from its start: its length is unknown"):
        file.seek(0, io.SEEK_END)
    with pytest.raises(InputError, match="does not say how long it is"):
        storage.size(site.put("/sizeless", DATA, chunked))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (status(404), InputError, "404 Not Found.*check the address"),
        (status(403), InputError, r"403 Forbidden \(4 times\).*Common Crawl.*requests_per_second"),
        (status(401), InputError, "401 Unauthorized.*no password"),
        (status(503), StorageError, r"503 Service Unavailable \(6 times\).*requests_per_second"),
        (status(503, Retry_After="86400"), StorageError, "asks to wait for 86400 s"),
        (endless, InputError, "does not say how long"),
        (stall(1000), StorageError, r"not a byte in 0.3 s .*\(\d times\)"),
        (longer(1000), StorageError, "cut|announced"),
        (longer(-1000), StorageError, "announced 299000 bytes, and 'bytes 0-299999/300000'"),
        (elsewhere(5), StorageError, "asked for bytes from 0 on, and sent 'bytes 5-"),
        (status(206, Content_Range="bytes */7"), StorageError, "did not say which"),
        (status(200, Content_Encoding="br"), InputError, "compresses it on the way"),
    ],
)
def test_a_clear_error_in_the_end(site, answer, error, words):
    url = site.put("/bad?key=secret", DATA)
    site.put("/bad", DATA, *[answer] * 30)
    with pytest.raises(error, match=words) as raised:
        storage.read_bytes(url)
    assert site.url("/bad?…") in str(raised.value) and "secret" not in str(raised.value)


@pytest.mark.parametrize("answer", [cut(1000), stall(2000)])
@pytest.mark.parametrize("later", [honest(), honest(ranges=False)])
def test_two_versions_are_never_one_file(site, answer, later):
    def other(handler, data):
        later(handler, OTHER)

    url = site.put("/changing", DATA, answer, *[other] * 9)
    with pytest.raises(InputError, match=r"changed while it was read.*run the same command again"):
        storage.read_bytes(url)


def test_a_change_of_length_alone_is_seen(site):
    url = site.put("/grown", DATA, cut(1000, tag='"same"'))
    site.plan["/grown"].extend([lambda handler, data: handler.honest(DATA + b"more", tag='"same"')])
    with pytest.raises(InputError, match="changed while it was read"):
        storage.read_bytes(url)


def test_without_a_mark_nothing_is_put_together(site):
    url = site.put("/unmarked", DATA, honest(tag=""))
    assert storage.read_bytes(url) == DATA
    site.put("/unmarked", DATA, cut(1000, tag=""), honest(tag=""))
    with pytest.raises(InputError, match=r"neither ETag nor Last-Modified.*cache"):
        storage.read_bytes(url)
    site.put("/unmarked", DATA, status(503), cut(0, tag=""), honest(tag=""))
    assert storage.read_bytes(url) == DATA  # nothing had been read yet


def test_progress_makes_up_for_failures(site):
    data = DATA * 40  # 12 MB: many more cuts than attempts
    url = site.put("/long", data, *[cut(1_100_000)] * 10)
    assert storage.read_bytes(url) == data


@pytest.mark.parametrize("answer", [cut(10), honest(ranges=False)])
def test_a_range_of_a_server_that_has_none(site, answer):
    url = site.put("/whole", DATA, *[answer] * 9)
    with pytest.raises(WinnowError, match=r"whole files only|cut"):
        storage.read_range(url, 100_000, 10_000)


def test_nobody_there(site):
    with used(quick(attempts=2)):
        with pytest.raises(StorageError, match=r"no connection .*Connection refused.*check the network"):
            storage.read_bytes("http://127.0.0.1:1/a.warc.gz")
        with pytest.raises(StorageError, match=r"the name nowhere.invalid is unknown.*check the address"):
            storage.read_bytes("http://nowhere.invalid/a.warc.gz")
    with pytest.raises(InputError, match=r"ftp://a.example/b: an address begins with https://"):
        storage.read_bytes("ftp://a.example/b")


def test_redirects(site):
    site.put("/old", b"-", status(302, Location="/new"))
    site.put("/new", DATA)
    assert storage.read_bytes(site.url("/old")) == DATA
    site.put("/loop", b"-", *[status(302, Location="/loop")] * 40)
    with pytest.raises(StorageError, match="redirect"):
        storage.read_bytes(site.url("/loop"))


def test_who_asks(site):
    with used(quick(contact="you@example.org")):
        storage.read_bytes(site.put("/who", b"me"))
    assert site.requests[-1].agent.startswith("winnow/")
    assert site.requests[-1].agent.endswith(" (+you@example.org)")


def _ask_often(url, times):
    for _ in range(times):
        take_turn(url)


def test_all_processes_together_keep_the_cap(site, tmp_path):
    url = site.url("/capped")
    with used(quick(requests_per_second=40.0), str(tmp_path)):
        take_turn(url)  # a first turn costs nothing
        started = time.monotonic()
        workers = [get_context("spawn").Process(target=_ask_often, args=(url, 6)) for _ in range(2)]
        for worker in workers:
            worker.start()
        _ask_often(url, 6)
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        assert time.monotonic() - started >= 18 / 40


def test_a_server_that_says_when_is_left_alone_by_all(site, tmp_path):
    url = site.put("/pause", DATA, status(503, Retry_After="1"))
    started = time.monotonic()
    assert storage.read_bytes(url) == DATA
    assert time.monotonic() - started >= 1
    note = json.loads((tmp_path / ".network/log.jsonl").read_text().splitlines()[-1])
    assert note["why"] == "503 Service Unavailable, failure 1 of 6" and note["url"] == url


def test_a_wait_is_seen(site, tmp_path):
    assert waiting() == ""
    site.put("/wait", DATA, status(503, Retry_After="2"))
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(storage.read_bytes, site.url("/wait"))
        seen = set()
        lines = io.StringIO()
        progress = Lines(Console(file=lines))
        progress.start("crawl", "shards", 2, 0)
        while not reading.done():
            seen.add(waiting())
            time.sleep(0.1)
            if waiting() and not lines.getvalue():
                progress.EVERY = 0
                progress.done("a", None)
        assert reading.result() == DATA
    assert f"2 s for 127.0.0.1:{site.port} (503 Service Unavailable, failure 1 of 6)" in seen
    assert f"waits 2 s for 127.0.0.1:{site.port}" in lines.getvalue().replace("\n", " ")
    assert waiting() == ""
