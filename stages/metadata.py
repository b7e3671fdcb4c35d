"""What a page says of itself: title, author, day of publication, as Trafilatura finds them."""

from typing import NamedTuple

from stages.charset import decode
from stages.extract import iso_date
from stages.page import fetched
from stages.text import clean_line
from stages.warc import Record

LATEST = "2100-01-01"  # of a page whose record has no date


class Metadata(NamedTuple):
    """What a page says of itself."""

    title: str | None = None
    author: str | None = None
    published: str | None = None  # a day, such as 2019-05-18


def read_metadata(record: Record) -> Metadata:
    """Title, author and date that a page of HTML gives, by Trafilatura; none is later than the record's."""
    from trafilatura.metadata import extract_metadata

    answer = fetched(record)
    html = decode(answer.body, answer.headers.get("content-type", "")).text
    day = (iso_date(record.headers.get("warc-date", "")) or "")[:10]
    # Without `max_date` the outcome would depend on today; an extensive search would guess, also by today.
    dates = {"original_date": True, "extensive_search": False, "max_date": day if len(day) == 10 else LATEST}
    try:
        found = extract_metadata(html, date_config=dates)
    except MemoryError:
        raise
    except Exception:  # whatever Trafilatura makes of a page, it costs what the page says of itself, no more
        return Metadata()
    return Metadata(*(clean_line(value or "") or None for value in (found.title, found.author, found.date)))
