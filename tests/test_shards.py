"""A shard's bytes depend on its rows alone; a shard that is damaged is named."""

from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import shards
from pipeline.errors import StorageError
from pipeline.shards import ShardWriter, read_batches, read_rows

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("score", pa.float64()),
        ("tokens", pa.list_(pa.uint16())),
        ("pieces", pa.list_(pa.struct([("start", pa.int32()), ("name", pa.string())]))),
        ("row", pa.list_(pa.int64(), 2)),
        ("blob", pa.large_binary()),
    ]
)
WORDS = st.text("aé漢🙂", max_size=3)
ROW = st.fixed_dictionaries(
    {
        "id": WORDS,
        "text": st.none() | WORDS | st.integers(40, 60).map("x".__mul__),  # the longest are beyond the limit
        "score": st.none() | st.floats(0, 1),
        "tokens": st.none() | st.lists(st.integers(0, 9), max_size=5),
        "pieces": st.none() | st.lists(st.fixed_dictionaries({"start": st.none() | st.just(7)}), max_size=3),
        "row": st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3)),
        "blob": st.none() | st.binary(max_size=3),
    }
)
LIMIT = 50  # bytes of a group
ROWS = 7  # of a group


@pytest.fixture(scope="module", autouse=True)
def small_groups():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "GROUP_BYTES", LIMIT)
        yield


def written(folder, batches):
    writer = ShardWriter(f"{folder}/a.parquet", SCHEMA, ROWS)
    for batch in batches:
        writer.write(batch)
    writer.close()
    with open(writer.partial, "rb") as file:
        data = file.read()
    writer.abandon()
    return data


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, max_size=30), st.data())
def test_same_rows_in_other_batches_give_the_same_bytes(tmp_path_factory, rows, data):
    folder = tmp_path_factory.getbasetemp()
    table = pa.Table.from_pylist(rows, SCHEMA)
    places = st.lists(st.integers(0, len(rows)), max_size=8).map(sorted)
    cuts = [0, *data.draw(places), len(rows)]
    slices = [table.slice(start, end - start) for start, end in pairwise(cuts)]
    copies = [pa.Table.from_pylist(batch.to_pylist(), SCHEMA) for batch in slices]
    columns = data.draw(st.permutations(SCHEMA.names))
    chunked = pa.concat_tables(slices).select(columns)
    masked = pa.concat_tables([table, table]).take(pa.array(range(len(rows)), pa.int64()))
    once = written(folder, [table])
    for batches in (slices, copies, [chunked], [masked], table.to_batches(max_chunksize=1)):
        got = [batch if isinstance(batch, pa.Table) else pa.table(batch) for batch in batches]
        assert written(folder, got) == once


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, max_size=30))
def test_groups_are_full_and_never_too_big(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "groups.parquet"
    path.write_bytes(written(path.parent, [pa.Table.from_pylist(rows, SCHEMA)]))
    groups = [table.to_pylist() for table in read_batches(str(path))]
    assert [row for group in groups for row in group] == pa.Table.from_pylist(rows, SCHEMA).to_pylist()
    for group, following in pairwise([*groups, None]):
        weights = [weight(row) for row in group]
        assert 1 <= len(group) <= ROWS and (sum(weights) <= LIMIT or len(group) == 1)
        if following:  # it did not fit
            assert len(group) == ROWS or sum(weights) + weight(following[0]) > LIMIT


def weight(row):
    """Bytes of strings, and four for each element of a list."""
    texts = [row["id"], row["text"] or ""]
    lists = [row["tokens"] or [], row["pieces"] or []]
    return sum(len(t.encode()) for t in texts) + len(row["blob"] or b"") + 4 * sum(map(len, lists))


@pytest.fixture
def shard(tmp_path):
    table = pa.table({"id": [f"id {n}" for n in range(5000)], "n": range(5000)})
    writer = ShardWriter(str(tmp_path / "a.parquet"), table.schema)
    writer.write(table)
    writer.close()
    shards.storage.commit(writer.partial, writer.path)
    return tmp_path / "a.parquet"


def test_damage_is_named(shard):
    whole = shard.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for damaged in (bytes(flipped), whole[:-100], b"", b"PAR1"):
        shard.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"cannot read the shard .*a.parquet.*--redo"):
            list(read_batches(str(shard)))
    shard.unlink()
    with pytest.raises(StorageError, match=r"cannot read the shard .*a.parquet.*--redo"):
        list(read_batches(str(shard)))


def test_rows_are_found_by_position(shard, tmp_path):
    pq.write_table(pq.read_table(shard), tmp_path / "b.parquet", row_group_size=700)
    positions = pa.array([0, 699, 700, 4999]).to_numpy()
    assert read_rows(str(tmp_path / "b.parquet"), positions, ["n"])["n"].to_pylist() == positions.tolist()
    assert read_rows(str(tmp_path / "b.parquet"), positions[:0], ["n"]).num_rows == 0


def test_columns_that_a_shard_lacks_are_null(shard):
    schema = pa.schema([("n", pa.int64()), ("other", pa.string()), ("id", pa.string())])
    table = pa.concat_tables(read_batches(str(shard), ["other"], schema))
    assert table.num_rows == 5000 and table["other"].null_count == 5000
    assert next(read_batches(str(shard), None, schema)).schema == schema
