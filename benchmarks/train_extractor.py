"""Train the extractor `winnow` on pages of which somebody wrote down the main text.

python -m benchmarks.train_extractor PAGES.jsonl.zst ... [--check]

Prints F1 by cross-validation (no host is in two parts), then writes the models and their card beside the code
that uses them: stages/winnow.npz and winnow.json. With --check only the table is made.
"""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
import typer
from numpy.typing import NDArray
from publicsuffixlist import PublicSuffixList
from rich.console import Console
from rich.table import Table
from scipy import sparse

from benchmarks.alignment import labels, words
from benchmarks.boosting import Floats, Size, class_tokens, fit_trees, fit_weights
from benchmarks.extraction import DATA, FEWEST, extract, sources
from benchmarks.gold_pages import GOLD_IN_PAGE, key, lines
from benchmarks.gold_pages import Page as GoldPage
from benchmarks.made_pages import grown, lines_of, translated
from benchmarks.scores import Score, of_text, total
from stages.block_features import FEATURES, describe
from stages.blocks import TEXT, TEXT_END, Page, blocks
from stages.charset import decode
from stages.context import CONTEXT, add_context
from stages.engines import OURS
from stages.layout import lay_out, unescaped
from stages.main_text import DOUBT, Model, kept, load, look_again
from stages.measures import Measures, measure
from stages.surroundings import Surroundings
from stages.trees import UNIT, log_odds

STAGES = Path(__file__).parent.parent / "stages"
FIRST, SECOND = Size(30, 8, 0.3), Size(250, 16, 0.05)
FOLDS = 5
DOUBTED = 0.35  # pages whose F1 by a model that has not seen them is less are likely to have bad gold …
DOUBTED_WORTH = 0.1  # … and weigh so much
LONGER_WORTH = 0.5
TRANSLATED, NAMELESS = "in another language", "in another language, class names too"
LICENCE = "WCXB: CC BY 4.0. Zyte article extraction benchmark: MIT."

Described = tuple[Floats, Surroundings]

_suffixes = PublicSuffixList()


@dataclass(frozen=True)
class Example:
    """A page with gold, and what a model learns from."""

    key: str
    set: str
    kind: str
    host: str
    html: bytes
    gold: str
    page: Page
    measures: Measures
    positive: NDArray[np.bool_]  # of each block
    worth: NDArray[np.float32]  # how much each block weighs in training
    made: str = ""  # how, if it was made of another, for training alone

    @cached_property
    def tokens(self) -> sparse.csr_matrix:
        return class_tokens(self.page)

    @property
    def fold(self) -> int:
        return zlib.crc32(self.host.encode()) % FOLDS

    def described(self, weights: NDArray[np.int32]) -> Described:
        return describe(self.page, self.measures, weights * (self.made != NAMELESS))

    def add_context(self, odds: NDArray[np.int64], described: Described) -> None:
        features, around = described
        add_context(self.page, self.measures, around, odds, features[:, len(FEATURES) :])

    def score(self, keep: NDArray[np.bool_]) -> Score:
        return of_text(lay_out(self.page, keep), self.gold)


