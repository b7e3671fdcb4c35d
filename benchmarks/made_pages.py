"""Pages made of others, for training alone: of what the web has and the pages with gold have not.

Those are short, and nearly all in English. A model that saw nothing else cuts a book off after some pages,
and waits for full stops where a script has none.
"""

import html
import random
import zlib
from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from stages.measures import (
    BOLD_CHARACTERS,
    CAPITAL,
    CAPITALS,
    CHARACTERS,
    COMMAS,
    FIRST,
    LAST,
    LETTER,
    LINK_CHARACTERS,
    LINK_WORDS,
    OTHER,
    SENTENCES,
    SMALL,
    STOP,
    WORDS,
    Measures,
)

GROWTH = (20, 60, 150, 400)  # pieces put into a page
_LEAST = 80  # characters of a line that is a paragraph
_WORDS, _CHARACTERS, _COMMAS = [WORDS, LINK_WORDS], [CHARACTERS, LINK_CHARACTERS, BOLD_CHARACTERS], [COMMAS]
_TAIL = 25  # characters by which the place behind one is found


def grown(page: str, gold: str, lines: Sequence[str]) -> tuple[str, str] | None:
    """A page and its gold with many more pieces of text behind a paragraph; None if it has no place for them.

    `lines` are those that the pieces are made of, in turns.
    """
    for line in reversed(gold.split("\n")):
        tail = html.escape(line.strip()[-_TAIL:], quote=False) + "</p>"
        place = page.rfind(tail)
        if len(line) >= _LEAST and place >= 0:
            seed = zlib.crc32(page.encode())
            pieces = list(_pieces(lines, GROWTH[seed % len(GROWTH)], random.Random(seed)))
            place += len(tail)
            at = gold.index(line) + len(line)
            markup, texts = ("\n".join(part) for part in zip(*pieces, strict=True))
            return page[:place] + markup + page[place:], gold[:at] + "\n" + texts + gold[at:]
    return None


def _pieces(lines: Sequence[str], count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """(markup, text) of paragraphs, and of headings, lists, programs, quotations and tables between them."""
    long = cycle([line for line in lines if len(line) >= _LEAST])
    short = cycle([line for line in lines if 10 <= len(line) < _LEAST])
    plain = chance.random() < 0.5  # nothing but paragraphs
    for _ in range(count):
        kind = 0.0 if plain else chance.random()
        if kind < 0.7:
            text = next(long)
            yield f"<p>{html.escape(text)}</p>", text
        elif kind < 0.8:
            text = next(short)
            yield f"<h2>{html.escape(text)}</h2>", text
        elif kind < 0.87:
            texts = [next(short) for _ in range(chance.randint(2, 6))]
            items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
            yield f"<ul>{items}</ul>", "\n".join(texts)
        elif kind < 0.92:
            text = next(long)
            yield f"<blockquote><p>{html.escape(text)}</p></blockquote>", text
        elif kind < 0.97:
            text = _program(next(long), chance)
            yield f"<pre><code>{html.escape(text)}</code></pre>", text
        else:
            texts = [next(short) for _ in range(6)]
            cells = [f"<td>{html.escape(text)}</td>" for text in texts]
            rows = f"<tr>{''.join(cells[:3])}</tr><tr>{''.join(cells[3:])}</tr>"
            yield f"<table>{rows}</table>", "\n".join(texts)


def _program(line: str, chance: random.Random) -> str:
    """What looks like source code, of the words of a line."""
    names = [word.lower() for word in line.split() if word.isalpha()] or ["value"]
    shapes = ("{0} = {1}({2}, {3})", "if {0} > {3}:", "    {0}.{1} += {3}", "# {0} {1}", "return {0}[{3}]")
    return "\n".join(
        chance.choice(shapes).format(*(chance.choice(names) for _ in range(3)), chance.randint(0, 99))
        for _ in range(chance.randint(1, 12))
    )


def translated(measures: Measures, seed: int) -> Measures:
    """The same page in another language: its words are longer or shorter, commas rarer; half know no case."""
    chance = random.Random(seed)
    made = without_case(measures) if chance.random() < 0.5 else measures.copy()
    for columns, usual in ((_WORDS, 1.0), (_CHARACTERS, 1.0), (_COMMAS, 0.8)):
        rate = usual * 0.6 * (1.6 / 0.6) ** chance.random()
        made[:, columns] = np.rint(made[:, columns] * rate)
    return made


def without_case(measures: Measures) -> Measures:
    """The same text in a script without capitals and full stops, such as Thai."""
    made = measures.copy()
    made[np.isin(made[:, FIRST], (CAPITAL, SMALL)), FIRST] = LETTER
    made[made[:, LAST] == STOP, LAST] = OTHER
    made[:, [CAPITALS, SENTENCES]] = 0
    return made


def lines_of(gold: Sequence[str]) -> list[str]:
    """All lines of some gold texts that are worth using."""
    return [line.strip() for text in gold for line in text.split("\n") if len(line.strip()) >= 10]
