"""Text from bytes whose charset is known, as the WHATWG Encoding Standard maps them.

Python's codecs differ from the standard in small things that common pages have: numbers in circles in EUC-JP
and ISO-2022-JP, the middle dot of Big5, the Belarusian letter of KOI8-U. Two differences stay: bytes that the
standard maps to a control character, for want of a meaning, are U+FFFD, so that they count as lost; and the
wave dash and five other marks of EUC-JP are those of JIS and of every Python tool, not Microsoft's.
"""

import codecs
import re

REPLACEMENT = "\ufffd"
_CODECS = {  # where Python calls the decoder otherwise
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "hz-gb-2312": "hz",
    "ibm866": "cp866",
    "iso-2022-jp": "euc_jp",
    "macintosh": "mac_roman",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
}
_CHARACTERS = {  # what Python makes of some bytes, and what the standard does
    "big5": {"•": "‧", "､": "﹑", "‾": "¯", "∼": "～", "♁": "⊕", "☉": "⊙", "¥": "￥", "¢": "￠", "£": "￡"},
    "gb18030": {"\ue5e5": "\u3000", "\ue7c7": "ḿ"},
    "koi8-u": {"╝": "ў", "╬": "Ў"},
    "shift_jis": dict.fromkeys("\uf8f0\uf8f1\uf8f2\uf8f3", REPLACEMENT),
}
MULTIBYTE = frozenset({"gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr"})
_MEND = "winnow.mend"
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")


def text_of(data: bytes, charset: str) -> str:
    """The text of bytes in a charset, by its name in the standard; U+FFFD where they mean nothing."""
    if charset == "iso-2022-jp":
        data = _in_eight_bits(data)
    text = data.decode(_CODECS.get(charset, charset), _MEND if charset in MULTIBYTE else "replace")
    for ours, theirs in _CHARACTERS.get(charset, {}).items():
        text = text.replace(ours, theirs)
    return text


def _mend(error: UnicodeError) -> tuple[str, int]:
    """What stands for bytes that a multi-byte codec does not know, and where it goes on."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if error.encoding == "gb18030" and pair[0] == 0x80:
        return "€", error.start + 1
    if len(pair) < 2 or pair[1] < 0x80 or not 0x80 < pair[0] < 0xFF:
        return REPLACEMENT, error.start + 1
    if error.encoding == "euc_jp" and pair[0] > 0xA0 and pair[1] > 0xA0:
        return _shifted(pair).decode("cp932", "replace")[:1], error.start + 2
    return REPLACEMENT, error.start + 2  # the second byte of a pair begins no other


codecs.register_error(_MEND, _mend)


def _shifted(pair: bytes) -> bytes:
    """A character of EUC-JP in Shift_JIS, whose codec knows the rows that NEC and IBM added."""
    row, cell = pair[0] - 0xA1, pair[1] - 0xA1
    first = row // 2 + (0x81 if row < 62 else 0xC1)
    second = cell + 0x9F if row % 2 else cell + (0x40 if cell < 63 else 0x41)
    return bytes((first, second))


def _in_eight_bits(data: bytes) -> bytes:
    """ISO-2022-JP in EUC-JP: the same characters, with the high bit in place of escapes."""
    first, *rest = _ESCAPE.split(data)
    pieces = [first]
    for escape, piece in zip(rest[::2], rest[1::2], strict=True):
        if escape.startswith(b"$"):
            pieces.append(piece.translate(_RAISED))
        elif escape == b"(I":
            pieces.append(re.sub(rb"[!-_]", lambda found: bytes((0x8E, found[0][0] | 0x80)), piece))
        else:
            pieces.append(piece)
    return b"".join(pieces)


_RAISED = bytes(byte | 0x80 if 0x20 < byte < 0x7F else byte for byte in range(256))
