"""Kernels are compiled anew when anything that they call has changed."""

import os
import subprocess
import sys
from pathlib import Path

from classifiers import kernel

OUTER = """
from classifiers.kernel import kernel
from stages.inner import one

@kernel
def two():
    return one() + one()

print(two(), sum(two.stats.cache_hits.values()))
"""
INNER = """
from classifiers.kernel import kernel

@kernel
def one():
    return {}
"""


def test_a_kernel_in_another_file_that_changes_is_compiled_again(tmp_path):
    for package in ("classifiers", "stages"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "classifiers" / "kernel.py").write_text(Path(kernel.__file__).read_text())
    (tmp_path / "stages" / "outer.py").write_text(OUTER)

    def found(number: int) -> str:
        (tmp_path / "stages" / "inner.py").write_text(INNER.format(number))
        run = [sys.executable, "-m", "stages.outer"]
        return subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert found(1) == "2 0\n"
    assert found(1) == "2 1\n"
    assert found(5) == "10 0\n"
    folders = [*(tmp_path / "classifiers" / "__pycache__").glob("kernels-*")]
    assert len(folders) == 2
    for folder in folders:
        os.utime(folder, (0, 0))
    assert found(5) == "10 1\n"
    assert len([*(tmp_path / "classifiers" / "__pycache__").glob("kernels-*")]) == 1
