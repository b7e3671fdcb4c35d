"""What a page says it is: its kind by Open Graph and schema.org."""

import numpy as np

from classifiers.kernel import lean
from stages.markup import ATTRIBUTE, CONTENT, ELEMENT, END, ITEMTYPE, NAME, PROPERTY, START, TYPE, Markup
from stages.scan import Bytes, byte_at, find
from stages.tags import TAG, name_hash

# Types of schema.org and kinds of Open Graph, as far as pages differ by them.
_KINDS = {
    "article": "Article NewsArticle TechArticle BlogPosting SocialMediaPosting Report ScholarlyArticle",
    "blog": "BlogPosting",
    "product": "Product ProductGroup Offer",
    "forum": "DiscussionForumPosting QAPage Question Answer Comment",
    "list": "ItemList CollectionPage SearchResultsPage ProductCollection",
    "business": "Service LocalBusiness Organization ProfessionalService",
    "questions": "FAQPage",
    "graph_article": "og:article",
    "graph_product": "og:product",
    "graph_website": "og:website",
}
DECLARED = [*_KINDS, "published", "body"]
_PUBLISHED, _BODY = 1 << len(_KINDS), 2 << len(_KINDS)
_BITS = {
    name: sum(1 << place for place, kinds in enumerate(_KINDS.values()) if name in kinds.split())
    for name in " ".join(_KINDS.values()).split()
}
_NAMES = np.array([name_hash(name.lower()) for name in _BITS], np.uint32)
_FLAGS = np.array([*_BITS.values()], np.int32)
_SCRIPT, _META = np.int32(np.uint32(name_hash("script")).astype(np.int32)), TAG["meta"]
_OG_TYPE, _TIME, _TYPE_KEY, _BODY_KEY, _JSON = (
    np.uint32(name_hash(name))
    for name in ("og:type", "article:published_time", "@type", "articlebody", "json")
)
_SEED = np.uint32(name_hash(""))
_OG_SEED = np.uint32(name_hash("og:"))
_QUOTE, _COLON = b'":'


@lean
def declared(html: Bytes, markup: Markup) -> int:
    """What a page declares in <meta property=og:type>, microdata and JSON-LD: a bit for each of DECLARED."""
    found = 0
    for row in range(len(markup.tags)):
        tag = markup.tags[row]
        first = tag[ATTRIBUTE]
        last = markup.tags[row + 1, ATTRIBUTE] if row + 1 < len(markup.tags) else len(markup.attributes)
        key = np.uint32(0)
        for place in range(first, last):
            which, start, end = markup.attributes[place]
            if which == ITEMTYPE:
                found |= _known(_hash_of_last(html, start, end, _SEED))
            elif which == PROPERTY:
                key = _hash_of(html, start, end, _SEED)
            elif (
                which == TYPE
                and tag[NAME] == _SCRIPT
                and _hash_of(html, max(start, end - 4), end, _SEED) == _JSON
            ):
                found |= _in_json(html[tag[START] : tag[END]])
        if tag[ELEMENT] == _META and key in (_OG_TYPE, _TIME):
            for place in range(first, last):
                which, start, end = markup.attributes[place]
                if which == CONTENT and key == _OG_TYPE:
                    found |= _known(_hash_of_last(html, start, end, _OG_SEED))
            found |= _PUBLISHED if key == _TIME else 0
    return found


@lean
def _in_json(json: Bytes) -> int:
    """What the values of "@type" in a script say; arrays included."""
    found = 0
    typed = False
    at = find(json, 0, _QUOTE)
    while at < json.size:
        stop = find(json, at + 1, _QUOTE)
        name = _hash_of(json, at + 1, min(stop, json.size), _SEED)
        if byte_at(json, stop + 1) == _COLON or byte_at(json, stop + 2) == _COLON:
            typed = name == _TYPE_KEY
            found |= _BODY if name == _BODY_KEY else 0
        elif typed:
            found |= _known(name)
        at = find(json, stop + 1, _QUOTE)
    return found


@lean
def _known(name: np.uint32) -> int:
    for place in range(_NAMES.size):
        if _NAMES[place] == name:
            return int(_FLAGS[place])
    return 0


@lean
def _hash_of(html: Bytes, at: int, end: int, seed: np.uint32) -> np.uint32:
    """`name_hash` of a stretch of bytes, ASCII capitals as small letters."""
    value = seed
    for place in range(at, end):
        byte = html[place] | np.uint8(32 if 65 <= html[place] <= 90 else 0)
        value = np.uint32((value ^ np.uint32(byte)) * np.uint32(16777619))
    return value


@lean
def _hash_of_last(html: Bytes, at: int, end: int, seed: np.uint32) -> np.uint32:
    """That of what follows the last slash, colon, full stop or number sign: of a URL, the name."""
    start = at
    for place in range(at, end):
        if html[place] in (35, 46, 47, 58):
            start = place + 1
    return _hash_of(html, start, end, seed)
