"""Copies, recrawls and repeated lines in one recipe, killed after every file that is committed."""

import subprocess
import sys
from pathlib import Path

import toy
from duplicates import write
from given import TEXTS, kept, make, removed, step

from pipeline.dataset import Dataset

TESTS = str(Path(__file__).parent)
CODE = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import given
given.make(Path({folder!r}), {recipe!r}, "first")  # loads the kernels, once for all that are killed
def run(): given.make(Path({folder!r}), {recipe!r}, {out!r})
"""


def test_killed_at_every_commit_the_same_bytes(tmp_path):
    rows = [
        {
            "text": f"{TEXTS[n % 2]}\n{TEXTS[2 + n % 3]} and {n % 9}",
            "url": f"http://a.example/{n % 27}",
            "date": f"20{n:02d}",
            "domain": "a.example",
        }
        for n in range(40)
    ]
    recipe = write(tmp_path, {"web": [rows[:25], rows[25:]]})
    recipe += step("recrawls", "drop_recrawls", ["web"]) + step("copies", "drop_copies", ["recrawls"])
    recipe += step("clean", "drop_repeated", ["copies"], max_documents=2, min_words=8)
    out = make(tmp_path, recipe)
    wanted = toy.contents(out)
    code = CODE.format(tests=TESTS, folder=str(tmp_path), recipe=recipe, out="killed")
    done = subprocess.run(
        [sys.executable, f"{TESTS}/crash.py", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) >= len(wanted)
    assert toy.contents(tmp_path / "killed") == wanted
    gone = [len(removed(Dataset(str(out / name)), "url")) for name in ("recrawls", "copies")]
    assert gone == [13, 9]
    assert sum(kept(Dataset(str(out / "clean")), "repeated_lines").values()) == 16


def test_killed_before_the_step_is_called_done(tmp_path):
    """What was discarded by then is not asked for again."""
    rows = [
        {"text": f"{TEXTS[0]}\n{text}", "domain": "a.example", "url": "http://a.example/"} for text in TEXTS
    ]
    for stage in ("drop_repeated", "drop_copies", "drop_recrawls"):
        recipe = write(tmp_path, {"web": [rows]}) + step("made", stage, ["web"])
        wanted = toy.contents(make(tmp_path, recipe, stage))
        (tmp_path / stage / "made/manifest.json").unlink()
        assert toy.contents(make(tmp_path, recipe, stage)) == wanted
