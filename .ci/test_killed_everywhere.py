"""The tiny recipe, killed once after every commit and resumed each time: the same bytes as a calm run."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
CODE = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import test_tiny_run
def run(): test_tiny_run.run(Path({out!r}))
"""


def test_killed_after_every_commit(tmp_path):
    sys.path.insert(0, str(TESTS))
    import test_tiny_run
    import toy

    wanted = toy.contents(test_tiny_run.run(tmp_path / "calm"))
    code = CODE.format(tests=str(TESTS), out=str(tmp_path / "killed"))
    command = [sys.executable, str(TESTS / "crash.py"), code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(f"\nkilled {done.stdout.strip()} times")
    assert int(done.stdout) >= len(wanted)
    assert toy.contents(tmp_path / "killed") == wanted
