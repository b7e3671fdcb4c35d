"""Models of text: arrays in, arrays out; no shards, no disks but a model file."""
