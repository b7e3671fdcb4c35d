"""A row of numbers for each block of a page: what the trees look at.

Trees care only for the order of values, so there are no logarithms here, and every value is made of sums and
one division: the same bits on every machine.
"""

import numpy as np

from classifiers.kernel import lean
from stages.blocks import (
    BREAKS,
    CHILDREN,
    DEPTH,
    IMAGES,
    INLINE,
    INLINE_END,
    LINKS,
    OWNER,
    PARENT,
    TAG_NUMBER,
    Page,
)
from stages.context import CONTEXT
from stages.declared import DECLARED
from stages.markup import Table
from stages.measures import (
    BARS,
    BOLD_CHARACTERS,
    CAPITALS,
    CHARACTERS,
    COLONS,
    COMMAS,
    DIGITS,
    FIRST,
    LAST,
    LINK_CHARACTERS,
    SENTENCES,
    WORDS,
    Measures,
)
from stages.surroundings import (
    BELOW,
    BLOCKS,
    CHAIN,
    COMMAS_BELOW,
    INSIDE,
    LEAST,
    LINKED,
    MEMBER_CHARACTERS,
    MEMBER_LINKS,
    MEMBERS,
    MOST,
    OWN,
    PLAIN,
    PROSE,
    WORDS_BELOW,
    Floats,
    Surroundings,
    nothing_known,
    survey,
    token_score,
)
from stages.tags import COUNT, TAG, names
from stages.titles import TITLED, Title, room_for, titled

_OWN = names(
    "words characters link_share links word_length commas_a_word sentences_a_word sentences last first "
    "digit_share capital_share bars breaks images bold_share colons tag"
)
_CHAIN = names("hidden depth own_score chain_score least_score most_score inline_score parent_score")
_PLACE = ["block_share", "text_share", "blocks_before", "blocks_after", "text_before", "text_after"]
_NEAR = [f"{name}{at:+d}" for at in (-3, -2, -1, 1, 2, 3) for name in ("words", "link_share", "kin")]
_ABOVE = [
    f"{name}^{level}"
    for level in range(5)
    for name in ("characters", "link_share", "text_share", "words_a_block")
]
_ALIKE = names(
    "siblings_alike siblings path_members path_text_share path_link_share path_length shape_members "
    "shape_text_share shape_link_share shape_length earlier_copies copies"
)
_PAGE = names(
    "page_characters page_link_share page_blocks page_article_share page_articles page_mains "
    "page_plain_share page_headings page_best_share page_commas_a_word"
)
_BEST = names(
    "in_best depth_to_best depth_from_best blocks_to_best blocks_from_title blocks_from_heading prose "
    "parent_prose text_from_title best_link_share text_from_best best_prose plain_share "
    "parent_plain_share"
)
_AROUND = [f"container_{name}^{level}" for level in (1, 2) for name in ("number", "ordinal", "share")]
FEATURES = [*_OWN, *(f"in_{kind}" for kind in INSIDE), *_CHAIN, *_PLACE, *_NEAR, *_ABOVE, *_ALIKE, *_PAGE]
FEATURES += [*_BEST, *_AROUND, *TITLED, *DECLARED]
_INSIDE_AT = len(_OWN)
_CHAIN_AT = _INSIDE_AT + len(INSIDE)
_PLACE_AT = _CHAIN_AT + len(_CHAIN)
_NEAR_AT = _PLACE_AT + len(_PLACE)
_ABOVE_AT = _NEAR_AT + len(_NEAR)
_ALIKE_AT = _ABOVE_AT + len(_ABOVE)
_PAGE_AT = _ALIKE_AT + len(_ALIKE)
_BEST_AT = _PAGE_AT + len(_PAGE)
_AROUND_AT = _BEST_AT + len(_BEST)
_TITLED_AT = _AROUND_AT + len(_AROUND)
_DECLARED_AT = _TITLED_AT + len(TITLED)
_INSIDE_COUNT, _DECLARED_COUNT = len(INSIDE), len(DECLARED)

