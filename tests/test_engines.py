"""Engines and their versions: what a document says made its text, and when a folder is out of date."""

import json
import re
from importlib.metadata import version

import numpy as np
import pytest
from scripts import SENTENCES
from test_extract import Archive, page, run

from pipeline.errors import StaleRunError
from pipeline.recipe import parse
from pipeline.runner import planned_identity
from stages import STAGES
from stages.engines import ENGINES, OURS, engine_version, fingerprint

AGAIN = """
[steps.crawl]
stage = "extract"
warcs = "a.warc.gz"
[steps.again]
stage = "refine"
documents = "crawl"
warcs = "a.warc.gz"
"""


def rests_on(fields: str, step: str = "again") -> dict[str, str]:
    """The versions in the identity of a step."""
    recipe = parse(f"{AGAIN}{fields}".encode(), "test", "/", STAGES)
    return planned_identity(recipe.steps[step], {}).libraries


def test_a_model_is_known_by_its_arrays_and_not_by_how_they_are_packed(tmp_path):
    arrays = {"weights": np.arange(6, dtype=np.int32), "leaves": np.arange(4, dtype=np.float32)}
    path = str(tmp_path / "model.npz")

    def saved(save=np.savez, **other):
        save(path, **(arrays | other))
        return fingerprint(path)

    known = saved()
    assert re.fullmatch("[0-9a-f]{8}", known)
    assert known == saved(np.savez_compressed) == saved(weights=arrays["weights"].copy())
    others = [
        saved(weights=arrays["weights"] + np.int32(1)),
        saved(weights=arrays["weights"].astype(np.uint32)),
        saved(weights=arrays["weights"].reshape(2, 3)),
        saved(leaves=arrays["leaves"][::-1]),
        saved(more=np.zeros(1)),
    ]
    assert len({known, *others}) == 6


@pytest.mark.parametrize("engine", ENGINES)
def test_a_document_and_its_step_know_the_version_of_the_engine(tmp_path, engine):
    archive = Archive().page("http://a.example/", page(SENTENCES["hi"]))
    archive.page("http://a.example/textless", b"<html><body><img src=x></body></html>")
    archive.page("http://a.example/plain", b"Text.", "200 OK\nContent-Type: text/plain")
    archive.save(tmp_path / "a.warc.gz")
    dataset = run(tmp_path, f"warcs = 'a.warc.gz'\nengine = '{engine}'")
    made, plain = dataset.read(["engine", "engine_version"]).to_pylist()
    assert made == {"engine": engine, "engine_version": engine_version(engine)}
    assert plain == {"engine": "plain", "engine_version": None}
    (gone,) = dataset.rejected().to_pylist()
    assert (gone["reason"], gone["engine_version"]) == ("empty", engine_version(engine))
    identity = json.loads((tmp_path / "out/crawl/identity.json").read_text())
    assert identity["libraries"][engine] == engine_version(engine)


def test_ours_have_versions_of_their_own_and_others_those_that_are_installed():
    ours = {engine_version(engine) for engine in OURS}
    assert len(ours) == 1 and all(re.fullmatch(r"\d+\+[0-9a-f]{8}", each) for each in ours)
    assert {engine: engine_version(engine) for engine in {*ENGINES} - OURS} == {
        "resiliparse": version("resiliparse"),
        "trafilatura": version("trafilatura"),
    }


def test_a_folder_of_an_older_model_is_refused(tmp_path):
    Archive().page("http://a.example/", page(SENTENCES["th"])).save(tmp_path / "a.warc.gz")
    run(tmp_path, "warcs = 'a.warc.gz'")
    path = tmp_path / "out/crawl/identity.json"
    path.write_text(path.read_text().replace(engine_version("winnow"), "1+01dc0ffe"))
    with pytest.raises(StaleRunError, match=r"libraries\.winnow: .*1\+01dc0ffe.* -> .*--redo crawl"):
        run(tmp_path, "warcs = 'a.warc.gz'")


def test_a_step_rests_on_the_engine_that_it_names_and_on_no_other():
    assert rests_on("", "crawl").keys() & {*ENGINES, "lxml"} == {"winnow", "resiliparse"}  # its charsets
    for engine in OURS:
        found = rests_on(f"engine = '{engine}'")
        assert found[engine] == engine_version(engine) and "trafilatura" not in found
        assert rests_on(f"engine = '{engine}'\nmetadata = true").keys() - found.keys() == {
            "htmldate",
            "lxml",
            "trafilatura",
        }
    assert {"trafilatura", "justext", "lxml"} <= rests_on("engine = 'trafilatura'").keys()
