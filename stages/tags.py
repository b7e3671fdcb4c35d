"""HTML's elements as small numbers, and what a parser without a tree must know of them (HTML Standard)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 1  # begins and ends a line, and nests; the others are inline
VOID = 2  # has no content
SKIPPED = 4  # its content is no text of the page: code, or the face of a control
TO_END = 8  # if it is never closed, the rest of the page is its content; others are taken for a slip
NESTED = 16  # of those whose content is skipped: may hold elements of its own name


def names(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


_BLOCKS = names(
    "address article aside blockquote body button caption center col colgroup dd details dialog dir div "
    "dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr label "
    "legend li main menu nav noframes noscript ol optgroup option p pre search section summary table "
    "tbody td tfoot th thead tr ul listing"
)
_VOIDS = names("area base br col embed frame hr img input keygen link meta param source track wbr")
_SKIPS = "datalist iframe math noembed script select style svg template textarea title xmp audio video object"
_INLINE = names(
    "a abbr acronym applet b bdi bdo big canvas cite code data del dfn em font head html i ins kbd map "
    "mark meter nobr output picture progress q rp rt ruby s samp slot small span strike strong sub sup "
    "time tt u var"
)

NAMES = list(dict.fromkeys([*_BLOCKS, *_VOIDS, *_SKIPS.split(), *_INLINE]))
TAG = {name: number for number, name in enumerate(NAMES, 1)}  # 0 is an unknown element, taken for a block
COUNT = len(NAMES) + 1

# Families of elements whose end tags authors leave out or mistake.
(PARAGRAPHS, ITEMS, ENTRIES, CELLS, ROWS, GROUPS, TABLES, LISTS, CAPTIONS, OPTIONS, BUTTONS, HEADINGS,
 SPECIAL) = (1 << bit for bit in range(13))  # fmt: skip
PARTS = CELLS | ROWS | GROUPS | TABLES
_FAMILIES = {
    "p": PARAGRAPHS,
    "li": ITEMS,
    "dd dt": ENTRIES,
    "td th": CELLS,
    "tr": ROWS,
    "tbody thead tfoot": GROUPS,
    "table": TABLES,
    "ul ol menu dir": LISTS,
    "caption": CAPTIONS,
    "option optgroup": OPTIONS,
    "button": BUTTONS,
    "h1 h2 h3 h4 h5 h6": HEADINGS,
    " ".join(name for name in _BLOCKS if name not in ("address", "div", "p")): SPECIAL,
}
_SCOPE = TABLES | CELLS | CAPTIONS | BUTTONS  # no implied end reaches beyond one of these
_ENDS = {  # what an opening tag ends, and what shields it
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre section table ul summary "
    "search listing": (PARAGRAPHS, _SCOPE),
    "li": (ITEMS | PARAGRAPHS, SPECIAL),
    "dd dt": (ENTRIES | PARAGRAPHS, SPECIAL),
    "td th": (CELLS | PARAGRAPHS, TABLES | ROWS),
    "tr": (ROWS | CELLS | PARAGRAPHS, TABLES),
    "tbody thead tfoot": (GROUPS | ROWS | CELLS | PARAGRAPHS, TABLES),
    "option optgroup": (OPTIONS, _SCOPE),
    "button": (BUTTONS, TABLES | CELLS | CAPTIONS),
}


class Tags(NamedTuple):
    """Tables over the elements' numbers, and the hash table that finds a number by its name."""

    kinds: NDArray[np.uint8]  # BLOCK, VOID, SKIPPED, TO_END, NESTED
    family: NDArray[np.int32]
    ends: NDArray[np.int32]  # families that its opening tag ends
    shield: NDArray[np.int32]  # families that no end passes
    hashes: NDArray[np.uint32]  # open addressing, by `name_hash`; 0 is free
    numbers: NDArray[np.uint8]


def name_hash(name: str) -> int:
    """FNV-1a of a name in lower case, as the kernels compute it byte by byte."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def _tables() -> Tags:
    kinds, numbers = np.zeros(COUNT, np.uint8), np.zeros(1024, np.uint8)
    family, ends, shield = (np.zeros(COUNT, np.int32) for _ in range(3))
    hashes = np.zeros(1024, np.uint32)
    kinds[0] = BLOCK
    for bit, names in ((BLOCK, _BLOCKS), (VOID, _VOIDS), (SKIPPED, _SKIPS.split())):
        for name in names:
            kinds[TAG[name]] |= bit
    for name in ("script", "style", "title"):
        kinds[TAG[name]] |= TO_END
    for name in ("template", "svg", "math", "object"):
        kinds[TAG[name]] |= NESTED
    for members, bit in _FAMILIES.items():
        for name in members.split():
            family[TAG[name]] |= bit
    for openers, (ended, shielded) in _ENDS.items():
        for name in openers.split():
            ends[TAG[name]], shield[TAG[name]] = ended, shielded
    for name, number in TAG.items():
        slot = name_hash(name) % len(hashes)
        while hashes[slot]:
            slot = (slot + 1) % len(hashes)
        hashes[slot], numbers[slot] = name_hash(name), number
    return Tags(kinds, family, ends, shield, hashes, numbers)


TAGS = _tables()
