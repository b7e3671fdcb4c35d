"""Pages of nested elements in many scripts, made by chance; what was read of a page, in plain objects."""

import random
from dataclasses import dataclass

import numpy as np
from scripts import SENTENCES

from stages.blocks import (
    BREAKS,
    CONCEALED,
    IMAGES,
    INLINE,
    INLINE_END,
    LINKED,
    LINKS,
    OWNER,
    PARENT,
    SIGNATURE,
    TAG_NUMBER,
    TEXT,
    TEXT_END,
    TOKENS,
    TOKENS_END,
    Page,
    blocks,
)
from stages.tags import NAMES, names

TEXTS = [
    *SENTENCES.values(),
    "Der Ausschuss tagte am Donnerstag, und man einigte sich: Äpfel und Öl, 3.14 Euro; so sagt er.",
    "Don't stop (ever)! Isn't it \"so\"? Yes... 12:30 | 7 items | e.g. example.org",
    "第１章：「はい」と言った！？、ｗｅｂ・サイト",
    "Η Αθήνα είναι μεγάλη. Česká Łódź — İzmir’s «guide»",
    "12,000",
    "»",
    "- – —",
    "Home",
    "文",
    "&copy; 2026 &amp; Co.",
]
NESTING = names(
    "div div div section article main aside header footer nav blockquote figure form noscript my-box address "
    "p p p p h1 h2 h3 h5 ul ol li li table tr td dl dt dd pre details summary fieldset label button dialog"
)
CLASSES = (
    "",
    "",
    ' class="post"',
    ' class="post item"',
    ' class="sideBar ad-box" id=x',
    " role=main",
    " hidden",
)
SPANS = (
    *["{}"] * 3,
    "<a href=/x>{}</a>",
    "<b>{}</b>",
    '<span class="byLine">{}</span>',
    "<strong>a <a>{}</a></strong>",
    "{}<br>",
    "<img src=x> {}",
)
HEADS = (
    "",
    "<title>{}</title>",
    "<title lang=en>{} | Home</title>",
    "<head><meta property=og:type content=article><title>{}</title></head>",
    "<meta property=og:type content=website><meta property=article:published_time content=2026>",
    '<script type="application/ld+json">[{{"@type": "BlogPosting", "articleBody": "{}"}}]</script>',
    '<div itemtype="https://schema.org/Question"></div><script type=ld+json>{{"@type":"FAQPage"}}</script>',
    '<script type=ld+json>"@type":["ItemList", "Service"]</script><meta property=og:type content=product>',
    '<script type="application/ld+json">{{"@type": "Product", "name": "{}"}}</script><title>x</title>',
)


def _line(draw: random.Random) -> str:
    """Text with links, bold and other inline elements, images and line breaks."""
    parts = []
    for _ in range(draw.choice((1, 1, 1, 2, 4, 9))):
        text = draw.choice(TEXTS)
        text = text[: draw.randrange(1, 12)] if draw.random() < 0.3 and "&" not in text else text
        parts.append(draw.choice(SPANS).replace("{}", text))
    return draw.choice(("", " ")).join(parts)


def _inside(draw: random.Random, depth: int) -> str:
    html = ""
    for _ in range(draw.choice((1, 1, 2, 3))):
        name, attributes = draw.choice(NESTING), draw.choice(CLASSES)
        for _ in range(draw.choice((1, 1, 1, 2, 3) if depth < 2 else (1,))):
            inside = _inside(draw, depth - 1) if depth and draw.random() < 0.75 else _line(draw)
            html += f"<{name}{attributes}>{inside}</{name}>" * draw.choice((1, 1, 1, 1, 2))
        html += _line(draw) if draw.random() < 0.15 else "\n"
    return html


def made_page(seed: int) -> Page:
    """A page of several scripts, and of any nesting, right or wrong."""
    draw = random.Random(seed)
    title = draw.choice([text[:20] for text in TEXTS])
    html = draw.choice(HEADS).format(title) + draw.choice(("<body>", "<body class=single>", ""))
    for _ in range(draw.choice((0, 1, 3))):
        html += _inside(draw, 0) + draw.choice(("", f"<h1>{title}</h1>"))
    return read(html + _inside(draw, draw.randrange(1, 7)))


def read(html: str) -> Page:
    return blocks(np.frombuffer(html.encode(), np.uint8))


@dataclass(frozen=True)
class Element:
    """A block element; the first of a page is the page itself, and its own parent."""

    number: int
    tag: str
    parent: int
    tokens: list[int]
    signature: int
    hidden: bool
    path: list[int]  # its ancestors from below the page to itself


@dataclass(frozen=True)
class Block:
    """A block, its text decoded."""

    text: str
    owner: int
    breaks: int
    images: int
    links: int
    tokens: list[int]  # of its inline elements
    linked: list[str]
    bold: list[str]


def elements(page: Page) -> list[Element]:
    found: list[Element] = []
    for number, row in enumerate(page.elements.tolist()):
        parent = row[PARENT]
        path = [*found[parent].path, number] if number else []
        tokens = page.tokens[row[TOKENS] : row[TOKENS_END]].tolist() if number else []
        tag = ["", *NAMES][row[TAG_NUMBER]]
        found.append(Element(number, tag, parent, tokens, row[SIGNATURE], bool(row[CONCEALED]), path))
    return found


def text_blocks(page: Page) -> list[Block]:
    data, marks = page.text.tobytes(), page.marks.tolist()
    found = []
    for row in page.blocks.tolist():
        start, end = row[TEXT], row[TEXT_END]
        inside = [(which, data[a : min(b, end)].decode()) for which, a, b in marks if start <= a < end]
        linked = [text for which, text in inside if which == LINKED]
        bold = [text for which, text in inside if which != LINKED]
        tokens = page.tokens[row[INLINE] : row[INLINE_END]].tolist()
        counts = (row[OWNER], row[BREAKS], row[IMAGES], row[LINKS])
        found.append(Block(data[start:end].decode(), *counts, tokens, linked, bold))
    return found
