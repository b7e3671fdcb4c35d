"""What datatrove's filters cost: run by the Python of its own environment.

A list of English texts a line in, an object a line out: CPU seconds of each filter for all of them. No bound
is ever broken, so that no filter leaves a text early.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

LEAST, MOST = -1, 10**9
SIZES = {"top_n_grams": (2, 3, 4), "dup_n_grams": (5, 6, 7, 8, 9, 10)}
FILTERS = {
    "Gopher's quality": GopherQualityFilter(
        **dict.fromkeys(("min_doc_words", "min_avg_word_length", "min_stop_words"), LEAST),
        **dict.fromkeys(("max_doc_words", "max_avg_word_length", "max_symbol_word_ratio"), MOST),
        **dict.fromkeys(("max_bullet_lines_ratio", "max_ellipsis_lines_ratio"), MOST),
        max_non_alpha_words_ratio=LEAST,  # a least one, for all its name
    ),
    "Gopher's repetition": GopherRepetitionFilter(
        **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac"), MOST),
        **{name: [(n, MOST) for n in sizes] for name, sizes in SIZES.items()},
    ),
    "C4's": C4QualityFilter(min_num_sentences=0),
    "FineWeb's": FineWebQualityFilter(
        line_punct_thr=LEAST, short_line_thr=MOST, char_duplicates_ratio=MOST, new_line_ratio=MOST
    ),
}


def seconds(name, texts):
    documents = [Document(text=text, id="") for text in texts]
    started = time.process_time()
    for document in documents:
        FILTERS[name].filter(document)
    return time.process_time() - started


for line in sys.stdin:
    given = json.loads(line)
    for warm in FILTERS:
        seconds(warm, given[:1])
    print(json.dumps({name: seconds(name, given) for name in FILTERS}), flush=True)
