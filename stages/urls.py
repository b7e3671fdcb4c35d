"""urls: documents that nobody wants by their URL, or that somebody wants forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.dataset import Dataset
from pipeline.files import SmallFiles
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.block_lists import (
    DomainList,
    ForgetList,
    UrlList,
    WordList,
    read_domains,
    read_forgotten,
    read_urls,
    read_words,
)
from stages.canonical import address
from stages.robots import SIGNAL


class Lists(NamedTuple):
    """The lists, as a worker holds them."""

    forget: ForgetList
    domains: DomainList
    urls: UrlList
    words: WordList
    soft_words: WordList


@dataclass(frozen=True)
class Urls(MapStage):
    """Reject documents by lists of domains, URLs and words, by requests to forget them, and by opt-outs.

    Lists are text files, plain or compressed, one entry a line, with `#` before comments. Spellings of one
    URL are equal: scheme, `www.`, user, usual port and fragment do not count, nor does how a character is
    escaped or a host written, in its own script or in punycode. Words are compared as the word splitter finds
    them in URLs without escapes: whole, in any case, and where a script has no spaces, anywhere.

    The reason is that of the first rule that holds: url:forget, url:domain, url:exact, url:word, optout:….

    Fields:
        domains: lists of domains; each stands for its subdomains too (`.ru`: all of a top-level domain)
        urls: lists of URLs; one that ends in `*` stands for all that begin with it
        words: lists of words of which a URL may have none
        soft_words: lists of words of which a URL may have fewer than `least_soft`
        least_soft: different soft words that reject a document
        forget: lists of documents to forget, by id, URL (with `*`, all that begin with it) or domain
        respect: opt-outs of the column `robots` that reject, such as noai, noindex, tdm-reservation,
            ccbot:noindex (addressed to one bot alone)
    """

    domains: SmallFiles = ()
    urls: SmallFiles = ()
    words: SmallFiles = ()
    soft_words: SmallFiles = ()
    least_soft: int = 2
    forget: SmallFiles = ()
    respect: tuple[str, ...] = ("noai", "tdm-reservation")

    def __post_init__(self) -> None:
        if self.least_soft < 1:
            raise ValueError(f"least_soft = {self.least_soft} must be at least 1")
        if strange := [signal for signal in self.respect if not SIGNAL.fullmatch(signal)]:
            raise ValueError(
                f"respect: '{strange[0]}' is no opt-out; write noai, noindex, tdm-reservation, ccbot:noai, …"
            )
        if not (self.domains or self.urls or self.words or self.soft_words or self.forget or self.respect):
            raise ValueError("has no rule: give it lists, or opt-outs to respect")

    def check_files(self) -> None:
        """Each entry must be what its list is of."""
        self.load("", {})

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Lists:
        """The lists."""
        return Lists(
            read_forgotten(self.forget),
            read_domains(self.domains),
            read_urls(self.urls),
            read_words(self.words),
            read_words(self.soft_words),
        )

    def process(self, documents: pa.Table, loaded: Lists) -> pa.Table:
        """Look at the URLs, and at what their pages asked for when they were extracted."""
        addresses = [address(url or "") for url in documents["url"].to_pylist()]
        readable = [place.readable for place in addresses]
        found = {
            "url:forget": loaded.forget.holds(documents["id"], addresses),
            "url:domain": loaded.domains.holds(addresses),
            "url:exact": loaded.urls.holds(addresses),
            "url:word": (loaded.words.counts(readable) > 0)
            | (loaded.soft_words.counts(readable) >= self.least_soft),
        }
        reasons = self._opted_out(documents)
        for reason, rows in reversed(found.items()):
            for row in np.flatnonzero(rows).tolist():
                reasons[row] = reason
        return with_column(documents, REASON, pa.array(reasons, pa.string()))

    def _opted_out(self, documents: pa.Table) -> list[str | None]:
        """The first opt-out to respect of each document; of sources that know of none, none."""
        if "robots" not in documents.column_names:
            return [None] * documents.num_rows
        asked = [(signals or "").split(",") for signals in documents["robots"].to_pylist()]
        first = (next((each for each in self.respect if each in signals), None) for signals in asked)
        return [each and f"optout:{each}" for each in first]
