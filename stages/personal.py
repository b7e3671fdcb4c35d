"""Personal data in a passage of a text: what is what, the surest kinds first."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from stages.emails import emails
from stages.ips import ips
from stages.national_ids import national_ids
from stages.passages import Place, apart, plain, without, without_urls
from stages.payment import cards, ibans
from stages.phones import phones
from stages.suspects import AT, COLONS, DOTTED, NUMBER

KINDS = ("email", "ip", "iban", "card", "national_id", "phone")  # in this order, each in what is left

MARKS = {"email": AT, "ip": AT | DOTTED | COLONS}  # suspects to look at for a kind; for others, all


class Found(NamedTuple):
    """A piece of personal data."""

    kind: str  # one of KINDS
    rule: str  # what told: v4, luhn, the country of an id or of a phone number …
    start: int  # character of a passage, or byte of a text
    end: int


def find(passage: str, marks: int, spelt: bool, regions: Sequence[str]) -> list[Found]:
    """Personal data in a passage with these suspects, in order; places in characters.

    `spelt`: also addresses such as "name (at) host"; `regions`: whose phone numbers may lack a country code.
    """
    found: list[Found] = []
    text = plain(passage)

    def look(kind: str, search: Callable[[str], Iterator[Place]]) -> None:
        nonlocal text
        places = list(apart(search(text)))
        found.extend(Found(kind, *place) for place in places)
        text = without(text, places) if places else text

    if marks & AT:
        look("email", lambda text: emails(text, spelt))
    if marks & (NUMBER | DOTTED | COLONS):
        text = without_urls(text)
    if marks & (DOTTED | COLONS):
        look("ip", ips)
    if marks & NUMBER:
        look("iban", ibans)
        look("card", cards)
        look("national_id", national_ids)
        look("phone", lambda text: phones(text, regions))
    # A combining mark after it would join whatever stands in its place.
    return sorted(
        (each for each in found if not unicodedata.combining(passage[each.end : each.end + 1] or " ")),
        key=lambda each: each.start,
    )
