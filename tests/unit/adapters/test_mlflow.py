"""The `mlflow` adapter: what it sends where, with which credentials, and what it makes of answers that no healthy server gives."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.cases import Build
from support.http_server import LocalServer
from tracebridge.errors import Misconfigured, Retryable
from tracebridge.plugins.adapter import Context
from tracebridge.plugins.options import Secret
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.mlflow import MlflowAdapter, MlflowOptions, headers_of


class Server:
    """Answers each path as a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {"/v1/traces": (200, b"")}
        self.asked: list[tuple[str, str, Any, bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                outer.asked.append((self.command, self.path, self.headers, body))
                status, content = outer.answers.get(path, (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}'))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that says whatever a test wants."""
    running = Server()
    yield running
    running.stop()


def send(server: Server, records: list[SpanRecord], **options: Any) -> list[tuple[str | None, str | None, list[str]]]:
    """Deliver; what the server got of each request: experiment, run, names of spans."""
    adapter = MlflowAdapter(MlflowOptions(endpoint=server.url, **options), Context("mlflow"))
    try:
        parts = adapter.encode(records)
        assert sorted(map(id, records)) == sorted(id(record) for part in parts for record in part.records)
        for part in parts:
            adapter.send(part.body, len(part.records))
    finally:
        adapter.close()
    got = []
    for _, path, headers, body in server.asked:
        if path == "/v1/traces":
            spans = [
                span.name
                for each in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans
                for scope in each.scope_spans
                for span in scope.spans
            ]
            got.append((headers["x-mlflow-experiment-id"], headers["x-mlflow-run-id"], spans))
    return got


def test_each_request_has_one_experiment_and_one_run(server):
    """What a trace named goes before what the configuration says; a name that no header can carry is left out."""
    build = Build("x")
    records = [
        build.span("a"),
        build.span("b", experiment_id="7"),
        build.span("c", tags={"mlflow.sourceRun": "r1"}),
        build.span("d", experiment_id="7"),
        build.span("e", experiment_id="ü\n"),
    ]
    assert send(server, records, experiment_id=None) == [
        ("0", None, ["a", "e"]),
        ("7", None, ["b", "d"]),
        ("0", "r1", ["c"]),
    ]


def test_the_experiment_is_looked_up_once_and_made_where_there_is_none(server):
    """By its name, by whoever delivers first."""
    server.answers["/api/2.0/mlflow/experiments/create"] = (200, b'{"experiment_id": "12"}')
    adapter = MlflowAdapter(MlflowOptions(endpoint=server.url, experiment_name="shop & co"), Context("mlflow"))
    assert (adapter.link(bytes(16)), server.asked) == (None, [])
    for _ in range(2):
        (part,) = adapter.encode([Build("x").span("a")])
        adapter.send(part.body, 1)
    assert [(method, path) for method, path, *_ in server.asked] == [
        ("GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=shop+%26+co"),
        ("POST", "/api/2.0/mlflow/experiments/create"),
        ("POST", "/v1/traces"),
        ("POST", "/v1/traces"),
    ]
    assert json.loads(server.asked[1][3]) == {"name": "shop & co"}
    assert adapter.link(bytes(16)) == f"{server.url}/#/experiments/12/traces?selectedEvaluationId=tr-{'0' * 32}"
    adapter.close()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((200, b"{}"), Misconfigured, "not an answer of MLflow's experiments API"),
        ((200, b"<html>"), Misconfigured, "web page"),
        ((401, b"no"), Misconfigured, "check the credentials"),
        ((503, b"later"), Retryable, "503: later"),
        (
            (200, b'{"experiment": {"experiment_id": "1", "name": "n", "lifecycle_stage": "deleted"}}'),
            Misconfigured,
            "deleted in MLflow",
        ),
    ],
)
def test_an_ill_answer_to_the_question_for_the_experiment_keeps_the_spans(server, answer, error, words):
    """They wait, with a reason; no credential is in it."""
    server.answers["/api/2.0/mlflow/experiments/get-by-name"] = answer
    with pytest.raises(error, match=words) as caught:
        send(server, [Build("x").span("a")], experiment_name="n", token=Secret("c4n4ry-t0ken"))
    assert "c4n4ry" not in str(caught.value)
    assert server.asked[0][2]["Authorization"] == "Bearer c4n4ry-t0ken"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"username": "ann", "password": Secret("s"), "token": Secret("t")},
            "Basic " + base64.b64encode(b"ann:s").decode(),
        ),
        ({"username": "ann", "token": Secret("t")}, "Bearer t"),
        ({"token": Secret("t"), "headers": {"x": Secret("y")}}, "Bearer t"),
        ({"endpoint": "http://u:p@h", "token": Secret("t")}, None),
        ({}, None),
    ],
)
def test_credentials_go_as_mlflow_sends_them(options, expected):
    """What stands in the address first, then user and password together, then the token."""
    given = headers_of(MlflowOptions(**options)).get("authorization")
    assert (given.reveal() if given else None) == expected


def test_the_workspace_is_a_header(server):
    """On every request, those for the experiment too."""
    server.answers["/api/2.0/mlflow/experiments/get"] = (200, b'{"experiment": {"experiment_id": "5"}}')
    send(server, [Build("x").span("a")], experiment_id="5", workspace="team-a")
    assert [headers["X-MLFLOW-WORKSPACE"] for _, _, headers, _ in server.asked] == ["team-a", "team-a"]


@pytest.mark.parametrize("options", [{"ui": "http://ui/trace"}])
def test_options_that_could_never_work_are_refused(options):
    """At start."""
    with pytest.raises(ValueError, match="trace_id"):
        MlflowOptions(**options)
