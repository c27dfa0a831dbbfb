"""The jaeger-client source: its spans as records, and what it does with broken ones."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from support.applications import jaeger_client_application
from support.peers import peer
from tracebridge.records.record import Event, Kind, Link, Resource, Scope, StatusCode
from tracebridge_adapters.dialects import attributes_for

jaeger_client, opentracing = peer("jaeger_client"), peer("opentracing")
TBinaryProtocol = peer("thrift.protocol.TBinaryProtocol").TBinaryProtocol
TMemoryBuffer = peer("thrift.transport.TTransport").TMemoryBuffer
thrift, ttypes = peer("jaeger_client.thrift"), peer("jaeger_client.thrift_gen.jaeger.ttypes")

PROCESS = {"ip": "192.0.2.7", "hostname": "node-7", "zone": "eu"}
T0 = 1_790_000_000.25


@pytest.fixture
def client(make_client):
    """A client with a memory adapter."""
    return make_client()


@pytest.fixture
def tracer(client):
    """A jaeger-client tracer that reports to it."""
    reporter = client.source("jaeger-client")
    return jaeger_client.Tracer(
        "shop", reporter, jaeger_client.ConstSampler(True), tags=PROCESS, generate_128bit_trace_id=True
    )


def arrived(client) -> dict[str, Any]:
    """The records that arrived, by name."""
    assert client.flush()
    return {record.name: record for record in client.adapter("memory").records}


def test_a_span_arrives_with_everything_its_own_reporter_would_send(client, tracer):
    """IDs, microseconds, typed tags, kind, logs and process are the span's own."""
    span = tracer.start_span(
        "charge", start_time=T0, tags={"span.kind": "client", "n": 3, "x": 1.5, "ok": True, "who": "ada"}
    )
    span.log_kv({"event": "retry", "attempt": 2}, timestamp=T0 + 0.001)
    span.log_kv({"note": "no name"}, timestamp=T0 + 0.002)
    span.finish(T0 + 0.0205)
    record = arrived(client)["charge"]
    sent = thrift.make_jaeger_batch([span], None).spans[0]
    assert (record.trace_id, record.span_id, record.parent_id) == (
        span.trace_id.to_bytes(16, "big"),
        span.span_id.to_bytes(8, "big"),
        None,
    )
    assert (record.start_time_ns, record.duration_ns) == (sent.startTime * 1000, sent.duration * 1000)
    assert record.attributes == {
        "n": 3,
        "x": 1.5,
        "ok": True,
        "who": "ada",
        "sampler.type": "const",
        "sampler.param": True,
    }
    assert record.kind == Kind.CLIENT
    assert (record.status, record.status_message, record.flags, record.debug) == (StatusCode.UNSET, "", 1, False)
    assert record.events == (
        Event("retry", sent.logs[0].timestamp * 1000, {"attempt": 2}),
        Event("", sent.logs[1].timestamp * 1000, {"note": "no name"}),
    )
    assert record.resource == Resource({"service.name": "shop", "jaeger.version": "Python-4.8.0", **PROCESS})
    assert (record.scope, record.repaired) == (Scope(""), 0)


def test_references_become_the_parent_and_links_that_keep_their_type(client, tracer):
    """The first reference is the parent; what follows it, and every further reference, is a link."""
    with tracer.start_active_span("root") as root:
        other = tracer.start_span("other", ignore_active_span=True)
        other.finish()
        tracer.start_span("child").finish()
        joined = [opentracing.child_of(root.span.context), opentracing.child_of(other.context)]
        tracer.start_span("joined", references=joined).finish()
        tracer.start_span(
            "follower", references=opentracing.follows_from(root.span.context), ignore_active_span=True
        ).finish()
    records = arrived(client)
    root_id = records["root"].span_id
    assert {name: record.parent_id for name, record in records.items()} == {
        "root": None,
        "other": None,
        "child": root_id,
        "joined": root_id,
        "follower": root_id,
    }
    other_link = Link(
        records["other"].trace_id, records["other"].span_id, attributes={"opentracing.ref_type": "child_of"}
    )
    assert records["child"].links == ()
    assert records["joined"].links == (other_link,)
    assert records["follower"].links == (
        Link(records["root"].trace_id, root_id, attributes={"opentracing.ref_type": "follows_from"}),
    )


