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
        local = _local(passage[max(sign.start() - _ROOM, end) : sign.start()])
        width = _domain(passage, sign.end()) if local else 0
        if width:
            end = sign.end() + width
            yield Place("address" if sign[0] == "@" else "spelt", sign.start() - local, end)


def _local(before: str) -> int:
    """Characters of the local part at the end of what stands before the sign."""
    matches = (pattern.search(before) for pattern in _LOCALS)
    return max((len(found[0]) for found in matches if found), default=0)


def _domain(passage: str, start: int) -> int:
    """Characters of the longest domain at `start`; 0 for none."""
    for pattern in _DOMAINS:
        if found := pattern.match(passage, start):
            ends = [dot.start() for dot in _DOTS.finditer(found[0])][1:]
            for end in (len(found[0]), *reversed(ends)):
                name = _DOTS.sub(".", found[0][:end]).lower()
                if _suffixes().publicsuffix(name.rpartition(".")[2]):
                    return 0 if _RESERVED.search(name) else end
    return 0


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)  # the list that the wheel carries: no network
