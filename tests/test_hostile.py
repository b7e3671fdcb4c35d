"""Pages that were made to break readers: limits on their structure decide, their neighbours never notice."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from benchmarks import hostile
from benchmarks.hostile_pages import KINDS, Hostile, hostile_pages, page
from pipeline.executors import Executor, Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.supervise import peak_bytes
from stages import STAGES
from stages.extract import Extract

SMALL, LARGE = 10, 20_000
HUGE = {"div": 100_000, "table": 100_000, "attributes": 200_000, "paragraphs": 80_000, "entities": 1_000_000}
REASONS = {f"error:{limit}" for limit in ("too_deep", "too_many_tags", "too_many_attributes", "too_large")}
OTHER_REASONS = {"error:charset", "type:application/octet-stream"}  # what more than one byte in fifty is NUL


def write(path: Path, pages: list[Hostile]) -> None:
    """A WARC of pages with an innocent one before each."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=False)
        for one in pages:
            good = page(f"<p>This is about {one.kind.replace('<', 'less')} and {one.size}.")
            for name, block in (("good", good), ("hostile", one.block)):
                url = f"http://a.example/{name}/{list(KINDS).index(one.kind)}/{one.size}"
                head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], "HTTP/1.1")
                headers = head if name == "good" else None
                dated = {"WARC-Date": "2026-11-21T08:00:00Z"}
                record = writer.create_warc_record(
                    url, "response", io.BytesIO(block), http_headers=headers, warc_headers_dict=dated
                )
                writer.write_record(record)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    pages = list(hostile_pages((SMALL, LARGE)))
    pages += [Hostile(kind, size, KINDS[kind](size)) for kind, size in HUGE.items()]
    for part in range(2):
        write(folder / f"part{part}.warc", pages[part::2])
    return folder


def extracted(folder: Path, out: str, engine: str, executor: Executor) -> dict[str, bytes]:
    """Every file that a run makes, by name."""
    text = f"error_limit = 1.0\n[steps.crawl]\nstage = 'extract'\nwarcs = '*.warc'\nengine = '{engine}'"
    recipe = parse(text.encode(), "test", str(folder), STAGES)
    Run(recipe, str(folder / out), executor, say=lambda line: None).run()
    made = folder / out / "crawl"
    return {str(path.relative_to(made)): path.read_bytes() for path in sorted(made.glob("*/*.parquet"))}


def outcome(files: dict[str, bytes]) -> dict[tuple[str, str, int], str]:
    """(good or hostile, kind, size) -> why it was rejected; nothing where it was kept."""
    found = {}
    for data in files.values():
        for row in pq.read_table(io.BytesIO(data)).to_pylist():
            name, kind, size = row["url"].split("/")[3:]
            found[name, list(KINDS)[int(kind)], int(size)] = row.get("reason") or ""
    return found


@pytest.mark.parametrize("engine", ["winnow", "resiliparse"])
def test_structure_decides_and_neighbours_are_kept(folder: Path, engine: str) -> None:
    files = extracted(folder, engine, engine, Inline())
    seen = outcome(files)
    assert len(seen) == 2 * (2 * len(KINDS) + len(HUGE))
    assert not {key: why for key, why in seen.items() if key[0] == "good" and why}
    assert not {key: why for key, why in seen.items() if key[2] == SMALL and why}
    assert {*seen.values()} <= {"", *REASONS, *OTHER_REASONS}
    for kind, size in HUGE.items():
        assert (seen["hostile", kind, size] in REASONS) == (kind != "entities")
    assert peak_bytes() < Extract.memory << 20
    assert extracted(folder, f"{engine}-2", engine, Processes(2)) == files


def test_the_benchmark_prints_a_line_for_each_page(capsys: pytest.CaptureFixture[str]) -> None:
    hostile.main(["div", "entities"], [SMALL, LARGE], ["winnow", "resiliparse"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["winnow", "resiliparse"]
    assert [line.count(" ms ") for line in lines[1:]] == [2, 0, 2, 2]
    assert lines[2].split()[-2:] == ["error:too_deep"] * 2


def test_time_that_grows_much_faster_than_a_page_is_marked() -> None:
    small, large = hostile.Trial("x", 100, ""), hostile.Trial("x", 400, "")
    grown = [
        hostile.steep((small, hostile.Outcome("", 0, 0.1)), (large, hostile.Outcome("", 0, 0.1 * times)))
        for times in (4, 7, 9, 16)
    ]
    assert grown == [False, False, True, True]
