"""OTLP over HTTP against a real server in this process that reads with opentelemetry-proto."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from support.cases import CASES, Build
from support.http_server import RecordingServer
from support.otlp_view import by_id, hex_ids_to_base64, said
from tracebridge.errors import Ambiguous, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import Secret
from tracebridge_adapters.otlp_http import OtlpHttpAdapter, OtlpHttpOptions, traces_url

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Server(RecordingServer):
    """A RecordingServer that takes everything, read with opentelemetry-proto."""

    def __init__(self) -> None:
        super().__init__((200, PROTOBUF, b""))

    def read(self) -> Any:
        """The last request, as opentelemetry-proto reads it."""
        _, headers, body = self.requests[-1]
        if headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if headers["Content-Type"] == JSON:
            return json_format.ParseDict(hex_ids_to_base64(json.loads(body)), ExportTraceServiceRequest())
        return ExportTraceServiceRequest.FromString(body)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that takes everything."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def make(server: Server) -> Iterator[Callable[..., OtlpHttpAdapter]]:
    """Make adapters to that server, closed afterwards."""
    made: list[OtlpHttpAdapter] = []

    def adapter(**options: Any) -> OtlpHttpAdapter:
        made.append(OtlpHttpAdapter(OtlpHttpOptions(**{"endpoint": server.url, **options}), Context("otlp_http")))
        return made[-1]

    yield adapter
    for one in made:
        one.close()


def send(adapter: OtlpHttpAdapter, records: Any = None) -> Sent:
    """Encode and send."""
    records = records or [Build("http").span("s")]
    return adapter.send(adapter.encode(records), len(records))


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_case_arrives_whole(server, make, case, encoding, compression):
    """What opentelemetry-proto reads from the request is what was recorded, in both encodings, compressed or not."""
    records = case.records("http")
    assert send(make(encoding=encoding, compression=compression), records) == Sent()
    assert said(server.read()) == by_id(records)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://h:4318", "http://h:4318/v1/traces"),
        ("http://h:4318/", "http://h:4318/v1/traces"),
        ("http://h:4318/v1/traces", "http://h:4318/v1/traces"),
        ("http://h:4318/v1/traces/", "http://h:4318/v1/traces"),
        ("https://h/otlp", "https://h/otlp/v1/traces"),
        ("https://h/otlp/v1/traces?tenant=1", "https://h/otlp/v1/traces?tenant=1"),
    ],
)
def test_a_base_address_gets_the_path_once(endpoint, url):
    """OTLP specification, endpoint URLs."""
    assert traces_url(endpoint) == url


def test_the_request_says_what_it_is_and_who_sends_it(server, make):
    """Path, content type, user agent, the user's headers, and the mark that keeps instrumentation from tracing the tracer."""
    send(make(headers={"Authorization": Secret("Bearer t0ken")}))
    path, headers, _ = server.requests[0]
    assert (path, headers["Content-Type"], headers["Content-Encoding"]) == ("/v1/traces", PROTOBUF, "gzip")
    assert (headers["Authorization"], headers["b3"]) == ("Bearer t0ken", "0")
    assert headers["User-Agent"].startswith("tracebridge/")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (
            PROTOBUF,
            ExportTraceServiceResponse(
                partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="quota")
            ).SerializeToString(),
        ),
        (JSON, b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "quota"}}'),
        (f"{JSON}; charset=utf-8", b'{"partial_success": {"rejected_spans": 3, "error_message": "quota"}}'),
    ],
)
def test_partial_success_is_given_back_in_either_encoding(server, make, content_type, body):
    """The answer's content type decides how it is read, not the request's."""
    server.answer = (200, content_type, body)
    assert send(make()) == Sent(rejected=3, message="quota")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(PROTOBUF, b""), (JSON, b""), (JSON, b"{}"), (JSON, b"[1]"), (PROTOBUF, b"\xff"), ("text/plain", b"ok"), (JSON, b"{")],
)  # fmt: skip
def test_a_2xx_with_any_other_words_means_taken(server, make, content_type, body):
    """Many servers answer with nothing, or with a word of their own."""
    server.answer = (200, content_type, body)
    assert send(make()) == Sent()


@pytest.mark.parametrize(
    ("status", "content_type", "body", "expected", "hint"),
    [
        (200, "text/html; charset=utf-8", b"  <p>Welcome", Misconfigured, "web page"),
        (200, "text/plain", b"\n<!DOCTYPE html><html>", Misconfigured, "web page"),
        (
            200,
            "text/plain",
            b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN">',
            Misconfigured,
            "web page",
        ),
        (200, "text/plain", b"<!-- licence: > -->\n<!-- more -->\r\n<HTML lang=en>", Misconfigured, "web page"),
        (200, "text/plain", b"\xef\xbb\xbf<!doctype html>", Misconfigured, "web page"),
        (200, "text/plain", "\ufeff<html>".encode("utf-16"), Misconfigured, "web page"),
        (200, "application/xhtml+xml", b"<x/>", Misconfigured, "web page"),
        (404, JSON, b"{}", Misconfigured, "path"),
        (401, JSON, b"{}", Misconfigured, "credentials"),
        (415, JSON, b"{}", Misconfigured, "encoding"),
        (413, JSON, b"{}", TooLarge, "413"),
        (400, JSON, b"span 3 is bad", Rejected, "span 3 is bad"),
        (500, JSON, b"no retry, says OTLP", Rejected, "no retry"),
        (
            400,
            PROTOBUF,
            Status(code=3, message="span 3 is bad").SerializeToString(),
            Rejected,
            "HTTP 400: span 3 is bad$",
        ),
        (503, PROTOBUF, Status(code=14, message="full").SerializeToString(), Retryable, "HTTP 503: full$"),
        (400, PROTOBUF, b"words", Rejected, "HTTP 400: words$"),
        (400, PROTOBUF, Status(code=3).SerializeToString(), Rejected, "HTTP 400$"),
        (520, JSON, b"", Ambiguous, "520"),
    ],
)
def test_wrong_answers_are_judged(server, make, status, content_type, body, expected, hint):
    """By the adapter contract's table; the message says where to look."""
    server.answer = (status, content_type, body)
    with pytest.raises(expected, match=hint):
        send(make())


@pytest.mark.parametrize(
    ("options", "experiment"),
    [
        ({"dialect": "mlflow"}, "0"),
        ({"dialect": "mlflow", "headers": {"X-MLflow-Experiment-ID": Secret("7")}}, "7"),
        ({}, None),
    ],
)
def test_an_mlflow_server_is_always_told_an_experiment(server, make, options, experiment):
    """Without the header it answers 422, which would read as "these spans are bad" and cost them all."""
    send(make(**options))
    assert server.requests[0][1].get_all("x-mlflow-experiment-id") == (None if experiment is None else [experiment])


def test_the_configured_name_of_the_trace_id_attribute_is_used(server):
    """The caller's own ID stands where `trace_ids.attribute` says."""
    adapter = OtlpHttpAdapter(OtlpHttpOptions(endpoint=server.url), Context("x", trace_id_attribute="order.id"))
    send(adapter, [Build("http").span("s", custom_trace_id="order-7")])
    adapter.close()
    (span,) = server.read().resource_spans[0].scope_spans[0].spans
    assert {pair.key: pair.value.string_value for pair in span.attributes} == {"order.id": "order-7"}
