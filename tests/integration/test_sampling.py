"""Sampling beside the others: the same traces as OpenTelemetry's SDK and a Collector, and counts that stay right."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace._sampling_experimental import composable_traceid_ratio_based, composite_sampler
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import TraceState

from support.backends.collector import Collector, start_collector
from tracebridge import Client, SpanRecord
from tracebridge.records.record import StatusCode
from tracebridge.sampling import member
from tracebridge.sampling.threshold import ratio_of
from tracebridge.testing import records

TRACES = 20_000
EQUALIZING = {"mode": "equalizing", "sampling_precision": 14}
WAIT_S = 120


@pytest.fixture
def started(collector: Collector) -> Iterator[Callable[..., Collector]]:
    """Start Collectors of any configuration, where one could be started at all, and stop them."""
    running: list[Collector] = []

    def start(sampler: dict[str, Any] | None, **more: Any) -> Collector:
        processors = {} if sampler is None else {"probabilistic_sampler": sampler}
        running.append(start_collector(processors=processors, **more))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def ids(seed: int, count: int = TRACES) -> list[str]:
    """Random trace IDs, the same in each run."""
    generator = random.Random(seed)
    return [f"{generator.getrandbits(128) or 1:032x}" for _ in range(count)]


def kept_here(trace_ids: list[str], ratio: float, endpoint: str = "") -> set[str]:
    """What a client keeps of these; delivered to a Collector, if there is one."""
    adapters: Any = {"otlp_http": {"endpoint": endpoint}} if endpoint else {"memory": {}}
    with Client(config={"adapters": adapters, "sampling": {"ratio": ratio}}) as client:
        kept = set()
        for trace_id in trace_ids:
            root = client.start_trace("root", trace_id=trace_id)
            if client.inject(root, {})["traceparent"].endswith("01"):
                kept.add(trace_id)
            root.end()
        assert client.flush(WAIT_S)
    return kept


def spans_at(collector: Collector, wanted: int) -> list[dict[str, Any]]:
    """The spans that a Collector passed on, once it has passed on so many."""
    spans: list[dict[str, Any]] = []
    deadline = time.monotonic() + WAIT_S
    while len(spans) < wanted and time.monotonic() < deadline:
        while not collector.sink.bodies.empty():
            document = json.loads(collector.sink.bodies.get())
            for resource in document.get("resourceSpans", ()):
                spans += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
        time.sleep(0.05)
    return spans


@pytest.mark.parametrize("ratio", [0.1, 0.01, 1 / 3, 0.99])
def test_the_same_traces_as_opentelemetrys_sampler_with_the_same_text(ratio):
    """Its composable sampler, asked by hand, keeps the same of 20,000 and writes the same `th`."""
    trace_ids = ids(1)
    sampler = composite_sampler(composable_traceid_ratio_based(ratio))
    theirs, texts = set(), set()
    for trace_id in trace_ids:
        result = sampler.should_sample(None, int(trace_id, 16), "root", trace_state=TraceState())
        if result.decision is Decision.RECORD_AND_SAMPLE:
            theirs.add(trace_id)
            texts.add(result.trace_state.to_header())
    client = Client(config={"adapters": {"memory": {}}, "sampling": {"ratio": ratio}})
    root = client.start_trace("root", trace_id=next(iter(theirs)))
    ours = {client.inject(root, {})["tracestate"]}
    root.end()
    client.close()
    assert (theirs, texts) == (kept_here(trace_ids, ratio), ours)


@pytest.mark.server
@pytest.mark.parametrize("ratio", [0.1, 0.01])
def test_an_equalizing_collector_keeps_just_what_we_keep(started, ratio):
    """All that we kept passes with its threshold; of what we sent whole it keeps the same traces."""
    trace_ids = ids(2)
    collector = started({"sampling_percentage": ratio * 100, **EQUALIZING})
    kept = kept_here(trace_ids, ratio, collector.otlp_http)
    passed = spans_at(collector, len(kept))
    with Client(config={"adapters": {"otlp_http": {"endpoint": collector.otlp_http}}}) as client:
        for trace_id in trace_ids:
            client.start_trace("root", trace_id=trace_id).end()
        assert client.flush(WAIT_S)
    whole = spans_at(collector, len(kept))
    assert (kept, kept) == ({span["traceId"] for span in passed}, {span["traceId"] for span in whole})
    assert len({span["traceState"] for span in passed}) == 1


@pytest.mark.server
def test_a_collector_in_default_mode_drops_all_that_carries_a_threshold(started):
    """What the page and `doctor` warn of: not one of a hundred arrives, and no error is answered."""
    collector = started({"sampling_percentage": 100})
    assert len(kept_here(ids(3, 100), 1, collector.otlp_http)) == 100
    with Client(config={"adapters": {"otlp_http": {"endpoint": collector.otlp_http}}}) as client:
        client.start_trace("without a threshold").end()
        assert client.flush(WAIT_S)
    assert [span["name"] for span in spans_at(collector, 1)] == ["without a threshold"]


@pytest.mark.server
def test_a_collector_keeps_what_was_kept_where_it_is_asked_to(started):
    """An equalizing one thins out errors that are kept with certainty, unless they have a priority."""
    kept = []
    for attributes in ([], ["priority"]):
        collector = started({"sampling_percentage": 1, **EQUALIZING})
        sampling = {"ratio": 0.5, "keep": {"errors": True}, "attributes": attributes}
        with Client(
            config={"adapters": {"otlp_http": {"endpoint": collector.otlp_http}}, "sampling": sampling}
        ) as client:
            for trace_id in ids(4, 200):
                client.start_trace("root", trace_id=trace_id).end(status="ERROR")
            assert client.flush(WAIT_S)
        kept.append(len(spans_at(collector, 200 if attributes else 0)))
    assert (kept[0] < 20, kept[1]) == (True, 200)


@pytest.mark.server
def test_counts_are_right_with_ratio_errors_and_a_limit(started):
    """A Collector's span metrics count what was made: errors exactly, others as their weights say, which differ from it by chance alone.

    How far chance may lead depends on how often the limit halved what is kept, and that on the machine: it is reckoned from the weights.
    """
    collector = started(None, span_metrics=True)
    sampling = {"ratio": 0.2, "keep": {"errors": True}, "max_traces_per_second": 2_000}
    adapters = {"otlp_http": {"endpoint": collector.otlp_http}, "memory": {}}
    config: Any = {"adapters": adapters, "sampling": sampling}
    made: Counter[str] = Counter()
    with Client(config=config) as client:
        for number, trace_id in enumerate(ids(5)):
            status = "ERROR" if number % 20 == 0 else "OK"
            made[status] += 1
            client.start_trace("root", trace_id=trace_id).end(status=status)
        weights = [weight_of(record) for record in records(client) if record.status != StatusCode.ERROR]
    deadline = time.monotonic() + WAIT_S
    counted: dict[str, float] = {}

    def is_counted() -> bool:
        return counted.get("ERROR") == made["ERROR"] and abs(counted.get("OK", 0) / sum(weights) - 1) < 0.01

    while time.monotonic() < deadline and not is_counted():
        while not collector.sink.bodies.empty():
            counted.update(calls(json.loads(collector.sink.bodies.get())))
        time.sleep(0.2)
    assert made["ERROR"] == counted["ERROR"]
    assert counted["OK"] == pytest.approx(sum(weights), rel=0.01)
    assert abs(sum(weights) - made["OK"]) < 5 * math.sqrt(sum(weight * (weight - 1) for weight in weights))


def weight_of(record: SpanRecord) -> float:
    """How many spans one that was kept stands for."""
    threshold = member.read(record.trace_state).threshold
    assert threshold is not None
    return 1 / ratio_of(threshold)


def calls(document: Any) -> dict[str, float]:
    """By status, how many calls a metrics document counts."""
    found: dict[str, float] = {}
    for resource in document.get("resourceMetrics", ()):
        for scope in resource["scopeMetrics"]:
            for metric in scope["metrics"]:
                if metric["name"].endswith("calls"):
                    for point in metric["sum"]["dataPoints"]:
                        told = {a["key"]: a["value"].get("stringValue") for a in point["attributes"]}
                        status = str(told["status.code"]).removeprefix("STATUS_CODE_").upper()
                        found[status] = float(point.get("asInt", point.get("asDouble", 0)))
    return found


DDTRACE = """
import json, sys
from ddtrace.trace import tracer
from ddtrace.propagation.http import HTTPPropagator
out = []
for _ in range(90):  # its limiter takes a hundred a second, and says nothing on what it drops
    span = tracer.start_span("root")
    headers = {}
    HTTPPropagator.inject(span, headers)
    out.append(headers)
    span.finish()
