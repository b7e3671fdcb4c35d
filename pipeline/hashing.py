"""Stable 64-bit hashes, and chance that comes from the document: the same on every machine, in any order."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

UInt64s = npt.NDArray[np.uint64]


def hash_bytes(data: bytes) -> int:
    """xxh3 of `data`, 64 bits."""
    return xxhash.xxh3_64_intdigest(data)


def hash_text(strings: pa.Array | pa.ChunkedArray) -> UInt64s:
    """xxh3 of the UTF-8 bytes of each string; null hashes like the empty string.

    Returns one uint64 per row.
    """
    values = strings.cast(pa.large_binary()).to_pylist()
    return np.fromiter((xxhash.xxh3_64_intdigest(value or b"") for value in values), np.uint64, len(values))


def among(keys: UInt64s, known: UInt64s) -> npt.NDArray[np.bool_]:
    """Whether each key is one of the sorted ones that are known."""
    if not len(known):
        return np.zeros(len(keys), bool)
    at = np.searchsorted(known, keys)
    return np.asarray(known[np.minimum(at, len(known) - 1)] == keys)


def uniform(seed: int, purpose: str, keys: UInt64s) -> npt.NDArray[np.float64]:
    """One number in [0, 1) per key, a pure function of (seed, purpose, key).

    Two purposes never share a number: use "<step>/<draw>". Keys are 64-bit hashes or ids. 53 random bits
    each, by the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
    """
    salt = np.uint64(hash_bytes(f"{seed}/{purpose}".encode()))
    mixed = mix(keys.astype(np.uint64, copy=False) ^ salt)
    mixed = mix(mixed + salt)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mix(keys: UInt64s) -> UInt64s:
    """A bijection of 64-bit numbers in which every input bit moves every output bit."""
    with np.errstate(over="ignore"):
        keys = keys + np.uint64(0x9E3779B97F4A7C15)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return keys ^ (keys >> np.uint64(31))
