"""Payment-card numbers and bank accounts: lengths, prefixes and check digits (ISO/IEC 7812, ISO 13616)."""

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from stages.passages import ALONE, Place

_CARD = re.compile(
    rf"(?=[2-9]){ALONE}(?<![0-9][-./:])"
    r"(?:[0-9]{4}(?P<a>[ -])(?:[0-9]{4}(?P=a)){2}[0-9]{4}(?:(?P=a)[0-9]{1,3})?|"
    r"[0-9]{4}(?P<b>[ -])[0-9]{6}(?P=b)[0-9]{4,5}|[0-9]{15,19})"
    r"(?![0-9A-Za-z_À-ɏ])(?![-./:][0-9])",
    re.ASCII,
)
_ISSUERS = (  # first six digits from, to; lengths
    (400000, 499999, (16, 19)),  # Visa
    (510000, 559999, (16,)),  # Mastercard
    (222100, 272099, (16,)),
    (340000, 349999, (15,)),  # American Express
    (370000, 379999, (15,)),
    (300000, 305999, (14,)),  # Diners Club
    (360000, 369999, (14,)),
    (380000, 399999, (14,)),
    (352800, 358999, (16,)),  # JCB
    (601100, 601199, (16, 19)),  # Discover
    (644000, 659999, (16, 19)),
    (508000, 508999, (16,)),  # RuPay
    (606000, 608999, (16,)),
    (817200, 820199, (16,)),
    (620000, 629999, (16, 17, 18, 19)),  # UnionPay
    (220000, 220499, (16,)),  # Mir
    (979200, 979299, (16,)),  # Troy
    (500000, 509999, (16, 19)),  # Maestro
    (676000, 676999, (16, 18, 19)),
)
_IBAN = re.compile(r"(?<![0-9A-Za-z_])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![0-9a-z_])", re.ASCII)
_SHORTEST, _LONGEST = 15, 34
_DIFFERENT = 4  # digits of which a real number has at least as many; others are made up: 4111 1111 1111 1111


def cards(passage: str) -> Iterator[Place]:
    """Numbers of payment cards, written in the groups that cards have, or in one."""
    for found in _CARD.finditer(passage):
        digits = re.sub("[ -]", "", found[0])
        known = any(
            first <= int(digits[:6]) <= last and len(digits) in lengths for first, last, lengths in _ISSUERS
        )
        if known and luhn.is_valid(digits) and len(set(digits)) >= _DIFFERENT:
            yield Place("luhn", *found.span())


def ibans(passage: str) -> Iterator[Place]:
    """International bank account numbers, in the structure of their countries."""
    for found in _IBAN.finditer(passage):
        text = found[0]
        ends = [at + 1 for at, sign in enumerate(text) if sign != " "]
        for end in ends[_SHORTEST - 1 : _LONGEST]:
            whole = end == len(text) or not (text[end].isalnum() and text[end - 1] != " ")
            if whole and iban.is_valid(text[:end]):
                yield Place(text[:2].lower(), found.start(), found.start() + end)
                break
