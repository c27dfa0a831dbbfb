"""Files that other programs made: Jaeger's downloads, OpenTelemetry's console, MLflow's traces, Zipkin's Thrift."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import pytest

from support.zipkin_thrift import zipkin_thrift
from tracebridge.plugins.registry import FORMATS, entries, load
from tracebridge.records.record import Event, Kind, Resource, SpanRecord, StatusCode

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
IDS = (bytes.fromhex(TRACE), bytes.fromhex(SPAN))
T0 = 1_790_000_000_000_000_000


def decode(name: str, text: bytes) -> Any:
    """What a format reads, and that no other installed one takes it for its own."""
    takers = [each for each in entries(FORMATS) if load(FORMATS, each)().looks_right(text)]
    assert takers == [name]
    return load(FORMATS, name)().decode(text)


def jaeger(**changes: Any) -> dict[str, Any]:
    """A span as Jaeger has it."""
    return {
        "traceID": TRACE, "spanID": SPAN, "operationName": "get", "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": PARENT}],
        "startTime": T0 // 1000, "duration": 5, "processID": "p1", "logs": [{"timestamp": T0 // 1000, "fields": [{"key": "event", "value": "e"}]}],
        "tags": [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "n", "type": "int64", "value": 7}], **changes,
    }  # fmt: skip


def download(*spans: Any) -> bytes:
    """What Jaeger's UI downloads."""
    processes = {"p1": {"serviceName": "shop", "tags": [{"key": "host", "type": "string", "value": "h"}]}}
    data = [{"traceID": TRACE, "spans": spans, "processes": processes, "warnings": None}]
    return json.dumps({"data": data, "total": 0, "limit": 0, "offset": 0, "errors": None}, indent=2).encode()


JAEGER = SpanRecord(
    *IDS, bytes.fromhex(PARENT), "get", T0, T0 + 5_000, kind=int(Kind.SERVER), attributes={"n": 7}, events=(Event("e", T0),),
    resource=Resource({"service.name": "shop", "host": "h"}),
)  # fmt: skip


def test_jaegers_download_is_read():
    """Every field that Jaeger keeps."""
    assert decode("jaeger_json", download(jaeger())).records == [JAEGER]


@pytest.mark.parametrize(
    ("changes", "damage"),
    [
        ({"spanID": ""}, "data[0].spans[1]: spanID '' is not an ID of 8 bytes"),
        ({"traceID": None}, "data[0].spans[1]: traceID None is not an ID of 16 bytes"),
    ],
)
def test_of_jaegers_spans_a_bad_one_costs_itself(changes, damage):
    """It is named with its place."""
    decoded = decode("jaeger_json", download(jaeger(), jaeger(**changes), jaeger(spanID="1")))
    assert ([one.span_id[-1] for one in decoded.records], decoded.damage) == ([0x31, 1], [damage])


@pytest.mark.parametrize(
    ("changes", "repaired"),
    [
        ({"processID": "p9"}, 1),
        ({"tags": [7, {"key": "n", "type": "int64", "value": "many"}]}, 2),
        ({"startTime": "soon"}, 1),
        ({"references": [{"refType": "CHILD_OF"}]}, 1),
        ({"logs": None, "references": None, "flags": None}, 0),
    ],
)
def test_what_else_is_broken_in_jaegers_span_is_repaired_and_counted(changes, repaired):
    """An unknown process does not cost the trace."""
    (record,) = decode("jaeger_json", download(jaeger(**changes))).records
    assert (record.span_id, record.repaired) == (IDS[1], repaired)


