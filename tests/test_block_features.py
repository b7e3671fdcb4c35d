"""Every feature of a block by name, against a plain twin: lists of elements and blocks, loops and dicts."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pytest
from nested import Block, Element, elements, made_page, read, text_blocks
from numpy.typing import NDArray

from stages.block_features import FEATURES, GROUPS, describe
from stages.blocks import Page
from stages.context import CONTEXT
from stages.declared import DECLARED
from stages.measures import (
    BARS,
    BOLD_CHARACTERS,
    CAPITALS,
    CHARACTERS,
    COLONS,
    COMMAS,
    DIGITS,
    FIRST,
    HASH,
    LAST,
    LINK_CHARACTERS,
    SENTENCES,
    WORDS,
    measure,
)
from stages.tags import TAG, names
from stages.titles import TITLED, room_for, titled

WEIGHTS = np.random.default_rng(4).integers(-3000, 3000, 1 << 10, np.int32)
FAR, LONG, NONE = 40, 4000, 99
NEAR, AROUND = ("words", "link_share", "kin"), ("number", "ordinal", "share")
KINDS = "article main nav header footer aside table figure section blockquote noscript button dl address pre"
INSIDE = {
    **{kind: kind for kind in names(KINDS)},
    "dialog": "dialog",
    "form": "form fieldset label",
    "list": "ul ol menu",
    "details": "details summary",
    "heading": "h1 h2 h3 h4 h5 h6",
}

Row = dict[str, float]


def share(part: float, whole: float) -> float:
    return part / max(whole, 1)


class Twin:
    """A page in plain objects; each method gives some of the features of a block, by name."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.elements: list[Element] = elements(page)
        self.blocks: list[Block] = text_blocks(page)
        self.owners = [self.elements[block.owner] for block in self.blocks]
        self.measures: list[list[int]] = [*map(list, measure(page).tolist())]
        self.everything = range(len(self.blocks))
        self.inside: list[list[int]] = [[] for _ in self.elements]  # the blocks in each element
        for k, owner in enumerate(self.owners):
            for row in (0, *owner.path):
                self.inside[row].append(k)
        self.families: dict[tuple[int, int], list[int]] = {}  # siblings of the same tag and classes
        for each in self.elements[1:]:
            self.families.setdefault((each.parent, each.signature), []).append(each.number)
        self.best = self.best_element()
        self.best_blocks = self.inside[self.best]

    def rows(self) -> Iterator[Row]:
        for k in self.everything:
            yield {
                **self.own(k),
                **{f"in_{kind}": self.is_in(k, names(tags)) for kind, tags in INSIDE.items()},
                **self.chain(k),
                **self.place(k),
                **self.near(k),
                **self.above(k),
                **self.alike(k),
                **self.of_page,
                **self.beside_best(k),
                **self.after_headings(k),
                **self.containers(k),
                **dict(zip(TITLED, self.titles[k], strict=True)),
                **{name: self.page.declared >> bit & 1 for bit, name in enumerate(DECLARED)},
            }

    def total(self, column: int, of: list[int] | range) -> int:
        return sum(self.measures[k][column] for k in of)

    def linked_share(self, of: list[int] | range) -> float:
        return share(self.total(LINK_CHARACTERS, of), self.total(CHARACTERS, of))

    def score(self, tokens: list[int]) -> float:
        return sum(int(WEIGHTS[token % WEIGHTS.size]) for token in tokens) / 1024

    def is_in(self, k: int, tags: list[str]) -> bool:
        return any(self.elements[row].tag in tags for row in self.owners[k].path)

    def group(self, k: int) -> int:
        return int(GROUPS[TAG[self.owners[k].tag]]) if self.owners[k].tag else 0

    def own(self, k: int) -> Row:
        m, block = self.measures[k], self.blocks[k]
        words, characters = m[WORDS] / 10, m[CHARACTERS]
        return {
            "words": words,
            "characters": characters,
            "link_share": self.linked_share([k]),
            "links": block.links,
            "word_length": share(characters, words),
            "commas_a_word": share(m[COMMAS], words),
            "sentences_a_word": share(m[SENTENCES], words),
            "sentences": m[SENTENCES],
            "last": m[LAST],
            "first": m[FIRST],
            "digit_share": share(m[DIGITS], characters),
            "capital_share": share(m[CAPITALS], words),
            "bars": m[BARS],
            "breaks": block.breaks,
            "images": block.images,
            "bold_share": share(m[BOLD_CHARACTERS], characters),
            "colons": m[COLONS],
            "tag": self.group(k),
        }

    def chain(self, k: int) -> Row:
        """Of the class names from the page down to the block."""
        owner = self.owners[k]
        scores = [0.0, *(self.score(self.elements[row].tokens) for row in owner.path)]
        return {
            "hidden": any(self.elements[row].hidden for row in owner.path),
            "depth": len(owner.path),
            "own_score": scores[-1],
            "chain_score": sum(scores),
            "least_score": min(scores),
            "most_score": max(scores),
            "inline_score": self.score(self.blocks[k].tokens),
            "parent_score": scores[-2] if len(scores) > 1 else 0,
        }

    def text_share(self, k: int) -> float:
        return (1 + self.total(CHARACTERS, range(k))) / (1 + self.total(CHARACTERS, self.everything))

    def place(self, k: int) -> Row:
        count = len(self.blocks)
        return {
            "block_share": k / count,
            "text_share": self.text_share(k),
            "blocks_before": min(k, FAR),
            "blocks_after": min(count - k, FAR),
            "text_before": min(1 + self.total(CHARACTERS, range(k)), LONG),
            "text_after": min(self.total(CHARACTERS, range(k, count)), LONG),
        }

    def near(self, k: int) -> Row:
        row: Row = {}
        for step in (-3, -2, -1, 1, 2, 3):
            values: list[float] = [-1, -1, -1]
            if 0 <= k + step < len(self.blocks):
                kin = self.owners[k + step].parent == self.owners[k].parent
                values = [self.measures[k + step][WORDS] / 10, self.linked_share([k + step])]
                values.append(self.group(k + step) if abs(step) == 1 else kin)
            row |= {f"{name}{step:+d}": x for name, x in zip(NEAR, values, strict=True)}
        return row

    def above(self, k: int) -> Row:
        row: Row = {}
        upwards = [*self.owners[k].path[::-1], *[0] * 6]
        for level, steps in enumerate((0, 1, 2, 3, 5)):
            inside = self.inside[upwards[steps]]
            row[f"characters^{level}"] = self.total(CHARACTERS, inside)
            row[f"link_share^{level}"] = self.linked_share(inside)
            row[f"text_share^{level}"] = share(
                self.total(CHARACTERS, inside), self.total(CHARACTERS, self.everything)
            )
            row[f"words_a_block^{level}"] = share(self.total(WORDS, inside), len(inside))
        return row

    def kin(self, row: int) -> list[int]:
        """Siblings of the same tag and classes, itself included; the page has none."""
        return self.families.get((self.elements[row].parent, self.elements[row].signature), []) if row else []

    def alike(self, k: int) -> Row:
        owner = self.owners[k]
        siblings = [other for other in self.elements[1:] if other.parent == owner.parent]
        inside = bool(owner.path)
        row: Row = {"siblings_alike": len(self.kin(owner.number))}
        row["siblings"] = len(siblings) if inside else 0
        for name, told in (("path", self.signatures), ("shape", self.tags)):
            members = [other for other in self.everything if told[other] == told[k]]
            members *= 1 if inside else 2  # what is in no element counts twice, as the model learned it
            text = self.total(CHARACTERS, members)
            row[f"{name}_members"] = len(members)
            row[f"{name}_text_share"] = share(text, self.total(CHARACTERS, self.everything))
            row[f"{name}_link_share"] = self.linked_share(members)
            row[f"{name}_length"] = share(text, len(members))
        copies = [other for other in self.everything if self.measures[other][HASH] == self.measures[k][HASH]]
        return row | {"earlier_copies": copies.index(k), "copies": len(copies) - 1}

    @cached_property
    def signatures(self) -> list[list[int]]:
        return [[self.elements[row].signature for row in owner.path] for owner in self.owners]

    @cached_property
    def tags(self) -> list[list[str]]:
        return [[self.elements[row].tag for row in owner.path] for owner in self.owners]

    def plain_share(self, element: int) -> float:
        """How much of an element's text is in paragraphs that are hardly linked."""
        inside = self.inside[element]
        plain = [k for k in inside if self.owners[k].tag == "p" and self.linked_share([k]) < 0.4]
        plain = [k for k in plain if 5 * self.measures[k][LINK_CHARACTERS] < 2 * self.measures[k][CHARACTERS]]
        return share(self.total(CHARACTERS, plain), self.total(CHARACTERS, inside))

    @cached_property
    def of_page(self) -> Row:
        page = self.everything
        characters, tags = self.total(CHARACTERS, page), Counter(each.tag for each in self.elements)
        told = [k for k in page if self.is_in(k, ["article", "main"])]
        return {
            "page_characters": characters,
            "page_link_share": self.linked_share(page),
            "page_blocks": len(page),
            "page_article_share": share(self.total(CHARACTERS, told), characters),
            "page_articles": tags["article"],
            "page_mains": tags["main"],
            "page_plain_share": self.plain_share(0),
            "page_headings": sum(owner.tag == "h1" for owner in self.owners),
            "page_best_share": share(self.total(CHARACTERS, self.inside[self.best]), characters),
            "page_commas_a_word": share(self.total(COMMAS, page) * 10, self.total(WORDS, page)),
        }

    @cached_property
    def prose(self) -> list[np.float32]:
        """After Readability: what paragraphs are worth to the four elements around them; in its precision."""
        found = [np.float32(0)] * len(self.elements)
        for k in self.everything:
            linked = self.linked_share([k])
            if self.measures[k][WORDS] < 80 or linked >= 0.5:
                continue
            value = 1 + self.measures[k][COMMAS] + min(self.measures[k][CHARACTERS] / 100, 3)
            path = self.owners[k].path[: -1 if self.owners[k].tag == "p" else None]
            for element, part in zip(path[::-1], (1, 2, 6, 9), strict=False):
                found[element] = np.float32(float(found[element]) + value * (1 - linked) / part)
        return found

    def best_element(self) -> int:
        values = [
            np.float32(float(self.prose[row]) * (1 - self.linked_share(self.inside[row])))
            for row in range(1, len(self.elements))
        ]
        return 1 + values.index(max(values)) if values else 0

    def beside_best(self, k: int) -> Row:
        """Where a block is with regard to the best element; how much prose there is around."""
        owner, best, inside = self.owners[k], self.elements[self.best], self.best_blocks
        shared = sum(a == b for a, b in zip(owner.path, best.path, strict=False))
        first, last = (inside[0], inside[-1]) if inside else (-1, -1)
        distance = k - first if k < first else max(k - last, 0)
        return {
            "in_best": k in inside,
            "depth_to_best": len(best.path) - shared,
            "depth_from_best": len(owner.path) - shared,
            "blocks_to_best": max(min(distance, FAR), -FAR),
            "prose": float(self.prose[owner.number]),
            "parent_prose": float(self.prose[owner.parent]),
            "best_link_share": self.linked_share(self.inside[self.best]),
            "text_from_best": self.text_share(k) - self.text_share(first) if inside else -NONE,
            "best_prose": float(self.prose[self.best]),
            "plain_share": self.plain_share(owner.number),
            "parent_plain_share": self.plain_share(owner.parent),
        }

    def after_headings(self, k: int) -> Row:
        titles = [other for other in self.everything if self.owners[other].tag == "h1"]
        headings = [other for other in range(k + 1) if self.owners[other].tag in ("h1", "h2", "h3")]
        return {
            "blocks_from_title": min(k - titles[0], FAR) if titles else -NONE,
            "blocks_from_heading": min(k - headings[-1], FAR) if headings else NONE,
            "text_from_title": self.text_share(k) - self.text_share(titles[0]) if titles else -NONE,
        }

    def containers(self, k: int) -> Row:
        """The two nearest elements around that have siblings alike."""
        around = [row for row in self.owners[k].path[::-1] if len(self.kin(row)) > 1]
        row: Row = {}
        for level in (1, 2):
            values = [0.0, 0.0, 0.0]
            if len(around) >= level:
                numbers = self.kin(around[level - 1])
                texts = [self.total(CHARACTERS, self.inside[number]) for number in numbers]
                which = numbers.index(around[level - 1])
                values = [len(numbers), which, texts[which] / max(texts)]
            row |= {f"container_{name}^{level}": x for name, x in zip(AROUND, values, strict=True)}
        return row

    @cached_property
    def titles(self) -> list[list[float]]:
        """By the kernel itself: test_titles.py has a twin of it."""
        out = np.zeros((len(self.blocks), len(TITLED)), np.float32)
        titled(self.page, measure(self.page), room_for(self.page), out)
        return out.tolist()


