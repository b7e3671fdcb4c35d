"""How often a run asks a host, and how long it waits after a failure: all its workers and machines together.

They meet in small locked files in the run's folder, `.network/<host>`: the moment from which the host may be
asked again. What was waited for is in `.network/log.jsonl`.
"""

import contextlib
import fcntl
import json
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from pipeline.errors import StorageError, WinnowError
from pipeline.remote_settings import session

_LONGEST = 60.0  # seconds between two attempts
_LONGEST_ASKED = 900.0  # seconds that a server may ask us to wait
_LOG = "log.jsonl"


class Trouble(Exception):
    """An attempt that failed, and may not fail the next time."""

    def __init__(
        self,
        why: str,
        remedy: str = "check the network; then run the same command again, it continues",
        attempts: int | None = None,
        after: float | None = None,
        final: type[WinnowError] = StorageError,
    ) -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy
        self.attempts = attempts  # that are worth making; None: as many as the settings say
        self.after = after  # seconds that the server asks everybody to wait
        self.final = final  # what it is when there is no further attempt


@dataclass
class Patience:
    """The failures in a row of what is read from one address."""

    url: str
    failures: int = 0
    doubtful: int = 0  # of these, such as seldom pass

    def forgive(self) -> None:
        """Start to count anew."""
        self.failures = self.doubtful = 0

    def wait(self, trouble: Trouble) -> None:
        """Until the next attempt; raises when there have been enough of them."""
        self.failures += 1
        self.doubtful += trouble.attempts is not None
        most = session().network.attempts
        times = "" if self.failures == 1 else f" ({self.failures} times)"
        if self.failures >= most or self.doubtful >= (trouble.attempts or most):
            raise trouble.final(f"cannot read {shown(self.url)}: {trouble.why}{times}; {trouble.remedy}")
        if (trouble.after or 0) > _LONGEST_ASKED:
            raise StorageError(
                f"cannot read {shown(self.url)}: {trouble.why}, and the server asks to wait for "
                f"{trouble.after:.0f} s; run the same command again after that, it continues"
            )
        seconds = min(_LONGEST, session().network.backoff * 2 ** (self.failures - 1))
        seconds = max(seconds * random.uniform(0.5, 1.0), trouble.after or 0.0)
        _note(self.url, f"{trouble.why}, failure {self.failures} of {most}", seconds)
        if trouble.after is not None:
            _set(self.url, seconds)
        time.sleep(seconds)


def take_turn(url: str) -> None:
    """Wait until the host of `url` may be asked again."""
    gap = 1 / session().network.rate(url)
    while (seconds := _claim(url, gap)) > 0:
        time.sleep(seconds * random.uniform(1.0, 1.1))


def waiting() -> str:
    """What this run waits for at this moment: '12 s for data.example.org (503 Slow Down, …)', or nothing."""
    try:
        with open(os.path.join(session().folder, _LOG), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1000))
            last = json.loads(file.read().splitlines()[-1])
    except (OSError, ValueError, IndexError):  # there was nothing to wait for yet
        return ""
    left = last["until"] - time.time()
    return f"{left:.0f} s for {last['host']} ({last['why']})" if left > 1 else ""


def shown(url: str) -> str:
    """An address for messages: without a query, which may be a signature, and without a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}" + ("?…" if parts.query else "")


def host(url: str) -> str:
    """The host, or bucket, that an address asks."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _claim(url: str, gap: float) -> float:
    """Seconds until the host may be asked; if 0, it is this caller's turn."""
    with _meeting(url) as file:
        now, free = time.time(), float(file.read() or 0)
        if now < free < now + 2 * _LONGEST_ASKED:  # further away: a clock was set back
            return free - now
        _write(file, now + gap)
        return 0.0


def _set(url: str, seconds: float) -> None:
    """Nobody asks the host before `seconds` from now."""
    with _meeting(url) as file:
        _write(file, max(float(file.read() or 0), time.time() + seconds))


def _write(file: IO[str], moment: float) -> None:
    file.seek(0)
    file.truncate()
    file.write(f"{moment:.6f}")


@contextlib.contextmanager
def _meeting(url: str) -> Iterator[IO[str]]:
    """The locked file of the host."""
    path = os.path.join(session().folder, re.sub(r"[^\w.-]", "_", host(url)))
    try:
        os.makedirs(session().folder, exist_ok=True)
        with open(path, "a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; check the disk, then run the same command again"
        ) from error
    except ValueError as error:
        raise StorageError(f"{path} was damaged after it was written: {error}; delete it") from error


def _note(url: str, why: str, seconds: float) -> None:
    line = {"until": round(time.time() + seconds, 3), "host": host(url), "why": why, "url": shown(url)}
    with contextlib.suppress(OSError):  # a note is worth no failure
        os.makedirs(session().folder, exist_ok=True)
        with open(os.path.join(session().folder, _LOG), "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
