"""Who may import whom: classifiers <- stages -> pipeline; and where heavy libraries belong."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "pipeline": {"pipeline"},
    "classifiers": {"classifiers"},
    "stages": {"stages", "classifiers", "pipeline"},
}
TIES = {"pipeline/cli.py": {"pipeline", "stages"}}
ONLY_IN = {
    "numba": {"classifiers/kernel.py"},
    "torch": set(),
    "ray": set(),
    "sklearn": {"classifiers/calibration.py", "stages/card.py"},
}
FILES = [str(f.relative_to(ROOT)) for package in ALLOWED for f in sorted((ROOT / package).rglob("*.py"))]


def imported(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
    names |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return {name.split(".")[0] for name in names if name}


@pytest.mark.parametrize("file", FILES)
def test_imports_point_one_way(file):
    ours = imported(file) & set(ALLOWED)
    assert ours <= TIES.get(file, ALLOWED[file.split("/")[0]])


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_stay_where_they_belong(file):
    for library, rooms in ONLY_IN.items():
        assert library not in imported(file) or file in rooms


def test_files_stay_within_400_lines():
    folders = (*ALLOWED, "tests", "benchmarks", "configs", ".ci")
    for path in (path for folder in folders for path in (ROOT / folder).glob("*.py")):
        assert len(path.read_text().splitlines()) <= 400, path.name
