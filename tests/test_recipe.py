"""A recipe is checked before anything runs, and every mistake is named with what would be right."""

import pytest
import toy

from pipeline.errors import InputError, RecipeError
from pipeline.recipe import load, parse

GOOD = toy.RECIPE.replace("MATERIALIZE", "true")


def read(text, folder="/nowhere"):
    return parse(text.encode(), "test", folder, toy.STAGES)


def test_steps_come_after_those_they_read():
    recipe = read(GOOD)
    order = list(recipe.steps)
    assert all(order.index(other) < order.index(name) for name in order for other in recipe.steps[name].reads)
    assert recipe.readers("lines") == ["half", "loud", "total"]
    assert recipe.ancestors("loud") == {"half", "lines"}


def test_values_reach_the_stage_and_the_seed_is_shared():
    recipe = read(GOOD)
    assert recipe.steps["few"].stage == toy.Sift(share=0.25, seed=3)
    assert recipe.steps["lines"].stage == toy.Lines(files=("/nowhere/in/*.txt",))
    assert recipe.steps["total"].inputs == {"documents": ("loud", "few")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('stage = "shout"', 'stage = "shuot"'), r"\[steps.loud\] stage = 'shuot'.*did you mean 'shout'"),
        (('stage = "shout"', ""), r"\[steps.loud\] names no stage"),
        (("share =", "shar ="), r"\[steps.few\]: unknown field 'shar'; did you mean 'share'"),
        (("share = 0.25", 'share = "much"'), r"\[steps.few\] share = 'much': .*number"),
        (("share = 0.25", "share = 1.5"), r"\[steps.few\]: share = 1.5 must lie between 0 and 1"),
        (("share = 0.25", "share = nan"), r"\[steps.few\] share = nan: .*finite"),
        (("share = 0.25", "share = true"), r"\[steps.few\] share = True"),
        (('files = "in/a.txt"', ""), r"\[steps.other\]: field 'files' is missing"),
        (('documents = "half"', 'documents = "hafl"'), r"\[steps.loud\] reads 'hafl'.*did you mean 'half'"),
        (('documents = "half"', ""), r"\[steps.loud\]: stage 'shout' needs an input 'documents'"),
        (('documents = "half"', "documents = 7"), r"\[steps.loud\] documents"),
        (
            ("seed = 3", 'steps.more = {stage = "shout", documents = "total"}'),
            r"documents = 'total': stage 'total' makes model, not documents",
        ),
        (('["loud", "few"]', '["few", "few"]'), r"\[steps.total\] documents names a step twice"),
        (("seed = 3", "sed = 3"), r"unknown key 'sed'; did you mean 'seed'"),
        (("seed = 3", 'seed = "x"'), r"seed = 'x'"),
        (("seed = 3", "seed = ["), r"not valid TOML.*line"),
        (("[steps.few]", '[steps."a/b"]'), r"a step's name becomes a folder"),
        (("[steps.few]", '[steps."recipe.toml"]'), r"a step's name becomes a folder"),
        (("[steps.few]", '[steps."../few"]'), r"a step's name becomes a folder"),
        (('stage = "shout"', 'stage = ["shout"]'), r"\[steps.loud\] stage = \['shout'\]: .*string"),
        (('stage = "shout"', "stage = {a = 1}"), r"\[steps.loud\] stage = "),
        (('["loud", "few"]', "[]"), r"\[steps.total\]: stage 'total' needs an input 'documents'"),
        (("seed = 3", "workers = 0"), r"workers = 0: must be at least 1"),
        (("seed = 3", "workers = -2"), r"workers = -2: must be at least 1"),
        (("seed = 3", "error_limit = 10"), r"error_limit = 10.0: .* between 0 and 1"),
        (("seed = 3", "steps.few = 7"), r"not valid TOML"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(RecipeError, match=message):
        read(GOOD.replace(*change))


def test_a_circle_is_named():
    text = """
[steps.a]
stage = "shout"
documents = "b"
[steps.b]
stage = "shout"
documents = "a"
"""
    with pytest.raises(RecipeError, match=r"in a circle: .*a -> b"):
        read(text)


def test_no_steps_and_no_file():
    with pytest.raises(RecipeError, match="has no steps"):
        read("seed = 1")
    with pytest.raises(InputError, match="check the path"):
        load("/nowhere/recipe.toml", toy.STAGES)


def test_only_a_row_wise_step_with_one_row_wise_reader_may_flow_on():
    with pytest.raises(RecipeError, match=r"exactly one other row-wise step.*readers: total"):
        read(GOOD.replace('documents = "half"', 'documents = "half"\nmaterialize = false'))
    with pytest.raises(RecipeError, match="does not work row by row"):
        read(GOOD.replace('stage = "total"', 'stage = "total"\nmaterialize = false'))


def test_to_and_redo_name_steps(tmp_path):
    toy.write_inputs(tmp_path)
    with pytest.raises(RecipeError, match="no step 'luod'; did you mean 'loud'"):
        toy.run(tmp_path, to="luod")
    with pytest.raises(RecipeError, match="no step 'nothing'"):
        toy.run(tmp_path, redo="nothing")
    with pytest.raises(RecipeError, match="materialize = false"):
        toy.run(tmp_path, toy.RECIPE.replace("MATERIALIZE", "false"), to="half")
