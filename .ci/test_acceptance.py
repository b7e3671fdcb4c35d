"""Acceptance on real data. Every check prints what it measured; a missing file of the data is a failure."""

import json
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
import truth
from warcio.archiveiterator import ArchiveIterator

from pipeline.dataset import Dataset
from pipeline.inspection import RunFolder
from stages import STAGES
from stages.tokenizer import Encoder, gpt2

RUNS = ["gpt3", "everything"]
WARCS = sorted(
    path
    for name in ("crawl", "crawl-charsets", "crawl-duplicates")
    for path in (truth.DATA / name).glob("*.warc.gz")
)


@pytest.fixture(params=RUNS)
def run(request):
    return RunFolder.open(str(request.getfixturevalue(request.param)), STAGES)


def test_every_record_is_kept_or_in_the_ledger(run):
    crawl = Dataset(run.path("crawl"))
    ids = crawl.read(["id"])["id"].to_pylist() + crawl.rejected()["id"].to_pylist()
    wanted = []
    for path in WARCS:
        with path.open("rb") as file:
            records = ArchiveIterator(file)
            for record in records:
                if record.rec_type in ("response", "resource", "conversion"):
                    wanted.append(f"cc/{path.name.removesuffix('.warc.gz')}/{records.get_record_offset()}")
    assert sorted(ids) == sorted(wanted)
    for name, step in run.recipe.steps.items():
        manifest = run.manifest(name)
        if step.stage.makes not in ("documents", "tokens") or not step.inputs:
            continue
        before = [each for source in step.inputs["documents"] for each in kept_ids(run, source)]
        after = kept_ids(run, name) + Dataset(run.path(name)).rejected()["id"].to_pylist()
        if step.materialize and all(run.recipe.steps[s].materialize for s in step.inputs["documents"]):
            assert Counter(before) == Counter(after), name
        total = manifest.totals
        assert total["rows_in"] == total["rows_out"] + sum(total["reasons"].values()), name


def kept_ids(run, name):
    return (
        Dataset(run.path(name)).read(["id"])["id"].to_pylist() if run.recipe.steps[name].materialize else []
    )


def test_the_classifier_tells_its_sides_apart(gpt3):
    card = json.loads(Dataset(f"{gpt3}/classifier").side("card.json"))
    print(json.dumps({k: v for k, v in card.items() if not isinstance(v, list | dict)}, indent=1))
    good = Dataset(f"{gpt3}/good")
    columns = ["quality_draw", "quality_keep"]
    rows = pa.concat_tables([good.read(columns), good.rejected().select(columns)]).to_pandas()
    (told,) = (row for row in card["keeps"]["rules"] if (row["rule"], row["value"]) == ("alpha", 9))
    foretold, expected = (f"{100 * share:.2f} %" for share in (told["documents"], rows.quality_keep.mean()))
    print(f"the card foretold {foretold} of all pages; {expected} is expected of them")
    assert abs(told["documents"] - rows.quality_keep.mean()) < 3 * told["error"]
    rows = rows.drop_duplicates()  # copies share one draw
    wanted, kept = rows.quality_keep.sum(), (rows.quality_draw < rows.quality_keep).sum()
    spread = np.sqrt((rows.quality_keep * (1 - rows.quality_keep)).sum())
    print(f"of {len(rows)} pages without copies {kept} are kept, forecast {wanted:.1f} +- {spread:.1f}")
    assert abs(kept - wanted) < 4 * spread
    assert card["auc_same_languages"] > 0.95


def test_mixture_weights_are_right_to_one_sequence(gpt3):
    rows = Counter()
    for name in Dataset(f"{gpt3}/mixture").shards:
        if name.startswith("train"):
            for batch in Dataset(f"{gpt3}/mixture").batches(name, ["source"]):
                rows.update(batch["source"].to_pylist())
    weights = {"cc": 60, "books1": 16, "books2": 8, "wikipedia": 3}
    total = sum(rows.values())
    print("\nsequences by source:", dict(rows))
    for source, weight in weights.items():
        assert abs(rows[source] - total * weight / sum(weights.values())) <= 1, source


