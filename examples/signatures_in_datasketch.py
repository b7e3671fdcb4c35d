"""Open the MinHash signatures of a finished `deduplicate` step with datasketch, and compare documents.

python examples/signatures_in_datasketch.py runs/tiny/unique [ID ID]

Signatures are in the part `signatures` of the step: a file for each shard, a row for each document, the kept
and the removed ones, with the column `signature`: little-endian uint32, null for a text too short for one.
The metadata of that column says which permutations made them. Without ids the program takes a document that
was removed as a near-copy, and the one that stays instead of it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from datasketch import MinHash, MinHashLSH


def signatures(step: Path) -> dict[str, MinHash]:
    """A MinHash for each document of the step that has a signature, by id."""
    table = ds.dataset(step / "signatures").to_table(columns=["id", "signature"])
    made = json.loads(table.schema.field("signature").metadata[b"minhash"])
    permutations = MinHash(made["permutations"], seed=made["seed"], scheme=made["scheme"]).permutations
    return {
        name: MinHash(
            hashvalues=np.frombuffer(signature, "<u4"),
            permutations=permutations,
            seed=made["seed"],
            scheme=made["scheme"],
        )
        for name, signature in zip(*(column.to_pylist() for column in table.columns), strict=True)
        if signature
    }


def a_near_copy(step: Path) -> tuple[str, str]:
    """A removed document, and what it is a near-copy of."""
    ledger = ds.dataset(step / "rejected").to_table(
        columns=["id", "duplicate_of"], filter=ds.field("reason") == "duplicate:near"
    )
    if not ledger.num_rows:
        sys.exit(f"{step} removed no near-copies; name two documents")
    row = ledger.slice(0, 1).to_pylist()[0]
    return row["id"], row["duplicate_of"]


def main(folder: str, *ids: str) -> None:
    """Compare two documents, and look for everything that is like the first of them."""
    step = Path(folder)
    signed = signatures(step)
    one, other = ids or a_near_copy(step)
    print(f"{one}\n{other}\nestimated similarity {signed[one].jaccard(signed[other]):.2f}")

    index = MinHashLSH(threshold=0.5, num_perm=len(signed[one]))
    with index.insertion_session() as session:
        for name, signature in signed.items():
            session.insert(name, signature)
    print("like the first:", *sorted(set(index.query(signed[one])) - {one}))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
