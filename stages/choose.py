"""Which pages to read, by URL and id alone: those that are linked, none that is blocked or forgotten."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.files import SmallFiles
from pipeline.schema import FORGOTTEN
from stages.block_lists import BlockList, read_blocked
from stages.canonical import address
from stages.forgotten import Forgotten
from stages.listed import UNKNOWN, Listed, page_key

NOT_LISTED = "link:not_listed"


class Choice(NamedTuple):
    """What a URL and an id decide."""

    reason: str | None = None  # why its page is not read
    karma: int | None = None  # of the link to it


@dataclass(frozen=True)
class Choose:
    """Links and lists by their files: small to send, and opened once in a process."""

    links: tuple[str, ...] | None  # None: every page is wanted
    block: SmallFiles
    identity: str  # of the step: the same paths may hold something else in its next run
    forgotten: Forgotten = field(default_factory=Forgotten)

    def load(self) -> None:
        """Open the files."""
        self.forgotten.load()
        if self.links is not None:
            _linked(self.links, self.identity)
        if self.block:
            blocked(self.block, self.identity)

    def look(self, url: str, name: str = "") -> Choice:
        """Whether to read the page at a URL, which makes the document of this id."""
        if self.links is None and not self.block and not self.forgotten:
            return Choice()
        place = address(url)
        if self.forgotten and self.forgotten.names(name, place):
            return Choice(FORGOTTEN)
        if self.block and (reason := blocked(self.block, self.identity).reason(place)):
            return Choice(reason)
        if self.links is None:
            return Choice()
        found, best = _linked(self.links, self.identity).karma(np.array([page_key(place.page)], np.uint64))
        if not found[0]:
            return Choice(NOT_LISTED)
        return Choice(karma=None if best[0] == UNKNOWN else int(best[0]))


@lru_cache(maxsize=1)
def blocked(patterns: SmallFiles, identity: str) -> BlockList:
    """Block lists, read once in a process for a step."""
    return read_blocked(patterns)


@lru_cache(maxsize=1)
def _linked(paths: tuple[str, ...], identity: str) -> Listed:
    return Listed(paths)
