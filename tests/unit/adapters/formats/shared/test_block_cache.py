"""Remembered sets of attributes: right whatever passes through, bounded, and not asked where nothing repeats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracebridge_adapters.formats.shared import block_cache
from tracebridge_adapters.formats.shared.block_cache import MAX_BLOCKS, MAX_SET, PATIENCE, BlockCache


def cache() -> tuple[BlockCache[str], list[object]]:
    """A cache whose encoder notes what it was asked for."""
    asked: list[object] = []

    def encode(attributes):
        asked.append(attributes)
        return repr(attributes)

    return BlockCache(encode), asked


def test_a_set_is_encoded_once_in_every_batch_to_come():
    """The second time costs no encoding, in this batch and the next."""
    blocks, asked = cache()
    for _ in range(2):
        block_of = blocks.for_batch()
        assert [block_of({"a": "x", "b": 1}) for _ in range(3)] == ["{'a': 'x', 'b': 1}"] * 3
    assert len(asked) == 1


SETS = st.dictionaries(
    st.sampled_from("ab"),
    st.sampled_from([1, True, 1.0, 0, False, 0.0, -0.0, "1", b"1", [1], [True], {"a": 1}, None, "\ud800", 2**70, float("nan")]),
)  # fmt: skip


@given(st.lists(SETS))
def test_a_remembered_set_is_what_encoding_it_gives(sets):
    """Equal values of different types, another order, what MessagePack cannot say: never another set's block."""
    block_of = cache()[0].for_batch()
    for attributes in sets:
        backwards = dict(reversed(attributes.items()))
        assert [block_of(attributes), block_of(backwards)] == [repr(attributes), repr(backwards)]


def test_what_is_remembered_is_bounded():
    """New sets never make it grow beyond its bounds, and large ones pass through."""
    blocks, _ = cache()
    for number in range(3 * MAX_BLOCKS):
        block_of = blocks.for_batch()
        assert block_of({"user.id": number}) == repr({"user.id": number})
        assert block_of({"text": "x" * MAX_SET}) == repr({"text": "x" * MAX_SET})
    assert 0 < len(blocks._blocks) <= MAX_BLOCKS
    assert max(map(len, blocks._blocks)) <= MAX_SET


def test_a_batch_of_new_sets_stops_asking(monkeypatch: pytest.MonkeyPatch):
    """After PATIENCE sets that were new, and one more for each that was not, a set is encoded without a look."""
    looks: list[object] = []
    key = block_cache._set_key
    monkeypatch.setattr(block_cache, "_set_key", lambda attributes: looks.append(attributes) or key(attributes))
    block_of = cache()[0].for_batch()
    for number in range(10 * PATIENCE):
        assert block_of({"user.id": number}) == repr({"user.id": number})
    assert len(looks) == PATIENCE
