"""Other people's programs, each in a virtual environment of its own, spoken to in lines of JSON.

    python = environment("datatrove", ("datatrove[processing]==0.10.1", "spacy==3.8.18"))
    for answer in ask(python, "benchmarks/datatrove_values.py", questions):

What an environment needs is installed once and kept under `.benchmarks/peers`, or in the folder that the
environment variable WINNOW_PEERS names; other requirements make another environment.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHONS = tuple(f"python3.{minor}" for minor in range(20, 10, -1))
DATATROVE = ("datatrove[processing]==0.10.1", "spacy==3.8.18")  # English words are spaCy's, by rules alone


class NoPythonError(Exception):
    """No Python here is new enough for a peer."""


def environment(name: str, requirements: Sequence[str], least: tuple[int, int] = (3, 11)) -> Path:
    """The Python of an environment that has `requirements`; made, over a network, if it is not there.

    Where ours is older than `least`, the environment is made by another Python: the one that WINNOW_PYTHON
    names, or any that is found. Raises NoPythonError.
    """
    base, version = (sys.executable, sys.version) if sys.version_info >= least else _python(least)
    key = hashlib.sha256("\n".join((version, *requirements)).encode()).hexdigest()[:8]
    folder = Path(os.environ.get("WINNOW_PEERS", ROOT / ".benchmarks" / "peers")) / f"{name}-{key}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        print(f"making {folder} for {', '.join(requirements)}", file=sys.stderr)
        subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *requirements], check=True)
        ready.touch()
    return python


def _python(least: tuple[int, int]) -> tuple[str, str]:
    """A Python that is new enough, and what it calls its version."""
    say = "import sys; print(sys.version_info[:2] >= ({}, {})); print(sys.version)".format(*least)
    for name in (os.environ.get("WINNOW_PYTHON", ""), *PYTHONS):
        if path := shutil.which(name):
            told = subprocess.run([path, "-c", say], capture_output=True, text=True, check=False).stdout
            enough, _, version = told.partition("\n")
            if enough == "True":
                return path, version.rstrip("\n")
    wanted = ".".join(map(str, least))
    raise NoPythonError(f"needs Python {wanted}, and none was found; WINNOW_PYTHON can name one")


def ask(python: Path, script: str, questions: Iterable[Any], *arguments: str) -> Iterator[Any]:
    """The answers of a script that reads a value a line from its standard input and writes one for each.

    `script` is a file of this repository. It must not import ours: the peer's environment lacks what we need.
    """
    with tempfile.TemporaryFile("w+") as asked:
        asked.writelines(json.dumps(question) + "\n" for question in questions)
        asked.seek(0)
        command = [str(python), str(ROOT / script), *arguments]
        with subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, text=True) as peer:
            yield from map(json.loads, peer.stdout or ())
        if peer.returncode:
            raise RuntimeError(f"{script} of {python} ended with {peer.returncode}; its message is above")