def test_opentelemetrys_console_is_read():
    """What the real exporter prints, one indented object a span."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource as OtelResource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    out = io.StringIO()
    provider = TracerProvider(resource=OtelResource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    tracer = provider.get_tracer("lib")
    with tracer.start_as_current_span("parent", kind=trace.SpanKind.CLIENT) as parent:
        link = trace.Link(parent.get_span_context(), {"l": 1})
        with tracer.start_as_current_span(
            "child", attributes={"a": "b", "n": 1, "list": [1, 2]}, links=[link]
        ) as child:
            child.add_event("e", {"k": True})
            child.set_status(trace.StatusCode.ERROR, "bad")
    text = out.getvalue().encode()
    end = text.index(b"\n}\n") + 3
    (first,), (second,) = (decode("otel_console", part).records for part in (text[:end], text[end:]))
    context, above = child.get_span_context(), parent.get_span_context()
    assert (first.trace_id.hex(), first.span_id.hex()) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert first.parent_id == second.span_id == above.span_id.to_bytes(8, "big")
    assert (first.name, first.status, first.status_message) == ("child", StatusCode.ERROR, "bad")
    assert (second.kind, second.parent_id, second.status) == (Kind.CLIENT, None, StatusCode.UNSET)
    assert first.attributes == {"a": "b", "n": 1, "list": [1, 2]}
    assert [(one.name, one.attributes) for one in first.events] == [("e", {"k": True})]
    assert [(one.span_id, one.attributes) for one in first.links] == [(second.span_id, {"l": 1})]
    assert first.resource is not None
    assert first.resource.service_name == "shop"
    assert abs(first.start_time_ns - child.start_time) < 1_000  # type: ignore[attr-defined]
    assert abs(first.end_time_ns - child.end_time) < 1_000  # type: ignore[attr-defined]


MLFLOW_3 = {
    "info": {
        "trace_id": f"tr-{TRACE}", "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
        "tags": {"mlflow.traceName": "get", "team": "blue", "service.name": "shop"}, "state": "OK",
    },
    "data": {
        "spans": [
            {
                "trace_id": "CvdlGRbNQ92ESOshHIAxnA==", "span_id": "t61rcWkgMzE=", "parent_span_id": None, "name": "get", "start_time_unix_nano": T0,
                "end_time_unix_nano": T0 + 5, "status": {"code": "STATUS_CODE_OK", "message": ""},
                "attributes": {
                    "mlflow.traceRequestId": f'"tr-{TRACE}"', "mlflow.spanType": '"LLM"', "mlflow.spanInputs": '{"q": 1}', "mlflow.spanOutputs": '"text"',
                    "n": "1", "s": '"1"',
                },
                "events": [{"name": "e", "time_unix_nano": T0, "attributes": {"k": "v"}}],
            }
        ]
    },
}  # fmt: skip
MLFLOW_2 = {
    "info": {"request_id": TRACE, "experiment_id": "7", "tags": {"team": "blue", "service.name": "shop"}},
    "data": {
        "spans": [
            {
                "name": "get", "context": {"span_id": f"0x{SPAN}", "trace_id": f"0x{TRACE}"}, "parent_id": None, "start_time": T0, "end_time": T0 + 5,
                "status_code": "OK", "status_message": "",
                "attributes": MLFLOW_3["data"]["spans"][0]["attributes"],  # type: ignore[index]
                "events": [{"name": "e", "timestamp": T0, "attributes": {"k": "v"}}],
            }
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("version", [2, 3])
def test_mlflows_trace_json_is_read(version):
    """`Trace.to_json` of both versions: payloads, types of attributes, the trace's tags on the root."""
    decoded = decode("mlflow_json", json.dumps(MLFLOW_3 if version == 3 else MLFLOW_2, indent=1).encode())
    (record,) = decoded.records
    assert (record.trace_id, record.span_id, record.parent_id) == (*IDS, None)
    assert (record.name, record.start_time_ns, record.end_time_ns, record.status) == ("get", T0, T0 + 5, StatusCode.OK)
    assert (record.span_type, record.inputs, record.outputs) == ("LLM", {"q": 1}, "text")
    assert (record.attributes, record.tags) == ({"n": 1, "s": "1"}, {"team": "blue"})
    assert record.events == (Event("e", T0, {"k": "v"}),)
    assert record.resource == Resource({"service.name": "shop"})
    assert (record.experiment_id, decoded.damage) == ("7" if version == 3 else "", [])


def test_zipkins_thrift_is_read():
    """A list of v1 spans, with IDs of 128 bits, typed values and an endpoint."""
    decoded = decode("zipkin_thrift", struct.pack(">bi", 12, 2) + zipkin_thrift() + zipkin_thrift(own=0x32))
    record = decoded.records[0]
    assert (record.trace_id, record.span_id, record.parent_id) == (IDS[0], bytes(7) + b"\x31", bytes(7) + b"\x02")
    assert (record.name, record.kind, record.start_time_ns, record.end_time_ns) == ("get", Kind.CLIENT, T0, T0 + 5_000)
    assert (record.attributes, [(e.name, e.time_ns) for e in record.events]) == (
        {"path": "/", "n": 7},
        [("miss", T0 + 2_000)],
    )
    assert record.resource is not None
    assert record.resource.service_name == "shop"
    assert (len(decoded.records), decoded.damage) == (2, [])


@pytest.mark.parametrize(
    "junk",
    [
        b"\x0c\x00\x00\x00\x09",
        b"\x0c\x00\xff\xff\xff",
        b"\x0c\x00\x00\x00\x01\x0f\x00\x01\x0c\x7f\xff\xff\xff",
        b"\x0c\x00",
    ],
)
def test_broken_thrift_is_a_clear_error(junk):
    """Never a list as long as it says."""
    with pytest.raises((ValueError, struct.error)):
        load(FORMATS, "zipkin_thrift")().decode(junk)


@pytest.mark.parametrize("name", ["otlp_json", "zipkin_json", "spanlog"])
def test_a_line_survives_readers_that_split_at_other_line_ends(name):
    """U+0085, U+2028 and U+2029 are written escaped, and come back."""
    odd = "a\u2028b\u0085c\u2029"
    record = SpanRecord(
        *IDS, None, odd, T0, T0 + 5_000, attributes={odd: odd}, resource=Resource({"service.name": odd})
    )
    line = load(FORMATS, name)().encode([record])
    assert len(line.decode().splitlines()) == 1
    (back,) = load(FORMATS, name)().decode(line.rstrip()).records
    assert (back.name, back.attributes) == (odd, {odd: odd})


def test_of_thrift_that_is_cut_off_whole_spans_are_read():
    """And what is missing is named."""
    body = struct.pack(">bi", 12, 2) + zipkin_thrift() + zipkin_thrift(own=0x32)
    decoded = decode("zipkin_thrift", body[:-20])
    assert len(decoded.records) == 1
    assert decoded.damage == ["span 2 of 2, and what follows it: the bytes end in the middle of a value"]


@pytest.mark.parametrize(
    "line",
    [
        {"traceId": TRACE, "spanId": SPAN, "level": "info", "message": "hello"},
        {"traceId": TRACE, "id": "7", "level": "info", "message": "hello"},
        {"traceId": TRACE, "id": SPAN, "name": "x", "message": "hello"},
    ],
)
def test_an_applications_line_with_the_ids_of_its_trace_is_another_line(line):
    """Neither a span of Zipkin's, nor damage."""
    from tracebridge.replay.line import Line
    from tracebridge.replay.reader import Found, SpanReader, installed_formats

    found = Found()
    assert SpanReader("app.log", installed_formats(), found).read(Line(json.dumps(line).encode(), 1, 1)) is None
    assert (found.other_lines, found.damage) == (1, [])
