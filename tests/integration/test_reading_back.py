"""Teams' own Zipkin, Jaeger and MLflow are read back: what comes is what was sent, as far as each server keeps it."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from support import kept, readback
from support.backends.cache import REQUIRE, MissingServerError
from support.backends.jaeger import start_jaeger_2
from support.backends.process import http
from support.cases import CASES, Build
from support.commands import CliRunner
from tracebridge import Client, ReadError, SpanType, TraceNotFoundError
from tracebridge.cli import main
from tracebridge.errors import InvalidParameterError
from tracebridge.plugins.adapter import Context, TraceReader, reader_of
from tracebridge.plugins.options import Secret
from tracebridge.reading.search import Condition, Query
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.jaeger_thrift import JaegerThriftAdapter, JaegerThriftOptions
from tracebridge_adapters.otlp_grpc import OtlpGrpcAdapter, OtlpGrpcOptions
from tracebridge_adapters.otlp_http import OtlpHttpAdapter, OtlpHttpOptions
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

pytestmark = pytest.mark.server
CONTEXT = Context("test")
every_case = pytest.mark.parametrize("case", [c for c in CASES if c.name != "thousand"], ids=repr)


def there_and_back(adapter: Any, records: Sequence[SpanRecord]) -> dict[bytes, SpanRecord]:
    """Send, wait until the server tells as many spans, and give them by their IDs."""
    try:
        adapter.send(adapter.encode(records), len(records))
        deadline = time.monotonic() + readback.WAIT_S
        while len(got := adapter.reader.get(records[0].trace_id)) < len(records) and time.monotonic() < deadline:
            time.sleep(0.05)
        return {record.span_id: record for record in got}
    finally:
        adapter.close()


def each(records: Sequence[SpanRecord], left: Callable[[SpanRecord], SpanRecord]) -> dict[bytes, SpanRecord]:
    """What is left of each record, by its ID."""
    return {record.span_id: left(record) for record in records}


@every_case
def test_zipkin_gives_the_records_back(zipkin, salt, case):
    """Field by field, but for what Zipkin itself changes."""
    options = ZipkinOptions(endpoint=zipkin.spans_url, query_endpoint=zipkin.url)
    records = case.records(salt)
    assert there_and_back(ZipkinAdapter(options, CONTEXT), records) == each(records, kept.by_zipkin)


@every_case
def test_jaeger_gives_the_records_back(jaeger, salt, case):
    """Jaeger 1, fed by OTLP over gRPC."""
    options = OtlpGrpcOptions(endpoint=jaeger.otlp_grpc, query_endpoint=jaeger.query_url)
    records = case.records(salt)
    assert there_and_back(OtlpGrpcAdapter(options, CONTEXT), records) == each(records, kept.by_jaeger)


@every_case
def test_jaeger_2_gives_the_records_back(jaeger_2, salt, case):
    """Jaeger 2, fed by OTLP over HTTP; it is asked not to move spans about."""
    options = OtlpHttpOptions(endpoint=jaeger_2.otlp_http, query_endpoint=jaeger_2.query_url)
    records = case.records(salt)
    assert there_and_back(OtlpHttpAdapter(options, CONTEXT), records) == each(records, kept.by_jaeger_2)


@every_case
def test_mlflow_gives_the_records_back(mlflow, salt, case):
    """Through MLflow's own trace API."""
    headers = {"x-mlflow-experiment-id": Secret(mlflow.experiment_id)}
    options = OtlpHttpOptions(endpoint=mlflow.url, query_endpoint=mlflow.url, dialect="mlflow", headers=headers)
    records = case.records(salt)

    def left(record: SpanRecord) -> SpanRecord:
        return replace(kept.by_mlflow(record), experiment_id=mlflow.experiment_id)

    assert there_and_back(OtlpHttpAdapter(options, CONTEXT), records) == each(records, left)


# ---------------------------------------------------------------------- as a team uses it


