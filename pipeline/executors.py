"""Where tasks run: in this process, or in worker processes that may die without taking the step along."""

import contextlib
import pickle
import resource
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from pipeline.errors import TaskFailedError, WinnowError, bugs_named
from pipeline.spawn import CONTEXT, spawn
from pipeline.supervise import cpu_seconds, peak_bytes

Tick = Callable[[int, int], None]  # rows and bytes done since the last call
Task = Callable[[Any, Tick], None]
ATTEMPTS = 3


@dataclass(frozen=True)
class Cost:
    """What a task took; it goes into the log, never into a result."""

    seconds: float
    cpu_seconds: float  # of worker and child since its last task; the first pays for the start, with imports
    peak_bytes: int  # of the worker process so far, plus that of its child
    host: str


class Executor(Protocol):
    """Runs tasks; results depend on the task alone, so every engine gives the same bytes.

    A bug in a task is a TaskFailedError, whoever runs it.
    """

    workers: int

    def map(self, task: Task, items: Mapping[str, Any], tick: Tick) -> Iterator[tuple[str, Cost]]:
        """Run task(item, tick) for each item; yields names as they finish. The first failure is raised."""
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


class Inline:
    """One task after the other, in this process."""

    workers = 1

    def map(self, task: Task, items: Mapping[str, Any], tick: Tick) -> Iterator[tuple[str, Cost]]:
        """See Executor."""
        for name, item in items.items():
            with bugs_named(f"task {name}"):
                cost = _measured(task, item, tick, cpu_seconds())
            yield name, cost

    def close(self) -> None:
        """Nothing to let go."""


class Processes:
    """Spawned workers, one task at a time each. A worker that dies costs its task a retry, not the step."""

    def __init__(self, workers: int, attempts: int = ATTEMPTS) -> None:
        self.workers = workers
        self._attempts = attempts
        self._crew: list[_Worker] = []

    def map(self, task: Task, items: Mapping[str, Any], tick: Tick) -> Iterator[tuple[str, Cost]]:
        """See Executor."""
        code = pickle.dumps(task)
        todo = deque(items)
        tries = dict.fromkeys(items, 0)
        try:
            while todo or any(worker.name for worker in self._crew):
                self._hire(min(self.workers, len(items)))
                for worker in self._crew:
                    if todo and worker.name is None:
                        name = todo.popleft()
                        tries[name] += 1
                        worker.start(name, code, items[name])
                busy = {worker.pipe: worker for worker in self._crew if worker.name is not None}
                for pipe in wait(list(busy)):
                    worker = busy[pipe]  # type: ignore[index]
                    name = worker.name or ""
                    answer = worker.answer()
                    if answer is None:  # it died
                        self._crew.remove(worker)
                        if tries[name] >= self._attempts:
                            raise TaskFailedError(_died(name, worker, tries[name]))
                        todo.appendleft(name)
                    elif isinstance(answer, tuple):
                        tick(*answer)
                    elif isinstance(answer, Cost):
                        yield name, answer
                    else:
                        raise answer
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the workers, also in the middle of a task: what is not committed does not exist."""
        for worker in self._crew:
            worker.process.kill()
        for worker in self._crew:
            worker.process.join()
            worker.pipe.close()
        self._crew = []

    def _hire(self, wanted: int) -> None:
        while len(self._crew) < wanted:
            self._crew.append(_Worker())


class _Worker:
    """One spawned process and the pipe to it."""

    def __init__(self) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = spawn(_work, theirs)
        theirs.close()  # so that its death closes the pipe
        self.name: str | None = None

    def start(self, name: str, code: bytes, item: Any) -> None:
        self.name = name
        with contextlib.suppress(OSError):  # it is dead; `answer` will notice
            self.pipe.send((name, code, item))

    def answer(self) -> tuple[int, int] | Cost | WinnowError | None:
        """A tick, the cost of the finished task, its error, or None when the worker has died."""
        try:
            message: tuple[int, int] | Cost | WinnowError = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return None
        if not isinstance(message, tuple):
            self.name = None
        return message


def _work(pipe: Connection) -> None:
    """A worker's life: take a task, run it, answer; until the other end is gone."""
    import pyarrow as pa

    pa.set_cpu_count(1)  # one core a worker: the workers are the parallelism
    pa.set_io_thread_count(1)
    last: tuple[bytes, Task] | None = None
    accounted = 0.0  # CPU seconds that are in the cost of a task
    while True:
        try:
            name, code, item = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            with bugs_named(f"task {name}"):
                if last is None or last[0] != code:
                    last = (code, pickle.loads(code))
                cost = _measured(last[1], item, lambda rows, size: pipe.send((rows, size)), accounted)
            accounted += cost.cpu_seconds
            pipe.send(cost)
        except WinnowError as error:
            with contextlib.suppress(OSError):  # the other end is gone; the next `recv` says so
                pipe.send(error)


def _measured(task: Task, item: Any, tick: Tick, accounted: float) -> Cost:
    started = time.perf_counter()
    task(item, tick)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + peak_bytes()
    return Cost(time.perf_counter() - started, cpu_seconds() - accounted, peak, socket.gethostname())


def _died(name: str, worker: _Worker, tries: int) -> str:
    code = worker.process.exitcode
    cause = "killed by signal 9, most likely for want of memory" if code == -9 else f"exit code {code}"
    return (
        f"task {name}: its worker died {tries} times ({cause}); free some memory or use fewer --workers, "
        "then run the same command again: only what is missing runs"
    )
