"""Kinds of personal data against the libraries that know them, and against plain twins."""

import random
import re
import unicodedata
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn

from stages import national_ids as ids
from stages import phone_words
from stages.emails import emails
from stages.ips import ips
from stages.passages import plain
from stages.payment import cards, ibans
from stages.personal import find
from stages.phones import phones
from stages.suspects import AT, COLONS, DOTTED, NUMBER

EVERYTHING = AT | NUMBER | DOTTED | COLONS
REGIONS = (
    "US",
    "GB",
    "DE",
    "FR",
    "IT",
    "ES",
    "PL",
    "CN",
    "JP",
    "KR",
    "RU",
    "TH",
    "IN",
    "BR",
    "EG",
    "TR",
    "VN",
)


def found(search, text, *options):
    return [text[place.start : place.end] for place in search(text, *options)]


# One valid number of each kind that is told by its shape, and one that is told by a word, as their states or
# the library's documentation give them as examples.
SHAPES = {
    "cn": "11010519491231002X",
    "it": "RCCMNL83S18D969H",
    "fr": "2 95 10 99 126 111 93",
    "mx": "BOXW310820HNERXN09",
    "br": "390.533.447-05",
    "kr": "971013-9019902",
    "be": "85.07.30-033.28",
    "ch": "756.9217.0769.85",
    "ar": "20-05536168-2",
    "cl": "12.531.909-2",
    "fi": "131052-308T",
    "ru": "112-233-445 95",
    "hk": "A123456(3)",
}
WORDS = {
    "us": ("SSN: ", "536-90-4399"),
    "br": ("CPF nº ", "39053344705"),
    "tw": ("身分證字號：", "A123456789"),
    "in": ("Aadhaar No. ", "2341 2341 2346"),
    "es": ("con DNI ", "54362315K"),
    "pl": ("PESEL: ", "44051401359"),
    "jp": ("マイナンバー（個人番号）は", "6214 9832 0257"),
    "tr": ("T.C. Kimlik No: ", "17291716060"),
    "nl": ("BSN ", "111222333"),
    "de": ("Steuer-ID: ", "36 574 261 809"),
    "gb": ("NHS number ", "943-476-5870"),
    "se": ("personnummer ", "880320-0016"),
    "no": ("fødselsnummer ", "151086 95088"),
    "ro": ("CNP ", "1630615123457"),
    "ru": ("ИНН ", "500100732259"),
    "ir": ("کد ملی ", "0499370899"),
    "za": ("ID number: ", "7503305044089"),
    "ca": ("SIN: ", "123-456-782"),
    "il": ("ת.ז. ", "039337423"),
}


@pytest.mark.parametrize("country", SHAPES)
def test_ids_with_a_shape_of_their_own(country):
    number = SHAPES[country]
    assert [(place.rule, number) for place in ids.national_ids(f"是{number}。")] == [(country, number)]
    for at in (at for at, sign in enumerate(number) if sign in "0123456789"):
        other = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
        kind = next(kind for kind in ids.KINDS if kind.country == country and not kind.words)
        valid = kind.check not in ids._CHECKS and import_module(f"stdnum.{kind.check}").is_valid(other)
        assert found(ids.national_ids, f"is {other}.") == ([other] if valid else []), other


@pytest.mark.parametrize("country", WORDS)
def test_ids_that_a_word_tells(country):
    word, number = WORDS[country]
    assert [(place.rule, place.start) for place in ids.national_ids(f"Her {word}{number}.")] == [
        (country, 4 + len(word))
    ]
    assert found(ids.national_ids, f"Her number {number}.") == []
    last = str((int(number[-1]) + 1) % 10) if number[-1].isdigit() else "A"
    assert found(ids.national_ids, f"{word}{number[:-1]}{last}") == [] or country == "us"  # no check digit


def test_every_kind_has_its_check_and_none_looks_at_a_clock():
    for kind in ids.KINDS:
        if kind.check not in ids._CHECKS:
            assert import_module(f"stdnum.{kind.check}")
            source = Path(find_spec(f"stdnum.{kind.check}").origin).read_text()
            clock = re.search(r"\.(?:today|now)\(", source)
            assert not clock or "allow_future: bool = True" in source, kind.check
        re.compile(kind.shape)
        assert kind.words == kind.words.lower()
        assert kind.words == unicodedata.normalize("NFC", kind.words)


def test_words_are_as_texts_have_them():
    for name in ("ANNOUNCE", "ANNOUNCE_JOINED", "FILL", "FILL_JOINED", "DENY", "DENY_JOINED"):
        for word in getattr(phone_words, name):
            assert word == unicodedata.normalize("NFC", word).lower()


CARDS = {"4": 16, "51": 16, "2221": 16, "34": 15, "37": 15, "6011": 16, "3528": 16, "62": 19, "2200": 16}


@given(st.sampled_from(sorted(CARDS)), st.text("0123456789", min_size=20, max_size=20), st.booleans())
@settings(deadline=None)
def test_cards_are_those_of_luhn(prefix, digits, spaced):
    number = f"{prefix}{digits}"[: CARDS[prefix]]
    made_up = len(set(number)) < 4
    shown = re.sub("(.{4})(?=.)", r"\1 ", number) if spaced and len(number) in (16, 19) else number
    wanted = [] if made_up or not luhn.is_valid(number) else [shown]
    assert found(cards, f"card {shown}.") == wanted
    assert found(cards, f"卡号{shown}，") == wanted
    assert found(cards, f"x{shown}") == found(cards, f"1.{shown}") == []


