"""How much memory this process and all that it starts take, and how much disk a folder, while something runs.

    with Footprint("runs/big") as footprint:
        run()
    print(footprint.memory_bytes, footprint.disk_bytes)

A thread takes samples. Memory is what is resident, summed over the processes, so a page that several share
counts for each of them. What comes and goes between two samples is not seen, but the kernel remembers the
peak of each single process, and that counts too. It reads /proc, so it is for Linux.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LEISURE = 20  # a sample is followed by a pause of so many times what it took
PROC = Path("/proc")


class Memory(NamedTuple):
    """Resident bytes."""

    now: int
    peak: int


class Footprint:
    """The peaks of what is taken while it is open.

    `folder` need not be there yet. With `own = False` only the processes that this one has started count.
    """

    def __init__(self, folder: str | None = None, *, own: bool = True, interval: float = 0.1) -> None:
        self.memory_bytes = self.disk_bytes = 0
        self._folder, self._own, self._interval = folder, own, interval
        self._next_walk = 0.0  # when it is time to walk through the folder again
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Footprint":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample_memory()
        self._sample_disk()

    def _watch(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = max(self._interval, LEISURE * _seconds(self._sample_memory))
            if self._folder and time.perf_counter() >= self._next_walk:
                walk = _seconds(self._sample_disk)
                self._next_walk = time.perf_counter() + LEISURE * walk

    def _sample_memory(self) -> None:
        taken = [memory(pid) for pid in family(os.getpid(), own=self._own)]
        together = sum(each.now for each in taken)
        self.memory_bytes = max(self.memory_bytes, together, *(each.peak for each in taken))

    def _sample_disk(self) -> None:
        if self._folder:
            self.disk_bytes = max(self.disk_bytes, disk(self._folder))


def family(root: int, *, own: bool = True) -> list[int]:
    """The process `root` (if `own`) and all that descend from it."""
    children = defaultdict(list)
    for pid, parent in _parents():
        children[parent].append(pid)
    found = [root]
    for pid in found:  # grows meanwhile
        found += children[pid]
    return found if own else found[1:]


def memory(pid: int) -> Memory:
    """What a process takes, and the most that it ever took; nothing if it has ended."""
    fields = {"VmRSS": 0, "VmHWM": 0}
    with suppress(OSError):
        for line in (PROC / f"{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in fields:
                fields[name] = int(value.split()[0]) << 10
    return Memory(fields["VmRSS"], fields["VmHWM"])


def disk(folder: str) -> int:
    """Bytes that the files in a folder and below take on the disk; files may come and go meanwhile."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += disk(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with the one that started it."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                told = (entry / "stat").read_bytes().rpartition(b")")[2]  # a name may hold anything
                yield int(entry.name), int(told.split()[1])