def main(
    pages: Annotated[
        list[Path], typer.Argument(exists=True, help="JSON lines with html, gold_text, gold_in_page, url")
    ],
    check: Annotated[bool, typer.Option("--check", help="only cross-validate")] = False,
    gold: Annotated[Path, typer.Option(metavar="DIR", help="as of benchmarks.extraction")] = DATA,
) -> None:
    """Cross-validate, then train on everything and write the models."""
    console = Console(width=None if Console().is_terminal else 120)
    found = [found for path in pages for line in lines(path) if (found := example(path.name, line))]
    weights = [learn_weights([e for e in found if e.fold != fold]) for fold in range(FOLDS)]
    final = learn_weights(found)
    # class scores are by weights that have not seen the page
    quick = cross_validated(found, [e.described(weights[e.fold]) for e in found], 1)["winnow-small"]
    found = [
        replace(e, worth=e.worth * DOUBTED_WORTH) if page.f1 < DOUBTED else e
        for e, page in zip(found, quick, strict=True)
    ]
    found += made(found)
    described = [e.described(weights[e.fold]) for e in found]
    scores = cross_validated(found, described)
    table = by_kind(found, scores)
    console.print(as_table("F1 by cross-validation over hosts", table))
    if check:
        return
    model = learn(found, described, final)
    looks = {"first": model.first, "second": model.second}
    arrays = {f"{look}_{field}": array for look, of in looks.items() for field, array in of._asdict().items()}
    np.savez_compressed(STAGES / "winnow.npz", weights=model.weights, **arrays)
    load.cache_clear()
    languages = by_language(gold)
    console.print(as_table("F1 by language, of pages that it has not seen", languages))
    card = {
        "what": "boosted trees over the features of text blocks: is a block part of a page's main text?",
        "made by": f"python -m benchmarks.train_extractor, lightgbm {version('lightgbm')}",
        "licence of the pages": LICENCE,
        "trained on": dict(Counter(f"{e.set} {e.kind}" for e in found if not e.made)),
        "trained on, made of these (benchmarks/made_pages.py)": dict(
            Counter(e.made for e in found if e.made)
        ),
        "first look": FIRST._asdict(),
        "second look, where the first leaves doubt": SECOND._asdict(),
        "F1 by cross-validation over hosts": table,
        "F1 by language, of pages that it has not seen": languages,
        "features": FEATURES,
        "features of the second look": CONTEXT,
        "pages": sorted(e.key for e in found if not e.made),
    }
    (STAGES / "winnow.json").write_text(json.dumps(card, indent=1) + "\n")


def example(source: str, line: Mapping[str, Any]) -> Example | None:
    """What there is to learn from a page, if it has gold that can be found in it."""
    if not line.get("gold_text") or (line.get("gold_in_page") or 0) < GOLD_IN_PAGE:
        return None
    data = base64.b64decode(line["html"])
    host = urlsplit(line["url"] or "").hostname or line["id"]
    known = {
        "key": key(data),
        "set": source.partition(".")[0].removeprefix("pages-"),
        "kind": line.get("page_kind") or "article",
        "host": _suffixes.privatesuffix(host) or host,
    }
    return examined(decode(data, f"text/html; charset={line['charset']}").data, line["gold_text"], known)


def examined(data: bytes, gold: str, known: Mapping[str, str]) -> Example | None:
    """A page in UTF-8 with its blocks, and which of them the gold has; None if that cannot be found out."""
    page = blocks(np.frombuffer(data, np.uint8))
    bytes_ = page.text.tobytes()
    texts = [unescaped(bytes_[row[TEXT] : row[TEXT_END]].decode("utf-8", "replace")) for row in page.blocks]
    shares = labels(texts, gold)
    if shares is None or not texts:
        return None
    sizes = np.array([len(words(text)) for text in texts])
    worth = ((sizes + 1) / (len(words(gold)) + 0.2 * sizes.sum() + 20)).astype(np.float32)
    return Example(
        **known,
        html=data,
        gold=gold,
        page=page,
        measures=measure(page),
        positive=2 * shares >= 1,
        worth=worth,
    )


def made(examples: Sequence[Example]) -> list[Example]:
    """Pages made of these: each in another language, and of every third article a longer one."""
    found = []
    golds = {fold: lines_of([e.gold for e in examples if e.fold == fold]) for fold in range(FOLDS)}
    for e in examples:
        number = int(e.key, 16)
        how = TRANSLATED if number % 4 else NAMELESS
        found.append(replace(e, measures=translated(e.measures, number), made=how))
        if e.kind in ("article", "documentation") and number % 3 == 0:
            start = number % len(golds[e.fold])
            pieces = golds[e.fold][start:] + golds[e.fold][:start]
            longer = grown(e.html.decode(errors="replace"), e.gold, pieces)
            known = {"key": e.key, "set": e.set, "kind": e.kind, "host": e.host, "made": "longer"}
            if longer and (page := examined(longer[0].encode(), longer[1], known)):
                found.append(replace(page, worth=page.worth * LONGER_WORTH))
    return found


