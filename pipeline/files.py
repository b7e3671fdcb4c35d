"""Files from outside the run that a recipe names: patterns, lists of paths, and their identity.

A stage marks such a field with `Files` (data) or `SmallFiles` (benchmarks, tokenizers, models). The recipe
gives one string or a list; relative ones start from the recipe's folder. No path enters a step's identity.
"""

import glob
import gzip
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Annotated, NewType

from pipeline import storage
from pipeline.errors import InputError, RecipeError

Mark = NewType("Mark", str)
DATA, SMALL = Mark("files"), Mark("small files")
Files = Annotated[tuple[str, ...], DATA]  # known by name and size
SmallFiles = Annotated[tuple[str, ...], SMALL]  # known by name, size and sha256

_EXTENSIONS = re.compile(
    r"(\.(warc|wet|wat|arc|jsonl|ndjson|json|parquet|txt|md|html))?(\.(gz|zst|bz2|xz))?$", re.IGNORECASE
)


def expand(patterns: Sequence[str], suffixes: Sequence[str] = ()) -> list[str]:
    """The files that files, folders, globs and `.paths[.gz]` lists stand for, in sorted order, each once.

    Of a folder, those files count that end in one of `suffixes` (all, if none are given), at any depth.
    Raises InputError when a pattern matches nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        matches = _matches(pattern, tuple(suffixes))
        if not matches and suffixes and os.path.isdir(pattern):
            raise InputError(
                f"no file in {pattern} ends in {', '.join(suffixes)}; name the files, or rename them"
            )
        if not matches:
            raise InputError(f"no file matches {pattern}; check the path in the recipe")
        found.update(matches)
    return sorted(found, key=lambda path: (os.path.basename(path), path))


def _matches(pattern: str, suffixes: tuple[str, ...]) -> list[str]:
    if pattern.endswith((".paths", ".paths.gz")):
        return _listed(pattern)
    if os.path.isdir(pattern):
        inside = (os.path.join(root, name) for root, _, files in os.walk(pattern) for name in files)
        return [
            path
            for path in inside
            if not os.path.basename(path).startswith(".") and path.endswith(suffixes or "")
        ]
    if os.path.exists(pattern):
        return [pattern]
    return [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]


def _listed(path: str) -> list[str]:
    """The files named by a list of paths, one a line, relative to the list's folder."""
    data = storage.read_bytes(path)
    try:
        text = (gzip.decompress(data) if path.endswith(".gz") else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a list of paths, one a line: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty; it should be a list of paths, one a line")
    files = [os.path.join(os.path.dirname(path), line) for line in lines]
    for number, file in enumerate(files, 1):
        if not os.path.isfile(file):
            raise InputError(
                f"{path}, line {number}: no file {file}; paths in a list are relative to the list's folder"
            )
    return files


def stem(path: str) -> str:
    """The file's name without folder and extensions: 'a/CC-MAIN-2019.warc.gz' -> 'CC-MAIN-2019'."""
    return _EXTENSIONS.sub("", os.path.basename(path))


def of_source(patterns: Sequence[str], source: str, suffixes: Sequence[str] = ()) -> dict[str, str]:
    """The files of a source: `<source>-<stem>` -> path; see `expand`.

    Two equal stems would give two documents one id: RecipeError.
    """
    if not source or "/" in source or source.startswith("."):
        raise RecipeError(f"source = '{source}' must be a name, without '/' or a leading '.'")
    if not patterns:
        raise RecipeError(f"source '{source}' has no files; name some")
    named: dict[str, str] = {}
    for path in expand(patterns, suffixes):
        name = f"{source}-{stem(path)}"
        if name in named:
            raise RecipeError(
                f"source '{source}': {named[name]} and {path} have the same name without folder and "
                "extensions, so their documents would share ids; rename one, or give it a source of its own"
            )
        named[name] = path
    return named


def fingerprints(patterns: Sequence[str]) -> list[list[str | int]]:
    """[name, bytes, sha256] of each small file: what it is, not where."""
    rows: list[list[str | int]] = []
    for path in expand(patterns):
        rows.append([os.path.basename(path), storage.size(path), storage.checksum(path, hashlib.sha256)])
    return sorted(rows, key=str)
