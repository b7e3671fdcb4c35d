"""The child's side of supervise.py: the results of records under limits, in a process that may die of one."""

import contextlib
import ctypes
import itertools
import os
import pickle
import resource
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.remote_settings import heed

R_co = TypeVar("R_co", covariant=True)

RESTING, READING, WORKING = 0, 1, 2  # phases: between records, before a record is known, with a record
NO_MEMORY, PANIC = 99, 98  # exit codes
_IDLE_SECONDS = 30.0  # without work, it ends after so long
_SEND_SECONDS = 0.1  # results wait at most about so long
_KEPT = 0.25  # share of its memory limit that it may keep between two records


class Work(Protocol[R_co]):
    """What a child does with the records of an input. It is pickled, so it should be small."""

    def load(self) -> None:
        """Import and compile what the first record would wait for: it is on no record's clock."""

    def records(self, after: Any, broken: str) -> Iterator[tuple[Any, Any]]:
        """(place, record) for each record behind the place `after`; from the first one on, if it is None.

        With `broken`, a fault, the first one cannot even be read: it is skipped, and what is yielded for it
        is a record that says so.
        """

    def result(self, record: Any) -> R_co:
        """The result of a record, small enough to be sent."""

    def failed(self, record: Any, fault: str) -> R_co:
        """The result of a record that must not be touched; `fault` is timeout, crash or memory."""


@dataclass(frozen=True)
class Limits:
    """What one record may take."""

    cpu_seconds: float = 10.0
    memory: int = 2 << 30  # bytes, beyond what the child had before its first record
    sleep_seconds: float = 60.0  # in which a result is awaited and no CPU time is used


class Task(NamedTuple):
    """What a child is told."""

    work: Work[Any]
    limits: Limits
    place: Any  # of the last record that is done
    number: int  # of the record behind it, from 0 on
    fault: str  # of that record, if it is known to have one,
    phase: int  # and when it showed
    network: str = "{}"  # how files are read: the child may be older than the run


Result = tuple[int, Any, Any]  # number of the record, its place, what became of it; plain, for speed


class End(NamedTuple):
    """The last word on a task: it is done, or the error that `work` raised."""

    error: Exception | None = None
    trace: str = ""


class State(ctypes.Structure):
    """What parent and child both see, also when the child is dead."""

    _fields_ = (
        ("phase", ctypes.c_int64),
        ("used", ctypes.c_int64),  # bytes of the tray: results that are not sent yet
        ("start_bytes", ctypes.c_int64),  # of memory, before the first record
        ("peak_bytes", ctypes.c_int64),
        ("cpu_seconds", ctypes.c_double),
    )


class Memory(NamedTuple):
    """Bytes of a process, as Linux counts them; 0 where it is not there to be asked."""

    resident: int = 0
    data: int = 0  # what RLIMIT_DATA limits


def memory_of(pid: int | None = None) -> Memory:
    """What a process, or this one, has now."""
    with contextlib.suppress(OSError), open(f"/proc/{pid or 'self'}/statm", "rb") as file:
        _, resident, _, _, _, data, _ = map(int, file.read().split())
        return Memory(resident * resource.getpagesize(), data * resource.getpagesize())
    return Memory()


class _Outbox:
    """What the child has finished: on the tray at once, with the parent a little later."""

    def __init__(self, pipe: Connection, state: Any, tray: Any) -> None:
        self._pipe, self._state = pipe, state
        self._tray = memoryview(tray).cast("B")
        self._sent = time.monotonic()

    def put(self, data: bytes) -> None:
        """Add one pickled object."""
        if self._state.used + len(data) > len(self._tray):
            self.send()
        if len(data) > len(self._tray):
            self._pipe.send_bytes(data)
        else:
            end = self._state.used + len(data)
            self._tray[self._state.used : end] = data
            self._state.used = end

    def due(self) -> bool:
        """Whether the parent has waited long enough."""
        return time.monotonic() - self._sent > _SEND_SECONDS

    def send(self) -> None:
        """Have the parent take what is on the tray."""
        self._state.cpu_seconds = time.process_time()
        self._state.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if self._state.used:
            self._pipe.send_bytes(self._tray[: self._state.used])
            self._state.used = 0
        self._sent = time.monotonic()


def serve(pipe: Connection, state: Any, tray: Any) -> None:
    """A child's life: do a task, wait for the next; until it has grown too large or nobody needs it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    outbox = _Outbox(pipe, state, tray)
    while pipe.poll(_IDLE_SECONDS):
        data = pipe.recv_bytes()
        try:
            task = pickle.loads(data)
            heed(task.network)
            _prepare(task, state)
            if not _perform(task, state, outbox):
                return
            end = pickle.dumps(End())
        except Exception as error:
            end = _failure(error)
        outbox.put(end)
        outbox.send()


def _failure(error: Exception) -> bytes:
    """An error, as itself if that can travel, with the trace of where it came from."""
    trace = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(End(error, trace))
        pickle.loads(data)
    except Exception:  # what it carries can be anything
        return pickle.dumps(End(RuntimeError(f"{type(error).__name__}: {error}"), trace))
    return data


def _prepare(task: Task, state: Any) -> None:
    """Before the first record: load everything, then set the limit of memory."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    task.work.load()
    memory = memory_of()
    if not state.start_bytes:
        state.start_bytes = memory.resident
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # for the last words of native code; the fault says it
    if memory.data:
        resource.setrlimit(resource.RLIMIT_DATA, (memory.data + task.limits.memory, hard))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def _perform(task: Task, state: Any, outbox: _Outbox) -> bool:
    """The result of every record; False if the child has grown so that another one should go on."""
    work, limits = task.work, task.limits
    fault = task.fault if task.phase == WORKING else ""
    records = work.records(task.place, task.fault if task.phase == READING else "")
    for number in itertools.count(task.number):
        try:
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
            state.phase = READING
            place, record = next(records, (None, None))
            if record is not None:
                state.phase = WORKING
                result = work.failed(record, fault) if fault else work.result(record)
                data = pickle.dumps((number, place, result))
        except MemoryError:
            os._exit(NO_MEMORY)
        except Exception:
            _rest(state)
            raise
        except BaseException:  # native code that panics
            os._exit(PANIC)
        _rest(state)
        if record is None:
            break
        fault = ""
        outbox.put(data)
        if outbox.due():
            outbox.send()
            if memory_of().resident - state.start_bytes > _KEPT * limits.memory:
                return False
    return True


def _rest(state: Any) -> None:
    """No record is begun any more."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    state.phase = RESTING
