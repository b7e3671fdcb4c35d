"""Look into a finished run with polars: how much each step removed of each source, and why.

python examples/what_was_removed.py runs/tiny

A step's folder holds Parquet files: `shards` with the documents that stay, `rejected` with all others, each
with its reason. Files of different sources may have different columns, so name those that you want.
"""

import sys
from pathlib import Path

import polars as pl


def read(folder: Path, *columns: str) -> pl.DataFrame:
    """These columns of all files of a folder."""
    return pl.concat(pl.read_parquet(path, columns=list(columns)) for path in sorted(folder.iterdir()))


def removed(step: Path) -> pl.DataFrame:
    """Documents and share of them by source and reason, of the sources that lost any."""
    stay, went = read(step / "shards", "source"), read(step / "rejected", "source", "reason")
    total = pl.concat([stay, went.select("source")]).group_by("source").len("of")
    reasons = went.group_by("source", "reason").len("documents").join(total, on="source")
    share = (100 * pl.col("documents") / pl.col("of")).round(1).alias("%")
    return reasons.with_columns(share).sort("source", "documents", "reason", descending=[False, True, False])


def main(run: str) -> None:
    """Print a table for each step that has documents and removed some."""
    for step in sorted(path.parent for path in Path(run).glob("*/rejected")):
        if (step / "shards").exists() and not (table := removed(step)).is_empty():
            print(step.name)
            with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
                print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
