"""A span's tags as encoded pairs, for both Zipkin encodings: remembered, because spans repeat themselves.

`zipkin_tags.tags_of` says what the tags are. Most spans show their attributes, the status OK and their resource's attributes, and nothing
that could collide; for these the remembered pairs are put together without a mapping in between (a quarter of the cost).
"""

from __future__ import annotations

from collections.abc import Callable

from tracebridge.record import Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats import zipkin_tags as z
from tracebridge_adapters.formats.pair_cache import PairCache, Write

_RESERVED = frozenset((z.STATUS_KEY, z.ERROR_KEY))
_OK = int(StatusCode.OK)
_NO_ERROR = frozenset((_OK, int(StatusCode.UNSET)))


class Pairs:
    """Encodes tags. `writer_of(key)` returns the function that encodes a text under that key."""

    def __init__(self, writer_of: Callable[[str], Write[bytes]]) -> None:
        def writer_of_any(key: str) -> Write[bytes]:
            write_text = writer_of(key)

            def write(value: Value) -> bytes:
                if type(value) is str:
                    return write_text(value)
                return b"" if value is None else write_text(z.as_text(value))

            return write

        self._encoded = PairCache(writer_of_any).encoded
        self._ok = writer_of(z.STATUS_KEY)("OK")

    def source(self, resource: Resource | None) -> Source:
        """Return what the spans of one resource have in common."""
        return Source(self, resource)

    def of(self, record: SpanRecord, attributes: dict[str, Value], source: Source) -> list[bytes]:
        """Return the pairs in the order of `zipkin_tags.tags_of`."""
        if (
            record.status in _NO_ERROR
            and source.simple
            and record.scope is None
            and source.reserved.isdisjoint(attributes)
            and not (record.trace_state or record.links)
            and not (record.dropped_attributes or record.dropped_events or record.dropped_links)
        ):
            pairs = self._encoded(attributes)
            if b"" in pairs:  # a value that is None
                pairs = [pair for pair in pairs if pair]
            if record.status == _OK:
                pairs.append(self._ok)
            return pairs + source.pairs if source.pairs else pairs
        return self._encoded(z.tags_of(record, attributes))


class Source:
    """What the spans of one resource have in common: its own attributes as pairs, and the keys that then must not be a span's."""

    __slots__ = ("own", "pairs", "reserved", "simple")

    def __init__(self, pairs: Pairs, resource: Resource | None) -> None:
        attributes = {} if resource is None else resource.attributes
        shown = {key: z.as_text(value) for key, value in attributes.items() if key != "service.name"}
        self.pairs = pairs._encoded(shown)
        self.reserved = _RESERVED.union(shown)
        self.own = resource is not None and resource.schema_url == z.SCHEMA_URL
        """Whether a Zipkin tracer made the spans."""
        self.simple = not self.own and _RESERVED.isdisjoint(shown)
