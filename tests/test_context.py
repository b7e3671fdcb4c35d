"""What the second look is told, against a plain twin; what it learns from, made of other pages."""

import math
import random

import numpy as np
import pytest

from benchmarks.made_pages import GROWTH, grown, translated, without_case
from stages.block_features import FEATURES, describe
from stages.blocks import OWNER, PARENT, blocks
from stages.context import CONTEXT, add_context
from stages.measures import CAPITALS, FIRST, LAST, SENTENCES, WORDS, measure
from stages.trees import UNIT

WEIGHTS = np.zeros(1 << 16, np.int32)
PARTS = ("<p>Some words of a paragraph {}.</p>", "<ul><li>an item {}<li>another {}</ul>", "<h2>Part {}</h2>")
PAGE = "<main><article>{}</article></main><footer><p>Footer</p><div><a href='/'>Home</a></div></footer>"


def page(parts: int):
    chance = random.Random(parts)
    html = PAGE.format("".join(chance.choice(PARTS).replace("{}", str(part)) for part in range(parts)))
    return blocks(np.frombuffer(html.encode(), np.uint8))


def twin(found, words, around, odds):
    """The rows of CONTEXT by plain loops, with the exact logistic function."""
    count = len(odds)
    likely = [1 / (1 + math.exp(-each)) for each in odds]
    owners = [int(row[OWNER]) for row in found.blocks]

    def mean(members):
        return sum(words[k] * likely[k] for k in members) / sum(words[k] for k in members)

    def below(element):
        return [k for k in range(count) if element in ancestors(owners[k])]

    def ancestors(element):
        chain = [element]
        while chain[-1]:
            chain.append(int(found.elements[chain[-1], PARENT]))
        return chain

    everything = sum(words[k] * likely[k] for k in range(count))
    rows = []
    for k in range(count):
        chain = ancestors(owners[k])
        around_k = [below(chain[min(level, len(chain) - 1)]) for level in (0, 1, 2, 3, 5)]
        row = [odds[k]]
        row += [odds[k + step] if 0 <= k + step < count else -9 for step in (-3, -2, -1, 1, 2, 3)]
        row += [mean(range(max(k - reach, 0), min(k + reach + 1, count))) for reach in (2, 5, 12)]
        row += [mean(members) for members in around_k]
        row += [sum(words[m] * likely[m] for m in members) / everything for members in around_k]
        row += [mean([m for m in range(count) if kin[m] == kin[k]]) for kin in (around.paths, around.shapes)]
        rows.append([*row, mean(range(count))])
    return np.array(rows)


@pytest.mark.parametrize("parts", [1, 2, 7, 40])
def test_context_is_that_of_plain_loops(parts):
    found = page(parts)
    measures = measure(found)
    features, around = describe(found, measures, WEIGHTS)
    odds = np.random.default_rng(parts).normal(0, 3, len(found.blocks))
    odds = np.floor(odds * 32) / 32 + 1 / 64  # the middle of a bin, where the table is exact
    add_context(found, measures, around, np.int64(odds * UNIT), features[:, len(FEATURES) :])
    wanted = twin(found, measures[:, WORDS] + 1, around, odds)
    assert features.shape[1] == len(FEATURES) + len(CONTEXT)
    np.testing.assert_allclose(features[:, len(FEATURES) :], wanted, rtol=1e-3, atol=1e-4)


def test_a_grown_page_has_its_new_text_behind_a_paragraph_and_in_its_gold():
    paragraph = "A paragraph with more than eighty characters, so that it counts as one & not as a mere line."
    lines = [f"Line {number} of other pages is here for paragraphs, {'and on ' * 8}" for number in range(9)]
    lines += [f"A short line, number {number}" for number in range(9)]
    before = PAGE.format(f"<p>{paragraph.replace('&', '&amp;')}</p><p>The end.</p>")
    after, gold = grown(before, f"{paragraph}\nThe end.", lines)
    kept, end = before.split("<p>The end.")
    assert after.startswith(kept) and after.endswith(f"<p>The end.{end}")
    assert gold.startswith(f"{paragraph}\n") and gold.endswith("\nThe end.")
    assert len(gold.split("\n")) - 2 >= min(GROWTH)
    text = blocks(np.frombuffer(after.encode(), np.uint8)).text.tobytes().decode()
    assert all("".join(line.split()) in "".join(text.split()) for line in gold.split("\n")[1:-1])
    assert grown(before, "A short text.", lines) is None


def test_without_case_nothing_is_left_of_capitals_and_stops():
    measures = measure(blocks(np.frombuffer(b"<p>One sentence. And another.</p><p>3 items:</p>", np.uint8)))
    made = without_case(measures)
    assert made[:, [CAPITALS, SENTENCES]].sum() == 0 < measures[:, [CAPITALS, SENTENCES]].sum()
    assert (made[0, FIRST], made[0, LAST]) != (measures[0, FIRST], measures[0, LAST])
    assert (made[1, FIRST], made[1, LAST]) == (measures[1, FIRST], measures[1, LAST])
    assert (made[:, WORDS] == measures[:, WORDS]).all()


def test_a_translated_page_has_other_lengths_and_the_same_blocks():
    measures = measure(page(30))
    made = [translated(measures, seed) for seed in range(20)]
    assert all(each.shape == measures.shape and (each[:, :CAPITALS] >= 0).all() for each in made)
    shares = [each[:, WORDS].sum() / measures[:, WORDS].sum() for each in made]
    assert 0.55 < min(shares) < 0.9
    assert 1.1 < max(shares) < 1.65
    assert 5 <= sum(each[:, CAPITALS].sum() == 0 for each in made) <= 15
    assert (translated(measures, 3) == made[3]).all()