print(json.dumps(out))
"""


def test_ddtraces_headers_are_obeyed_and_thinned_out_by_its_own_draw(ddtrace):
    """Its `rv` stays what a trace is drawn by: with `ignore` a tenth of its traces is kept, and every later process comes to the same."""
    settings = {
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_TRACE_PROPAGATION_STYLE": "tracecontext",
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [ddtrace, "-c", DDTRACE],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    came = json.loads(done.stdout.splitlines()[-1])
    assert all("rv:" in headers["tracestate"] for headers in came)
    obeying = Client(config={"adapters": {"memory": {}}, "sampling": {"ratio": 0}})
    ignoring = Client(config={"adapters": {"memory": {}}, "sampling": {"ratio": 0.1, "parent": "ignore"}})
    kept = 0
    for headers in came:
        draw = int(headers["tracestate"].partition("rv:")[2][:14], 16)
        one = obeying.start_trace("root", parent=obeying.extract(headers))
        assert obeying.inject(one, {})["traceparent"][-2:] == headers["traceparent"][-2:]
        one.end()
        other = ignoring.start_trace("root", parent=ignoring.extract(headers))
        told = ignoring.inject(other, {})
        sampled = told["traceparent"].endswith(("01", "03"))
        assert sampled is (draw >= 2**56 - round(0.1 * 2**56))
        assert f"rv:{draw:014x}" in told["tracestate"]
        kept += sampled
        other.end()
    obeying.close()
    ignoring.close()
    assert 1 <= kept <= 35


@pytest.mark.server
@pytest.mark.parametrize("name", ["zipkin", "jaeger"])
def test_weights_stand_on_every_span_in_zipkin_and_jaeger(request, name):
    """As the tag `w3c.tracestate`."""
    server = request.getfixturevalue(name)
    adapter = (
        {"zipkin": {"endpoint": server.spans_url}}
        if name == "zipkin"
        else {"jaeger_thrift": {"endpoint": server.thrift_http}}
    )
    trace_id = f"{random.SystemRandom().getrandbits(128) | 0xFFFFFF << 32:032x}"
    with Client(config={"adapters": adapter, "sampling": {"ratio": 0.5, "keep": {"errors": True}}}) as client:
        with client.trace("root", trace_id=trace_id):
            client.start_span("child").end(status="ERROR")
        assert client.flush(WAIT_S)
    assert server_states(server, name, trace_id) == {"root": "ot=th:0", "child": "ot=th:0"}


def server_states(server: Any, name: str, trace_id: str) -> dict[str, Any]:
    """By name, the trace states that a server shows once it has both spans."""
    import urllib3

    base = f"{server.url}/api/v2/trace/" if name == "zipkin" else f"{server.query_url}/api/traces/"
    deadline = time.monotonic() + WAIT_S
    found: dict[str, Any] = {}
    while len(found) < 2 and time.monotonic() < deadline:
        answer = urllib3.request("GET", base + trace_id)
        if answer.status == 200:
            if name == "zipkin":
                found = {span["name"]: span["tags"].get("w3c.tracestate") for span in answer.json()}
            else:
                found = {
                    span["operationName"]: {tag["key"]: tag["value"] for tag in span["tags"]}.get("w3c.tracestate")
                    for trace in answer.json()["data"]
                    for span in trace["spans"]
                }
        time.sleep(0.1)
    return found