# Elements by what they usually hold, as one ordinal feature.
GROUPS = np.zeros(COUNT, np.int32)
for _group, _members in enumerate(
    names(
        "p h1 h2 h3 h4,h5,h6 li td th div span dt dd blockquote pre figcaption button label section body "
        "article ul,ol,menu,dl header footer tr a form aside nav main summary address caption"
    ),
    1,
):
    for _name in _members.split(","):
        GROUPS[TAG[_name]] = _group
_H1, _H2, _H3, _ARTICLE, _MAIN = (TAG[name] for name in ["h1", "h2", "h3", "article", "main"])
# Distances beyond these are all the same: a book goes on for hundreds of blocks, and all of it is main text.
_FAR = 40  # blocks
_LONG = 4_000  # characters
_NONE = 99  # where there is nothing to be far from


def describe(page: Page, measures: Measures, weights: Table) -> tuple[Floats, Surroundings]:
    """The features of every block, with room for their context: [blocks, features + context]; what is around.

    `weights` are those of class tokens.
    """
    out = np.zeros((len(page.blocks), len(FEATURES) + len(CONTEXT)), np.float32)
    path = np.zeros((len(page.elements), 2), np.int32)
    around = nothing_known(page)
    if len(out):
        _describe(page, measures, weights, around, room_for(page), path, out)
    return out, around


@lean
def _describe(
    page: Page,
    measures: Measures,
    weights: Table,
    around: Surroundings,
    title: Title,
    path: Table,
    out: Floats,
) -> None:
    """Fill `out`; `around`, `title` and `path` are room for what is found on the way."""
    survey(page, measures, weights, around)
    _own(page, measures, around, weights, out)
    _places(measures, out)
    _near(page, measures, out)
    _above(page, around, out)
    _alike(page, around, out)
    best = best_element(page, around)
    _page(page, measures, around, best, out)
    _best(page, around, best, path, out)
    titled(page, measures, title, out[:, _TITLED_AT:_DECLARED_AT])
    for block in range(len(out)):
        containers = around.containers[page.blocks[block, OWNER]]
        for column in range(containers.size):
            out[block, _AROUND_AT + column] = containers[column]
        for bit in range(_DECLARED_COUNT):
            out[block, _DECLARED_AT + bit] = page.declared >> bit & 1


@lean
def _share(part: float, whole: float) -> float:
    """part / whole, where an empty whole counts as one."""
    return part / whole if whole > 1 else part / 1.0


@lean
def _own(page: Page, measures: Measures, around: Surroundings, weights: Table, out: Floats) -> None:
    """What a block is by itself, what it is inside of, and what its class names say."""
    for block in range(len(page.blocks)):
        m, x, row = measures[block], out[block], page.blocks[block]
        owner = row[OWNER]
        words, characters = m[WORDS] / 10.0, float(m[CHARACTERS])
        x[0], x[1], x[2] = words, characters, _share(m[LINK_CHARACTERS], characters)
        x[3], x[4], x[5] = row[LINKS], _share(characters, words), _share(m[COMMAS], words)
        x[6], x[7], x[8], x[9] = _share(m[SENTENCES], words), m[SENTENCES], m[LAST], m[FIRST]
        x[10], x[11], x[12] = _share(m[DIGITS], characters), _share(m[CAPITALS], words), m[BARS]
        x[13], x[14], x[15] = row[BREAKS], row[IMAGES], _share(m[BOLD_CHARACTERS], characters)
        x[16], x[17] = m[COLONS], GROUPS[page.elements[owner, TAG_NUMBER]]
        for bit in range(_INSIDE_COUNT):
            x[_INSIDE_AT + bit] = around.inside[owner, 0] >> bit & 1
        scores = around.elements[owner]
        x[_CHAIN_AT], x[_CHAIN_AT + 1] = around.inside[owner, 1], page.elements[owner, DEPTH]
        x[_CHAIN_AT + 2], x[_CHAIN_AT + 3] = scores[OWN], scores[CHAIN]
        x[_CHAIN_AT + 4], x[_CHAIN_AT + 5] = scores[LEAST], scores[MOST]
        x[_CHAIN_AT + 6] = token_score(page, row[INLINE], row[INLINE_END], weights)
        x[_CHAIN_AT + 7] = around.elements[page.elements[owner, PARENT], OWN]


