"""What deduplicate promises: evidence for each removal, precedence, no closure, the same bytes in any order.

The twin is the definition in plain Python: no shards, no partitions, no blocks.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from duplicates import Rows, Sources, Twin, grams, jaccard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import shuffle
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Executor, Inline, Processes
from pipeline.files import Files
from pipeline.output import Output
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT, aligned
from pipeline.stage import Job, Stage
from stages import candidates, deduplicate
from stages.deduplicate import Deduplicate


@dataclass(frozen=True)
class Given(Stage):
    """Documents as the test wrote them."""

    files: Files
    source: str
    inputs: ClassVar[Mapping[str, str]] = {}

    def run(self, job: Job) -> None:
        job.map("shards", self.read, job.files(self.files, self.source))

    def read(self, path: str, output: Output) -> None:
        rows = pa.Table.from_pylist(json.loads(Path(path).read_text()) or [{"id": ""}])
        output.documents(DOCUMENT).write(aligned(rows, DOCUMENT).filter(pa.compute.field("id") != ""))


STAGES = {"given": Given, "deduplicate": Deduplicate}


def write(folder: Path, sources: Sources) -> str:
    """Write the documents, with ids `<source>/<shard>/<row>`, and return the steps that read them."""
    recipe = ""
    for source, shards in sources.items():
        for number, rows in enumerate(shards):
            path = folder / source / f"{number:03d}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            named = [
                {"id": f"{source}/{number:03d}/{n}", "split": "train", **row} for n, row in enumerate(rows)
            ]
            path.write_text(json.dumps([{"source": source, **row} for row in named]))
        recipe += f'[steps.{source}]\nstage = "given"\nfiles = "{source}/*.json"\nsource = "{source}"\n'
    return recipe


def run(
    folder: Path, sources: Sources, out: str = "out", executor: Executor | None = None, **fields: Any
) -> Dataset:
    """Deduplicate the sources, in the order given."""
    recipe = write(folder, sources)
    recipe += f'[steps.unique]\nstage = "deduplicate"\ndocuments = {json.dumps(list(sources))}\n'
    recipe += "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    Run(parsed(recipe, folder), str(folder / out), executor or Inline(), say=lambda line: None).run()
    return Dataset(str(folder / out / "unique"))


def parsed(recipe: str, folder: Path) -> Any:
    return parse(recipe.encode(), "test", str(folder), STAGES)


def removed(dataset: Dataset) -> dict[str, tuple[str, float, str]]:
    """id -> (the one that stays, similarity, reason)."""
    if not (table := dataset.rejected()).num_rows:
        return {}
    columns = table.select(["id", "duplicate_of", "similarity", "reason"]).to_pylist()
    return {row["id"]: (row["duplicate_of"], row["similarity"], row["reason"]) for row in columns}


def kept(dataset: Dataset) -> dict[str, int]:
    """id -> how many go because of it."""
    table = dataset.read(["id", "duplicates", "duplicate_of"])
    assert table["duplicate_of"].null_count == table.num_rows
    return dict(zip(table["id"].to_pylist(), table["duplicates"].to_pylist(), strict=True))


def shards(folder: Path, out: str) -> dict[str, bytes]:
    """The bytes of what stays and of the ledger."""
    unique = folder / out / "unique"
    paths = [*unique.glob("shards/*.parquet"), *unique.glob("rejected/*.parquet")]
    return {str(path.relative_to(unique)): path.read_bytes() for path in paths}


@st.composite
def some_sources(draw: st.DrawFn) -> dict[str, list[Rows]]:
    """Few long texts and many edits of them, in one to three sources of one or two shards."""
    size = draw(st.integers(8, 40))
    alphabet = [[f"{base}{place}" for place in range(size)] for base in "ab"]

    def document() -> dict[str, Any]:
        text = list(draw(st.sampled_from(alphabet)))
        for place in draw(st.lists(st.integers(0, size - 1), max_size=3)):
            text[place] = draw(st.sampled_from(["", "x", "y z"]))
        text = text[: draw(st.sampled_from([size, size, size - 2, 3, 0]))]
        return {"text": " ".join(text), "split": draw(st.sampled_from(["train", "train", "val"]))}

    names = ["one", "two", "three"][: draw(st.integers(1, 3))]
    return {
        name: [[document() for _ in range(draw(st.integers(0, 8)))] for _ in range(draw(st.integers(1, 2)))]
        for name in names
    }


@settings(deadline=None, max_examples=25)
@given(
    some_sources(),
    st.sampled_from([(8, 1, 2, 0.5), (6, 3, 3, 0.6), (16, 1, 1, 0.8), (3, 5, 5, 0.9)]),
    st.booleans(),
)
def test_it_is_what_the_twin_says(tmp_path_factory, sources, numbers, near):
    bands, rows, shingle, threshold = numbers
    stage = Deduplicate(near, threshold, shingle, bands, rows, seed=7)
    dataset = run(tmp_path_factory.mktemp("run"), sources, **vars(stage))
    expected = Twin(sources, stage).removed()
    assert removed(dataset) == expected
    everything = [name for _, name, _, _ in Twin(sources, stage).order]
    names = [stays for stays, _, _ in expected.values()]
    assert kept(dataset) == {name: names.count(name) for name in everything if name not in expected}


def prose(seed: int, count: int = 120) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(10**6)}" for _ in range(count)]


def edited(text: list[str], count: int, seed: int) -> list[str]:
    """Replace `count` words one after another, so that count + 4 shingles change."""
    at = random.Random(seed).randrange(len(text) - count)
    return text[:at] + [f"e{seed}x{n}" for n in range(count)] + text[at + count :]


def test_no_closure_along_a_chain(tmp_path):
    base = prose(1, 260)
    texts = [" ".join(base[at : at + 200 - at // 10]) for at in range(0, 50, 10)]  # each a bit shorter
    sets = [grams(text, 5) for text in texts]
    for one, other in combinations(range(5), 2):
        assert (jaccard(sets[one], sets[other]) >= 0.85) == (other - one == 1)
    dataset = run(tmp_path, {"crawl": [[{"text": text} for text in texts]]}, threshold=0.85)
    assert kept(dataset) == {"crawl/000/0": 1, "crawl/000/2": 1, "crawl/000/4": 0}
    assert [removed(dataset)[f"crawl/000/{n}"][0] for n in (1, 3)] == ["crawl/000/0", "crawl/000/2"]


def test_the_most_similar_kept_one_is_named(tmp_path):
    base = prose(2, 200)
    near, far = edited(base, 1, 3), edited(edited(base, 4, 4), 4, 9)
    rows = [{"text": " ".join(text)} for text in ([*far, "and", "more"], [*near, "and"], base)]
    dataset = run(tmp_path, {"crawl": [rows]}, threshold=0.9, bands=40)
    assert (
        set(kept(dataset)) == {"crawl/000/0", "crawl/000/1"}
        and removed(dataset)["crawl/000/2"][0] == "crawl/000/1"
    )


def test_datasets_go_by_their_order_and_validation_before_all(tmp_path):
    text = prose(5)
    rows = [[{"text": " ".join(text)}], [{"text": " ".join([*text, "longer"])}]]
    assert set(kept(run(tmp_path / "a", {"books": rows[:1], "crawl": rows[1:]}))) == {"books/000/0"}
    assert set(kept(run(tmp_path / "b", {"crawl": rows[1:], "books": rows[:1]}))) == {"crawl/000/0"}
    val = [[{"text": " ".join(text[:-1]), "split": "val"}]]
    both = run(tmp_path / "c", {"books": rows[:1], "wiki": rows[1:], "crawl": val})
    assert kept(both) == {"crawl/000/0": 2}


def test_the_longer_text_stays_then_the_first_copy(tmp_path):
    text = prose(6)
    texts = [text, [*text, "end"], [*text, "End!"]]
    dataset = run(tmp_path, {"crawl": [[{"text": " ".join(each)} for each in texts]]})
    assert kept(dataset) == {"crawl/000/1": 2}
    assert removed(dataset)["crawl/000/2"] == ("crawl/000/1", 1.0, "duplicate:exact")


SCRIPTS = [
    "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨",
    "いろはにほへとちりぬるをわかよたれそつねならむうゐのおくやまけふこえて",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่ากว่าบรรดาฝูงสัตว์เดรัจฉานจงฝ่าฟันพัฒนาวิชาการ",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت يَحظى الضَجيعُ بِها نَجلاءَ مِعطارِ ثم قال له صاحبه",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले भगवान श्रीराम",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다 다람쥐 헌 쳇바퀴에 타고파 한다",
    "Съешь же ещё этих мягких французских булок да выпей чаю а потом ещё немного сначала",
    "The quick brown fox jumps over the lazy dog while five boxing wizards jump over it",
]


def test_all_scripts_are_deduplicated_alike(tmp_path):
    rows = [{"text": text} for text in SCRIPTS]
    copies = [{"text": f"«{text}»\n"} for text in SCRIPTS]
    near = [{"text": f"{text} 的 x"} for text in SCRIPTS]
    dataset = run(tmp_path, {"crawl": [rows, copies, near]}, threshold=0.7)
    assert kept(dataset) == {f"crawl/002/{n}": 2 for n in range(len(SCRIPTS))}
    assert {reason for _, _, reason in removed(dataset).values()} == {"duplicate:near"}
    exact = removed(run(tmp_path, {"crawl": [rows, copies, near]}, out="exact", near=False))
    assert exact == {
        f"crawl/001/{n}": (f"crawl/000/{n}", 1.0, "duplicate:exact") for n in range(len(SCRIPTS))
    }


def test_short_texts_go_only_as_copies_and_wordless_ones_by_their_bytes(tmp_path):
    texts = [
        "one two three four",
        "one two three four!",
        "one two three five",
        "!!!",
        "!!!",
        "???",
        "",
        "",
        "字",
    ]
    dataset = run(tmp_path, {"crawl": [[{"text": text} for text in texts]]}, threshold=0.1)
    assert removed(dataset) == {
        "crawl/000/1": ("crawl/000/0", 1.0, "duplicate:exact"),
        "crawl/000/4": ("crawl/000/3", 1.0, "duplicate:exact"),
        "crawl/000/7": ("crawl/000/6", 1.0, "duplicate:exact"),
    }


def corpus(groups: int, seed: int) -> list[list[str]]:
    """Of each group a text and two edits of up to an eighth of it, shuffled."""
    chance = random.Random(seed)
    texts = []
    for group in range(groups):
        text = prose(1000 * seed + group, chance.randrange(60, 300))
        texts += [
            text,
            *(edited(text, chance.randrange(1, len(text) // 8), chance.randrange(10**6)) for _ in "ab"),
        ]
    chance.shuffle(texts)
    return texts


def test_similar_pairs_lose_one_side_and_nothing_else_goes(tmp_path):
    texts = [" ".join(text) for text in corpus(120, seed=3)]
    dataset = run(tmp_path, {"crawl": [[{"text": text} for text in texts[n::4]] for n in range(4)]})
    sets = {f"crawl/{n % 4:03d}/{n // 4}": grams(text, 5) for n, text in enumerate(texts)}
    gone, stays = removed(dataset), kept(dataset)
    for name, (other, similarity, _) in gone.items():
        assert other in stays and jaccard(sets[name], sets[other]) >= 0.8
        assert abs(similarity - jaccard(sets[name], sets[other])) < 0.15
    planted = [pair for pair in combinations(sets, 2) if jaccard(sets[pair[0]], sets[pair[1]]) >= 0.8]
    found = [pair for pair in planted if pair[0] in gone or pair[1] in gone]
    assert len(planted) > 100 and len(found) >= 0.99 * len(planted)


def test_the_same_bytes_for_other_partitions_workers_and_orders(tmp_path, monkeypatch):
    texts = [" ".join(text) for text in corpus(15, seed=5)]
    texts += texts[::3]
    rows = [[{"text": text} for text in texts[n::5]] for n in range(5)]
    sources = {"books": rows[:2], "crawl": [*rows[2:], []]}
    run(tmp_path, sources)
    expected = shards(tmp_path, "out")
    assert len(expected) == 12
    run(tmp_path, sources, "workers", Processes(2))
    assert shards(tmp_path, "workers") == expected
    monkeypatch.setattr(deduplicate, "MEMORY", 10_000)
    monkeypatch.setattr(candidates, "BLOCK_ROWS", 1)
    monkeypatch.setattr(shuffle, "FAN_IN", 2)
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 16)
    run(tmp_path, sources, "small")
    assert shards(tmp_path, "small") == expected
    assert len(list((tmp_path / "small/unique/pairs").iterdir())) == 4
    assert len(list((tmp_path / "small/unique/estimated").iterdir())) == 6
    monkeypatch.setattr(candidates, "BLOCKS", 4)
    run(tmp_path, sources, "blocks")
    assert shards(tmp_path, "blocks") == expected
    assert len(list((tmp_path / "blocks/unique/estimated").iterdir())) == 3
    listed = write(tmp_path, sources).replace(
        '"crawl/*.json"', json.dumps([f"crawl/{n:03d}.json" for n in (2, 0, 3, 1)])
    )
    listed += '[steps.unique]\nstage = "deduplicate"\ndocuments = ["books", "crawl"]\n'
    Run(parsed(listed, tmp_path), str(tmp_path / "listed"), Inline(), say=lambda line: None).run()
    assert shards(tmp_path, "listed") == expected


def test_what_is_unique_stays_unique_and_counts_add_up(tmp_path):
    texts = [" ".join(text) for text in corpus(20, seed=8)]
    recipe = write(tmp_path, {"crawl": [[{"text": text} for text in texts]], "books": [[{"text": texts[0]}]]})
    for step, reads in (("once", '"crawl"'), ("twice", '"once"'), ("across", '["books", "twice"]')):
        recipe += f'[steps.{step}]\nstage = "deduplicate"\ndocuments = {reads}\n'
    Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    once, twice, across = (Dataset(str(tmp_path / "out" / step)) for step in ("once", "twice", "across"))
    assert removed(twice) == {} and twice.read().equals(once.read())
    assert sum(kept(once).values()) == len(removed(once)) > 10
    [(name, (book, _, _))] = removed(across).items()
    assert book == "books/000/0" and name in kept(once)


@pytest.mark.parametrize(
    "field",
    [{"threshold": 0.0}, {"threshold": 1.5}, {"bands": 0}, {"rows": -1}, {"shingle": 0}, {"seed": -1}],
)
def test_nonsense_is_refused(tmp_path, field):
    recipe = write(tmp_path, {"crawl": [[]]}) + '[steps.unique]\nstage = "deduplicate"\ndocuments = "crawl"\n'
    [(name, value)] = field.items()
    with pytest.raises(RecipeError, match=f"steps.unique.*{name} = {value}"):
        parsed(f"{recipe}{name} = {value}\n", tmp_path)


def test_nothing_to_read_and_too_many_datasets_are_refused(tmp_path):
    job = Job("unique", {"documents": Dataset()}, str(tmp_path), Inline())
    with pytest.raises(InputError, match="no shards"):
        Deduplicate().run(job)
    job = Job("unique", {"documents": Dataset(*map(str, range(129)))}, str(tmp_path), Inline())
    with pytest.raises(RecipeError, match="128 datasets"):
        Deduplicate().run(job)