@pytest.fixture(params=["zipkin", "jaeger", "jaeger_2", "mlflow"])
def adapters(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The `adapters:` of a configuration with one real server that is written and read."""
    server = request.getfixturevalue(request.param)
    if request.param == "zipkin":
        return {"zipkin": {"endpoint": server.spans_url, "query_endpoint": server.url}}
    if request.param == "mlflow":
        headers = {"x-mlflow-experiment-id": server.experiment_id}
        return {
            "otlp_http": {"endpoint": server.url, "query_endpoint": server.url, "dialect": "mlflow", "headers": headers}
        }
    return {"otlp_http": {"endpoint": server.otlp_http, "query_endpoint": server.query_url}}


@pytest.fixture
def service() -> str:
    """A service that only this test writes."""
    return f"shop-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def config(adapters: dict[str, Any], service: str) -> dict[str, Any]:
    """A whole configuration."""
    return {"resource": {"attributes": {"service.name": service}}, "adapters": adapters}


def trace_three(client: Client, service: str) -> list[str]:
    """Three traces, one second apart, the second of which failed; their custom IDs, oldest first."""
    now = time.time_ns() // 10**6 * 10**6 - 60 * 10**9
    ids = []
    for number in range(3):
        custom = f"{service}_order_{number}"
        start = now + number * 10**9
        root = client.start_trace(
            f"order {number}", inputs={"n": number}, attributes={"region": "eu", "amount": number * 10}, trace_id=custom, start_time_ns=start,
            span_type=SpanType.CHAIN,
        )  # fmt: skip
        child = client.start_span("pay", root.trace_id, root.span_id, start_time_ns=start + 10**6)
        child.end(outputs="receipt", end_time_ns=start + 2 * 10**6)
        root.end(status="ERROR" if number == 1 else "OK", end_time_ns=start + 500 * 10**6)
        ids.append(custom)
    assert client.flush(60)
    return ids


def poll(read: Callable[[], Any], count: int) -> Any:
    """Read until so much is there: servers index what they take a little later."""
    deadline = time.monotonic() + readback.WAIT_S
    while len(got := read()) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return got


def test_get_trace_and_search_work_on_the_teams_own_server(config, service):
    """By the caller's own ID and by the wire ID; searches narrow by name, status, attribute and time, newest first, page by page."""
    with Client(config=config) as client:
        ids = trace_three(client, service)
        reader = reader_of(client.adapter(next(iter(config["adapters"]))))
        assert isinstance(reader, TraceReader)
        assert len(poll(lambda: reader.find(ids[2]), 1)) == 1
        trace = client.get_trace(ids[1])
        assert {(s.name, s.outputs) for s in trace.data.spans} == {("order 1", None), ("pay", "receipt")}
        assert client.get_trace(trace.info.wire_trace_id).info.wire_trace_id == trace.info.wire_trace_id
        assert reader.find("nobody has this ID") == []
        with pytest.raises(TraceNotFoundError):
            client.get_trace("ab" * 16)

        def found(*more: Condition, **rest: Any) -> list[str]:
            page = reader.search(Query([Condition("service", "=", service), *more], **rest))
            return [trace[0].custom_trace_id for trace in page.traces]

        assert poll(found, 3) == ids[::-1]
        assert found(Condition("status", "=", "ERROR")) == [ids[1]]
        assert found(Condition("name", "=", "order 2")) == [ids[2]]
        assert found(Condition("name", "LIKE", "order%"), max_results=2) == [ids[2], ids[1]]
        assert (
            found(Condition("attribute", "=", "eu", "region"), Condition("attribute", ">=", 10, "amount")) == ids[:0:-1]
        )
        middle = reader.get(reader.find(ids[1])[0])[0].start_time_ns // 10**6
        assert found(Condition("timestamp_ms", ">=", middle)) == ids[:0:-1]
        assert found(Condition("timestamp_ms", "<", middle)) == [ids[0]]
        pages, token = [], None
        while True:
            page = reader.search(Query([Condition("service", "=", service)], max_results=1, page_token=token))
            pages += [trace[0].custom_trace_id for trace in page.traces]
            token = page.token
            if token is None:
                break
        assert pages == ids[::-1]
        with pytest.raises(InvalidParameterError, match="newest first"):
            client.search_traces(order_by=["name ASC"])
        with pytest.raises(InvalidParameterError, match="page_token"):
            client.search_traces(page_token="x")


def test_the_commands_work_on_the_teams_own_server(config, service, tmp_path):
    """`tracebridge show` and `search` read it and lead to its UI."""
    with Client(config=config) as client:
        ids = trace_three(client, service)
    (tmp_path / "bridge.yaml").write_text(json.dumps(config))  # JSON is YAML
    arguments = ["--config", str(tmp_path / "bridge.yaml")]

    def rows() -> list[str]:
        shown = CliRunner().invoke(main, ["search", "--service", service, "--json", *arguments])
        return [json.loads(line)["trace_id"] for line in shown.stdout.splitlines()]

    assert poll(rows, 3) == ids[::-1]
    shown = CliRunner().invoke(main, ["show", ids[0], *arguments])
    assert (shown.exit_code, "order 0" in shown.stdout, "pay" in shown.stdout) == (0, True, True)
    assert shown.stdout.splitlines()[-1].startswith("http://127.0.0.1:")
    assert CliRunner().invoke(main, ["show", "ab" * 16, *arguments]).exit_code == 1


@pytest.mark.parametrize("wrong", ["jaeger as zipkin", "zipkin as jaeger", "nobody"])
def test_a_query_endpoint_of_another_system_is_told_from_an_unknown_trace(zipkin, jaeger, wrong):
    """A 404 or a page of another system is an error that names the option, not "no such trace"."""
    if wrong == "zipkin as jaeger":
        adapters = {"otlp_http": {"endpoint": jaeger.otlp_http, "query_endpoint": zipkin.url}}
    else:
        adapters = {"zipkin": {"query_endpoint": jaeger.query_url if wrong != "nobody" else "http://127.0.0.1:9"}}
    with Client(config={"adapters": adapters}) as client:
        with pytest.raises(ReadError, match="query_endpoint" if wrong != "nobody" else "refused"):
            client.get_trace("ab" * 16)
        root = client.start_trace("open", trace_id="ab" * 16)
        assert [span.name for span in client.get_trace("ab" * 16).data.spans] == ["open"]
        root.end()
        client.close(timeout_s=0)


# ---------------------------------------------------------------------- a Jaeger in memory, and a span of somebody else's

FEW = 30


@pytest.fixture(scope="module")
def small_jaeger() -> Iterator[Any]:
    """A Jaeger 2 that holds few traces, one of which, with a NaN in it, its older API cannot write."""
    try:
        server = start_jaeger_2(max_traces=FEW)
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(str(error))
        pytest.skip(f"no Jaeger 2 on this machine: {error}")
    now = str(time.time_ns())
    attributes = [{"key": "x", "value": {"doubleValue": "NaN"}}, {"key": "region", "value": {"stringValue": "eu"}}]
    span = {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "name": "odd",
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "attributes": attributes,
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "alien"}}]}
    body = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]}
    assert http.request("POST", f"{server.otlp_http}/v1/traces", json=body).status == 200
    yield server
    server.process.stop()