@pytest.mark.parametrize(
    ("tag", "status", "message", "left"),
    [
        (True, StatusCode.ERROR, "", {}),
        ("true", StatusCode.ERROR, "", {}),
        ("card declined", StatusCode.ERROR, "card declined", {}),
        (1, StatusCode.ERROR, "", {}),
        (False, StatusCode.UNSET, "", {"error": False}),
        ("false", StatusCode.UNSET, "", {"error": "false"}),
    ],
)
def test_the_error_tag_is_the_status(client, tracer, tag, status, message, left):
    """Any `error` but false means ERROR, and its text is the message."""
    tracer.start_span("s", ignore_active_span=True, tags={"error": tag}).finish()
    record = arrived(client)["s"]
    kept = {key: value for key, value in record.attributes.items() if not key.startswith("sampler.")}
    assert (record.status, record.status_message, kept) == (status, message, left)


def test_a_debug_request_arrives_as_one(client, tracer):
    """jaeger-debug-id forces a trace, and the record says that it is debug."""
    context = tracer.extract(opentracing.Format.TEXT_MAP, {"jaeger-debug-id": "look-here"})
    tracer.start_span("debugged", child_of=context).finish()
    record = arrived(client)["debugged"]
    assert (record.debug, record.flags, record.attributes) == (True, 1, {"jaeger-debug-id": "look-here"})


def test_scope_manager_and_propagation_stay_its_own(client, tracer):
    """What is injected is what the record says, in jaeger-client's own header."""
    carrier: dict[str, str] = {}
    with tracer.start_active_span("caller") as scope:
        tracer.inject(scope.span.context, opentracing.Format.TEXT_MAP, carrier)
        assert tracer.scope_manager.active is scope
    record = arrived(client)["caller"]
    assert carrier["uber-trace-id"] == f"{record.trace_id.hex().lstrip('0')}:{record.span_id.hex().lstrip('0')}:0:1"


def broken(**changes: Any) -> Any:
    """A span as jaeger-client has it, with something wrong."""
    context = SimpleNamespace(trace_id=7, span_id=8, parent_id=9, flags=1)
    span = SimpleNamespace(
        context=context, operation_name="odd", start_time=T0, end_time=T0 + 1, tags=[], logs=[], references=None
    )
    for name, value in changes.items():
        setattr(context if hasattr(context, name) else span, name, value)
    return span


@pytest.mark.parametrize(
    ("changes", "repaired"),
    [
        ({"trace_id": 0}, 1),
        ({"span_id": 0}, 1),
        ({"trace_id": 1 << 130, "span_id": None}, 2),
        ({"parent_id": 8}, 1),
        ({"parent_id": -3}, 1),
        ({"end_time": None}, 1),
        ({"start_time": None}, 2),
        ({"start_time": float("nan")}, 2),
        ({"start_time": -5.0}, 1),
        ({"operation_name": None}, 1),
        ({"tags": [ttypes.Tag(key="k", vType=99, vStr="v")]}, 1),
        ({"tags": [ttypes.Tag(key="k", vType=0, vStr=object())]}, 0),
    ],
    ids=str,
)
def test_a_broken_span_arrives_repaired_and_marked(client, changes, repaired):
    """What no destination could take is replaced; what was wrong is counted on the span."""
    client.source("jaeger-client").report_span(broken(**changes))
    assert client.flush()
    (record,) = client.adapter("memory").records
    assert any(record.trace_id)
    assert any(record.span_id)
    assert record.parent_id != record.span_id
    assert record.start_time_ns > 0
    assert record.repaired == repaired
    assert client.stats().rejected == {}


def test_a_negative_duration_is_kept_and_told_by_the_adapters(client):
    """An end before the start is not repaired: the record says so itself."""
    client.source("jaeger-client").report_span(broken(end_time=T0 - 1))
    assert client.flush()
    (record,) = client.adapter("memory").records
    assert (record.end_before_start, record.duration_ns) == (True, 0)


