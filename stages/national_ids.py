"""Numbers that states give to people, by country: how they are written, and their check digits.

A check digit lets one random number in ten or eleven pass, and pages are full of random numbers. So a number
counts only where its shape says what it is (a birthday and a region within, letters, the dots and dashes of
one country), or where a word before it does.
"""

import datetime
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple

from stdnum import luhn

from stages.passages import AFTER, BEFORE, Place

_NEAR = 48  # characters in which the word stands before the number
_LETTERS = 4  # most that a number begins with
_TOKEN = re.compile(r"[0-9](?:[ .\-/]{0,2}[0-9A-Z]){6,}", re.ASCII)  # may be the digits of such a number


class Kind(NamedTuple):
    """A kind of number."""

    country: str
    shape: str  # regular expression
    check: str  # module of stdnum, or one of the functions below
    words: str = ""  # one of these must stand before it, with '|' between; lower case


KINDS = (
    Kind("cn", r"[1-9]\d{5}(?:18|19|20)\d{9}[\dXx]", "cn.ric"),
    Kind(
        "it",
        r"[A-Z]{3} ?[A-Z]{3} ?[\dL-NP-V]{2}[A-EHLMPRST][\dL-NP-V]{2} ?[A-Z][\dL-NP-V]{3}[A-Z]",
        "it.codicefiscale",
    ),
    Kind("fr", r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", "fr.nir"),
    Kind("mx", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[\dA-Z]\d", "mx.curp"),
    Kind("br", r"\d{3}\.\d{3}\.\d{3}-\d\d", "br.cpf"),
    Kind("br", r"\d\d\.\d{3}\.\d{3}/\d{4}-\d\d", "br.cnpj"),
    Kind("kr", r"\d{6}-\d{7}", "kr.rrn"),
    Kind("be", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", "belgian"),
    Kind("ch", r"756\.\d{4}\.\d{4}\.\d\d", "ch.ssn"),
    Kind("ar", r"(?:2[03-7]|3[034])-\d{8}-\d", "ar.cuit"),
    Kind("cl", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]", "cl.rut"),
    Kind("th", r"[1-8]-\d{4}-\d{5}-\d\d-\d", "th.pin"),
    Kind("fi", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[A-Y]", "fi.hetu"),
    Kind("ru", r"\d{3}-\d{3}-\d{3}[ -]\d\d", "snils"),
    Kind("hk", r"[A-Z]{1,2}\d{6}\([\dA]\)", "hong_kong"),
    Kind("us", r"\d{3}[- ]\d\d[- ]\d{4}|\d{9}", "us.ssn", "ssn|social security"),
    Kind("br", r"\d{11}|\d{9}-\d\d", "br.cpf", "cpf"),
    Kind("br", r"\d{14}", "br.cnpj", "cnpj"),
    Kind("cn", r"[1-9]\d{5} (?:18|19|20)\d{6} \d{3}[\dXx]", "cn.ric", "身份证|身份證"),
    Kind("tw", r"[A-Z][1289]\d{8}", "taiwanese", "身分證|身份證|統一證號|居留證"),
    Kind("in", r"\d{4}([ -]?)\d{4}\1\d{4}", "in_.aadhaar", "aadhaar|aadhar|uidai|uid|आधार"),
    Kind("es", r"\d{8}[- ]?[A-Z]|\d\d\.\d{3}\.\d{3}[- ]?[A-Z]", "es.dni", "dni|d.n.i|nif|n.i.f|identidad"),
    Kind("es", r"[XYZ][- ]?\d{7}[- ]?[A-Z]", "es.nie", "nie|n.i.e|nif|n.i.f|extranjero"),
    Kind("pl", r"\d{11}", "pl.pesel", "pesel"),
    Kind("kr", r"\d{13}", "kr.rrn", "주민등록번호|주민번호|외국인등록번호"),
    Kind("jp", r"\d{4}([ -]?)\d{4}\1\d{4}", "jp.in_", "マイナンバー|個人番号|my number"),
    Kind("tr", r"\d{11}", "tr.tckimlik", "tc|t.c|tckn|kimlik"),
    Kind("nl", r"\d{9}|\d{4}\.\d\d\.\d{3}", "nl.bsn", "bsn|burgerservicenummer|sofinummer"),
    Kind(
        "be",
        r"\d{11}",
        "belgian",
        "rijksregister|rijksregisternummer|registre national|numéro national|niss|insz",
    ),
    Kind(
        "de",
        r"\d\d ?\d{3} ?\d{3} ?\d{3}",
        "de.idnr",
        "steuer-id|steueridentifikationsnummer|identifikationsnummer|idnr",
    ),
    Kind("gb", r"\d{3}([ -]?)\d{3}\1\d{4}", "gb.nhs", "nhs"),
    Kind("ie", r"\d{7}[A-W][A-IW]?", "ie.pps", "pps|ppsn"),
    Kind("pt", r"\d{9}|\d{3} \d{3} \d{3}", "pt.nif", "nif|contribuinte"),
    Kind("at", r"\d{4} ?\d{6}", "at.vnr", "svnr|sozialversicherungsnummer|versicherungsnummer"),
    Kind("se", r"(?:19|20)?\d{6}[-+ ]?\d{4}", "swedish", "personnummer|personnr|pnr"),
    Kind("no", r"\d{6} ?\d{5}", "norwegian", "fødselsnummer|fødselsnr|personnummer|fnr"),
    Kind("fi", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[\dA-Y]", "fi.hetu", "henkilötunnus|hetu|sotu"),
    Kind("ee", r"[1-8]\d{10}", "ee.ik", "isikukood"),
    Kind("lt", r"[1-8]\d{10}", "lt.asmens", "asmens kodas|a.k"),
    Kind("lv", r"\d{6}-\d{5}", "lv.pvn", "personas kods|p.k"),
    Kind("cz", r"\d{6}/\d{3,4}", "cz.rc", "rodné číslo|rodné č|r.č|r. č"),
    Kind("ro", r"[1-9]\d{12}", "ro.cnp", "cnp|cod numeric personal"),
    Kind("bg", r"\d{10}", "bg.egn", "егн"),
    Kind("gr", r"\d{11}", "gr.amka", "αμκα|amka"),
    Kind("hr", r"\d{11}", "hr.oib", "oib"),
    Kind("rs", r"\d{13}", "si.emso", "emšo|emso|jmbg|јмбг|јединствени матични број"),
    Kind("ru", r"\d{12}", "ru.inn", "инн"),
    Kind("ua", r"\d{10}", "ua.rntrc", "рнокпп|іпн|інн|ідентифікаційний номер"),
    Kind("il", r"\d{9}|\d{8}-\d", "il.idnr", 'ת.ז|ת"ז|ת״ז|תעודת זהות|teudat zehut'),
    Kind("ir", r"\d{10}|\d{3}-\d{6}-\d", "iranian", "کد ملی|کدملی|شماره ملی"),
    Kind("za", r"\d{6} ?\d{4} ?\d{3}", "south_african", "id number|id no|identity number|id nr"),
    Kind("ca", r"\d{3}([ -]?)\d{3}\1\d{3}", "ca.sin", "sin|s.i.n|social insurance|assurance sociale|nas"),
    Kind("au", r"\d{3} ?\d{3} ?\d{3}", "au.tfn", "tfn|tax file"),
    Kind("ec", r"\d{10}", "ec.ci", "cédula|cedula|c.i"),
    Kind("th", r"[1-8]\d{12}", "th.pin", "บัตรประชาชน|ประจำตัวประชาชน"),
)


def announces_id(text: str) -> bool:
    """Whether it has a word that says that such a number follows."""
    return any(words.search(text.lower()) for _, words, _ in _by_word())


def national_ids(passage: str) -> Iterator[Place]:
    """Numbers with a valid check digit, by their shape or by a word before them."""
    for found in _by_shape().finditer(passage):
        kind = KINDS[int(str(found.lastgroup)[1:])]
        if _is_valid(kind.check, found[0]):
            yield Place(kind.country, *found.span())
    lower = passage.lower()
    if len(lower) != len(passage):  # İ becomes two characters
        lower = passage
    near = "\n".join(
        lower[max(token.start() - _NEAR - _LETTERS, 0) : token.end()] for token in _TOKEN.finditer(passage)
    )
    for kind, words, shape in _by_word():
        if near and any(word in near for word in kind.words.split("|")):
            for found in shape.finditer(passage):
                before = lower[max(found.start() - _NEAR, 0) : found.start()]
                if words.search(before) and _is_valid(kind.check, found[0]):
                    yield Place(kind.country, *found.span())


@cache
def _by_shape() -> re.Pattern[str]:
    """All whose shape says what they are; the group that matched names the kind."""
    shapes = "|".join(f"(?P<k{at}>{kind.shape})" for at, kind in enumerate(KINDS) if not kind.words)
    return re.compile(rf"(?=[0-9]|[A-Z][A-Z0-9]){BEFORE}(?:{shapes}){AFTER}", re.ASCII)


@cache
def _by_word() -> tuple[tuple[Kind, re.Pattern[str], re.Pattern[str]], ...]:
    """The others: kind, words, shape."""
    return tuple(
        (
            kind,
            re.compile(
                rf"(?<![a-zà-ɏͰ-ӿ])(?:{'|'.join(map(re.escape, kind.words.split('|')))})(?![a-zà-ɏͰ-ӿ])"
            ),
            re.compile(rf"(?=[0-9A-Z]){BEFORE}(?:{kind.shape}){AFTER}", re.ASCII),
        )
        for kind in KINDS
        if kind.words
    )


def _is_valid(check: str, number: str) -> bool:
    if check in _CHECKS:
        return _CHECKS[check](re.sub(r"[^0-9A-Z]", "", number))
    return bool(import_module(f"stdnum.{check}").is_valid(number))


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_date(year: str, month: str, day: str) -> bool:
    """Of a year without its century; 29 February counts in every fourth."""
    try:
        datetime.date(2000 + int(year), int(month), int(day))
    except ValueError:
        return False
    return True


# Those that the library lacks, or judges by today's date.


def _belgian(digits: str) -> bool:
    rest = 97 - int(digits[9:])
    return rest in (int(digits[:9]) % 97, int(f"2{digits[:9]}") % 97) and int(digits[2:4]) <= 12


def _snils(digits: str) -> bool:
    rest = _weighted(digits, tuple(range(9, 0, -1))) % 101 % 100
    return rest == int(digits[9:]) and digits[:9] > "001001998"


def _swedish(digits: str) -> bool:
    digits = digits[-10:]
    return luhn.is_valid(digits) and _is_date(digits[:2], digits[2:4], str(int(digits[4:6]) % 60))


def _norwegian(digits: str) -> bool:
    checks = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    day, month = int(digits[:2]) % 40, int(digits[2:4]) % 40
    valid = all(_weighted(digits, weights) % 11 == 0 for weights in checks)
    return valid and _is_date(digits[4:6], str(month), str(day))


def _south_african(digits: str) -> bool:
    return luhn.is_valid(digits) and digits[10] in "012" and _is_date(digits[:2], digits[2:4], digits[4:6])


def _iranian(digits: str) -> bool:
    rest = _weighted(digits[:9], tuple(range(10, 1, -1))) % 11
    return int(digits[9]) == (rest if rest < 2 else 11 - rest) and len(set(digits)) > 1


def _hong_kong(number: str) -> bool:
    values = [36, *(int(sign, 36) for sign in number)][-9:]
    return sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


_TAIWAN = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # letters in the order of their numbers, from 10


def _taiwanese(number: str) -> bool:
    letter = _TAIWAN.index(number[0]) + 10
    return _weighted(f"{letter}{number[1:]}", (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


_CHECKS: dict[str, Callable[[str], bool]] = {
    "belgian": _belgian,
    "snils": _snils,
    "swedish": _swedish,
    "norwegian": _norwegian,
    "south_african": _south_african,
    "iranian": _iranian,
    "hong_kong": _hong_kong,
    "taiwanese": _taiwanese,
}
