"""The Zipkin encoders put bytes together; these plain versions build mappings and let an encoder walk them. Both must say the same."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord
from tracebridge_adapters.dialects import json_safe
from tracebridge_adapters.formats.shared.pair_cache import MAX_TEXT
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_proto
from tracebridge_adapters.formats.zipkin import tags as z

TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(["OK", "false", "x" * (MAX_TEXT + 1), "\ud800", "1"])
NAMES = ["error", "otel.status_code", "service.name", "peer.service", "host.ip", "a", "b", "\udfff"]
KEYS = st.sampled_from(NAMES) | st.text(max_size=8)  # one with a surrogate: two may become the same text

VALUES = st.none() | TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats() | st.lists(st.integers(0, 9))
TIMES = st.integers(-10, 5_000) | st.integers(0, 2**64)
RESOURCES = st.none() | st.builds(
    Resource, st.dictionaries(KEYS, VALUES, max_size=3), st.sampled_from(["", z.SCHEMA_URL])
)
RECORDS = st.builds(
    SpanRecord,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_id=st.none() | st.binary(min_size=8, max_size=8),
    name=TEXT,
    start_time_ns=TIMES,
    end_time_ns=TIMES,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    status_message=TEXT,
    attributes=st.dictionaries(KEYS, VALUES, max_size=5),
    events=st.lists(st.builds(Event, TEXT, TIMES), max_size=2).map(tuple),
    links=st.just(()) | st.just((Link(bytes(15) + b"1", bytes(7) + b"1"),)),
    trace_state=st.sampled_from(["", "a=b"]),
    scope=st.none() | st.builds(Scope, TEXT, TEXT),
    debug=st.booleans(),
    shared=st.booleans(),
    dropped_attributes=st.integers(0, 1),
    resource=RESOURCES,
)


def plain_span(record: SpanRecord) -> dict[str, object]:
    """One span as a mapping, field by field."""
    timestamp, duration = z.microseconds(record)
    parent = None if record.parent_id == record.span_id else record.parent_id
    fields: dict[str, object] = {
        "traceId": record.trace_id.hex(),
        "id": record.span_id.hex(),
        "parentId": parent and parent.hex(),
        "name": record.name,
        "timestamp": timestamp or None,
        "duration": duration or None,
        "localEndpoint": z.local_endpoint(record.resource),
        "kind": z.KIND_NAMES.get(record.kind),
        "remoteEndpoint": z.remote_endpoint(record) or None,
        "tags": z.tags_of(record, record.attributes) or None,
        "annotations": [{"timestamp": z.instant(e), "value": z.annotation_text(e)} for e in record.events] or None,
        "debug": record.debug or None,
        "shared": record.shared or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


ONLY_A_PEER = SpanRecord(
    bytes(16), bytes(8), None, "", 0, 0, resource=Resource({"peer.service": "a"})
)  # no service.name


@example([ONLY_A_PEER])
@given(st.lists(RECORDS, max_size=4))
def test_json_put_together_from_bytes_is_the_json_of_the_plain_mappings(records: list[SpanRecord]) -> None:
    """Whatever the spans hold: the bytes are those of an encoder that walks plain mappings."""
    expected = z.not_v1(msgspec.json.encode([json_safe(plain_span(record)) for record in records]))
    assert expected == zipkin_json.encode(records, lambda record: record.attributes)


@example(ONLY_A_PEER)
@given(RECORDS)
def test_protobuf_tags_are_those_of_the_plain_mapping_in_their_order(record: SpanRecord) -> None:
    """Whatever a span holds: its remembered pairs are the pairs of `tags_of`, encoded one by one."""
    pairs = zipkin_proto._pairs
    found = pairs.of(record, record.attributes, pairs.source(record.resource), pairs.for_batch())
    tags = z.tags_of(record, record.attributes)
    assert b"".join([zipkin_proto._writer_of(key)(value) for key, value in tags.items()]) == found
