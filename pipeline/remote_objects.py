"""Objects in S3 and Google Cloud Storage, by pyarrow: read in blocks, listed like folders.

Credentials come from where the makers' own tools take them (environment, ~/.aws, instance, GOOGLE_*); where
there are none, requests are anonymous, which public buckets allow. AWS_ENDPOINT_URL names a compatible store.
"""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import InputError
from pipeline.remote_http import FEW, Changed, Version
from pipeline.remote_pace import Patience, Trouble, take_turn
from pipeline.remote_seek import Seekable
from pipeline.remote_settings import session

T = TypeVar("T")
SCHEMES = ("s3", "gs")
_BLOCK = 1 << 24  # bytes asked for at once
_MAGIC = re.compile(r"[*?[]")
_REFUSED = re.compile(
    "ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|INVALID_CLIENT_TOKEN_ID|"
    "UNRECOGNIZED_CLIENT|INVALID_SIGNATURE|PERMISSION_DENIED|UNAUTHENTICATED|HTTP (response |status )*40[13]",
    re.IGNORECASE,
)
_UNKNOWN = re.compile("could ?n[o']t resolve host", re.IGNORECASE)
_MISSING = re.compile("NO_SUCH_BUCKET|NO_SUCH_KEY|NOT_FOUND|does not exist|HTTP status 404", re.IGNORECASE)


