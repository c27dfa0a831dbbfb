"""Delivery under stress, over real sockets: outages, wishes to be left alone, poison, and bodies that are too large."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from support.ill_server import OK, Answer, IllServer
from tracebridge import Client
from tracebridge.delivery.deadletters.files import DeadFiles

QUICK = {"initial_interval": "10ms", "max_interval": "40ms"}


@pytest.fixture
def server() -> Iterator[IllServer]:
    """A server that is well until a test says otherwise."""
    ill = IllServer()
    yield ill
    ill.stop()


def client_for(server: IllServer, directory: Path | None = None, **queue: Any) -> Client:
    """A client of that server, and of memory beside it."""
    otlp = {
        "endpoint": server.url, "encoding": "json", "timeout": "1s", "retry_on_failure": QUICK,
        "sending_queue": {"flush_interval": "10ms", **queue},
    }  # fmt: skip
    journal = {} if directory is None else {"directory": str(directory)}
    memory = {"sending_queue": {"flush_interval": "10ms"}}
    return Client(config={"journal": journal, "adapters": {"otlp_http": otlp, "memory": memory}})


def trace(client: Client, first: int, count: int, **more: Any) -> list[str]:
    """End so many spans under one root that stays out of the way; return their names."""
    names = [f"s{n}" for n in range(first, first + count)]
    with client.trace("root") as root:
        for name in names:
            client.start_span(name, root.trace_id, root.span_id, **more).end()
    return names


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so, for a minute at most."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.005)


def arrived(server: IllServer) -> dict[str, int]:
    """What arrived, roots aside."""
    return {name: count for name, count in server.arrived.items() if name != "root"}


@pytest.mark.parametrize("kept", ["memory", "disk"])
def test_an_outage_costs_the_others_nothing_and_is_made_up_in_order(server, tmp_path, kept):
    """The other destination has everything at once; back again, everything arrives once, in journal order, at full speed."""
    after: list[str] = []
    sizes: list[int] = []
    down = threading.Event()
    down.set()

    def script(number: int, names: list[str]) -> Answer:
        if down.is_set():
            return 503, {}, b"down"
        after.extend(name for name in names if name != "root")
        sizes.append(len(names))
        return OK

    server.script = script
    with client_for(server, tmp_path / "spans" if kept == "disk" else None, max_batch=200) as client:
        names = []
        for round_ in range(10):
            names += trace(client, 500 * round_, 500)
            time.sleep(0.02)
        until(lambda: client.stats().adapters["memory"].queued == 0)
        until(lambda: client.stats().adapters["otlp_http"].retrying_since is not None)
        stats = client.stats().adapters
        assert (stats["memory"].exported, stats["otlp_http"].exported, stats["otlp_http"].queued) == (5010, 0, 5010)
        assert stats["otlp_http"].retrying_since is not None
        down.clear()
        assert client.flush(60)
    assert after == names
    assert max(sizes) == 200
    assert arrived(server) == dict.fromkeys(names, 1)


def test_a_wish_to_be_left_alone_is_every_workers(server):
    """Retry-After, told to one of four requests in flight, keeps all of them away; the other destination goes on."""
    server.script = lambda number, names: (503, {"Retry-After": "1"}, b"") if number == 1 else OK
    with client_for(server, max_batch=5, max_in_flight=4) as client:
        client.start_trace("root").end()  # one span: one request
        until(lambda: client._parts.deliveries["otlp_http"]._paused_until > 0)
        names = trace(client, 100, 100)
        until(lambda: client.stats().adapters["memory"].exported == 102)
        assert client.flush(60)
    assert min(server.times[1:]) - server.times[0] >= 0.99
    assert set(names) <= set(arrived(server))


def test_a_server_that_wishes_for_ever_is_asked_again(server, monkeypatch):
    """What is obeyed has its bound."""
    monkeypatch.setattr("tracebridge.delivery.backoff.LONGEST_RETRY_AFTER_S", 0.2)
    server.script = lambda number, names: (429, {"Retry-After": "31536000"}, b"") if number == 1 else OK
    with client_for(server) as client:
        trace(client, 0, 3)
        assert client.flush(60)


@pytest.mark.parametrize("answer", [(413, {}, b"too large"), (400, {}, b"cannot be")], ids=["413", "400"])
def test_a_span_that_no_server_takes_is_put_aside_once_and_the_rest_arrives(server, tmp_path, answer):
    """Bisected or split, not looped; in the dead-letter file with the server's words."""

    def script(number: int, names: list[str]) -> Answer:
        return answer if "s7" in names or (answer[0] == 413 and len(names) > 8) else OK

    server.script = script
    with client_for(server, tmp_path / "spans", flush_interval="200ms") as client:
        names = trace(client, 0, 40)
        assert client.flush(60)
        requests = len(server.requests)
        time.sleep(0.2)
        assert len(server.requests) == requests
        reason = "too_large" if answer[0] == 413 else "rejected"
        assert client.stats().adapters["otlp_http"].dropped == {reason: 1}
    files = DeadFiles(tmp_path / "spans" / "dead")
    [refusal] = files.all()
    assert (refusal.reason, answer[2].decode() in refusal.message) == (reason, True)
    assert [record.name for record in files.records(refusal.id)] == ["s7"]
    assert arrived(server) == dict.fromkeys(set(names) - {"s7"}, 1)


# ---------------------------------------------------------------------- gRPC


class GrpcServer(trace_service_pb2_grpc.TraceServiceServicer):
    """Refuses the first request with RESOURCE_EXHAUSTED, with or without RetryInfo, and takes the others."""

    def __init__(self, retry_after_s: float | None) -> None:
        self.times: list[float] = []
        self.names: list[str] = []
        self._retry_after_s = retry_after_s
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.times.append(time.monotonic())
        if len(self.times) == 1:
            details = []
            if self._retry_after_s is not None:
                delay = duration_pb2.Duration()
                delay.FromMilliseconds(int(self._retry_after_s * 1000))
                details.append(any_pb2.Any())
                details[0].Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="busy", details=details)
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
        self.names += [span.name for r in request.resource_spans for scope in r.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def stop(self) -> None:
        self._server.stop(None).wait()


def test_retry_info_pauses_a_grpc_destination():
    """As long as the server asked for, and then everything arrives once."""
    server = GrpcServer(retry_after_s=0.7)
    options = {
        "endpoint": f"http://127.0.0.1:{server.port}", "retry_on_failure": QUICK, "sending_queue": {"flush_interval": "10ms"},
    }  # fmt: skip
    with Client(config={"adapters": {"otlp_grpc": options}}) as client:
        names = trace(client, 0, 10)
        assert client.flush(60)
    server.stop()
    assert server.times[1] - server.times[0] >= 0.69
    assert sorted(server.names) == sorted([*names, "root"])
