"""A mixture against a plain-Python twin: every token where it says, as often as asked, in the same bytes."""

import shutil
from collections import Counter, defaultdict
from pathlib import Path

import corpus
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixture import Document, make, twin

from pipeline.errors import InputError, RecipeError
from pipeline.executors import Executor, Processes
from pipeline.schema import DOCUMENT
from pipeline.shards import ShardWriter
from stages.mix import Mix, mixture_table


def schema(width: pa.DataType, tokenizer: str) -> pa.Schema:
    tokens = pa.field("tokens", pa.list_(width), metadata={"tokenizer": tokenizer, "end_of_text": "0"})
    plain = [field for field in DOCUMENT if field.name != "text"]
    return pa.schema([*plain, tokens, ("token_count", pa.int32())])


def write(folder: Path, shards: dict[str, list[Document]], width: str = "uint16", tokenizer="toy") -> None:
    made = {}
    for name, documents in shards.items():
        rows = [vars(document) | {"token_count": len(document.tokens)} for document in documents]
        made[name] = corpus.documents(rows, schema(pa.type_for_alias(width), tokenizer))
    corpus.write(folder, made)


def mix(folder: Path, fields: str, out: str = "out", executor: Executor | None = None) -> Path:
    steps = f"""
    seed = 5
    [steps.tokens]
    stage = "given_tokens"
    files = "in"
    [steps.mixture]
    stage = "mix"
    documents = "tokens"
    {fields}
    """
    return corpus.run(folder, steps, out, executor)


def read(out: Path) -> dict[str, list[dict]]:
    made = corpus.dataset(out, "mixture")
    return {name: pq.read_table(path).to_pylist() for name, path in made.shards.items()}


LENGTHS = st.lists(st.integers(0, 90), min_size=1, max_size=8).filter(any)
CASES = st.fixed_dictionaries(
    {
        "train": st.fixed_dictionaries({"a": LENGTHS, "b": LENGTHS, "ü/中": LENGTHS}),
        "val": st.dictionaries(st.sampled_from(["a", "c"]), LENGTHS),
        "asked": st.sampled_from(
            [
                "weights = { a = 60, b = 22, 'ü/中' = 19 }",
                "weights = { a = 1, b = 0, 'ü/中' = 0.5 }\ntotal_tokens = 90",
                "epochs = { a = 1, b = 2.5, 'ü/中' = 0.44 }",
                "tokens = { a = 100, b = 30, 'ü/中' = 7 }",
            ]
        ),
        "sequence": st.integers(3, 7),
        "shard_sequences": st.integers(40, 200),
        "files": st.integers(1, 3),
    }
)


@given(CASES)
@settings(max_examples=25, deadline=None)
def test_shards_equal_the_twins(tmp_path_factory, case):
    folder = tmp_path_factory.mktemp("mix")
    documents = make(case["train"], case["val"])
    write(folder, {f"f{n}": documents[n :: case["files"]] for n in range(case["files"])})
    fields = case["asked"] + "".join(f"\n{name} = {case[name]}" for name in ("sequence", "shard_sequences"))
    stage = parsed(fields)
    try:
        wanted = twin(documents, stage)
    except RecipeError as error:  # too little of a source: the run says the same
        with pytest.raises(RecipeError) as caught:
            mix(folder, fields)
        assert str(caught.value) == str(error)
    else:
        assert read(mix(folder, fields)) == wanted
    finally:
        shutil.rmtree(folder)


def parsed(fields: str) -> Mix:
    import tomllib

    return Mix(**tomllib.loads(fields), seed=5)


ASKED = """
weights = { cc = 60, books = 25, wiki = 16 }
sequence = 16
shard_sequences = 60
"""


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    draw = np.random.default_rng(1)
    sizes = {"cc": (150, 60), "books": (3, 1200), "wiki": (30, 40)}
    lengths = {source: draw.integers(0, size, n).tolist() for source, (n, size) in sizes.items()}
    lengths["books"][0] = 2000  # some runs
    return make(lengths, {"cc": [40, 3, 77], "web": [50]})


