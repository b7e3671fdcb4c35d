"""Kept blocks -> text as a person expects it: a line for each paragraph, marked items, tables row by row."""

import html
import re

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import lean
from stages.blocks import OWNER, PARENT, TAG_NUMBER, TEXT, TEXT_END, Page
from stages.markup import Table
from stages.scan import Bytes
from stages.tags import TAG

_LI, _TD, _TH = (TAG[name] for name in ("li", "td", "th"))
_DEEPEST = 8  # levels of lists that are indented, two blanks each
_DASH, _BLANK, _BAR, _LINE = b"- |\n"
_ZEROS = re.compile(r"(&#[xX]?)0{5,}")
_BEYOND = re.compile(r"&#(?:[0-9]{20,}|[xX][0-9a-fA-F]{20,});?")  # any character
# Columns of the table of places: of each element, nearest item, nearest cell, blocks in it, level of an item.
_ITEM, _CELL, _BLOCKS, _LEVEL = range(4)


def lay_out(page: Page, keep: NDArray[np.bool_]) -> str:
    """The text of the kept blocks: '- ' before an item of a list, ' | ' between the cells of a row."""
    out = np.empty(page.text.size + len(page.blocks) * (2 * _DEEPEST + 3), np.uint8)
    places = np.zeros((len(page.elements), 4), np.int32)
    _place(page, places)
    size = _write(page, keep, places, out)
    return unescaped(out[:size].tobytes().decode("utf-8", "replace"))


def unescaped(text: str) -> str:
    """`text` with its character references decoded; a no-break space is a blank."""
    if "&#" in text:  # thousands of digits: Python refuses to read them as a number
        text = _BEYOND.sub("\ufffd", _ZEROS.sub(r"\g<1>0", text))
    return html.unescape(text).replace("\xa0", " ") if "&" in text else text


@lean
def _place(page: Page, places: Table) -> None:
    """Each element's item and cell, and how many blocks a cell holds."""
    for row in range(1, len(page.elements)):
        parent, tag = page.elements[row, PARENT], page.elements[row, TAG_NUMBER]
        for column in range(_BLOCKS):
            places[row, column] = places[parent, column]
        if tag == _LI:
            places[row, _ITEM] = row
        elif tag in (_TD, _TH):
            places[row, _ITEM] = 0
            places[row, _CELL] = row
    for block in range(len(page.blocks)):
        places[places[page.blocks[block, OWNER], _CELL], _BLOCKS] += 1


@lean
def _write(page: Page, keep: NDArray[np.bool_], places: Table, out: Bytes) -> int:
    """Fill in the text; returns its length."""
    at = 0
    row = 0  # of the cell written last, if it held nothing else
    for block in range(len(page.blocks)):
        if not keep[block]:
            continue
        place = places[page.blocks[block, OWNER]]
        cell = place[_CELL]
        before, row = row, page.elements[cell, PARENT] if cell > 0 and places[cell, _BLOCKS] == 1 else 0
        if at > 0 and row > 0 and row == before:
            out[at], out[at + 1], out[at + 2] = _BLANK, _BAR, _BLANK
            at += 3
        elif at > 0:
            out[at] = _LINE
            at += 1
        item = place[_ITEM]
        if item > 0:
            begins = places[item, _LEVEL] == 0
            if begins:
                places[item, _LEVEL] = _level(page, places, item)
            for _ in range(2 * min(places[item, _LEVEL] - 1, _DEEPEST - 1)):
                out[at] = _BLANK
                at += 1
            if begins:
                out[at], out[at + 1] = _DASH, _BLANK
                at += 2
        for byte in range(page.blocks[block, TEXT], page.blocks[block, TEXT_END]):
            out[at] = page.text[byte]
            at += 1
    return at


@lean
def _level(page: Page, places: Table, item: int) -> int:
    """How deep an item is in others of which there is text."""
    while item > 0:
        item = places[page.elements[item, PARENT], _ITEM]
        if places[item, _LEVEL] > 0:
            return int(places[item, _LEVEL]) + 1
    return 1
