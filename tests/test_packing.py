"""Plans and array arithmetic against plain Python: units, streams, partitions, sequences, budgets."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import RecipeError
from stages import packing
from stages.budgets import TRAIN, VAL, Budget, Supply, apportion, largest_mixture

LENGTHS = st.lists(st.integers(0, 50), max_size=12)


@given(LENGTHS, st.integers(1, 20))
def test_units_cut_long_documents_into_runs(lengths, longest):
    got = packing.units(np.array(lengths, np.int64), longest)
    wanted = [
        (document, offset, min(longest, length - offset))
        for document, length in enumerate(lengths)
        for offset in range(0, length, longest)
    ]
    assert list(zip(*(column.tolist() for column in got), strict=True)) == wanted


@given(LENGTHS, st.integers(1, 9), st.integers(0, 30))
def test_segments_are_where_each_token_stands(lengths, sequence, skip):
    lengths = [length for length in lengths if length]
    stream = [(unit, token) for unit, length in enumerate(lengths) for token in range(length)][skip:]
    rows = max(0, (len(stream) - 1) // sequence)
    starts = np.cumsum([0, *lengths])[:-1] - skip
    got = packing.segments(starts.astype(np.int64), np.array(lengths, np.int64), rows, sequence)
    held = [[] for _ in range(rows)]
    for row, unit, start, end, offset in zip(*(column.tolist() for column in got), strict=True):
        assert start == len(held[row]) and end > start  # one after another, without a gap
        held[row] += [(unit, offset + n) for n in range(end - start)]
    assert held == [stream[row * sequence : (row + 1) * sequence + 1] for row in range(rows)]
    numbers = np.arange(len(stream), dtype=np.uint16)
    if rows:
        windows = packing.windows(numbers, rows, sequence)
        assert windows.tolist() == [list(range(r * sequence, (r + 1) * sequence + 1)) for r in range(rows)]
        assert np.array_equal(windows[:-1, -1], windows[1:, 0])


@st.composite
def plans(draw):
    """Tokens of each unit, sequences to draw, their length, shards."""
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=30))
    sequence, shards = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    most = (4 * sum(lengths) - 1) // sequence
    assume(most)
    return lengths, draw(st.integers(1, most)), sequence, shards


@given(plans(), st.integers(0, 99))
@settings(max_examples=150)
def test_shards_share_out_a_stream_cut_at_its_budget(plan, seed):
    lengths, rows, sequence, shards = plan
    supplies = {(TRAIN, "a"): Supply(1, 7), (TRAIN, "b"): Supply(1, 9), (VAL, "a"): Supply(1, sum(lengths))}
    counts = {(TRAIN, "a"): 1, (TRAIN, "b"): 0, (VAL, "a"): rows}
    streams = packing.plan_streams(supplies, counts, {TRAIN: 2, VAL: shards}, sequence)
    assert [stream.source for stream in streams] == ["a", "a"]
    stream = streams[1]
    assert (stream.epochs - 1) * sum(lengths) < rows * sequence + 1 <= stream.epochs * sum(lengths)
    order = []  # (place, tokens, bin) of each unit in each epoch
    for epoch in range(stream.epochs + 1):
        draws = np.random.default_rng([seed, epoch]).random(len(lengths))
        bins = packing.bins(streams, np.ones(len(lengths), np.int64), epoch, draws)
        assert (bins >= 0).all() == (epoch < stream.epochs)
        order += [(epoch + d, n, b) for d, n, b in zip(draws, lengths, bins, strict=True) if b >= 0]
    order.sort()
    assert [b for *_, b in order] == sorted(b for *_, b in order)
    held = np.zeros(len(stream.bins), np.int64)
    for _, length, number in order:
        held[stream.bins.index(number)] += length
    layout = packing.lay_out(stream, held, sequence)
    homes = [layout.shards[stream.bins.index(b)] for *_, b in order]
    assert set(homes) <= {-1, *range(2, 2 + shards)}
    assert sum(n for (_, n, _), home in zip(order, homes, strict=True) if home >= 0) > rows * sequence
    row = 0
    for shard in range(shards):
        take = packing.take(streams, 1, layout, shard, sequence)
        assert (take.stream, take.source, take.row) == (1, "a", row)
        row += take.rows
        read = [n for (_, n, _), home in zip(order, homes, strict=True) if home in take.shards]
        before = [n for (_, n, _), home in zip(order, homes, strict=True) if 0 <= home < take.shards.start]
        assert sum(before) + take.skip == take.row * sequence
        assert sum(before) + sum(read) > row * sequence
        assert take.rows in (rows // shards, -(-rows // shards))
    assert row == rows


def test_an_owner_without_a_stream_has_no_bin():
    stream = packing.Stream(TRAIN, "a", 1, 1, 0.5, range(3, 6), 0, 1)
    got = packing.bins([stream], np.array([-1, 0, 0]), 0, np.array([0.1, 0.1, 0.9]))
    assert got.tolist() == [-1, 3, 4]


WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 100), min_size=1).filter(
    lambda weights: any(weights.values())
)


@given(WEIGHTS, st.integers(0, 10**12))
def test_weights_are_met_within_one_sequence(weights, total):
    counts = apportion(total, weights)
    whole = sum(Fraction(repr(weight)) for weight in weights.values())
    assert sum(counts.values()) == total
    for name, weight in weights.items():
        assert abs(counts[name] - total * Fraction(repr(weight)) / whole) < 1


@given(WEIGHTS, st.data())
def test_the_largest_mixture_fits_and_no_larger_one_does(weights, data):
    most = {name: data.draw(st.integers(1, 1000)) for name in weights}
    weights = {name: weight for name, weight in weights.items() if weight == 0 or weight > 0.01}
    assume(any(weights.values()))
    total = largest_mixture(weights, most)
    assert all(count <= most[name] for name, count in apportion(total, weights).items() if weights[name])
    whole = sum(map(Fraction, map(repr, weights.values())))
    over = [(total + 1) * Fraction(repr(w)) / whole > most[name] for name, w in weights.items() if w]
    assert any(over)


def test_shares_of_the_paper():
    counts = apportion(10_000, {"cc": 60, "webtext2": 22, "books1": 8, "books2": 8, "wiki": 3})  # 101 %
    assert counts == {"cc": 5941, "webtext2": 2178, "books1": 792, "books2": 792, "wiki": 297}
    assert apportion(4, {"b": 1, "a": 1, "c": 1}) == {"a": 2, "b": 1, "c": 1}


def budget(way="weights", total=None, most=4.0, **asked) -> Budget:
    return Budget("mixture", way, asked, total, most, 100)


SUPPLIES = {
    (TRAIN, "cc"): Supply(50, 100_000),
    (TRAIN, "wiki"): Supply(5, 2_000),
    (VAL, "wiki"): Supply(1, 950),
}


def test_weights_draw_as_much_as_max_epochs_allows():
    asked = budget(cc=60, wiki=3)
    rows = asked.rows(SUPPLIES)
    assert rows == {(TRAIN, "cc"): 1580, (TRAIN, "wiki"): 79, (VAL, "wiki"): 9}
    lines = asked.table(SUPPLIES, rows)
    assert [(line["split"], line["source"], line["sequences"]) for line in lines] == [
        ("train", "cc", 1580),
        ("train", "wiki", 79),
        ("val", "wiki", 9),
    ]
    assert lines[1]["note"] == "at max_epochs = 4: limits the mixture" and lines[0]["note"] == ""
    assert lines[1]["epochs"] == 3.95 and math.isclose(lines[0]["weight"], 1580 / 1659)
    assert lines[2]["tokens_dropped"] == 50 and lines[2]["weight"] == 1.0


def test_epochs_and_tokens_say_how_much_is_drawn():
    asked = budget("epochs", cc=0.44, wiki=3.4)
    rows = asked.rows(SUPPLIES)
    assert rows[TRAIN, "cc"] == 439 and rows[TRAIN, "wiki"] == 67  # one token is the last target
    assert [line["tokens_dropped"] for line in asked.table(SUPPLIES, rows)] == [100, 100, 50]
    asked = budget("tokens", cc=1234, wiki=0)
    rows = asked.rows(SUPPLIES)
    assert rows[TRAIN, "cc"] == 12 and rows[TRAIN, "wiki"] == 0
    lines = asked.table(SUPPLIES, rows)
    assert [line["tokens_drawn"] for line in lines] == [1200, 0, 900]
    assert [line["note"] for line in lines] == ["", "left out", ""] and lines[0]["tokens_dropped"] == 34


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            budget(cc=1),
            r"weights name cc, and the documents come from cc, wiki: wiki is not named; .* with 0",
        ),
        (budget(cc=1, wiki=1, web=1), r"there is no source web; name each source"),
        (budget(cc=1, wkii=1), r"there is no source wkii and wiki is not named"),
        (budget(most=0.05, cc=1, wiki=1), r"'wiki' has 2,000 training tokens, and 0.05 epochs .* wiki = 0"),
        (
            budget(total=20_000, cc=1, wiki=1),
            r"draw 10,000 tokens of 'wiki', which has 2,000: 5.00 epochs.*15,800",
        ),
        (
            budget(total=900, cc=99, wiki=1),
            r"give 'wiki' less than one sequence of 100 tokens, of 9 sequences",
        ),
        (
            budget("epochs", cc=1, wiki=4.1),
            r"epochs draw 8,100 tokens of 'wiki'.*max_epochs is 4; ask for less",
        ),
        (budget("tokens", cc=1, wiki=400), r"tokens give 'cc' less than one sequence"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_remedy(asked, message):
    with pytest.raises(RecipeError, match=rf"step 'mixture': .*{message}"):
        asked.rows(SUPPLIES)
