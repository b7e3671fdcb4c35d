"""Cut a long text where its author did: at chapters, else between paragraphs."""

import re
from collections.abc import Iterator
from typing import Literal

Cut = Literal["none", "chapter", "paragraph"]
_NUMBER = (
    r"(?:\d{1,4}|[ivxlcdm]{1,8}|(?:the[ ])?(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|first|second|third|fourth|fifth|last))"
)
_HEADING = re.compile(
    rf"""(?:\A|(?<=\n\n))[ \t]*(?:
      \#{{1,2}}[ ]\S.{{0,100}}
    | (?:chapter|book|part|canto|act|volume|section|letter|chapitre|livre|partie|kapitel|buch|teil|band
        |cap[ií]tulo|capitolo|libro|parte|глава|часть|книга|том)
      [ ]{_NUMBER}(?:[.:)\]—–-].{{0,100}}|[ ]\S.{{0,60}})?
    | (?:prologue|epilogue|introduction|preface|foreword|afterword|conclusion)\.?
    | 第[〇一二三四五六七八九十百千零两\d]{{1,8}}[章回卷節节部篇集].{{0,60}}
    | 제[ ]?\d{{1,4}}[ ]?[장부편].{{0,60}}
    )(?=\n|\Z)""",
    re.IGNORECASE | re.VERBOSE,
)
_LEAST = 500  # characters of a chapter: what is shorter, as in a table of contents, stays with what follows


def pieces(text: str, cut: Cut, longest: int) -> Iterator[tuple[int, str]]:
    """(character where it begins, piece) of a clean text; the pieces make up the text, but for blank lines.

    Chapters longer than `longest` characters are cut between paragraphs too; a paragraph is never cut.
    """
    if cut == "none":
        yield 0, text
        return
    for start, end in _chapters(text) if cut == "chapter" else [(0, len(text))]:
        for begin, stop in _paragraphs(text, start, end, longest):
            yield begin, text[begin:stop].rstrip("\n")


def _chapters(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for heading in _HEADING.finditer(text):
        if heading.start() - start >= _LEAST:
            yield start, heading.start()
            start = heading.start()
    yield start, len(text)


def _paragraphs(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """Runs of whole paragraphs, up to `longest` characters; without blank lines, a paragraph is a line."""
    gap = "\n\n" if text.find("\n\n", start, end) >= 0 else "\n"
    last = start  # where the last paragraph begins that might go with the next piece
    while (at := text.find(gap, last, end)) >= 0:
        after = at + len(gap)
        if at - start > longest and last > start:
            yield start, last
            start = last
        last = after
    if end - start > longest and last > start:
        yield start, last
        start = last
    if start < end:
        yield start, end
