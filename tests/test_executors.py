"""Workers: a bug is one message wherever it happens, and no worker outlives its run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import toy

from pipeline.errors import InputError, TaskFailedError
from pipeline.executors import Inline, Processes

EXECUTORS = pytest.mark.parametrize("executor", [Inline(), Processes(2)], ids=["inline", "processes"])


def work(item, tick):
    """What a task may do: by its item."""
    tick(1, 10)
    if item == "bug":
        raise KeyError("surprise")
    if item == "input":
        raise InputError("that file is no file")
    if item == "exit":
        sys.exit(4)


def sleep(folder, item, tick):
    (Path(folder) / item).touch()
    time.sleep(60)
    (Path(folder) / "outlived").touch()


@pytest.fixture(autouse=True)
def no_workers_left():
    import multiprocessing

    before = set(multiprocessing.active_children())  # children of supervise.py that wait for work
    yield
    assert set(multiprocessing.active_children()) <= before


@EXECUTORS
def test_every_task_runs_once_and_tells_its_rows(executor):
    seen = []
    items = {f"task{number}": "fine" for number in range(7)}
    costs = dict(executor.map(work, items, lambda rows, size: seen.append((rows, size))))
    executor.close()
    assert sorted(costs) == sorted(items) and seen == [(1, 10)] * 7
    assert all(cost.seconds >= 0 and cost.peak_bytes > 0 for cost in costs.values())


@EXECUTORS
def test_a_bug_is_named_and_its_traceback_kept_apart(executor):
    with pytest.raises(TaskFailedError, match=r"^task a: KeyError: 'surprise'$") as failure:
        list(executor.map(work, {"a": "bug"}, print))
    assert "in work" in failure.value.trace and 'raise KeyError("surprise")' in failure.value.trace


@EXECUTORS
def test_an_error_of_ours_stays_what_it_is(executor):
    with pytest.raises(InputError, match=r"^that file is no file$"):
        list(executor.map(work, {"a": "input"}, print))


def test_a_task_that_cannot_reach_its_worker_is_a_failure_of_the_task():
    class Local:
        def __reduce__(self):
            return exec, ("raise ImportError('no such stage here')",)

    with pytest.raises(TaskFailedError, match="task a: ImportError: no such stage here"):
        list(Processes(2).map(partial(work, Local()), {"a": "fine"}, print))


def test_a_worker_that_leaves_is_told_from_one_that_raises():
    with pytest.raises(TaskFailedError, match=r"task a: its worker died 3 times .exit code 4"):
        list(Processes(1).map(work, {"a": "exit"}, print))


@EXECUTORS
def test_the_step_says_where_the_traceback_is(tmp_path, executor):
    toy.write_inputs(tmp_path, "ac")
    recipe = toy.RECIPE.replace("MATERIALIZE", "true")
    buggy = recipe.replace('stage = "shout"', 'stage = "shout"\nfail = "line 12 of c"')
    log = tmp_path / "out/loud/log/traceback.txt"
    with pytest.raises(TaskFailedError) as failure:
        toy.run(tmp_path, buggy, executor=executor)
    message = str(failure.value)
    assert message.startswith("step 'loud', shards, task toy-c: RuntimeError: a bug; ")
    assert str(log) in message and "Traceback" not in message and "\n" not in message
    assert 'raise RuntimeError("a bug")' in log.read_text()
    assert not (tmp_path / "out/loud/manifest.json").exists()


def test_a_bug_outside_of_tasks_is_named_too(tmp_path, monkeypatch):
    toy.write_inputs(tmp_path, "a")
    monkeypatch.setattr(toy.Total, "run", lambda self, job: 1 // 0)
    with pytest.raises(TaskFailedError, match=r"step 'total', run: ZeroDivisionError.*log/traceback.txt"):
        toy.run(tmp_path)


def start(folder, *names):
    """A process whose two workers sleep in a task each; returns when both do."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), *names],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: all((folder / name).exists() for name in names))
    return process


def wait_for(happened, seconds=30):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def running(group):
    """Processes of a group that still run (a zombie does not)."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since
            state, _, own, *_ = path.read_text().rpartition(")")[2].split()
            states += [state] if own == str(group) else []
    return [state for state in states if state != "Z"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_run(tmp_path, sent):
    process = start(tmp_path, "a", "b")
    os.kill(process.pid, sent)  # the run alone, as an out-of-memory killer does
    output, errors = process.communicate()
    wait_for(lambda: not running(process.pid), 10)
    assert not (tmp_path / "outlived").exists()
    assert (output, errors) == ("interrupted\n" if sent == signal.SIGINT else "", "")


def test_an_interrupt_of_the_whole_group_reaches_the_run_only(tmp_path):
    process = start(tmp_path, "a", "b")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate() == ("interrupted\n", "")
    wait_for(lambda: not running(process.pid), 10)


if __name__ == "__main__":
    try:
        list(Processes(2).map(partial(sleep, sys.argv[1]), {name: name for name in sys.argv[2:]}, print))
    except KeyboardInterrupt:
        print("interrupted")
