"""Datasets of several folders: order, columns that only some have, and what cannot be one dataset."""

import pyarrow as pa
import pytest
import toy

from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A run with `half`, which flows on, `loud` with the column `draw` and `other` without."""
    folder = tmp_path_factory.mktemp("dataset")
    toy.write_inputs(folder, "abc")
    return toy.run(folder, toy.RECIPE.replace("MATERIALIZE", "false"))


def test_shards_come_in_the_order_of_the_folders(out):
    both = Dataset(f"{out}/other", f"{out}/loud")
    assert list(both.shards) == ["other-a", "toy-a", "toy-b", "toy-c"]
    assert list(Dataset(*reversed(both.folders)).shards) == ["toy-a", "toy-b", "toy-c", "other-a"]
    assert both.rows == {name: sum(t.num_rows for t in both.batches(name)) for name in both.shards}


def test_a_column_that_only_one_folder_has_is_null_in_the_other(out):
    both = Dataset(f"{out}/other", f"{out}/loud")
    table = both.read()
    assert table.schema == both.schema and table.schema.names == [
        *Dataset(f"{out}/other").schema.names,
        "draw",
    ]
    assert table["draw"].null_count == Dataset(f"{out}/other").read().num_rows
    for columns in (["draw"], ["draw", "id"], ["id"]):
        assert both.read(columns).equals(table.select(columns))
    assert {batch.schema for batch in both.batches(columns=["draw"])} == {pa.schema([("draw", pa.float64())])}
    assert both.to_pandas().shape == both.to_polars().shape == table.shape


def test_ledgers_of_different_columns_make_one(out):
    both = Dataset(f"{out}/few", f"{out}/lines")
    ledger = both.rejected()
    assert set(ledger["reason"].to_pylist()) == {"draw", "empty"}
    assert ledger.num_rows == sum(Dataset(folder).rejected().num_rows for folder in both.folders)


def test_the_same_documents_twice_are_refused(out):
    with pytest.raises(RecipeError, match=r"two inputs have a shard 'toy-a'"):
        Dataset(f"{out}/lines", f"{out}/loud").read()


def test_a_column_of_two_types_is_refused(tmp_path):
    toy.write_inputs(tmp_path, "a")
    text = '[steps.lines]\nstage = "lines"\nfiles = "in/a.txt"\n'
    text += '[steps.sift]\nstage = "sift"\ndocuments = "lines"\ncolumn = "score"\n'
    more = text.replace("steps.", "steps.more_").replace('"in/a.txt"', '"in/a.txt"\nsource = "more"')
    out = toy.run(tmp_path, text + more.replace('"lines"\ncolumn', '"more_lines"\ncolumn'))
    for path in (out / "more_sift/shards").iterdir():
        table = pa.parquet.read_table(path)
        at = table.schema.get_field_index("score")
        pa.parquet.write_table(table.set_column(at, "score", table["score"].cast(pa.string())), path)
    with pytest.raises(RecipeError, match=r"column 'score' is double in one input, string in another"):
        Dataset(f"{out}/sift", f"{out}/more_sift").read()


def test_what_is_no_dataset_is_named(out):
    with pytest.raises(InputError, match=r"nowhere holds no finished step"):
        Dataset(f"{out}/nowhere").read()
    with pytest.raises(InputError, match=r"half holds no documents: its step says materialize = false"):
        Dataset(f"{out}/half").read()
    assert Dataset(f"{out}/half").rejected().num_rows
