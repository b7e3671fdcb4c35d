"""An HTTP message as a crawler stored it: status, header fields, decoded body. Bad bytes never raise."""

import contextlib
import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from fastwarc.stream_io import BrotliReader, ZstdReader

_STATUS = re.compile(rb"[A-Za-z]+(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})\b")
_BLANK_LINE = re.compile(rb"\A\r?\n|\n\r?\n")
_LONGEST_HEADER = 1 << 16
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]{0,1000})?\r?\n")
_LINE_END = re.compile(rb"\r?\n")


class Response(NamedTuple):
    """What a server answered."""

    status: int | None  # None where there is no status line
    headers: dict[str, str]  # by lowercase name; of a repeated field, the first
    body: bytes  # without transfer and content encodings


def parse_response(block: bytes, limit: int) -> Response:
    """Take apart the block of a response record; of a compressed body, about `limit` bytes are inflated."""
    end = _BLANK_LINE.search(block, 0, _LONGEST_HEADER)
    head, body = (block[: end.end()], block[end.end() :]) if end else (block[:_LONGEST_HEADER], b"")
    status = _STATUS.match(head)
    headers = parse_fields(head.partition(b"\n")[2] if status else head)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = unchunked(body)
    for coding in reversed(headers.get("content-encoding", "").lower().split(",")):
        if decode := _DECODERS.get(coding.strip()):
            body = decode(body, limit)
    return Response(int(status[1]) if status else None, headers, body)


def parse_fields(data: bytes) -> dict[str, str]:
    """Header fields by lowercase name, of a repeated one the first; lines without a colon are skipped.

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
        if name in fields:
            name = ""
        elif name:
            fields[name] = value.strip()
    return fields


def unchunked(body: bytes) -> bytes:
    """The body of a chunked message, up to where it breaks off; as it is, if it is not chunked after all."""
    pieces: list[bytes] = []
    at = 0
    while chunk := _CHUNK.match(body, at):
        size = int(chunk[1], 16)
        pieces.append(body[chunk.end() : chunk.end() + size])
        line_end = _LINE_END.match(body, chunk.end() + size)
        if size == 0 or not line_end:
            break
        at = line_end.end()
    return b"".join(pieces) if pieces else body


def _inflated(body: bytes, limit: int) -> bytes:
    """Gzip, or deflate with or without its wrapper: servers mix up the names. As it is, if it is neither."""
    for wbits in (47, -15):
        inflater = zlib.decompressobj(wbits)
        try:
            data = inflater.decompress(body, limit + 1)
        except zlib.error:
            continue
        if wbits > 0 or inflater.eof:
            return data
    return body


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
