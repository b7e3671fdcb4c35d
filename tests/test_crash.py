"""Kill a run anywhere, run it again: the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy

TESTS = str(Path(__file__).parent)
CODE = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import toy
def run(): toy.run(Path({folder!r}), {text!r}, out={out!r})
"""


@pytest.mark.parametrize("materialize", ["true", "false"])
def test_killed_at_every_commit(tmp_path, materialize):
    toy.write_inputs(tmp_path, "abc")
    text = toy.RECIPE.replace("MATERIALIZE", materialize)
    wanted = toy.contents(toy.run(tmp_path, text))
    code = CODE.format(tests=TESTS, folder=str(tmp_path), text=text, out="killed")
    done = subprocess.run(
        [sys.executable, f"{TESTS}/crash.py", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) >= len(wanted)  # every file was a commit after which a run was killed
    assert toy.contents(tmp_path / "killed") == wanted


def test_killed_with_its_workers_at_random_moments(tmp_path):
    toy.write_inputs(tmp_path, "abcdefgh")
    text = toy.RECIPE.replace("MATERIALIZE", "true")
    wanted = toy.contents(toy.run(tmp_path, text))
    code = CODE.format(tests=TESTS, folder=str(tmp_path), text=text, out="killed").replace(
        "out='killed'", "out='killed', executor=Processes(2)"
    )
    code = f"from pipeline.executors import Processes\n{code}\nif __name__ == '__main__': run()"
    script = tmp_path / "script.py"
    script.write_text(code)
    rng = random.Random(1)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, str(script)], start_new_session=True, stderr=subprocess.PIPE
        )
        time.sleep(rng.uniform(0.5, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    subprocess.run([sys.executable, str(script)], check=True)
    assert toy.contents(tmp_path / "killed") == wanted
    assert not list(tmp_path.rglob("*.partial"))
