"""A small run with everything that shows a document, in all scripts, and ways to look for traces of one."""

import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from corpus import END, tiktoken_gpt2
from scripts import SENTENCES
from test_extract import Archive, page
from warcio.archiveiterator import ArchiveIterator

from pipeline.executors import Executor, Inline
from pipeline.forget import TakeDown
from pipeline.inspection import Row
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.forgotten import Forgotten, entries

HOSTS = {"en": "news.example", "zh": "新闻.example", "ja": "blog.news.example", "ru": "новости.example"}
SAVED = """
seed = 5
[steps.crawl]
stage = "extract"
warcs = "crawl/*"
raw = true
validation = 0.2
MORE
[steps.saved]
stage = "save_raw"
documents = "crawl"
"""
RECIPE = f"""{SAVED}
[steps.books]
stage = "ingest"
source = "books"
files = "books.jsonl"
columns = {{ title = "string" }}
validation = 0.2
MORE
[steps.unique]
stage = "deduplicate"
documents = ["books", "saved"]
[steps.tokens]
stage = "encode"
documents = "unique"
[steps.mixture]
stage = "mix"
documents = "tokens"
epochs = {{ cc = 2.5, books = 1.5 }}
sequence = 48
shard_sequences = 40
"""


def mark(number: int) -> str:
    """A word that is in one document alone."""
    return f"mark{number}x"


def text(language: str, number: int) -> str:
    """A text in this language, of which no part is without the mark."""
    whole = SENTENCES[language]
    pieces = [whole[at : at + 9].strip() for at in range(0, len(whole), 9)]
    return " ".join(f"{piece} {mark(number)}" for piece in pieces)


def url(language: str, number: int) -> str:
    return f"https://{HOSTS.get(language, f'{language}.example')}/page/{number}"


def write_archive(path: Path, numbers: Iterable[int]) -> None:
    """Two pages in each language for each number, and one that is not there any more."""
    path.parent.mkdir(exist_ok=True)
    archive = Archive()
    for number in numbers:
        for at, language in enumerate(SENTENCES):
            archive.page(url(language, number), page(text(language, 100 * number + at)))
        archive.page(url("en", number) + "/gone", b"none", "404 Not Found\nContent-Type: text/html")
    archive.save(path)


def write(folder: Path, archives: str = "abc") -> Path:
    """Some archives, all if not said, and a file of books."""
    for name, numbers in {"a": range(2), "b": range(2, 5), "c": range(5, 7)}.items():
        if name in archives:
            write_archive(folder / f"crawl/{name}.warc.gz", numbers)
    books = [
        {"text": text(language, 9000 + 10 * n + at), "title": f"title {mark(9000 + 10 * n + at)}"}
        for n in range(3)
        for at, language in enumerate(SENTENCES)
    ]
    copy = {"text": text("zh", 101), "title": "a copy of page 1 in Chinese"}
    lines = [json.dumps(book, ensure_ascii=False) for book in [*books, copy, {"text": "", "title": mark(1)}]]
    (folder / "books.jsonl").write_text("\n".join(lines))
    return folder


def run(folder: Path, out: str = "out", recipe: str = RECIPE, more: str = "", **how: Any) -> Path:
    """Run a recipe over the files; `more` goes into the steps that read them."""
    steps = parse(recipe.replace("MORE", more).encode(), "test", str(folder), STAGES)
    Run(steps, str(folder / out), Inline(), say=lambda line: None).run(**how)
    return folder / out


def listed(folder: Path, lines: Iterable[str]) -> list[str]:
    """The lines as `pipeline forget` gets them from a list."""
    (folder / "list.txt").write_text("".join(f"{line}\n" for line in lines))
    return entries([str(folder / "list.txt")])


def take_down(out: Path, executor: Executor | None = None, say: Any = lambda line: None) -> TakeDown:
    return TakeDown(str(out), STAGES, Forgotten.of, executor or Inline(), say=say)


def forget(
    folder: Path, lines: Iterable[str], out: str = "out", executor: Executor | None = None
) -> list[Row]:
    return take_down(folder / out, executor).run(listed(folder, lines))


def copied(run_folder: Path, to: Path) -> Path:
    """A run to be changed."""
    return Path(shutil.copytree(run_folder, to))


class Traces:
    """All that a run's folder says: columns of any kind, tokens, records of archives, reports."""

    def __init__(self, run_folder: Path) -> None:
        paths = [path for path in run_folder.rglob("*") if path.is_file() and path.name != "forgotten.txt"]
        self._words = {str(path.relative_to(run_folder)): "\n".join(_words(path)) for path in sorted(paths)}

    def of(self, word: str) -> list[str]:
        """The files in which a word is."""
        return [name for name, words in self._words.items() if word in words]


def _words(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        for name in table.column_names:
            yield from _values(table[name])
    elif path.suffix == ".gz":
        with path.open("rb") as file:
            yield from (str(record.content_stream().read()) for record in ArchiveIterator(file))
    else:
        yield path.read_text(errors="replace")


def _values(column: pa.ChunkedArray) -> Iterator[str]:
    kind = column.type
    if (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) and kind.value_type == pa.uint16():
        yield from map(_decoded, column.to_pylist())
    elif pa.types.is_large_binary(kind):
        for value in map(bytes, column.to_pylist()):
            yield str(gzip.decompress(value) if value.startswith(b"\x1f\x8b") else value)
            yield _decoded(memoryview(value)[: len(value) // 2 * 2].cast("H").tolist())
    else:
        yield str(column.to_pylist())


def _decoded(tokens: list[int]) -> str:
    return tiktoken_gpt2().decode([token for token in tokens if token <= END])
