"""Files from outside the run that a recipe names: patterns, lists of paths, addresses, and their identity.

A stage marks such a field with `Files` (data) or `SmallFiles` (benchmarks, tokenizers, models). The recipe
gives one string or a list; relative ones start from the recipe's folder. No path enters a step's identity, so
the same files may come from a disk today and from s3:// tomorrow.
"""

import glob
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Annotated, NewType
from urllib.parse import unquote, urlsplit

from pipeline import lists, remote, storage
from pipeline.errors import InputError, RecipeError

Mark = NewType("Mark", str)
DATA, SMALL = Mark("files"), Mark("small files")
Files = Annotated[tuple[str, ...], DATA]  # known by name and size
SmallFiles = Annotated[tuple[str, ...], SMALL]  # known by name, size and sha256

_EXTENSIONS = re.compile(
    r"(\.(warc|wet|wat|arc|jsonl|ndjson|json|parquet|txt|md|html))?(\.(gz|zst|bz2|xz))?$", re.IGNORECASE
)


_SLICE = re.compile(r"(.+)#(\d*):(\d*)(?::([1-9]\d*))?")


def located(pattern: str, folder: str) -> str:
    """A pattern of a recipe in `folder`: an absolute path, an address, or a crawl's name as it is."""
    if lists.is_crawl(pattern) or remote.is_remote(pattern):
        return pattern
    return os.path.normpath(os.path.join(folder, os.path.expanduser(pattern)))


def expand(patterns: Sequence[str], suffixes: Sequence[str] = ()) -> list[str]:
    """The files that patterns stand for, in sorted order, each once.

    A pattern is a file, folder or glob, local or in s3:// and gs://; a file on a web server; a
    `.paths[.gz]` list; or the name of a crawl, such as commoncrawl:CC-MAIN-2019-18. It may end in a slice as
    Python writes it: `#0:8` takes the first eight (of a list, in its order), `#::100` every hundredth.
    Of a folder, those files count that end in one of `suffixes` (all, if none are given), at any depth.
    Raises InputError when a pattern matches nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        found.update(_sliced(pattern, tuple(suffixes)))
    return sorted(found, key=lambda path: (basename(path), path))


def _sliced(pattern: str, suffixes: tuple[str, ...]) -> list[str]:
    match = None if os.path.exists(pattern) else _SLICE.fullmatch(pattern)
    matches = _matches(match[1] if match else pattern, suffixes)
    if not match:
        return matches
    start, stop, step = (int(number) if number else None for number in match.groups()[1:])
    taken = matches[start:stop:step]
    if not taken:
        raise InputError(f"{pattern} takes none of the {len(matches)} files there; #0:8 are the first eight")
    return taken


def _matches(pattern: str, suffixes: tuple[str, ...]) -> list[str]:
    """The files of a pattern without a slice."""
    if lists.is_list(pattern):
        return lists.listed(pattern)
    matches = remote.listed(pattern) if remote.is_remote(pattern) else _local(pattern)
    if matches == [pattern]:
        return matches
    is_glob = glob.has_magic(pattern) and not os.path.isdir(pattern)
    wanted = matches if is_glob else [path for path in matches if path.endswith(suffixes or "")]
    if matches and not wanted:
        raise InputError(
            f"no file in {pattern} ends in {', '.join(suffixes)}; name the files, or rename them"
        )
    if not wanted:
        raise InputError(f"no file matches {pattern}; check the path in the recipe")
    return wanted


def _local(pattern: str) -> list[str]:
    """The files of a path on a disk, in sorted order."""
    if os.path.isdir(pattern):
        inside = (os.path.join(root, name) for root, _, files in os.walk(pattern) for name in files)
        return sorted(path for path in inside if not os.path.basename(path).startswith("."))
    if os.path.exists(pattern):
        return [pattern]
    return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))


def basename(path: str) -> str:
    """The file's name, without folder or the query of an address: 'https://a.example/b/c.gz?d' -> 'c.gz'."""
    if remote.is_web(path):
        return unquote(os.path.basename(urlsplit(path).path)).replace("/", "_")
    return os.path.basename(path)


def stem(path: str) -> str:
    """The file's name without folder and extensions: 'a/CC-MAIN-2019.warc.gz' -> 'CC-MAIN-2019'."""
    return _EXTENSIONS.sub("", basename(path))


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
    return sorted(([basename(path), storage.size(path), _sha256(path)] for path in expand(patterns)), key=str)


def _sha256(path: str) -> str:
    def read() -> str:
        return storage.checksum(path, hashlib.sha256)

    return remote.once(("sha256", path), read) if remote.is_remote(path) else read()