def learn_weights(examples: Sequence[Example]) -> NDArray[np.int32]:
    """The weights of class tokens, from these pages."""
    hosts = [e.host for e in examples]
    return fit_weights([e.tokens for e in examples], hosts, *_targets(examples))


def learn(
    examples: Sequence[Example], described: Sequence[Described], weights: NDArray[np.int32], looks: int = 2
) -> Model:
    """The model, from these pages; with one look, the second is like the first."""
    rows = np.concatenate([features for features, _ in described])[:, : len(FEATURES)]
    positive, worth = _targets(examples)
    first = second = fit_trees(rows, positive, worth, FIRST)
    if looks > 1:
        # the second look learns from first looks of models that have not seen the page, as in real life
        folds = np.repeat([e.fold for e in examples], [len(e.positive) for e in examples])
        odds = np.empty(len(rows), np.int64)
        for fold in set(folds.tolist()):
            rest = folds != fold
            unseen = fit_trees(rows[rest], positive[rest], worth[rest], FIRST)
            odds[~rest] = log_odds(rows[~rest], unseen)
        ends = np.cumsum([len(e.positive) for e in examples])
        for e, of, found in zip(examples, np.split(odds, ends[:-1]), described, strict=True):
            e.add_context(of, found)
        doubtful = np.abs(odds) < DOUBT
        rows = np.concatenate([features for features, _ in described])[doubtful]
        second = fit_trees(rows, positive[doubtful], worth[doubtful], SECOND, odds[doubtful] / UNIT)
    return Model(weights, first, second)


def cross_validated(
    examples: Sequence[Example], described: Sequence[Described], most: int = 2
) -> dict[str, list[Score]]:
    """How well each page is read, by one look and by two, by a model that has seen no page of its host."""
    scores = {name: [Score()] * len(examples) for name in ("winnow", "winnow-small")[2 - most :]}
    for fold in range(FOLDS):
        taught = [place for place, e in enumerate(examples) if e.fold != fold]
        seen = [examples[place] for place in taught], [described[place] for place in taught]
        model = learn(*seen, np.zeros(1, np.int32), most)  # no weights: features are made already
        for place, e in enumerate(examples):
            if e.fold == fold and not e.made:
                features, _ = described[place]
                odds = log_odds(features, model.first)
                scores["winnow-small"][place] = e.score(kept(odds, e.measures))
                if most > 1:
                    e.add_context(odds, described[place])
                    look_again(features, odds, model.second)
                    scores["winnow"][place] = e.score(kept(odds, e.measures))
    return scores


def by_kind(examples: Sequence[Example], scores: Mapping[str, Sequence[Score]]) -> list[dict[str, Any]]:
    """A row for each set as a whole, and for each kind of page in it."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, e in enumerate(examples):
        for kind in ("", e.kind) if not e.made else ():
            groups.setdefault((e.set, kind), []).append(place)
    return [
        {
            "set": name,
            "kind": kind,
            "pages": len(places),
            **{model: round(total(of[place] for place in places).f1, 4) for model, of in scores.items()},
        }
        for (name, kind), places in sorted(groups.items())
    ]


def by_language(folder: Path) -> list[dict[str, Any]]:
    """A row for each language of the other pages with gold in `folder`; none where there are none."""
    groups: dict[tuple[str, str], list[GoldPage]] = {}
    for name, source in sources([], folder).items():
        for page in source() if name in ("snippets", "multilingual") else ():
            groups.setdefault((name, page.language), []).append(page)
    return [
        {
            "set": name,
            "language": language,
            "pages": len(pages),
            **{
                engine: round(total(page.score(extract(engine, page)) for page in pages).f1, 4)
                for engine in sorted(OURS)
            },
        }
        for (name, language), pages in sorted(groups.items())
        if len(pages) >= FEWEST
    ]


def as_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in rows[0] if rows else ():
        table.add_column(column, justify="left" if column in ("set", "kind", "language") else "right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table


def _targets(examples: Sequence[Example]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    return np.concatenate([e.positive for e in examples]), np.concatenate([e.worth for e in examples])


if __name__ == "__main__":
    typer.run(main)
