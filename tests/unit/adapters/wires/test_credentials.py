"""What servers repeat of the credentials that they were sent gets into no message."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from support.plain_server import Answer, PlainServer
from tracebridge import Client
from tracebridge.doctor.examine import examine
from tracebridge.plugins.options import Secret
from tracebridge.settings.load import load_settings
from tracebridge_adapters.wires.credentials import secrets_of

USER_INFO, QUERY = "me:p%40ss-w0rd", "key=qu%2Fery-1&sig=s%2BgN"
IN_ADDRESS = ["p%40ss-w0rd", "p@ss-w0rd", "bWU6cEBzcy13MHJk", "qu%2Fery-1", "qu/ery-1", "s%2BgN", "s+gN"]
SECRETS = [*IN_ADDRESS, "t0k3n-1", "kEy5"]
HEADERS = {"x-api-key": "Token t0k3n-1", "x-other": "kEy5"}


def told_of(kind: str, endpoint: str, **options: Any) -> str:
    """Everything that the library and its doctor say of a destination that takes no span."""
    config = {
        "adapters": {
            kind: {
                "endpoint": endpoint,
                "headers": HEADERS,
                "timeout": "30s",
                "sending_queue": {"flush_interval": "0s"},
                **options,
            }
        },
        "lifecycle": {"shutdown_timeout": "0s"},
    }
    with Client(config=config) as client:
        client.start_trace("t").end()
        until = time.monotonic() + 60
        while not client.stats().adapters[kind].last_error and time.monotonic() < until:
            client.flush(0.05)
        told = repr(client.stats()) + repr(client.dead_letters())
    settings = load_settings(config, environ={})
    outcome = examine(settings.adapters[kind], settings, read_back_s=0.1)
    assert outcome.problem is not None
    return told + repr(outcome)


@pytest.fixture
def server() -> Iterator[PlainServer]:
    """A server that repeats what it was asked."""
    running = PlainServer()
    yield running
    running.stop()


@pytest.mark.parametrize("status", [400, 401, 503])
@pytest.mark.parametrize("kind", ["otlp_http", "zipkin", "jaeger_thrift"])
def test_an_http_server_that_echoes_what_it_was_sent_spreads_no_secret(server, kind, status):
    """User info, as it is written, meant and sent; the query and its values; header values, short ones too."""
    server.answer = Answer(status, "text/plain", echo=True)
    told = told_of(kind, server.url.replace("://", f"://{USER_INFO}@") + f"/api?{QUERY}")
    assert server.requests[0][2]["authorization"] == "Basic bWU6cEBzcy13MHJk"
    assert ("?***" in told, [secret for secret in SECRETS if secret in told]) == (True, [])


def test_what_a_server_says_of_spans_that_it_did_not_take_spreads_no_secret(server):
    """A partial success has words of the server, too."""
    partial = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "quota of t0k3n-1"}}
    server.answer = Answer(body=json.dumps(partial).encode())
    told = told_of("otlp_http", server.url)
    assert ("quota of ***" in told, "t0k3n-1" in told) == (True, False)


def test_what_comes_after_many_secrets_is_not_cut_in_the_middle_of_one(server):
    """An answer is cut after it was masked."""
    server.answer = Answer(400, "text/plain", b"x " + b"t0k3n-1 " * 400)
    assert "t0k3" not in told_of("otlp_http", server.url)


def test_a_port_that_sends_everything_back_spreads_no_secret():
    """As no HTTP server does: the first line comes back as the status line."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(connection.recv(65_536))

    threading.Thread(target=answer, daemon=True).start()
    url = f"http://{USER_INFO}@127.0.0.1:{listening.getsockname()[1]}/api?{QUERY}"
    told = told_of("otlp_http", url)
    listening.close()
    assert ("/api/v1/traces?***" in told, [secret for secret in SECRETS if secret in told]) == (True, [])


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "UNAVAILABLE"])
def test_a_grpc_server_that_echoes_what_it_was_sent_spreads_no_secret(code):
    """User info and what was made of it, and header values."""

    def refuse(_: Any, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode[code], f"me:p%40ss-w0rd p@ss-w0rd {context.invocation_metadata()}")

    server = grpc.server(futures.ThreadPoolExecutor(2))
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(refuse)}
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        told = told_of("otlp_grpc", f"http://{USER_INFO}@127.0.0.1:{port}")
    finally:
        server.stop(None).wait()
    assert ("key='authorization', value='Basic ***'" in told, [secret for secret in SECRETS if secret in told]) == (
        True,
        [],
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no tenant blue", "no tenant ***"),
        ("no tenant 'blue'", "no tenant '***'"),
        ("bluer than x1, tenant_blue", "bluer than x1, tenant_***"),
        ("17 spans", "17 spans"),
        ("use Basic, not abcd", "use Basic, not ***"),
    ],
)
def test_short_values_are_masked_where_they_stand_alone(said, shown):
    """Within words they would hide half of a message; what is shorter than four characters is no secret."""
    headers = {"x-tenant": Secret("blue"), "x-shard": Secret("17"), "authorization": Secret("Basic abcd")}
    assert secrets_of(headers).mask(said) == shown


@pytest.mark.parametrize("url", ["http://t0k3n-of-one@h", "http://t0k3n-of-one:@h", "http://:t0k3n-of-one@h"])
def test_a_token_that_is_all_of_the_user_info_is_a_secret(url):
    """Some systems want it as the user, some as the password."""
    assert secrets_of({}, url).mask("no t0k3n-of-one here") == "no *** here"
