"""Every trace case as Thrift into a real Jaeger 1 (agent and collector), a real Jaeger 2 and a real Collector, read back field by field."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from support import kept, readback
from support.cases import CASES, Build
from support.otlp_view import ATTRIBUTES
from support.otlp_view import expected as expected_of_otlp
from tracebridge import Client
from tracebridge.plugins.adapter import Context
from tracebridge.records.record import Event, Kind, Link, SpanRecord, StatusCode
from tracebridge.testing import records as records_of
from tracebridge_adapters.jaeger_thrift import JaegerThriftAdapter, JaegerThriftOptions

pytestmark = pytest.mark.server
every_case = pytest.mark.parametrize("case", CASES, ids=repr)
every_wire = pytest.mark.parametrize("wire", ["agent_compact", "agent_binary", "thrift_http"])
WITHIN_S = 10.0


def options(server: Any, wire: str) -> dict[str, Any]:
    """The adapter's configuration for a server and one of its ports."""
    return {"endpoint": getattr(server, wire), "protocol": "binary" if wire == "agent_binary" else "compact"}


def deliver(adapter: dict[str, Any], records: Sequence[SpanRecord]) -> Any:
    """Send records through a client, as an application does, and return the adapter's account."""
    config = {"limits": {"attribute_value_length_limit": 2**20}, "adapters": {"jaeger_thrift": adapter}}
    with Client(config=config) as client:
        for record in records:
            client.ingest(record)
        assert client.flush(WITHIN_S)
        return client.stats().adapters["jaeger_thrift"]


def thrift_tags(record: SpanRecord) -> dict[str, Any]:
    """The typed tags of a span."""
    tags = {
        key: value if isinstance(value, (bool, int, float)) else readback.text(value)
        for key, value in ATTRIBUTES(record).items()
    }
    if record.kind > Kind.INTERNAL:
        tags["span.kind"] = Kind(record.kind).name.lower()
    if tags.get("error") is False:
        del tags["error"]
    if record.status == StatusCode.ERROR:
        tags.update({"error": True, "otel.status_code": "ERROR"})
        if record.status_message:
            tags["otel.status_description"] = record.status_message
    elif record.status == StatusCode.OK:
        tags["otel.status_code"] = "OK"
    if record.trace_state:
        tags["w3c.tracestate"] = record.trace_state
    if record.scope:
        tags.update({"otel.scope.name": record.scope.name, "otel.scope.version": record.scope.version})
    for what in ("attributes", "events", "links"):
        if getattr(record, f"dropped_{what}"):
            tags[f"otel.dropped_{what}_count"] = getattr(record, f"dropped_{what}")
    return tags


def expected_of_jaeger_thrift(record: SpanRecord) -> dict[str, Any]:
    """Jaeger fed by Thrift says what it says when fed by OTLP, but for the tags."""
    return {
        **readback.expected_of_jaeger(record),
        "name": record.name or "unknown_operation",
        "tags": {key: readback.jaeger_value(value) for key, value in thrift_tags(record).items()},
    }


def by_hex(records: Sequence[SpanRecord], expected: Any) -> dict[str, Any]:
    """Expected values by span ID."""
    return {record.span_id.hex(): expected(record) for record in records}


def counted(wire: str, spans: int) -> dict[str, int]:
    """What an answer counts as exported, and no answer as sent."""
    return {"exported": spans, "sent": 0} if wire == "thrift_http" else {"exported": 0, "sent": spans}


@every_case
@every_wire
@pytest.mark.parametrize("name", ["jaeger", "jaeger_2"])
def test_jaeger_tells_the_trace_that_was_sent(request, name, salt, case, wire):
    """The query API of Jaeger 1.62 and 2.13 returns every field, through their agents' ports and through HTTP."""
    jaeger = request.getfixturevalue(name)
    records = case.records(salt)
    account = deliver(options(jaeger, wire), records)
    assert {"exported": account.exported, "sent": account.sent} == counted(wire, len(records))
    assert readback.jaeger_says(jaeger, records) == by_hex(records, expected_of_jaeger_thrift)


def expected_of_collector_from_thrift(record: SpanRecord) -> dict[str, Any]:
    """The Collector's Jaeger receiver: typed, microseconds, logs as events; scope, tracestate and dropped counts stay among the tags."""
    start, duration = record.start_time_ns // 1000, record.duration_ns // 1000
    attributes = {
        key: value
        for key, value in thrift_tags(record).items()
        if key not in {"span.kind", "error", "otel.status_code", "otel.status_description"}
    }
    return {
        **expected_of_otlp(record),
        "name": record.name or "unknown_operation",
        "attributes": attributes,
        "start": start * 1000,
        "end": (start + duration) * 1000,
        "kind": record.kind if record.kind > Kind.INTERNAL else 0,
        "links": [(k.trace_id, k.span_id, "", {"opentracing.ref_type": "follows_from"}) for k in record.links],
        "dropped": (0, 0, 0),
        "flags": record.flags & 1,
        "trace_state": "",
        "scope": "",
    }


@every_case
@every_wire
def test_the_collector_understands_our_thrift(collector, salt, case, wire):
    """What a Collector's Jaeger receiver passes on as OTLP is what was sent."""
    records = case.records(salt)
    account = deliver(options(collector, wire), records)
    assert {"exported": account.exported, "sent": account.sent} == counted(wire, len(records))
    assert readback.collector_says(collector, records) == by_hex(records, expected_of_collector_from_thrift)


