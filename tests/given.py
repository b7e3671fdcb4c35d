"""Documents that a test wrote, and what copies, recrawls and repeated lines are in plain Python."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from duplicates import Given, Rows, Sources, write

from pipeline.dataset import Dataset
from pipeline.executors import Executor, Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages.drop_copies import DropCopies
from stages.drop_recrawls import DropRecrawls
from stages.drop_repeated import DropRepeated

TEXTS = [  # of all kinds of scripts
    "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏",
    "いろはにほへとちりぬるをわかよたれそつねならむうゐのおくやま",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่ากว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت يَحظى الضَجيعُ بِها نَجلاءَ مِعطارِ",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다 다람쥐 헌 쳇바퀴에",
    "Съешь же ещё этих мягких французских булок да выпей чаю а потом ещё",
    "The quick brown fox jumps over the lazy dog while five boxing wizards jump",
]


STAGES = {
    "given": Given,
    "drop_copies": DropCopies,
    "drop_recrawls": DropRecrawls,
    "drop_repeated": DropRepeated,
}


def step(name: str, stage: str, documents: Sequence[str], **fields: Any) -> str:
    """A step of a recipe."""
    lines = [f"[steps.{name}]", f'stage = "{stage}"', f"documents = {json.dumps(list(documents))}"]
    return "\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in fields.items()), ""])


def make(folder: Path, recipe: str, out: str = "out", executor: Executor | None = None) -> Path:
    """Run a recipe; returns the folder of the run."""
    parsed = parse(recipe.encode(), "test", str(folder), STAGES)
    Run(parsed, str(folder / out), executor or Inline(), say=lambda line: None).run()
    return folder / out


def run(
    folder: Path,
    sources: Sources,
    stage: str,
    out: str = "out",
    executor: Executor | None = None,
    **fields: Any,
) -> Dataset:
    """The sources, in the order given, through one step."""
    recipe = write(folder, sources) + step("made", stage, list(sources), **fields)
    return Dataset(str(make(folder, recipe, out, executor) / "made"))


def kept(dataset: Dataset, *columns: str) -> dict[str, Any]:
    """id -> the column, or tuple of the columns, of what stays."""
    return _by_id(dataset.read(["id", *columns]), columns)


def removed(dataset: Dataset, *columns: str) -> dict[str, Any]:
    """The same of the ledger."""
    table = dataset.rejected()
    return _by_id(table.select(["id", *columns]), columns) if table.num_rows else {}


def _by_id(table: pa.Table, columns: Sequence[str]) -> dict[str, Any]:
    values = zip(*(table[name].to_pylist() for name in columns), strict=True)
    rows = [row[0] if len(columns) == 1 else row for row in values]
    return dict(zip(table["id"].to_pylist(), rows, strict=True))


def files(dataset: Dataset) -> dict[str, bytes]:
    """The bytes of what stays and of the ledger."""
    folder = Path(dataset.folders[0])
    paths = [*folder.glob("shards/*.parquet"), *folder.glob("rejected/*.parquet")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


def resharded(sources: Sources, shards: int) -> Sources:
    """The same documents with the ids they have, in other shards, back to front."""
    moved: dict[str, list[Rows]] = {}
    for source, parts in sources.items():
        rows = [
            {"id": f"{source}/{number:03d}/{n}", **row}
            for number, part in enumerate(parts)
            for n, row in enumerate(part)
        ][::-1]
        moved[source] = [rows[n::shards] for n in range(shards)]
    return moved


def one_of_each(ordered: Iterable[tuple[str, Any]]) -> tuple[dict[str, int], dict[str, str]]:
    """(id -> how many go because of it, id -> what stays instead) of (id, key) in order; no key: alone."""
    first: dict[Any, str] = {}
    counts: dict[str, int] = {}
    gone: dict[str, str] = {}
    for name, key in ordered:
        known = first.setdefault(key, name) if key else name
        if known == name:
            counts[name] = 0
        else:
            counts[known] += 1
            gone[name] = known
    return counts, gone
