"""A web server for tests that is as hostile as it is told to be, request by request."""

import hashlib
import http.server
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

from pipeline.remote_settings import Network


@dataclass(frozen=True)
class Request:
    path: str
    range: str
    agent: str
    at: float


Answer = Callable[["Handler", bytes], None]


@dataclass
class Site:
    """Files by path; `plan` says how the next requests for a path are answered, `usual` how others are."""

    files: dict[str, bytes] = field(default_factory=dict)
    plan: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    usual: Answer = lambda handler, data: handler.honest(data)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, data: bytes, *answers: Answer) -> str:
        self.files[path] = data
        self.plan[path] = deque(answers)
        return self.url(path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site
    start = 0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        site, headers = self.site, self.headers
        with site.lock:
            agent = headers.get("User-Agent", "")
            site.requests.append(Request(self.path, headers.get("Range", ""), agent, time.monotonic()))
            answer = site.plan[path].popleft() if site.plan[path] else site.usual
        if path not in site.files:
            answer = status(404)
        answer(self, site.files.get(path, b""))

    def do_HEAD(self) -> None:
        status(405)(self, b"")

    def begin(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def wanted(self, data: bytes) -> tuple[int, int]:
        """The bytes asked for, start and end."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert match
        return int(match[1]), min(int(match[2]) + 1 if match[2] else len(data), len(data))

    def honest(self, data: bytes, length: int = 0, tag: str | None = None, ranges: bool = True) -> bytes:
        """Send the right headers (but a Content-Length of `length` more) and body; returns the body."""
        tag = etag(data) if tag is None else tag
        start, end = self.wanted(data)
        about = {"ETag": tag or None, "Last_Modified": formatdate(0, usegmt=True) if tag else None}
        fresh = self.headers.get("If-Range", tag) == tag
        if start >= len(data) and ranges:
            self.begin(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
            return b""
        if ranges and fresh and "Range" in self.headers:
            where = f"bytes {start}-{end - 1}/{len(data)}"
            self.begin(206, Content_Range=where, Content_Length=end - start + length, **about)
            body = data[start:end]
        else:
            self.begin(200, Content_Length=len(data) + length, **about)
            body = data
        self.send(body)
        return body

    def send(self, body: bytes) -> None:
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:  # the client had enough
            self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *parts: object) -> None:
        pass


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def status(code: int, **headers: object) -> Answer:
    return lambda handler, data: handler.begin(code, Content_Length=0, **headers)


def honest(**how: object) -> Answer:
    return lambda handler, data: handler.honest(data, **how)  # type: ignore[arg-type]


def cut(after: int, ranges: bool = True, tag: str | None = None) -> Answer:
    """The connection ends after so many bytes of the body."""

    def answer(handler: Handler, data: bytes) -> None:
        send = handler.send
        handler.send = lambda body: send(body[:after])  # type: ignore[method-assign]
        handler.honest(data, ranges=ranges, tag=tag)
        handler.hang_up()

    return answer


def stall(after: int) -> Answer:
    """After so many bytes nothing more comes, and the connection stays."""

    def answer(handler: Handler, data: bytes) -> None:
        cut(after)(handler, data)
        handler.site.closing.wait(10)

    return answer


def longer(by: int) -> Answer:
    """Announces more than it sends (or less)."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.honest(data, length=by)
        handler.hang_up()

    return answer


def chunked(handler: Handler, data: bytes) -> None:
    """Says no length; the last chunk is the end."""
    handler.begin(200, Transfer_Encoding="chunked", ETag=etag(data))
    handler.send(
        b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (data[:1000], data[1000:]) if p) + b"0\r\n\r\n"
    )


def endless(handler: Handler, data: bytes) -> None:
    """Says no length; the end of the connection is the end."""
    handler.begin(200, Connection="close")
    handler.send(data)
    handler.hang_up()


def elsewhere(by: int) -> Answer:
    """Sends another range than was asked for."""

    def answer(handler: Handler, data: bytes) -> None:
        start, end = handler.wanted(data)
        where = f"bytes {start + by}-{end - 1}/{len(data)}"
        handler.begin(206, Content_Range=where, Content_Length=end - start - by, ETag=etag(data))
        handler.send(data[start + by : end])

    return answer


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def serving(handler: type[Handler] = Handler) -> Iterator[Site]:
    """A site of its own, for as long as it is needed."""
    site = Site()

    class Own(handler):  # type: ignore[valid-type, misc]
        pass

    Own.site = site
    server = Server(("127.0.0.1", 0), Own)
    server.daemon_threads = True
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def quick(**more: object) -> Network:
    """Settings that fail fast."""
    how = {"requests_per_second": 10_000.0, "backoff": 0.005, "timeout": 0.3, "attempts": 6}
    return Network(**how | more)  # type: ignore[arg-type]
