"""What a message holds."""

from __future__ import annotations

import json
import struct

import pytest

from support.cases import CASES
from support.zipkin_thrift import zipkin_thrift
from tracebridge.relay.decoder import Decoder, UnreadableError
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.otlp import json as otlp_json
from tracebridge_adapters.formats.otlp import protobuf as otlp_protobuf
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import protobuf as zipkin_protobuf

ATTRIBUTES = attributes_for("openinference", "tracebridge.trace_id")
RECORDS = CASES[0].records("salt")
V1 = json.dumps([
    {"traceId": "0af7651916cd43dd8448eb211c80319c", "id": "b7ad6b7169203331", "name": "get", "timestamp": 1, "duration": 5,
     "annotations": [{"timestamp": 1, "value": "sr", "endpoint": {"serviceName": "shop"}}], "binaryAnnotations": []},
]).encode()  # fmt: skip
VALUES = {
    "otlp_proto": otlp_protobuf.encode(RECORDS, ATTRIBUTES),
    "otlp_json": otlp_json.encode(RECORDS, ATTRIBUTES),
    "zipkin_proto": zipkin_protobuf.encode(RECORDS, ATTRIBUTES),
    "zipkin_json": zipkin_json.encode(RECORDS, ATTRIBUTES),
    "zipkin_json of v1": V1,
    "zipkin_thrift": struct.pack(">bi", 12, 1) + zipkin_thrift(),
}


def decoder() -> Decoder:
    """A decoder with the default attribute."""
    return Decoder("tracebridge.trace_id")


@pytest.mark.parametrize("name", VALUES)
def test_every_encoding_is_told_by_its_bytes(name):
    """`auto` reads what the named encoding reads."""
    named = decoder().decode(VALUES[name], name.partition(" ")[0])
    assert decoder().decode(VALUES[name], "auto") == named
    assert named.records


@pytest.mark.parametrize("name", [name for name in VALUES if "json" in name])
def test_json_may_be_indented(name):
    """Blanks before the first bracket are passed over."""
    assert decoder().decode(b"  " + VALUES[name], "auto").records


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"hello", "unknown"),
        (b"\x00\x01", "unknown"),
        (b'{"level": "info", "message": "ready"}', "unknown"),
        (b"\x0a\x03abc", "unreadable"),
        (VALUES["otlp_proto"][: len(VALUES["otlp_proto"]) // 2], "unreadable"),
        (VALUES["zipkin_json"][:-5], "unreadable"),
        (VALUES["zipkin_thrift"][:20], "unreadable"),
        (b"[" * 5_000 + b'"traceId" "id"', "unreadable"),
        (b'{"resourceSpans": []}', "no_spans"),
        (b"\x0a\x00", "no_spans"),
    ],
)
def test_what_is_no_span_is_told_by_its_kind(value, kind):
    """Nothing but UnreadableError, whatever the bytes are; the reason is for a person."""
    with pytest.raises(UnreadableError, match=r".") as raised:
        decoder().decode(value, "auto")
    assert raised.value.kind == kind


@pytest.mark.parametrize("name", VALUES)
def test_a_named_encoding_is_not_guessed_at(name):
    """Another encoding on the topic is unreadable, not read all the same."""
    other = "zipkin_thrift" if name != "zipkin_thrift" else "otlp_proto"
    with pytest.raises(UnreadableError):
        decoder().decode(VALUES[name], other)
