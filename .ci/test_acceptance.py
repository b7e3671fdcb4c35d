"""Acceptance on real data. Every check prints what it measured; a missing file of the data is a failure."""

import json
from collections import Counter, defaultdict

import numpy as np
import pyarrow.compute as pc
import pytest
import truth
from warcio.archiveiterator import ArchiveIterator

from classifiers.words import words
from pipeline.dataset import Dataset
from pipeline.inspection import RunFolder
from stages import STAGES
from stages.ngrams import gram_hashes
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
    totals = Dataset(f"{gpt3}/good").manifests[0].totals
    scores = Dataset(f"{gpt3}/good")
    chance = pc.sum(scores.read(["quality_keep"])["quality_keep"]).as_py()
    chance += pc.sum(scores.rejected()["quality_keep"]).as_py()
    print(f"\nkept {totals['rows_out']} of {totals['rows_in']} pages, forecast {chance:.1f}")
    probabilities = np.concatenate(
        [
            scores.read(["quality_keep"])["quality_keep"].to_numpy(),
            scores.rejected()["quality_keep"].to_numpy(),
        ]
    )
    spread = np.sqrt((probabilities * (1 - probabilities)).sum())
    assert abs(totals["rows_out"] - chance) < 4 * spread
    assert card["held_out"]["auc"] > 0.93


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
    index = Dataset(f"{everything}/{grams}").read(["gram", "documents"])
    must_go = np.sort(index.filter(pc.less_equal(index["documents"], 10))["gram"].to_numpy())
    checked = 0
    for batch in Dataset(f"{everything}/{clean}").batches(columns=["id", "text", "pieces"]):
        for row in batch.to_pylist():
            for piece in truth.pieces(row):
                left = gram_hashes(words(truth.pa.array([piece])), 13).hashes
                checked += len(left)
                assert not np.isin(left, must_go).any(), row["id"]
    print(f"\n{checked:,} grams of {clean} checked against {len(must_go):,}")


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
    tokens = Dataset(run.path("tokens"))
    of = dict(zip(*(tokens.read(["id", "tokens"])[c].to_pylist() for c in ("id", "tokens")), strict=True))
    spans = defaultdict(int)
    for row in Dataset(run.path("mixture")).read(["tokens", "documents"]).to_pylist():
        at = 0
        for part in row["documents"]:
            length = part["end"] - part["start"]
            assert part["start"] == at
            assert row["tokens"][at : part["end"]] == of[part["id"]][part["offset"] : part["offset"] + length]
            spans[part["id"]] += length
            at = part["end"]
        assert at == len(row["tokens"])
    encoder, end = Encoder(gpt2()), gpt2().end_of_text
    sample = Dataset(run.path("clean")).read(["id", "text", "pieces"]).to_pylist()[::50]
    for row in sample:
        wanted = []
        for piece in truth.pieces(row):
            wanted += [*encoder.encode([piece])[0].tolist(), end]
        assert of[row["id"]] == wanted
    print(f"\n{len(spans):,} documents stand in the mixture")
