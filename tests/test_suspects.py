"""Where a text may hold personal data: the kernel against a plain twin, and nothing is missed for it."""

import re

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from stages.personal import find
from stages.suspects import AFTER, AT, BEFORE, COLONS, DOTTED, NUMBER, suspects

GAP = r"[ .()-]{0,3}"
RUN = re.compile(rf"(?P<plus>\+[ (]*)?(?P<run>[0-9](?:[a-z]*{GAP}[0-9])*)")


def marks(text):
    """What a short text is suspected of."""
    found = suspects(pa.array([text]))
    return int(np.bitwise_or.reduce(found.marks, initial=0))


def twin(text):
    """The same of numbers, in plain Python, for the characters that the test makes."""
    result = 0
    for match in RUN.finditer(text):
        run = match["run"]
        groups = ["".join(re.findall("[0-9]", part)) for part in re.split("[ .()-]+", run)]
        digits = sum(map(len, groups))
        years = sum(len(group) == 4 and group[:2] in ("19", "20") for group in groups)
        others = sum(len(group) > 2 for group in groups) - years
        date = years and not others and (digits <= 8 or years == len(groups))
        if digits >= 7 and (match["plus"] or not date):
            result |= NUMBER
        if re.search(r"(?:(?<=[0-9a-z])\.[0-9][0-9a-z]*){3}", run):
            result |= DOTTED
    return result


@settings(max_examples=500, deadline=None)
@given(st.text("0129 .-(+a，", max_size=30))
@example("12.05.2020")
@example("2019-2020 2021")
@example("+2019 2020")
@example("1a.2.3.4")
@example("1 2 3 4 5 6   7")
@example("1 2 3 4 5 6    7")
def test_numbers_against_a_plain_twin(text):
    assert marks(text) == twin(text)


def test_prose_is_not_suspected():
    for text in SENTENCES.values():
        assert marks(f"{text} 12.05.2020, 1998-2004, 1,234,567, 10:30:15, @bob {text}") == 0


def test_digits_of_all_scripts_and_other_suspects():
    for zero in "0٠۰०০๐０":
        digits = "".join(chr(ord(zero) + digit) for digit in (5, 1, 2, 3, 4, 6, 7))
        assert marks(f"是{digits}。") == NUMBER
        assert marks(f"{digits[:3]}‐{digits[3:]}") == NUMBER
        assert marks(f"{digits[:3]}是{digits[3:]}") == 0
    assert marks("a@b") == marks("邮箱a＠b") == marks("a(at)b") == marks("a [ AT ] b") == marks("a[@]b") == AT
    assert marks("@b") == marks("a @ b") == marks("a@") == marks("(attic)") == 0
    assert marks("2001:db8::1") == marks("3FFE:1") == COLONS
    assert marks("1001:db8::1") == marks("200:db8::1") == marks("2001: a") == marks("200g:1") == 0


PIECES = st.sampled_from(
    [
        *(
            "bob@host.com",
            "+1 212-555-7890",
            "电话13812345678",
            "93.184.216.34",
            "2606:2800:220:1::",
            "1 2 3",
        ),
        *(
            "11010519491231002X",
            "4539 1488 0343 6467",
            "DE89 3704 0044 0532 0130 00",
            "bob (at) host.org",
            "x",
        ),
        *("Tel: 1234567", "RCCMNL83S18D969H", "131052-308T", "12.05.2020", "的" * 99, "y " * 200, "\n"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=9).map(" ".join))
def test_nothing_is_missed_outside_of_the_passages(text):
    data, told = text.encode(), []
    found = suspects(pa.array(["before", text, None, ""], pa.large_string()))
    assert found.documents.tolist() == [1] * len(found.starts)
    end = -1
    for start, stop, mark in zip(found.starts, found.ends, found.marks, strict=True):
        assert end < start < stop <= len(data)
        end = stop
        passage = data[start:stop].decode()
        told += [passage[each.start : each.end] for each in find(passage, int(mark), True, ())]
    everything = AT | NUMBER | DOTTED | COLONS
    assert told == [text[each.start : each.end] for each in find(text, everything, True, ())]


def test_passages_have_room_on_both_sides():
    text = "a" * 1_000 + " 5551234567 " + "b" * 1_000
    found = suspects(pa.array([text]))
    assert found.starts.tolist() == [1_001 - BEFORE]
    assert found.ends.tolist() == [1_011 + AFTER]
    wide = "的" * 500 + "5551234567" + "的" * 500
    found = suspects(pa.array([wide]))
    assert wide.encode()[int(found.starts[0]) : int(found.ends[0])].decode().strip("的") == "5551234567"
