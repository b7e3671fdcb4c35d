"""Ask web servers for ranges of files, and believe no answer that does not fit together.

Every request names a range, so that an honest server says twice how long the file is. What may pass (a busy
server, a dead connection) is a Trouble, see `remote_pace`; what will not is an InputError.
"""

import os
import re
from email.utils import parsedate_to_datetime
from functools import cache
from time import time
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)

from pipeline.errors import InputError
from pipeline.remote_pace import Patience, Trouble, host, shown, take_turn
from pipeline.remote_settings import session

FEW = 4  # attempts at what seldom passes
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)")
_REDIRECTS = urllib3.Retry(
    total=None, connect=False, read=False, other=0, status=0, redirect=5, respect_retry_after_header=False
)


class Changed(InputError):
    """A file became another one while it was read, or may have."""


class Version(NamedTuple):
    """What a remote file is at this moment."""

    size: int | None  # bytes; None if only the end will tell
    mark: str  # ETag or Last-Modified: another one, another file; empty if the server gives none


class Answer(NamedTuple):
    """What a server sends: bytes `start` to `end` of the file."""

    body: urllib3.BaseHTTPResponse
    version: Version
    start: int
    end: int | None  # None if only the end will tell
    ranged: bool  # whether it heeds ranges


def stat(url: str) -> Version:
    """The file's version, for the price of one request."""
    patience = Patience(url)
    while True:
        try:
            answer = ask(url, 0, 1)
            if answer.ranged:
                answer.body.drain_conn()  # a byte, and the connection serves again
            answer.body.close()
            return answer.version
        except Trouble as trouble:
            patience.wait(trouble)


def read_range(url: str, start: int, length: int) -> bytes:
    """`length` bytes from `start` on; fewer where the file ends."""
    patience = Patience(url)
    while length > 0:
        try:
            return _whole(url, ask(url, start, start + length), start, length)
        except Trouble as trouble:
            patience.wait(trouble)
    return b""


def _whole(url: str, answer: Answer, start: int, length: int) -> bytes:
    """The bytes of a ranged answer, which must be all that were asked for."""
    body, version, begin, end, ranged = answer
    if not ranged and (start or version.size is None or version.size > length):
        body.close()
        raise InputError(
            f"cannot read a part of {shown(url)}: its server sends whole files only; copy it to a disk, or "
            "set cache = <folder> in [network]"
        )
    try:
        data = body.read()
    except (HTTPError, OSError) as error:
        raise failure(url, error) from error
    if end is not None and len(data) != end - begin:
        raise lie(f"it announced {end - begin} bytes and sent {len(data)}")
    if ranged and version.size is not None and begin + len(data) < min(start + length, version.size):
        raise lie(f"it sent {len(data)} bytes of the {length} asked for")
    if len(data) > length:
        raise lie(f"it sent {len(data)} bytes where {length} were asked for")
    return data


def ask(url: str, start: int, end: int | None = None, known: Version | None = None) -> Answer:
    """One request for bytes `start` to `end` (the file's if None) of the version `known` (any if None).

    Raises Changed when the file has another version by now, Trouble for what may pass, else InputError.
    """
    take_turn(url)
    headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}", "Accept-Encoding": "identity"}
    if known and known.mark and start and not known.mark.startswith("W/"):
        headers["If-Range"] = known.mark
    seconds = session().network.timeout
    try:
        body = _pool(url).request(
            "GET",
            url,
            headers=headers | {"User-Agent": session().network.user_agent},
            preload_content=False,
            decode_content=False,
            retries=_REDIRECTS,
            timeout=urllib3.Timeout(connect=min(seconds, 30.0), read=seconds),
        )
    except LocationValueError as error:
        raise InputError(f"{url} is no address of a file: {error}; check it") from error
    except (HTTPError, OSError) as error:
        raise failure(url, error) from error
    try:
        answer = _checked(url, body, start)
        if known:
            _refuse_other(url, known, answer.version)
        return answer
    except BaseException:
        body.close()
        raise


