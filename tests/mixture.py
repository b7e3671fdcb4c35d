"""What `mix` must write, in plain Python: all in memory, one token after another."""

from dataclasses import dataclass

import numpy as np

from pipeline.hashing import hash_bytes, uniform
from stages.budgets import Supply
from stages.mix import Mix
from stages.packing import RUN


@dataclass(frozen=True)
class Document:
    """A document that is tokens already."""

    id: str
    source: str
    split: str
    tokens: list[int]


def make(lengths: dict[str, list[int]], val: dict[str, list[int]] | None = None) -> list[Document]:
    """Documents of these sources and lengths; every token of all of them is another number."""
    made, token = [], 1
    for split, sources in (("train", lengths), ("val", val or {})):
        for source, sizes in sources.items():
            for number, size in enumerate(sizes):
                tokens = list(range(token, token + size))
                made.append(Document(f"{source}/{split}/{number}", source, split, tokens))
                token += size
    return made


def twin(documents: list[Document], stage: Mix, step: str = "mixture") -> dict[str, list[dict]]:
    """The rows of every shard by its name."""
    supplies, rows = {}, {}
    for document in documents:
        before = supplies.get((document.split, document.source), Supply())
        after = Supply(before.documents + 1, before.tokens + len(document.tokens))
        supplies[document.split, document.source] = after
    rows = stage.budget(step).rows(supplies)
    shards: dict[str, list[tuple]] = {}
    for split in ("train", "val"):
        total = sum(count for (own, _), count in rows.items() if own == split)
        number = -(-total // stage.shard_sequences)
        for source in sorted(source for own, source in rows if own == split):
            own = [d for d in documents if (d.split, d.source) == (split, source)]
            taken = sequences(own, stage, step, rows[split, source])
            purpose = f"{step}/order/{split}/{source}"
            draws = uniform(stage.seed, purpose, np.arange(len(taken), dtype=np.uint64)).tolist()
            for shard in range(number):
                part = range(len(taken) * shard // number, len(taken) * (shard + 1) // number)
                held = shards.setdefault(f"{split}-{shard:05d}", [])
                held += [(draws[r], taken[r] | {"source": source}) for r in part]
    return {name: [row for _, row in sorted(rows, key=lambda r: r[0])] for name, rows in shards.items()}


def sequences(documents: list[Document], stage: Mix, step: str, rows: int) -> list[dict]:
    size, longest = stage.sequence, RUN * stage.sequence
    stream: list[tuple[str, int, int, int]] = []  # document, unit, place in the document, token
    epoch = 0
    while rows and len(stream) < rows * size + 1:
        units = []
        for document in documents:
            for start in range(0, len(document.tokens), longest):
                key = hash_bytes(document.id.encode()) + start // longest * 0x9E3779B97F4A7C15
                draw = uniform(stage.seed, f"{step}/epoch/{epoch}", np.array([key % 2**64], np.uint64))[0]
                units.append((draw, document.id, start, document.tokens[start : start + longest]))
        for _, name, start, tokens in sorted(units):
            stream += [(name, start, start + n, token) for n, token in enumerate(tokens)]
        epoch += 1
    made = []
    for row in range(rows):
        window = stream[row * size : (row + 1) * size + 1]
        held: list[dict] = []
        for position, (name, unit, offset, _) in enumerate(window):
            new = (
                position == 0
                or window[position - 1][:2] != (name, unit)
                or window[position - 1][2] + 1 != offset
            )
            if new:
                held.append({"id": name, "start": position, "end": position, "offset": offset})
            held[-1]["end"] += 1
        made.append({"tokens": [token for *_, token in window], "documents": held})
    return made
