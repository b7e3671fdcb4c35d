"""redact: personal data replaced by placeholders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.errors import nearest
from pipeline.output import Output
from pipeline.schema import with_column
from pipeline.stage import MapStage
from stages.national_ids import announces_id
from stages.personal import KINDS, MARKS, Found, find
from stages.phone_words import LANGUAGES
from stages.phones import announces_phone, is_region
from stages.placeholders import Redacted, redacted
from stages.text import clean, clean_line

_PLACEHOLDERS = {
    "email": "<EMAIL>",
    "ip": "<IP_ADDRESS>",
    "iban": "<IBAN>",
    "card": "<CARD>",
    "national_id": "<NATIONAL_ID>",
    "phone": "<PHONE>",
}
_TOLD_BY = {
    "email": "a domain below a public suffix",
    "ip": "a global address, and no version number",
    "iban": "length, structure and check digits of its country",
    "card": "prefix and length of an issuer, check digit",
    "national_id": "check digits, and a shape or a word of its country",
    "phone": "a country code, a word before it, or as its country writes it",
}
_REDACTION = pa.struct(
    [("kind", pa.string()), ("rule", pa.string()), ("start", pa.int32()), ("end", pa.int32())]
)


@dataclass(frozen=True)
class Redact(MapStage):
    """Replace e-mail addresses, phone numbers, IP addresses, card numbers, IBANs and national ids.

    A wrong redaction damages a text, so a number counts on evidence alone: check digits together with a shape
    or a word that says what it is; of phone numbers, a country code, a word before it, or the way in which
    the country of the page's script or language writes its own. Reserved things stay: private, documentation
    and multicast IP addresses, mail at example.com, card numbers of three different digits or fewer.
    Names, postal addresses and dates of birth are not looked for, nor numbers within URLs, nor any column but
    `text`.

    All of a kind get one placeholder, whatever the value: a model shall learn one sign, not how to count or
    link values, and copies of a page stay copies. What is redacted has nothing left that would be found.

    Adds `redactions` (kind, rule, start and end of the placeholder in bytes of the new text) and a count for
    each kind, `redacted_email` and so on, which the ledgers of later steps keep; `pipeline status` sums them
    by kind and language.

    Fields:
        kinds: what to replace: email, ip, iban, card, national_id, phone
        placeholders: by kind, in place of <EMAIL>, <IP_ADDRESS>, <IBAN>, <CARD>, <NATIONAL_ID>, <PHONE>
        regions: countries (US, DE, …) whose phone numbers without country code are looked for in every text;
            those of its script and of the column `language` are in any case
        spelt: also e-mail addresses such as "name [at] host (dot) org"
    """

    kinds: tuple[str, ...] = KINDS
    placeholders: dict[str, str] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    spelt: bool = True

    replaces: ClassVar[frozenset[str]] = frozenset({"text"})
    offsets: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("phonenumbers", "publicsuffixlist", "python-stdnum")

    def __post_init__(self) -> None:
        for name in ("kinds", "placeholders"):
            if strange := [kind for kind in getattr(self, name) if kind not in KINDS]:
                raise ValueError(f"{name}: no kind '{strange[0]}'; {nearest(strange[0], KINDS)}")
        if not self.kinds:
            raise ValueError("kinds is empty, so nothing would be replaced; leave the step out")
        if unknown := [region for region in self.regions if not is_region(region)]:
            raise ValueError(f"regions: '{unknown[0]}' is no country with phone numbers; write US, DE, CN, …")
        for kind, text in self.placeholders.items():
            if not text or not text[0].isascii() or clean_line(clean(text)) != text:
                raise ValueError(
                    f"placeholders: {kind} = '{text}' must be one line in NFC that begins with an "
                    "ASCII character and has no blanks at its ends"
                )
            if self._redacted(pa.array([f"( {text} )"], pa.large_string()), None):
                raise ValueError(
                    f"placeholders: {kind} = '{text}' looks like personal data itself; write a tag, or a "
                    "reserved value such as email@example.com or 192.0.2.1"
                )
            if announces_phone(text) or announces_id(text):
                raise ValueError(
                    f"placeholders: {kind} = '{text}' says that a number follows, so that the next "
                    "one would count as personal data; write another word"
                )

    def adds(self) -> pa.Schema:
        """`redactions`, and a count for each of `kinds`."""
        counts = [(f"redacted_{kind}", pa.int32()) for kind in self._wanted()]
        return pa.schema([("redactions", pa.list_(_REDACTION)), *counts])

    def load(self, step: str, inputs: Mapping[str, Dataset]) -> None:
        """Nothing: numbering plans and public suffixes come with packages."""

    def process(self, documents: pa.Table, loaded: Any) -> pa.Table:
        """Find, replace, count."""
        texts = documents["text"].combine_chunks()
        found = self._redacted(texts, documents["language"] if "language" in documents.column_names else None)
        if found:
            changed = np.isin(np.arange(len(texts)), list(found))
            new = pa.array([each.text for each in found.values()], pa.large_binary())
            texts = pc.replace_with_mask(texts.cast(pa.large_binary()), pa.array(changed), new)
            documents = with_column(documents, "text", texts.cast(pa.large_string()))
        places = [found[row].places if row in found else [] for row in range(len(texts))]
        structs = [[each._asdict() for each in row] for row in places]
        documents = with_column(documents, "redactions", pa.array(structs, pa.list_(_REDACTION)))
        for kind in self._wanted():
            counts = [sum(each.kind == kind for each in row) for row in places]
            documents = with_column(documents, f"redacted_{kind}", pa.array(counts, pa.int32()))
        return documents

    def save(self, documents: pa.Table, output: Output) -> pa.Table:
        """Count by kind and language, for the task's record."""
        languages = _languages(documents)
        for kind in self._wanted():
            counts = documents[f"redacted_{kind}"].to_numpy()
            for row in np.flatnonzero(counts).tolist():
                key = f"{kind}:{languages[row]}"
                output.count(**{f"redactions:{key}": int(counts[row]), f"documents:{key}": 1})
        return documents

    def summary(self, dataset: Dataset) -> Mapping[str, list[dict[str, Any]]]:
        """Redactions and documents that have some, by kind and by language, and what told the kind."""
        totals = dataset.manifests[0].totals
        counts = {
            (*name.split(":"),): number
            for name, number in sorted(totals.items())
            if name.startswith(("redactions:", "documents:"))
        }
        languages = sorted({language for _, _, language in counts})
        kinds = [
            {
                "kind": kind,
                **{
                    what: sum(n for key, n in counts.items() if key[:2] == (what, kind))
                    for what in ("redactions", "documents")
                },
                "told by": _TOLD_BY[kind],
            }
            for kind in self._wanted()
        ]
        return {
            "redacted, by kind": kinds,
            "redactions, by language": [
                {"language": language}
                | {kind: counts.get(("redactions", kind, language), 0) for kind in self._wanted()}
                for language in languages
            ],
        }

    def _wanted(self) -> list[str]:
        return [kind for kind in KINDS if kind in self.kinds]

    def _redacted(self, texts: pa.Array, languages: pa.ChunkedArray | None) -> dict[int, Redacted]:
        codes = languages.to_pylist() if languages is not None else [None] * len(texts)
        regions = {code: (*self.regions, *LANGUAGES.get(code or "", ())) for code in codes}
        placeholders = {
            kind: self.placeholders.get(kind, _PLACEHOLDERS[kind]).encode() for kind in self._wanted()
        }

        needed = 0
        for kind in self.kinds:
            needed |= MARKS.get(kind, ~0)

        def search(passage: str, marks: int, row: int) -> list[Found]:
            return find(passage, marks & needed, self.spelt, regions[codes[row]])

        return redacted(texts, search, placeholders)


def _languages(documents: pa.Table) -> list[str]:
    """The language of each document; und where none is known."""
    if "language" not in documents.column_names:
        return ["und"] * documents.num_rows
    return [code or "und" for code in documents["language"].to_pylist()]
