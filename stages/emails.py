"""E-mail addresses in running text, also such as "name [at] host (dot) org"."""

import re
from collections.abc import Iterator
from functools import cache

from publicsuffixlist import PublicSuffixList

from stages.passages import Place

_DOT = r"(?:\.| ?[(\[{] ?(?:dot|punkt|punto|ponto|point|точка|\.) ?[)\]}] ?)"
_DOTS = re.compile(_DOT, re.IGNORECASE)
_AT = re.compile(r"@| ?[(\[{] ?(?:at|@) ?[)\]}] ?", re.IGNORECASE)
# Letters of one script at a time: what stands before an address without a space is no part of it.
_SCRIPTS = ("A-Za-z0-9À-ɏ", "Ͱ-Ͽ0-9", "Ѐ-ӿ0-9")
_LOCALS = tuple(
    re.compile(rf"(?<![{script}_])[{script}_](?:[{script}_%'&+-]|\.(?=[{script}_])){{0,63}}(?<![%'&])$")
    for script in _SCRIPTS
)
_DOMAINS = tuple(
    re.compile(rf"{label}(?:{_DOT}{label}){{1,8}}", re.IGNORECASE)
    for label in (rf"[{script}](?:[{script}-]{{0,61}}[{script}])?" for script in _SCRIPTS)
)
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org|edu)|example|test|invalid|localhost|local)$")
_ROOM = 66  # characters of a local part and what stands before it


def emails(passage: str, spelt: bool) -> Iterator[Place]:
    """Addresses whose domain lies below a public suffix, and is not reserved for examples (RFC 2606).

    With `spelt`, also those with "(at)" or "[@]" in place of '@'.
    """
    end = 0
    for sign in _AT.finditer(passage):
        if sign.start() < end or (sign[0] != "@" and not spelt):
            continue
        before = passage[max(sign.start() - _ROOM, end) : sign.start()]
        for local, domain in zip(_LOCALS, _DOMAINS, strict=True):
            rest = domain.match(passage, sign.end())
            width = _public(rest[0]) if rest else 0
            name = (local.search(before) or _LOCALS[0].search(before)) if width else None
            if name:
                end = sign.end() + width
                yield Place("address" if sign[0] == "@" else "spelt", sign.start() - len(name[0]), end)
                break


def _public(found: str) -> int:
    """Characters of the longest name in what may be a domain that ends in a public suffix; 0 for none."""
    ends = [dot.start() for dot in _DOTS.finditer(found)][1:]
    for end in (len(found), *reversed(ends)):
        name = _DOTS.sub(".", found[:end]).lower()
        if _suffixes().publicsuffix(name.rpartition(".")[2]):
            return 0 if _RESERVED.search(name) else end
    return 0


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)  # the list that the wheel carries: no network
