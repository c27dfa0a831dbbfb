"""A span's tags, encoded, for both Zipkin encodings: remembered, because spans repeat themselves.

`zipkin_tags.tags_of` says what the tags are. Most spans show their attributes, the status OK and their resource's attributes, and nothing
that could collide; for these the remembered parts are put together without a mapping in between (a quarter of the cost).
"""

from __future__ import annotations

from collections.abc import Callable

from tracebridge.records.record import Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.shared import non_otlp
from tracebridge_adapters.formats.shared.block_cache import BlockCache
from tracebridge_adapters.formats.shared.pair_cache import PairCache, Write
from tracebridge_adapters.formats.zipkin import tags as z

BlockOf = Callable[[dict[str, Value]], bytes]

_RESERVED = frozenset((non_otlp.STATUS_KEY, non_otlp.ERROR_KEY))
_ERROR, _OK = int(StatusCode.ERROR), int(StatusCode.OK)


class Pairs:
    """Encodes tags. `writer_of(key)` returns the function that encodes a text under that key.

    `start` and `end` stand around the pairs of a span that has any, `comma` between two.
    """

    def __init__(
        self, writer_of: Callable[[str], Write[bytes]], start: bytes = b"", comma: bytes = b"", end: bytes = b""
    ) -> None:
        def writer_of_any(key: str) -> Write[bytes]:
            write_text = writer_of(key)

            def write(value: Value) -> bytes:
                if type(value) is str:
                    return write_text(value)
                return b"" if value is None else write_text(z.as_text(value))

            return write

        self._encoded = PairCache(writer_of_any).encoded
        self.start, self.comma, self.end = start, comma, end
        self.ok = comma + writer_of(non_otlp.STATUS_KEY)("OK")
        self._blocks = BlockCache(self.begun)

    def begun(self, attributes: dict[str, Value]) -> bytes:
        """Return a mapping's pairs with what stands before them, nothing when there are none; those of None are left out."""
        pairs = self._encoded(attributes)
        joined = self.comma.join([pair for pair in pairs if pair] if b"" in pairs else pairs)
        return self.start + joined if joined else b""

    def for_batch(self) -> BlockOf:
        """Return `begun` with a memory, for the spans of one batch."""
        return self._blocks.for_batch()

    def source(self, resource: Resource | None) -> Source:
        """Return what the spans of one resource have in common."""
        return Source(self, resource)

    def of(self, record: SpanRecord, attributes: dict[str, Value], source: Source, block_of: BlockOf) -> bytes:
        """Return the pairs in the order of `zipkin_tags.tags_of`, and what stands around them."""
        status = record.status
        if (
            status != _ERROR
            and source.simple
            and record.scope is None
            and source.reserved.isdisjoint(attributes)
            and not (record.trace_state or record.links)
            and not (record.dropped_attributes or record.dropped_events or record.dropped_links)
        ):
            rest = source.rest_if_ok if status == _OK else source.rest
            if attributes and (begun := block_of(attributes)):
                return begun + rest
            return b"" if rest == self.end else self.start + rest[len(self.comma) :]
        begun = self.begun(z.tags_of(record, attributes))
        return begun + self.end if begun else b""


class Source:
    """What the spans of one resource have in common: its own attributes as pairs, and the keys that then must not be a span's."""

    __slots__ = ("own", "reserved", "rest", "rest_if_ok", "simple")

    def __init__(self, pairs: Pairs, resource: Resource | None) -> None:
        attributes = {} if resource is None else resource.attributes
        shown: dict[str, Value] = {key: z.as_text(value) for key, value in attributes.items() if key != "service.name"}
        own = pairs.comma + pairs.begun(shown).removeprefix(pairs.start) if shown else b""
        self.rest = own + pairs.end
        """What follows a span's own pairs, with the comma before it."""
        self.rest_if_ok = pairs.ok + self.rest
        self.reserved = _RESERVED.union(shown)
        self.own = resource is not None and resource.schema_url == z.SCHEMA_URL
        """Whether a Zipkin tracer made the spans."""
        self.simple = not self.own and _RESERVED.isdisjoint(shown)
