"""Work on records in a child process that may be killed: a bad record costs itself, never its neighbours.

No limit on native code holds from within the process that runs it. So one child for each worker reads the
records and makes the results; here they only arrive. The kernel ends a child whose record takes more than its
CPU time, refuses it more than its memory, and sees it crash. What the child has finished is in memory that
outlives it, so the culprit is the record after the last result: a new child makes the result of a failed
record of it, and goes on behind.
"""

import contextlib
import ctypes
import io
import os
import pickle
import resource
import signal
import time
from collections.abc import Generator, Iterator
from multiprocessing.sharedctypes import RawArray, RawValue
from typing import Any, NamedTuple, TypeVar

from pipeline.errors import TaskFailedError
from pipeline.perform import (
    NO_MEMORY,
    RESTING,
    WORKING,
    End,
    Limits,
    Result,
    State,
    Task,
    Work,
    memory_of,
    serve,
)
from pipeline.remote_settings import told
from pipeline.spawn import CONTEXT, spawn

__all__ = ["Limits", "Work", "cpu_seconds", "peak_bytes", "supervised"]

R = TypeVar("R")

TIMEOUT, CRASH, MEMORY = "timeout", "crash", "memory"  # faults: what can go wrong with a record
_ATTEMPTS = 3  # at a record, when nobody knows why its child died
_WATCH_SECONDS = 0.1  # a look at a child that says nothing, so often;
_CLOSE_SECONDS = 0.01  # where the one before it died
_TRAY_BYTES = 1 << 20


def supervised(work: Work[R], limits: Limits) -> Generator[R, None, None]:
    """The result of every record, in order: that of `work.failed` for those that broke a limit or the child.

    A record that is too slow has failed; one at which the child crashed or ran out of memory is given to a
    new child first. What `work` raises is raised here. Raises TaskFailedError where a child dies without a
    record, or is killed by others.
    """
    place: Any = None
    number = 0  # results so far
    deaths: list[str] = []  # at the record that comes next
    fault, phase = "", RESTING
    child = _crew.hire()
    done = False
    try:
        while True:
            child.start(Task(work, limits, place, number, fault, phase, told()), closely=bool(deaths))
            for entry in child.entries():
                if isinstance(entry, End):
                    done = True
                    if entry.error is not None:
                        raise entry.error from _Elsewhere(entry.trace)
                    return
                if entry[0] == number:  # else it has come before
                    number, deaths, fault = number + 1, [], ""
                    _, place, result = entry
                    yield result
            death = child.death()
            if death.code or death.phase != RESTING:  # else it had grown too large
                deaths.append(death.fault)
                fault, phase = _verdict(death, deaths), death.phase
            _crew.release(child, False)
            child = _crew.hire()
    finally:
        _crew.release(child, done)


def _verdict(death: "_Death", deaths: list[str]) -> str:
    """The fault of the record that comes next; empty if it is to be tried once more."""
    known = [fault for fault in deaths if fault]
    if len(deaths) > 2 * _ATTEMPTS or len(deaths) - len(known) == _ATTEMPTS:
        raise TaskFailedError(death.message(len(deaths)))
    return death.fault if death.fault == TIMEOUT or len(known) > 1 else ""


def cpu_seconds() -> float:
    """CPU time of this process and its children; of those that live, up to the last results they sent."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(float(child.state.cpu_seconds) for child in _crew.living)
    return time.process_time() + ended.ru_utime + ended.ru_stime + living


def peak_bytes() -> int:
    """The most memory that a child of this process has taken."""
    return max(_crew.peak_bytes, *(int(child.state.peak_bytes) for child in _crew.living), 0)


class _Elsewhere(Exception):
    """Where in the child it came from."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Death(NamedTuple):
    """How a child ended."""

    code: int
    phase: int
    fault: str  # of the record it had begun; empty if there was none, or somebody else killed the child

    def message(self, times: int) -> str:
        """For the user."""
        cause = f"killed by signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        remedy = "its last words on stderr may say why"
        if self.code == -signal.SIGKILL:
            remedy = "most likely for want of memory: free some or use fewer --workers, then run it again"
        return f"the process that looks at records died {times} times ({cause}); {remedy}"


