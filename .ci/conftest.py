"""Runs the two acceptance recipes once, as a user would: from the command line, into folders of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def run(recipe: str, out: Path) -> Path:
    command = [sys.executable, "-m", "pipeline", "run", str(HERE / recipe), "--out", str(out)]
    subprocess.run(command, check=True, cwd=HERE.parent)
    return out


@pytest.fixture(scope="session")
def gpt3(tmp_path_factory):
    return run("gpt3.toml", tmp_path_factory.mktemp("gpt3") / "run")


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    return run("everything.toml", tmp_path_factory.mktemp("everything") / "run")
