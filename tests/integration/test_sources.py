"""The same application, instrumented with each library, through the bridge and with the library's own exporter: equal in every real server.

Where the two differ on purpose, the rule is named and the difference is spelled out in the expectation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support import readback
from support.applications import SPANS
from support.peers import peer
from tracebridge import SpanRecord

for library in ("jaeger_client", "py_zipkin", "opentelemetry.exporter.zipkin.json"):
    peer(library)

pytestmark = pytest.mark.server
TESTS = Path(__file__).parents[1]
Trace = dict[str, dict[str, Any]]


def run(library: str, **target: Any) -> str:
    """Run the application in a process of its own; return the trace ID that it used."""
    command = [sys.executable, "-m", "support.applications", library, json.dumps(target)]
    done = subprocess.run(
        command, cwd=TESTS, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def port(url: str) -> int:
    """The port of an address."""
    found = urlsplit(url).port
    assert found is not None
    return found


def told(read: Any, server: Any, library: str, trace_id: str) -> Trace:
    """A trace as a server tells it, by span name; IDs of its spans are replaced by their names wherever they stand."""
    stub = SpanRecord(bytes.fromhex(trace_id), b"", None, "", 0, 0)
    spans = read(server, [stub] * SPANS[library])
    assert len(spans) == SPANS[library]
    names: dict[Any, str] = {trace_id: "TRACE", bytes.fromhex(trace_id): "TRACE", trace_id.lstrip("0"): "TRACE"}
    for span_id, span in spans.items():
        names[span_id] = names[bytes.fromhex(span_id)] = span["name"]
    return {span["name"]: named(span, names) for span in spans.values()}


def named(value: Any, names: dict[Any, str]) -> Any:
    """A value with IDs replaced."""
    if isinstance(value, (str, bytes)):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: named(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(named(item, names) for item in value)
    return value


def without(span: dict[str, Any], field: str, *keys: str) -> dict[str, Any]:
    """A span without some keys of one field."""
    return {**span, field: {key: value for key, value in span[field].items() if key not in keys}}


# ---------------------------------------------------------------------- py_zipkin


def with_status(spans: Trace, kind: str) -> Trace:
    """Rule 9: an error says so under OpenTelemetry's name too."""
    added = {"zipkin": {"otel.status_code": "ERROR"}, "jaeger": {"otel.status_code": "ERROR"}}[kind]
    return {
        name: {**span, "tags": {**span["tags"], **added}} if "error" in span.get("tags", {}) else span
        for name, span in spans.items()
    }


@pytest.mark.parametrize("ours", ["json", "protobuf"])
@pytest.mark.parametrize("encoding", ["V2_JSON", "V1_JSON", "V2_PROTO3"])
def test_zipkin_tells_the_same_of_py_zipkin(zipkin, encoding, ours):
    """Whichever py_zipkin writes and whichever we write."""
    own = told(readback.zipkin_says, zipkin, "py_zipkin", run("py_zipkin", own=port(zipkin.url), encoding=encoding))
    adapter = {"zipkin": {"endpoint": zipkin.spans_url, "encoding": ours}}
    bridged = run("py_zipkin", bridge={"adapters": adapter}, encoding=encoding)
    wanted = with_status(own, "zipkin")
    if encoding == "V1_JSON":  # rule 12: every span tells its service, which py_zipkin's v1 leaves out of local ones
        wanted["inner"]["localEndpoint"] = wanted["get /cart"]["localEndpoint"]
    assert told(readback.zipkin_says, zipkin, "py_zipkin", bridged) == wanted


def test_jaegers_zipkin_port_tells_the_same_of_py_zipkin(jaeger):
    """Jaeger 1's own translation of Zipkin has nothing to tell them apart by."""
    own = told(readback.jaeger_says, jaeger, "py_zipkin", run("py_zipkin", own=port(jaeger.zipkin_url)))
    bridged = run("py_zipkin", bridge={"adapters": {"zipkin": {"endpoint": jaeger.zipkin_url}}})
    assert told(readback.jaeger_says, jaeger, "py_zipkin", bridged) == with_status(own, "jaeger")


# ---------------------------------------------------------------------- the OpenTelemetry SDK


def test_a_collector_tells_the_same_of_the_sdk(collector):
    """Its own OTLP exporter leaves out W3C's flag bits (rule 17) and the links' trace state (rule 16)."""
    own = run("opentelemetry", own=f"{collector.otlp_http}/v1/traces")
    bridged = run("opentelemetry", bridge={"adapters": {"otlp_http": {"endpoint": collector.otlp_http}}})
    wanted = told(readback.collector_says, collector, "opentelemetry", own)
    for span in wanted.values():
        span["flags"] |= 1 if span["name"] == "consume" else 3  # a random ID says so; the remote parent's does not
        span["links"] = [(trace_id, span_id, "vendor=1", more) for trace_id, span_id, _, more in span["links"]]
    assert told(readback.collector_says, collector, "opentelemetry", bridged) == wanted


def test_jaeger_tells_the_same_of_the_sdk(jaeger):
    """Over OTLP Jaeger 1 does not see what its exporter leaves out."""
    own = run("opentelemetry", own=f"{jaeger.otlp_http}/v1/traces")
    bridged = run("opentelemetry", bridge={"adapters": {"otlp_http": {"endpoint": jaeger.otlp_http}}})
    assert told(readback.jaeger_says, jaeger, "opentelemetry", bridged) == told(
        readback.jaeger_says, jaeger, "opentelemetry", own
    )


PEERS = {"select": {"serviceName": "db"}, "send": {"serviceName": "broker.example", "port": 9092}}
DURATIONS = {"blink": 1, "get /cart": 20_000, "select": 1_000}
ANNOTATIONS = ['"cache miss": {"key":"cart:7","tries":2}', "bare"]
LINK = '00000000a0b0c0d00000000000000001|00c0d00000000000|vendor=1|{"why":"retry"}|0'


def as_the_rules_say(span: dict[str, Any]) -> dict[str, Any]:
    """What is more right about ours than about OpenTelemetry's Zipkin exporter."""
    name = span["name"]
    out = without(
        span, "tags", "service.name", "otel.library.name", "otel.library.version"
    )  # rule 12; deprecated twins of the scope
    if out["tags"].get("otel.scope.version") == "":
        del out["tags"]["otel.scope.version"]
    del out["debug"]  # rule 17: sampled is not debug
    if name in DURATIONS:
        out["duration"] = DURATIONS[name]  # rules 5 and 6: at least 1 µs, integer arithmetic, nothing rounded up
    if name in PEERS:
        out["remoteEndpoint"] = PEERS[name]  # rule 13
    if name == "consume":
        out["tags"]["w3c.tracestate"] = "vendor=2"  # rule 16
    if name == "get /cart":
        out["tags"]["otlp.link.0"] = LINK  # rule 15
        pairs = zip(span["annotations"], ANNOTATIONS, strict=True)
        out["annotations"] = [{**each, "value": value} for each, value in pairs]  # rule 14
    return out


def test_zipkin_tells_the_same_of_the_sdk(zipkin):
    """But for what that exporter, which is going away, does not say or says wrongly."""
    own = run("opentelemetry", own=zipkin.spans_url, exporter="zipkin")
    bridged = run("opentelemetry", bridge={"adapters": {"zipkin": {"endpoint": zipkin.spans_url}}})
    wanted = told(readback.zipkin_says, zipkin, "opentelemetry", own)
    assert told(readback.zipkin_says, zipkin, "opentelemetry", bridged) == {
        name: as_the_rules_say(span) for name, span in wanted.items()
    }
