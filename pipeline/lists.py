"""Lists of paths, one a line: your own, and those that Common Crawl publishes for each of its crawls.

The paths of a list on a disk start from the list's folder; those of a list on a server start from the root of
its host or bucket, as Common Crawl's do. A line that is an absolute path or an address stands for itself.
`commoncrawl:CC-MAIN-2019-18` is short for that crawl's list of WARC files, `commoncrawl:CC-MAIN-2019-18/wet`
for that of its plain texts, `commoncrawl:CC-MAIN-2019-18/cc-index-table` for that of its columnar URL index.
"""

import gzip
import os
import re
import zlib

from pipeline import remote, storage
from pipeline.errors import InputError
from pipeline.remote_settings import session

_CRAWL = "commoncrawl:"
_NAME = re.compile(
    r"([A-Z]+(?:-[A-Z]+)*-\d{4}(?:-\d\d)?(?:-[\d-]+)?)(?:/(warc|wet|robotstxt|non200responses|cc-index-table))?"
)
_NEWS = re.compile(r"CC-NEWS-(\d{4})-(\d\d)")


def is_crawl(pattern: str) -> bool:
    """Whether a pattern is the name of a crawl."""
    return pattern.startswith(_CRAWL)


def is_list(pattern: str) -> bool:
    """Whether a pattern is a list of paths, by its name or as a crawl."""
    return is_crawl(pattern) or pattern.partition("?")[0].endswith((".paths", ".paths.gz"))


def listed(pattern: str) -> list[str]:
    """The files that a list names, in its order. Raises InputError for a list that is none or is empty."""
    path = _of_crawl(pattern) if is_crawl(pattern) else pattern
    if remote.is_remote(path):
        root = "/".join(path.split("/")[:3])
        lines = remote.once(("list", path), lambda: _lines(path))
        return [line if remote.is_remote(line) else f"{root}/{line.lstrip('/')}" for line in lines]
    files = [
        line if remote.is_remote(line) else os.path.join(os.path.dirname(path), line) for line in _lines(path)
    ]
    for number, file in enumerate(files, 1):
        if not remote.is_remote(file) and not os.path.isfile(file):
            raise InputError(
                f"{path}, line {number}: no file {file}; paths in a list are relative to the list's folder "
                "(a crawl's list that you have downloaded names files that you have not: write "
                "commoncrawl:CC-MAIN-…, or the list's address, to read them over the network)"
            )
    return files


def _of_crawl(pattern: str) -> str:
    """The address of a crawl's list."""
    match = _NAME.fullmatch(pattern.removeprefix(_CRAWL))
    if not match:
        raise InputError(
            f"{pattern} is no crawl; write commoncrawl:CC-MAIN-2019-18 for its WARC files, "
            "commoncrawl:CC-MAIN-2019-18/wet for its plain texts, …/wet#0:8 for the first eight of these"
        )
    base = session().network.commoncrawl.rstrip("/")
    name = _NEWS.sub(r"CC-NEWS/\1/\2", match[1])  # which has a folder for each month
    return f"{base}/crawl-data/{name}/{match[2] or 'warc'}.paths.gz"


def _lines(path: str) -> list[str]:
    data = storage.read_bytes(path)
    try:
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a list of paths, one a line: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty; it should be a list of paths, one a line")
    return lines
