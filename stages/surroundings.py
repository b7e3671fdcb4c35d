"""What the elements around a block say of it: their class names, how much text they hold, what repeats.

Three passes over the elements and blocks of a page: down from the root (class names), up to it (text), and
one that counts what looks alike.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import (
    CONCEALED,
    OWNER,
    PARENT,
    SIGNATURE,
    TAG_NUMBER,
    TOKENS,
    TOKENS_END,
    Page,
)  # fmt: skip
from stages.markup import Table
from stages.measures import CHARACTERS, COMMAS, HASH, LINK_CHARACTERS, WORDS, Measures
from stages.tags import COUNT, TAG, names

Floats = NDArray[np.float32]

# Kinds of elements of which a block can be inside.
INSIDE = names(
    "article main nav header footer aside form list table figure section blockquote noscript button dl "
    "details heading address pre dialog"
)
_INSIDE_OF = {
    "list": "ul ol menu",
    "heading": "h1 h2 h3 h4 h5 h6",
    "form": "form fieldset label",
    "details": "details summary",
}
INSIDE_BITS = np.zeros(COUNT, np.int32)  # of an element, by its number: a bit for each kind
for _bit, _kind in enumerate(INSIDE):
    for _name in _INSIDE_OF.get(_kind, _kind).split():
        INSIDE_BITS[TAG[_name]] |= 1 << _bit

# Columns of the table of elements: scores of class tokens (own, and sum, least and most from the root down to
# here), text below (characters, linked ones, blocks, tenths of words, characters in plain paragraphs,
# commas), and how much prose there is nearby (after Readability).
OWN, CHAIN, LEAST, MOST, BELOW, LINKED, BLOCKS, WORDS_BELOW, PLAIN, COMMAS_BELOW, PROSE = range(11)
# Columns of the table of containers: the two nearest elements around (itself included) that have siblings of
# the same signature: how many, which of them it is, its text as a share of the longest.
NUMBER, ORDINAL, WEIGHT_SHARE = range(3)
# Columns of the table of groups: blocks, characters, linked characters.
MEMBERS, MEMBER_CHARACTERS, MEMBER_LINKS = range(3)
WEIGHT = np.float32(1 / 1024)  # class scores are sums of integers, so that they are the same on every machine

_P = TAG["p"]
_MIX = np.int64(-7046029254386353131)


class Surroundings(NamedTuple):
    """Of each element (the first four) and of each block (the next three)."""

    elements: Floats  # [elements, 11]
    inside: Table  # [elements, 4]: INSIDE bits; hidden; hashes of signatures and of tags from the root
    alike: Table  # [elements]: siblings of the same signature, itself included
    containers: Floats  # [elements, 6]: nearest, and next, element around that has such siblings
    paths: Table  # [blocks]: its row in `groups`: of blocks whose elements have the same signatures above
    shapes: Table  # [blocks]: the same by tags alone
    copies: Table  # [blocks, 2]: earlier blocks of the same text; all others
    groups: Floats  # [rows, 3]
    keys: NDArray[np.int64]  # a hash table: keys, values, and two more values
    values: Table
    most: Floats


def nothing_known(page: Page) -> Surroundings:
    """Room for the surroundings in a page."""
    elements, count = len(page.elements), len(page.blocks)
    size = 1 << max(6, int(2 * (elements + 2 * count)).bit_length())
    return Surroundings(
        np.zeros((elements, 11), np.float32),
        np.zeros((elements, 4), np.int32),
        np.zeros(elements, np.int32),
        np.zeros((elements, 6), np.float32),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.zeros((count, 2), np.int32),
        np.zeros((2 * count + 1, 3), np.float32),
        np.zeros(size, np.int64),
        np.zeros(size, np.int32),
        np.zeros((size, 2), np.float32),
    )


@lean
def survey(page: Page, measures: Measures, weights: Table, around: Surroundings) -> None:
    """Look around. `weights` are those of class tokens, by their lowest bits, in units of WEIGHT."""
    _down(page, weights, around)
    _up(page, measures, around)
    _count_siblings(page, around)
    _count_blocks(page, measures, around)


@lean
def _down(page: Page, weights: Table, around: Surroundings) -> None:
    """What comes from the root: class scores, kinds of elements, paths."""
    for row in range(1, len(page.elements)):
        parent, tag = page.elements[row, PARENT], page.elements[row, TAG_NUMBER]
        own = token_score(page, page.elements[row, TOKENS], page.elements[row, TOKENS_END], weights)
        around.elements[row, OWN] = own
        around.elements[row, CHAIN] = around.elements[parent, CHAIN] + own
        around.elements[row, LEAST] = min(around.elements[parent, LEAST], own)
        around.elements[row, MOST] = max(around.elements[parent, MOST], own)
        around.inside[row, 0] = around.inside[parent, 0] | INSIDE_BITS[tag]
        around.inside[row, 1] = around.inside[parent, 1] | page.elements[row, CONCEALED]
        around.inside[row, 2] = _mixed(around.inside[parent, 2], page.elements[row, SIGNATURE])
        around.inside[row, 3] = _mixed(around.inside[parent, 3], tag)


@lean
def token_score(page: Page, start: int, end: int, weights: Table) -> np.float32:
    """The sum of the weights of class tokens."""
    score = 0
    for place in range(start, end):
        score += weights[page.tokens[place] & np.uint32(weights.size - 1)]
    return np.float32(np.float32(score) * WEIGHT)


@lean
def _up(page: Page, measures: Measures, around: Surroundings) -> None:
    """What goes to the root: text below each element, and prose near it."""
    below = around.elements
    for block in range(len(page.blocks)):
        owner = page.blocks[block, OWNER]
        characters, linked = measures[block, CHARACTERS], measures[block, LINK_CHARACTERS]
        below[owner, BELOW] += characters
        below[owner, LINKED] += linked
        below[owner, BLOCKS] += 1
        below[owner, WORDS_BELOW] += measures[block, WORDS]
        below[owner, COMMAS_BELOW] += measures[block, COMMAS]
        if page.elements[owner, TAG_NUMBER] == _P and 5 * linked < 2 * characters:
            below[owner, PLAIN] += characters
        if measures[block, WORDS] >= 80 and 2 * linked < characters:
            value = 1 + measures[block, COMMAS] + min(characters / 100, 3.0)
            value *= 1 - linked / characters
            element = owner if page.elements[owner, TAG_NUMBER] != _P else page.elements[owner, PARENT]
            for level in range(4):
                if element == 0:
                    break
                below[element, PROSE] += value / (1, 2, 6, 9)[level]
                element = page.elements[element, PARENT]
    for row in range(len(page.elements) - 1, 0, -1):
        for column in range(BELOW, PROSE):
            below[page.elements[row, PARENT], column] += below[row, column]


@lean
def _count_siblings(page: Page, around: Surroundings) -> None:
    """Which children of one parent have the same tag and classes, and which of them have how much text."""
    keys, values, most = around.keys, around.values, around.most
    for row in range(1, len(page.elements)):
        slot = _slot(keys, _kinship(page, row))
        values[slot] += 1
        most[slot, 0] = max(most[slot, 0], around.elements[row, BELOW])
    for row in range(1, len(page.elements)):
        slot = _slot(keys, _kinship(page, row))
        around.alike[row] = values[slot]
        here, parent = around.containers[row], around.containers[page.elements[row, PARENT]]
        text = around.elements[row, BELOW]
        if values[slot] > 1 and text > 0:
            here[NUMBER], here[ORDINAL], here[WEIGHT_SHARE] = (
                values[slot],
                most[slot, 1],
                text / most[slot, 0],
            )
            for column in range(3):
                here[3 + column] = parent[column]
        else:
            for column in range(6):
                here[column] = parent[column]
        most[slot, 1] += 1


@lean
def _kinship(page: Page, row: int) -> np.int64:
    """The same of two elements if they have the same parent, tag and classes."""
    return np.int64(page.elements[row, PARENT]) << 32 ^ np.int64(page.elements[row, SIGNATURE])


@lean
def _count_blocks(page: Page, measures: Measures, around: Surroundings) -> None:
    """Which blocks are of one kind, by the path to them; which have the same text."""
    keys, values = around.keys, around.values
    keys[:] = 0
    values[:] = 0
    used = 1  # row 0 is nobody's
    for block in range(len(page.blocks)):
        owner = page.blocks[block, OWNER]
        for which in range(2):
            key = np.int64(around.inside[owner, 2 + which]) * 4 + which
            slot = _slot(keys, key)
            if values[slot] == 0:
                values[slot] = used
                used += 1
            group = values[slot]
            if which == 0:
                around.paths[block] = group
            else:
                around.shapes[block] = group
            around.groups[group, MEMBERS] += 1
            around.groups[group, MEMBER_CHARACTERS] += measures[block, CHARACTERS]
            around.groups[group, MEMBER_LINKS] += measures[block, LINK_CHARACTERS]
        slot = _slot(keys, np.int64(measures[block, HASH]) * 4 + 2)
        around.copies[block, 0] = values[slot]
        values[slot] += 1
    for block in range(len(page.blocks)):
        around.copies[block, 1] = values[_slot(keys, np.int64(measures[block, HASH]) * 4 + 2)] - 1


@lean
def _mixed(path: int, step: int) -> np.int32:
    return np.int32((np.int64(path) * 1000003 + step + 1) & 0x7FFFFFFF)


@lean
def _slot(keys: NDArray[np.int64], key: np.int64) -> int:
    """Where a key is in a hash table with open addressing, or may be put."""
    key = key if key != 0 else np.int64(1)
    place = int((key * _MIX) >> 20) & (keys.size - 1)
    while keys[place] != 0 and keys[place] != key:
        place = (place + 1) & (keys.size - 1)
    keys[place] = key
    return place