@pytest.fixture(scope="module")
def mixture(documents, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mixture")
    write(folder, {"x": documents[:100], "y": documents[100:]})
    return mix(folder, ASKED)


def train(out: Path) -> list[dict]:
    return [row for name, rows in read(out).items() if name.startswith("train") for row in rows]


def test_every_position_names_its_document(documents, mixture):
    tokens = {document.id: document.tokens for document in documents}
    for rows in read(mixture).values():
        for row in rows:
            assert [segment["start"] for segment in row["documents"]] == [
                0,
                *(segment["end"] for segment in row["documents"][:-1]),
            ]
            assert row["documents"][-1]["end"] == len(row["tokens"]) == 17
            for segment in row["documents"]:
                length = segment["end"] - segment["start"]
                part = tokens[segment["id"]][segment["offset"] : segment["offset"] + length]
                assert row["tokens"][segment["start"] : segment["end"]] == part
                assert segment["id"].startswith(f"{row['source']}/")


def test_weights_are_right_to_one_sequence_and_the_table_says_so(mixture):
    rows = Counter(row["source"] for row in train(mixture))
    for source, weight in {"cc": 60, "books": 25, "wiki": 16}.items():
        assert abs(rows[source] - sum(rows.values()) * weight / 101) < 1
    table = mixture_table(corpus.dataset(mixture, "mixture"))
    assert {line["source"]: line["sequences"] for line in table if line["split"] == "train"} == rows
    assert Mix(weights={"a": 1}).summary(corpus.dataset(mixture, "mixture")) == {"mixture": table}


def test_tokens_are_seen_as_often_as_asked(documents, tmp_path):
    write(tmp_path, {"x": documents})
    out = mix(tmp_path, "epochs = { cc = 1, books = 2, wiki = 2.5 }\nsequence = 16\nshard_sequences = 60")
    inputs = Counter(token for row in train(out) for token in row["tokens"][:-1])
    lines = {(line["split"], line["source"]): line for line in mixture_table(corpus.dataset(out, "mixture"))}
    for source, allowed in {"cc": {0, 1}, "books": {1, 2}, "wiki": {2, 3}}.items():
        own = [t for d in documents if (d.split, d.source) == ("train", source) for t in d.tokens]
        assert {inputs[token] for token in own} <= allowed
        drawn = sum(inputs[token] for token in own)
        line = lines["train", source]
        assert drawn == line["tokens_drawn"] == line["sequences"] * 16
        times = {"cc": 1, "books": 2, "wiki": 2.5}[source]
        assert line["tokens_dropped"] == int(times * len(own)) - drawn <= 16
        assert line["tokens_available"] == len(own) and line["epochs"] == drawn / len(own)


def test_nothing_is_seen_again_before_its_epoch_ends(documents, tmp_path):
    write(tmp_path, {"x": documents})
    out = mix(tmp_path, "epochs = { cc = 3, books = 0, wiki = 0 }\nsequence = 8\nshard_sequences = 50")
    shards = [rows for name, rows in read(out).items() if name.startswith("train")]
    own = sum(len(d.tokens) for d in documents if (d.split, d.source) == ("train", "cc"))
    sizes = [len(rows) for rows in shards]
    assert len(sizes) > 10 and max(sizes) <= 50 and max(sizes) - min(sizes) <= 1
    seen: Counter = Counter()
    for rows in shards:
        seen.update(token for row in rows for token in row["tokens"][:-1])
        before = seen.total() // own  # epochs that are over, or end in this shard
        assert max(seen.values()) <= before + 1


def test_neighbours_of_a_stream_share_one_token(documents, tmp_path):
    write(tmp_path, {"x": documents})
    out = mix(tmp_path, "epochs = { cc = 1, books = 1, wiki = 1 }\nsequence = 16\nshard_sequences = 60")
    rows = train(out)
    begins = {row["tokens"][0]: row for row in rows}  # all tokens of these documents differ
    followed = Counter(row["source"] for row in rows if row["tokens"][-1] in begins)
    counts = Counter(row["source"] for row in rows)
    assert followed == {source: count - 1 for source, count in counts.items()}  # all but the last
    for row in rows:
        if next_one := begins.get(row["tokens"][-1]):
            assert next_one["source"] == row["source"]


def test_validation_is_apart_and_each_document_once(documents, mixture):
    held = {split: {d.id for d in documents if d.split == split} for split in ("train", "val")}
    shards = read(mixture)
    assert list(shards) == sorted(shards) and set(shards) >= {"train-00000", "train-00001", "val-00000"}
    for name, rows in shards.items():
        split = name.split("-")[0]
        assert {segment["id"] for row in rows for segment in row["documents"]} <= held[split]
    seen = Counter(token for row in shards["val-00000"] for token in row["tokens"][:-1])
    assert set(seen.values()) == {1}
    assert Counter(row["source"] for row in shards["val-00000"]) == {"cc": 7, "web": 3}


def test_sources_are_interleaved_in_every_shard(mixture):
    for name, rows in read(mixture).items():
        if name.startswith("train"):
            sources = [row["source"] for row in rows]
            assert set(sources) == {"cc", "books", "wiki"} and sources != sorted(sources)


def contents(out: Path) -> dict[str, bytes]:
    made = sorted([*(out / "mixture/shards").iterdir(), out / "mixture/table.json"])
    return {path.name: path.read_bytes() for path in made}


def test_same_bytes_for_any_shards_order_and_workers(documents, mixture, tmp_path):
    wanted = contents(mixture)
    mixed = np.random.default_rng(2).permutation(len(documents)).tolist()
    write(tmp_path, {f"f{n}": [documents[at] for at in mixed[n::5]] for n in range(5)})
    assert contents(mix(tmp_path, ASKED)) == wanted
    assert contents(mix(tmp_path, ASKED, "two", Processes(2))) == wanted


def test_same_bytes_for_any_batch_size(documents, tmp_path):
    write(tmp_path, {"x": documents})
    wanted = contents(mix(tmp_path, ASKED))
    out = mix(tmp_path, ASKED, "small")
    for part in (
        "tasks/shards",
        "tasks/units",
        "tasks/merged",
        "tasks/places",
        "tasks/counts",
        "tasks/table",
    ):
        shutil.rmtree(out / "mixture" / part)
    (out / "mixture/manifest.json").unlink()
    table = pq.read_table(out / "tokens/shards/given-x.parquet")
    writer = ShardWriter(str(out / "tokens/shards/given-x.parquet"), table.schema, group_rows=7)
    writer.write(table)
    writer.close()
    Path(writer.partial).rename(writer.path)
    assert contents(mix(tmp_path, ASKED, "small")) == wanted


STEPS = """
[steps.docs]
stage = "given"
files = "in"
[steps.tokens]
stage = "encode"
documents = "docs"
[steps.mixture]
stage = "mix"
documents = "tokens"
weights = { zh = 40, ar = 30, th = 31 }
sequence = 64
"""
SAID = {
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "ar": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق، وقد وهبوا عقلًا وضميرًا.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม",
}


def test_rows_decode_to_the_texts_of_all_scripts(tmp_path):
    texts = {f"{s}/x/{n}": f"{n}. {said}" * (n % 7 + 1) for s, said in SAID.items() for n in range(40)}
    rows = [{"id": name, "source": name[:2], "text": text} for name, text in texts.items()]
    corpus.write(tmp_path, {"x": corpus.documents(rows)})
    out = corpus.run(tmp_path, STEPS)
    decoder = corpus.tiktoken_gpt2()
    seen: dict[str, dict[int, int]] = defaultdict(dict)
    for row in train(out):
        for segment in row["documents"]:
            for position in range(segment["start"], segment["end"]):
                place = segment["offset"] + position - segment["start"]
                seen[segment["id"]][place] = row["tokens"][position]
    assert len(seen) > 100
    whole = 0
    for name, places in seen.items():
        tokens = [places[place] for place in sorted(places)]
        if corpus.END in tokens and sorted(places) == list(range(len(places))):
            assert tokens[-1] == corpus.END and decoder.decode(tokens[:-1]) == texts[name]
            whole += 1
    assert whole > 90


def test_the_files_are_for_trainers(documents, tmp_path):
    write(tmp_path, {"x": [Document("a/x/0", "a", "train", list(range(70_000, 75_000)))]}, "uint32")
    out = mix(tmp_path, "epochs = { a = 1 }\nsequence = 2")
    file = pq.ParquetFile(out / "mixture/shards/train-00000.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [1024, 1024, 451]
    column = file.schema_arrow.field("tokens")
    assert column.type == pa.list_(pa.uint32(), 3)
    assert column.metadata[b"tokenizer"] == b"toy" and column.metadata[b"end_of_text"] == b"0"
    assert file.schema_arrow.names == ["tokens", "source", "documents"]


def test_one_mixture_has_one_tokenizer(tmp_path):
    steps = "".join(
        f'[steps.{name}]\nstage = "given_tokens"\nfiles = "{name}/in"\nsource = "{name}"\n' for name in "ab"
    )
    steps += '[steps.mixture]\nstage = "mix"\ndocuments = ["a", "b"]\nsequence = 2\nepochs = { s = 1 }'
    for name in "ab":
        write(tmp_path / name, {"x": [Document(f"s/{name}/0", "s", "train", [1, 2, 3, 4])]}, tokenizer=name)
    with pytest.raises(RecipeError, match=r"'mixture' mixes .*/a with a and .*/b with b; encode all"):
        corpus.run(tmp_path, steps)
    write(tmp_path / "b", {"x": [Document("s/b/0", "s", "train", [1, 2, 3, 4])]}, tokenizer="a")
    assert len(train(corpus.run(tmp_path, steps, "other"))) == 3


def test_nothing_to_train_on_is_said(tmp_path):
    write(tmp_path, {"x": [Document("a/x/0", "a", "val", [1, 2, 3]), Document("a/x/1", "a", "train", [])]})
    with pytest.raises(InputError, match=r"step 'mixture': no document has training tokens"):
        mix(tmp_path, "epochs = { a = 1 }")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give one of weights, epochs, tokens, not none"),
        ({"weights": {"a": 1}, "epochs": {"a": 1}}, "not weights and epochs"),
        ({"weights": {"a": -1}}, "weights: a = -1 must be 0 or more"),
        ({"weights": {"a": float("nan")}}, "weights: a = nan must"),
        ({"epochs": {"a": 0}}, "epochs leave every source out"),
        ({"epochs": {"a": 1}, "total_tokens": 5}, "total_tokens goes with weights"),
        ({"epochs": {"a": 1}, "sequence": 0}, "sequence = 0 must be more than 0"),
        ({"weights": {"a": 1}, "max_epochs": -1.0}, "max_epochs = -1.0 must be more than 0"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Mix(**fields)
