"""Acceptance of `extract` by winnow on all real archives: records are accounted for, and none is deadly."""

from collections import Counter
from pathlib import Path

import pytest
import test_archives
import truth

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.engines import engine_version
from stages.warc import ROWS, read_records

FOLDERS = ("crawl", "crawl-charsets", "crawl-damaged", "crawl-duplicates")
FILES = [path for path in test_archives.ARCHIVES if path.name not in test_archives.NONE]
FILES += [path for name in FOLDERS for path in sorted((truth.DATA / name).glob("*.warc.gz"))]


def run(folder: Path, executor: Executor) -> Path:
    """Extract every file; returns the run's folder."""
    steps = "error_limit = 1.0\n"
    for at, paths in enumerate(named_apart()):
        listed = ", ".join(f"'{path}'" for path in paths)
        steps += f"[steps.crawl{at}]\nstage = 'extract'\nwarcs = [{listed}]\n"
    Run(parse(steps.encode(), "extract", "/", STAGES), str(folder), executor, say=lambda line: None).run()
    return folder


def named_apart() -> list[list[Path]]:
    """Lists of files of which no two in a list have one name."""
    lists: list[dict[str, Path]] = []
    for path in FILES:
        name = path.name.partition(".")[0]
        free = next((each for each in lists if name not in each), None)
        if free is None:
            free = {}
            lists.append(free)
        free[name] = path
    return [list(each.values()) for each in lists]


@pytest.fixture(scope="module")
def crawls(tmp_path_factory) -> list[Dataset]:
    folder = run(tmp_path_factory.mktemp("extract") / "one", Inline())
    return [Dataset(str(path)) for path in sorted(folder.glob("crawl*"))]


def test_every_record_is_kept_or_in_the_ledger(crawls):
    outcomes, versions, ids = Counter(), Counter(), Counter()
    for crawl in crawls:
        kept, gone = crawl.read(["id", "engine", "engine_version"]), crawl.rejected()
        ids.update(kept["id"].to_pylist() + gone["id"].to_pylist())
        versions.update(zip(kept["engine"].to_pylist(), kept["engine_version"].to_pylist(), strict=True))
        outcomes.update(kept=len(kept))
        outcomes.update(gone["reason"].to_pylist())
    print(f"\n{len(FILES)} files, {ids.total()} rows; {dict(versions)}")
    print("  " + ", ".join(f"{reason} {n}" for reason, n in outcomes.most_common()))
    wanted = Counter()
    for path in FILES:
        with path.open("rb") as file:
            for record in read_records(file, path.name):
                if record.error or record.type in ROWS:
                    wanted[record.address] += 1
    assert ids.total() == wanted.total()
    assert Counter(name.rpartition("/")[2] for name in ids.elements()) == wanted
    assert not [reason for reason in outcomes if reason in ("error:timeout", "error:crash", "error:memory")]
    assert outcomes["error:engine"] == 0
    assert set(versions) <= {("winnow", engine_version("winnow")), ("plain", None), ("wet", None)}


def test_two_workers_write_the_same_bytes(crawls, tmp_path):
    one, two = Path(crawls[0].folders[0]).parent, run(tmp_path / "two", Processes(2))
    files = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert len(files) == 2 * len(FILES)
    assert [path for path in files if (one / path).read_bytes() != (two / path).read_bytes()] == []
