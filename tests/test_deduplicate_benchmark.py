"""The benchmark of deduplication: our side of it runs, and its tables say what was measured."""

import subprocess
import sys

import numpy as np
import pytest
from harbour import PROSE

from benchmarks import deduplicate, peers
from benchmarks.deduplicate import SYSTEMS, WINNOW, Made, Measured, measure, planted, write
from benchmarks.near_copies import documents
from benchmarks.similar_pairs import Pairs, similar_pairs
from benchmarks.variations import Text

LONG = [" ".join(f"{letter}{number}" for number in range(300)) for letter in "abcdefgh"]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(peers.ROOT))  # of the programs that are measured
    write(documents(LONG, 10), tmp_path / "warm-up")
    return tmp_path


def made(scratch, texts: list[str]) -> Made:
    write(texts, scratch / "documents")
    none = similar_pairs(["", ""])
    return Made(scratch / "documents", texts, none)


def test_the_stage_is_measured_over_several_files(scratch, monkeypatch):
    monkeypatch.setattr(deduplicate, "FILE_ROWS", 4)
    prose = [text * 2 for text in PROSE.values()]
    texts = [*LONG, *prose, LONG[0], *(Text.of(text).varied(1, 9) for text in LONG)]
    found = measure(SYSTEMS[0], made(scratch, texts), scratch, 1)
    gone = [] if found.kept is None else np.flatnonzero(~found.kept).tolist()
    assert gone in ([0], [len(LONG) + len(prose)])
    assert found.seconds > 0 and found.memory_bytes > 50 << 20
    assert sorted(path.name for path in scratch.iterdir()) == ["documents", "warm-up"]


def test_signatures_and_candidates_alone(scratch):
    question = {"folder": str(scratch / "warm-up"), **deduplicate.SETTINGS}
    [answer] = peers.ask(sys.executable, f"benchmarks/{SYSTEMS[-1].script}", [question], "alone")
    assert answer["kept"] is None and answer["seconds"] > 0


def test_a_peer_that_fails_says_why(scratch, capfd):
    question = [{"folder": str(scratch / "nothing"), "scratch": str(scratch)}]
    with pytest.raises(RuntimeError, match="ended with 1"):
        list(peers.ask(sys.executable, "benchmarks/winnow_minhash.py", question, "alone"))
    assert "FileNotFoundError" in capfd.readouterr().err


def test_planted_pairs_of_documents_that_are_there():
    row = {"file": "a", "dup_group": "x"}
    truth = [
        row | {"kind": "near_dup", "offset": 5, "jaccard5": 0.9},
        row | {"kind": "page", "offset": 7},
        row | {"kind": "near_dup", "offset": 6, "jaccard5": 0.4},
        row | {"kind": "near_dup", "offset": 99, "jaccard5": 0.7},
        row | {"kind": "contaminated", "offset": 8},
    ]
    found = planted(truth, [("a", 5), ("b", 5), ("a", 6), ("a", 7)])
    assert [each.tolist() for each in found] == [[0, 2], [3, 3], [0.9, 0.4]]


def test_the_tables():
    pairs = Pairs(np.array([0, 2]), np.array([1, 3]), np.array([0.95, 0.72]))
    mine = Measured(2.0, 100_000_000, np.array([True, False, True, True]))
    other = Measured(5.0, 50_000_000, np.array([True, False, True, False]))
    measured = {WINNOW: mine, "other": other, "none": "needs Python 9.9, and there is none"}
    whole = Made(peers.ROOT, ["four"] * 4, pairs)
    first = rows(deduplicate.table(whole, pairs, measured))
    assert first[WINNOW] == ["2", "1.0", "100", "1.0", "1", "100.0", "–", "–", "0.0", "–", "100.0"]
    assert first["other"] == ["1", "2.5", "50", "0.5", "2", "50.0", "–", "–", "100.0", "–", "100.0"]
    assert first["pairs"][6:] == ["0", "0", "1", "0", "1"]
    assert rows(deduplicate.removed(pairs, measured))["other"] == ["0", "0", "0", "1", "0", "1"]
    third = rows(deduplicate.found_again(whole, pairs, measured))
    assert third["main texts are similar"] == ["–", "–", "0.0", "–", "100.0"]
    notes = deduplicate.missing(measured)
    assert notes == ["none: needs Python 9.9, and there is none"]


def rows(table) -> dict[str, list[str]]:
    names, *columns = (list(column.cells) for column in table.columns)
    return {name: list(cells) for name, *cells in zip(names, *columns, strict=True)}


def test_another_python_for_a_peer_that_needs_it(monkeypatch):
    monkeypatch.setenv("WINNOW_PYTHON", sys.executable)
    path, version = peers._python((3, 11))
    assert (path, version) == (sys.executable, sys.version)
    with pytest.raises(peers.NoPythonError, match=r"Python 9\.9"):
        peers._python((9, 9))
    assert subprocess.run([path, "-c", ""], check=True).returncode == 0
