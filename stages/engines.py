"""Main text from HTML in UTF-8: the engines that a recipe can name, behind one signature; their versions."""

import hashlib
import os
import re
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from stages.main_text import main_text
from stages.text import stream_safe

_SPAN = re.compile(rb"\b(?:col|row)span\s*=\s*[\"']?\s*\+?\d{3,}", re.IGNORECASE)
_JSON = re.compile(rb"<script\b[^>]{0,500}\bld\+json\b.*?(?:</script|\Z)", re.IGNORECASE | re.DOTALL)
_MOST_JSON = 1 << 16  # bytes
OURS = frozenset({"winnow", "winnow-small"})
CODE = 1  # the version of our own engine: raise it when its code finds another text by the same model
_RESTS_ON = {"trafilatura": ("justext", "lxml")}  # besides itself


def resiliparse(html: bytes) -> str:
    """Resiliparse: rules over a fast DOM; all visible text of a page in which they see no main part.

    Without the texts that stand for images, which cost two points of F1 on gold pages.
    """
    tree = HTMLTree.parse_from_bytes(html)
    return next(filter(None, (_visible(tree, main).strip() for main in (True, False))), "")


def _visible(tree: HTMLTree, main_content: bool) -> str:
    return str(extract_plain_text(tree, main_content=main_content, alt_texts=False))


def trafilatura(html: bytes) -> str:
    """Trafilatura: more rules, ten times slower. Without comments, which cost it half a point of F1.

    What takes it minutes is taken away first: cells that span a hundred columns, for it fills a table up to
    the longest row; much JSON; many combining marks in a row.
    """
    from trafilatura import extract

    html = _JSON.sub(lambda found: found[0] if len(found[0]) < _MOST_JSON else b"", _SPAN.sub(b"", html))
    return extract(stream_safe(html.decode()), include_comments=False) or ""


ENGINES: dict[str, Callable[[bytes], str]] = {
    "winnow": main_text,
    "winnow-small": partial(main_text, looks=1),
    "resiliparse": resiliparse,
    "trafilatura": trafilatura,
}


@cache
def engine_version(engine: str) -> str:
    """Of one of our own: of the code and the model, such as 1+c0ffee00; of another: of what is installed."""
    if engine not in OURS:
        return version(engine)
    return f"{CODE}+{fingerprint(os.path.join(os.path.dirname(__file__), 'winnow.npz'))}"


def versions(engine: str) -> dict[str, str]:
    """All that decides what the engine makes of a page, for the identity of a step."""
    return {name: engine_version(name) for name in (engine, *_RESTS_ON.get(engine, ()))}


def fingerprint(path: str) -> str:
    """Eight hex digits that stand for the arrays in a .npz file, however they are packed."""
    digest = hashlib.sha256()
    with np.load(path) as file:
        for name in sorted(file.files):
            array = file[name]
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:8]
