"""Submissions to Reddit as dumps have them, of any year; or links alone, as published lists have them."""

import datetime
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from stages.curated import Damage, inflated, json_lines, lines

_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # what Reddit escapes; the ampersand comes last
_NUMBER = re.compile(r"\s*([+-]?\d{1,15})(?:\.\d*)?\s*")
_KNOWN = ("url", "is_self", "selftext", "permalink")  # a submission has one of them
_GONE = frozenset({"", "[deleted]", "[removed]", "default", "self"})
_LAST_SECOND = 253_402_300_799  # of the year 9999
_MOST_KARMA = (1 << 31) - 1


class Submission(NamedTuple):
    """One line of a dump; or one of a list, which has only a link."""

    line: int  # from 1
    url: str | None = None
    created: int | None = None  # seconds since 1970, UTC
    karma: int | None = None  # score: votes up minus votes down
    subreddit: str | None = None
    is_self: bool = False  # it is a text on Reddit itself
    problem: str = ""  # why the line cannot be read: json, submission, truncated, corrupt

    @property
    def date(self) -> str | None:
        """'2005-06-23T18:43:53Z'."""
        if self.created is None:
            return None
        return f"{datetime.datetime.fromtimestamp(self.created, datetime.UTC).isoformat()[:19]}Z"


def from_dump(file: IO[bytes], compression: str) -> Iterator[Submission]:
    """The lines of a dump, NDJSON; a broken end is one line with a problem."""
    for number, fields, problem in json_lines(inflated(file, compression)):
        yield submission(number, fields) if fields is not None else Submission(number, problem=problem)


def from_list(file: IO[bytes], compression: str) -> Iterator[Submission]:
    """The links of a list, one a line; empty lines and those that begin with `#` count for nothing."""
    number = 0
    try:
        for number, line in enumerate(lines(inflated(file, compression)), 1):
            url = line.decode("utf-8-sig", "replace").strip()
            if url and not url.startswith("#"):
                yield Submission(number, unescaped(url if "//" in url else f"http://{url}"))
    except Damage as damage:
        yield Submission(number + 1, problem=str(damage))


def submission(number: int, fields: Mapping[str, Any]) -> Submission:
    """A submission of its fields, whatever their types: dumps of all years differ."""
    if not any(name in fields for name in _KNOWN) or "body" in fields:
        return Submission(number, problem="submission")
    url = _first(fields, ("url", "url_overridden_by_dest"))
    created = _whole(fields.get("created_utc", fields.get("created")))
    domain, subreddit = fields.get("domain"), fields.get("subreddit")
    return Submission(
        number,
        unescaped(url) if url else None,
        created if created is not None and 0 <= created <= _LAST_SECOND else None,
        _karma(fields),
        subreddit if isinstance(subreddit, str) else None,
        fields.get("is_self") in (True, 1, "true", "True") or str(domain).startswith("self."),
    )


def unescaped(url: str) -> str:
    """A URL without the escapes in which Reddit gives it; html.unescape would take `&copy=1` for ©."""
    if "&" in url:
        for escape, character in _ESCAPES:
            url = url.replace(escape, character)
    return url


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of the fields that holds a string which is not said to be gone."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value.strip() not in _GONE), None)


def _karma(fields: Mapping[str, Any]) -> int | None:
    score = _whole(fields.get("score"))
    if score is None and "ups" in fields:  # as the first dumps said it
        ups, downs = _whole(fields["ups"]), _whole(fields.get("downs", 0))
        score = None if ups is None or downs is None else ups - downs
    return None if score is None else max(-_MOST_KARMA, min(score, _MOST_KARMA))


def _whole(value: Any) -> int | None:
    """A number, also one that is written as a string, without what is behind its point."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        return int(match[1]) if match else None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value if isinstance(value, int) else None
