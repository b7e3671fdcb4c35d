"""Numbers stand for documents, and ranks for the order in which one of two similar documents stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages import numbering
from stages.numbering import Numbering

DOCUMENTS = st.tuples(
    st.integers(0, 255), st.integers(0, 4095), st.integers(0, 8_191), st.integers(0, 2**28 - 1)
)


def rank(document: tuple[int, int, int, int]) -> int:
    order, quality, words, tie = document
    columns = (
        np.array([order]),
        np.array([quality / 4095]),
        np.array([words]),
        np.array([tie << 36], np.uint64),
    )
    return int(numbering.ranks(*columns)[0])


@given(DOCUMENTS, DOCUMENTS)
def test_ranks_order_by_dataset_quality_length_and_id(one, other):
    keys = [(order, -quality, -words, tie) for order, quality, words, tie in (one, other)]
    assert (rank(one) < rank(other)) == (keys[0] < keys[1])


@given(st.lists(st.integers(0, 1 << 26), min_size=1))
def test_lengths_come_back_and_keep_their_order(words):
    lengths = np.sort(np.array(words, np.int64))
    nothing = np.zeros(len(lengths))
    ranks = numbering.ranks(np.zeros(len(lengths), np.int64), nothing, lengths, nothing.astype(np.uint64))
    assert (np.diff(ranks.astype(object)) <= 0).all()
    back = numbering.lengths_of(ranks)
    assert (back <= lengths).all() and (lengths - back <= lengths / 4_096).all()


def test_no_score_is_the_least_and_scores_beyond_are_the_ends():
    qualities = np.array([np.nan, -1.0, 0.0, 1.0, 7.0])
    nothing = np.zeros(5, np.int64)
    ranks = numbering.ranks(nothing, qualities, nothing, nothing.astype(np.uint64))
    assert ranks[0] == ranks[1] == ranks[2] > ranks[3] == ranks[4]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 20))
def test_blocks_hold_all_shards_in_order(rows, block_rows):
    found = Numbering(tuple(rows), 0, block_rows)
    blocks = [list(found.shards_of(block)) for block in found.blocks.values()]
    assert [shard for block in blocks for shard in block] == list(range(len(rows)))
    for number, block in enumerate(blocks):
        assert len(block) == 1 or sum(rows[shard] for shard in block) <= max(block_rows, *rows)
        assert {found.block_of_shard(shard) for shard in block} == {number}
    numbers = np.concatenate(
        [numbering.numbered(shard, np.arange(count)) for shard, count in enumerate(rows)]
    )
    assert found.places(numbers).tolist() == list(range(sum(rows)))
    assert found.block_of(numbers).tolist() == [found.block_of_shard(s) for s in numbering.shard_of(numbers)]
