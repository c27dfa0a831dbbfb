"""Zipkin JSON and protobuf read into records: v2, v1, and what is broken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import Event, Kind, Link, Resource, SpanRecord, StatusCode
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader

ZIPKIN = "https://zipkin.io/zipkin-api/"
T0 = 1_790_000_000_000_000  # µs
BARE: dict[str, Any] = {
    "traceId": "463ac35c9f6413ad",
    "id": "72485a3953bb6124",
    "name": "get",
    "timestamp": T0,
    "duration": 50,
}


def read(*spans: Any) -> list[SpanRecord]:
    """The records of these spans, all of which can be read."""
    decoded = zipkin_json_reader.decode(json.dumps(spans), take_apart)
    assert (decoded.notes, decoded.damage) == ([], [])
    return decoded.records


def a_record(**fields: Any) -> SpanRecord:
    """The record of BARE with other fields."""
    return SpanRecord(
        bytes(8) + bytes.fromhex("463ac35c9f6413ad"),
        bytes.fromhex("72485a3953bb6124"),
        **{
            "parent_id": None,
            "name": "get",
            "start_time_ns": T0 * 1000,
            "end_time_ns": (T0 + 50) * 1000,
            "resource": Resource({}, ZIPKIN),
            **fields,
        },
    )


def test_a_v2_span_is_read_whole():
    """Both endpoints with address and port, tags, annotations, status, kind, shared and debug, and a 64-bit trace ID padded."""
    span = {
        **BARE,
        "parentId": "6b221d5bc9e6496c",
        "kind": "SERVER",
        "localEndpoint": {"serviceName": "backend", "ipv4": "10.0.0.2", "port": 9000},
        "remoteEndpoint": {"serviceName": "frontend", "ipv6": "2001:db8::1", "port": 63840},
        "annotations": [
            {"timestamp": T0 + 1, "value": "retry"},
            {"timestamp": T0 + 2, "value": '"exception": {"exception.type": "E"}'},
        ],
        "tags": {"http.path": "/api", "error": "boom", "otlp.link.0": f"{'1' * 32}|{'2' * 16}|k=v|{{}}|0"},
        "debug": True,
        "shared": True,
    }
    assert read(span) == [
        a_record(
            parent_id=bytes.fromhex("6b221d5bc9e6496c"),
            kind=int(Kind.SERVER),
            status=int(StatusCode.ERROR),
            status_message="boom",
            attributes={
                "http.path": "/api",
                "peer.service": "frontend",
                "network.peer.address": "2001:db8::1",
                "network.peer.port": 63840,
            },
            events=(
                Event("retry", (T0 + 1) * 1000),
                Event("exception", (T0 + 2) * 1000, {"exception.type": "E"}),
            ),
            links=(Link(bytes.fromhex("1" * 32), bytes.fromhex("2" * 16), "k=v"),),
            debug=True,
            shared=True,
            resource=Resource({"service.name": "backend", "host.ip": ["10.0.0.2"], "net.host.port": 9000}, ZIPKIN),
        )
    ]


def test_a_v1_span_with_both_sides_of_a_call_gives_two_records():
    """The client has the span's times, the server its own moments and shares the ID."""
    front, back = {"serviceName": "frontend"}, {"serviceName": "backend", "ipv4": "10.0.0.2"}
    span = {
        **BARE,
        "duration": 400,
        "annotations": [
            {"timestamp": T0, "value": "cs", "endpoint": front},
            {"timestamp": T0 + 100, "value": "sr", "endpoint": back},
            {"timestamp": T0 + 300, "value": "ss", "endpoint": back},
            {"timestamp": T0 + 400, "value": "cr", "endpoint": front},
        ],
        "binaryAnnotations": [
            {"key": "sa", "value": True, "endpoint": back},
            {"key": "rows", "value": 5, "endpoint": back},
        ],
    }
    client, server = read(span)
    assert client == a_record(
        kind=int(Kind.CLIENT),
        end_time_ns=(T0 + 400) * 1000,
        attributes={"peer.service": "backend", "network.peer.address": "10.0.0.2"},
        resource=Resource({"service.name": "frontend"}, ZIPKIN),
    )
    assert server == a_record(
        kind=int(Kind.SERVER),
        start_time_ns=(T0 + 100) * 1000,
        end_time_ns=(T0 + 300) * 1000,
        attributes={"rows": 5},
        shared=True,
        resource=Resource({"service.name": "backend", "host.ip": ["10.0.0.2"]}, ZIPKIN),
    )


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ({"parentId": BARE["id"]}, {}),
        ({"parentId": "no hex"}, {}),
        ({"kind": "SIDEWAYS"}, {}),
        ({"timestamp": "soon", "annotations": [{"timestamp": T0, "value": "a"}]}, {"events": (Event("a", T0 * 1000),)}),
        ({"duration": 10**30}, {"end_time_ns": T0 * 1000}),
        ({"tags": {"a": None}}, {}),
        ({"tags": ["x"]}, {"attributes": {"zipkin.tags": ["x"]}}),
        ({"tags": {"n": 2**70}}, {"attributes": {"n": str(2**70)}}),
        ({"annotations": [7]}, {}),
        ({"name": 7}, {"name": "7"}),
        ({"localEndpoint": {"serviceName": "a", "ipv4": "here", "port": 0}}, {"resource": Resource({"service.name": "a"}, ZIPKIN)}),
        ({"localEndpoint": "here"}, {}),
    ],
)  # fmt: skip
def test_a_broken_field_is_repaired_and_counted(broken, mended):
    """The span is read on, and its record says that one value was not as given."""
    assert read({**BARE, **broken}) == [a_record(repaired=1, **mended)]


