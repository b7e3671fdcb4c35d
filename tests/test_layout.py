"""Kept blocks on lines, in items and rows, against a twin on a tree; what pages declare, by regex."""

import html
import json
import random
import re

import numpy as np
import pytest
from nested import elements, made_page, read, text_blocks

from stages.declared import _BITS, DECLARED
from stages.layout import lay_out

PAGES = range(60)
ITEM, CELLS = "li", ("td", "th")


def ancestors(tree, number):
    """An element and those around it, innermost first, without the page itself."""
    while number:
        yield number
        number = tree[number].parent


def twin(page, keep):
    """The text by the rules in words: a line a block; items marked once; cells of one block in rows."""
    tree, blocks = elements(page), text_blocks(page)

    def nearest(number, tags, stop=()):
        for each in ancestors(tree, number):
            if tree[each].tag in tags:
                return each
            if tree[each].tag in stop:
                return 0
        return 0

    cells = [nearest(block.owner, CELLS) for block in blocks]
    levels: dict[int, int] = {}
    text, last_row = "", 0
    for number, block in enumerate(blocks):
        if not keep[number]:
            continue
        cell = cells[number]
        row = tree[cell].parent if cell and cells.count(cell) == 1 else 0
        line = ""
        if item := nearest(block.owner, (ITEM,), CELLS):
            begins = item not in levels
            if begins:
                outer = tree[item].parent
                while (outer := nearest(outer, (ITEM,), CELLS)) and outer not in levels:
                    outer = tree[outer].parent
                levels[item] = levels.get(outer, 0) + 1
            line = "  " * min(levels[item] - 1, 7) + ("- " if begins else "")
        text += (" | " if row and row == last_row else "\n" if text else "") + line + block.text
        last_row = row
    return html.unescape(text).replace("\xa0", " ")


@pytest.mark.parametrize("seed", PAGES)
def test_layout_is_that_of_plain_rules(seed):
    page = made_page(seed)
    keep = np.random.default_rng(seed).random(len(page.blocks)) < 0.8
    assert lay_out(page, keep) == twin(page, keep)


def plainly_declared(page):
    """What is in itemtype, og:type and "@type", by regular expressions."""
    found = {re.split(r"[/#:.]", each)[-1] for each in re.findall(r"itemtype='([^']*)'", page)}
    found |= {f"og:{re.split('[:.]', each)[-1]}" for each in re.findall(r"og:type' content='([^']*)'", page)}
    for script in re.findall(r"ld\+json'>(.*?)</script", page, re.DOTALL):
        pending = [json.loads(script)]
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                kinds = value.get("@type", [])
                found.update([kinds] if isinstance(kinds, str) else kinds)
                found.update({"articleBody"} & value.keys())
                pending += [each for each in value.values() if isinstance(each, dict | list)]
            elif isinstance(value, list):
                pending += [each for each in value if isinstance(each, dict | list)]
    bits = 0
    for each in found:
        bits |= _BITS.get(each, 0)
    names = {name for at, name in enumerate(DECLARED) if bits >> at & 1}
    return names | ({"body"} if "articleBody" in found else set())


@pytest.mark.parametrize("seed", PAGES)
def test_what_is_declared_is_what_regular_expressions_find(seed):
    draw = random.Random(seed)
    kinds = [name for name in _BITS if not name.startswith("og:")] + ["Thing", "WebPage"]

    def thing(depth):
        made = {"@type": draw.choice([draw.choice(kinds), draw.sample(kinds, 2)]), "name": draw.choice(kinds)}
        if draw.random() < 0.3:
            made["articleBody"] = "A text, with a \u201cquotation\u201d: Product"
        if depth and draw.random() < 0.7:
            made[draw.choice(("author", "@graph"))] = draw.choice([thing(depth - 1), [thing(depth - 1)]])
        return made

    parts = [
        f"<div itemscope itemtype='https://schema.org/{draw.choice(kinds)}'>x</div>",
        f"<meta property='og:type' content='{draw.choice(['article', 'website', 'og:product', 'x'])}'>",
        f"<script type='application/ld+json'>{json.dumps(thing(2))}</script>",
        f"<script>{json.dumps(thing(1))}</script>",
        "<p>Some text</p>",
    ]
    page = "".join(draw.sample(parts, draw.randint(1, len(parts))))
    declared = read(page).declared
    assert {name for at, name in enumerate(DECLARED) if declared >> at & 1} == plainly_declared(page)
