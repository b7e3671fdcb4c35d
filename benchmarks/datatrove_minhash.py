"""datatrove's four MinHash stages, run by the Python of its own environment, in one process.

From Parquet to Parquet, with FineWeb's settings but where the question says otherwise.
"""

import os

os.environ["TQDM_DISABLE"] = "1"  # before it is imported

import pyarrow.parquet as pq
from answers import answer
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter


def deduplicate(question, ready):
    folder, scratch = question["folder"], question["scratch"]
    config = MinhashConfig(
        n_grams=question["shingle"], num_buckets=question["bands"], hashes_per_bucket=question["rows"]
    )
    files = len(os.listdir(folder))
    documents = ParquetReader(folder, read_metadata=False)
    signatures, buckets, removed = (f"{scratch}/{name}" for name in ("signatures", "buckets", "removed"))
    stages = {
        "sign": (files, [documents, MinhashDedupSignature(signatures, config=config)]),
        "pair": (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        "cluster": (1, [MinhashDedupCluster(buckets, removed, config=config)]),
        "filter": (files, [documents, MinhashDedupFilter(removed), ParquetWriter(f"{scratch}/kept")]),
    }
    for name, (tasks, pipeline) in stages.items():
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{scratch}/logs/{name}").run()


def kept(question, result):
    return sorted(map(int, pq.read_table(f"{question['scratch']}/kept", columns=["id"])["id"].to_pylist()))


answer(lambda question: None, deduplicate, kept)
