"""Words that ordinary prose cannot do without, by language: what a text of search keys or names lacks.

English has Gopher's eight words; the other lists are ours, short and of the commonest function words. In
Chinese and Japanese they are single characters, as `classifiers/words.py` has them. Thai and its like have no
list: their function words are several signs each.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.kernel import kernel
from classifiers.words import Words, words

_LISTS = {
    "en": "the be to of and that have with",
    "ar": "في من على إلى أن عن التي الذي هذا هذه كان مع ما لا كل بين بعد أو",
    "bg": "и на в е за да се от не с това по са като че до ще",
    "cs": "a v na se že je z s do o i k za pro by jako to ve si",
    "da": "og i at det en er til på som for med den af der ikke de har et",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als",
    "el": "και το να του η της με για την που από στο είναι οι των τα δεν",
    "es": "de la que el en y a los se del las un por con una no para es",
    "fa": "و در به از که این را با است برای آن یک تا بر هم می",
    "fi": "ja on ei se että oli joka mutta tai myös ovat kun niin hän ole kuin sen",
    "fr": "de la le et les des en un une du que est pour qui dans par il au ne pas",
    "he": "של את על לא זה הוא עם כל היא גם או כי אני יש אם אל",
    "hi": "के में की है और से का को पर इस कि एक यह ने हैं भी या नहीं",
    "hu": "a az és hogy nem is egy ez de volt meg csak mint vagy már el",
    "id": "yang dan di untuk dengan dari pada ini itu dalam tidak adalah ke akan oleh atau",
    "it": "di e che la il in un a per è una con non del sono si le da",
    "ja": "の に は を た が で て と し れ さ も な い か ら こ",
    "ko": "이 그 수 것 및 등 더 한 할 있는 있다 하는 그리고 또는 위해 대한 모든 때 있으며 있었다 된다 하였다 "
    "했다 이후 때문에 다른 가장 같은 함께 통해 따라 두 중 후 약 이는 그는 있고 "
    "한다 되었다 또한 그러나 하지만 것을 것으로 것이다 이다 많은 여러 의해 위한 당시 다시 큰 모두 현재 또 "
    # particles, which follow a bracket
    "은 는 가 을 를 의 에 에서 로 으로 와 과 라는 라고",
    "nl": "de het een van en in is dat op te zijn met voor niet aan er om ook",
    "no": "og i det er på som en til for av at med de ikke den har et",
    "pl": "i w na z się nie do to że jest o jak a od za przez po co",
    "pt": "de a o que e do da em um para com não uma os no se na por",
    "ro": "de și în a la cu pe care nu un o este din să se pentru mai",
    "ru": "и в не на что он с как это по но из у за от к так же",
    "sv": "och i att det som en på är av för med den till inte om har de ett",
    "tr": "ve bir bu da de için ile olarak çok daha gibi olan kadar ne ama her",
    "uk": "і в на не що з до та у як за це від але про й або він",
    "vi": "và của là có các được cho trong không một người những với này đã để khi",
    "zh": "的 一 是 不 了 在 有 和 这 我 为 中 与 以 也 這 會 个 上",
}
LANGUAGES = tuple(_LISTS)  # those with a list, in the order of the columns of a count
_PROBES = np.uint64(0xFFF)  # slots of the table, less one


class _Table(NamedTuple):
    """All lists, hashed."""

    slots: NDArray[np.int16]  # number of a word, by linear probing with its hash; 0 where it is free
    words: NDArray[np.uint64]  # hash of each word; none is number 0
    lists: NDArray[np.int16]  # numbers of the words of each language, one after another
    bounds: NDArray[np.int64]  # language l has lists[bounds[l]:bounds[l + 1]]


def count_stop_words(found: Words) -> NDArray[np.int32]:
    """Row: document. Column: how many different words of a language's list are in it."""
    counts = np.zeros((len(found.offsets) - 1, len(LANGUAGES)), np.int32)
    _count(found.hashes, found.offsets, _table(), counts)
    return counts


def choose(
    counts: NDArray[np.int32], languages: pa.ChunkedArray | None, latin: NDArray[np.bool_]
) -> pa.Array:
    """The count that is to be judged, of each document; null where no list of ours can tell.

    Where the language is known it is that of its list. Where there is no column of languages it is the most
    that any list has, for texts in Latin script, for which the lists are many enough; null for others.
    """
    if languages is None:
        return pa.array(counts.max(axis=1), mask=~latin)
    known = pc.index_in(languages, value_set=pa.array(LANGUAGES, pa.string()))
    chosen = pc.fill_null(known, -1).to_numpy()
    return pa.array(counts[np.arange(len(counts)), chosen], pa.int32(), mask=chosen < 0)


@cache
def _table() -> _Table:
    numbers: dict[int, int] = {}
    lists, bounds = [], [0]
    for listed in _LISTS.values():
        found = words(pa.array(listed.split()))
        alone = np.diff(found.offsets) == 1  # a word of several signs cannot be looked up
        hashes = found.hashes[found.offsets[:-1][alone]].tolist()
        lists += [numbers.setdefault(value, len(numbers) + 1) for value in dict.fromkeys(hashes)]
        bounds.append(len(lists))
    slots = np.zeros(int(_PROBES) + 1, np.int16)
    for value, number in numbers.items():
        at = value & int(_PROBES)
        while slots[at]:
            at = (at + 1) & int(_PROBES)
        slots[at] = number
    return _Table(slots, np.array([0, *numbers], np.uint64), np.array(lists, np.int16), np.array(bounds))


@kernel
def _count(
    hashes: NDArray[np.uint64], offsets: NDArray[np.int64], table: _Table, counts: NDArray[np.int32]
) -> None:
    """Mark the words that are there, then count the marks of each list."""
    marks = np.full(len(table.words), -1, np.int64)  # the last document that has the word
    for document in range(len(counts)):
        for word in range(offsets[document], offsets[document + 1]):
            at = hashes[word] & _PROBES
            number = table.slots[at]
            while (number != 0) & (table.words[number] != hashes[word]):
                at = (at + np.uint64(1)) & _PROBES
                number = table.slots[at]
            marks[number] = document
        marks[0] = -1  # no word
        for language in range(counts.shape[1]):
            for entry in range(table.bounds[language], table.bounds[language + 1]):
                counts[document, language] += marks[table.lists[entry]] == document
