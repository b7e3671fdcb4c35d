"""The listed differences from datatrove: with all of them changed, plain Python has our values."""

import re

import numpy as np
import pytest
from harbour import PROSE

from benchmarks.agreement import CLOSE, close, measured, our_values, values_of
from benchmarks.differences import CAUSES, c4_lines, documents, measures

ODD = [
    "# A # head ...... with “quotes”\n\n- one\n-5 two\n• three 1 23\n• three 1 23\n\n  (He left {old} town.)",
    "Lorem Ipsum dolor. The the THE of, of; and. It's so. They went home in the evening, at five…\nEnd.[1]",
    "Read our privacy policy before you go. It is long.\nA line of javascripts is here to stay.\nabc abc abc",
    "It counts 1 23 4 5 6 and then 12 3 4 5 6 as if they were the same.\nThe end of this line is cited.[12]",
    "The bracket} opens nowhere.",
]
TEXTS = [*(text for language, text in PROSE.items() if language != "th"), *ODD]


def answer(text):
    """Something like datatrove's, where it takes part: its tokens, and one sentence for each of its lines."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    (alone,) = documents([text], [{"tokens": (), "counted": (), "sentences": ()}])
    counted = [token for token in tokens if token.isalnum()]
    return {"tokens": tokens, "counted": counted, "sentences": [1] * len(c4_lines(alone, ()))}


READ = documents(TEXTS, [answer(text) for text in TEXTS])


@pytest.mark.parametrize("name", measures())
def test_with_all_causes_changed_the_values_are_ours(name):
    measure, causes = measures()[name]
    assert close(values_of(READ, measure, causes), our_values(measured(TEXTS), name), CLOSE).all()


def test_every_cause_is_listed_and_moves_something():
    moved = set()
    for measure, causes in measures().values():
        way = [values_of(READ, measure, causes[:known]) for known in range(len(causes) + 1)]
        moved |= {
            cause
            for cause, before, after in zip(causes, way, way[1:], strict=False)
            if not np.array_equal(before, after, equal_nan=True)
        }
    assert moved == set(CAUSES)
