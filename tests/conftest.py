"""The tiny recipe, run once for all tests that look at its result."""

from pathlib import Path

import pytest

from pipeline.executors import Inline
from pipeline.recipe import load
from pipeline.runner import Run
from stages import STAGES

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    Run(load(str(CONFIGS / "tiny.toml"), STAGES), str(folder), Inline(), say=lambda line: None).run()
    return folder
