"""The line that begins a record in an ARC file, version 1 or 2, said in the fields of WARC."""

import re

LONGEST = 1 << 13  # bytes of such a line
_IP = rb"\d{1,3}(?:\.\d{1,3}){3}|[\dA-Fa-f]*:[\dA-Fa-f:.]*|-"
_SECOND = rb" (?:\d{1,3}|-) [^ \r\n]+ [^ \r\n]+ [\d-]+ [^ \r\n]+"  # status, checksum, location, offset, file
LINE = (
    rb"(?P<url>[A-Za-z][\w+.-]{0,20}:[^\r\n]{0,6000}?) (?:" + _IP + rb") (?P<date>\d{12,18}) "
    rb"(?P<kind>[^ ;,\r\n]*(?:[;,][^\r\n]{0,200}?)?)(?:" + _SECOND + rb")? (?P<length>-?\w{1,20})[ \t\r]*\n"
)
BEGUN = re.compile(rb"[A-Za-z][\w+.-]{0,20}:[^\r\n]*")  # the line, where the file ends in it


def warc_fields(line: re.Match[bytes]) -> dict[str, str]:
    """Header fields of a WARC record, by lowercase name, that say what a LINE says.

    Everything that was fetched is a response; the record that describes the file is its warcinfo.
    """
    url, date, kind, length = (_decoded(line[name]) for name in ("url", "date", "kind", "length"))
    scheme = url.partition(":")[0].lower()
    return {
        "warc-type": "warcinfo" if scheme == "filedesc" else "response",
        "warc-target-uri": url,
        "warc-date": date[:14],
        "content-type": "application/http" if scheme in ("http", "https") else kind,
        "content-length": length,
        "warc-identified-payload-type": kind,
    }


def _decoded(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        return field.decode("latin-1")
