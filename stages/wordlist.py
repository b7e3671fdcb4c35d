"""wordlist: how often the words of a list stand in a document."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.language import LANGUAGES
from classifiers.words import Words, words
from pipeline.dataset import Dataset
from pipeline.errors import InputError, RecipeError, nearest
from pipeline.files import SmallFiles, expand, stem
from pipeline.schema import REASON, with_column
from pipeline.stage import MapStage
from stages.block_lists import Line, read_lines
from stages.phrases import EVERY, LONGEST, Hits, Phrases, find, phrases
from stages.text import nfc

_NONE = -1  # the group of what has no list of its language; no text looks for its entries
_JOINED = re.compile(r"[\s'’‐‑・-]")  # in an entry: nothing that a text must have too


class Sign(NamedTuple):
    """An entry with signs, such as 'a$$' or an emoji: found as it is, in any case."""

    group: int
    text: str


class Lists(NamedTuple):
    """The lists, as a worker holds them."""

    groups: Mapping[str, int]  # by language
    phrases: Phrases
    signs: Sequence[Sign]


@dataclass(frozen=True)
class Wordlist(MapStage):
    """Count the words of your lists in each document; reject by how many there are, if asked.

    Lists are text files, plain or compressed, one entry a line, with `#` before comments. An entry is a word
    or a phrase, in any case, whatever stands between its words; in scripts without spaces it is found
    anywhere, as C4 does for Japanese, Chinese and Thai. An entry with signs other than hyphens and
    apostrophes (`a$$`, an emoji) is found as it is written. Where entries overlap, the longest counts.

    Adds, by the name in `column`: `wordlist_hits`, `wordlist_entries` (different ones) and `wordlist_share`
    (of the words, or the signs of scripts without spaces). The reason of a rejection is wordlist:hits,
    wordlist:entries or wordlist:share; C4 rejects pages with any hit: max_hits = 0. `pipeline forecast` tells
    what that would be, whatever the fields are.

    Fields:
        lists: lists for all documents
        by_language: lists whose file names are languages (en.txt, zh.txt.gz, ja), each for the documents that
            the column `language` says are in it
        column: name of the columns and of the reason, for recipes with several such steps
        max_hits: a document with more hits is rejected; 0: any hit
        max_entries: a document with more different entries is rejected
        max_share: a document with a larger share of its words in entries is rejected
    """

    lists: SmallFiles = ()
    by_language: SmallFiles = ()
    column: str = "wordlist"
    max_hits: int | None = None
    max_entries: int | None = None
    max_share: float | None = None

    def __post_init__(self) -> None:
        if not (self.lists or self.by_language):
            raise ValueError('needs a list: lists = "words.txt", or by_language = ["en.txt", "zh.txt"]')
        if not self.column:
            raise ValueError("column must be a name")
        for name, limit in self._limits().items():
            if limit < 0:
                raise ValueError(f"max_{name} = {limit} must not be negative")

    def check_files(self) -> None:
        """Lists must be text, and named as languages where they are of one."""
        self.load("", {})

    def adds(self) -> pa.Schema:
        """Hits, different entries, share of words."""
        types = {"hits": pa.int32(), "entries": pa.int32(), "share": pa.float32()}
        return pa.schema([(f"{self.column}_{name}", kind) for name, kind in types.items()])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> Lists:
        """The lists, hashed."""
        files = [(path, EVERY) for path in (expand(self.lists) if self.lists else ())]
        paths = expand(self.by_language) if self.by_language else []
        groups = {code: at for at, code in enumerate(sorted({_language(path) for path in paths}), EVERY + 1)}
        files += [(path, groups[_language(path)]) for path in paths]
        lines = [(group, line) for path, group in files for line in read_lines([path])]
        split = words(pa.array([nfc(line.entry) for _, line in lines], pa.large_string()))
        bounds = list(pairwise(split.offsets.tolist()))
        signed = [_has_signs(line, split, *bound) for (_, line), bound in zip(lines, bounds, strict=True)]
        signs = {
            Sign(group, nfc(line.entry)) for (group, line), sign in zip(lines, signed, strict=True) if sign
        }
        owners = np.array([_NONE if sign else group for (group, _), sign in zip(lines, signed, strict=True)])
        return Lists(groups, phrases(split, owners.astype(np.int32)), sorted(signs))

    def process(self, documents: pa.Table, loaded: Lists) -> pa.Table:
        """Count, then judge by the counts alone."""
        texts = documents["text"].combine_chunks()
        groups = self._groups(documents, loaded)
        found = words(texts)
        counts = find(found, groups, loaded.phrases)
        for sign in loaded.signs:
            _add_signs(sign, texts, found, groups, counts)
        units = np.maximum(np.diff(found.offsets), 1)
        values = (counts.hits, counts.different, (counts.covered / units).astype(np.float32))
        for name, column in zip(self.adds().names, values, strict=True):
            documents = with_column(documents, name, pa.array(column))
        reasons: Any = pa.nulls(documents.num_rows, pa.string())
        for name in self._limits():
            broken = pc.and_(self._breaks(name, documents), pc.is_null(reasons))
            reasons = pc.if_else(broken, f"{self.column}:{name}", reasons)
        return with_column(documents, REASON, reasons)

    def judge(self, documents: pa.Table) -> Mapping[str, Mapping[str, Any]]:
        """C4's rule, any hit, and those that the fields set."""
        rules = {name: self._breaks(name, documents) for name in self._limits()}
        any_hit = pc.greater(documents[f"{self.column}_hits"].combine_chunks(), 0)
        return {self.column: {"any": any_hit} | rules}

    def _limits(self) -> dict[str, float]:
        limits = {"hits": self.max_hits, "entries": self.max_entries, "share": self.max_share}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def _breaks(self, name: str, documents: pa.Table) -> Any:
        values = documents[f"{self.column}_{name}"].combine_chunks()
        return pc.greater(values, pa.scalar(self._limits()[name], values.type))

    def _groups(self, documents: pa.Table, loaded: Lists) -> Any:
        """The group of lists of each document's language."""
        if not self.by_language:
            return np.full(documents.num_rows, _NONE, np.int32)
        if "language" not in documents.column_names:
            raise RecipeError(
                "wordlist: by_language needs the documents' column 'language'; put a step with stage "
                "language before it, or give the lists as `lists`"
            )
        codes = documents["language"].to_pylist()
        return np.array([loaded.groups.get(code, _NONE) for code in codes], np.int32)


