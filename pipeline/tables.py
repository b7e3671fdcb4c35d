"""What the command line prints: a run's funnel, a document as a person reads it, a stage and its fields."""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pipeline import storage
from pipeline.inspection import Row, RunFolder, Seen
from pipeline.manifest import Counts
from pipeline.recipe import is_files
from pipeline.stage import Stage

REASONS_SHOWN = 6


def funnel(run: RunFolder) -> Table:
    """One row a step: documents, text and tokens in and kept; below it, what was rejected and why."""
    table = Table(
        title=f"{escape(run.recipe.name)}: documents through the steps",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("step", no_wrap=True)
    for column in ("in", "kept", "%", "text in", "text kept", "tokens in", "tokens kept"):
        table.add_column(column, justify="right")
    table.add_column("")
    for name in run.recipe.steps:
        manifest = run.manifest(name)
        total = manifest.totals if manifest else _so_far(run, name)
        table.add_row(f"[bold]{escape(name)}[/]", *_numbers(total), _state(run, name))
        for reason, rows in _ranked(total.get("reasons", {})):
            share = f"{100 * rows / max(1, total['rows_in']):.1f}"
            table.add_row(f"[dim]  {escape(reason)}[/]", f"[dim]{-rows:,}[/]", "", f"[dim]{share}[/]")
    table.caption = "tokens: counted after `encode`, estimated from bytes and characters before"
    table.caption_justify = "left"
    return table


def _so_far(run: RunFolder, name: str) -> Counts:
    from pipeline.manifest import totals

    folder = f"{run.path(name)}/tasks/shards"
    return totals(
        {"shards": {n: storage.read_json(f"{folder}/{n}.json") for n in storage.names(folder, ".json")}}
    )


def _numbers(total: Counts) -> list[str]:
    if "rows_in" not in total:
        return [""] * 7
    rows_in, rows_out = total["rows_in"], total["rows_out"]
    share = f"{100 * rows_out / rows_in:.1f}" if rows_in else ""
    sizes = [megabytes(total.get("bytes_in", 0)), megabytes(total.get("bytes_out", 0))]
    return [
        f"{rows_in:,}",
        f"{rows_out:,}",
        share,
        *sizes,
        short(total["tokens_in"]),
        short(total["tokens_out"]),
    ]


def _state(run: RunFolder, name: str) -> str:
    if run.manifest(name):
        return "" if run.recipe.steps[name].materialize else "[dim]flows on[/]"
    tasks = len(storage.names(f"{run.path(name)}/tasks/shards", ".json"))
    return (
        f"[yellow]{tasks} tasks done, not finished[/]" if storage.exists(run.path(name)) else "[dim]waits[/]"
    )


def _ranked(reasons: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    yield from ranked[:REASONS_SHOWN]
    if rest := ranked[REASONS_SHOWN:]:
        yield f"{len(rest)} other reason{'s'[: len(rest) > 1]}", sum(rows for _, rows in rest)


def megabytes(size: int) -> str:
    """'12.3 MB'; nothing for nothing."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B" if size else ""


def short(number: int) -> str:
    """'4.1 M'; nothing for nothing."""
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return str(number) if number else ""


def rows(title: str, records: list[dict[str, Any]]) -> RenderableType:
    """A stage's own summary: one row a record."""
    table = Table(box=None, pad_edge=False)
    for name, value in (records[0] if records else {}).items():
        table.add_column(name.replace("_", " "), justify="left" if isinstance(value, str) else "right")
    for record in records:
        table.add_row(*(cell(value) for value in record.values()))
    return Group(Text(title, style="italic"), table)


def cell(value: Any) -> str:
    """A value as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return escape(text if len(text) <= 200 else f"{text[:200]}…")


def document(row: Row, characters: int) -> RenderableType:
    """A document as a person reads it: a line with its id, what is known of it, then the text."""
    text = row.get("text")
    facts = Table.grid(padding=(0, 2))
    for name, value in row.items():
        if name not in ("id", "text") and value not in (None, "", []):
            facts.add_row(Text(name, style="dim"), Text.from_markup(cell(value)))
    parts: list[RenderableType] = [Rule(escape(str(row.get("id", ""))), align="left", style="bold"), facts]
    if text:
        shown = text if len(text) <= characters else f"{text[:characters]}… ({len(text):,} characters)"
        parts += ["", Text(shown)]
    return Group(*parts, "")


def way(seen: list[Seen]) -> RenderableType:
    """What each step did with a document, in order."""
    first = seen[0].row
    table = Table(box=None, pad_edge=False, show_header=False)
    known: set[str] = set()
    for each in seen:
        new = {
            k: v
            for k, v in each.row.items()
            if k not in known | {"text", "tokens", "reason"} and v not in (None, "", [])
        }
        known |= set(each.row)
        facts = ", ".join(f"{name} {cell(value)}" for name, value in new.items() if each is not seen[0])
        outcome = (
            f"[red]rejected: {escape(each.row['reason'])}[/]" if each.outcome == "rejected" else each.outcome
        )
        table.add_row(f"[bold]{escape(each.step)}[/]", outcome, f"[dim]{facts}[/]")
    return Group(Text(f"{first.get('id')}  {first.get('url') or ''}"), table)


def stage_list(stages: Mapping[str, type[Stage]]) -> Table:
    """Every stage and its one sentence."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, stage in stages.items():
        table.add_row(
            f"[bold]{name}[/]", escape((inspect.getdoc(stage) or "").split("\n\n")[0].replace("\n", " "))
        )
    return table


def stage_page(name: str, stage: type[Stage]) -> RenderableType:
    """What a stage does, what it reads, and each of its fields with type, default and meaning."""
    doc = inspect.getdoc(stage) or ""
    prose, _, listed = doc.partition("Fields:")
    meanings = field_meanings(listed)
    hints = get_type_hints(stage, include_extras=True)
    table = Table(box=None, pad_edge=False)
    for column in ("field", "type", "default", "meaning"):
        table.add_column(column)
    for key in stage.inputs:
        table.add_row(
            key, "step", "optional" if key in stage.optional else "required", f"reads {stage.inputs[key]}"
        )
    for f in dataclasses.fields(stage):  # type: ignore[arg-type]
        table.add_row(
            f.name, escape(_type(hints[f.name])), escape(_default(f)), escape(meanings.get(f.name, ""))
        )
    return Group(f"[bold]{name}[/]: {escape(prose.strip())}", "", table)


def field_meanings(listed: str) -> dict[str, str]:
    """The `Fields:` block of a docstring: name -> meaning, continuation lines joined."""
    joined = re.sub(r"\n\s{8,}", " ", textwrap.indent(textwrap.dedent(listed.strip("\n")), "    "))
    return dict(re.findall(r"^\s*(\w+): (.*)$", joined, re.MULTILINE))


def _type(hint: Any) -> str:
    if is_files(hint):
        return "files"
    if get_origin(hint) is None:
        return getattr(hint, "__name__", str(hint))
    if "Literal" in str(get_origin(hint)):
        return " | ".join(f'"{value}"' for value in get_args(hint))
    names = [_type(argument) for argument in get_args(hint) if argument not in (..., type(None))]
    if get_origin(hint) is dict:
        return "table of " + " to ".join(names)
    return f"list of {names[0]}" if get_origin(hint) is tuple else " | ".join(names)


def _default(f: "dataclasses.Field[Any]") -> str:
    if f.default is not dataclasses.MISSING:
        value = list(f.default) if isinstance(f.default, tuple) else f.default
        return "not set" if value is None else repr(value).replace("'", '"')
    return "required" if f.default_factory is dataclasses.MISSING else "{}"
