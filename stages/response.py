"""An HTTP message as a crawler stored it: status, header fields, decoded body. Bad bytes never raise."""

import contextlib
import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from fastwarc.stream_io import BrotliReader, ZstdReader

from stages.stream import GZIP, until_error

_STATUS = re.compile(rb"[A-Za-z]+(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})\b")
_FIELD = re.compile(rb"(?:[^\n]*\n)?[\w!#$%&'*+.^`|~-]{1,100}:")  # in the first line, or the second
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LONGEST_HEADER = 1 << 16
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]{0,1000})?\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_LISTED = frozenset({"x-robots-tag"})  # fields of which each occurrence counts
_MOST_CODINGS = 5  # one upon the other, as in curl
_FIRST_STEP = 1 << 10  # bytes of a gzip member inflated at first; an empty one may be all there is
_SURE = 64  # bytes of deflate without an error are no coincidence


class Response(NamedTuple):
    """What a server answered."""

    status: int | None  # None where there is no status line
    headers: dict[str, str]  # by lowercase name; see parse_fields
    body: bytes  # without transfer and content encodings


def parse_response(block: bytes, limit: int) -> Response:
    """Take apart the block of a response record; of a compressed body, about `limit` bytes are inflated.

    A block that begins neither with a status line nor with a header field is a body, and nothing else.
    """
    block = block.lstrip(b"\r\n")
    status = _STATUS.match(block)
    if not (status or _FIELD.match(block)):
        return Response(None, {}, block)
    end = _BLANK_LINE.search(block, 0, _LONGEST_HEADER)
    head, body = (block[: end.end()], block[end.end() :]) if end else (block[:_LONGEST_HEADER], b"")
    headers = parse_fields(head.partition(b"\n")[2] if status else head)
    body = unchunked(body, "chunked" in headers.get("transfer-encoding", "").lower())
    codings = headers.get("content-encoding", "").lower().split(",")
    for coding in reversed(codings[-_MOST_CODINGS:]):
        if decode := _DECODERS.get(coding.strip()):
            body = decode(body, limit)
    if body.startswith(GZIP) and "html" in headers.get("content-type", "").lower():
        body = _inflated(body, limit)  # the header that said so is gone
    return Response(int(status[1]) if status else None, headers, body)


def parse_fields(data: bytes) -> dict[str, str]:
    """Header fields by lowercase name, of a repeated one the first; lines without a colon are skipped.

    Of `X-Robots-Tag`, all values, a line each: crawlers and servers write one for each bot.

    A line that begins with a blank continues the one before. Bytes that are not UTF-8 are read as Latin-1.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    fields: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] = f"{fields[name]} {line.strip()}".strip()
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower() if colon else ""
        if name in _LISTED and name in fields:
            fields[name] = f"{fields[name]}\n{value.strip()}"
        elif name in fields:
            name = ""
        elif name:
            fields[name] = value.strip()
    return fields


def unchunked(body: bytes, declared: bool = True) -> bytes:
    """The body of a chunked message, up to where it breaks off; as it is, if it is not chunked after all.

    If chunks are not `declared`, there must be all of them, down to the one that ends the body.
    """
    pieces: list[bytes] = []
    at = size = 0
    while chunk := _CHUNK.match(body, at):
        size = int(chunk[1], 16)
        at = chunk.end() + size
        line_end = _LINE_END.match(body, at)
        if not (line_end or pieces or at >= len(body)):
            return body  # a number, by chance
        pieces.append(body[chunk.end() : at])
        if size == 0 or not line_end:
            break
        at = line_end.end()
    whole = len(pieces) > 1 and not pieces[-1] and not size
    return b"".join(pieces) if whole or (declared and pieces) else body


def _inflated(body: bytes, limit: int) -> bytes:
    """Gzip, or deflate with or without its wrapper: servers mix up the names. As it is, if it is neither.

    Of what is corrupt, as much as there is before that shows.
    """
    inflated = bytearray()
    at = 0
    while at < len(body) and (at == 0 or body.startswith(GZIP, at)) and len(inflated) <= limit:
        inflater, start, before = zlib.decompressobj(47), at, len(inflated)
        step = _FIRST_STEP
        try:
            while at < len(body) and len(inflated) <= limit and not inflater.eof:
                piece = body[at : at + step]
                inflated += inflater.decompress(piece, limit + 1)
                at += len(piece) - len(inflater.unused_data)
                step *= 2
        except zlib.error:
            inflated[before:] = until_error(zlib.decompressobj(47), body[start:], limit + 1)
            break
    return bytes(inflated) or _raw_deflated(body, limit) or body


def _raw_deflated(body: bytes, limit: int) -> bytes:
    """Deflate without a wrapper; nothing, if it is not that: few other bytes get far without an error."""
    inflater = zlib.decompressobj(-15)
    try:
        data = inflater.decompress(body, limit + 1)
    except zlib.error:
        return b""
    return data if inflater.eof or len(body) > _SURE else b""


def _read_by(reader: Callable[[BytesIO], Any], body: bytes, limit: int) -> bytes:
    """What a FastWARC reader makes of the body, up to where it breaks off; as it is, if that is nothing."""
    stream, pieces = reader(BytesIO(body)), b""
    with contextlib.suppress(OSError):
        while len(pieces) <= limit and (piece := stream.read(1 << 16)):
            pieces += piece
    return pieces or body


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    **dict.fromkeys(("gzip", "x-gzip", "deflate"), _inflated),
    "br": lambda body, limit: _read_by(BrotliReader, body, limit),
    "zstd": lambda body, limit: _read_by(ZstdReader, body, limit),
}
