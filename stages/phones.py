"""Phone numbers: with a country code, after a word that announces one, or as a country writes its own.

A run of digits is no phone number because it could be dialled. It takes evidence, and Google's numbering
plans (`phonenumbers`) say whether a number with a country code, or one of a country, exists.
"""

import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType
from stdnum import isbn

from stages.passages import BEFORE, Place
from stages.phone_words import (
    ANNOUNCE,
    ANNOUNCE_JOINED,
    COUNTED,
    DENY,
    DENY_JOINED,
    FILL,
    FILL_JOINED,
    LETTERS,
    SCRIPTS,
)

_GAP = r"[ ().\-/]{0,3}"
_STRETCH = re.compile(
    rf"(?=[0-9+(])(?:(?<![0-9A-Za-z_?=/+])\+ ?|(?<!\+)){BEFORE}(?:\(\+?)?[0-9](?:{_GAP}[0-9])*+",
    re.ASCII,
)
_GOES_ON = re.compile(
    "[,:][0-9]"
)  # behind a stretch, which is then no number (looked at apart: in linear time)
_PARTS = re.compile(r" {2,}|(?<=[0-9]) ?/ ?(?=[0-9+(])|(?<=[0-9]) (?=\+)|(?<=[0-9]) - (?=[0-9])")
_WORD = re.compile(r"[a-zà-ɏͰ-ӿḀ-ỿ]+$")
_BETWEEN = " \t\n:：.,;|/()[]*_=–—-+'’`\"<>\u200e\u200f\u202a-\u202e"  # signs before a number
_CLOSES, _COLONS = tuple(">]}|"), (":", "：")
_GLUED = re.compile("[0-9A-Za-z_À-ɏ]")
_MOST_WORDS = 5  # between what announces a number and the number
_NEAR = 40  # characters
_LEAST, _MOST = 7, 15  # digits, by E.164
_YEAR = r"(?:19|20)[0-9]{2}"
_DATE = re.compile(  # or a span of years, also with a time or other digits behind it
    rf"(?<![0-9])(?:{_YEAR}([-./ ])[0-9]{{1,2}}\1[0-9]{{1,2}}(?![0-9])|{_YEAR}[01][0-9][0-3][0-9](?![0-9])|"
    rf"[0-9]{{1,2}}([-./])[0-9]{{1,2}}\2{_YEAR}|[0-9]{{1,2}} [0-9]{{1,2}} {_YEAR}(?![0-9])|"
    r"(?:1[0-9]|20)[0-9]{2} ?[-/] ?(?:1[0-9]|20)[0-9]{2}(?![0-9]))",
    re.ASCII,
)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:([ .])[0-9]{3})(?:\1[0-9]{3})*")
_BOOK = re.compile(r"97[89]-?[0-9](?:-?[0-9]){9}|[0-9]{1,5}-[0-9]{2,7}-[0-9]{2,7}-[0-9]")


def is_region(code: str) -> bool:
    """Whether there are numbering plans of a country."""
    return code in phonenumbers.SUPPORTED_REGIONS


def announces_phone(text: str) -> bool:
    """Whether a number right behind it would count as a phone number."""
    return _words_between(f"{text} ".lower()) >= 0


def phones(passage: str, regions: Sequence[str]) -> Iterator[Place]:
    """Numbers of these regions, of those where the script around a number is written, and of the world."""
    for found in _STRETCH.finditer(passage):
        start, end = found.span()
        if _digits(found[0]) < _LEAST or _GOES_ON.match(passage, end):
            continue
        if found[0].count("(") > found[0].count(")"):  # what it opens belongs to what follows
            end = start + len(found[0][: found[0].rindex("(")].rstrip(" .-/"))
        if start < end:
            yield from _whole_or_parts(passage, start, end, regions)


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
    cut = min(end, start + _NEAR)
    while passage[start] in "+(" and (cut := passage.rfind(" ", start, cut)) > start:
        if _international(passage[start:cut]):
            return cut
    return 0


def _rule(passage: str, start: int, end: int, regions: Sequence[str]) -> str:
    """By which evidence it is a phone number; empty if it is none."""
    written = passage[start:end]
    digits = _digits(written)
    if not _LEAST <= digits <= _MOST or ("+" not in written and _DATE.search(written)):
        return ""
    before = passage[max(start - _NEAR, 0) : start]
    abroad = "+" in written or (written.startswith("00") and len(written) > digits)
    if abroad and _international(written):
        return "international"
    if _announced(before, written):
        return "announced"
    if _is_denied(before) or COUNTED.match(passage, end) or _is_book(written):
        return ""
    if _GLUED.match(passage, end):
        return ""
    around = before + passage[end : end + _NEAR // 2]
    here = () if around.isascii() else (region for script, region in SCRIPTS if script.search(around))
    known = dict.fromkeys((*regions, *here))
    return next((region.lower() for region in known if _national(written, region)), "")


def _digits(written: str) -> int:
    """How many of these ASCII characters are digits."""
    return sum(map(str.isdigit, written))


def _announced(before: str, written: str) -> bool:
    """Whether a word says that a phone number follows, and it does not look like another number."""
    words = _words_between(before.lower())
    if words < 0 or re.match(r"0(?![0-9])", written):
        return False
    return words == 0 or not _THOUSANDS.fullmatch(written)


def _words_between(before: str) -> int:
    """How many words stand between a number and what announces it; -1 if nothing does."""
    for words in range(_MOST_WORDS):
        text = before.rstrip(_BETWEEN)
        word, follower = _last_word(text), before[len(text) : len(text) + 1]
        placeholder = word and follower in _CLOSES  # which announces nothing
        announces = (
            word in ANNOUNCE or text.endswith(ANNOUNCE_JOINED) or (word in LETTERS and follower in _COLONS)
        )
        if announces and not placeholder:
            return words
        if placeholder or word in FILL:
            before = text[: -len(word)]
        elif filler := next((each for each in FILL_JOINED if text.endswith(each)), ""):
            before = text[: -len(filler)]
        else:
            return -1
    return -1


def _is_denied(before: str) -> bool:
    """Whether a word says that a number of another kind follows."""
    text = before.lower().rstrip(_BETWEEN)
    return len(before) - len(text) <= _NEAR // 6 and (_last_word(text) in DENY or text.endswith(DENY_JOINED))


def _last_word(text: str) -> str:
    found = _WORD.search(text, max(len(text) - _NEAR // 2, 0))
    return found[0] if found else ""


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
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or "0"
    is_long = digits.startswith(trunk)
    if len(groups) == 1:
        is_mobile = phonenumbers.number_type(number) == PhoneNumberType.MOBILE
        return is_mobile and (region == "CN" or (is_long and len(digits) >= 10))
    if is_long and trunk != "1":
        return len(digits) >= 9
    usual = re.findall("[0-9]+", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return (
        (groups[-len(usual) :] == usual or usual[-len(groups) :] == groups)
        and len(digits) >= 9
        and not _THOUSANDS.fullmatch(written)
    )


def _parsed(written: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException:
        return None


def _is_book(written: str) -> bool:
    return bool(_BOOK.fullmatch(written) and isbn.is_valid(written))
