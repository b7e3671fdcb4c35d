"""A quality model's card as a person reads it: Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from stages.card import BINS

_LEARNERS = {
    "logistic": "Logistic regression on hashed words, the positives against the crawl (GPT-3, appendix A).",
    "fasttext": "A fastText classifier of the positives against the crawl, as weights of hashed words.",
}
_PAGES = {
    "best": "Pages of the crawl that rank best",
    "middle": "Pages of the crawl that score about 0.5",
    "worst": "Pages of the crawl that rank worst",
    "positives": "Positives that rank worst",
}
_RULES_IN_GROUPS = 4  # columns of the tables by language and domain


def to_markdown(card: Mapping[str, Any]) -> str:
    """The whole card; its last part, pages to read, is the longest."""
    parts = [
        f"# The quality model of step '{card['step']}'",
        f"{_LEARNERS[card['model']['learner']]}\n"
        "Where nothing else is said, what follows up to the forecast was measured on held-out documents,\n"
        "which no model learnt from.",
        *_worth(card),
        "## What would be kept",
        *_kept(card),
        "## Scores",
        _table(["from", "positives", "crawl"], _histogram_rows(card["histogram"])),
        "## Calibration",
        _table(
            ["from", "documents", "mean score", "good"], [list(row.values()) for row in card["reliability"]]
        ),
        "## Words that weigh most",
        _table(["for the positives", "weight", "for the crawl", "weight"], _word_rows(card["words"])),
        "## Words that alone tell a source from the crawl",
        "The share of the source's documents that a word is in, and of the crawl's. A trace of how\n"
        "documents were collected, such as the name of a source or a header, belongs into `ignored`.",
        *(
            _table([f"{source}: word", "in it", "in the crawl"], [list(row.values()) for row in rows])
            for source, rows in card["revealing"].items()
        ),
        *_pages(card["pages"]),
    ]
    return "\n\n".join(parts) + "\n"


def _worth(card: Mapping[str, Any]) -> list[str]:
    """How well the two sides are told apart, as a whole and by source."""
    keys = ("side", "source", "documents", "words", "held_out", "held_out_by", "auc", "auc_without")
    measures = [
        ["AUC against the whole crawl", card["auc"]],
        [f"AUC against the crawl in {', '.join(card['languages'])}", card["auc_same_languages"]],
        ["AUC over all, each scored by a model that did not learn from it", card["auc_out_of_fold"]],
        ["accuracy at 0.5", card["accuracy"]],
        ["expected calibration error of the score", card["calibration_error"]],
        ["of the calibrated probability", card["calibrated_error"]],
    ]
    alone = sum(row["side"] == "positives" for row in card["sources"]) < 2
    return [
        _table(["measure", ""], measures),
        "AUC is the chance that a positive document scores above one of the crawl; by source, above one\n"
        'in the same languages. "AUC if unseen" is that of a model trained without the source: what a score\n'
        f"is worth on good text of another kind.{' One source alone has none.' if alone else ''}",
        _table(
            ["side", "source", "documents", "words", "held out", "by", "AUC", "AUC if unseen"],
            [[row.get(key) for key in keys] for row in card["sources"]],
        ),
    ]


def _kept(card: Mapping[str, Any]) -> Iterator[str]:
    """Alpha, and what each rule would keep, as a whole, by language and by domain."""
    keeps, fit = card["keeps"], card["alpha"]
    if fit:
        yield (
            f"Alpha fitted to the scores of {fit['documents']:,} held-out positives: **{fit['alpha']:g}**.\n"
            "The distribution of the draws is then that of 1 - score to within "
            f"{fit['distance']:.3f} (Kolmogorov's distance)."
        )
        yield _table(
            ["share of the positives", "scores at most", "of the draws"],
            [[_percent(row["share"]), row["score"], row["of_draws"]] for row in fit["quantiles"]],
        )
    judges = (
        "each scored by a model that did not learn from it"
        if card["model"]["folds"] > 1
        else "scored by the model that learnt from them"
    )
    yield (
        f"Expected of the sample, {keeps['documents']:,} of {keeps['of']:,} documents of the crawl,\n"
        f"{judges}. ±: one standard deviation, of the draws (copies share one) and of the sample."
    )
    yield _table(
        ["rule", "of crawl documents", "±", "of crawl tokens", "of positives"],
        [
            [_rule(row), *(_percent(row[name]) for name in ("documents", "error", "tokens", "positives"))]
            for row in keeps["rules"]
        ],
    )
    yield from (_by_group(card, name) for name in ("languages", "domains") if keeps["groups"][name])


def _by_group(card: Mapping[str, Any], name: str) -> str:
    """Shares of documents by language or domain, for a few of the rules."""
    keeps, fit = card["keeps"], card["alpha"]
    wanted = [("alpha", fit["alpha"])] if fit else []
    wanted += [("alpha", 9.0), ("threshold", 0.5), ("threshold", 0.9)]
    rules = {(row["rule"], row["value"]): row for row in keeps["rules"]}
    shown = [rules[key] for key in dict.fromkeys(wanted)][:_RULES_IN_GROUPS]
    rows = [
        [
            group["name"],
            group["documents"],
            group["tokens"],
            *(_both(row[name][group["name"]]) for row in shown),
        ]
        for group in keeps["groups"][name]
    ]
    return _table([name, "documents", "tokens", *(f"{_rule(row)}: documents, tokens" for row in shown)], rows)


def _rule(row: Mapping[str, Any]) -> str:
    return f"{row['rule']} {row['value']:g}"


def _both(shares: Sequence[float]) -> str:
    return ", ".join(map(_percent, shares))


def _histogram_rows(histogram: Mapping[str, Sequence[int]]) -> list[list[Any]]:
    pairs = zip(histogram["positives"], histogram["crawl"], strict=True)
    return [[number / BINS, *pair] for number, pair in enumerate(pairs)]


def _word_rows(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[Any]]:
    pairs = zip_longest(found["positives"], found["crawl"], fillvalue={"word": "", "weight": ""})
    return [[good["word"], good["weight"], bad["word"], bad["weight"]] for good, bad in pairs]


def _pages(pages: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for name, title in _PAGES.items():
        if pages[name]:
            yield f"## {title}"
            yield "\n".join(
                f"* **{page['score']:.4f}** {page['language'] or ''} `{_quoted(page['url'] or page['id'])}` "
                f"{_plain(page['text'])}"
                for page in pages[name]
            )


def _quoted(address: str) -> str:
    """An address as a URL may write it, between backticks."""
    return address.replace("`", "%60")


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|&" else letter for letter in text)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
