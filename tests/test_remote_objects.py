"""s3:// against a real S3 server: credentials, public buckets, listing, ranges, changes, a busy store."""

import http.server
import logging
import random
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer
from webserver import quick

from pipeline import files, storage
from pipeline.errors import InputError, StorageError
from pipeline.remote_objects import ObjectFile, glob_pattern
from pipeline.remote_settings import used

DATA = random.Random(1).randbytes(40_000_000)
KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(scope="module")
def store():
    """A client of an S3 server that has a bucket 'crawl' of its own and a public one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="someone",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="crawl")
    client.create_bucket(Bucket="public", ACL="public-read")
    for name in ("a/x.warc.gz", "a/b/y.warc.gz", "a/b/y.txt", "a/.z.warc.gz", "a/c d/é?.warc.gz"):
        client.put_object(Bucket="crawl", Key=name, Body=name.encode())
    client.put_object(Bucket="crawl", Key="large", Body=DATA)
    client.put_object(Bucket="public", Key="x.warc.gz", Body=b"public", ACL="public-read")
    yield client
    server.stop()


@pytest.fixture(autouse=True)
def environment(store, tmp_path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.meta.endpoint_url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with used(quick(), str(tmp_path)):
        yield


@pytest.fixture
def credentials(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_an_object(credentials):
    assert storage.size("s3://crawl/large") == len(DATA)
    assert storage.read_bytes("s3://crawl/large") == DATA
    assert storage.read_range("s3://crawl/large", 39_999_990, 50) == DATA[-10:]
    assert storage.read_range("s3://crawl/large", 12_345, 678) == DATA[12_345:][:678]
    assert storage.read_range("s3://crawl/large", 50_000_000, 5) == b""
    with storage.open_input("s3://crawl/large") as file:
        for at in (20_000_000, 7, 39_000_000, 16_777_210):
            file.seek(at)
            assert file.read(100) == DATA[at : at + 100]
        assert file.seek(-3, 2) == len(DATA) - 3 and file.read() == DATA[-3:]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("s3://crawl/a/x.warc.gz", ["a/x.warc.gz"]),
        ("s3://crawl/a", ["a/x.warc.gz", "a/b/y.warc.gz", "a/c d/é?.warc.gz"]),
        ("s3://crawl/", ["a/x.warc.gz", "a/b/y.warc.gz", "a/c d/é?.warc.gz"]),
        ("s3://crawl/a/*", ["a/x.warc.gz"]),
        ("s3://crawl/a/*/*.gz", ["a/b/y.warc.gz", "a/c d/é?.warc.gz"]),
        ("s3://crawl/**/[xy].warc.gz", ["a/x.warc.gz", "a/b/y.warc.gz"]),
        ("s3://crawl/a#1:", ["a/c d/é?.warc.gz", "a/x.warc.gz"]),
    ],
)
def test_listing_is_as_on_a_disk(pattern, names, credentials):
    found = files.expand([pattern], [".warc.gz"])
    assert sorted(found) == sorted(f"s3://crawl/{name}" for name in names)


@pytest.mark.parametrize(
    ("glob", "fits", "others"),
    [
        ("b/*.gz", ["b/a.gz", "b/a.b.gz"], ["b/.a.gz", "b/c/a.gz", "b/a.gz2"]),
        ("b/**", ["b/a", "b/c/d"], ["c/a", "b/.h/a"]),
        ("b/**/x", ["b/x", "b/c/x", "b/c/d/x"], ["b/cx", "b/.h/x"]),
        ("b/[!a]?[0-9].x", ["b/bb1.x"], ["b/ab1.x", "b/bbb.x", "b/b/1.x"]),
        ("b/a+(c).x", ["b/a+(c).x"], ["b/aac.x"]),
    ],
)
def test_globs(glob, fits, others):
    pattern = glob_pattern(glob)
    assert all(map(pattern.fullmatch, fits)) and not any(map(pattern.fullmatch, others))


def test_without_credentials_public_objects_are_read():
    assert storage.read_bytes("s3://public/x.warc.gz") == b"public"
    with pytest.raises(InputError, match=r"cannot read s3://crawl/large: ACCESS_DENIED.*AWS_PROFILE"):
        storage.read_bytes("s3://crawl/large")


def test_credentials_from_the_usual_file(tmp_path, monkeypatch):
    (tmp_path / "credentials").write_text(
        "[mine]\naws_access_key_id = someone\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    code = "from pipeline import storage; print(storage.size('s3://crawl/large'))"
    ask = [sys.executable, "-c", code]  # the file is read when a process starts
    assert subprocess.run(ask, capture_output=True, check=True, text=True).stdout == f"{len(DATA)}\n"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://crawl/none.warc.gz", "no file"),
        ("s3://none/x.warc.gz", "no bucket none"),
        ("s3://none/*.gz", "no bucket none"),
        ("s3://crawl/none/*.gz", "no file matches"),
        ("s3://cra*/x", "bucket can have no wildcard"),
        ("s3://", "names no bucket"),
    ],
)
def test_what_is_not_there(url, words, credentials):
    with pytest.raises(InputError, match=words):
        files.expand([url])


def test_an_object_that_changes(store, credentials):
    store.put_object(Bucket="crawl", Key="changing", Body=DATA)
    with ObjectFile("s3://crawl/changing") as file:
        assert file.read(1000) == DATA[:1000]
        store.put_object(Bucket="crawl", Key="changing", Body=DATA[::-1])
        with pytest.raises(InputError, match=r"s3://crawl/changing changed while it was read"):
            file.readall()


def test_a_dead_store(monkeypatch, credentials):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"s3://crawl/large: NETWORK_CONNECTION.*check the network"):
        storage.read_bytes("s3://crawl/large")


@contextmanager
def busy(endpoint, failures):
    """A door before the store that says SlowDown, and cuts answers short, in turns."""
    left = list(failures)

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            failure = left.pop(0) if left and self.command == "GET" else ""
            if failure == "slow":
                body = (
                    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
                )
                self.send_response(503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            wanted = {k: v for k, v in self.headers.items() if k.lower() in ("range", "authorization")}
            asked = urllib.request.Request(endpoint + self.path, headers=wanted, method=self.command)
            with urllib.request.urlopen(asked) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if failure == "cut" else body)

        do_HEAD = do_GET

        def log_message(self, *parts):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", left
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_busy_store(store, monkeypatch):
    with busy(store.meta.endpoint_url, ["slow", "cut", "slow", "slow", "cut"]) as (endpoint, left):
        store.put_object(Bucket="public", Key="large", Body=DATA, ACL="public-read")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert storage.read_bytes("s3://public/large") == DATA
        assert not left
