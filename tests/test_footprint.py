"""The peaks are at least what was taken on purpose, and not far above it."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks.footprint import Footprint, disk, family, memory

MB = 1 << 20
TAKE = "import sys; data = bytearray({size}); data[::4096] = b'x' * len(data[::4096]); print(); input()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def taking(size: int) -> "subprocess.Popen[str]":
    """A process that takes so many bytes until it is told to end; it has them now."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", TAKE.format(size=size)], **pipes)
    assert process.stdout and process.stdout.readline() == "\n"
    return process


def test_memory_of_children_together():
    with taking(0) as idle:
        bare = memory(idle.pid).now
        idle.communicate("\n")
    others = sum(memory(pid).now for pid in family(os.getpid(), own=False))  # of tests before this one
    with Footprint(own=False) as footprint, taking(50 * MB) as one, taking(30 * MB) as other:
        waited = time.monotonic()
        while footprint.memory_bytes < others + 80 * MB and time.monotonic() < waited + 20:
            time.sleep(0.05)  # until there is a sample of both
        one.communicate("\n")
        other.communicate("\n")
    assert 80 * MB <= footprint.memory_bytes - others <= 80 * MB + 3 * bare


def test_the_peak_of_a_process_counts_even_between_two_samples():
    code = "data = bytearray(60 << 20); del data; print(); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout and process.stdout.readline() == "\n"
        with Footprint(own=False) as footprint:
            pass
        process.communicate("\n")
    assert footprint.memory_bytes >= 60 * MB


def test_this_process_counts_unless_told_otherwise():
    with Footprint() as footprint:
        pass
    assert footprint.memory_bytes >= 10 * MB
    with taking(0) as child:
        assert family(os.getpid())[0] == os.getpid()
        assert child.pid in family(os.getpid()) and os.getpid() not in family(os.getpid(), own=False)
        child.communicate("\n")


def test_disk_that_is_taken_for_a_while(tmp_path):
    folder = tmp_path / "not yet"
    with Footprint(str(folder), interval=0.01) as footprint:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep/large").write_bytes(b"x" * MB)
        time.sleep(0.4)  # several samples
        (folder / "deep/large").unlink()
        (folder / "small").write_bytes(b"x" * 4096)
    assert MB <= footprint.disk_bytes < 1.5 * MB
    assert disk(str(folder)) < MB / 2
