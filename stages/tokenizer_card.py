"""The card of a vocabulary: what a token holds, by language, on documents that it was not made from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classifiers.language import detect
from pipeline.output import Output
from pipeline.shards import read_batches
from stages.byte_pairs import BYTES
from stages.encode import pieces
from stages.tokenizer import Encoder, from_file, gpt2

SHOWN = 60  # tokens
USES = pa.schema([("id", pa.int32()), ("count", pa.int64())])
MEASURES = pa.schema(
    [
        ("language", pa.string()),
        ("documents", pa.int64()),
        ("characters", pa.int64()),
        ("bytes", pa.int64()),
        ("spelled", pa.int64()),  # characters that are spelled by several tokens
        ("tokens", pa.int64()),
        ("gpt2_tokens", pa.int64()),
    ]
)
Int64s = NDArray[np.int64]


def measure(batches: Iterable[pa.Table], file: str, made: str, output: Output) -> None:
    """Encode documents by the tokenizer in `file`, the tokens of which are in the table `made`.

    Writes MEASURES, a row for each batch and language, and how often each token is used. Raises ValueError
    when tokens do not decode to the text: that would be a bug of ours.
    """
    spellings = [word for batch in read_batches(made, ["bytes"]) for word in batch["bytes"].to_pylist()]
    sizes = np.array([len(word) for word in spellings], np.int64)
    ours, other = Encoder(from_file(file)), Encoder(gpt2())
    measures, uses = output.table(MEASURES), np.zeros(len(spellings), np.int64)
    for batch in batches:
        owners, texts = pieces(batch)
        ids, offsets = ours.encode(texts)
        data = "".join(texts).encode()
        if b"".join([spellings[number] for number in ids.tolist()]) != data:
            raise ValueError(f"{file}: the tokens of some document do not decode to its text")
        uses += np.bincount(ids, minlength=len(uses))
        lengths = np.array([len(text.encode()) for text in texts], np.int64)
        found = {
            "characters": np.array([len(text) for text in texts], np.int64),
            "bytes": lengths,
            "spelled": _spelled(np.frombuffer(data, np.uint8), sizes[ids], lengths),
            "tokens": np.diff(offsets),
            "gpt2_tokens": np.diff(other.encode(texts)[1]),
        }
        of_rows = {what: _by(owners, values, batch.num_rows) for what, values in found.items()}
        rows = pa.table({"language": _languages(batch), **of_rows}).group_by("language", use_threads=False)
        summed = rows.aggregate([([], "count_all"), *((what, "sum") for what in found)]).sort_by("language")
        measures.write(summed.rename_columns(["language", "documents", *found]).cast(MEASURES))
        output.tick(batch.num_rows, batch.nbytes)
    used = np.flatnonzero(uses)
    output.table(USES, "uses", 1 << 16).write(pa.table([used.astype(np.int32), uses[used]], schema=USES))


def _by(owners: Int64s, values: Int64s, rows: int) -> Int64s:
    """Sums over the pieces of each document."""
    sums = np.zeros(rows, np.int64)
    np.add.at(sums, owners, values)
    return sums


def _spelled(data: NDArray[np.uint8], sizes: Int64s, lengths: Int64s) -> Int64s:
    """In each piece, of so many bytes, the characters within which a token ends; the tokens have `sizes`."""
    begins = (data & 0xC0) != 0x80
    ends = np.cumsum(sizes)[:-1]
    within = np.unique(np.cumsum(begins)[ends[~begins[ends]]])  # characters, from 1
    starts = np.flatnonzero(begins)[within - 1]
    return np.bincount(np.searchsorted(np.cumsum(lengths), starts, side="right"), minlength=len(lengths))


def _languages(documents: pa.Table) -> pa.ChunkedArray:
    """The column `language`, and what the text says where there is none."""
    known = pa.chunked_array([pa.nulls(documents.num_rows, pa.string())])
    if "language" in documents.column_names:
        known = documents["language"]
    return pc.coalesce(known, pa.array(detect(documents["text"]).codes, pa.string()))


def card(made: str, measured: Sequence[str], used: Sequence[str]) -> dict[str, Any]:
    """Everything that was measured, added up; `measured` and `used` are shards of MEASURES and USES."""
    tokens = pa.concat_tables(read_batches(made))
    texts = tokens["text"].to_pylist()
    tables = [pa.concat_tables([MEASURES.empty_table(), *read_batches(path)]) for path in measured]
    whole = pa.concat_tables(tables).group_by("language", use_threads=False)
    names = MEASURES.names[1:]
    summed = whole.aggregate([(name, "sum") for name in names]).rename_columns(MEASURES.names)
    rows = summed.sort_by([("characters", "descending"), ("language", "ascending")]).to_pylist()
    if rows:
        rows.append({"language": "all", **{name: sum(row[name] for row in rows) for name in names}})
    uses = np.zeros(len(texts), np.int64)
    for path in used:
        for batch in read_batches(path):
            np.add.at(uses, batch["id"].to_numpy(), batch["count"].to_numpy())
    return {
        "tokens": len(texts),
        "characters": sum(text is not None and len(text) == 1 for text in texts),
        "unused": int((uses == 0).sum()) - 1,  # end-of-text is in no text
        "languages": [_ratios(row) for row in rows],
        "most_used": _shown(np.argsort(-uses, kind="stable"), tokens, uses),
        "longest": _shown(np.argsort([-len(text or "") for text in texts], kind="stable"), tokens, uses),
    }


def _ratios(row: Mapping[str, Any]) -> dict[str, Any]:
    """What people compare vocabularies by."""
    characters, tokens = max(row["characters"], 1), max(row["tokens"], 1)
    return {
        **{key: row[key] for key in ("language", "documents", "characters", "tokens")},
        "tokens per character": round(row["tokens"] / characters, 4),
        "by GPT-2": round(row["gpt2_tokens"] / characters, 4),
        "bytes per token": round(row["bytes"] / tokens, 3),
        "characters in one token": round(1 - row["spelled"] / characters, 6),
    }


def _shown(order: Int64s, tokens: pa.Table, uses: Int64s) -> list[dict[str, Any]]:
    """The first tokens in an order, as a person reads them."""
    rows = tokens.take(
        pa.array([at for at in order[: SHOWN + 1].tolist() if at != BYTES][:SHOWN])
    ).to_pylist()
    return [
        {"id": row["id"], "token": _readable(row["text"], row["bytes"]), "uses": int(uses[row["id"]])}
        for row in rows
    ]


def _readable(text: str | None, data: bytes) -> str:
    if text is None or not text.replace(" ", "").isprintable():
        return "".join(f"<{byte:02X}>" for byte in data)
    return text.replace(" ", "␣")


def to_markdown(told: Mapping[str, Any]) -> str:
    """The card as a person reads it."""
    parts = [
        f"# The vocabulary of step '{told['step']}'",
        f"{told['tokens']:,} tokens of the kind {told['kind']}: 256 bytes, end-of-text, and what was learnt "
        f"from {100 * told['share_sampled']:.4g} % of the training documents. {told['characters']:,} "
        "characters have a token each; others are spelled in bytes, so that no text is lost.",
        "## On validation documents",
        "None of them was learnt from, and the tokens of each were decoded to the text they came from.\n"
        '"Characters in one token" is the share of those that are not spelled in several.',
        _table(told["languages"]),
        f"## The tokens used most\n\n{told['unused']:,} tokens are not used in these documents at all.",
        _table(told["most_used"]),
        "## The longest tokens",
        _table(told["longest"]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "There are none."
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([_cell(value) for value in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
