"""Which scripts a text is written in: a kernel that counts letters over Arrow's UTF-8 bytes.

What script a letter is of comes from `scripts.npz` (Unicode's Scripts.txt, packed by
benchmarks/make_unicode_tables.py), not from the running Python. A few letters are told apart more finely than
by script, because they say which language writes them: Han characters that only simplified Chinese, only
traditional Chinese or only Japanese has, and the letters by which one knows Tigrinya from Amharic.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import CODE_POINTS, decode

Counts = NDArray[np.int32]  # [windows, COLUMNS]


class Script(NamedTuple):
    """A script and who writes it."""

    code: str  # of ISO 15924
    name: str  # Unicode's
    languages: str  # codes of language; none where several unknown ones share it
    weight: int = 2  # of one of its letters, where that of an alphabet is 2: about that much it tells


_LATIN = """
af als an ast az bar bcl br bs ca cbk ceb co cs cy da de diq dsb eml en eo es et eu fi fr frr fy ga gd gl gn
gom gv hif hr hsb ht hu ia id ie ilo io is it jbo jv ku kw la lb li lmo lt lv mg min ms mt mwl nah nap nds nl
nn no oc pam pfl pl pms pt qu rm ro sc scn sco sh sk sl so sq sr su sv sw tk tl tr tt uz vec vep vi vls vo wa
war yo
"""
_CYRILLIC = """
av az ba be bg bs bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sr tg tk tt tyv uk uz xal
"""
# Vowels are left out, or are marks, which are not counted, or a letter is a syllable, or a word.
SCRIPTS = (
    Script("Zzzz", "", ""),  # letters of all other scripts
    Script("Latn", "Latin", _LATIN),
    Script("Cyrl", "Cyrillic", _CYRILLIC),
    Script("Grek", "Greek", "el"),
    Script("Arab", "Arabic", "ar arz azb ckb fa lrc mzn pnb ps sd ug ur", 3),
    Script("Hebr", "Hebrew", "he yi", 3),
    Script("Deva", "Devanagari", "bh dty gom hi mai mr ne new sa", 4),
    Script("Beng", "Bengali", "as bn bpy", 4),
    Script("Guru", "Gurmukhi", "pa", 4),
    Script("Gujr", "Gujarati", "gu", 4),
    Script("Orya", "Oriya", "or", 4),
    Script("Taml", "Tamil", "ta", 4),
    Script("Telu", "Telugu", "te", 4),
    Script("Knda", "Kannada", "kn", 4),
    Script("Mlym", "Malayalam", "ml", 4),
    Script("Sinh", "Sinhala", "si", 4),
    Script("Thai", "Thai", "th", 4),
    Script("Laoo", "Lao", "lo", 4),
    Script("Tibt", "Tibetan", "bo", 4),
    Script("Mymr", "Myanmar", "my", 4),
    Script("Khmr", "Khmer", "km", 4),
    Script("Geor", "Georgian", "ka xmf"),
    Script("Armn", "Armenian", "hy"),
    Script("Thaa", "Thaana", "dv", 4),
    Script("Mong", "Mongolian", "mn"),
    Script("Adlm", "Adlam", "ff"),
    Script("Nkoo", "Nko", "nqo"),
    Script("Olck", "Ol_Chiki", "sat"),
    Script("Mtei", "Meetei_Mayek", "mni", 4),
    Script("Java", "Javanese", "jv", 4),
    Script("Sund", "Sundanese", "su", 4),
    Script("Bugi", "Buginese", "bug", 4),
    Script("Lisu", "Lisu", "lis"),
    Script("Syrc", "Syriac", "", 3),
    Script("Tfng", "Tifinagh", ""),
    Script("Cher", "Cherokee", "chr", 4),
    Script("Vaii", "Vai", "vai", 4),
    Script("Cans", "Canadian_Aboriginal", "", 4),
    Script("Yiii", "Yi", "ii", 4),
    Script("Ethi", "Ethiopic", "am", 4),
    Script("Bopo", "Bopomofo", "zh"),
    Script("Hang", "Hangul", "ko", 5),
    Script("Hira", "Hiragana", "ja", 4),
    Script("Kana", "Katakana", "ja", 4),
    Script("Hani", "Han", "zh yue wuu", 6),
)
COLUMN = {script.code: column for column, script in enumerate(SCRIPTS)}
_LATIN_COLUMN = COLUMN["Latn"]

# More columns of a count, for letters that are counted apart from the rest of their script.
SIMPLIFIED = len(SCRIPTS)  # Han: in GB 2312, not in Big5
TRADITIONAL = SIMPLIFIED + 1  # Han: in Big5, not in GB 2312
JAPANESE = SIMPLIFIED + 2  # Han: in JIS X 0208, in neither
TIGRINYA = SIMPLIFIED + 3  # Ethiopic: frequent in Tigrinya, all but unknown in Amharic
UPPER = SIMPLIFIED + 4  # capitals, of any script; they are in their script's column too
NONE = SIMPLIFIED + 5  # characters beyond ASCII that are no letters, and blanks
COLUMNS = SIMPLIFIED + 6

CAPITAL = np.uint8(0x80)  # the bit of a table entry that says so
COLUMN_BITS = np.uint8(0x7F)  # the others: its column

# What machines read is in no language: LONG and more ASCII characters without a blank, among them one of
# these.
WIRED = np.zeros(0x80, np.bool_)
WIRED[[ord(character) for character in "/\\@_=&%#{}<>$~^|+"]] = True
LONG = 12


@cache
def script_table() -> NDArray[np.uint8]:
    """Column and capital bit of every code point, unpacked from `scripts.npz`."""
    with np.load(Path(__file__).with_name("scripts.npz")) as packed:
        if packed["scripts"].tolist() != [script.name for script in SCRIPTS]:
            raise ImportError(
                "scripts.npz was made for other scripts: python -m benchmarks.make_unicode_tables"
            )
        lengths = np.diff(packed["starts"], append=CODE_POINTS)
        return np.repeat(packed["entries"], lengths)


def count_letters(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Counts:
    """Row: a stretch of UTF-8 bytes. Column: its letters of a script, and the columns named above.

    Letters of addresses, paths and the like are no letters.
    """
    counts = np.zeros((len(begins), COLUMNS), np.int32)
    _count(data, begins, ends, (script_table(), WIRED), counts)
    return counts


@kernel
def _count(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    tables: tuple[NDArray[np.uint8], NDArray[np.bool_]],
    counts: Counts,
) -> None:
    table, wired = tables
    for row in range(len(begins)):
        at, end = begins[row], ends[row]
        run, letters, capitals, marked = 0, 0, 0, False  # of ASCII without blanks
        while at <= end:
            code, width = 0, 1
            if at < end:
                code = int(np.int64(data[at]))
                if code >= 0x80:
                    code, width = decode(data, at, end)
            entry = table[code]
            at += width
            if 0x20 < code < 0x80:
                run += 1
                marked |= wired[code]
                letters += (entry & COLUMN_BITS) != NONE
                capitals += entry >> np.uint8(7)
                continue
            if not marked or run < LONG:
                counts[row, _LATIN_COLUMN] += letters
                counts[row, UPPER] += capitals
            run, letters, capitals, marked = 0, 0, 0, False
            counts[row, entry & COLUMN_BITS] += 1
            counts[row, UPPER] += entry >> np.uint8(7)