@lean
def _places(measures: Measures, out: Floats) -> None:
    """Where in the page a block is."""
    total = 1.0
    for block in range(len(out)):
        total += measures[block, CHARACTERS]
    before = 1.0
    for block in range(len(out)):
        x = out[block]
        x[_PLACE_AT], x[_PLACE_AT + 1] = block / len(out), before / total
        x[_PLACE_AT + 2], x[_PLACE_AT + 3] = min(block, _FAR), min(len(out) - block, _FAR)
        x[_PLACE_AT + 4], x[_PLACE_AT + 5] = min(before, _LONG), min(total - before, _LONG)
        before += measures[block, CHARACTERS]


@lean
def _near(page: Page, measures: Measures, out: Floats) -> None:
    """Three blocks before and behind: how long, how linked; element of the next, kinship of the others."""
    for block in range(len(out)):
        parent = page.elements[page.blocks[block, OWNER], PARENT]
        at = _NEAR_AT
        for step in (-3, -2, -1, 1, 2, 3):
            other = block + step
            if 0 <= other < len(out):
                owner = page.blocks[other, OWNER]
                out[block, at] = measures[other, WORDS] / 10.0
                out[block, at + 1] = _share(measures[other, LINK_CHARACTERS], measures[other, CHARACTERS])
                if step in (-1, 1):
                    out[block, at + 2] = GROUPS[page.elements[owner, TAG_NUMBER]]
                else:
                    out[block, at + 2] = page.elements[owner, PARENT] == parent
            else:
                out[block, at] = out[block, at + 1] = out[block, at + 2] = -1
            at += 3


@lean
def _above(page: Page, around: Surroundings, out: Floats) -> None:
    """How much text there is below the block's element and its ancestors 1, 2, 3 and 5."""
    for block in range(len(out)):
        element = page.blocks[block, OWNER]
        for level in range(5):
            if level > 0:
                element = page.elements[element, PARENT]
            if level == 4:
                element = page.elements[element, PARENT]
            below = around.elements[element]
            at = _ABOVE_AT + 4 * level
            out[block, at], out[block, at + 1] = below[BELOW], _share(below[LINKED], below[BELOW])
            out[block, at + 2] = _share(below[BELOW], around.elements[0, BELOW])
            out[block, at + 3] = _share(below[WORDS_BELOW], below[BLOCKS])


@lean
def _alike(page: Page, around: Surroundings, out: Floats) -> None:
    """How many others there are of the block's kind, and what they are like."""
    total = around.elements[0, BELOW]
    for block in range(len(out)):
        owner = page.blocks[block, OWNER]
        out[block, _ALIKE_AT] = around.alike[owner]
        out[block, _ALIKE_AT + 1] = page.elements[page.elements[owner, PARENT], CHILDREN] if owner else 0
        for which in range(2):
            group = around.groups[around.paths[block] if which == 0 else around.shapes[block]]
            at = _ALIKE_AT + 2 + 4 * which
            out[block, at], out[block, at + 1] = group[MEMBERS], _share(group[MEMBER_CHARACTERS], total)
            out[block, at + 2] = _share(group[MEMBER_LINKS], group[MEMBER_CHARACTERS])
            out[block, at + 3] = _share(group[MEMBER_CHARACTERS], group[MEMBERS])
        out[block, _ALIKE_AT + 10] = around.copies[block, 0]
        out[block, _ALIKE_AT + 11] = around.copies[block, 1]


