"""Zipkin v1 read as a real Zipkin reads it: the server's own converter is the second opinion."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from support.backends.process import http
from support.readback import poll
from tracebridge.plugins.adapter import Context
from tracebridge_adapters.dialects import attributes_for, take_apart
from tracebridge_adapters.formats.zipkin import json as zipkin_json
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

pytestmark = pytest.mark.server
SHOWN = attributes_for("openinference", "tracebridge.trace_id")
T0 = 1_790_000_000_000_000  # µs
ENDPOINTS = [
    {"serviceName": "frontend", "ipv4": "10.0.0.1", "port": 8080},
    {"serviceName": "Backend", "ipv4": "10.0.0.2"},
    {"serviceName": "frontend", "ipv6": "2001:db8::1", "port": 9},
    {"serviceName": "", "ipv4": "10.0.0.3"},
    {"serviceName": ""},
]


def random_v1_span(rng: random.Random, trace_id: str) -> dict[str, Any]:
    """A v1 span with any mixture of core annotations, addresses, times and endpoints."""
    span: dict[str, Any] = {
        "traceId": trace_id,
        "id": f"{rng.getrandbits(63) + 1:016x}",
        "name": rng.choice(["get", "POST /a"]),
    }
    if rng.random() < 0.5:
        span["parentId"] = f"{rng.getrandbits(63) + 1:016x}"
    if rng.random() < 0.5:
        span["timestamp"] = T0
        if rng.random() < 0.7:
            span["duration"] = 400
    if rng.random() < 0.1:
        span["debug"] = True
    client, server = rng.choice(ENDPOINTS), rng.choice(ENDPOINTS)
    moments = {
        "cs": (0, client),
        "ws": (10, client),
        "sr": (100, server),
        "ss": (300, server),
        "wr": (350, server),
        "cr": (400, client),
    }
    if rng.random() < 0.3:
        moments = {"ms": (0, client), "ws": (10, client), "wr": (300, server), "mr": (400, server)}
    chosen = [name for name in moments if rng.random() < 0.6]
    span["annotations"] = [
        {"timestamp": T0 + moments[name][0], "value": name, "endpoint": moments[name][1]} for name in chosen
    ]
    if rng.random() < 0.4:
        span["annotations"].append({"timestamp": T0 + 200, "value": "custom", "endpoint": rng.choice([client, server])})
    span["binaryAnnotations"] = [
        {"key": key, "value": True, "endpoint": rng.choice(ENDPOINTS)}
        for key in ("sa", "ca", "ma")
        if rng.random() < 0.3
    ]
    for key in ("http.path", "lc", "n"):
        if rng.random() < 0.4:
            value = "" if key == "lc" else f"value of {key}"
            span["binaryAnnotations"].append({"key": key, "value": value, "endpoint": rng.choice([client, server])})
    return span


def comparable(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans in an order of their own, as Zipkin keeps them: lower-case names, annotations in order of time.

    What ours are more right about is filled in: no side without a service, no span without a time where an annotation tells one.
    """
    out = []
    for given in spans:
        span = dict(given)
        span["traceId"] = span["traceId"][-16:]
        span["name"] = span["name"].lower()
        for side in ("localEndpoint", "remoteEndpoint"):
            if side in span:
                span[side] = {**span[side], "serviceName": span[side].get("serviceName", "unknown_service").lower()}
        span.setdefault("localEndpoint", {"serviceName": "unknown_service"})
        if "annotations" in span:
            span["annotations"] = sorted(span["annotations"], key=lambda a: (a["timestamp"], a["value"]))
            span.setdefault("timestamp", span["annotations"][0]["timestamp"])
        out.append(span)
    return sorted(out, key=lambda span: json.dumps(span, sort_keys=True))


def test_v1_spans_become_what_zipkin_makes_of_them(zipkin):
    """Four hundred v1 spans, whatever they hold, give the spans, sides, kinds, times, addresses and tags that a real Zipkin makes of them.

    Both are read by one rule for what belongs to one span, because Zipkin keeps pieces as they came and merges them when it draws.
    """
    rng = random.Random(7)
    spans = {
        trace_id: random_v1_span(rng, trace_id) for trace_id in (f"{rng.getrandbits(63) + 1:016x}" for _ in range(400))
    }
    answer = http.request("POST", f"{zipkin.url}/api/v1/spans", json=list(spans.values()))
    assert answer.status == 202, answer.data

    def read() -> dict[str, Any]:
        out = {}
        for trace_id in spans:
            got = http.request("GET", f"{zipkin.url}/api/v2/trace/{trace_id}")
            if got.status == 200:
                out[trace_id] = by_way_of_us(got.json())
        return out

    def by_way_of_us(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return comparable(
            json.loads(zipkin_json.encode(zipkin_json_reader.decode(json.dumps(given), take_apart).records, SHOWN))
        )

    said = poll(read, len(spans))
    ours: dict[str, Any] = {trace_id: by_way_of_us([span]) for trace_id, span in spans.items()}
    assert said == ours


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_a_zipkin_tracers_spans_are_the_same_by_way_of_us(zipkin, salt, encoding):
    """Posted as they are, and read and sent by us: a real Zipkin tells the same two traces, field by field."""
    direct, bridged = (hashlib.sha256(f"{salt}/{way}".encode()).hexdigest()[:32] for way in ("direct", "bridged"))
    front = {"serviceName": "frontend", "ipv4": "10.0.0.1", "port": 8080}
    back = {"serviceName": "backend", "ipv4": "10.0.0.2", "ipv6": "2001:db8::2", "port": 9000}
    spans: list[dict[str, Any]] = [
        {"id": "0000000000000001", "name": "get", "kind": "CLIENT", "timestamp": T0, "duration": 400, "localEndpoint": front,
         "remoteEndpoint": back, "tags": {"http.path": "/a", "peer.service": "mine"}, "debug": True},
        {"id": "0000000000000001", "name": "get", "kind": "SERVER", "timestamp": T0 + 100, "duration": 200, "localEndpoint": back,
         "remoteEndpoint": {"ipv4": "10.0.0.1", "port": 63_840}, "shared": True, "annotations": [{"timestamp": T0 + 150, "value": "retry"}]},
        {"id": "0000000000000002", "parentId": "0000000000000001", "name": "local", "timestamp": T0 + 120, "duration": 1, "localEndpoint": back},
        {"id": "0000000000000003", "parentId": "0000000000000001", "name": "one-way", "kind": "PRODUCER", "timestamp": T0 + 130,
         "localEndpoint": back, "remoteEndpoint": {"serviceName": "kafka"}},
    ]  # fmt: skip
    http.request("POST", zipkin.spans_url, json=[{"traceId": direct, **span} for span in spans])
    read = zipkin_json_reader.decode(json.dumps([{"traceId": bridged, **span} for span in spans]), take_apart)
    adapter = ZipkinAdapter(ZipkinOptions(endpoint=zipkin.spans_url, encoding=encoding), Context("zipkin"))
    adapter.send(adapter.encode(read.records), len(spans))
    adapter.close()

    def told(trace_id: str) -> list[dict[str, Any]]:
        def read_back() -> dict[str, Any]:
            got = http.request("GET", f"{zipkin.url}/api/v2/trace/{trace_id}")
            return {str(number): span for number, span in enumerate(got.json())} if got.status == 200 else {}

        return [{**span, "traceId": "same"} for span in comparable(list(poll(read_back, len(spans)).values()))]

    assert len(told(direct)) == 4
    assert told(bridged) == told(direct)
