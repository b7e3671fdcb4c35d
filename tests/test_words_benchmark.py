"""The benchmark of words cuts texts between characters, and measures every language that it finds."""

import json

import pytest
import typer
import zstandard
from harbour import PROSE
from typer.testing import CliRunner

from benchmarks import words as benchmark


def test_pieces_are_of_one_size_but_for_a_character_cut_off():
    text = "語字 " * 100
    pieces = list(benchmark.pieces_of(text, 100))
    assert len(pieces) == 7
    assert {len(piece.encode()) for piece in pieces} <= {98, 99, 100}
    assert all(piece in text for piece in pieces)
    assert list(benchmark.pieces_of("too short", 100)) == []


@pytest.mark.parametrize("packed", [False, True])
def test_every_language_has_a_row(tmp_path, packed):
    rows = [{"lang": code, "text": PROSE[code] * 2} for code in ("en", "zh", "th")]
    data = "".join(
        json.dumps(row) + "\n" for row in [*rows, {"lang": "tlh", "text": "nuqneH " * 99}]
    ).encode()
    path = tmp_path / ("texts.jsonl.zst" if packed else "texts.jsonl")
    path.write_bytes(zstandard.compress(data) if packed else data)
    app = typer.Typer()
    app.command()(benchmark.main)
    done = CliRunner().invoke(
        app, [str(path), "--no-peers", "--bytes", "300", "--rounds", "1", "--documents", "2"]
    )
    assert done.exit_code == 0, done.output
    found = [line.split() for line in done.output.splitlines() if line.strip()]
    assert [row[0] for row in found[-3:]] == ["English", "Chinese", "Thai"]
    assert [row[1] for row in found[-3:]] == ["2", "2", "2"]
    assert all(float(cell) > 0 for row in found[-3:] for cell in row[2:])


def test_no_text_of_the_size(tmp_path):
    (tmp_path / "texts.jsonl").write_text('{"lang": "en", "text": "short"}\n')
    with pytest.raises(typer.BadParameter, match="no text of 6000 bytes"):
        benchmark.main([tmp_path / "texts.jsonl"])
