"""What datatrove's filters measure in English texts: run by the Python of its own environment.

A text a line in, an object a line out: `values` by measure, `fails` by measure (whether datatrove rejects for
it), `tokens`, `counted` (those that it counts), `lines` (those that its C4 filter leaves) and the `sentences`
of each. The filters tell nothing but yes and no; so they are given bounds that remember what is compared with
them, and that nothing is beyond.
"""

import json
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import PUNCTUATION_SET, split_into_sentences, split_into_words


class Bound:
    """A bound of a filter: nothing breaks it, and it knows what would have."""

    __array_ufunc__ = None  # numpy's numbers leave the comparison to it

    def __init__(self, names, bound, seen):
        self.names, self.bound, self.seen = list(names), bound, seen

    def __lt__(self, value):  # value > bound
        return self.see(value, value > self.bound)

    def __gt__(self, value):  # value < bound
        return self.see(value, value < self.bound)

    def see(self, value, broken):
        name = next(name for name in self.names if name not in self.seen)
        self.seen[name] = (float(value), bool(broken))
        return False


OFF = dict.fromkeys(("max_doc_words", "max_avg_word_length"))


def measured(text):
    seen = {}

    def bound(default, *names):
        return Bound(names, default, seen)

    filters = (
        GopherQualityFilter(
            min_doc_words=bound(50, "words"),
            min_avg_word_length=bound(3, "word_length"),
            max_symbol_word_ratio=bound(0.1, "hashes_per_word", "ellipses_per_word"),
            max_bullet_lines_ratio=bound(0.9, "bullet_lines"),
            max_ellipsis_lines_ratio=bound(0.3, "ellipsis_lines"),
            max_non_alpha_words_ratio=bound(0.8, "alphabetic_words"),
            min_stop_words=bound(2, "stop_words"),
            **OFF,
        ),
        GopherRepetitionFilter(
            dup_line_frac=bound(0.3, "duplicate_lines"),
            dup_para_frac=bound(0.3, "duplicate_paragraphs"),
            dup_line_char_frac=bound(0.2, "duplicate_line_characters"),
            dup_para_char_frac=bound(0.2, "duplicate_paragraph_characters"),
            top_n_grams=[(n, bound(0.24 - n / 50, f"top_{n}_gram")) for n in (2, 3, 4)],
            dup_n_grams=[(n, bound(0.2 - n / 100, f"duplicate_{n}_grams")) for n in range(5, 11)],
        ),
        FineWebQualityFilter(
            line_punct_thr=bound(0.12, "punctuated_lines"),
            short_line_thr=bound(0.67, "short_lines"),
            char_duplicates_ratio=bound(0.01, "line_copies"),
            new_line_ratio=bound(0.3, "newlines_per_word"),
        ),
    )
    for each in filters:
        each.filter(Document(text=text, id=""))
    for n in (2, 3, 4):
        seen.setdefault(f"top_{n}_gram", (0.0, False))  # a text of fewer words
    left = Document(text=text, id="")
    C4QualityFilter(
        min_num_sentences=bound(5, "sentences"), filter_lorem_ipsum=False, filter_curly_bracket=False
    ).filter(left)
    for name, off in (("lorem_ipsum", "filter_curly_bracket"), ("curly_brackets", "filter_lorem_ipsum")):
        kept = C4QualityFilter(min_num_sentences=-1, **{off: False}).filter(Document(text=text, id=""))
        seen[name] = (float(kept is not True), kept is not True)
    tokens = split_into_words(text)
    return {
        "values": {name: value for name, (value, _) in seen.items()},
        "fails": {name: broken for name, (_, broken) in seen.items()},
        "tokens": tokens,
        "counted": [token for token in tokens if any(letter not in PUNCTUATION_SET for letter in token)],
        "lines": left.text.split("\n") if left.text else [],
        "sentences": [len(split_into_sentences(line)) for line in left.text.split("\n") if line],
    }


for line in sys.stdin:
    print(json.dumps(measured(json.loads(line))), flush=True)