@lean
def _page(page: Page, measures: Measures, around: Surroundings, best: int, out: Floats) -> None:
    """What the page as a whole is like."""
    below = around.elements[0]
    main = articles = mains = headings = 0
    for row in range(1, len(page.elements)):
        articles += page.elements[row, TAG_NUMBER] == _ARTICLE
        mains += page.elements[row, TAG_NUMBER] == _MAIN
    for block in range(len(out)):
        owner = page.blocks[block, OWNER]
        main += measures[block, CHARACTERS] if around.inside[owner, 0] & 3 else 0
        headings += page.elements[owner, TAG_NUMBER] == _H1
    for block in range(len(out)):
        x = out[block, _PAGE_AT:]
        x[0], x[1], x[2] = below[BELOW], _share(below[LINKED], below[BELOW]), len(out)
        x[3], x[4], x[5] = _share(main, below[BELOW]), articles, mains
        x[6], x[7], x[8] = (
            _share(below[PLAIN], below[BELOW]),
            headings,
            _share(around.elements[best, BELOW], below[BELOW]),
        )
        x[9] = _share(10 * below[COMMAS_BELOW], below[WORDS_BELOW])


@lean
def best_element(page: Page, around: Surroundings) -> int:
    """The element around most prose and few links: what Readability would take for the main part."""
    best, value = 0, np.float32(-1)
    for row in range(1, len(page.elements)):
        of = around.elements[row]
        found = np.float32(of[PROSE] * (1 - _share(of[LINKED], of[BELOW])))
        if found > value:
            best, value = row, found
    return best


@lean
def _best(page: Page, around: Surroundings, best: int, path: Table, out: Floats) -> None:
    """Where a block is with regard to that element, to the title and to the last heading."""
    first, last = _mark_best(page, best, path)
    title = -1
    heading = -1
    for block in range(len(out)):
        if title < 0 and page.elements[page.blocks[block, OWNER], TAG_NUMBER] == _H1:
            title = block
    for block in range(len(out)):
        owner = page.blocks[block, OWNER]
        parent = page.elements[owner, PARENT]
        before = out[block, _PLACE_AT + 1]
        x = out[block, _BEST_AT:]
        x[0], x[1] = path[owner, 0], page.elements[best, DEPTH] - path[owner, 1]
        x[2] = page.elements[owner, DEPTH] - path[owner, 1]
        x[3] = max(block - first, -_FAR) if block < first else min(max(block - last, 0), _FAR)
        x[4] = min(block - title, _FAR) if title >= 0 else -_NONE
        if page.elements[owner, TAG_NUMBER] in (_H1, _H2, _H3):
            heading = block
        x[5] = min(block - heading, _FAR) if heading >= 0 else _NONE
        x[6], x[7] = around.elements[owner, PROSE], around.elements[parent, PROSE]
        x[8] = before - out[max(title, 0), _PLACE_AT + 1] if title >= 0 else -_NONE
        x[9] = _share(around.elements[best, LINKED], around.elements[best, BELOW])
        x[10] = before - out[max(first, 0), _PLACE_AT + 1] if first >= 0 else -_NONE
        x[11] = around.elements[best, PROSE]
        x[12] = _share(around.elements[owner, PLAIN], around.elements[owner, BELOW])
        x[13] = _share(around.elements[parent, PLAIN], around.elements[parent, BELOW])


@lean
def _mark_best(page: Page, best: int, path: Table) -> tuple[int, int]:
    """Of each element: is it in the best one; depth of the ancestor it shares with it.

    Returns (first, last) block in it.
    """
    path[:, 1] = -1
    element = best
    while element > 0:
        path[element, 1] = page.elements[element, DEPTH]
        element = page.elements[element, PARENT]
    path[0, 1] = 0
    for row in range(1, len(page.elements)):
        parent = page.elements[row, PARENT]
        path[row, 0] = row == best or path[parent, 0] != 0
        if path[row, 1] < 0:
            path[row, 1] = path[parent, 1]
    path[0, 0] = best == 0
    first = last = -1
    for block in range(len(page.blocks)):
        if path[page.blocks[block, OWNER], 0]:
            last = block
            first = block if first < 0 else first
    return first, last
