"""datasketch's MinHashLSH, run by the Python of its own environment, as fast as it goes.

It keeps no files: the texts are in memory. Words are cut at spaces, signatures made in bulk; the argument
names the hash. A document goes if the index finds one before it that stays.
"""

import sys

import pyarrow.parquet as pq
import xxhash
from answers import answer
from datasketch import MinHash, MinHashLSH
from datasketch.hashfunc import sha1_hash32

HASHES = {"sha1": sha1_hash32, "xxh32": xxhash.xxh32_intdigest}


def texts(question):
    return pq.read_table(question["folder"], columns=["text"])["text"].to_pylist()


def shingles(text, size):
    found = text.lower().encode().split()
    runs = zip(*(found[at:] for at in range(size)), strict=False)
    return map(b" ".join, runs if len(found) >= size else [found])


def deduplicate(question, texts):
    bands, rows = question["bands"], question["rows"]
    sets = (shingles(text, question["shingle"]) for text in texts)
    signed = MinHash.generator(sets, num_perm=bands * rows, hashfunc=HASHES[sys.argv[1]])
    index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    kept = []
    for number, minhash in enumerate(signed):
        if not index.query(minhash):
            index.insert(number, minhash, check_duplication=False)
            kept.append(number)
    return kept


answer(texts, deduplicate, lambda question, kept: kept)