def test_a_span_that_ends_before_it_starts_is_kept_as_given():
    """The contradiction is the record's to tell, and every format's to mark."""
    (record,) = read({**BARE, "duration": -5})
    assert (record.end_time_ns, record.end_before_start) == ((T0 - 5) * 1000, True)


def test_a_span_without_an_id_is_left_out_with_the_reason():
    """The others of the list are read."""
    decoded = zipkin_json_reader.decode(json.dumps([{**BARE, "id": "0000000000000000"}, BARE, 5]), take_apart)
    assert decoded.records == [a_record()]
    assert decoded.damage == [
        "span 1: id '0000000000000000' is no ID: 1 to 16 hex digits, not all zero",
        "span 3: a JSON object is expected, not '5'",
    ]


def test_damaged_text_is_read_as_far_as_it_goes():
    """Latin-1 and lone surrogates cost characters, not spans."""
    body = json.dumps([{**BARE, "name": "caf\u00e9"}], ensure_ascii=False).encode("latin-1")
    decoded = zipkin_json_reader.decode(body, take_apart)
    assert [record.name for record in decoded.records] == ["caf\ufffd"]
    assert decoded.notes == ["the text was damaged: what could not be read is shown as � or ?"]
    assert [r.name for r in zipkin_json_reader.decode(json.dumps({**BARE, "name": "\ud800"}), take_apart).records] == [
        "?"
    ]


@pytest.mark.parametrize("junk", [b"", b"hello", b"3", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_zipkin_json_is_refused(junk):
    """With words that say so."""
    with pytest.raises(ValueError, match="not Zipkin JSON"):
        zipkin_json_reader.decode(junk, take_apart)


def test_the_format_reads_lines_of_both_versions_and_writes_v2():
    """What it writes it reads back; a log line and an OTLP line are none of its own."""
    lines = load(FORMATS, "zipkin_json")()
    line = lines.encode(read({**BARE, "localEndpoint": {"serviceName": "a"}}))
    assert line.endswith(b"]\n") and line.count(b"\n") == 1
    assert lines.looks_right(line) and lines.looks_right(json.dumps(BARE).encode())
    assert lines.decode(line).records == read({**BARE, "localEndpoint": {"serviceName": "a"}})
    assert not lines.looks_right(b'{"event": "hello"}')
    assert not lines.looks_right(b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00"}]}]}]}')
    with pytest.raises(ValueError, match="traceId"):
        lines.decode(b'{"id": "1", "traceId": "zz"}')
