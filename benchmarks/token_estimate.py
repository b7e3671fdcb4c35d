"""How good is the funnel's token estimate? GPT-2 tokens against the estimate, per language.

python -m benchmarks.token_estimate TEXTS.jsonl[.zst] ...      (lines with `text` and `lang`)
"""

import io
import json
import sys
from collections import defaultdict

import numpy as np
import zstandard
from rich.console import Console
from rich.table import Table

from pipeline.schema import estimated_tokens
from stages.tokenizer import Encoder, gpt2


def main(paths: list[str]) -> None:
    texts: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        with open(path, "rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file) if path.endswith(".zst") else file
            for line in io.TextIOWrapper(stream, "utf-8"):
                record = json.loads(line)
                texts[record.get("lang", "?")].append(record["text"])
    table = Table("language", "MB", "tokens", "estimate", "ratio", title="GPT-2 tokens and their estimate")
    ratios = []
    for language, documents in sorted(texts.items(), key=lambda item: -sum(map(len, item[1]))):
        size = sum(len(text.encode()) for text in documents)
        beyond = size - sum(map(len, documents))
        tokens = count(documents)
        estimate = estimated_tokens(size, beyond)
        ratios.append(estimate / tokens)
        if len(ratios) <= 20:
            table.add_row(language, f"{size / 1e6:.2f}", f"{tokens:,}", f"{estimate:,}", f"{ratios[-1]:.2f}")
    table.caption = f"{len(ratios)} languages: ratio 10th, 50th, 90th percentile " + " ".join(
        f"{q:.2f}" for q in np.percentile(ratios, [10, 50, 90])
    )
    Console().print(table)


def count(documents: list[str]) -> int:
    return len(Encoder(gpt2()).encode(documents)[0])


if __name__ == "__main__":
    main(sys.argv[1:])