def test_a_jaeger_that_holds_few_traces_and_an_odd_one_is_searched_as_any_other(small_jaeger, service):
    """It answers 500 to a search for more than it may hold, and its older API to a list with a NaN in it; every trace is found all the same."""
    otlp = {"endpoint": small_jaeger.otlp_http, "query_endpoint": small_jaeger.query_url}
    config = {"resource": {"attributes": {"service.name": service}}, "adapters": {"otlp_http": otlp}}
    with Client(config=config) as client:
        now = time.time_ns()
        for n in range(FEW - 1):  # the odd one is older than all, and of another service
            attributes = {"region": "eu", "n": n}
            client.start_trace(
                f"job {n}", trace_id=f"{service}-{n}", attributes=attributes, start_time_ns=now + n * 10**7
            ).end()
        assert client.flush(60)
        assert len(poll(lambda: client.search_traces(max_results=100), FEW)) == FEW
        pages, token = [], None
        while True:
            page = client.search_traces(max_results=7, page_token=token)
            pages += [trace.info.trace_id for trace in page]
            token = page.token
            if token is None:
                break
        assert sorted(pages) == sorted(["ab" * 16, *(f"{service}-{n}" for n in range(FEW - 1))])
        found = client.search_traces(filter_string="attributes.region = 'eu' AND attributes.n >= 20")
        assert sorted(trace.info.trace_id for trace in found) == [f"{service}-{n}" for n in range(20, FEW - 1)]
        assert [
            trace.data.spans[0].name
            for trace in client.search_traces(filter_string="service = 'alien' AND attributes.region = 'eu'")
        ] == ["odd"]
        assert client.get_trace(f"{service}-3").data.spans[0].attributes == {"region": "eu", "n": 3}


def test_what_came_in_jaegers_own_protocol_is_read_from_its_newer_api_as_it_was_sent(jaeger_2, salt):
    """Scope, trace state, counts of what was dropped and an empty name: Jaeger 2 shows them as attributes."""
    pytest.importorskip("thrift")
    options = JaegerThriftOptions(endpoint=jaeger_2.thrift_http, query_endpoint=jaeger_2.query_url)
    (marks,) = [case for case in CASES if case.name == "marks"]
    build = Build(salt)
    records = [*marks.records(salt), build.span("", build.span("root"))]
    by_trace = [
        [record for record in records if record.trace_id == wire] for wire in {record.trace_id for record in records}
    ]
    for group in by_trace:
        adapter = JaegerThriftAdapter(options, CONTEXT)
        for part in adapter.encode(group):
            adapter.send(part.body, len(part.records))
        back = {record.span_id: record for record in poll(partial(adapter.reader.get, group[0].trace_id), len(group))}
        adapter.close()
        left = [kept.by_jaeger_2(kept.in_micros(record)) for record in group]
        for field in (
            "name",
            "kind",
            "scope",
            "trace_state",
            "dropped_attributes",
            "dropped_events",
            "dropped_links",
            "attributes",
        ):
            assert {record.span_id: getattr(record, field) for record in left} == {
                key: getattr(record, field) for key, record in back.items()
            }