class ObjectFile(Seekable):
    """An object, read block by block; Changed when it is another one at its end than it was at its start."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._file, self.version = _persist(url, lambda: _opened(url))
        self._block, self._block_at = memoryview(b""), 0
        self._blocks = 0  # read so far

    def _end(self) -> int:
        return self.version.size or 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Put what is there of the block into `buffer`; 0 only at the end of the object."""
        size = self._end()
        if not len(buffer) or self._at >= size:
            return 0
        if not 0 <= self._at - self._block_at < len(self._block):
            length = min(_BLOCK, size - self._at)
            part = _persist(self._url, lambda: _part(self._url, self._file, self._at, length))
            self._block = memoryview(part)
            self._block_at = self._at
            self._blocks += 1
            if self._blocks > 1 and self._at + length == size:
                self._refuse_other()
        data = self._block[self._at - self._block_at :][: len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _refuse_other(self) -> None:
        now = stat(self._url)
        if now != self.version:
            raise Changed(
                f"{self._url} changed while it was read: {self.version.size} bytes, {self.version.mark} are "
                f"now {now.size} bytes, {now.mark}; run the same command again, it reads it from the start"
            )


def stat(url: str) -> Version:
    """The object's version."""
    return _persist(url, lambda: _opened(url))[1]


def read_range(url: str, start: int, length: int) -> bytes:
    """`length` bytes from `start` on; fewer where the object ends."""
    file, version = _persist(url, lambda: _opened(url))
    length = min(length, (version.size or 0) - start)
    return _persist(url, lambda: _part(url, file, start, length)) if length > 0 else b""


def listed(pattern: str) -> list[str]:
    """The objects that an address stands for: itself, all below it at any depth, or those of its glob."""
    scheme, name = pattern.split("://", 1)
    if not _MAGIC.search(name):
        return [f"{scheme}://{path}" for path in _persist(pattern, lambda: _below(pattern, name))]
    folder = name[: _MAGIC.search(name).start()].rpartition("/")[0]  # type: ignore[union-attr]
    if not folder:
        raise InputError(f"{pattern}: the name of a bucket can have no wildcard")
    wanted = glob_pattern(name)
    paths = _persist(pattern, lambda: _below(pattern, folder))
    return [f"{scheme}://{path}" for path in paths if wanted.fullmatch(path)]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression: '*' stays within a folder, '**' does not; none finds what is hidden."""
    *folders, name = (f"{glob}/*" if glob.endswith("/**") else glob).split("/")
    expressions = [r"(?:[^/.][^/]*/)*" if part == "**" else f"{_name_pattern(part)}/" for part in folders]
    return re.compile("".join(expressions) + _name_pattern(name))


def _name_pattern(glob: str) -> str:
    """The same of one name in a path."""
    found = r"(?!\.)" if glob[:1] in ("*", "?", "[") else ""
    for token in re.findall(r"\*+|\?|\[!?\]?[^]]*\]|.", glob):
        if token[0] == "*":
            found += "[^/]*"
        elif token == "?":
            found += "[^/]"
        elif len(token) > 1:
            inside = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            found += f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
        else:
            found += re.escape(token)
    return found


def _below(url: str, path: str) -> list[str]:
    """The object `path` if there is one, else all that are below it, hidden ones left out."""
    from pyarrow.fs import FileSelector, FileType

    take_turn(url)
    files = _filesystem(url)
    path = path.rstrip("/")
    if files.get_file_info(path).type == FileType.File:
        return [path]
    found = files.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    if not found and files.get_file_info(path.partition("/")[0]).type == FileType.NotFound:
        raise InputError(
            f"no bucket {path.partition('/')[0]}, which {url} names; check the address in the recipe"
        )
    return sorted(
        info.path
        for info in found
        if info.type == FileType.File and "/." not in info.path.removeprefix(path) and info.size
    )


def _opened(url: str) -> tuple[Any, Version]:
    take_turn(url)
    file = _filesystem(url).open_input_file(url.split("://", 1)[1])
    metadata = file.metadata() or {}
    return file, Version(file.size(), (metadata.get("ETag") or metadata.get("generation") or b"").decode())


def _part(url: str, file: Any, start: int, length: int) -> bytes:
    take_turn(url)
    data: bytes = file.read_at(length, start)
    if len(data) != length:
        raise Trouble(f"{len(data)} bytes came of the {length} asked for", attempts=FEW)
    return data


def _persist(url: str, attempt: Callable[[], T]) -> T:
    """Attempt it until it succeeds, or fails for good."""
    patience = Patience(url)
    while True:
        try:
            return attempt()
        except OSError as error:
            patience.wait(_trouble(url, error))
        except Trouble as trouble:
            patience.wait(trouble)


def _trouble(url: str, error: OSError) -> Trouble:
    """What may pass; raises InputError for what will not."""
    text = re.sub(r"\s+", " ", str(error))
    what = (re.findall(r"AWS Error (.*)", text) or [text])[0][:200]
    if isinstance(error, FileNotFoundError) or _MISSING.search(text):
        raise InputError(f"no file {url} ({what}); check the bucket and the name in the recipe") from error
    if _REFUSED.search(text):
        own = (
            "AWS_PROFILE, AWS_ACCESS_KEY_ID or ~/.aws"
            if url.startswith("s3:")
            else "GOOGLE_APPLICATION_CREDENTIALS"
        )
        also = ", or read it from https://data.commoncrawl.org" if url.startswith("s3://commoncrawl/") else ""
        raise InputError(
            f"cannot read {url}: {what}; give credentials that may read it ({own}){also}"
        ) from error
    remedy = "check the network and AWS_ENDPOINT_URL; then run the same command again, it continues"
    return Trouble(what, remedy, FEW if _UNKNOWN.search(text) else None)


def _filesystem(url: str) -> Any:
    """The store of a bucket; one for each in a process."""
    scheme, name = url.split("://", 1)
    network = session().network
    if scheme == "gs":
        return _google(network.timeout, os.environ.get("STORAGE_EMULATOR_HOST", ""))
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return _amazon(name.partition("/")[0], network.timeout, endpoint)


@cache
def _amazon(bucket: str, timeout: float, endpoint: str) -> Any:
    from pyarrow import fs

    where = urlsplit(endpoint)
    proxy = "" if proxy_bypass(where.hostname or "amazonaws.com") else getproxies().get("https", "")
    return fs.S3FileSystem(
        region=os.environ.get("AWS_REGION", "us-east-1") if endpoint else fs.resolve_s3_region(bucket),
        endpoint_override=where.netloc or None,
        scheme=where.scheme or "https",
        proxy_options=proxy or None,
        connect_timeout=min(timeout, 30.0),
        request_timeout=timeout,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),  # `_persist` makes the others
    )


@cache
def _google(timeout: float, endpoint: str) -> Any:
    from pyarrow import fs

    where = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    return fs.GcsFileSystem(
        anonymous=not _google_credentials(),
        endpoint_override=where.netloc or None,
        scheme=where.scheme if endpoint else "https",
        retry_time_limit=timedelta(seconds=timeout),
    )


def _google_credentials() -> bool:
    """Whether there are any where Google's tools look for them: a file, or the machine itself."""
    home = os.path.expanduser("~/.config/gcloud/application_default_credentials.json")
    machine = "/sys/class/dmi/id/product_name"
    if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or os.path.exists(home):
        return True
    return os.path.exists(machine) and "Google" in Path(machine).read_text()
