"""Small fastText models, written by hand in its binary format: training is neither quick nor repeatable."""

import struct

MAGIC, VERSION, SOFTMAX, SKIPGRAM, SUPERVISED = 793712314, 12, 3, 2, 3


def write_model(path, weights, labels=("__label__hq", "__label__cc"), kind=SUPERVISED):
    """A model of one dimension: a word's vector is its weight, the first label's is 1, the second's 0.

    So the probability of the first label is the sigmoid of the mean weight of the words that the model knows.
    """
    head = struct.pack("<14i", MAGIC, VERSION, 1, 5, 5, 1, 5, 1, SOFTMAX, kind, 0, 0, 0, 100)
    sizes = struct.pack("<3i2q", len(weights) + len(labels), len(weights), len(labels), 100, -1)
    entries = [(word, 0) for word in weights] + [(label, 1) for label in labels]
    names = b"".join(word.encode() + b"\0" + struct.pack("<qb", 10, kind) for word, kind in entries)
    vectors = struct.pack(f"<2q{len(weights)}f", len(weights), 1, *weights.values())
    outputs = struct.pack(f"<2q{len(labels)}f", len(labels), 1, *[1, 0][: len(labels)])
    path.write_bytes(head + struct.pack("<d", 1e-4) + sizes + names + b"\0" + vectors + b"\0" + outputs)
    return str(path)
