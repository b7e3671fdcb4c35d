"""The examples run on the tiny recipe, and what they print is true."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash

from classifiers.words import words
from pipeline.dataset import Dataset
from stages import minhash

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(monkeypatch, capsys, name: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_signatures_in_datasketch(tiny, monkeypatch, capsys):
    one, other, similarity, like = run(
        monkeypatch, capsys, "signatures_in_datasketch.py", f"{tiny}/unique"
    ).splitlines()
    rows = {row["id"]: row for row in Dataset(f"{tiny}/unique").rejected().to_pylist()}
    assert rows[one]["duplicate_of"] == other
    assert float(similarity.split()[-1]) == pytest.approx(rows[one]["similarity"], abs=0.15)
    assert other in like.split()


def test_two_documents_by_name(tiny, monkeypatch, capsys):
    ids = Dataset(f"{tiny}/unique").read(["id"])["id"].to_pylist()[:2]
    printed = run(monkeypatch, capsys, "signatures_in_datasketch.py", f"{tiny}/unique", *ids)
    assert printed.splitlines()[:2] == ids


def test_they_are_the_signatures_that_datasketch_makes(tiny):
    """Of texts in all languages of the tiny crawl, from our shingles."""
    signed = runpy.run_path(str(EXAMPLES / "signatures_in_datasketch.py"))["signatures"](tiny / "unique")
    documents = Dataset(f"{tiny}/unique").read(["id", "text"])
    shingles = minhash.shingles(words(documents["text"]), 5)
    checked = 0
    for row, name in enumerate(documents["id"].to_pylist()):
        if name in signed:
            theirs = MinHash(len(signed[name]), seed=signed[name].seed, scheme="affine32", hashfunc=int)
            theirs.update_batch((shingles.of(row) >> np.uint64(32)).tolist())
            assert theirs == signed[name]
            checked += 1
    assert checked > 600


def test_what_was_removed(tiny, monkeypatch, capsys):
    printed = run(monkeypatch, capsys, "what_was_removed.py", str(tiny))
    ledger = Dataset(f"{tiny}/crawl").rejected().to_pylist()
    gone = sum(row["reason"] == "http:301" for row in ledger)
    row = next(line for line in printed.splitlines() if "http:301" in line)
    assert row.strip("│ ").split(" ┆ ")[2].strip() == str(gone)
    assert "duplicate:near" in printed and "classifier" not in printed
