"""How files are read over a network: the recipe's [network] table, and how it reaches every process of a run.

It travels in an environment variable, which workers and their children inherit. It never changes a result,
so it is part of no identity.
"""

import dataclasses
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

_VARIABLE = "WINNOW_NETWORK"
_CONTACT = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|https?://\S+")
_BASE = re.compile(r"(https?|s3|gs)://[^/]+.*")


@dataclass(frozen=True)
class Network:
    """The [network] table of a recipe.

    Fields:
        contact: mail address or web page by which those who run a server can reach you; in the User-Agent
        requests_per_second: asked of one host or bucket at most, by all workers of a run together; if not
            said, 5 of a web server and 500 of a bucket in S3 or Google's storage
        attempts: failures in a row before a file is given up
        backoff: seconds to wait after the first failure; doubled by each one that follows, up to a minute
        timeout: seconds without a byte after which a connection counts as dead
        cache: folder that keeps whole files for the next time; empty: files are streamed and not kept
        cache_gb: what the folder holds at most; those not read for longest go first
        commoncrawl: where "commoncrawl:" files are, such as s3://commoncrawl inside Amazon's network
    """

    contact: str = ""
    requests_per_second: float | None = None
    attempts: int = 20
    backoff: float = 1.0
    timeout: float = 60.0
    cache: str = ""
    cache_gb: float = 50.0
    commoncrawl: str = "https://data.commoncrawl.org"

    def __post_init__(self) -> None:
        if self.contact and not _CONTACT.fullmatch(self.contact):
            raise ValueError(
                f"contact = '{self.contact}' must be a mail address or a web page: you@example.org"
            )
        for name in ("requests_per_second", "attempts", "backoff", "timeout", "cache_gb"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} = {value} must be more than 0")
        if not _BASE.fullmatch(self.commoncrawl):
            raise ValueError(f"commoncrawl = '{self.commoncrawl}' must begin with https://, s3:// or gs://")

    def rate(self, url: str) -> float:
        """Requests a second of the host of `url`, at most."""
        return self.requests_per_second or (5.0 if url.startswith("http") else 500.0)

    @property
    def user_agent(self) -> str:
        """Who asks, and how to reach them."""
        return f"winnow/{version('winnow')}" + (f" (+{self.contact})" if self.contact else "")


@dataclass(frozen=True)
class Session:
    """The settings in use, where this run's processes meet, and what they found out about remote files."""

    network: Network
    folder: str
    found: dict[Any, Any] = field(default_factory=dict)  # of this process


@contextmanager
def used(network: Network, folder: str = "") -> Iterator[None]:
    """In here, and in processes started in here, files are read as `network` says; `folder` is the run's."""
    before = os.environ.get(_VARIABLE)
    values = {"network": dataclasses.asdict(network), "folder": os.path.abspath(folder) if folder else ""}
    os.environ[_VARIABLE] = json.dumps({**values, "session": secrets.token_hex(4)})
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


def told() -> str:
    """What `used` said, for `heed` in a process that was started earlier."""
    return os.environ.get(_VARIABLE, "{}")


def heed(text: str) -> None:
    """From now on, in this process, files are read as `told` there."""
    os.environ[_VARIABLE] = text


def session() -> Session:
    """What `used` said, in this process or in one that started it; else the defaults."""
    return _session(told())


@cache
def _session(text: str) -> Session:
    values = json.loads(text)
    folder = values.get("folder") or os.path.join(tempfile.gettempdir(), f"winnow-{os.getuid()}")
    return Session(Network(**values.get("network", {})), os.path.join(folder, ".network"))