def test_planted_copies_lose_one_side(everything):
    before = truth.texts(Dataset(f"{everything}/crawl"))
    after = set(Dataset(f"{everything}/unique").read(["id"])["id"].to_pylist())
    pages = {line["dup_group"]: line for line in truth.planted() if line["kind"] == "page"}
    found, planted = Counter(), Counter()
    for line in truth.planted():
        if line["kind"] == "near_dup":
            pair = [truth.document_id(pages[line["dup_group"]]), truth.document_id(line)]
            if all(each in before for each in pair):
                band = truth.band(truth.jaccard(*(before[each] for each in pair)))
                planted[band] += 1
                found[band] += not set(pair) <= after
    print("\nexact Jaccard of the extracted texts: pairs that lost a side")
    for band in sorted(planted):
        print(f"  {band}: {found[band]} of {planted[band]}")
    high = [band for band in planted if float(band[:4]) >= 0.8]
    assert sum(planted[band] for band in high) >= 150
    assert sum(found[band] for band in high) >= 0.99 * sum(planted[band] for band in high)


def test_nothing_is_removed_without_a_kept_document_like_it(everything):
    before = truth.texts(Dataset(f"{everything}/scored")) | truth.texts(Dataset(f"{everything}/wikipedia"))
    unique = Dataset(f"{everything}/unique")
    kept = set(unique.read(["id"])["id"].to_pylist())
    ledger = unique.rejected().to_pylist()
    reasons = Counter(row["reason"] for row in ledger)
    similarities = []
    for row in ledger:
        assert row["duplicate_of"] in kept
        similarities.append(truth.jaccard(before[row["id"]], before[row["duplicate_of"]]))
        assert similarities[-1] >= 0.8, row
    print(f"\n{len(ledger)} removed {dict(reasons)}; least exact Jaccard {min(similarities):.3f}")


@pytest.mark.parametrize(("grams", "clean"), [("grams_of_all", "clean_of_all"), ("grams", "clean")])
def test_no_benchmark_gram_is_left_that_must_go(everything, grams, clean):
    rows = Dataset(f"{everything}/{clean}").read(["id", "text", "pieces"]).to_pylist()
    checked, left = truth.left(f"{everything}/{grams}", (p for row in rows for p in truth.pieces(row)))
    assert not left
    print(f"\n{checked:,} words and characters of {clean} have none of the grams that must go")


def test_planted_contamination_is_cut(everything):
    examples = {}
    for path in sorted((truth.DATA / "benchmarks").iterdir()):
        examples |= {line["id"]: line["text"] for line in truth.lines(path)}
    before = truth.texts(Dataset(f"{everything}/crawl"))
    clean = {row["id"]: row for row in Dataset(f"{everything}/clean_of_all").read().to_pylist()}
    outcome = Counter()
    for line in truth.planted():
        name = truth.document_id(line)
        if line["kind"] != "contaminated" or name not in before:
            continue
        shared = truth.shingles(before[name], 13) & truth.shingles(examples[line["contam_id"]], 13)
        if not shared:
            outcome["example is short or was not extracted"] += 1
        elif name not in clean:
            outcome["document rejected"] += 1
        else:
            left = set().union(*(truth.shingles(piece, 13) for piece in truth.pieces(clean[name])))
            assert not shared & left, name
            outcome["cut"] += 1
    print("\nplanted contamination:", dict(outcome))
    assert outcome["cut"] + outcome["document rejected"] >= 40


def test_rows_decode_to_the_documents_they_name(run):
    tokens = Dataset(run.path("tokens")).read(["id", "tokens"])
    of = dict(zip(tokens["id"].to_pylist(), arrays(tokens["tokens"]), strict=True))
    used = defaultdict(int)
    for batch in Dataset(run.path("mixture")).batches(columns=["tokens", "documents"]):
        for row, parts in zip(arrays(batch["tokens"]), batch["documents"].to_pylist(), strict=True):
            assert [part["start"] for part in parts] == [0, *(part["end"] for part in parts[:-1])]
            assert parts[-1]["end"] == len(row)
            for part in parts:
                length = part["end"] - part["start"]
                there = of[part["id"]][part["offset"] : part["offset"] + length]
                assert np.array_equal(row[part["start"] : part["end"]], there)
                used[part["id"]] += length
    encoder, end = Encoder(gpt2()), gpt2().end_of_text
    sample = Dataset(run.path("clean")).read(["id", "text", "pieces"]).to_pylist()[::50]
    for row in sample:
        wanted = []
        for piece in truth.pieces(row):
            wanted += [*encoder.encode([piece])[0].tolist(), end]
        assert of[row["id"]].tolist() == wanted
    print(f"\n{len(used):,} documents stand in the mixture, {sum(used.values()):,} tokens")


def arrays(column):
    """The lists of a column, as views of one array."""
    lists = column.combine_chunks()
    offsets = (
        lists.offsets.to_numpy()
        if hasattr(lists, "offsets")
        else np.arange(len(lists) + 1) * lists.type.list_size
    )
    return np.split(lists.flatten().to_numpy(), offsets[1:-1] - offsets[0])
