"""Which site a page belongs to, and with it which side of the train/validation split."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa
from publicsuffixlist import PublicSuffixList

from pipeline.hashing import hash_text, uniform

TRAIN, VALIDATION = "train", "val"
_HOST = re.compile(r"\s*[a-z][a-z0-9+.-]*://(?:[^/?#\\@]*@)?(\[[^\]/?#]*\]|[^/?#\\:]*)", re.IGNORECASE)
_NUMBERS = re.compile(r"\[.*\]|[\d.]+")


def registered_domain(url: str) -> str:
    """What somebody registered to have this host, by the public suffix list: 'http://a.b.co.uk' -> 'b.co.uk'.

    The host itself where no suffix is above it: 'localhost', '127.0.0.1', 'co.uk'. Empty without a host.
    """
    found = _HOST.match(url)
    return _of_host(found[1].strip().strip(".").lower()) if found else ""


@lru_cache(maxsize=1 << 16)
def _of_host(host: str) -> str:
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return host
    if _NUMBERS.fullmatch(host):
        return host
    return str(_suffixes().privatesuffix(host) or host)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # the list that the wheel carries: no network


def splits(keys: Sequence[str], validation: float, seed: int) -> pa.Array:
    """'train' or 'val' for each key, a domain or an id; one key is on one side, in every source and step."""
    draws = uniform(seed, "split", hash_text(pa.array(keys, pa.string())))
    return pa.array(np.where(draws < validation, VALIDATION, TRAIN), pa.string())
