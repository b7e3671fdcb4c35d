"""Examples of benchmarks: JSON lines or texts, in the form that documents have."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import zstandard

from pipeline import files, storage
from pipeline.errors import InputError
from stages.text import clean, clean_line


class Example(NamedTuple):
    """One question, passage or problem of a benchmark."""

    benchmark: str
    name: str
    text: str


_LINES, _WHOLE = (".jsonl", ".ndjson"), (".txt",)
_PACKINGS = ("", ".gz", ".zst")
SUFFIXES = tuple(kind + packing for kind in (*_LINES, *_WHOLE) for packing in _PACKINGS)


def read_examples(path: str, text_field: str) -> Iterator[Example]:
    """The examples of one benchmark file, in the form that documents have.

    Without a field `task` the file's name stands for the benchmark, without an `id` the line's number for the
    example.
    Raises InputError with the file, the line and the remedy when something cannot be read.
    """
    stem, data = files.stem(path), _unpacked(path)
    kind = os.path.splitext(path.removesuffix(".gz").removesuffix(".zst"))[1]
    if kind in _WHOLE:
        try:
            yield Example(stem, "1", clean(data.decode()))
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8: {error}; convert it") from error
    elif kind in _LINES:
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                yield _example(line, f"{path}, line {number}", text_field, (stem, str(number)))
    else:
        raise InputError(f"{path}: a benchmark is one of {', '.join(SUFFIXES)}; convert it or rename it")


def _example(line: bytes, where: str, text_field: str, default: tuple[str, str]) -> Example:
    remedy = f"a line must be a JSON object with its text under '{text_field}' (set by text_field)"
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: {error}; {remedy}") from error
    text = record.get(text_field) if isinstance(record, dict) else None
    if not isinstance(text, str):
        there = f"the fields {', '.join(sorted(record))}" if isinstance(record, dict) else "no object"
        raise InputError(f"{where}: {there}, no text; {remedy}")
    named = {"task": default[0], "id": default[1]} | {key: v for key, v in record.items() if v is not None}
    return Example(clean_line(str(named["task"])), clean_line(str(named["id"])), clean(text))


def _unpacked(path: str) -> bytes:
    """The bytes of a file, whatever it is packed with."""
    with storage.open_input(path) as file:
        try:
            if path.endswith(".gz"):
                with gzip.open(file) as stream:
                    return stream.read()
            if path.endswith(".zst"):
                with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
                    return stream.read()
            return file.read()
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InputError(f"{path} cannot be unpacked: {error}; pack it again") from error
