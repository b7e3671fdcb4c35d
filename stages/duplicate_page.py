"""The report of duplicates as one HTML file: bars, and groups of texts side by side. It loads nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from stages.side_by_side import Excerpt, Piece, side_by_side

Row = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --exact: #c2410c; --near: #f59e0b;
  --mark: #fde68a; --soft: #8882 }
@media (prefers-color-scheme: dark) { :root { --mark: #854d0e } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 500; opacity: .7 } .n { text-align: right; font-variant-numeric: tabular-nums }
.bar { width: 40% } .bar div { display: flex; height: .9rem; background: var(--soft) }
.exact { background: var(--exact) } .near { background: var(--near) }
.key { display: inline-block; width: .9rem; height: .9rem; vertical-align: -2px; margin: 0 .3rem 0 1rem }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code { font-size: .85em; overflow-wrap: anywhere }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; border-top: 1px solid var(--line);
  margin-top: .6rem; padding-top: .6rem }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin-top: .3rem; max-height: 24rem; overflow: auto }
.told { opacity: .75; font-size: .9em } mark { background: var(--mark); color: inherit; border-radius: 2px }
.out { opacity: .5; font-size: .85em }
"""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""
_UNSEEN = dict.fromkeys([*range(9), *range(11, 32), 127], "\ufffd")  # controls that no page may have
_ROWS = 40  # of a table
_OPEN = 3  # groups shown unfolded


def to_html(told: Mapping[str, Any]) -> str:
    """The whole page of a report, as `duplicate_report` tells it."""
    title = f"Duplicates removed by step '{told['step']}'"
    parts = [
        _HEAD.format(title=_safe(title), style=_STYLE),
        f"<h1>{_safe(title)}</h1>\n{_headline(told['source'])}",
        *_bars("By source", told["source"]),
        *_because(told["because"]),
        *_bars("By language", told["language"]),
        *_bars("Domains that lose most", [row for row in told["domain"] if _removed(row)]),
        *_bars("By similarity", told["similarity"]),
        *_groups(told["groups"]),
        *(part for title, rows in told["more"].items() for part in _plain(title, rows)),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _headline(sources: Sequence[Row]) -> str:
    documents, removed = sum(row["documents"] for row in sources), sum(map(_removed, sources))
    exact = sum(row["exact"] for row in sources)
    return (
        f"<p>{removed:,} of {documents:,} documents ({_percent(removed, documents)}): "
        f'<span class="key exact"></span>{exact:,} copies '
        f'<span class="key near"></span>{removed - exact:,} near-copies</p>'
    )


def _removed(row: Row) -> int:
    total: int = row["exact"] + row["near"]
    return total


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def _bars(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """A row for each key, with a bar of what went; of similarities, as a share of all that did."""
    if not rows:
        return
    facet = rows[0]["facet"]
    shares = facet != "similarity"
    every = sum(map(_removed, rows))
    yield f"<h2>{title}</h2>\n<table>"
    numbers = ["documents", "removed"] if shares else ["removed"]
    heads = "".join(f'<th class="n">{name}</th>' for name in [*numbers, "%"])
    yield f"<tr><th>{facet}</th>{heads}<th></th></tr>"
    for row in rows[:_ROWS]:
        whole = row["documents"] if shares else every
        cells = [f"{row['documents']:,}", f"{_removed(row):,}"] if shares else [f"{_removed(row):,}"]
        cells.append(_percent(_removed(row), whole))
        shown = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        yield f"<tr><td><bdi>{_safe(row['key'] or '–')}</bdi></td>{shown}{_bar(row, whole)}</tr>"
    yield _end(rows)


def _bar(row: Row, whole: int) -> str:
    parts = "".join(
        f'<span class="{kind}" style="width:{100 * row[kind] / max(1, whole):.2f}%"></span>'
        for kind in ("exact", "near")
        if row[kind]
    )
    return f'<td class="bar"><div>{parts}</div></td>'


def _because(rows: Sequence[Row]) -> Iterator[str]:
    """Which source lost documents because of which."""
    named = [
        {"source": row["key"], "because of a document of": row["detail"], "removed": _removed(row)}
        for row in rows
    ]
    yield from _plain("Because of", named)


def _plain(title: str, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    numeric = [isinstance(value, int | float) for value in rows[0].values()]
    yield f"<h2>{_safe(title)}</h2>\n<table>\n<tr>{_cells('th', rows[0], numeric)}</tr>"
    for row in rows[:_ROWS]:
        yield f"<tr>{_cells('td', map(_cell, row.values()), numeric)}</tr>"
    yield _end(rows)


def _end(rows: Sequence[Row]) -> str:
    """Of a table, with how many rows it has no room for."""
    more = len(rows) - _ROWS
    return f'</table>\n<p class="told">{more:,} more are in report.json.</p>' if more > 0 else "</table>"


def _cells(tag: str, values: Iterable[str], numeric: Sequence[bool]) -> str:
    classes = [' class="n"' if number else "" for number in numeric]
    return "".join(
        f"<{tag}{kind}><bdi>{_safe(value)}</bdi></{tag}>"
        for kind, value in zip(classes, values, strict=False)
    )


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def _groups(groups: Sequence[Row]) -> Iterator[str]:
    """The largest groups, with some of their members beside what stays."""
    if not groups:
        return
    yield "<h2>Largest groups</h2>"
    yield (
        '<p class="told">Left what stays, right what went because of it, the least like it first. Words that '
        "one of the two alone has are <mark>marked</mark>.</p>"
    )
    for number, group in enumerate(groups):
        opened = " open" if number < _OPEN else ""
        begin = " ".join(group["text"].split())[:80]
        yield (
            f"<details{opened}><summary><b>{group['removed']:,}</b> removed because of "
            f"<code>{_safe(group['id'])}</code> <bdi>{_safe(begin)}</bdi></summary>"
        )
        for member in group["members"]:
            yield _pair(group, member)
        yield "</details>"


def _pair(group: Row, member: Row) -> str:
    left, right = side_by_side(_excerpt(group), _excerpt(member))
    reason = "the same words" if member["exact"] else f"similarity {member['similarity']:.3f}"
    if not member["exact"] and all(piece.kind != "differs" for piece in (*left, *right)):
        reason += ", what differs comes later"
    return (
        f'<div class="pair">\n{_side("stays", group, left)}\n'
        f"{_side(f'went: {reason}', member, right)}\n</div>"
    )


def _excerpt(row: Row) -> Excerpt:
    return Excerpt(row["text"], row["characters"] > len(row["text"]))


def _side(what: str, row: Row, pieces: Sequence[Piece]) -> str:
    url = f"<br><bdi>{_safe(row['url'])}</bdi>" if row["url"] else ""
    more = ' <span class="out">…</span>' if _excerpt(row).goes_on else ""
    return (
        f'<div><div class="told">{what}, {row["characters"]:,} characters<br>'
        f"<code>{_safe(row['id'])}</code>{url}</div>"
        f'<div class="text" dir="auto">{"".join(map(_piece, pieces))}{more}</div></div>'
    )


def _piece(piece: Piece) -> str:
    if piece.kind == "left out":
        return f' <bdi class="out">[… {piece.text} characters alike …]</bdi> '
    return f"<mark>{_safe(piece.text)}</mark>" if piece.kind == "differs" else _safe(piece.text)


def _safe(text: str) -> str:
    """Text that a page may have, as it is."""
    return escape(text.translate(_UNSEEN))
