"""What a row-wise stage may return, and what is said of one that breaks its word."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pytest
import toy

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError, SchemaError
from pipeline.schema import with_column
from pipeline.stage import MapStage


@dataclass(frozen=True)
class Odd(MapStage):
    """Breaks one promise, by its field."""

    how: str = ""
    loads: ClassVar[list[str]] = []

    def adds(self):
        return pa.schema([("n", pa.int32())])

    def load(self, step, inputs):
        self.loads.append(step)

    def process(self, documents, loaded):
        rows = documents.num_rows
        good = with_column(documents, "n", pa.array(range(rows), pa.int64()))  # cast to what it declares
        return {
            "": good,
            "less": documents,
            "more": with_column(good, "other", range(rows)),
            "fewer": good.slice(1),
            "turned": good.take(pa.array(range(rows)[::-1])),
            "words": with_column(good, "n", ["three"] * rows),
        }[self.how]


def run(folder, steps):
    toy.write_inputs(folder, "abc")
    text = '[steps.lines]\nstage = "lines"\nfiles = "in/*.txt"\n' + steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(toy.STAGES, "odd", Odd)
        return toy.run(folder, text)


STEP = '[steps.odd]\nstage = "odd"\ndocuments = "lines"\n'


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("less", "Odd.process returned no column 'n'"),
        ("more", "Odd.process returned a column 'other' that it does not declare"),
        ("fewer", "Odd.process moved, split or dropped rows"),
        ("turned", "Odd.process moved, split or dropped rows"),
        ("words", "Odd.process returned other types than it declares"),
    ],
)
def test_a_broken_promise_is_named(tmp_path, how, message):
    with pytest.raises(SchemaError, match=f"step 'odd': {message}"):
        run(tmp_path, f'{STEP}how = "{how}"\n')
    assert not list((tmp_path / "out/odd").glob("*/*.parquet"))


@pytest.mark.parametrize("materialize", ["true", "false"])
def test_columns_have_the_declared_types_also_where_rows_flow_on(tmp_path, materialize):
    more = f'materialize = {materialize}\n[steps.few]\nstage = "sift"\ndocuments = "odd"\n'
    out = run(tmp_path, STEP + more)
    assert Dataset(f"{out}/few").schema.field("n").type == pa.int32()
    assert Dataset(f"{out}/odd").rejected().num_rows == 0


def test_a_stage_loads_once_a_step(tmp_path):
    Odd.loads.clear()
    run(tmp_path, STEP + STEP.replace("steps.odd", "steps.other"))
    assert sorted(Odd.loads) == ["odd", "other"]


def test_a_column_that_is_there_already_is_refused(tmp_path):
    again = '[steps.again]\nstage = "odd"\ndocuments = "odd"\n'
    with pytest.raises(RecipeError, match=r"step 'again': the documents already have a column 'n'"):
        run(tmp_path, STEP + again)
