"""The form every text has from birth: NFC, no control characters, tidy lines."""

import re
import unicodedata
from functools import cache

_LINE_END = re.compile(r"[\r\v\f\x85\u2028\u2029]")
# C0 but tab and line feed, DEL, C1, surrogates, byte order marks and other characters that are none.
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"\n{3,}")
_PLANES = 0x20000  # code points of the planes with combining marks
_MARKS = 30  # combining marks in a row; more is no language (Unicode Annex 15, Stream-Safe Text Format)


def clean(text: str) -> str:
    r"""`text` in NFC, without control characters (but \n and \t), byte order marks and half surrogate pairs.

    Lines end in \n and not in blanks; at most one blank line in a row, none at the ends.
    """
    text = _UNWANTED.sub("", _LINE_END.sub("\n", text.replace("\r\n", "\n")))
    text = "\n".join([line.rstrip() for line in nfc(text).split("\n")])
    if "\n\n\n" in text:  # searching for a repetition is slow
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip("\n")


def clean_line(text: str) -> str:
    """`text` as one line, for urls, dates and other short columns."""
    return " ".join(_UNWANTED.sub("", text).split())


def nfc(text: str) -> str:
    """`text` in NFC, in linear time: sorting a long run of combining marks would take quadratic time."""
    if unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", stream_safe(text))


def stream_safe(text: str) -> str:
    """`text` without what goes beyond 30 combining marks in a row."""
    return text if text.isascii() else _long_runs_of_marks().sub(r"\1", text)


@cache
def _long_runs_of_marks() -> re.Pattern[str]:
    marks = "".join(mark for mark in map(chr, range(_PLANES)) if unicodedata.combining(mark))
    return re.compile(f"([{marks}]{{{_MARKS}}})[{marks}]+")