class _Child:
    """One spawned process, the pipe to it, and what it shares."""

    def __init__(self) -> None:
        self.state: Any = RawValue(State)
        self._tray = RawArray(ctypes.c_char, _TRAY_BYTES)
        self._pipe, theirs = CONTEXT.Pipe()
        self._process = spawn(serve, theirs, self.state, self._tray)
        theirs.close()  # so that its death closes the pipe
        self._limits, self._pause = Limits(), _WATCH_SECONDS
        self._slept = 0.0  # seconds, over a result
        self._ticks = -1  # of CPU time, when it was last looked at
        self._most = 0  # bytes of memory in which it was seen since its last results
        self._sentence = ""  # the fault for which it was killed

    def alive(self) -> bool:
        """Whether it can take a task."""
        return self._process.is_alive()

    def start(self, task: Task, closely: bool) -> None:
        """Give it a task, and watch it; if it is dead, `entries` will notice."""
        self._limits = task.limits
        self._pause = _CLOSE_SECONDS if closely else _WATCH_SECONDS
        with contextlib.suppress(OSError):
            self._pipe.send_bytes(pickle.dumps(task))

    def entries(self) -> Iterator[Result | End]:
        """What it has to say of its task: up to an End, or up to its death."""
        while (data := self._hear()) is not None:
            yield from _unpacked(data)
        self._process.join()
        yield from _unpacked(memoryview(self._tray).cast("B")[: self.state.used])

    def death(self) -> _Death:
        """Why it ended."""
        code = self._process.exitcode or 0
        return _Death(code, self.state.phase, self._fault(code) if self.state.phase != RESTING else "")

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _hear(self) -> memoryview | None:
        """The next results; None at its death."""
        self._slept, self._most = 0.0, 0
        try:
            while not self._pipe.poll(self._pause):
                self._watch()
            return memoryview(self._pipe.recv_bytes())
        except (EOFError, OSError):
            return None

    def _fault(self, code: int) -> str:
        if self._sentence:
            return self._sentence
        if code == -signal.SIGPROF:
            return TIMEOUT
        if code == NO_MEMORY or self._most - self.state.start_bytes > self._limits.memory // 2:
            return MEMORY
        return "" if code in (-signal.SIGKILL, -signal.SIGTERM) else CRASH

    def _watch(self) -> None:
        """Kill it when it has grown beyond its memory, or sleeps over a result."""
        self._most = max(self._most, memory_of(self._process.pid).resident)
        asleep, ticks = _activity(self._process.pid)
        idle = asleep and ticks == self._ticks and self.state.phase == WORKING
        self._slept = self._slept + self._pause if idle else 0.0
        self._ticks = ticks
        if self.state.start_bytes and self._most - self.state.start_bytes > self._limits.memory:
            self._sentence = MEMORY
        elif self._slept > self._limits.sleep_seconds:
            self._sentence = TIMEOUT
        if self._sentence:
            self._process.kill()


class _Crew:
    """The children of this process: one for each of its threads that needs one, kept for the next task."""

    def __init__(self) -> None:
        self.living: list[_Child] = []
        self.peak_bytes = 0  # the most memory of those that are no more
        self._idle: list[_Child] = []
        os.register_at_fork(after_in_child=self.living.clear)
        os.register_at_fork(after_in_child=self._idle.clear)

    def hire(self) -> _Child:
        """A child without work; a new one, if there is none."""
        with contextlib.suppress(IndexError):
            while True:
                child = self._idle.pop()
                if child.alive():
                    return child
                self.release(child, False)
        child = _Child()
        self.living.append(child)
        return child

    def release(self, child: _Child, done: bool) -> None:
        """Its task is done, or it is given up."""
        if done:
            self._idle.append(child)
        else:
            child.end()
            self.living.remove(child)
            self.peak_bytes = max(self.peak_bytes, child.state.peak_bytes)


_crew = _Crew()


def _unpacked(data: memoryview) -> Iterator[Any]:
    """Objects that were pickled one after the other."""
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        yield pickle.load(stream)


def _activity(pid: int | None) -> tuple[bool, int]:
    """(whether a process sleeps, its CPU time in clock ticks)."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
        return fields[0] == b"S", int(fields[11]) + int(fields[12])
    return False, 0
