"""Runs a recipe again and again, killed right after a file is committed that no run was killed after before.

    python tests/crash.py "def run(): ..."

So it dies once after every commit of the recipe, and each run resumes what the last one left. Forked from
a process that has imported everything: being killed everywhere costs little more than one run. Prints the
number of runs that were killed.
"""

import os
import sys
from collections.abc import Callable

from pipeline import storage


def die_after_a_new_commit(seen: set[str], pipe: int) -> None:
    commit = storage.commit

    def commit_and_die(partial: str, path: str) -> None:
        commit(partial, path)
        if path not in seen:
            os.write(pipe, path.encode())
            os._exit(9)

    storage.commit = commit_and_die


def main(code: str) -> int:
    scope: dict[str, Callable[[], None]] = {}
    exec(code, scope)
    seen: set[str] = set()
    while True:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            die_after_a_new_commit(seen, writing)
            scope["run"]()
            os._exit(0)
        os.close(writing)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        path = os.read(reading, 1 << 16).decode()
        os.close(reading)
        if status != 9:
            print(len(seen))
            return status
        seen.add(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
