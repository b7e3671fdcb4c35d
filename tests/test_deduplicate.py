"""What deduplicate promises: evidence for each removal, precedence, no closure, the same bytes in any order.

The twin is the definition in plain Python: no shards, no partitions, no blocks.
"""

import json
from itertools import combinations

import pyarrow as pa
import pytest
from duplicates import (
    STAGES,
    Twin,
    corpus,
    edited,
    grams,
    jaccard,
    kept,
    parsed,
    prose,
    removed,
    run,
    shards,
    some_sources,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import shuffle
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError
from pipeline.executors import Inline, Processes
from pipeline.hashing import hash_text
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.stage import Job
from stages import candidates, deduplicate, duplicates, minhash
from stages.deduplicate import Deduplicate
from stages.language import Language


@settings(deadline=None, max_examples=25)
@given(
    some_sources(),
    st.sampled_from([(8, 1, 2, 0.5), (6, 3, 3, 0.6), (16, 1, 1, 0.8), (3, 5, 5, 0.9)]),
)
def test_it_is_what_the_twin_says(tmp_path_factory, sources, numbers):
    bands, rows, shingle, threshold = numbers
    fields = {"threshold": threshold, "shingle": shingle, "bands": bands, "rows": rows, "seed": 7}
    stage = Deduplicate(**fields)
    dataset = run(tmp_path_factory.mktemp("run"), sources, **fields)
    expected = Twin(sources, stage).removed()
    assert removed(dataset) == expected
    everything = [name for _, name, _, _ in Twin(sources, stage).order]
    names = [stays for stays, _, _ in expected.values()]
    assert kept(dataset) == {name: names.count(name) for name in everything if name not in expected}


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


def first_of(*names: str) -> str:
    """Of documents that are alike in all else the one whose id has the least hash."""
    hashes = hash_text(pa.array(names)).tolist()
    return names[hashes.index(min(hashes))]


def test_the_better_text_stays_then_the_longer_then_the_one_of_the_lesser_id(tmp_path):
    text = prose(6)
    texts = [text, [*text, "end"], [*text, "End!"]]
    dataset = run(tmp_path, {"crawl": [[{"text": " ".join(each)} for each in texts]]})
    stays = first_of("crawl/000/1", "crawl/000/2")
    [other] = {"crawl/000/1", "crawl/000/2"} - {stays}
    assert kept(dataset) == {stays: 2}
    assert removed(dataset)[other] == (stays, 1.0, "duplicate:exact")
    scores = [0.9, 0.5, None]
    rows = [{"text": " ".join(each), "quality": score} for each, score in zip(texts, scores, strict=True)]
    assert kept(run(tmp_path / "scored", {"crawl": [rows]})) == {"crawl/000/0": 2}


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
    exact = removed(run(tmp_path / "exact", {"books": [rows], "crawl": [copies]}))
    assert exact == {
        f"crawl/000/{n}": (f"books/000/{n}", 1.0, "duplicate:exact") for n in range(len(SCRIPTS))
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
    pairs = [{"crawl/000/0", "crawl/000/1"}, {"crawl/000/3", "crawl/000/4"}, {"crawl/000/6", "crawl/000/7"}]
    assert removed(dataset) == {
        other: (stays, 1.0, "duplicate:exact")
        for stays, pair in ((first_of(*pair), pair) for pair in pairs)
        for other in pair - {stays}
    }
    assert dataset.read()["exact_only"].to_pylist() == [True] * 6
    long = run(
        tmp_path / "long", {"crawl": [[{"text": "five words are one shingle"}, {"text": "four are not one"}]]}
    )
    assert long.read()["exact_only"].to_pylist() == [False, True]


def test_similar_pairs_lose_one_side_and_nothing_else_goes(tmp_path):
    texts = [" ".join(text) for text in corpus(120, seed=3)]
    dataset = run(tmp_path, {"crawl": [[{"text": text} for text in texts[n::4]] for n in range(4)]}, bands=40)
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
    monkeypatch.setattr(duplicates, "_ROOM", 40_000)
    monkeypatch.setattr(deduplicate, "BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr(shuffle, "FAN_IN", 2)
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 16)
    run(tmp_path, sources, "small", memory=20, scratch=1e-9)
    assert shards(tmp_path, "small") == expected
    tasks = {path.name: len(list(path.iterdir())) for path in (tmp_path / "small/unique/tasks").iterdir()}
    assert tasks["keys-013"] == tasks["doubted"] + 1 == 6
    assert tasks["pairs-013"] > 1 < tasks["ranked"] and "settled-001" in tasks
    assert sorted(path.name for path in (tmp_path / "small/unique").iterdir() if path.is_dir()) == [
        "log",
        "rejected",
        "shards",
        "signatures",
        "tallies",
        "tasks",
    ]
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


def test_nothing_to_read_and_too_many_datasets_are_refused(tmp_path, monkeypatch):
    job = Job("unique", {"documents": Dataset()}, str(tmp_path), Inline())
    with pytest.raises(InputError, match="no shards"):
        Deduplicate().run(job)
    recipe = write(tmp_path, {"crawl": [[{"text": "one"}]], "books": [[{"text": "one"}]]})
    recipe += '[steps.unique]\nstage = "deduplicate"\ndocuments = ["crawl", "books"]\n'
    monkeypatch.setattr(deduplicate, "ORDERS", 2)
    with pytest.raises(RecipeError, match="at most 2 datasets"):
        Run(parsed(recipe, tmp_path), str(tmp_path / "out"), Inline(), say=lambda line: None).run()


def test_a_quality_that_is_no_score_is_refused(tmp_path):
    sources = {"crawl": [[{"text": "one"}, {"text": "one"}]]}
    with pytest.raises(RecipeError, match=r"no column 'qualty'; did you mean 'quality'"):
        run(tmp_path, sources, quality="qualty")
    with pytest.raises(RecipeError, match="'url' holds string and no numbers"):
        run(tmp_path, sources, "url", quality="url")
    assert len(removed(run(tmp_path, sources, "none", quality=""))) == 1


def test_presets_and_bands_chosen_for_a_threshold():
    names = {preset: Deduplicate(preset=preset).scheme for preset in ("fineweb", "spark")}
    assert [vars(scheme) | {"seed": 0} for scheme in names.values()] == [
        {"bands": 14, "rows": 8, "shingle": 5, "seed": 0},
        {"bands": 10, "rows": 1, "shingle": 1, "seed": 0},
    ]
    scheme = Deduplicate(preset="chosen", threshold=0.7, missed=0.02).scheme
    assert minhash.found(0.7, scheme.bands, scheme.rows) >= 0.98 and scheme.permutations <= 256
    for rows in range(scheme.rows + 1, 20):  # a steeper curve would need more values
        assert minhash.found(0.7, 256 // rows, rows) < 0.98
    [(title, curve)] = Deduplicate().preview().items()
    assert "14 bands of 8" in title
    assert {row["similarity"]: row["found"] for row in curve}[0.8] == f"{1 - (1 - 0.8**8) ** 14:.4f}"
    with pytest.raises(ValueError, match="bear more"):
        Deduplicate(preset="chosen", threshold=0.01, missed=0.001)


def test_the_preset_of_spark_is_for_few_documents(tmp_path, monkeypatch):
    sources = {"crawl": [[{"text": "one two three"}, {"text": "three two one"}, {"text": "four"}]]}
    assert len(kept(run(tmp_path, sources, preset="spark"))) == 2
    monkeypatch.setattr(deduplicate, "SPARK_MOST", 2)
    with pytest.raises(RecipeError, match="at most 2 documents, and here are 3"):
        run(tmp_path / "more", sources, preset="spark")


def test_datasets_of_different_columns_come_out_with_all_of_them(tmp_path):
    recipe = write(tmp_path, {"crawl": [[{"text": "one two"}]], "books": [[{"text": "two"}]]})
    recipe += '[steps.tagged]\nstage = "language"\ndocuments = "crawl"\n'
    recipe += '[steps.unique]\nstage = "deduplicate"\ndocuments = ["books", "tagged"]\n'
    steps = parse(recipe.encode(), "test", str(tmp_path), STAGES | {"language": Language})
    Run(steps, str(tmp_path / "out"), Inline(), say=lambda line: None).run()
    unique = Dataset(str(tmp_path / "out/unique"))
    schemas = {tuple(pa.parquet.read_schema(path).names) for path in unique.shards.values()}
    assert schemas == {tuple(unique.schema.names)} and "language" in unique.schema.names


def test_keys_that_very_many_share_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "COMMON", 10)
    base = prose(4, 60)
    rows = [{"text": " ".join([*base, *prose(100 + n, n % 7)])} for n in range(40)]
    dataset = run(tmp_path, {"crawl": [rows]}, bands=2, rows=2)
    [table] = (rows for title, rows in Deduplicate().summary(dataset).items() if title.startswith("keys"))
    assert table[0]["documents"] >= 10 and len(table[0]["first"].split(", ")) == 3
    assert dataset.manifests[0].totals["pairs_given_up"] > 0
