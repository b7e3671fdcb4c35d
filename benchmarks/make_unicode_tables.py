"""Write classifiers/unicode.npz, the class and the simple case folding of every Unicode code point, and
classifiers/scripts.npz, the script of every letter, packed.

The tables are shipped, so that a text has the same words under every Python. Run this only to move to a newer
Unicode, under the newest Python at hand (3.13 knows Unicode 15.1). Words then change: raise the version of
every stage that counts them. Scripts are those of the RE2 inside pyarrow, for the letters of unicode.npz.

    python -m benchmarks.make_unicode_tables             (--scripts: only scripts.npz)
"""

import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import classifiers.words as splitter
from classifiers.scripts import CAPITAL, COLUMN, JAPANESE, NONE, SCRIPTS, SIMPLIFIED, TIGRINYA, TRADITIONAL
from classifiers.words import APOSTROPHE, CODE_POINTS, DIGIT, IGNORED, LETTER, MARK, SEPARATOR, SIGN

# Letters of these scripts follow each other without spaces between words.
UNSPACED = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x312F),  # ideographic iteration marks and numerals, Hiragana, Katakana, Bopomofo
    (0x3190, 0x31FF),  # Kanbun, Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FF),  # Myanmar extended B
    (0xAA60, 0xAA7F),  # Myanmar extended A
    (0xAA80, 0xAADF),  # Tai Viet
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9D),  # half-width Katakana
    (0x11700, 0x1174F),  # Ahom
    (0x16FE0, 0x18DFF),  # Tangut, Khitan
    (0x1AFF0, 0x1B2FF),  # kana extensions, Nushu
    (0x20000, 0x3FFFD),  # Han, extensions B and later; two planes kept for them
)
HALFWIDTH_VOICE_MARKS = (0xFF9E, 0xFF9F)  # letters by category, used as combining marks
BLANKS = (
    0x115F,
    0x1160,
    0x17B4,
    0x17B5,
    0x3164,
    0xFFA0,
)  # letters and marks that show nothing: Hangul and Khmer fillers
JOINERS = (
    0x034F,
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
)  # and variation selectors
ZERO_WIDTH_SPACE = 0x200B  # a format character that separates words
HAN_PLANES = 0x20000  # also what is not assigned there yet
TIGRINYA_LETTERS = (0x12A3, *range(0x1250, 0x125E), *range(0x12B8, 0x12C6))  # a vowel, the rows of qx and kx


def character_class(code: int) -> int:
    """The class of a code point, from its general category and the exceptions above."""
    category = unicodedata.category(chr(code))
    unspaced = any(first <= code <= last for first, last in UNSPACED)
    if code in (ord("'"), 0x2019):
        return APOSTROPHE
    if code in HALFWIDTH_VOICE_MARKS:
        return MARK
    if code in BLANKS or code in JOINERS or (category == "Cf" and code != ZERO_WIDTH_SPACE):
        return IGNORED
    if category[0] == "M":
        return MARK
    if unspaced and (category[0] == "L" or category == "Nl" or code >= 0x20000):
        return SIGN
    if category[0] == "L":
        return LETTER
    return DIGIT if category[0] == "N" else SEPARATOR


def simple_folding() -> dict[int, int]:
    """Code point -> folded code point, where they differ.

    Python folds fully ("ß" to "ss"). Characters whose full folding is the same several letters fold simply to
    the first of them: "ẞ" to "ß".
    """
    folding: dict[int, int] = {}
    first_of: dict[str, int] = {}
    for code in range(CODE_POINTS):
        full = chr(code).casefold()
        simple = ord(full) if len(full) == 1 else first_of.setdefault(full, code)
        if simple != code:
            folding[code] = simple
    return folding


def script_entries(table: np.ndarray) -> np.ndarray:
    """The entry of `scripts.npz` for every code point: see `classifiers/scripts.py`."""
    kinds, codes = table >> 24, np.arange(CODE_POINTS)
    letters = np.flatnonzero((kinds == LETTER) | (kinds == SIGN))
    characters = pa.array([chr(code) for code in letters])
    entries = np.full(CODE_POINTS, NONE, np.uint8)
    entries[letters] = COLUMN["Zzzz"]
    named = {column: script.name for column, script in enumerate(SCRIPTS) if script.name}
    for column, name in (named | {NONE: "Common"}).items():
        found = pc.match_substring_regex(characters, rf"^\p{{{name}}}")
        entries[letters[found.to_numpy(zero_copy_only=False)]] = column
    entries[letters[letters >= HAN_PLANES]] = COLUMN["Hani"]
    for code in np.flatnonzero(entries == COLUMN["Hani"]):
        entries[code] = han_column(chr(code))
    entries[list(TIGRINYA_LETTERS)] = TIGRINYA
    folded = (table & 0xFFFFFF) != codes
    entries[letters[folded[letters]]] |= CAPITAL
    return entries


def han_column(character: str) -> int:
    """Which of the columns of Han characters one belongs into."""
    simplified, traditional, japanese = (encodes(character, codec) for codec in ("gb2312", "big5", "euc_jp"))
    if simplified != traditional:
        return SIMPLIFIED if simplified else TRADITIONAL
    return JAPANESE if japanese and not simplified else COLUMN["Hani"]


def encodes(character: str, codec: str) -> bool:
    """Whether a charset has a character, in its two bytes."""
    return len(character.encode(codec, "ignore")) == 2


def runs(values: np.ndarray) -> np.ndarray:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.diff(values.astype(np.int32), prepend=-1)).astype(np.int32)


def write_scripts() -> None:
    splitter.character_table.cache_clear()
    entries = script_entries(splitter.character_table())
    starts = runs(entries)
    path = Path(splitter.__file__).with_name("scripts.npz")
    names = np.array([script.name for script in SCRIPTS])
    np.savez_compressed(path, scripts=names, starts=starts, entries=entries[starts])
    print(f"{len(SCRIPTS)} scripts: {len(starts)} runs, {path.stat().st_size} bytes")


def main() -> None:
    if "--scripts" not in sys.argv:
        write_characters()
    write_scripts()


def write_characters() -> None:
    classes = np.array([character_class(code) for code in range(CODE_POINTS)], np.uint8)
    class_starts = np.flatnonzero(np.diff(classes, prepend=np.uint8(255))).astype(np.int32)
    folding = simple_folding()
    path = Path(splitter.__file__).with_name("unicode.npz")
    np.savez_compressed(
        path,
        version=np.array(unicodedata.unidata_version),
        class_starts=class_starts,
        classes=classes[class_starts],
        fold_from=np.array(list(folding), np.int32),
        fold_to=np.array(list(folding.values()), np.int32),
    )
    version, size = unicodedata.unidata_version, path.stat().st_size
    print(f"Unicode {version}: {len(class_starts)} runs, {len(folding)} foldings, {size} bytes")


if __name__ == "__main__":
    main()
