"""Records that hang, crash or eat memory cost themselves alone; what they do here, they really do."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, TaskFailedError
from pipeline.supervise import Limits, cpu_seconds, peak_bytes, supervised

LIMITS = Limits(cpu_seconds=0.5, memory=160 << 20, sleep_seconds=0.5)


class Unportable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("no such luck")


class Panic(BaseException):
    """What native code in Rust raises."""


def misbehave(record: str) -> None:
    """Do what a record says."""
    match record:
        case "spin":  # native code that holds the GIL
            re.match(r"(a*)*b", "a" * 60)
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "wait":  # until results are sent
            time.sleep(0.12)
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "exit":
            os._exit(7)
        case "panic":
            raise Panic
        case "eat":  # in Python, which notices
            b"".join([bytes(10 << 20) for _ in range(1000)])
        case "gorge":  # in native code, which does not
            libc = ctypes.CDLL(None)
            libc.malloc.restype = ctypes.c_void_p
            while True:
                ctypes.memset(ctypes.c_void_p(libc.malloc(ctypes.c_size_t(10 << 20))), 1, 10 << 20)
        case "input":
            raise InputError("that file is no file")
        case "bug":
            raise KeyError("surprise")
        case "unportable":
            raise Unportable(1, 2)


@dataclass(frozen=True)
class Toy:
    """Records are words, and some are deeds; a word that begins with '!' misbehaves already when read."""

    words: tuple[str, ...]

    def load(self) -> None:
        np.zeros(10).sum()

    def records(self, after: int | None, broken: str) -> Iterator[tuple[int, str]]:
        start = 0 if after is None else after + 1
        for place in range(start, len(self.words)):
            word = self.words[place]
            if broken and place == start:
                yield place, f"broken {broken}"
                continue
            if word.startswith("!"):
                misbehave(word[1:])
            yield place, word

    def result(self, record: str) -> str:
        misbehave(record)
        return record.upper() if len(record) < 100 else record

    def failed(self, record: str, fault: str) -> str:
        return f"{record} {fault}"


def results(*words: str, limits: Limits = LIMITS) -> list[str]:
    return list(supervised(Toy(words), limits))


def test_healthy_records_are_madein_order():
    words = [f"word{number}" for number in range(2000)]
    assert results(*words) == [word.upper() for word in words]
    assert results() == []


def test_large_madecome_through():
    words = ["x" * size for size in (10, 2 << 20, 100, (1 << 20) - 60, 1 << 20, 3)]
    assert results(*words) == [word.upper() if len(word) < 100 else word for word in words]


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        ("spin", "timeout"),
        ("loop", "timeout"),
        ("sleep", "timeout"),
        ("segfault", "crash"),
        ("abort", "crash"),
        ("exit", "crash"),
        ("panic", "crash"),
        ("eat", "memory"),
        ("gorge", "memory"),
    ],
)
def test_a_fault_costs_its_record_alone(deed, fault):
    assert results("a", "b", deed, "c") == ["A", "B", f"{deed} {fault}", "C"]


def test_many_faults_in_any_place():
    words = ["abort", "segfault", *["fine"] * 500, "spin", "fine", "loop", "abort"]
    expected = ["abort crash", "segfault crash", *["FINE"] * 500, "spin timeout", "FINE", "loop timeout"]
    assert results(*words) == [*expected, "abort crash"]


def test_a_record_that_cannot_be_read_is_skipped():
    assert results("a", "!spin", "b", "!abort", "!eat", "c", "!segfault") == [
        *("A", "BROKEN TIMEOUT", "B", "BROKEN CRASH", "BROKEN MEMORY", "C", "BROKEN CRASH")
    ]
    assert results("!abort", "a") == ["BROKEN CRASH", "A"]


def test_what_is_raised_comes_out_here():
    with pytest.raises(InputError, match=r"^that file is no file$"):
        results("a", "input", "b")
    with pytest.raises(KeyError, match="surprise") as failure:
        results("a", "!bug")
    assert 'raise KeyError("surprise")' in str(failure.value.__cause__)
    with pytest.raises(RuntimeError, match="Unportable: no such luck"):
        results("unportable")
    assert results("fine") == ["FINE"]  # by the same child


@dataclass(frozen=True)
class Witness(Toy):
    """Records tell which process made them; some leave memory behind."""

    def result(self, record: str) -> Any:
        if record == "leak":
            HEAP.append(np.ones(30 << 20, np.uint8))
        misbehave(record)
        return os.getpid()


HEAP: list[Any] = []


def test_a_child_is_kept_over_tasks_and_recycled_when_it_has_grown():
    (first,) = set(supervised(Witness(("a", "b")), LIMITS))
    assert set(supervised(Witness(("c",)), LIMITS)) == {first} != {os.getpid()}
    pids = list(supervised(Witness(("leak", "wait") * 6), LIMITS))
    assert pids[0] == first and 3 <= len(set(pids)) <= 6


def test_two_at_a_time_have_a_child_each():
    one, two = supervised(Witness(("a", "b")), LIMITS), supervised(Witness(("a", "b")), LIMITS)
    pids = {next(one), next(two)}
    assert len(pids) == 2 and {next(one), next(two)} == pids


def test_a_child_that_others_kill_is_replaced():
    words = ("a", "wait", "b", "wait", "c")
    seen = 0
    for pid in supervised(Witness(words), LIMITS):
        seen += 1
        if seen in (1, 3):
            os.kill(pid, signal.SIGKILL)
    assert seen == len(words)


@dataclass(frozen=True)
class Doomed(Toy):
    def load(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Unloadable(Toy):
    def load(self) -> None:
        raise ImportError("no such engine")


def test_a_child_that_cannot_start_is_a_failure_of_the_task():
    with pytest.raises(TaskFailedError, match=r"died 3 times .killed by signal 9"):
        list(supervised(Doomed(("a",)), LIMITS))
    with pytest.raises(ImportError, match="no such engine"):
        list(supervised(Unloadable(("a",)), LIMITS))


def test_its_costs_are_ours():
    before = cpu_seconds()
    results("loop")
    after = cpu_seconds()
    assert after - before > 0.4
    results("a")
    assert cpu_seconds() >= after and peak_bytes() > 10 << 20


def children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if parent == str(pid) and state != "Z":
            found.append(int(path.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(happened, seconds=20):
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("deed", ["spin", "sleep"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_its_parent(sent, deed):
    command = [sys.executable, __file__, deed]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == b"READY\n"
    children = children_of(process.pid)
    os.killpg(process.pid, sent) if sent == signal.SIGINT else process.send_signal(sent)
    output, errors = process.communicate(timeout=20)
    wait_for(lambda: not any(map(alive, children)))
    assert (output, errors) == (b"interrupted\n" if sent == signal.SIGINT else b"", b"")


if __name__ == "__main__":
    try:
        made = supervised(Toy(("ready", "wait", sys.argv[1])), Limits())
        print(next(made), flush=True)
        list(made)
    except KeyboardInterrupt:
        print("interrupted")
