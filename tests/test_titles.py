"""What blocks share with the title of their page, against plain lists of words."""

import re

import numpy as np
import pytest
from nested import made_page, read, text_blocks

from stages.blocks import Page
from stages.measures import WORDS, measure
from stages.titles import room_for, titled

LONGEST, FAR, NONE = 40, 40, -99


def words(text: str) -> list[str]:
    """Runs of ASCII letters and digits, in lower case, and of whatever is not ASCII."""
    lower = "".join(each.lower() if each.isascii() else each for each in text)
    return re.findall(r"[0-9a-z\u0080-\U0010ffff]+", lower)


def twin(page: Page) -> list[list[float]]:
    """(share of the block's words, share of the title's words, blocks since the first that is like it)."""
    title = words(page.title.tobytes().decode())
    lengths = measure(page)[:, WORDS] / 10
    rows: list[list[float]] = []
    named = None
    for number, block in enumerate(text_blocks(page)):
        row = [0.0, 0.0, 0.0]
        if title and lengths[number] <= LONGEST:
            here = words(block.text)[: 10 * LONGEST + 1]
            shared = [word for word in here if word in title]
            covered = [word for word in title if word in here]
            row[:2] = [len(shared) / max(len(here), 1), len(covered) / len(title)]
            like = 5 * len(shared) > 4 * len(here) and 2 * len(covered) > len(title)
            if named is None and like and number > 0:  # the first of all is the name of a site
                named = number
        if title:
            row[2] = NONE if named is None else min(number - named, FAR)
        rows.append(row)
    return rows


def found(page: Page) -> list[list[float]]:
    out = np.zeros((len(page.blocks), 3), np.float32)
    titled(page, measure(page), room_for(page), out)
    return [[float(value) for value in row] for row in out]


@pytest.mark.parametrize("seed", range(60))
def test_titles_are_found_as_by_a_plain_twin(seed: int) -> None:
    page = made_page(seed)
    np.testing.assert_array_equal(found(page), np.array(twin(page), np.float32))


@pytest.mark.parametrize(
    "title",
    [
        "A Title of one page",
        "Ein Titel, ein Öl",
        "阳台 上的 小气象站",
        "สถานี ตรวจอากาศ บนระเบียง",
        "محطة صغيرة للأرصاد",
        "एक छोटा मौसम",
        "Малая Станция на балконе",
    ],
)
def test_the_heading_that_repeats_the_title_is_found_in_every_script(title: str) -> None:
    html = f"<title>{title}</title><p>x</p><h1>{title.replace('A', 'a')}</h1>" + "<p>other: text</p>" * 50
    page = read(html)
    rows = found(page)
    np.testing.assert_array_equal(rows, np.array(twin(page), np.float32))
    assert rows[1][0] == 1 and rows[1][1] > 0.5
    assert [row[2] for row in rows] == [NONE, *range(41), *[40] * 10]


def test_no_title_and_long_blocks_say_nothing() -> None:
    assert found(read("<p>a</p><p>b</p>")) == [[0, 0, 0]] * 2
    long = "a title " * 21
    assert found(read(f"<title>a title</title><p>x</p><p>{long}</p><p>{'« ' * 900}</p>"))[1:] == [
        [0, 0, NONE],
        [0, 0, NONE],
    ]
