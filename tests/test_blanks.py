"""What stands in place of forgotten documents: in sequences, and in archives of raw records."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
from corpus import documents, run, write
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import given, settings
from hypothesis import strategies as st
from test_raw import warcio

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.forget_rows import in_order
from pipeline.hashing import hash_text
from pipeline.output import Output
from stages.blanks import blank, blanked, rows_of
from stages.mix import sequence_schema
from stages.raw import nothing
from stages.warc import read_records

END, SIZE = 7, 6
NAMES = st.sampled_from(["cc/a/1", "例え/い/2", "книги/б/3", "x/y/4", None])
# rows that segments fill without a gap: (name, tokens) until the row is full
ROWS = st.lists(
    st.lists(st.tuples(NAMES, st.integers(1, SIZE + 1)), min_size=1, max_size=5), min_size=1, max_size=6
)


def table(rows: list[list[tuple[str | None, int]]]) -> pa.Table:
    """Sequences whose tokens are all different numbers from 100 on."""
    made = []
    for number, row in enumerate(rows):
        segments, at = [], 0
        for name, length in [*row, ("rest", SIZE + 1)]:
            end = min(at + length, SIZE + 1)
            if end > at:
                segments.append({"id": name, "start": at, "end": end, "offset": 10 * number + at})
            at = end
        tokens = [100 + number * (SIZE + 1) + n for n in range(SIZE + 1)]
        made.append({"tokens": tokens, "source": "cc", "documents": segments})
    column = pa.field("tokens", pa.list_(pa.uint16()), metadata={"end_of_text": str(END)})
    return pa.Table.from_pylist(made, sequence_schema(column, SIZE))


@settings(deadline=None)
@given(ROWS, st.lists(NAMES, max_size=3))
def test_against_a_plain_twin(rows, names):
    batch = table(rows)
    gone = np.sort(hash_text(pa.array([name for name in names if name], pa.string())))
    wanted = batch.to_pylist()
    for row in wanted:
        for segment in row["documents"]:
            if segment["id"] in set(names) - {None}:
                row["tokens"][segment["start"] : segment["end"]] = [END] * (segment["end"] - segment["start"])
                segment.update(id=None, offset=None)
    once = blanked(batch, gone, END)
    assert once.select(batch.column_names).to_pylist() == wanted
    assert blanked(once, gone, END).equals(once)
    parts = [blanked(batch.slice(n, 1), gone, END) for n in range(len(rows))]  # at any offset of its buffers
    assert pa.concat_tables(parts).to_pylist() == once.to_pylist()


def test_what_is_counted_is_what_is_blanked(tmp_path):
    write(
        tmp_path,
        {"a": documents([{"id": f"cc/a/{n}", "source": "cc", "text": f"{n} 天気 " * 30} for n in range(9)])},
    )
    steps = """
[steps.given]
stage = "given"
files = "in/a.parquet"
[steps.tokens]
stage = "encode"
documents = "given"
[steps.mixture]
stage = "mix"
documents = "tokens"
epochs = { cc = 3 }
sequence = 32
"""
    out = run(tmp_path, steps)
    path, gone = (
        str(out / "mixture/shards/train-00000.parquet"),
        np.sort(hash_text(pa.array(["cc/a/3", "cc/a/4"]))),
    )
    found = rows_of(path, gone)
    output = Output(str(out / "mixture"), "shards", "train-00000")
    blank(path, gone, output)
    assert (
        output.counts == {"tokens_forgotten": found["tokens"]}
        and 0 < found["mixture_rows"] <= found["tokens"]
    )
    output.amend()
    assert rows_of(path, gone) == {"mixture_rows": 0, "tokens": 0}
    held = {
        s["id"]
        for row in Dataset(str(out / "mixture")).read(["documents"]).to_pylist()
        for s in row["documents"]
    }
    assert held == {None, *(f"cc/a/{n}" for n in (0, 1, 2, 5, 6, 7, 8))}


def test_a_mixture_that_does_not_say_what_ends_a_text_is_named(tmp_path):
    column = pa.field("tokens", pa.list_(pa.uint16()))
    rows = table([[("cc/a/1", 3)]])
    output = Output(str(tmp_path), "shards", "a")
    output.table(sequence_schema(column, SIZE)).write(rows)
    output.commit()
    with pytest.raises(InputError, match=r"a.parquet: the column .tokens. does not say .*delete its step"):
        blank(
            str(tmp_path / "shards/a.parquet"), np.array([1], np.uint64), Output(str(tmp_path), "shards", "a")
        )


@pytest.mark.parametrize("length", [88, 89, 300, 65_600, 65_630, 65_631, 200_000])
def test_a_blank_record_is_as_long_as_it_should_be_and_readers_pass_it(length):
    data = nothing(length)
    assert len(data) == length
    assert gzip.decompress(data).startswith(b"WARC/1.0\r\nWARC-Type: metadata\r\n")
    page = b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: urn:a\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n"
    archive = gzip.compress(page) + data + gzip.compress(page)
    seen = [(each.type, each.error) for each in read_records(io.BytesIO(archive), "a")]
    assert seen == [("resource", ""), ("metadata", ""), ("resource", "")]
    assert [body.strip() for _, body in warcio(archive)] == [b"hi", b"", b"hi"]
    assert len(list(FastIterator(io.BytesIO(archive)))) == 3


def test_where_no_record_fits_there_are_zeros():
    assert all(nothing(length) == bytes(length) for length in range(88))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12))
def test_new_rows_of_a_ledger_stand_in_the_order_of_their_records(rows):
    ids = [f"cc/a/{number}" for number in sorted(number for number, new in rows if not new)]
    old = len(ids)
    ids += [f"cc/a/{number}.{at}" for at, (number, new) in enumerate(rows, 1) if new]
    order = in_order(ids, old)
    numbers = [int(ids[row].split("/")[2].split(".")[0]) for row in order]
    assert numbers == sorted(numbers) and [row for row in order if row < old] == list(range(old))


def test_new_rows_come_last_where_ids_tell_no_order():
    assert in_order(["b", "a", "d", "c"], 2) == [0, 1, 3, 2]
    assert in_order(["s/f/9", "s/f/3", "s/f/5"], 2) == [0, 1, 2]