def test_what_is_no_span_is_counted_and_never_raises(client, caplog):
    """The reporter is called by a library that must not suffer."""
    reporter = client.source("jaeger-client")
    for thing in (None, "text", object(), SimpleNamespace(context=None)):
        reporter.report_span(thing)
    assert client.stats().rejected == {"jaeger-client: not a jaeger-client span": 4}
    assert [r.message for r in caplog.records] == [
        "source jaeger-client rejected a span: not a jaeger-client span (a NoneType)"
    ]
    reporter.set_process("shop", object(), 10)
    assert client.stats().rejected["jaeger-client: unreadable process tags"] == 1


def test_closing_the_tracer_is_done_at_once_with_and_without_a_loop(tracer):
    """The future that jaeger-client promises needs no event loop, and is one that a loop can await."""
    assert tracer.close().result(0) is True

    async def inside() -> bool:
        return await tracer.close()

    assert asyncio.run(inside()) is True


def test_after_the_client_has_closed_spans_are_counted(make_client):
    """A tracer may outlive the client."""
    client = make_client()
    reporter = client.source("jaeger-client")
    client.close()
    reporter.report_span(broken())
    assert client.stats().misuse == {"ingest_after_close": 1}


def values(tags: Any) -> dict[str, tuple[int, Any]]:
    """Thrift tags by key, each with its type; of two with one key the last."""
    return {tag.key: (tag.vType, (tag.vStr, tag.vDouble, tag.vBool, tag.vLong, tag.vBinary)[tag.vType]) for tag in tags}


def plain(span: Any) -> dict[str, Any]:
    """A Thrift span as comparable values."""
    own = {
        key: getattr(span, key)
        for key in ("traceIdLow", "traceIdHigh", "spanId", "parentSpanId", "operationName", "flags")
    }
    return {
        **own,
        "times": (span.startTime, span.duration),
        "tags": values(span.tags),
        "logs": [(log.timestamp, values(log.fields)) for log in span.logs or ()],
        "references": [(r.refType, r.traceIdLow, r.traceIdHigh, r.spanId) for r in span.references or ()],
    }


def as_the_rules_say(span: dict[str, Any]) -> dict[str, Any]:
    """What differs on purpose: a parent is also the first reference where there are others; an error says so in OpenTelemetry's terms."""
    tags, references, parent = dict(span["tags"]), span["references"], span["parentSpanId"]
    if references and parent not in {reference[3] for reference in references}:
        references = [(0, span["traceIdLow"], span["traceIdHigh"], parent), *references]
    if "error" in tags:
        kind, error = tags["error"]
        tags |= {"error": (2, True), "otel.status_code": (0, "ERROR")}
        if kind == 0:
            tags["otel.status_description"] = (0, error)
    return {**span, "tags": tags, "references": references}


def test_as_jaegers_thrift_a_span_is_what_its_own_reporter_sends(client):
    """Field by field and type by type, decoded by jaeger-client's own structs."""
    encode = peer("tracebridge_adapters.formats.jaeger.thrift")
    kept = jaeger_client.reporter.InMemoryReporter()
    both = jaeger_client.reporter.CompositeReporter(kept, client.source("jaeger-client"))
    tracer = jaeger_client.Tracer(
        "shop", both, jaeger_client.ConstSampler(True), tags=PROCESS, generate_128bit_trace_id=True
    )
    jaeger_client_application(tracer)
    assert client.flush()
    process = thrift.make_process("shop", tracer.tags, 1024)
    theirs = thrift.make_jaeger_batch(kept.get_spans(), process)
    shown = attributes_for("openinference", "tracebridge.trace_id")
    framing = encode.Framing("binary", False, 10**7)
    body = encode.encode(client.adapter("memory").records, shown, framing)
    ours = ttypes.Batch()
    ours.read(TBinaryProtocol(TMemoryBuffer(body)))
    assert [plain(span) for span in ours.spans] == [as_the_rules_say(plain(span)) for span in theirs.spans]
    assert (ours.process.serviceName, values(ours.process.tags)) == ("shop", values(process.tags))