@every_wire
def test_our_own_spans_say_which_host_they_are_from(jaeger, wire):
    """`hostname` and `ip` are process tags, so that Jaeger does not distrust the clock."""
    config = {
        "resource": {"attributes": {"service.name": f"host-{wire}"}},
        "adapters": {"jaeger_thrift": options(jaeger, wire), "memory": {}},
    }
    with Client(config=config) as client:
        root = client.start_trace("whoami")
        client.end_trace(root.trace_id)
        assert client.flush(WITHIN_S)
        records = records_of(client)
    (span,) = readback.jaeger_says(jaeger, records).values()
    assert span["service"] == f"host-{wire}"
    assert span["process"]["hostname"] == socket.gethostname()
    assert ipaddress.ip_address(span["process"]["ip"])


@every_wire
def test_odd_spans_are_shown_all_the_same(jaeger, salt, wire):
    """What JSON cannot say, names that collide, debug and unsampled spans, a link to the parent: nothing hides a trace."""
    b = Build(f"{salt}/odd")
    root = b.span(
        "\ud800odd",
        kind=int(Kind.CLIENT),
        status=int(StatusCode.ERROR),
        status_message="boom",
        attributes={
            "nan": float("nan"), "infinity": float("-inf"), "huge": 2**70, "bytes": b"\x00\xff", "error": "mine", "span.kind": "mine",
        },
    )  # fmt: skip
    followed = [Link(b.trace_id, root.span_id), Link(b.trace_id, b"\x09" * 8, "", {"opentracing.ref_type": "child_of"})]
    child = b.span("linked", root, debug=True, links=followed)
    unsampled = b.span("unsampled", root, flags=0)
    deliver(options(jaeger, wire), [root, child, unsampled])
    said = readback.jaeger_says(jaeger, [root, child, unsampled])
    assert said[root.span_id.hex()]["name"].endswith("odd")
    assert said[root.span_id.hex()]["tags"] == {
        "nan": "NaN", "infinity": "-Infinity", "huge": str(2**70), "bytes": "AP8=", "error": True, "span.kind": "client",
        "otel.status_code": "ERROR", "otel.status_description": "boom",
        "tracebridge.displaced.error": "mine", "tracebridge.displaced.span.kind": "mine", "tracebridge.repaired": 2,
    }  # fmt: skip
    trace_id = b.trace_id.hex()
    assert said[child.span_id.hex()]["references"] == [
        ("CHILD_OF", trace_id, root.span_id.hex()),
        ("FOLLOWS_FROM", trace_id, root.span_id.hex()),
        ("CHILD_OF", trace_id, "09" * 8),
    ]
    assert said[unsampled.span_id.hex()]["references"] == [("CHILD_OF", trace_id, root.span_id.hex())]


@pytest.mark.parametrize("wire", ["agent_compact", "agent_binary"])
def test_a_span_too_large_for_an_agent_arrives_without_its_largest_parts(jaeger, salt, wire):
    """The tag and the event that do not fit are left out, and the span says so; its neighbours are whole."""
    b = Build(f"{salt}/large")
    root = b.span("neighbour", attributes={"text": "x" * 60_000})
    events = [
        Event("large", root.start_time_ns, {"text": "y" * 70_000}),
        Event("small", root.start_time_ns, {"text": "z"}),
    ]
    large = b.span("large", root, attributes={"big": "x" * 100_000, "small": "s"}, events=events)
    account = deliver(options(jaeger, wire), [root, large])
    assert (account.sent, dict(account.dropped)) == (2, {})
    said = readback.jaeger_says(jaeger, [root, large])
    assert said[root.span_id.hex()]["tags"]["text"] == "x" * 60_000
    assert said[large.span_id.hex()]["tags"] == {
        "small": "s", "otel.status_code": "OK", "tracebridge.stripped": "big", "otel.dropped_attributes_count": 1,
        "otel.dropped_events_count": 1,
    }  # fmt: skip
    assert [fields for _, fields in said[large.span_id.hex()]["logs"]] == [{"event": "small", "text": "z"}]


def test_the_collector_takes_compressed_bodies(collector, salt):
    """Its HTTP servers know gzip, and so do Jaeger 2's; Jaeger 1's does not, hence the default."""
    records = Build(f"{salt}/gzip")
    root = records.span("compressed")
    account = deliver({**options(collector, "thrift_http"), "compression": "gzip"}, [root])
    assert account.exported == 1
    assert list(readback.collector_says(collector, [root])) == [root.span_id.hex()]


@every_case
def test_jaeger_gives_the_records_back(jaeger, salt, case):
    """With a query_endpoint traces are read back, the counts of what was dropped included, which OTLP loses on its way into Jaeger."""
    records = case.records(salt)
    deliver(options(jaeger, "thrift_http"), records)
    readback.jaeger_says(jaeger, records)
    reading = JaegerThriftOptions(endpoint=jaeger.agent_compact, query_endpoint=jaeger.query_url)
    adapter = JaegerThriftAdapter(reading, Context("test"))
    assert adapter.link(records[0].trace_id) == f"{jaeger.query_url}/trace/{records[0].trace_id.hex()}"
    back = {record.span_id: record for record in adapter.reader.get(records[0].trace_id)}
    adapter.close()

    def expected(record: SpanRecord) -> SpanRecord:
        left = kept.by_jaeger(kept.in_micros(record))
        attributes = {key: value for key, value in left.attributes.items() if (key, value) != ("error", False)}
        counts = {name: getattr(record, name) for name in ("dropped_attributes", "dropped_events", "dropped_links")}
        return replace(left, attributes=attributes, **counts)

    assert back == {record.span_id: expected(record) for record in records}
