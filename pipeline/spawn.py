"""Processes of ours: they never see Ctrl-C, and never outlive the process that started them."""

import contextlib
import fcntl
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

CONTEXT = multiprocessing.get_context("spawn")


def spawn(target: Callable[..., None], *arguments: Any) -> SpawnProcess:
    """A process that runs target(*arguments), with one thread for numeric libraries."""
    process = CONTEXT.Process(target=_live, args=(target, *arguments), daemon=True)
    with _deaf_to_interrupts(), _one_thread():
        process.start()
    return process


def _live(target: Callable[..., None], *arguments: Any) -> None:
    """The life of such a process."""
    _end_with_parent()
    multiprocessing.current_process().daemon = False  # so that it may start some of its own
    target(*arguments)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What starts in here never sees Ctrl-C: this process does, and ends the others."""
    resource_tracker.ensure_running()  # the first start would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """What starts in here is one of several: read by what it imports before it gets to its target."""
    missing = "OMP_NUM_THREADS" not in os.environ
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        yield
    finally:
        if missing:
            del os.environ["OMP_NUM_THREADS"]


def _end_with_parent() -> None:
    """Have the kernel end this process with its parent, also from the midst of native code.

    The pipe that tells of the parent's end never carries data; what makes it readable is that end.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    alarm = parent.sentinel
    fcntl.fcntl(alarm, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alarm, fcntl.F_SETFL, fcntl.fcntl(alarm, fcntl.F_GETFL) | os.O_ASYNC)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    if wait([alarm], 0):  # it ended before
        os._exit(1)
