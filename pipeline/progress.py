"""What a person sees while a step runs: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from pipeline.executors import Cost
from pipeline.remote_pace import waiting


class Progress:
    """Told of every phase, batch and task; this one says nothing."""

    def start(self, step: str, part: str, total: int, done: int) -> None:
        """A phase of a step begins, `done` of its `total` tasks finished by an earlier run."""

    def tick(self, rows: int, size: int) -> None:
        """A batch of `rows` documents and `size` bytes of text is done."""

    def done(self, name: str, cost: Cost) -> None:
        """A task is done."""

    def finish(self, step: str) -> None:
        """A step is done."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        pass


Silent = Progress


class _Rate(ProgressColumn):
    """Documents and megabytes a second, over the whole phase."""

    def render(self, task: Task) -> Text:
        rows, size = task.fields["rows"], task.fields["size"]
        return Text(rate(rows, size, task.finished_time or task.elapsed or 0.0), style="cyan")


class _Waiting(ProgressColumn):
    """What the run waits for, while it does."""

    def render(self, task: Task) -> Text:
        waits = "" if task.finished else waiting()
        return Text(f"waits {waits}" if waits else "", style="yellow")


class Bars(Progress):
    """A line per step: shards done, documents/s, MB/s, time left, what the network keeps waiting."""

    def __init__(self, console: Console) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _Waiting(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._current: TaskID | None = None

    def start(self, step: str, part: str, total: int, done: int) -> None:
        """See Progress."""
        label = f"[bold]{step}[/]" if part == "shards" else f"[bold]{step}[/] [dim]{part}[/]"
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(label, total=total, completed=done, rows=0, size=0)
        else:
            self._bars.reset(
                self._tasks[step], total=total, completed=done, description=label, rows=0, size=0
            )
        self._current = self._tasks[step]

    def tick(self, rows: int, size: int) -> None:
        """See Progress."""
        if self._current is not None:
            fields = self._bars.tasks[self._bars.task_ids.index(self._current)].fields
            self._bars.update(self._current, rows=fields["rows"] + rows, size=fields["size"] + size)

    def done(self, name: str, cost: Cost) -> None:
        """See Progress."""
        if self._current is not None:
            self._bars.advance(self._current)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._bars.stop()


class Lines(Progress):
    """Plain lines, one at most every few seconds, for logs and pipes."""

    EVERY = 10.0  # seconds

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = self._part = ""
        self._total = self._done = self._earlier = self._rows = self._size = 0
        self._started = self._spoke = time.monotonic()

    def start(self, step: str, part: str, total: int, done: int) -> None:
        """See Progress."""
        self._step, self._part, self._total, self._done, self._earlier = step, part, total, done, done
        self._rows = self._size = 0
        self._started = self._spoke = time.monotonic()

    def tick(self, rows: int, size: int) -> None:
        """See Progress."""
        self._rows, self._size = self._rows + rows, self._size + size
        if time.monotonic() - self._spoke > self.EVERY:
            self._say()

    def done(self, name: str, cost: Cost) -> None:
        """See Progress."""
        self._done += 1
        if self._done == self._total or time.monotonic() - self._spoke > self.EVERY:
            self._say()

    def _say(self) -> None:
        self._spoke = time.monotonic()
        seconds = self._spoke - self._started
        finished, left = self._done - self._earlier, self._total - self._done
        facts = [f"{self._done}/{self._total} in {seconds:.0f} s", rate(self._rows, self._size, seconds)]
        if finished and left:
            facts.append(f"{left * seconds / finished:.0f} s left")
        if waits := waiting():
            facts.append(f"waits {waits}")
        line = f"{self._step} {self._part}: {', '.join(filter(None, facts))}"
        self._console.print(line, highlight=False, markup=False)


def rate(rows: int, size: int, seconds: float) -> str:
    """'1,234 docs/s 5.6 MB/s', or nothing where no documents pass."""
    if not rows or not seconds:
        return ""
    return f"{rows / seconds:,.0f} docs/s {size / seconds / 1e6:.1f} MB/s"