def _checked(url: str, body: urllib3.BaseHTTPResponse, start: int) -> Answer:
    """What the status and the headers say; they must fit together."""
    ranges = _CONTENT_RANGE.fullmatch(body.headers.get("Content-Range", "").strip())
    total = int(ranges[3]) if ranges and ranges[3] != "*" else None
    mark = _mark(body)
    if body.status == 416:
        if not ranges or ranges[1] or total is None or start < total:
            raise lie(f"it was asked for bytes from {start} on, and says that there are none")
        return Answer(body, Version(total, mark), start, start, True)
    if body.status not in (200, 206):
        raise _refusal(url, body)
    _refuse_encoded(url, body)
    declared = body.headers.get("Content-Length", "")
    if declared and not re.fullmatch("[0-9]{1,18}", declared):
        raise lie(f"it announced a length of '{declared}'")
    length = int(declared) if declared else None
    chunked = "chunked" in body.headers.get("Transfer-Encoding", "").lower()
    if length is None and not chunked:
        raise InputError(
            f"cannot read {shown(url)}: its server does not say how long it is, so that a cut connection "
            "would look like its end; copy the file to a disk"
        )
    if body.status == 200:
        return Answer(body, Version(None if chunked else length, mark), 0, None if chunked else length, False)
    if not ranges or not ranges[1]:
        raise lie("it sent a part of the file and did not say which")
    begin, end = int(ranges[1]), int(ranges[2]) + 1
    if begin != start or end <= begin or (total is not None and end > total):
        raise lie(f"it was asked for bytes from {start} on, and sent '{ranges[0]}'")
    if length is not None and not chunked and length != end - begin:
        raise lie(f"it announced {length} bytes, and '{ranges[0]}', which are {end - begin}")
    return Answer(body, Version(total, mark), begin, end, True)


def failure(url: str, error: Exception) -> Trouble:
    """What a broken connection was, in words."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(reason, NameResolutionError):
        return Trouble(
            f"the name {host(url)} is unknown",
            "check the address and the network; then run the same command again, it continues",
            FEW,
        )
    if isinstance(reason, SSLError):
        why = f"no secure connection to {host(url)} ({reason})"
        return Trouble(
            why, "check the clock, and the certificates of this machine (SSL_CERT_FILE names others)", FEW
        )
    return Trouble(
        _in_words(reason),
        "check the network, and HTTPS_PROXY if it needs one; then run the same command again, it continues",
    )


def _in_words(error: BaseException) -> str:
    """What a user can make of a network error."""
    if isinstance(error, NewConnectionError):
        return f"no connection ({str(error).rpartition(': ')[2]})"
    if isinstance(error, ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, (ReadTimeoutError, TimeoutError)):
        return f"not a byte in {session().network.timeout:g} s"
    if isinstance(error, ResponseError):
        return str(error)
    return f"the connection was cut ({type(error.args[-1] if error.args else error).__name__})"


def lie(what: str) -> Trouble:
    """A server that contradicts itself."""
    remedy = "the server, or a proxy on the way, is wrong about the file; copy it to a disk by other means"
    return Trouble(what, remedy, FEW)


def _refuse_other(url: str, known: Version, now: Version) -> None:
    if known.mark != now.mark or (None not in (known.size, now.size) and known.size != now.size):
        raise Changed(
            f"{shown(url)} changed while it was read: {known.size} bytes, {known.mark} became {now.size} "
            f"bytes, {now.mark}; run the same command again, it reads the file from the start"
        )


def _mark(body: urllib3.BaseHTTPResponse) -> str:
    tag: str = body.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else body.headers.get("Last-Modified", tag)


def _refusal(url: str, body: urllib3.BaseHTTPResponse) -> Exception:
    """What a status that is none of success means."""
    what, name = f"{body.status} {body.reason or ''}".strip(), shown(url)
    if body.status in _BUSY:
        remedy = "the server is busy: lower requests_per_second in [network], or try again later"
        return Trouble(what, remedy, after=_retry_after(body))
    if body.status == 403:
        remedy = (
            "the address is wrong or private, or you asked too often (so Common Crawl answers then): "
            "lower requests_per_second in [network], wait some minutes and run the same command again"
        )
        return Trouble(what, remedy, FEW, _retry_after(body), InputError)
    if body.status in (404, 410):
        return InputError(f"no file {name} ({what}); check the address in the recipe")
    if body.status in (401, 407):
        return InputError(
            f"cannot read {name}: {what}; use an address that needs no password, or s3:// or gs://"
        )
    if body.status == 412:
        return Changed(f"{name} changed while it was read; run the same command again")
    return InputError(f"cannot read {name}: {what}; check the address in the recipe")


def _retry_after(body: urllib3.BaseHTTPResponse) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date; None if there is none."""
    value = body.headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]{1,9}", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


def _refuse_encoded(url: str, body: urllib3.BaseHTTPResponse) -> None:
    """Compressed on the way, though we asked not to: its lengths would not be the file's."""
    encoding = body.headers.get("Content-Encoding", "identity").lower().removeprefix("x-")
    as_stored = encoding == "gzip" and urlsplit(url).path.endswith(".gz")  # some servers say so of .gz files
    if encoding != "identity" and not as_stored:
        raise InputError(
            f"cannot read {shown(url)}: its server compresses it on the way ({encoding}), though asked not "
            "to; copy the file to a disk"
        )


def _pool(url: str) -> urllib3.PoolManager:
    """The connections of this process, through the proxy of the environment if there is one."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    return _pools(os.getpid(), "" if proxy_bypass(parts.hostname or "") else proxy)


@cache
def _pools(process: int, proxy: str) -> urllib3.PoolManager:
    return urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
