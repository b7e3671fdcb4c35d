"""A vocabulary opens in `tokenizers`, gives every text back, and is the same bytes however it was made."""

import json
from collections import Counter

import corpus
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES
from test_encode import TEXTS

from pipeline.errors import InputError, RecipeError
from pipeline.executors import Processes
from pipeline.recipe import parse
from stages.tokenizer import Encoder, from_file
from stages.train_tokenizer import TrainTokenizer
from stages.vocabulary import count_pieces, make, tokenizer_json

corpus.STAGES["train_tokenizer"] = TrainTokenizer
KINDS = ["byte_pairs", "characters"]
STEPS = """
seed = 3
[steps.docs]
stage = "given"
files = "in"
batch = BATCH
[steps.vocabulary]
stage = "train_tokenizer"
documents = "docs"
kind = "KIND"
vocabulary = 700
MORE
[steps.tokens]
stage = "encode"
documents = "docs"
tokenizer = "vocabulary"
[steps.mixture]
stage = "mix"
documents = "tokens"
weights = { a = 1 }
sequence = 16
"""


def rows() -> list[dict[str, object]]:
    """Some hundred documents in eight scripts; each of some words is in one document alone."""
    sentences = list(SENTENCES.items())
    return [
        {
            "id": f"a/{n}",
            "source": "a",
            "split": "val" if n % 10 == 9 else "train",
            "text": f"{sentences[n % 8][1]}\n{sentences[n // 8 % 8][1]} {n} {chr(0x3400 + n)}\n<|endoftext|>",
        }
        for n in range(300)
    ]


def run(folder, kind, out="out", batch=100, more="", executor=None):
    steps = STEPS.replace("BATCH", str(batch)).replace("KIND", kind).replace("MORE", more)
    return corpus.run(folder, steps, out, executor)


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    """(kind, folder of the inputs, folder of the run)."""
    folder = tmp_path_factory.mktemp(request.param)
    table = corpus.documents(rows())
    corpus.write(folder, {"x": table.slice(0, 110), "y": table.slice(110, 90), "z": table.slice(200)})
    return request.param, folder, run(folder, request.param)


