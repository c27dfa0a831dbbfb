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
    forms = (trace_id, trace_id.removeprefix("0" * 16), trace_id.lstrip("0"), bytes.fromhex(trace_id))
    names: dict[Any, str] = dict.fromkeys(forms, "TRACE")
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


# ---------------------------------------------------------------------- jaeger-client


def as_jaeger_is_told(span: dict[str, Any]) -> dict[str, Any]:
    """Rule 9: an error is true and says so under OpenTelemetry's names too; OpenTracing: of a tag set twice the last counts."""
    error = span["tags"].get("error")
    if error is None:
        return span
    told = {"error": True, "otel.status_code": "ERROR", **({} if error is True else {"otel.status_description": error})}
    return {**span, "tags": {**span["tags"], **told}}


@pytest.mark.parametrize("wire", ["agent_compact", "agent_binary", "thrift_http"])
@pytest.mark.parametrize("which", ["jaeger", "jaeger_2"])
def test_jaeger_tells_the_same_of_jaeger_client(which, wire, request):
    """Jaeger 1 and 2, over UDP and HTTP, tell of our Thrift what they tell of jaeger-client's own."""
    server = request.getfixturevalue(which)
    own = told(readback.jaeger_says, server, "jaeger-client", run("jaeger-client", own=port(server.agent_compact)))
    protocol = "binary" if wire == "agent_binary" else "compact"
    adapter = {"jaeger_thrift": {"endpoint": getattr(server, wire), "protocol": protocol}}
    bridged = run("jaeger-client", bridge={"adapters": adapter})
    wanted = {name: as_jaeger_is_told(span) for name, span in own.items()}
    assert told(readback.jaeger_says, server, "jaeger-client", bridged) == wanted


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


# ---------------------------------------------------------------------- every library, every destination

SKELETONS: dict[str, dict[str, tuple[str, str, bool]]] = {
    "jaeger-client": {
        "GET /cart": ("", "server", False),
        "SELECT": ("GET /cart", "client", True),
        "price": ("GET /cart", "", False),
        "later": ("price", "", False),
        "joined": ("GET /cart", "", True),
        "send": ("GET /cart", "producer", False),
    },
    "py_zipkin": {
        "get /cart": ("0020000000000001", "server", False),
        "price": ("get /cart", "", False),
        "select": ("get /cart", "client", True),
        "inner": ("select", "", False),
        "ask": ("get /cart", "client", False),
    },
    "opentelemetry": {
        "GET /cart": ("", "server", False),
        "SELECT": ("GET /cart", "client", True),
        "price": ("GET /cart", "", False),
        "blink": ("GET /cart", "", False),
        "send": ("GET /cart", "producer", False),
        "consume": ("00abcdef00000000", "consumer", False),
    },
}
"""Parent, kind and whether it failed, of each application's spans by name."""


def of_zipkin(span: dict[str, Any]) -> tuple[str, str, bool]:
    """A span's skeleton, as Zipkin has it."""
    return span.get("parentId", ""), span.get("kind", "").lower(), "error" in span.get("tags", {})


def of_jaeger(span: dict[str, Any]) -> tuple[str, str, bool]:
    """A span's skeleton, as Jaeger has it; "internal" is said by OTLP only."""
    kind = span["tags"].get("span.kind", "")
    here = [span_id for _, trace_id, span_id in span["references"] if trace_id == "TRACE"]
    return (
        here[0] if here else "",
        "" if kind == "internal" else kind,
        span["tags"].get("error") is True,
    )


def of_otlp(span: dict[str, Any]) -> tuple[str, str, bool]:
    """A span's skeleton, as a Collector passes it on."""
    kinds = ["", "", "server", "client", "producer", "consumer"]
    parent = span["parent"]
    return parent.hex() if isinstance(parent, bytes) else parent, kinds[span["kind"]], span["status"][0] == 2


DESTINATIONS: dict[str, tuple[str, str, Any, Any]] = {
    "Zipkin": ("zipkin", "zipkin", readback.zipkin_says, of_zipkin),
    "Jaeger 1, UDP": ("jaeger", "jaeger_thrift/agent_compact", readback.jaeger_says, of_jaeger),
    "Jaeger 1, HTTP": ("jaeger", "jaeger_thrift/thrift_http", readback.jaeger_says, of_jaeger),
    "Jaeger 2": ("jaeger_2", "jaeger_thrift/thrift_http", readback.jaeger_says, of_jaeger),
    "OTLP": ("collector", "otlp_http", readback.collector_says, of_otlp),
}


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("library", SKELETONS)
def test_every_library_reaches_every_destination(library, destination, request):
    """Each span with its ID's place in the tree, its kind and its failure, whoever made it and wherever it goes."""
    which, adapter, read, skeleton_of = DESTINATIONS[destination]
    server = request.getfixturevalue(which)
    kind, _, wire = adapter.partition("/")
    endpoint = {"zipkin": getattr(server, "spans_url", ""), "otlp_http": getattr(server, "otlp_http", "")}.get(kind)
    trace_id = run(library, bridge={"adapters": {adapter: {"endpoint": endpoint or getattr(server, wire)}}})
    got = told(read, server, library, trace_id)
    wanted: dict[str, Any] = SKELETONS[library]
    if which == "zipkin":  # rule 7: Zipkin writes names in lower case
        wanted = {name.lower(): (parent.lower(), *rest) for name, (parent, *rest) in wanted.items()}
    assert {name: skeleton_of(span) for name, span in got.items()} == wanted
