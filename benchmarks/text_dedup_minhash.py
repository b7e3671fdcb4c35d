"""text-dedup's MinHash, run by the Python of its own environment, in one process.

From Parquet to a dataset on disk, with the settings its README shows, pairs verified, but where the question
says otherwise.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HOME"] = tempfile.mkdtemp()  # before it is imported; it need not ask the network
os.environ["HF_HUB_OFFLINE"] = "1"

from answers import answer
from datasets import load_from_disk
from text_dedup.config.base import load_config_from_toml
from text_dedup.minhash import main

CONFIG = """
[input]
input_type = "local_files"
file_type = "parquet"

[input.read_arguments]
path = "parquet"
data_files = {files}
split = "train"
cache_dir = "{scratch}/cache"

[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 42
batch_size = 10000
num_proc = 1
num_perm = {permutations}
bands = {bands}
rows = {rows}
threshold = {threshold}
hash_bits = 64
ngram_size = {shingle}
check_false_positive = true

[output]
output_dir = "{scratch}/kept"
keep_index_column = true

[debug]
"""


def config(question):
    files = json.dumps(sorted(str(path) for path in Path(question["folder"]).iterdir()))
    permutations = question["bands"] * question["rows"]
    path = Path(question["scratch"], "config.toml")
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG.format(files=files, permutations=permutations, **question))
    return load_config_from_toml(path)


def kept(question, result):
    return sorted(load_from_disk(f"{question['scratch']}/kept")["__INDEX__"])


answer(config, lambda question, config: main(config), kept)
