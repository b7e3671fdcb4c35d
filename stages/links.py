"""links: what people on Reddit found worth a vote, as GPT-2's WebText took it: outbound links, each once.

A link is known by its page (`Address.page`): two spellings of one URL are one link. Dumps are read one by
one; the links meet by their hashes, through Parquet; each dump is told which of its submissions are the first
of their link. Two links of one 64-bit hash count as one: of 45 million, in one collection of 20,000.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import Files, SmallFiles, basename, of_source, stem
from pipeline.schema import REASON
from pipeline.shards import count_rows, read_batches
from pipeline.shuffle import exchange, key_partitions, partitions_for, read_partition, scatter
from pipeline.stage import Job, Output, Stage
from pipeline.storage import open_input
from stages import listed
from stages.block_lists import BlockList, read_blocked
from stages.canonical import Address, address
from stages.choose import blocked
from stages.curated import COMPRESSED
from stages.domain import registered_domain
from stages.outbound import REDDIT, RULES, Rule, leads_to
from stages.submissions import Submission, from_dump, from_list
from stages.text import clean_line

LINK = pa.schema(
    [
        ("id", pa.string()),  # <source>/<dump>/<line>
        ("source", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("domain", pa.string()),
        ("page", pa.string()),  # its canonical form
        ("karma", pa.int32()),  # in the ledger, of this submission; else the best of all of the link
        ("submissions", pa.int32()),  # with enough karma
        ("subreddit", pa.string()),
        ("repeats", pa.string()),  # in the ledger: the first submission of the same link
    ]
)
MEMORY = 64 << 20  # bytes of keys in a task; it decides how many tasks there are, never what they find
_READ = pa.schema(
    [
        *(f for f in LINK if f.name not in ("submissions", "repeats")),
        ("line", pa.int64()),
        ("created", pa.int64()),
        ("key", pa.uint64()),
        (REASON, pa.string()),
    ]
)
_KEYS = pa.schema(
    [("key", pa.uint64()), ("number", pa.uint64()), ("created", pa.int64()), ("karma", pa.int32())]
)
_DECIDED = pa.schema(
    [("number", pa.uint64()), ("first", pa.uint64()), ("karma", pa.int32()), ("submissions", pa.int32())]
)
_KEY_BYTES = 28
_NEVER = np.iinfo(np.int64).max  # later than all that have a date
_LINE = np.uint64(0xFFFFFFFF)  # a submission's number is that of its dump << 32 | line
_ROWS = 1 << 12
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_KINDS = (".jsonl", ".ndjson", ".json", ".txt")
_PACKINGS = tuple(f".{packed}" for packed in sorted(COMPRESSED))
_SUFFIXES = (*_KINDS, *_PACKINGS)


class Grouped(NamedTuple):
    """Rows of keys by link, and within it the first submission first."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]  # of each link in `order`
    karma: NDArray[np.int32]  # the best of each link

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Submissions of each link."""
        return np.diff(self.starts, append=len(self.order))


@dataclass(frozen=True)
class Links(Stage):
    """Take the outbound links out of Reddit's submissions, each once: those that WebText is made of.

    Reads dumps as Pushshift and Arctic Shift publish them, a submission a line (NDJSON; .zst, .xz, .gz, .bz2
    or plain), and lists of URLs (.txt). Every submission is kept, as the first of its link, or in the ledger:
    link:self, link:karma, link:reddit, link:wikipedia, link:media, link:file, link:repeated, error:json, …

    Fields:
        files: dumps and lists of URLs: files, folders, globs, lists of paths
        source: name of the source: the first part of the links' ids
        min_karma: votes up minus votes down that a submission needs, as of when the dump was made; 3 in
            GPT-2, section 2.1; lists of URLs have neither karma nor dates, and all of their links count
        after: take submissions of this day, month or year and later ones, such as 2017-01
        before: take submissions before this day, month or year; GPT-2's are before 2017-12
        rules: leave out links to reddit, wikipedia, media (hosts of pictures, videos, sound, files), and
            files (by their ending: .pdf, .jpg, …)
        block: lists of more domains and URLs to leave out, as in `urls`, both in one list
    """

    files: Files
    source: str = "reddit"
    min_karma: int = 3
    after: str = ""
    before: str = ""
    rules: tuple[Rule, ...] = RULES
    block: SmallFiles = ()

    inputs: ClassVar[Mapping[str, str]] = {}
    makes: ClassVar[str] = "links"
    libraries: ClassVar[tuple[str, ...]] = ("publicsuffixlist",)

    def __post_init__(self) -> None:
        for name in ("after", "before"):
            if (day := getattr(self, name)) and not _DAY.fullmatch(day):
                raise ValueError(f"{name} = '{day}' is no date; write 2017-12-01, 2017-12 or 2017")

    def check_files(self) -> None:
        """There must be dumps, no two of one name, and what is blocked must be domains and URLs."""
        of_source(self.files, self.source, _SUFFIXES)
        read_blocked(self.block)

    def run(self, job: Job) -> None:
        """Read the dumps, let links meet, decide which submission is the first, mark the submissions."""
        dumps = job.files(self.files, self.source, _SUFFIXES)
        job.map("dumps", _name, {"dumps": tuple(dumps)}, {"dumps": list(dumps)})  # more are refused here
        read = tuple(job.map_files("read", partial(self.read, job.identity), dumps).values())
        numbers = {name: number for number, name in enumerate(dumps)}
        partitions = partitions_for(_KEY_BYTES * sum(map(count_rows, read)), MEMORY)
        keys = exchange(job, "keys", partial(self.meet, read, partitions), numbers, partitions)
        buckets = {f"{partition:05d}": partition for partition in range(partitions)}
        decided = exchange(job, "decided", partial(self.decide, keys), buckets, len(dumps))
        job.map(listed.PART, partial(self.list_keys, keys), {listed.NAME: partitions}, {})
        prefixes = tuple(f"{self.source}/{stem(path)}" for path in dumps.values())
        job.map("shards", partial(self.mark, read, decided, prefixes), numbers, {})

    def read(self, identity: str, path: str, output: Output) -> None:
        """The submissions of one dump, each with the reason why it is no link, if there is one."""
        writer = output.table(_READ)
        *_, kind, packed = ("", "", *basename(path).lower().split("."))
        if packed not in COMPRESSED:
            kind, packed = packed, ""
        is_list = kind == "txt"
        block = blocked(self.block, identity)
        with open_input(path) as file:
            lines = _readable((from_list if is_list else from_dump)(file, packed), path)
            while some := list(islice(lines, _ROWS)):
                rows = [self._row(each, f"{self.source}/{stem(path)}", is_list, block) for each in some]
                writer.write(pa.table(list(zip(*rows, strict=True)), schema=_READ))
                output.tick(len(rows), 0)

    def meet(self, read: Sequence[str], partitions: int, dump: int, output: Output) -> None:
        """The keys of the links of one dump; in memory are those of the whole dump."""
        tables = [_KEYS.empty_table()]
        for table in read_batches(read[dump], ["key", "line", "created", "karma", REASON]):
            fit = table.filter(pc.is_null(table[REASON]))
            created = pc.fill_null(fit["created"], _NEVER)
            karma = pc.fill_null(fit["karma"], listed.UNKNOWN)
            columns = [fit["key"], pa.array(_numbers(fit, dump)), created, karma]
            tables.append(pa.table(columns, schema=_KEYS))
        keys = pa.concat_tables(tables)
        scatter(output, keys, key_partitions(keys["key"].to_numpy(), partitions))

    def decide(self, keys: Sequence[str], partition: int, output: Output) -> None:
        """For every submission, which one is the first of its link, and what is known of the link."""
        table = read_partition(keys, partition)
        links, numbers = grouped(table), table["number"].to_numpy()
        firsts = numbers[links.order[links.starts]]
        columns = [firsts, links.karma, links.sizes.astype(np.int32)]
        told = [numbers[links.order], *(np.repeat(column, links.sizes) for column in columns)]
        dumps = (told[0] >> np.uint64(32)).astype(np.uint32)
        scatter(output, pa.table(told, schema=_DECIDED), dumps)

    def list_keys(self, keys: Sequence[str], partitions: int, output: Output) -> None:
        """The file of all links for those that look pages up; the order of partitions is that of keys."""

        def each(column: Callable[[pa.Table, Grouped], Any]) -> Iterator[Any]:
            for partition in range(partitions):
                table = read_partition(keys, partition)
                yield column(table, grouped(table))

        hashes = each(lambda table, links: table["key"].to_numpy()[links.order[links.starts]])
        listed.write(output, hashes, each(lambda table, links: links.karma))

    def mark(
        self, read: Sequence[str], decided: Sequence[str], prefixes: Sequence[str], dump: int, output: Output
    ) -> None:
        """Write the submissions of one dump: links, and the ledger."""
        told = read_partition(decided, dump).sort_by("number")
        numbers = told["number"].to_numpy()
        writer = output.documents(LINK)
        for table in read_batches(read[dump]):
            own = _numbers(table, dump)
            is_link = pc.is_null(table[REASON]).to_numpy()
            at = pa.array(np.searchsorted(numbers, own), mask=~is_link)
            firsts = pc.fill_null(told["first"].take(at), 0).to_numpy()
            repeated = is_link & (firsts != own)
            ids = [
                f"{prefixes[int(first) >> 32]}/{int(first & _LINE)}" if again else None
                for first, again in zip(firsts, repeated, strict=True)
            ]
            is_first = pa.array(is_link & ~repeated)
            best = told["karma"].take(at)
            best = pc.if_else(pc.equal(best, listed.UNKNOWN), None, best)
            columns = {
                "karma": pc.if_else(is_first, best, table["karma"]),
                "submissions": pc.if_else(is_first, told["submissions"].take(at), None),
                "repeats": pa.array(ids, pa.string()),
                REASON: pc.if_else(pa.array(repeated), "link:repeated", table[REASON]),
            }
            names = (*LINK.names, REASON)
            writer.write(pa.table({n: columns[n] if n in columns else table[n] for n in names}))

    def _row(self, line: Submission, prefix: str, is_list: bool, block: BlockList) -> tuple[Any, ...]:
        """The row of a submission, in the order of _READ."""
        url = clean_line(line.url or "")
        date, place = line.date, Address("", "")
        reason = self._unfit(line, date or "", is_list)
        if reason is None:
            place = address(url)
            reason = self._leads_elsewhere(place, url) or (block.reason(place) if self.block else None)
        page = place.page
        return (
            f"{prefix}/{line.line}",
            self.source,
            url or None,
            date,
            registered_domain(f"http://{place.host}/" if place.host else url) or None,
            page or None,
            line.karma,
            clean_line(line.subreddit or "") or None,
            line.line,
            line.created,
            None if reason else listed.page_key(page),
            reason,
        )

    def _unfit(self, line: Submission, date: str, is_list: bool) -> str | None:
        """Why a submission does not count, before one looks at its URL."""
        if line.problem:
            return f"error:{line.problem}"
        if line.is_self:
            return "link:self"
        if is_list:  # which has neither karma nor dates
            return None
        if line.karma is None or line.karma < self.min_karma:
            return "link:karma"
        if (self.after and not date >= self.after) or (self.before and not "" < date < self.before):
            return "link:date"
        return None

    def _leads_elsewhere(self, place: Address, url: str) -> str | None:
        if not place.host:  # a crosspost has the path of what it repeats
            return f"link:{REDDIT}" if url.startswith(("/r/", "/u/", "/user/")) else "link:none"
        rule = leads_to(place, self.rules)
        return rule and f"link:{rule}"


def grouped(keys: pa.Table) -> Grouped:
    """Rows of one partition by link: by date, then by dump and line."""
    hashes = keys["key"].to_numpy()
    order = np.lexsort((keys["number"].to_numpy(), keys["created"].to_numpy(), hashes))
    hashes = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])[: len(hashes)])
    karma = keys["karma"].to_numpy()[order]
    best = np.maximum.reduceat(karma, starts) if len(starts) else karma
    return Grouped(order, starts, best)


def _numbers(table: pa.Table, dump: int) -> NDArray[np.uint64]:
    """The number of each submission of a dump."""
    numbers: NDArray[np.uint64] = table["line"].to_numpy().astype(np.uint64) | np.uint64(dump << 32)
    return numbers


def _name(dumps: Sequence[str], output: Output) -> None:
    """What the step reads."""
    output.table(pa.schema([("dump", pa.string())])).write(pa.table({"dump": dumps}))


def _readable(lines: Iterable[Submission], path: str) -> Iterator[Submission]:
    """The same lines; InputError if none of them could be read."""
    first, readable = None, False
    for line in lines:
        first = first or line
        readable = readable or not line.problem
        yield line
    if not readable:
        seen = f"line {first.line} is error:{first.problem}" if first else "it is empty"
        raise InputError(
            f"{path}: no submission can be read from it, {seen}; it should have one a line, as JSON with url "
            "and score (RS_2017-11.zst, …), or in .txt one URL a line; name another file, or get it again"
        )
