"""Main text from HTML in UTF-8: the engines that a recipe can name, behind one signature."""

from collections.abc import Callable
from functools import partial

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from stages.main_text import main_text


def resiliparse(html: bytes) -> str:
    """Resiliparse: rules over a fast DOM; all visible text of a page in which they see no main part.

    Without the texts that stand for images, which cost two points of F1 on gold pages.
    """
    tree = HTMLTree.parse_from_bytes(html)
    return next(filter(None, (_visible(tree, main).strip() for main in (True, False))), "")


def _visible(tree: HTMLTree, main_content: bool) -> str:
    return str(extract_plain_text(tree, main_content=main_content, alt_texts=False))


def trafilatura(html: bytes) -> str:
    """Trafilatura: ten times slower, more accurate. Without comments, which cost it half a point of F1."""
    from trafilatura import extract

    return extract(html.decode(), include_comments=False) or ""


ENGINES: dict[str, Callable[[bytes], str]] = {
    "winnow": main_text,
    "winnow-small": partial(main_text, name="winnow-small"),
    "resiliparse": resiliparse,
    "trafilatura": trafilatura,
}