def check(page: Page) -> NDArray[np.float32]:
    found, _ = describe(page, measure(page), WEIGHTS)
    assert found.shape == (len(page.blocks), len(FEATURES) + len(CONTEXT))
    assert not found[:, len(FEATURES) :].any()
    rows = list(Twin(page).rows())
    for k, row in enumerate(rows):
        assert sorted(row) == sorted(FEATURES)
        wanted = np.array([row[name] for name in FEATURES], np.float32)
        same = np.isclose(found[k, : len(FEATURES)], wanted, rtol=1e-6, atol=1e-6)
        wrong = {FEATURES[at]: (found[k, at], wanted[at]) for at in np.flatnonzero(~same)}
        assert not wrong, k
    return found


@pytest.mark.parametrize("seed", range(60))
def test_features_are_those_of_a_plain_twin(seed: int) -> None:
    check(made_page(seed))


def test_no_feature_is_the_same_on_all_these_pages() -> None:
    pages = [made_page(seed) for seed in range(60)]
    found = np.concatenate([describe(page, measure(page), WEIGHTS)[0] for page in pages])
    assert [name for at, name in enumerate(FEATURES) if len(set(found[:, at].tolist())) < 2] == []


def named(found: NDArray[np.float32], name: str) -> list[float]:
    return [round(float(value), 3) for value in found[:, FEATURES.index(name)]]


