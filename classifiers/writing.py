"""Which writing system letters are of: scripts, and what mixtures of them say together.

Han characters are Chinese among themselves, Japanese with kana, Korean with Hangul; a Chinese page may show
some kana, and a Japanese list hardly any. Ethiopic is Tigrinya where Tigrinya's own letters are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.scripts import (
    COLUMN,
    COLUMNS,
    JAPANESE,
    SCRIPTS,
    SIMPLIFIED,
    TIGRINYA,
    TRADITIONAL,
    Counts,
)

Systems = NDArray[np.int64]  # a system of each text

JPAN = len(SCRIPTS)  # Han and kana
HANJ = JPAN + 1  # Han with few kana, or with characters that only Japanese has
TIGR = JPAN + 2
ETHI, HANI, HANG, LATN = (COLUMN[code] for code in ("Ethi", "Hani", "Hang", "Latn"))
_LANGUAGES = (*(script.languages for script in SCRIPTS), "ja", "ja zh yue wuu", "ti")
_KOREAN = {"Hang": "Kore"}  # with the Han characters in it
_NAMES = (*(_KOREAN.get(script.code, script.code) for script in SCRIPTS), "Jpan", "Hani", "Ethi")
_CHINESE = ["zh", "yue", "wuu"]
_HAN = (HANI, SIMPLIFIED, TRADITIONAL, JAPANESE)
_KANA = (COLUMN["Hira"], COLUMN["Kana"])
_IS_EASTERN = np.isin(np.arange(len(_LANGUAGES)), (HANI, HANJ, JPAN, HANG))

KANA_SHARE = 0.15  # of kana among kana and Han, from which a text is Japanese; prose has half
FEW_KANA = 0.01  # from which it may be; and of characters that only Japanese has
HANGUL_SHARE = 0.3  # of Hangul among Hangul and Han, from which the latter are Korean too
TIGRINYA_SHARE = 0.01  # of Tigrinya's own letters among Ethiopic ones

UNDETERMINED = "und"  # ISO 639-2: of a text without letters, or in a script of languages that we do not know
LANGUAGES = frozenset(" ".join(_LANGUAGES).split())


class Choices(NamedTuple):
    """What the writing systems leave open."""

    codes: tuple[str, ...]  # languages: the labels of the model, in its order, others, "und"
    allowed: NDArray[np.bool_]  # [systems, codes]
    members: NDArray[np.bool_]  # [systems, COLUMNS]: the letters that words of a system have


def choices(labels: tuple[str, ...]) -> Choices:
    """Which languages each system allows, and of which letters its words are."""
    codes = (*labels, *sorted(LANGUAGES - set(labels)), UNDETERMINED)
    allowed = np.array([[code in written.split() for code in codes] for written in _LANGUAGES])
    members = np.zeros((len(_LANGUAGES), COLUMNS), np.bool_)
    members[np.arange(len(SCRIPTS)), np.arange(len(SCRIPTS))] = True
    for system in (HANI, HANJ):
        members[system, [*_HAN, *_KANA]] = True
    return Choices(codes, allowed, members)


def weigh(counts: Counts) -> NDArray[np.int64]:
    """Row: text. Column: system. What its letters weigh, where those of an alphabet weigh 2."""
    worth = np.array([script.weight for script in SCRIPTS])
    weights = np.zeros((len(counts), len(_LANGUAGES)), np.int64)
    weights[:, : len(SCRIPTS)] = counts[:, : len(SCRIPTS)] * worth
    weights[:, [HANI, *_KANA]] = 0
    rows = np.arange(len(counts))
    han, kana = counts[:, _HAN].sum(axis=1), counts[:, _KANA].sum(axis=1)
    weights[rows, _eastern(counts, han, kana)] += worth[HANI] * han + worth[_KANA[0]] * kana
    own, shared = counts[:, TIGRINYA], counts[:, ETHI]
    weights[:, ETHI] = 0
    ethiopic = np.where(own > TIGRINYA_SHARE * (own + shared), TIGR, ETHI)
    weights[rows, ethiopic] = worth[ETHI] * (own + shared)
    return weights


def _eastern(counts: Counts, han: NDArray[np.int64], kana: NDArray[np.int64]) -> Systems:
    """The system that a text's Han characters and kana belong to."""
    hangul = counts[:, HANG]
    korean = (hangul > kana) & (hangul >= HANGUL_SHARE * (hangul + han))
    japanese = (kana > 0) & (kana >= KANA_SHARE * (kana + han))
    either = np.maximum(kana, counts[:, JAPANESE]) > FEW_KANA * han
    return np.select([korean, japanese, either], [HANG, JPAN, HANJ], HANI).astype(np.int64)


def heaviest(weights: NDArray[np.int64]) -> Systems:
    """The system of each text: that of most letters, other scripts before Latin.

    Latin names, brands and code stand among all other scripts, and those hardly ever in a text in Latin.
    """
    favoured = 3 * weights
    favoured[:, LATN] = 2 * weights[:, LATN]
    return np.asarray(favoured.argmax(axis=1), np.int64)


def of_parts(
    weights: NDArray[np.int64], counts: Counts, offsets: NDArray[np.int64]
) -> tuple[Systems, Systems]:
    """The systems of the parts of texts, and of the texts: that of the parts with most letters.

    `weights` and `counts` have a row for each part; text t owns parts offsets[t]:offsets[t + 1]. What Han
    characters are of is for the whole text to say: a list of names in a Japanese one is Japanese.
    """
    firsts, text = offsets[:-1], np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    total = np.add.reduceat(counts, firsts)
    eastern = _eastern(total, total[:, _HAN].sum(axis=1), total[:, _KANA].sum(axis=1))
    parts = heaviest(weights)
    ours = np.where(_IS_EASTERN[parts], eastern[text], parts)
    votes = np.zeros((len(firsts), weights.shape[1]), np.int64)
    np.add.at(votes, (text, ours), weights.sum(axis=1))
    whole = votes.argmax(axis=1)
    doubtful = ((parts == HANI) & (whole[text] == JPAN)) | (
        ((parts == HANI) | (parts == JPAN)) & (whole[text] == HANJ)
    )
    parts = np.where(doubtful, HANJ, parts)
    return np.where((parts == ETHI) & (whole[text] == TIGR), TIGR, parts), whole


def script_names(systems: Systems, counts: Counts, languages: NDArray[np.object_]) -> NDArray[np.object_]:
    """The code of ISO 15924 of each text, given its language; Chinese by the forms of its characters."""
    names = np.array(_NAMES, object)[systems]
    eastern = _IS_EASTERN[systems]
    names[eastern & (languages == "ja")] = "Jpan"
    chinese = eastern & np.isin(languages, _CHINESE)
    names[chinese] = "Hani"
    names[chinese & (counts[:, SIMPLIFIED] > counts[:, TRADITIONAL])] = "Hans"
    names[chinese & (counts[:, SIMPLIFIED] < counts[:, TRADITIONAL])] = "Hant"
    return names
