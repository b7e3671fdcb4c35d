"""The other side of peers.ask: a program that is measured. The standard library alone, for any environment.

A question a line in, an answer a line out. Only the work itself is timed, in CPU seconds of this process and
of those it started. What the program prints is kept back, and shown if it fails.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

SHOWN = 4_000  # bytes of what it had printed


def answer(
    before: Callable[[Any], Any], work: Callable[[Any, Any], Any], after: Callable[[Any, Any], Any]
) -> None:
    """To each question: work(question, before(question)), timed, and what after(question, result) says."""
    with os.fdopen(os.dup(1), "w") as answers, held_back():
        for line in sys.stdin:
            question = json.loads(line)
            ready = before(question)
            started = cpu_seconds()
            result = work(question, ready)
            seconds = cpu_seconds() - started
            print(json.dumps({"seconds": seconds, "kept": after(question, result)}), file=answers, flush=True)


@contextmanager
def held_back():
    """Standard output and error go into a file; its end is shown if something is raised."""
    errors = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(size - SHOWN, 0))
            os.dup2(errors, 2)
            os.write(2, log.read())
            raise


def cpu_seconds() -> float:
    """Of this process and the children that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
