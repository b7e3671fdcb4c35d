"""Everything this package raises on purpose, with the exit code a command line gives it.

WinnowError
  RecipeError       2  the recipe names something that does not exist or does not fit
  InputError        2  an input file is missing, empty or not what it should be
  StaleRunError     2  this folder was made by another recipe or from other inputs
  SchemaError       1  a stage returned other rows or columns than it declared
  StorageError      1  a disk that is full, read-only or gone; a file of ours that is damaged
  TaskFailedError   1  a task raised or its worker died; a traceback is in the step's log
  TooManyRejects    3  an alarm: more records were unreadable than the recipe allows
  AlarmError        3  an alarm: a step's result looks wrong; --allow lets it pass
"""

import contextlib
import difflib
import traceback
from collections.abc import Iterable, Iterator

NAMES_SHOWN = 30


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
    """A disk that is full, read-only or gone; a file of ours that is damaged."""


class TaskFailedError(WinnowError):
    """A task raised, or its worker died; the traceback, if there is one, is for a log."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


class TooManyRejects(WinnowError):
    """More records were unreadable than the recipe allows: likely our fault, not the web's."""

    exit_code = 3


class AlarmError(WinnowError):
    """A step has done its work, and the result looks wrong; `--allow` lets it pass."""

    exit_code = 3


@contextlib.contextmanager
def bugs_named(what: str) -> Iterator[None]:
    """An exception that nobody raised on purpose becomes the TaskFailedError of `what`: a task, a step."""
    try:
        yield
    except WinnowError:
        raise
    except Exception as error:
        trace = "".join(traceback.format_exception(error))
        raise TaskFailedError(f"{what}: {type(error).__name__}: {error}", trace) from error


@contextlib.contextmanager
def blamed(where: str) -> Iterator[None]:
    """Put the place in the recipe before the message of an error about what it names."""
    try:
        yield
    except (InputError, RecipeError) as error:
        raise type(error)(f"{where} {error}") from error


def nearest(name: str, valid: Iterable[str]) -> str:
    """'; did you mean X?' or the list of valid names, to end an error message with."""
    known = sorted(valid)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    more = ", …" if len(known) > NAMES_SHOWN else ""
    return f"valid names: {', '.join(known[:NAMES_SHOWN]) or 'none'}{more}"
