"""The cache: whole files, up to a size, whoever is killed and however many work at once."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from webserver import cut, honest, quick, serving, status

from pipeline import storage
from pipeline.errors import RecipeError, StorageError
from pipeline.recipe import parse
from pipeline.remote_settings import Network, session, told, used
from stages import STAGES

DATA = random.Random(1).randbytes(100_000)
OTHER = random.Random(2).randbytes(100_000)


@pytest.fixture(scope="module")
def site():
    with serving() as site:
        yield site


@pytest.fixture
def cache(tmp_path):
    """A folder for four of our files."""
    with used(quick(cache=str(tmp_path / "cache"), cache_gb=0.00045), str(tmp_path)):
        yield tmp_path / "cache"


def fetched(site, path):
    return sum(request.path == path and request.range != "bytes=0-0" for request in site.requests)


def test_a_file_comes_once_and_ranges_come_from_it(site, cache):
    url = site.put("/once", DATA, status(503), honest(), cut(5000), cut(40_000))
    for _ in range(3):
        assert storage.read_bytes(url) == DATA
    assert fetched(site, "/once") == 3
    assert storage.read_range(url, 100, 50) == DATA[100:150]
    assert fetched(site, "/once") == 3 and len(list(cache.glob("*.kept"))) == 1
    other = site.put("/range", OTHER)
    assert storage.read_range(other, 100, 50) == OTHER[100:150] and len(list(cache.glob("*.kept"))) == 1


def test_another_version_is_another_file(site, cache):
    url = site.put("/versions", DATA)
    assert storage.read_bytes(url) == DATA
    site.put("/versions", OTHER)
    assert storage.read_bytes(url) == OTHER


def test_a_file_that_changes_under_way_is_read_again(site, cache):
    def other(handler, data):
        handler.honest(OTHER)

    url = site.put("/moving", DATA, honest(), cut(5000), other)
    site.usual, usual = other, site.usual
    assert storage.read_bytes(url) == OTHER
    site.usual = usual


def test_without_a_mark_a_cut_file_is_read_from_the_start(site, cache):
    url = site.put("/unmarked", DATA, honest(tag=""), cut(5000, tag=""), *[honest(tag="")] * 3)
    assert storage.read_bytes(url) == DATA


def test_what_was_not_read_for_longest_goes_first(site, cache):
    urls = [site.put(f"/n{n}", DATA[n:]) for n in range(6)]
    for n in (0, 1, 2, 3):
        storage.read_bytes(urls[n])
    for age, path in enumerate(sorted(cache.glob("*.kept"), key=os.path.getmtime, reverse=True)):
        os.utime(path, (1000 - age, 1000 - age))
    storage.read_bytes(urls[0])  # read just now: n1 is the oldest
    storage.read_bytes(urls[4])
    before = [fetched(site, f"/n{n}") for n in range(5)]
    for n in (0, 2, 3, 4):
        storage.read_bytes(urls[n])
    assert [fetched(site, f"/n{n}") for n in range(5)] == before
    storage.read_bytes(urls[1])
    assert fetched(site, "/n1") == before[1] + 1
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 450_000


def test_a_file_larger_than_the_cache_is_streamed(site, cache):
    url = site.put("/large", DATA * 5)
    assert storage.read_bytes(url) == DATA * 5 and not list(cache.glob("*"))


def test_what_a_kill_left_goes_in_the_end(site, cache):
    storage.read_bytes(site.put("/first", DATA))
    for name, age in {
        "0123456789abcdef.partial": 0,
        "fedcba9876543210.partial": 4000,
        "film.mkv": 9000,
    }.items():
        (cache / name).write_bytes(DATA)
        changed = (cache / name).stat().st_mtime - age
        os.utime(cache / name, (changed, changed))
    storage.read_bytes(site.put("/second", DATA))
    assert {path.name for path in cache.iterdir()} >= {"0123456789abcdef.partial", "film.mkv"}
    assert not (cache / "fedcba9876543210.partial").exists()


def test_a_shortened_file_is_not_believed(site, cache):
    url = site.put("/short", DATA)
    storage.read_bytes(url)
    for path in cache.glob("*.kept"):
        path.write_bytes(path.read_bytes()[:-1])
    assert storage.read_bytes(url) == DATA


def test_many_at_once(site, cache):
    urls = [site.put(f"/m{n}", random.Random(n).randbytes(60_000 + n)) for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        for n, data in zip(list(range(12)) * 3, pool.map(storage.read_bytes, urls * 3), strict=True):
            assert data == random.Random(n).randbytes(60_000 + n)
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 450_000


def test_a_disk_that_cannot(site, tmp_path):
    (tmp_path / "file").write_text("")
    with (
        used(quick(cache=str(tmp_path / "file")), str(tmp_path)),
        pytest.raises(StorageError, match=r"cannot keep files in .*another cache in \[network\]"),
    ):
        storage.read_bytes(site.put("/nowhere", DATA))


def _network(pipe):
    pipe.send(session().network)


def test_settings_reach_a_spawned_process_and_end_with_the_run(tmp_path):
    before = told()
    network = Network(contact="you@example.org", requests_per_second=2)
    with used(network, str(tmp_path)):
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=_network, args=(theirs,))
        process.start()
        assert ours.recv() == network
        process.join()
    assert told() == before


RECIPE = """
[steps.crawl]
stage = "extract"
warcs = "s3://a/b"
[network]
"""


def test_a_bucket_is_asked_more_often_than_a_web_server():
    assert [Network().rate(url) for url in ("https://a.example/b", "s3://a/b", "gs://a/b")] == [5, 500, 500]
    assert Network(requests_per_second=2).rate("s3://a/b") == 2


def test_settings_of_a_recipe(tmp_path):
    text = f'{RECIPE}contact = "https://a.example/bot"\nrequests_per_second = 2\ncache = "kept"\n'
    recipe = parse(text.encode(), "r", str(tmp_path), STAGES)
    assert recipe.network == Network("https://a.example/bot", 2, cache=str(tmp_path / "kept"))
    assert parse(RECIPE.encode(), "r", "/", STAGES).network == Network()
    assert parse(f'{RECIPE}cache = "~/kept"'.encode(), "r", "/", STAGES).network.cache == os.path.expanduser(
        "~/kept"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("contakt = 'a@b.c'", r"\[network\]: unknown field 'contakt'; did you mean 'contact'"),
        ("contact = 'me'", r"\[network\]: contact = 'me' must be a mail address or a web page"),
        ("contact = 'a@b.c\\nX-Evil: 1'", "must be a mail address"),
        ("requests_per_second = 0", "requests_per_second = 0.* must be more than 0"),
        ("attempts = 2.5", r"\[network\] attempts = 2.5: .*integer"),
        ("cache_gb = -1", "cache_gb = -1.* must be more than 0"),
        ("commoncrawl = 'here'", "must begin with https://, s3:// or gs://"),
    ],
)
def test_mistakes_in_settings(line, words):
    with pytest.raises(RecipeError, match=words):
        parse(f"{RECIPE}{line}".encode(), "r", "/", STAGES)


def test_an_address_nobody_can_read_is_a_mistake_in_the_recipe():
    with pytest.raises(RecipeError, match=r"\[steps.crawl\] warcs: cannot read ftp://a/b: an address begins"):
        parse(RECIPE.replace("s3:", "ftp:").encode(), "r", "/", STAGES)
    with pytest.raises(RecipeError, match=r"network = 3: .*dict"):
        parse(f"network = 3\n{RECIPE.replace('[network]', '')}".encode(), "r", "/", STAGES)
