"""The whole recipe on the embedded crawl: the same bytes however it runs, and what is in them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import toy

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline, Processes
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES

CONFIGS = Path(__file__).parent.parent / "configs"
RECIPE = (CONFIGS / "tiny.toml").read_text()
TRUTH = [json.loads(line) for line in (CONFIGS / "tiny/truth.jsonl").read_text().splitlines()]


def run(out: Path, text: str = RECIPE, executor: Executor | None = None) -> Path:
    recipe = parse(text.encode(), "tiny", str(CONFIGS), STAGES)
    Run(recipe, str(out), executor or Inline(), say=lambda line: None).run()
    return out


@pytest.mark.parametrize("workers", [2, 5])
def test_same_bytes_for_any_number_of_workers(tiny, tmp_path, workers):
    assert toy.contents(run(tmp_path / "run", executor=Processes(workers))) == toy.contents(tiny)


def test_same_bytes_for_files_in_another_order_and_rows_that_flow_on(tiny, tmp_path):
    names = sorted(path.name for path in (CONFIGS / "tiny/crawl").iterdir())
    listed = ", ".join(f'"tiny/crawl/{name}"' for name in reversed(names))
    text = RECIPE.replace('warcs = "tiny/crawl"', f"warcs = [{listed}]")
    text = text.replace('stage = "decontaminate"', 'stage = "decontaminate"\nmaterialize = false')
    got, wanted = toy.contents(run(tmp_path / "run", text)), toy.contents(tiny)
    differing = {name for name in {*got, *wanted} if got.get(name) != wanted.get(name)}
    assert differing and {name.split("/")[0] for name in differing} <= {"recipe.toml", "clean"}
    assert {name for name in differing if "rejected" in name} == set()


def test_killed_at_random_moments(tiny, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "run",
        str(CONFIGS / "tiny.toml"),
        "--out",
        str(tmp_path / "run"),
    ]
    rng = random.Random(5)
    for _ in range(5):
        process = subprocess.Popen(
            [*command, "--workers", "2"], start_new_session=True, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(1.5, 7))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([*command, "--workers", "2"], check=True, stdout=subprocess.DEVNULL)
    assert toy.contents(tmp_path / "run") == toy.contents(tiny)


def test_documents_of_all_scripts_pass_every_step(tiny):
    languages = Counter(Dataset(f"{tiny}/tagged").read(["language"])["language"].to_pylist())
    wanted = Counter(line.get("lang", "en") for line in TRUTH)
    for language in ("zh", "ja", "ko", "th", "ar", "hi", "ru", "de", "fr", "es"):
        assert languages[language] >= 0.8 * wanted[language], language


def test_planted_benchmark_examples_are_cut(tiny):
    examples = {}
    for line in (CONFIGS / "tiny/benchmark.jsonl").read_text().splitlines():
        example = json.loads(line)
        examples[example["id"]] = example["text"]
    planted = {line["url"]: examples[line["benchmark"]] for line in TRUTH if line.get("benchmark")}
    rows = Dataset(f"{tiny}/clean").read(["url", "text", "pieces", "grams_hit"]).to_pylist()
    rows = [row for row in rows if planted.get(row["url"], "") in row["text"] and row["url"] in planted]
    assert len(rows) >= 5
    for row in rows:
        data = row["text"].encode()
        pieces = [data[piece["start"] : piece["end"]].decode() for piece in row["pieces"]]
        assert row["grams_hit"] and all(planted[row["url"]] not in piece for piece in pieces)


def test_a_copy_of_a_curated_text_goes_and_the_curated_text_stays(tiny):
    ledger = Dataset(f"{tiny}/unique").rejected().to_pylist()
    crawl_copies = [
        row for row in ledger if row["source"] == "cc" and not row["duplicate_of"].startswith("cc/")
    ]
    assert len(crawl_copies) >= 5
    kept = set(Dataset(f"{tiny}/unique").read(["id"])["id"].to_pylist())
    assert all(row["duplicate_of"] in kept and row["similarity"] >= 0.8 for row in ledger)
