"""What a parser that follows the HTML Standard (Lexbor, by Resiliparse) sees where we see blocks."""

import re
from itertools import groupby

from resiliparse.parse.html import HTMLTree, NodeType

from stages.tags import BLOCK, SKIPPED, TAG, TAGS, VOID

Line = tuple[tuple[str, ...], str]

_IMPLIED = ("html", "head", "body", "tbody")  # which are there, whatever the tags of a page say
_ANY = "?"  # an element that we do not know


def lines(html: bytes) -> list[Line]:
    """(names of the block elements around it, text without white space) of each line of a page."""
    found: list[Line] = []
    text: list[str] = []

    def end(path: tuple[str, ...]) -> None:
        if line := squeezed("".join(text)):
            found.append((path, line))
        text.clear()

    tree = HTMLTree.parse_from_bytes(html)
    work = [(tree.document, (), False)]
    while work:
        node, path, behind = work.pop()
        if behind:
            end(path)
        elif node.type == NodeType.TEXT:
            text.append(node.text)
        elif node.type in (NodeType.ELEMENT, NodeType.DOCUMENT):
            name = node.tag if node.type == NodeType.ELEMENT else "html"
            kind = int(TAGS.kinds[TAG.get(name, 0)])
            if kind & SKIPPED:
                continue
            if kind & BLOCK and name not in _IMPLIED:
                end(path)
                if kind & VOID:
                    continue
                path += (name if name in TAG else _ANY,)
                work.append((node, path, True))
            work += [(child, path, False) for child in reversed(list(node.child_nodes))]
    end(())
    return merged(found)


def merged(found: list[Line]) -> list[Line]:
    """`found` with neighbours in one element as one: a stray end tag ends a line of ours."""
    return [
        (path, "".join(text for _, text in same)) for path, same in groupby(found, key=lambda line: line[0])
    ]


def squeezed(text: str) -> str:
    """`text` without white space and NUL."""
    return re.sub(r"[\s\x00]", "", text)