def _language(path: str) -> str:
    """The language that a list's name says: 'lists/zh.txt' -> 'zh'."""
    code = stem(path).split("-")[0]
    if code not in LANGUAGES:
        raise InputError(
            f"{path}: its name is no language of lid.176 ({nearest(code, LANGUAGES)}); name it en.txt, "
            "zh.txt and so on, or give it as `lists`, for all documents"
        )
    return code


def _has_signs(line: Line, split: Words, start: int, end: int) -> bool:
    """Whether an entry has more than words, and what joins them; refuses one that is too long."""
    if end - start > LONGEST:
        raise line.refused(f"has more than {LONGEST} words; take a shorter part of it")
    entry, at = nfc(line.entry).encode(), 0
    between = []
    for unit in range(start, end):
        between.append(entry[at : split.starts[unit]])
        at = int(split.ends[unit])
    rest = b"".join([*between, entry[at:]]).decode(errors="replace")
    return bool(_JOINED.sub("", rest)) or start == end


def _add_signs(sign: Sign, texts: pa.Array, found: Words, groups: Any, counts: Hits) -> None:
    """Count an entry that has signs, where it neither begins nor ends within a word."""
    for row in np.flatnonzero(pc.match_substring(texts, sign.text, ignore_case=True).fill_null(False)):
        if sign.group not in (EVERY, groups[row]):
            continue
        units = slice(found.offsets[row], found.offsets[row + 1])
        hits = list(_places(sign.text, texts[int(row)].as_py(), found.starts[units], found.ends[units]))
        counts.hits[row] += len(hits)
        counts.different[row] += bool(hits)
        counts.covered[row] += sum(hits)


def _places(entry: str, text: str, starts: Any, ends: Any) -> Iterator[int]:
    """For each time that an entry stands in a text: the words that begin in it."""
    at = size = 0
    for place in re.finditer(re.escape(entry), text, re.IGNORECASE):
        begin = size + len(text[at : place.start()].encode())
        at, size = place.end(), begin + len(place[0].encode())
        bounds = np.array([begin, size])
        before = np.searchsorted(starts, bounds, "left")  # units that begin before each bound
        cut = [before[k] > 0 and ends[before[k] - 1] > bounds[k] for k in range(2)]
        if not any(cut):
            yield int(before[1] - before[0])