IBANS = (
    "DE89 3704 0044 0532 0130 00",
    "GB82 WEST 1234 5698 7654 32",
    "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
)


@pytest.mark.parametrize("number", IBANS)
def test_ibans_are_those_of_their_countries(number):
    for shown in (number, number.replace(" ", "")):
        assert found(ibans, f"IBAN:{shown} BIC NTSBDEB1, 12") == [shown]
        for at, sign in enumerate(shown):
            if sign.isdigit():
                other = f"{shown[:at]}{(int(sign) + 1) % 10}{shown[at + 1 :]}"
                assert found(ibans, other) == [] and not iban.is_valid(other)


@given(st.tuples(*[st.integers(0, 255)] * 4))
def test_ip_addresses_that_belong_to_somebody(octets):
    written = ".".join(map(str, octets))
    first, second, *_ = octets
    reserved = (
        first in (0, 10, 127)
        or first >= 224
        or (first, second) in ((169, 254), (192, 168))
        or (first == 172 and 16 <= second < 32)
        or (first == 100 and 64 <= second < 128)
        or octets[:3] in ((192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 51, 100), (203, 0, 113))
        or (first == 198 and second in (18, 19))
    )
    assert found(ips, f"the host {written} answers") == ([] if reserved else [written])
    assert found(ips, f"version {written}") == found(ips, f"{written}.5") == found(ips, f"x{written}") == []
    if len(written) < 11:
        assert found(ips, f"It is {written} of it") == []


@pytest.mark.parametrize("written", ["2001:4860:4860::8888", "2a00:1450:4001:80b:0:0:0:200e", "2600::1"])
def test_ipv6_addresses(written):
    assert found(ips, f"[{written}]:80") == [written]
    assert found(ips, written.upper()) == [written.upper()]


@pytest.mark.parametrize(
    "written", ["fe80::1", "::1", "2001:db8::1", "std::dec", "12:30:45", "2a00:1:2", "20:10"]
)
def test_no_ipv6_addresses(written):
    assert found(ips, f"at {written} or") == []


LOCALS = st.from_regex(r"[a-z0-9_]([a-z0-9_+-]|\.(?=[a-z])){0,20}[a-z0-9]", fullmatch=True)
NAMES = st.from_regex(
    r"([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.){1,3}(com|org|de|co\.uk|cn|рф|museum)", fullmatch=True
)


@settings(deadline=None)
@given(
    LOCALS,
    NAMES,
    st.sampled_from([" {} ", "邮箱{}。", "<{}>", "mailto:{}.", "이메일:{}로", '"{}",', "({})\n"]),
)
def test_addresses_in_running_text(local, name, around):
    address = f"{local}@{name}"
    if name.endswith("рф"):
        return
    assert found(emails, around.format(address), True) == ([] if name.startswith("example.") else [address])


@pytest.mark.parametrize(
    "text",
    [
        *("@bob", "a@b", "icon@2x.png", "bob@host", "bob@example.com", "bob@a.example", "Рейтинг@Mail.ru"),
        *("bob @ host.com", "npm@10.2.3", "bob@.com", "@media.com", "x@y.jpg", "look (at) it. Dot"),
    ],
)
def test_no_addresses(text):
    assert found(emails, text, True) == []


def test_addresses_of_other_forms():
    assert found(emails, "ivan@почта.рф, иван@почта.рф; müller@host.de", True) == [
        *("ivan@почта.рф", "иван@почта.рф", "müller@host.de")
    ]
    assert found(emails, "bob [at] host [dot] org, bob(at)host.org, bob [@] host [.] org.", True) == [
        *("bob [at] host [dot] org", "bob(at)host.org", "bob [@] host [.] org")
    ]
    assert found(emails, "Mail bob@host.org.The next", True) == ["bob@host.org"]


@pytest.mark.parametrize("region", REGIONS)
def test_phones_as_the_library_writes_them(region):
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert found(phones, f"是{shown}。", ()) == [shown]
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        assert found(phones, f"Tel.: {national}, or", ()) == [national]
        groups = re.findall("[0-9]+", national)
        trunk = national.lstrip("(").startswith(("0", "8 "))
        thousands = all(len(group) == 3 for group in groups[1:]) and "-" not in national
        if (trunk or not thousands) and sum(map(len, groups)) > 8:
            assert found(phones, f"or {national}.", (region,)) == [national]
        assert found(phones, f"or {national}.", ()) == []


def test_random_digits_are_no_phones():
    numbers = random.Random(7)
    wrong = 0
    for _ in range(2_000):
        digits = "".join(numbers.choices("0123456789", k=numbers.randint(7, 15)))
        cut = sorted(numbers.sample(range(1, len(digits)), numbers.randint(0, 3)))
        parts = [digits[a:b] for a, b in zip([0, *cut], [*cut, None], strict=True)]
        wrong += bool(found(phones, f"It is {numbers.choice(' -').join(parts)} so", ("US", "GB")))
    assert wrong < 40


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.integers(0, 15))
@settings(max_examples=300, deadline=None)
def test_places_are_in_order_within_the_passage(text, marks):
    end = 0
    for place in find(text, marks, True, ("US",)):
        assert end <= place.start < place.end <= len(text)
        end = place.end


@given(st.text(max_size=40))
def test_the_plain_form_has_as_many_characters(text):
    assert len(plain(text)) == len(text)
    assert plain(plain(text)) == plain(text)
