"""Jaeger's Thrift read into records: what other clients send, and what is broken."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge.records.record import Event, Kind, Link, Resource, SpanRecord, StatusCode
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.jaeger import structs as j
from tracebridge_adapters.formats.jaeger import thrift_reader as jaeger_thrift_reader

T0 = 1_790_000_000_000_000  # µs


def tag(key: str, value: Any) -> j.Tag:
    """A tag of the value's type."""
    made = j.Tag(key)
    field, made.vType = {
        str: ("vStr", j.STRING), bool: ("vBool", j.BOOL), int: ("vLong", j.LONG), float: ("vDouble", j.DOUBLE), bytes: ("vBinary", j.BINARY),
    }[type(value)]  # fmt: skip
    setattr(made, field, value)
    return made


def span(**fields: Any) -> j.Span:
    """A span of 50 µs with a 64-bit trace ID, as older clients make them."""
    return j.Span(
        **{"traceIdLow": 7, "spanId": 9, "operationName": "get", "startTime": T0, "duration": 50, "flags": 1, **fields}
    )


def read(*spans: j.Span, process: j.Process | None = None) -> Any:
    """What the reader makes of a batch."""
    body = j.write(j.Batch(process or j.Process("shop"), list(spans)), "binary")
    return jaeger_thrift_reader.decode(body, take_apart)


def a_record(**fields: Any) -> SpanRecord:
    """The record of that span with other fields."""
    return SpanRecord(
        bytes(15) + b"\x07",
        bytes(7) + b"\x09",
        **{
            "parent_id": None, "name": "get", "start_time_ns": T0 * 1000, "end_time_ns": (T0 + 50) * 1000,
            "resource": Resource({"service.name": "shop"}), **fields,
        },
    )  # fmt: skip


def test_a_span_of_another_client_is_read_whole():
    """Typed tags, kind, error, logs, debug, a 64-bit ID padded, and the process as resource."""
    tags = [
        tag("span.kind", "SERVER"), tag("error", True), tag("n", 1), tag("x", 1.5), tag("ok", False), tag("raw", b"\xff"),
    ]  # fmt: skip
    logs = [j.Log(T0 + 1, [tag("event", "retry"), tag("times", 2)]), j.Log(T0 + 2, [tag("message", "no name")])]
    process = j.Process("shop", [tag("hostname", "pod-7"), tag("jaeger.version", "Python-4.8.0")])
    decoded = read(span(tags=tags, logs=logs, flags=3, parentSpanId=-1), process=process)
    assert (decoded.notes, decoded.damage) == ([], [])
    assert decoded.records == [
        a_record(
            parent_id=b"\xff" * 8,
            kind=int(Kind.SERVER),
            status=int(StatusCode.ERROR),
            attributes={"n": 1, "x": 1.5, "ok": False, "raw": b"\xff"},
            events=(Event("retry", (T0 + 1) * 1000, {"times": 2}), Event("", (T0 + 2) * 1000, {"message": "no name"})),
            debug=True,
            resource=Resource({"service.name": "shop", "hostname": "pod-7", "jaeger.version": "Python-4.8.0"}),
        )
    ]


def test_the_parent_is_found_among_the_references_too():
    """The first CHILD_OF of the same trace; every other reference is a link that keeps its kind."""
    references = [j.SpanRef(j.FOLLOWS_FROM, 7, 0, 3), j.SpanRef(j.CHILD_OF, 7, 0, 4), j.SpanRef(j.CHILD_OF, 8, 0, 5)]
    (record,) = read(span(references=references)).records
    assert record.parent_id == bytes(7) + b"\x04"
    assert record.links == (
        Link(bytes(15) + b"\x07", bytes(7) + b"\x03", "", {"opentracing.ref_type": "follows_from"}),
        Link(bytes(15) + b"\x08", bytes(7) + b"\x05", "", {"opentracing.ref_type": "child_of"}),
    )


@pytest.mark.parametrize(
    ("tags", "status", "attributes"),
    [
        ([tag("error", "true")], StatusCode.ERROR, {}),
        ([tag("error", False)], StatusCode.UNSET, {"error": False}),
        ([tag("error", "boom")], StatusCode.UNSET, {"error": "boom"}),
        ([tag("otel.status_code", "STATUS_CODE_OK"), tag("error", True)], StatusCode.OK, {"error": True}),
        ([tag("otel.status_code", "Error")], StatusCode.ERROR, {}),
    ],
)
def test_a_status_is_read_in_every_spelling(tags, status, attributes):
    """OpenTelemetry's tag decides; without it an `error` that is true, as a truth value or as text."""
    assert read(span(tags=tags)).records == [a_record(status=int(status), attributes=attributes)]


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ({"parentSpanId": 9}, {}),
        ({"references": [j.SpanRef(j.FOLLOWS_FROM, 0, 0, 3)]}, {}),
        ({"tags": [j.Tag("k", 99, "v")]}, {"attributes": {"k": "v"}}),
        ({"tags": [j.Tag("k", j.LONG, "v")]}, {"attributes": {"k": "v"}}),
    ],
)
def test_a_broken_field_is_repaired_and_counted(broken, mended):
    """The span is read on, and its record says that one value was not as given."""
    assert read(span(**broken)).records == [a_record(repaired=1, **mended)]


def test_a_span_without_an_id_is_left_out_with_the_reason():
    """The others of the batch are read."""
    decoded = read(span(spanId=0), span(), span(traceIdLow=0))
    assert decoded.records == [a_record()]
    assert decoded.damage == [
        "span 1: its trace ID or its span ID is zero",
        "span 3: its trace ID or its span ID is zero",
    ]


def test_what_is_no_batch_is_refused():
    """Other bytes, another call, a batch of nobody."""
    with pytest.raises(ValueError, match="not Thrift binary"):
        jaeger_thrift_reader.decode(b"junk", take_apart)
    with pytest.raises(ValueError, match="not a Jaeger batch: its process is missing"):
        jaeger_thrift_reader.decode(b"\x00", take_apart)
    with pytest.raises(ValueError, match="a call of 'emitZipkin' instead of emitBatch"):
        jaeger_thrift_reader.decode(b"\x82\x81\x00\x0aemitZipkin\x00", take_apart, "compact", as_message=True)
