"""The rules that keep documents: closed forms, the paper's numbers, the same bits everywhere."""

import hashlib
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.curve import tabulate
from classifiers.keep import (
    fitted_alpha,
    keep_rate,
    kept,
    pareto,
    pareto_curve,
    share_of_draws,
    threshold,
    top_share,
)

scores = st.floats(0, 1)


def closed_form(score, alpha):
    with localcontext(prec=40):
        return float((2 - Decimal(score)) ** -Decimal(alpha))


@given(scores, st.one_of(st.floats(1e-6, 100), st.sampled_from([1.0, 3.0, 9.0, 100.0])))
@settings(max_examples=10, deadline=None)
def test_the_pareto_rule_is_the_closed_form(score, alpha):
    assert pareto(np.array([score]), alpha)[0] == pytest.approx(
        closed_form(score, alpha), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("alpha", [0.5, 9, 37.25, 100])
def test_between_grid_points_the_error_stays_below_one_in_a_billion(alpha):
    middle = (np.arange(0, 8192, 16) + 0.5) / 8192
    exact = [closed_form(score, alpha) for score in [*middle, 1.0]]
    assert np.abs(pareto(np.array([*middle, 1.0]), alpha) - exact).max() < 1e-9


def test_the_papers_numbers():
    found = pareto(np.array([1, 0.95, 0.9, 0.5, 0]), 9)
    assert found.round(3).tolist() == [1, 0.645, 0.424, 0.026, 0.002]


def test_the_rule_keeps_what_numpys_pareto_keeps():
    documents = np.random.default_rng(1).random(200_000)
    paper = np.random.default_rng(2).pareto(9, len(documents)) > 1 - documents
    assert keep_rate(pareto(documents, 9)) == pytest.approx(paper.mean(), abs=0.003)


@given(st.lists(scores, min_size=2, max_size=50), st.sampled_from([1.0, 9.0]))
@settings(deadline=None)
def test_a_better_score_is_never_less_likely_to_stay(values, alpha):
    probabilities = pareto(np.sort(values), alpha)
    assert (np.diff(probabilities) > -1e-15).all()
    assert (probabilities > 0).all() and (probabilities <= 1).all()


def test_the_table_has_the_same_bits_on_every_machine():
    """The digest was made on x86-64 with glibc 2.36; no libm, BLAS or processor has a say in it."""
    grid = np.arange(100_001) / 100_000
    assert hashlib.sha256(pareto(grid, 9).tobytes()).hexdigest()[:16] == "1561741d3fe53a63"


@pytest.mark.parametrize("alpha", [0, -1, 100.5, float("nan"), float("inf")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha is .*; it must be above 0 and at most 100"):
        pareto_curve(alpha)


def test_a_table_of_a_cubic_is_that_cubic():
    curve = tabulate(lambda x: (x**3 - x, 3 * x**2 - 1), -2, 3, per_unit=4)
    x = np.linspace(-2, 3, 97)
    assert curve(x) == pytest.approx(x**3 - x, abs=1e-12)
    assert curve([-9, 9]).tolist() == [-6, 24]  # clipped to its range


def test_threshold_and_top_share():
    values = np.array([0.1, 0.9, 0.5, 0.9, 0.3])
    assert threshold(values, 0.5).tolist() == [0, 1, 1, 1, 0]
    assert top_share(values, 0.4) == 0.9
    assert top_share(values, [0.4, 0.6, 0.0001, 1]).tolist() == [0.9, 0.5, 0.9, 0.1]
    with pytest.raises(ValueError, match="no scores"):
        top_share(np.array([]), 0.5)


@given(st.lists(scores, min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_top_share_keeps_at_least_its_share(values, share):
    keeps = threshold(np.array(values), float(top_share(np.array(values), share)))
    assert keeps.sum() >= round(share * len(values))


def test_who_stays_and_how_many():
    probabilities = pareto(np.array([1.0, 0.5]), 9)
    assert kept(np.array([1 - 2**-53, 0.5]), probabilities).tolist() == [True, False]
    assert keep_rate(np.array([0.25, 0.75])) == 0.5
    assert keep_rate(np.array([])) == 0


@pytest.mark.parametrize("alpha", [0.5, 2.0, 9.0, 40.0])
def test_alpha_is_found_again_from_its_own_draws(alpha):
    draws = np.random.default_rng(1).pareto(alpha, 200_000)
    scores = 1 - draws[draws <= 1]
    assert fitted_alpha(scores) == pytest.approx(alpha, rel=0.05)
    found = np.sort(1 - scores)
    steps = np.arange(1, len(found) + 1) / len(found)
    assert np.abs(share_of_draws(alpha, found) - steps).max() < 0.01


def test_alpha_has_bounds():
    assert fitted_alpha(np.ones(5)) == pytest.approx(100, abs=0.01)
    assert fitted_alpha(np.zeros(5)) == pytest.approx(0.01, abs=0.01)
    with pytest.raises(ValueError, match="no scores"):
        fitted_alpha(np.zeros(0))
