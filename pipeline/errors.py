"""Everything this package raises on purpose, with the exit code a command line gives it.

WinnowError
  RecipeError       2  the recipe names something that does not exist or does not fit
  InputError        2  an input file is missing, empty or not what it should be
  StaleRunError     2  this folder was made by another recipe or from other inputs
  SchemaError       1  a stage returned other rows or columns than it declared
  StorageError      1  a disk that is full, read-only or gone
  TaskFailedError   1  a task raised or its worker died; the cause is chained
  TooManyRejects    3  an alarm: more records were unreadable than the recipe allows
"""

import difflib
from collections.abc import Iterable


class WinnowError(Exception):
    """Says what is wrong, why it matters, and the command or edit that fixes it."""

    exit_code = 1


class RecipeError(WinnowError):
    """The recipe names something that does not exist or does not fit."""

    exit_code = 2


class InputError(WinnowError):
    """An input file is missing, empty or not what it should be."""

    exit_code = 2


class StaleRunError(WinnowError):
    """This folder was made by another recipe or from other inputs."""

    exit_code = 2


class SchemaError(WinnowError):
    """A stage returned other rows or columns than it declared."""


class StorageError(WinnowError):
    """A disk that is full, read-only or gone."""


class TaskFailedError(WinnowError):
    """A task raised, or its worker died; the cause is chained."""


class TooManyRejects(WinnowError):
    """More records were unreadable than the recipe allows: likely our fault, not the web's."""

    exit_code = 3


def nearest(name: str, valid: Iterable[str]) -> str:
    """'; did you mean X?' or the list of valid names, to end an error message with."""
    known = sorted(valid)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"valid names: {', '.join(known) or 'none'}"
