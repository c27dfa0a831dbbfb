"""Attributes as Jaeger's typed tags: STRING, DOUBLE, BOOL, LONG, BINARY, and JSON text for anything else."""

from __future__ import annotations

import math
from collections.abc import Callable

from tracebridge.records.record import Value
from tracebridge_adapters.dialects import as_json
from tracebridge_adapters.formats.jaeger import structs as j
from tracebridge_adapters.formats.shared.block_cache import BlockCache
from tracebridge_adapters.formats.shared.pair_cache import PairCache

MAX_DECIMAL_BITS = 14_000  # of an integer that Python writes in decimal; it refuses 4,300 digits


def clean(value: str) -> str:
    """Return text that UTF-8 can carry."""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def tag_of(key: str, value: Value) -> j.Tag:
    """Return a typed tag. What JSON cannot say (NaN, infinities) is text: Jaeger's own API fails on the whole trace otherwise."""
    kind = type(value)
    if kind is str:
        return j.Tag(key, j.STRING, clean(value))
    tag = j.Tag(key)
    if kind is bool:
        tag.vType, tag.vBool = j.BOOL, value
    elif kind is int and -(2**63) <= value < 2**63:
        tag.vType, tag.vLong = j.LONG, value
    elif kind is float and math.isfinite(value):
        tag.vType, tag.vDouble = j.DOUBLE, value
    elif kind is float:
        tag.vStr = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    elif kind is bytes:
        tag.vType, tag.vBinary = j.BINARY, value
    elif isinstance(value, (list, tuple, dict)):
        tag.vStr = as_json(value)
    elif kind is int:
        tag.vStr = str(value) if value.bit_length() < MAX_DECIMAL_BITS else hex(value)
    elif isinstance(value, (int, float)):  # a subclass, such as an enum's member
        return tag_of(key, int(value) if isinstance(value, int) else float(value))
    else:
        tag.vStr = clean(str(value))
    return tag


def _writer_of(key: str) -> Callable[[Value], j.Tag]:
    name = clean(str(key))
    return lambda value: tag_of(name, value)


_pairs: PairCache[j.Tag] = PairCache(_writer_of)


def tags_of(attributes: dict[str, Value]) -> list[j.Tag]:
    """Return a fresh list of tags, which other lists may share: they must not be changed. None values are left out."""
    if None in attributes.values():
        attributes = {key: value for key, value in attributes.items() if value is not None}
    return _pairs.encoded(attributes)


TagsOf = Callable[[dict[str, Value]], list[j.Tag]]

for_batch: Callable[[], TagsOf] = BlockCache(tags_of).for_batch
"""Return `tags_of` with a memory, for the spans of one batch; its lists are shared, too."""
