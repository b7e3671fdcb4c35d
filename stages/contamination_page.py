"""Examples and the documents that share text with them, side by side: one HTML file."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

CONTEXT = 300  # characters shown before and after what is shared
LONGEST = 1500  # characters shown of what is shared; the middle of more is left out

_STYLE = """
body { font-family: sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em; line-height: 1.4 }
table { border-collapse: collapse; width: 100% } td, th { border: 1px solid #ccc; padding: .3em .5em }
td { vertical-align: top } .number { text-align: right } .text { width: 50%; white-space: pre-wrap }
mark { background: #ffe08a } small { color: #555; font-weight: normal }
"""


def to_html(benchmarks: Sequence[Mapping[str, Any]], pairs: Iterable[Mapping[str, Any]]) -> str:
    """The page: the table of benchmarks, then examples of each, in the order given."""
    parts = [
        '<!doctype html><html><head><meta charset="utf-8"><title>Contamination</title>'
        f"<style>{_STYLE}</style></head><body><h1>Benchmarks in the training documents</h1>",
        "<p>Dirty: a training document had text of the example, which was cut there; by half: of half of the "
        "example or more. Common: what it had is in too many documents to be cut, and stays. Not covered: "
        "too short to be looked for.</p>",
        _table(benchmarks),
        "<h2>Both texts</h2><p>Of each benchmark the examples that overlap most, then those that overlap "
        "least, each with the document that shares most. On the right is what was cut; marked is what "
        "is between the first and the last gram that both have.</p>",
    ]
    for benchmark, rows in groupby(pairs, key=lambda row: row["benchmark"]):
        parts.append(f"<h3>{escape(benchmark)}</h3><table>")
        parts += [_pair(row) for row in rows]
        parts.append("</table>")
    return "\n".join([*parts, "</body></html>\n"])


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in (rows[0] if rows else ()))
    body = "\n".join("<tr>" + "".join(map(_cell, row.values())) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"


def _pair(row: Mapping[str, Any]) -> str:
    """Two rows of a table: what the texts are, and the texts."""
    where = escape(f"{row['document']} {row['url'] or ''}")
    fate = f", rejected: {escape(row['reason'])}" if row["reason"] else ""
    mine = f"{escape(row['example'])} <small>overlap {row['overlap']:.0%}</small>"
    theirs = f"{where}<small>, {row['grams']:,} grams, 1 of {row['documents']:,}{fate}</small>"
    texts = [
        _marked(row[f"{side}_text"], row[f"{side}_start"], row[f"{side}_end"])
        for side in ("example", "document")
    ]
    cells = "".join(f'<td class="text" dir="auto">{text}</td>' for text in texts)
    return f"<tr><th>{mine}</th><th>{theirs}</th></tr><tr>{cells}</tr>"


def _marked(text: str, start: int, end: int) -> str:
    """`text` with its bytes from start to end marked, shortened."""
    data = text.encode()
    before, middle, after = (each.decode() for each in (data[:start], data[start:end], data[end:]))
    if len(before) > CONTEXT:
        before = f"… {before[-CONTEXT:]}"
    if len(after) > CONTEXT:
        after = f"{after[:CONTEXT]} …"
    if len(middle) > LONGEST:
        middle = f"{middle[: LONGEST // 2]} … {middle[-LONGEST // 2 :]}"
    return f"{escape(before)}<mark>{escape(middle)}</mark>{escape(after)}"
