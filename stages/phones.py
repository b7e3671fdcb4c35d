"""Phone numbers: with a country code, after a word that announces one, or as a country writes its own.

A run of digits is no phone number because it could be dialled. It takes evidence, and Google's numbering
plans (`phonenumbers`) say whether a number with a country code, or one of a country, exists.
"""

import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType
from stdnum import isbn

from stages.passages import AFTER, BEFORE, Place
from stages.phone_words import ANNOUNCE, BETWEEN, COUNTED, DENY, SCRIPTS

_GAP = r"[ ().\-/]{0,3}"
_STRETCH = re.compile(rf"(?=[0-9+(])(?:\+ ?|(?<!\+)){BEFORE}\(?\+?[0-9](?:{_GAP}[0-9])*{AFTER}", re.ASCII)
_PARTS = re.compile(r" {2,}|(?<=[0-9]) ?/ ?(?=[0-9+(])|(?<=[0-9]) (?=\+)|(?<=[0-9]) - (?=[0-9])")
_ANNOUNCED = re.compile(rf"(?:{ANNOUNCE}){BETWEEN}$", re.IGNORECASE)
_DENIED = re.compile(rf"(?:{DENY})[^0-9A-Za-z]{{0,6}}$", re.IGNORECASE)
_COUNTED = re.compile(rf" ?(?:{COUNTED})")
_NEAR = 40  # characters
_LEAST, _MOST = 7, 15  # digits, by E.164
_YEAR = r"(?:1[0-9]|20)[0-9]{2}"
_DATE = re.compile(
    rf"(?<![0-9])(?:{_YEAR}([-./ ])[0-9]{{1,2}}\1[0-9]{{1,2}}|[0-9]{{1,2}}([-./ ])[0-9]{{1,2}}\2{_YEAR}|"
    rf"{_YEAR} ?[-/] ?{_YEAR}|{_YEAR}[01][0-9][0-3][0-9])(?![0-9])",
    re.ASCII,
)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:([ .])[0-9]{3})(?:\1[0-9]{3})*")
_BOOK = re.compile(r"97[89]-?[0-9](?:-?[0-9]){9}|[0-9]{1,5}-[0-9]{2,7}-[0-9]{2,7}-[0-9]")


def is_region(code: str) -> bool:
    """Whether there are numbering plans of a country."""
    return code in phonenumbers.SUPPORTED_REGIONS


def phones(passage: str, regions: Sequence[str]) -> Iterator[Place]:
    """Numbers of these regions, of those where the script around a number is written, and of the world."""
    for found in _STRETCH.finditer(passage):
        digits = sum(sign.isdigit() for sign in found[0])
        if digits < _LEAST:
            continue
        yield from _whole_or_parts(passage, *found.span(), regions)


def _whole_or_parts(passage: str, start: int, end: int, regions: Sequence[str]) -> Iterator[Place]:
    """A stretch of digits may be one number, or several with more than a space between them."""
    if rule := _rule(passage, start, end, regions):
        yield Place(rule, start, end)
        return
    bounds = [start, *(at for cut in _PARTS.finditer(passage, start, end) for at in cut.span()), end]
    if len(bounds) == 2:
        if end := _shortened(passage, start, end):
            yield Place("international", start, end)
        return
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        if rule := _rule(passage, first, last, regions):
            yield Place(rule, first, last)


def _shortened(passage: str, start: int, end: int) -> int:
    """Where a number with a country code ends, if other numbers follow it; 0 if there is none."""
    cut = end
    while passage[start] in "+(" and (cut := passage.rfind(" ", start, cut)) > start:
        if _international(passage[start:cut]):
            return cut
    return 0


def _rule(passage: str, start: int, end: int, regions: Sequence[str]) -> str:
    """By which evidence it is a phone number; empty if it is none."""
    written = passage[start:end]
    digits = sum(sign.isdigit() for sign in written)
    if not _LEAST <= digits <= _MOST or _DATE.search(written):
        return ""
    before = passage[max(start - _NEAR, 0) : start]
    abroad = "+" in written or (written.startswith("00") and len(written) > digits)
    if abroad and _international(written):
        return "international"
    if _announced(before, written):
        return "announced"
    if _DENIED.search(before) or _COUNTED.match(passage, end) or _is_book(written):
        return ""
    around = before[-_NEAR:] + passage[end : end + _NEAR // 2]
    known = dict.fromkeys((*regions, *(region for script, region in SCRIPTS if script.search(around))))
    return next((region.lower() for region in known if _national(written, region)), "")


def _announced(before: str, written: str) -> bool:
    """Whether a word says that a phone number follows, and it does not look like another number."""
    found = _ANNOUNCED.search(before)
    if not found or re.match(r"0(?![0-9])", written):
        return False
    direct = not re.search(r"[^\W_]", found["between"])
    return direct or not _THOUSANDS.fullmatch(written)


def _international(written: str) -> bool:
    digits = re.sub(r"^\(?(?:\+|00)", "+", written.replace("+ ", "+"))
    number = _parsed(digits, None)
    return number is not None and phonenumbers.is_valid_number(number)


def _national(written: str, region: str) -> bool:
    """Whether a number exists in a region and is written as people there write it."""
    groups = re.findall("[0-9]+", written)
    number = _parsed(written, region) if groups[0] != "0" else None
    if number is None or not phonenumbers.is_valid_number(number):
        return False
    digits = "".join(groups)
    is_long = digits.startswith(phonenumbers.ndd_prefix_for_region(region, True) or "0")
    if len(groups) == 1:
        is_mobile = phonenumbers.number_type(number) == PhoneNumberType.MOBILE
        return is_mobile and (region == "CN" or (is_long and len(digits) >= 10))
    if is_long and region != "US":
        return len(digits) >= 9
    usual = re.findall("[0-9]+", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return groups[-len(usual) :] == usual and len(digits) >= 9 and not _THOUSANDS.fullmatch(written)


def _parsed(written: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException:
        return None


def _is_book(written: str) -> bool:
    return bool(_BOOK.fullmatch(written) and isbn.is_valid(written))
