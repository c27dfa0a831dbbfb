"""OTLP JSON as programs write it: what can be read is, what cannot is named with its place."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tracebridge.plugins.format import Decoded
from tracebridge.records.record import Kind, Resource, SpanRecord, StatusCode
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.otlp import json_reader, protobuf_reader

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
T0 = 1_790_000_000_000_000_000
BARE = {"traceId": TRACE, "spanId": SPAN, "name": "x", "startTimeUnixNano": str(T0), "endTimeUnixNano": str(T0 + 5)}


def read(*spans: Any) -> Decoded:
    """Read spans of one scope."""
    return json_reader.decode(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}), take_apart)


def record(**changes: Any) -> SpanRecord:
    """What BARE is, but for these fields."""
    fields = {
        "trace_id": bytes.fromhex(TRACE), "span_id": bytes.fromhex(SPAN), "parent_id": None, "name": "x", "start_time_ns": T0,
        "end_time_ns": T0 + 5, "kind": 0, "resource": Resource(), "scope": SCOPE, **changes,
    }  # fmt: skip
    return SpanRecord(**fields)


SCOPE = read(BARE).records[0].scope


@pytest.mark.parametrize(
    "bad",
    [{**BARE, "spanId": ""}, {**BARE, "traceId": "0" * 32}, {**BARE, "traceId": 5}, {"name": "x"}, 7, {**BARE, "spanId": "xyz"}],
)  # fmt: skip
def test_of_three_spans_a_bad_one_costs_itself(bad):
    """It is named with its place."""
    decoded = read(BARE, bad, BARE)
    assert decoded.records == [record(), record()]
    (damage,) = decoded.damage
    assert damage.startswith("resourceSpans[0].scopeSpans[0].spans[1]: ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"attributes": [{"key": "a", "value": {"stringValue": 5}}]}, {"attributes": {"a": "5"}, "repaired": 1}),
        ({"attributes": [{"key": "a", "value": {"intValue": "1.0"}}]}, {"attributes": {"a": 1}}),
        ({"attributes": [{"key": "a", "value": {"intValue": {"low": -1, "high": 1}}}]}, {"attributes": {"a": 2**33 - 1}}),
        ({"attributes": [{"key": "a", "value": {"intValue": str(2**70)}}]}, {"attributes": {"a": str(2**70)}, "repaired": 1}),
        ({"attributes": [{"key": "a", "value": {"intValue": "many"}}]}, {"attributes": {"a": "many"}, "repaired": 1}),
        ({"attributes": [{"key": "a", "value": {"Value": {"StringValue": "shop"}}}]}, {"attributes": {"a": "shop"}}),
        (
            {"attributes": [{"key": "a", "value": {"Value": {"ArrayValue": {"values": [{"Value": {"IntValue": 1}}]}}}}]},
            {"attributes": {"a": [1]}},
        ),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "-_8"}}]}, {"attributes": {"a": b"\xfb\xff"}}),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "!"}}]}, {"attributes": {"a": "!"}, "repaired": 1}),
        ({"attributes": [{"key": "a", "value": {"newValue": 1}}]}, {"attributes": {"a": '{"newValue":1}'}, "repaired": 1}),
        ({"attributes": [{"key": "a", "value": "bare"}]}, {"attributes": {"a": "bare"}, "repaired": 1}),
        ({"attributes": {"a": "bare"}}, {"attributes": {"a": "bare"}, "repaired": 2}),
        ({"attributes": [{"key": "a", "value": {}}]}, {"attributes": {"a": None}}),
        ({"links": [{"traceId": "", "spanId": ""}]}, {"dropped_links": 1, "repaired": 1}),
        ({"startTimeUnixNano": "1.79e18"}, {}),
        ({"startTimeUnixNano": {"low": T0 & 0xFFFFFFFF, "high": T0 >> 32}}, {}),
        ({"startTimeUnixNano": "soon"}, {"start_time_ns": 0, "repaired": 1}),
        ({"traceId": base64.b64encode(bytes.fromhex(TRACE)).decode()}, {}),
        ({"traceId": base64.urlsafe_b64encode(bytes.fromhex(TRACE)).decode().rstrip("=")}, {}),
        ({"spanId": base64.b64encode(bytes.fromhex(SPAN)).decode()}, {}),
        ({"traceId": list(bytes.fromhex(TRACE)), "spanId": {str(n): b for n, b in enumerate(bytes.fromhex(SPAN))}}, {}),
        ({"traceId": TRACE.upper()}, {}),
        ({"traceId": SPAN}, {"trace_id": bytes(8) + bytes.fromhex(SPAN)}),
        ({"parentSpanId": "AAAAAAAAAAA="}, {}),
        ({"parentSpanId": "?"}, {"repaired": 1}),
        ({"kind": "SERVER"}, {"kind": int(Kind.SERVER)}),
        ({"kind": "SPAN_KIND_SOMETHING"}, {"repaired": 1}),
        ({"kind": 99}, {}),
        ({"status": {"code": "STATUS_CODE_ERROR", "message": 5}}, {"status": int(StatusCode.ERROR), "status_message": "5", "repaired": 1}),
        ({"name": None, "attributes": None, "events": None}, {"name": ""}),
        ({"events": [7, {"name": "e", "timeUnixNano": "x"}]}, {"events": read({**BARE, "events": [{"name": "e"}]}).records[0].events, "repaired": 2}),
    ],
)  # fmt: skip
def test_every_form_is_read_and_what_is_none_is_repaired_and_counted(given, expected):
    """A value is never lost in silence."""
    assert read({**BARE, **given}) == Decoded([record(**expected)])


GROUP = {"spans": [BARE]}


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": [{"instrumentationLibrarySpans": [GROUP]}]},
        {"resource_spans": [{"scope_spans": [GROUP]}]},
        {"batches": [{"scopeSpans": [GROUP]}]},
        {"trace": {"resourceSpans": [{"scopeSpans": [GROUP]}]}},
        {"result": {"resourceSpans": [{"scopeSpans": [GROUP]}]}},
        [{"resourceSpans": [{"scopeSpans": [GROUP]}]}],
    ],
    ids=["before 2022", "snake_case", "Tempo", "Tempo 2", "Jaeger 2", "a list"],
)
def test_every_wrapping_of_resource_spans_is_read(document):
    """Of other times and of other servers."""
    assert [one.name for one in json_reader.decode(json.dumps(document), take_apart).records] == ["x"]


def test_an_instrumentation_library_is_the_scope():
    """As scopes were called before 2022."""
    library = {"instrumentationLibrary": {"name": "lib", "version": "1"}, **GROUP}
    (one,) = json_reader.decode(
        json.dumps({"resourceSpans": [{"instrumentationLibrarySpans": [library]}]}), take_apart
    ).records
    assert one.scope is not None
    assert (one.scope.name, one.scope.version) == ("lib", "1")


@pytest.mark.parametrize(
    ("document", "damage"),
    [
        ({"resourceSpans": [{"newSpans": [GROUP]}]}, "resourceSpans[0]: it has no scopeSpans but 'newSpans'"),
        ({"resourceSpans": [5]}, "resourceSpans[0]: 5 is not an object"),
        ({"resourceSpans": [{"scopeSpans": 5}]}, "resourceSpans[0]: scopeSpans is not a list"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}, "resourceSpans[0].scopeSpans[0]: spans is not a list"),
    ],
)
def test_a_group_that_cannot_be_read_is_named(document, damage):
    """Never no spans and no word."""
    assert json_reader.decode(json.dumps(document), take_apart).damage == [damage]


def test_a_bad_span_of_a_protobuf_body_costs_itself():
    """As in JSON."""
    good = b"\x0a\x10" + bytes.fromhex(TRACE) + b"\x12\x08" + bytes.fromhex(SPAN)
    spans = b"".join(b"\x12" + bytes([len(span)]) + span for span in (good, good[:-10], good))
    group = b"\x12" + bytes([len(spans)]) + spans
    decoded = protobuf_reader.decode(b"\x0a" + bytes([len(group)]) + group, take_apart)
    assert [one.span_id.hex() for one in decoded.records] == [SPAN, SPAN]
    assert [damage.partition(": ")[0] for damage in decoded.damage] == ["resource_spans[0].scope_spans[0].spans[1]"]