def everything(out):
    """All that a user reads; records and identities name the size of a batch, which is a field here."""
    paths = [*out.glob("*/shards/*.parquet"), *out.glob("*/tokenizer.json"), *out.glob("*/card.*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(paths)}


def test_the_same_bytes_from_other_batches_and_workers(made):
    kind, folder, out = made
    executor = Processes(2) if kind == "byte_pairs" else None  # two processes take seconds to start
    other = everything(run(folder, kind, "other", 7, executor=executor))
    assert other == everything(out) and len(other) == 12


def test_the_same_vocabulary_from_other_shards(made, tmp_path):
    kind, _, out = made
    corpus.write(tmp_path, {"all": corpus.documents(reversed(rows()))})
    other = run(tmp_path, kind)
    for name in ("tokenizer.json", "card.md", "shards/tokens.parquet"):
        assert (other / "vocabulary" / name).read_bytes() == (out / "vocabulary" / name).read_bytes(), name


def test_tokenizers_opens_it_and_finds_the_same_ids(made):
    _, _, out = made
    theirs = tokenizers.Tokenizer.from_file(str(out / "vocabulary/tokenizer.json"))
    table = corpus.dataset(out, "tokens").read(["id", "tokens"])
    texts = {row["id"]: row["text"] for row in rows()}
    end = theirs.token_to_id("<|endoftext|>")
    assert end == 256
    for row in table.to_pylist():
        text = texts[row["id"]]
        assert theirs.decode(row["tokens"][:-1], skip_special_tokens=False) == text
        assert row["tokens"].count(end) == 1 and row["tokens"][-1] == end
        part = text.removesuffix("<|endoftext|>")  # to them it is the special token
        ids = theirs.encode(part).ids
        assert row["tokens"][: len(ids) - 1] == ids[:-1]


def test_tokens_say_which_tokenizer_made_them_and_reach_the_mixture(made):
    _, _, out = made
    field = corpus.dataset(out, "tokens").schema.field("tokens")
    size = corpus.dataset(out, "vocabulary").read(["id"]).num_rows
    assert field.type == pa.list_(pa.uint16())
    assert field.metadata[b"vocabulary"] == str(size).encode() and field.metadata[b"end_of_text"] == b"256"
    mixture = corpus.dataset(out, "mixture")
    assert {name.split("-")[0] for name in mixture.shards} == {"train", "val"}
    assert mixture.schema.field("tokens").metadata[b"vocabulary"] == str(size).encode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back(made, text):
    _, _, out = made
    path = str(out / "vocabulary/tokenizer.json")
    ids, _ = Encoder(from_file(path)).encode([text])
    theirs = tokenizers.Tokenizer.from_file(path)
    assert theirs.decode(ids.tolist(), skip_special_tokens=False) == text


def test_hard_texts_come_back(made):
    _, _, out = made
    path = str(out / "vocabulary/tokenizer.json")
    encoder, theirs = Encoder(from_file(path)), tokenizers.Tokenizer.from_file(path)
    for text in TEXTS:
        ids = encoder.encode([text])[0].tolist()
        assert theirs.decode(ids, skip_special_tokens=False) == text and 256 not in ids


def test_characters_are_those_that_occur_often_enough():
    texts = ["中文中文 aé", "中\n🙂🙂🙂é", "x"]
    table = count_pieces("characters", texts)
    assert dict(zip(*table.to_pydict().values(), strict=True)) == Counter("".join(texts))
    found = make("characters", table, 1000, 2, 16)
    assert [word.decode() for word in found.spellings[257:]] == ["中", "🙂", "é", "文"]
    assert found.counts[257:] == [3, 3, 2, 2] and not found.merges
    assert make("characters", table, 259, 1, 16).spellings == found.spellings[:259]


def test_a_smaller_vocabulary_begins_a_larger_one():
    texts = [str(row["text"]) for row in rows()]
    for kind in KINDS:
        pieces = count_pieces(kind, texts)
        large, small = (make(kind, pieces, size, 2, 16) for size in (600, 400))
        assert len(small.spellings) == 400 and small.spellings == large.spellings[:400]
        assert len(set(large.spellings)) == len(large.spellings)
        assert json.loads(tokenizer_json(kind, small))["model"]["vocab"]["a"] == 97


def test_pieces_hold_all_of_a_text():
    for text in TEXTS:
        pieces = count_pieces("byte_pairs", [text]).to_pylist()
        assert sum(len(row["piece"]) * row["count"] for row in pieces) == len(text)
    words = count_pieces("byte_pairs", ["हिन्दी don’t 12345 คำ"])["piece"].to_pylist()
    assert sorted(words) == sorted(["हिन्दी", " don", "’t", " 123", "45", " คำ"])


def test_the_card_counts_what_it_says(made):
    kind, _, out = made
    card = json.loads((out / "vocabulary/card.json").read_bytes())
    held_out = [str(row["text"]) for row in rows() if row["split"] == "val"]
    total = card["languages"][-1]
    assert total["language"] == "all" and total["documents"] == len(held_out)
    assert total["characters"] == sum(map(len, held_out))
    table = corpus.dataset(out, "tokens").read(["split", "token_count"]).to_pandas()
    counts = table[table.split == "val"].token_count
    assert total["tokens"] == counts.sum() - len(counts)  # without end-of-text
    gpt2 = corpus.tiktoken_gpt2()
    wanted = sum(len(gpt2.encode_ordinary(text)) for text in held_out) / total["characters"]
    assert abs(total["by GPT-2"] - wanted) < 1e-4
    assert {row["language"] for row in card["languages"]} >= {"zh", "th", "ar"}
    spellings = corpus.dataset(out, "vocabulary").read()["text"].to_pylist()
    if kind == "characters":
        outside = sum(character not in spellings for text in held_out for character in text)
        assert outside and total["characters in one token"] == round(1 - outside / total["characters"], 6)
        assert card["characters"] == len(spellings) - 129  # bytes that are no character, and end-of-text
    assert "| zh |" in (out / "vocabulary/card.md").read_text()


def test_it_learns_from_a_sample_of_the_size_that_was_asked_for(made):
    kind, folder, _ = made
    size = sum(len(str(row["text"]).encode()) for row in rows() if row["split"] == "train")
    some = run(folder, kind, f"some-{kind}", more=f"sample = {size // 3}\nheld_out = 2000")
    card = json.loads((some / "vocabulary/card.json").read_bytes())
    assert abs(card["share_sampled"] - 1 / 3) < 0.01
    assert 0 < card["languages"][-1]["documents"] < 30
    counted = pa.concat_tables(_counts(some))
    bytes_counted = sum(len(row["piece"].encode()) * row["count"] for row in counted.to_pylist())
    assert 0.2 < bytes_counted / size < 0.5


def _counts(out):
    from pipeline.shards import read_batches

    for path in sorted((out / "vocabulary/counts").glob("*.parquet")):
        yield from read_batches(str(path))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="vocabulary = 256 must be above 256"):
        TrainTokenizer(vocabulary=256)
    with pytest.raises(ValueError, match="longest = 2 must be at least 3, for an ideograph"):
        TrainTokenizer(longest=2)
    with pytest.raises(ValueError, match="least = 0 must be at least 1"):
        TrainTokenizer(least=0)
    text = (
        '[steps.docs]\nstage = "given"\nfiles = "in"\n[steps.tokens]\nstage = "encode"\ndocuments = "docs"\n'
    )
    with pytest.raises(RecipeError, match=r"reads 'vocabulari', which is no step"):
        parse(f'{text}tokenizer = "vocabulari"'.encode(), "x", str(tmp_path), corpus.STAGES)
    with pytest.raises(
        RecipeError, match=r"tokenizer = 'docs': stage 'given' makes documents, not tokenizer"
    ):
        parse(f'{text}tokenizer = "docs"'.encode(), "x", str(tmp_path), corpus.STAGES)
    recipe = parse(f'{text}tokenizer = "my.json"'.encode(), "x", str(tmp_path), corpus.STAGES)
    assert recipe.steps["tokens"].stage.tokenizer == (str(tmp_path / "my.json"),)
    held_out = [{"id": "a/1", "source": "a", "split": "val", "text": "held out"}]
    corpus.write(tmp_path, {"x": corpus.documents(held_out)})
    with pytest.raises(
        InputError, match=r"\[steps.vocabulary\] documents: no text to learn from in 1 shards"
    ):
        run(tmp_path, "characters")


def test_ids_above_65535_take_four_bytes(tmp_path):
    characters = "".join(map(chr, range(0x20000, 0x20000 + 65_536)))
    found = make("characters", count_pieces("characters", [characters]), 65_537, 1, 16)
    for size, width in ((65_536, pa.uint16()), (65_537, pa.uint32())):
        path = tmp_path / f"{size}.json"
        path.write_bytes(tokenizer_json("characters", found._replace(spellings=found.spellings[:size])))
        tokenizer = from_file(str(path))
        assert (tokenizer.size, tokenizer.type) == (size, width)
    assert Encoder(tokenizer).encode([found.spellings[-1].decode()])[0].tolist() == [65_536]
