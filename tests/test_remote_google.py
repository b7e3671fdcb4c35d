"""gs:// against a small server that speaks as much of Google's storage protocol as reading needs."""

import json
import random
import re
from multiprocessing import get_context
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from webserver import Handler, etag, quick, serving

from pipeline import files, storage
from pipeline.errors import InputError
from pipeline.remote_objects import stat
from pipeline.remote_settings import used

DATA = random.Random(1).randbytes(20_000_000)
OBJECTS = {"a/large": DATA, "a/x.warc.gz": b"x", "a/b/y.warc.gz": b"y", "a/.z.warc.gz": b"z"}


class Google(Handler):
    """The bucket 'crawl'; every fifth request for bytes fails."""

    asked = 0

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        name = unquote(address.path.partition("/o/")[2]) or unquote(address.path.removeprefix("/crawl/"))
        if address.path.endswith("/o"):
            found = sorted(key for key in OBJECTS if key.startswith(query.get("prefix", "")))
            self.say({"kind": "storage#objects", "items": [about(key) for key in found]})
        elif address.path.endswith("/b/crawl"):
            self.say({"kind": "storage#bucket", "name": "crawl", "id": "crawl"})
        elif name not in OBJECTS:
            self.say({"error": {"code": 404, "message": "Not Found"}}, 404)
        elif query.get("alt") == "media" or address.path.startswith("/crawl/"):
            type(self).asked += 1
            if self.asked % 5 == 4:
                self.say({"error": {"code": 503, "message": "busy"}}, 503)
            else:
                self.honest(OBJECTS[name])
        else:
            self.say(about(name))

    def say(self, body: object, code: int = 200) -> None:
        data = json.dumps(body).encode()
        self.begin(code, Content_Type="application/json", Content_Length=len(data))
        self.send(data)

    def wanted(self, data: bytes) -> tuple[int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        return int(match[1]), min(int(match[2] or len(data)) + 1, len(data))


def about(name: str) -> dict[str, object]:
    data = OBJECTS[name]
    return {
        "kind": "storage#object",
        "name": name,
        "bucket": "crawl",
        "size": str(len(data)),
        "generation": "1",
        "metageneration": "1",
        "etag": etag(data),
        "updated": "2024-01-01T00:00:00Z",
        "timeCreated": "2024-01-01T00:00:00Z",
    }


def serve(pipe: Any) -> None:
    with serving(Google) as site:
        pipe.send(site.url(""))
        pipe.recv()


@pytest.fixture(scope="module")
def google():
    """Its address; in a process of its own, as pyarrow keeps Python waiting while it asks."""
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    yield ours.recv()
    ours.send(None)
    server.join()


@pytest.fixture(autouse=True)
def environment(google, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google)
    with used(quick(timeout=5.0), str(tmp_path)):
        yield


def test_an_object():
    assert storage.size("gs://crawl/a/large") == len(DATA)
    assert storage.read_bytes("gs://crawl/a/large") == DATA
    assert storage.read_range("gs://crawl/a/large", 19_999_990, 50) == DATA[-10:]
    with storage.open_input("gs://crawl/a/large") as file:
        file.seek(17_000_000)
        assert file.read(1000) == DATA[17_000_000:][:1000]


def test_listing():
    both = ["gs://crawl/a/x.warc.gz", "gs://crawl/a/b/y.warc.gz"]
    assert sorted(files.expand(["gs://crawl/a"], [".warc.gz"])) == sorted(both)
    assert files.expand(["gs://crawl/*/*.warc.gz"]) == both[:1]


def test_what_is_not_there():
    with pytest.raises(InputError, match="no file"):
        storage.read_bytes("gs://crawl/none")


def test_a_version_has_a_mark():
    assert stat("gs://crawl/a/large").mark
