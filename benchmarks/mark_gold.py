"""Mark the main text of a page, to measure extraction by.

python -m benchmarks.mark_gold ARCHIVE.warc.gz OFFSET CHARSET
python -m benchmarks.mark_gold ARCHIVE.warc.gz OFFSET CHARSET --body 14-31,35 --heading 12 --kind forum ...

The first prints the blocks of a page with their numbers, to be read; the second the page's line for
benchmarks/gold/multilingual.jsonl, which says where the main text is and holds none of it.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gold_pages import digest, fetched
from benchmarks.gold_spans import Span, blocks, text

_OPENED = re.compile(r"<([a-z][a-z0-9]*)\b([^>]*)>", re.IGNORECASE)
_NAMED = re.compile(r"""\b(?:class|id)\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)


def main(
    archive: Path,
    offset: int,
    charset: str,
    body: Annotated[str, typer.Option(help="numbers of the blocks of main text: 3-9,12")] = "",
    heading: Annotated[str, typer.Option(help="numbers of title, author, date")] = "",
    language: Annotated[str, typer.Option(help="of the main text")] = "",
    kind: Annotated[str, typer.Option(help="article, forum, product, …")] = "",
) -> None:
    """Print the blocks of a page or, once they are chosen, its line of gold."""
    data, _ = fetched(archive, offset)
    page = data.decode(charset, "replace")
    if not body:
        print("\n".join(shown(page)))
        return
    found = blocks(page)
    line = {"file": f"{archive.parent.name}/{archive.name}", "offset": offset, "sha256": digest(data)}
    line |= {"charset": charset, "language": language, "kind": kind}
    line |= {"heading": picked(found, heading), "body": picked(found, body)}
    print(json.dumps(line))


def shown(page: str, width: int = 60) -> list[str]:
    """A line per block: number, the tag before it with its class or id, first characters, how many more."""
    found, end = [], 0
    for number, block in enumerate(blocks(page)):
        tags = _OPENED.findall(page[end : block.start])
        end = block.end
        tag, attributes = tags[-1] if tags else ("", "")
        names = ".".join(_NAMED.findall(attributes))[:20]
        line = text(page, [block])
        more = f" …{len(line) - width}" if len(line) > width else ""
        found.append(f"{number} {tag}.{names}| {line[:width]}{more}")
    return found


def picked(found: list[Span], chosen: str) -> list[Span]:
    """'3-9,12' -> a span from block 3 to block 9, and block 12."""
    ranges = [each.partition("-") for each in chosen.split(",") if each]
    return [Span(found[int(first)].start, found[int(last or first)].end) for first, _, last in ranges]


if __name__ == "__main__":
    typer.run(main)
