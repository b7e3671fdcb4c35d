"""Curated texts to documents, through the engine; a bad row is a row in the ledger, a bad file is named."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from stages import STAGES
from stages.book import pieces
from stages.curated import inflated
from stages.text import clean

TEXTS = ["One text.", "第二篇文章。", "Третий текст.", "النص الرابع.", "ข้อความที่ห้า"]
ROWS = [
    {
        "text": text,
        "url": f"https://site{n}.example/{n}",
        "date": "2024-05-01",
        "license": "CC-BY",
        "score": n / 4,
    }
    for n, text in enumerate(TEXTS)
]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def lines(rows: Iterable[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def run(folder: Path, fields: str) -> Dataset:
    """Run a recipe of one step over files in the folder."""
    text = f"error_limit = 1.0\n[steps.books]\nstage = 'ingest'\nsource = 'books'\n{fields}"
    recipe = parse(text.encode(), "test", str(folder), STAGES)
    Run(recipe, str(folder / "out"), Inline(), say=lambda line: None).run()
    return Dataset(str(folder / "out" / "books"))


def rejected(dataset: Dataset) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in dataset.rejected().to_pylist()}


@pytest.mark.parametrize(("suffix", "pack"), PACK.items())
def test_lines_of_json(tmp_path, suffix, pack):
    (tmp_path / f"in.jsonl{suffix}").write_bytes(pack(lines(ROWS[:3])) + pack(lines(ROWS[3:])))
    table = run(
        tmp_path, f"files = 'in.jsonl{suffix}'\nlicense = 'unknown'\ncolumns = {{ score = 'float64' }}"
    ).read()
    assert table.num_rows == 5
    assert table.slice(1, 1).to_pylist() == [
        {
            "id": "books/in/2",
            "source": "books",
            "url": "https://site1.example/1",
            "date": "2024-05-01",
            "license": "CC-BY",
            "domain": "site1.example",
            "split": "train",
            "warc": None,
            "offset": None,
            "length": None,
            "text": "第二篇文章。",
            "score": 0.25,
        }
    ]


def test_rows_that_cannot_be_read_are_in_the_ledger(tmp_path):
    bad = [
        (b"{not json}", "error:json"),
        (b'["a list"]', "error:json"),
        (b'"text"', "error:json"),
        (b'{"text": "\xff\xfe"}', "error:json"),
        (b"[" * 100_000, "error:json"),
        (b'{"text": ' + b"9" * 5000 + b"}", "error:json"),
        (b"{}", "error:text"),
        (b'{"text": null}', "error:text"),
        (b'{"text": ["a"]}', "error:text"),
        (b'{"text": " \\n\\u0000\\ufeff"}', "empty"),
        (b'{"text": "a", "n": "12"}', "error:column"),
        (b'{"text": "a", "n": true}', "error:column"),
        (b'{"text": "a", "n": 1.5}', "error:column"),
        (b'{"text": "a", "n": 999999999999999999999}', "error:column"),
        (b'{"text": "a", "label": 7}', "error:column"),
    ]
    good = [
        b'\xef\xbb\xbf{"text": "first", "n": 1}',
        b'{"text": "\\ud800last", "n": null, "url": 5, "label": "x"}',
    ]
    content = [good[0], *(line for line, _ in bad), b"  ", good[1]]
    (tmp_path / "in.jsonl").write_bytes(b"\r\n".join(content))
    dataset = run(tmp_path, "files = 'in.jsonl'\ncolumns = { n = 'int64', label = 'string' }")
    kept = dataset.read(["id", "text", "n", "url", "label"]).to_pylist()
    assert kept == [
        {"id": "books/in/1", "text": "first", "n": 1, "url": None, "label": None},
        {"id": "books/in/18", "text": "last", "n": None, "url": None, "label": "x"},
    ]
    assert rejected(dataset) == {f"books/in/{n}": reason for n, (_, reason) in enumerate(bad, 2)}


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
def test_a_compressed_file_that_breaks_off_keeps_what_comes_before(tmp_path, suffix):
    rows = [{"text": f"text {n} " + str(n**7)} for n in range(30_000)]
    packed = PACK[suffix](lines(rows))
    (tmp_path / f"cut.jsonl{suffix}").write_bytes(packed[: len(packed) * 3 // 4])
    dataset = run(tmp_path, f"files = 'cut.jsonl{suffix}'")
    kept = dataset.read(["text"])["text"].to_pylist()
    assert kept == [row["text"] for row in rows[: len(kept)]]
    assert rejected(dataset) == {f"books/cut/{len(kept) + 1}": "error:truncated"}


def test_a_corrupt_compressed_file(tmp_path):
    first = gzip.compress(lines(ROWS))
    (tmp_path / "in.jsonl.gz").write_bytes(first + b"no member" * 9)
    dataset = run(tmp_path, "files = 'in.jsonl.gz'")
    assert dataset.read(["text"])["text"].to_pylist() == TEXTS
    assert rejected(dataset) == {"books/in/6": "error:corrupt"}
    padded = list(inflated((tmp_path / "in.jsonl.gz").open("rb"), ""))
    assert padded == [first + b"no member" * 9]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_parquet(tmp_path, kind):
    table = pa.Table.from_pylist(ROWS).append_column("body", pa.array(TEXTS, pa.string()).cast(kind))
    pq.write_table(table.drop_columns(["text"]), tmp_path / "in.parquet", row_group_size=2)
    out = run(tmp_path, "files = 'in.parquet'\ntext_field = 'body'\ncolumns = { score = 'float32' }").read()
    assert out["text"].to_pylist() == TEXTS
    assert out["id"].to_pylist() == [f"books/in/{n}" for n in range(1, 6)]
    assert out["score"].to_pylist() == [n / 4 for n in range(5)]
    assert set(out["license"].to_pylist()) == {"CC-BY"}


def test_parquet_rows_that_cannot_be_read(tmp_path):
    invalid = pa.Array.from_buffers(pa.string(), 3, pa.array([b"good", b"\xff\xfe", None]).buffers())
    pq.write_table(
        pa.table({"text": invalid, "date": pa.array([1, 2, 3], pa.date32())}), tmp_path / "in.parquet"
    )
    dataset = run(tmp_path, "files = 'in.parquet'")
    assert dataset.read(["text", "date"]).to_pylist() == [{"text": "good", "date": "1970-01-02"}]
    assert rejected(dataset) == {"books/in/2": "error:text", "books/in/3": "error:text"}


def test_a_parquet_file_with_a_broken_row_group_keeps_the_others(tmp_path):
    path = tmp_path / "in.parquet"
    rows = pa.table({"text": [f"text number {n} of them" for n in range(4000)]})
    pq.write_table(rows, path, row_group_size=1000, compression="gzip", use_dictionary=False)
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start + 100 : start + 900] = bytes(800)
    path.write_bytes(data)
    dataset = run(tmp_path, "files = 'in.parquet'")
    kept = dataset.read(["id"])["id"].to_pylist()
    assert [f"books/in/{n}" for n in (1, 1000, 2001, 4000)] == [kept[0], kept[999], kept[1000], kept[-1]]
    assert rejected(dataset) == {"books/in/1001": "error:parquet"}


def test_text_files_are_documents(tmp_path):
    (tmp_path / "shelf" / "deep").mkdir(parents=True)
    for n, text in enumerate(TEXTS):
        (tmp_path / "shelf" / "deep" / f"{n}.txt").write_bytes(text.encode())
    russian = "Это русский текст. " * 9
    (tmp_path / "shelf" / "legacy.txt.gz").write_bytes(gzip.compress(russian.encode("koi8-r")))
    (tmp_path / "shelf" / "blank.md").write_text(" \n\n")
    (tmp_path / "shelf" / "cover.png").write_bytes(b"\x89PNG")
    dataset = run(tmp_path, "files = 'shelf'\nlicense = 'public domain'")
    kept = {row["id"]: row for row in dataset.read().to_pylist()}
    assert {name: row["text"] for name, row in kept.items()} == {
        **{f"books/{n}/0": text for n, text in enumerate(TEXTS)},
        "books/legacy/0": russian.strip(),
    }
    assert {(row["license"], row["domain"]) for row in kept.values()} == {("public domain", None)}
    assert rejected(dataset) == {"books/blank/0": "empty"}


BOOK = "\n\n".join(
    [
        "THE BOOK",
        "CONTENTS",
        "CHAPTER I. The start",
        "CHAPTER II. The middle",
        "第三章 终结",
        *(
            f"{heading}\n\n"
            + "\n\n".join(f"Paragraph {n} of {heading}, some words long." * 3 for n in range(30))
            for heading in ("CHAPTER I. The start", "CHAPTER II. The middle", "第三章 终结", "## Epilogue")
        ),
        "Part of this line looks like a heading, but the sentence goes on as sentences do in a paragraph.",
    ]
)


def test_a_book_is_cut_at_its_chapters(tmp_path):
    (tmp_path / "novel.txt").write_text(BOOK)
    dataset = run(tmp_path, "files = 'novel.txt'\ncut = 'chapter'\nvalidation = 0.5")
    rows = dataset.read(["id", "text", "split"]).to_pylist()
    assert [row["text"].split("\n")[0] for row in rows] == [
        "THE BOOK",
        "CHAPTER II. The middle",
        "第三章 终结",
        "## Epilogue",
    ]
    for row in rows:
        assert BOOK[int(row["id"].removeprefix("books/novel/")) :].startswith(row["text"])
    assert len({row["split"] for row in rows}) == 1  # a book is on one side


@pytest.mark.parametrize("cut", ["chapter", "paragraph"])
def test_pieces_are_whole_paragraphs_up_to_a_length(cut):
    found = list(pieces(BOOK, cut, 1000))
    assert "\n\n".join(text for _, text in found) == BOOK
    assert max(len(text) for _, text in found) <= 1000
    assert min(len(text) for _, text in found[:-1]) > (50 if cut == "chapter" else 500)
    assert [text for _, text in pieces("a" * 5000 + "\n\nb", cut, 1000)] == ["a" * 5000, "b"]
    assert len(list(pieces("一行\n" * 1000, cut, 500))) > 4  # without blank lines, at lines


@given(
    st.text("ab \n第章IV#C", max_size=300),
    st.sampled_from(["none", "chapter", "paragraph"]),
    st.integers(1, 50),
)
def test_pieces_make_up_the_text(text, cut, longest):
    text = clean(text)
    found = list(pieces(text, cut, longest))
    assert "".join(piece for _, piece in found).replace("\n", "") == text.replace("\n", "")
    for start, piece in found:
        assert text[start : start + len(piece)] == piece


def test_the_order_of_columns_in_the_recipe_means_nothing(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines([{"text": "one", "b": 1, "a": "x"}]))
    schemas = []
    for number, columns in enumerate(('a = "string", b = "int8"', 'b = "int8", a = "string"')):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.jsonl").write_bytes((tmp_path / "a.jsonl").read_bytes())
        schemas.append(run(tmp_path / str(number), f'files = "a.jsonl"\ncolumns = {{ {columns} }}').schema)
    assert schemas[0] == schemas[1] and schemas[0].names[-2:] == ["a", "b"]


def test_the_split_is_drawn_by_document_or_domain(tmp_path):
    rows = [{"text": f"article {n}", "url": f"https://en.wiki.example/{n}"} for n in range(400)]
    (tmp_path / "in.jsonl").write_bytes(lines(rows))
    (tmp_path / "by_domain").mkdir()
    (tmp_path / "by_domain" / "in.jsonl").write_bytes(lines(rows))
    by_document = run(tmp_path, "files = 'in.jsonl'\nvalidation = 0.2").read(["split"])["split"].to_pylist()
    assert 50 <= by_document.count("val") <= 110
    by_domain = run(tmp_path / "by_domain", "files = 'in.jsonl'\nvalidation = 0.2\nsplit_by = 'domain'")
    assert len(set(by_domain.read(["split"])["split"].to_pylist())) == 1


BAD_FILES = {
    "empty.jsonl": b"",
    "list.json": b'[{"text": "a"}, {"text": "b"}]',
    "other.jsonl": b'{"body": "a"}\n{"body": "b"}\n',
    "no.parquet": b"not parquet",
    "cut.txt.gz": gzip.compress(b"text" * 1000)[:20],
    "page.docx": b"PK",
    "rows.parquet.gz": b"",
}


@pytest.mark.parametrize(("name", "data"), BAD_FILES.items())
def test_a_file_of_which_nothing_can_be_read_is_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=name):
        run(tmp_path, f"files = '{name}'")


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ("", "text"),
        ("text_field = 'content'\nurl_field = 'link'", "link"),
        ("text_field = 'content'\ncolumns = { n = 'int8' }", "n"),
    ],
)
def test_a_missing_parquet_column_is_named_with_those_that_are_there(tmp_path, fields, missing):
    pq.write_table(pa.table({"content": ["a"], "url": ["b"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=rf"in\.parquet has no column '{missing}'; it has: content, url"):
        run(tmp_path, f"files = 'in.parquet'\n{fields}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("columns = { n = 'integer' }", "n = 'integer' is no type; types are string, bool"),
        ("columns = { text = 'string' }", "'text' is a column of every document"),
        ("columns = { reason = 'string' }", "'reason' is a column of every document"),
        ("validation = 1.5", "validation = 1.5 must lie between 0 and 1"),
        ("max_characters = 0", "max_characters = 0 must be at least 1"),
        ("cut = 'page'", "cut"),
    ],
)
def test_wrong_fields_are_refused(tmp_path, fields, message):
    (tmp_path / "in.txt").write_text("text")
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, f"files = 'in.txt'\n{fields}")