PROSE = "Eight words or more, so that it counts as prose, and a comma."


def test_an_article_among_links_as_a_person_would_describe_it() -> None:
    page = read(
        "<title>My long title of it</title><body>"
        "<nav hidden><ul><li><a href=/>Home</a><li class=on><a href=/b>Blog 2</a></ul></nav>"
        f"<main><article><h1>My long title</h1><p>{PROSE}</p><p>{PROSE} <b>Bold</b></p></article></main>"
        "<footer><p><a href=/>Home</a></footer>"
    )
    found = check(page)
    assert named(found, "link_share") == [1, 1, 0, 0, 0, 1]
    assert named(found, "hidden") == named(found, "in_nav") == named(found, "in_list") == [1, 1, 0, 0, 0, 0]
    assert (
        named(found, "in_main") == named(found, "in_article") == named(found, "in_best") == [0, 0, 1, 1, 1, 0]
    )
    assert named(found, "in_heading") == [0, 0, 1, 0, 0, 0]
    assert named(found, "depth") == [4, 4, 4, 4, 4, 3]
    assert named(found, "digit_share") == [0, round(1 / 6, 3), 0, 0, 0, 0]
    assert named(found, "bold_share")[4] == round(5 / (len(PROSE) + 5), 3)  # with the blank before it
    assert named(found, "copies") == [1, 0, 0, 0, 0, 1]
    assert named(found, "earlier_copies") == [0, 0, 0, 0, 0, 1]
    assert named(found, "path_members") == [1, 1, 1, 2, 2, 1]
    assert named(found, "shape_members") == [2, 2, 1, 2, 2, 1]
    assert named(found, "blocks_to_best") == [-2, -1, 0, 0, 0, 1]
    assert named(found, "blocks_from_title") == [-2, -1, 0, 1, 2, 3]
    assert named(found, "blocks_from_named") == [-99, -99, 0, 1, 2, 3]
    assert named(found, "blocks_from_heading") == [99, 99, 0, 1, 2, 3]
    assert named(found, "container_number^1") == [0, 0, 0, 2, 2, 0]
    assert named(found, "container_ordinal^1") == [0, 0, 0, 0, 1, 0]
    assert named(found, "page_blocks") == [6] * 6 and named(found, "page_headings") == [1] * 6


@pytest.mark.parametrize(
    "html",
    [
        "words",
        "<p>a",
        "<div><div></div></div>a<p>b",
        "<body>a<nav></nav>b",
        "<ul>" + "<li class=a>x<li>y, 1" * 30 + "</ul>",
        "<div>" * 9 + f"a<p>{PROSE}" + "</div>b" * 9,
        f"<section>{PROSE}<p>{PROSE * 70}</p></section>" * 2,
        "<p>" + "".join(f"<a href=/>{letter * 40}</a>" for letter in "abc") + PROSE,
        "<p>在阳台上，建一个小气象站。" * 50 + "<h3>สวัสดี</h3><p>مرحبا، नमस्ते। Привет!",
    ],
)
def test_odd_pages_have_the_features_of_the_twin(html: str) -> None:
    check(read(html))


def test_a_page_without_text_has_no_features() -> None:
    assert describe(read("<p><img>"), measure(read("<p><img>")), WEIGHTS)[0].shape[0] == 0
