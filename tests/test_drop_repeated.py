"""Lines that a site repeats: which go, in plain Python; what stays; the same for any shards and workers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest
from duplicates import Rows, Sources, write
from given import TEXTS, files, kept, make, removed, resharded, run, step
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.words import words
from pipeline import shuffle
from pipeline.dataset import Dataset
from pipeline.errors import RecipeError
from pipeline.executors import Processes
from stages import drop_repeated, sites
from stages.drop_repeated import DropRepeated, precedence
from stages.shape import shape_of

MENU = "Home\nAbout us\nOur shops in town\n----\nContact and imprint\nCookies"
Documents = list[tuple[int, str, str, str]]  # order, id, site, text


def paragraphs(text: str) -> list[list[str]]:
    return [
        [line.strip(" \t\r") for line in block]
        for block in (part.split("\n") for part in _blocks(text))
        if any(line.strip(" \t\r") for line in block)
    ]


def _blocks(text: str) -> list[str]:
    return [
        block for block in "\n".join(line.strip(" \t\r") for line in text.split("\n")).split("\n\n") if block
    ]


def weigh(line: str, numbers: bool) -> tuple[int, tuple[object, ...]]:
    """Words in sixteenths, and what they are compared by."""
    texts = pa.array([line], pa.large_string())
    found = words(texts)
    pieces = [line.encode()[a:b].decode() for a, b in zip(found.starts, found.ends, strict=True)]
    hashes = found.hashes.tolist()
    same = [
        None if not numbers and piece.isdigit() else each for piece, each in zip(pieces, hashes, strict=True)
    ]
    return int(shape_of(texts, found).weights.sum()), tuple(same)


class Twin:
    """The stage in plain Python, on lists of lines."""

    def __init__(self, stage: DropRepeated, sources: Sources) -> None:
        self.stage, self.texts = stage, {}
        self.owners: dict[object, set[tuple[int, str]]] = defaultdict(set)
        for place, (source, parts) in enumerate(sources.items()):
            for number, rows in enumerate(parts):
                for n, row in enumerate(rows):
                    name = row.get("id", f"{source}/{number:03d}/{n}")
                    known = {"id": [name], "split": [row.get("split", "train")]}
                    order = int(precedence(pa.table(known), place)[0])
                    site = {"domain": row.get("domain"), "all": "all"}[stage.within]
                    self.texts[name] = (order, site or None, paragraphs(row["text"]))
        for name, (order, site, blocks) in self.texts.items():
            for span, _, _, _ in self.spans(site, blocks):
                self.owners[span].add((order, name))

    def spans(self, site: str | None, blocks: Sequence[Sequence[str]]) -> list[tuple[object, int, int, int]]:
        """(what is compared, paragraph, first line, line behind the last)."""
        found = []
        for number, lines in enumerate(blocks if site else []):
            weighed = [weigh(line, self.stage.numbers) for line in lines]
            whole = self.stage.unit == "paragraph"
            for first in range(1 if whole else len(lines)):
                if not weighed[first][0] and not whole:
                    continue
                end = first
                while end < len(lines) and (whole or sum(w for w, _ in weighed[first:end]) < self.least):
                    end += 1
                if sum(w for w, _ in weighed[first:end]) >= self.least:
                    compared = tuple(same for weight, same in weighed[first:end] if weight)
                    found.append(((site, compared), number, first, end))
        return found

    @property
    def least(self) -> int:
        return 16 * self.stage.min_words

    def result(self) -> dict[str, tuple[str | None, list[list[str]]]]:
        """id -> (reason, the paragraphs that are left)."""
        return {name: self.cut(*document) for name, document in self.texts.items()}

    def cut(
        self, order: int, site: str | None, blocks: list[list[str]]
    ) -> tuple[str | None, list[list[str]]]:
        gone = [[False] * len(lines) for lines in blocks]
        for span, number, first, end in self.spans(site, blocks):
            owners = self.owners[span]
            size = sum(known == site for _, known, _ in self.texts.values())
            allowed = max(self.stage.max_documents, int(self.stage.min_share * size))
            if len(owners) > allowed and (self.stage.keep == "none" or min(owners)[0] != order):
                gone[number][first:end] = [True] * (end - first)
        self.wordless(blocks, gone)
        left: list[list[str]] = []
        for lines, marks in zip(blocks, gone, strict=True):
            left.append([])
            for line, mark in zip(lines, marks, strict=True):
                left += [[]] if mark else []
                left[-1] += [] if mark else [line]
        left = [lines for lines in left if lines]
        if not any(map(any, gone)):
            return None, left
        weight = sum(weigh(line, True)[0] for lines in left for line in lines)
        few = "repeated:little_left" if weight < self.least else None
        return few if left else "repeated:nothing_left", left

    @staticmethod
    def wordless(blocks: list[list[str]], gone: list[list[bool]]) -> None:
        """Lines without words go where all around them goes, up to the next lines with words."""
        flat = [(n, k) for n, lines in enumerate(blocks) for k in range(len(lines))]
        empty = [weigh(blocks[n][k], True)[0] == 0 for n, k in flat]
        if all(empty):
            return
        for at, (n, k) in enumerate(flat):
            before = next((i for i in range(at, -1, -1) if not empty[i]), None)
            after = next((i for i in range(at, len(flat)) if not empty[i]), None)
            around = [gone[flat[i][0]][flat[i][1]] for i in (before, after) if i is not None]
            gone[n][k] = gone[n][k] or (empty[at] and all(around))


LINES = [
    "Home",
    "About us",
    "Share 7 times",
    "Share 8 times",
    "---",
    "",
    "猫",
    "one two three four five six",
    "the end",
]


@st.composite
def some_sources(draw: st.DrawFn) -> Sources:
    def document() -> dict[str, object]:
        return {
            "text": "\n".join(draw(st.lists(st.sampled_from(LINES), max_size=9))).strip("\n"),
            "domain": draw(st.sampled_from(["a.example", "a.example", "b.example", None, ""])),
            "split": draw(st.sampled_from(["train", "train", "val"])),
        }

    names = ["web", "books"][: draw(st.integers(1, 2))]
    return {
        name: [[document() for _ in range(draw(st.integers(0, 9)))] for _ in range(draw(st.integers(1, 2)))]
        for name in names
    }


def texts(dataset: Dataset) -> dict[str, list[list[str]]]:
    return {name: solid(paragraphs(text)) for name, text in kept(dataset, "text").items()}


def solid(blocks: list[list[str]]) -> list[list[str]]:
    """Without empty lines, which a text may end with before and not after lines were taken out."""
    lines = ([line for line in block if line] for block in blocks)
    return [block for block in lines if block]


@settings(deadline=None, max_examples=12)
@given(
    some_sources(),
    st.builds(
        DropRepeated,
        max_documents=st.integers(1, 3),
        min_share=st.sampled_from([0.0, 0.0, 0.3, 0.6]),
        min_words=st.integers(1, 6),
        within=st.sampled_from(["domain", "all"]),
        unit=st.sampled_from(["line", "paragraph"]),
        numbers=st.booleans(),
        keep=st.sampled_from(["first", "none"]),
    ),
    st.integers(1, 3),
)
def test_it_is_what_the_twin_says_in_any_shards_and_twice_changes_nothing(
    tmp_path_factory, sources, stage, shards
):
    expected = Twin(stage, sources).result()
    folder = tmp_path_factory.mktemp("run")
    recipe = write(folder, sources) + step("once", "drop_repeated", list(sources), **vars(stage))
    out = make(folder, recipe + step("twice", "drop_repeated", ["once"], **vars(stage)))
    once, twice = (Dataset(str(out / name)) for name in ("once", "twice"))
    assert texts(once) == {name: solid(left) for name, (reason, left) in expected.items() if not reason}
    assert removed(once, "reason") == {name: reason for name, (reason, _) in expected.items() if reason}
    assert removed(twice, "reason") == {} and twice.read().equals(once.read())
    other = run(tmp_path_factory.mktemp("run"), resharded(sources, shards), "drop_repeated", **vars(stage))
    assert kept(other, "text") == kept(once, "text")
    if stage.keep == "first":
        stands_somewhere(sources, once)


def stands_somewhere(sources: Sources, dataset: Dataset) -> None:
    """Every line with words of an input stands in what stays, or in a document that was rejected."""
    left = {weigh(line, False)[1] for blocks in texts(dataset).values() for lines in blocks for line in lines}
    gone = removed(dataset, "reason")
    for source, parts in sources.items():
        for number, rows in enumerate(parts):
            for n, row in enumerate(rows):
                lines = {weigh(line, False)[1] for block in paragraphs(row["text"]) for line in block}
                assert gone or lines - {()} <= left, (source, number, n)


def site(count: int, *parts: str) -> Rows:
    """Pages of one site, with something of their own in the middle."""
    return [
        {"text": "\n".join([*parts, f"Page {n} tells of thing number {n} and of no other, at some length."])}
        | {"domain": "a.example", "url": f"http://www.a.example/{n}"}
        for n in range(count)
    ]


def test_a_menu_goes_from_all_pages_but_one(tmp_path):
    dataset = run(tmp_path, {"web": [site(6, MENU)]}, "drop_repeated")
    left = Counter(text.count("Our shops") for text in kept(dataset, "text").values())
    assert left == {0: 5, 1: 1}
    assert Counter(kept(dataset, "repeated_lines", "repeated_characters").values()) == {
        (6, len(MENU.replace("\n", ""))): 5,
        (0, 0): 1,
    }
    few = run(tmp_path / "few", {"web": [site(3, MENU)]}, "drop_repeated")
    assert set(kept(few, "repeated_lines").values()) == {0}
    none = run(tmp_path / "none", {"web": [site(6, MENU)]}, "drop_repeated", keep="none")
    assert set(kept(none, "repeated_lines").values()) == {6}


def test_short_lines_of_a_kind_stay_among_others(tmp_path):
    recipes = [
        {
            "text": f"Soup number {n}\nIngredients\n- salt\n- {n} leeks\n- 1 egg\n}}\n}}\nShare",
            "domain": "a.example",
        }
        for n in range(20)
    ]
    dataset = run(tmp_path, {"web": [recipes]}, "drop_repeated", min_words=6)
    assert set(kept(dataset, "repeated_lines").values()) == {0}
    assert kept(dataset, "text")["web/000/3"] == recipes[3]["text"]


def test_menus_in_all_scripts(tmp_path):
    rows = [
        {"text": f"{menu}\n{n} {TEXTS[(at + n) % 8]}", "domain": f"{at}.example"}
        for at, menu in enumerate(TEXTS)
        for n in range(1, 8)
    ]
    marked = [row | {"text": f"«{row['text'].upper()}»"} for row in rows]
    dataset = run(tmp_path, {"web": [rows, marked]}, "drop_repeated", min_words=8)
    lost = Counter(kept(dataset, "domain", "repeated_lines").values())
    assert lost == {(f"{at}.example", gone): n for at in range(8) for gone, n in ((1, 13), (0, 1))}


def test_sites_are_domains_hosts_or_everything(tmp_path):
    rows = [
        {
            "text": f"{TEXTS[7]}\n{TEXTS[n]} {n}",
            "domain": "a.example",
            "url": f"http://h{n % 2}.a.example/{n}",
        }
        for n in range(6)
    ]
    rows += [{"text": f"{TEXTS[7]}\n{TEXTS[6]} {n}"} for n in (8, 9)]  # books have no site
    lost = {}
    for within in ("domain", "host", "all"):
        dataset = run(tmp_path / within, {"web": [rows]}, "drop_repeated", within=within, max_documents=2)
        lost[within] = sum(kept(dataset, "repeated_lines").values())
    assert lost == {"domain": 5, "host": 4, "all": 7}


def test_validation_documents_keep_what_others_lose(tmp_path):
    rows = site(9, MENU)
    rows[4]["split"] = "val"
    dataset = run(tmp_path, {"books": [rows[:4]], "web": [rows[4:]]}, "drop_repeated")
    assert [name for name, lost in kept(dataset, "repeated_lines").items() if not lost] == ["web/000/0"]
    rows[4]["split"] = "train"
    dataset = run(tmp_path / "b", {"books": [rows[:4]], "web": [rows[4:]]}, "drop_repeated")
    [first] = [name for name, lost in kept(dataset, "repeated_lines").items() if not lost]
    assert first.startswith("books/")


def test_what_loses_nearly_all_is_rejected(tmp_path):
    rows = site(5, MENU) + [{"text": MENU, "domain": "a.example"}] * 2
    rows.append({"text": f"{MENU}\nSo it is.", "domain": "a.example"})
    dataset = run(tmp_path, {"web": [rows]}, "drop_repeated", keep="none")
    reasons = ["repeated:nothing_left"] * 2 + ["repeated:little_left"]
    assert removed(dataset, "reason") == {f"web/000/{5 + n}": reason for n, reason in enumerate(reasons)}
    assert set(removed(dataset, "repeated_lines").values()) == {6}


def test_what_loses_nothing_stays_to_the_byte(tmp_path):
    text = "  indented\n\n\n\n---\n\ttab \u3000\n" + TEXTS[0]
    dataset = run(
        tmp_path, {"web": [[{"text": text, "domain": "a.example"}, *site(5, MENU)]]}, "drop_repeated"
    )
    assert kept(dataset, "text")["web/000/0"] == text


def test_the_report_counts_what_went(tmp_path):
    rows = site(6, MENU) + [row | {"domain": "b.example"} for row in site(9, TEXTS[6])]
    dataset = run(tmp_path, {"web": [rows[::2], rows[1::2]]}, "drop_repeated")
    tables = DropRepeated().summary(dataset)
    size = len(MENU.replace("\n", ""))
    [counts] = tables["repeated lines"]
    assert counts["documents of a site"] == 15 and counts["spans that are repeated"] == 3
    assert tables["sites that lost most"] == [
        {"site": "b.example", "documents": 8, "lines": 8, "characters": 8 * len(TEXTS[6])},
        {"site": "a.example", "documents": 5, "lines": 30, "characters": 5 * size},
    ]
    spans = tables["repeated most, one of a document"]
    assert [(row["documents"], row["site"]) for row in spans] == [(9, "b.example"), (6, "a.example")]
    assert spans[0]["span"] == TEXTS[6] and "Our shops in town" in spans[1]["span"]


def many() -> Mapping[str, Sequence[Rows]]:
    rows = [row | {"domain": f"{k}.example"} for k in range(5) for row in site(7, MENU, TEXTS[k])]
    return {"books": [rows[:3], rows[3:9]], "web": [rows[9:20], [], rows[20:]]}


def test_the_same_bytes_for_other_partitions_workers_and_orders(tmp_path, monkeypatch):
    wanted = run(tmp_path, many(), "drop_repeated")
    assert len(files(wanted)) == 10 and sum(kept(wanted, "repeated_lines").values()) > 100
    assert files(run(tmp_path, many(), "drop_repeated", "workers", Processes(2))) == files(wanted)
    monkeypatch.setattr(drop_repeated, "SPAN_BYTES", 1 << 15)
    monkeypatch.setattr(sites, "SITE_BYTES", 1 << 18)
    monkeypatch.setattr(shuffle, "FAN_IN", 2)
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 4)
    small = run(tmp_path, many(), "drop_repeated", "small", memory=1)
    assert files(small) == files(wanted)
    assert DropRepeated().summary(small) == DropRepeated().summary(wanted)
    folder = tmp_path / "small/made/tasks"
    assert (
        len(list((folder / "repeated").iterdir())) > 2 and len(list((folder / "repeated-told").iterdir())) > 2
    )
    listed = write(tmp_path, many()).replace(
        '"web/*.json"', '["web/002.json", "web/000.json", "web/001.json"]'
    )
    recipe = listed + step("made", "drop_repeated", ["books", "web"])
    assert files(Dataset(str(make(tmp_path, recipe, "listed") / "made"))) == files(wanted)


def test_what_it_drops_adds_up_over_steps(tmp_path):
    recipe = write(tmp_path, {"web": [site(6, MENU)]}) + step("one", "drop_repeated", ["web"])
    other = step("other", "drop_repeated", ["one"], max_documents=1, min_words=1, numbers=False, keep="none")
    out = make(tmp_path, recipe + other)
    one, other_made = Dataset(str(out / "one")), Dataset(str(out / "other"))
    assert sorted(kept(one, "repeated_lines").values()) == [0, 6, 6, 6, 6, 6]
    assert (
        list(removed(other_made, "repeated_lines", "reason").values()) == [(7, "repeated:nothing_left")] * 5
    )
    assert list(kept(other_made, "repeated_lines", "text").values()) == [(1, MENU)]


def test_a_large_site_may_repeat_what_few_of_its_pages_have(tmp_path):
    quoted = [
        row | {"text": f"{TEXTS[6]}\n{row['text']}"} if n < 9 else row for n, row in enumerate(site(100))
    ]
    for share, lost in ((0.0, 8), (0.08, 8), (0.09, 0)):
        dataset = run(tmp_path / str(share), {"web": [quoted]}, "drop_repeated", min_share=share)
        assert sum(kept(dataset, "repeated_lines").values()) == lost
        assert set(kept(dataset, "site_documents").values()) == {100}


def test_documents_of_no_site_and_no_documents(tmp_path):
    dataset = run(tmp_path, {"books": [[{"text": MENU}] * 9, []]}, "drop_repeated")
    assert set(kept(dataset, "repeated_lines", "site_documents").values()) == {(0, 0)}
    assert DropRepeated().summary(dataset) == {
        "repeated lines": [{"documents of a site": 0, "spans that are repeated": 0}]
    }
    for stage in ("drop_repeated", "drop_copies", "drop_recrawls"):
        assert run(tmp_path, {"none": [[], []]}, stage, stage).read().num_rows == 0


@pytest.mark.parametrize("field", ["max_documents", "min_words", "memory"])
def test_nonsense_is_refused(tmp_path, field):
    with pytest.raises(RecipeError, match=f"steps.made.*{field} = 0 must be at least 1"):
        run(tmp_path, {"web": [[]]}, "drop_repeated", **{field: 0})


def test_a_share_is_below_one(tmp_path):
    with pytest.raises(RecipeError, match=r"steps.made.*min_share = 1.0 must be at least 0 and below 1"):
        run(tmp_path, {"web": [[]]}, "drop_repeated", min_share=1.0)
