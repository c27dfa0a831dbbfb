"""Each cause that `tracebridge doctor` knows, produced by a server that is broken in that way, with the advice that goes with it."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from support.plain_server import Answer, PlainServer
from tracebridge.doctor import examine as examining
from tracebridge.doctor.explain import explain
from tracebridge.doctor.findings import Outcome
from tracebridge.doctor.probe import Address, PortAnswer, _ahead_s
from tracebridge.errors import Misconfigured
from tracebridge.settings.load import load_settings

UTC = datetime.UTC
trustme = pytest.importorskip("trustme", reason="pip install -e '.[test]' brings it")
HTML = Answer(200, "text/html", b"<!doctype html><title>Welcome</title>")
QUERY = "the endpoint's query"
ADAPTERS = {"zipkin": "/api/v2/spans", "otlp_http": ""}


def examine(adapters: dict[str, Any], **options: Any) -> Outcome:
    """What is found at the first destination."""
    settings = load_settings({"adapters": adapters}, environ={})
    return examining.examine(next(iter(settings.adapters.values())), settings, **options)


@pytest.fixture
def serve() -> Iterator[Callable[..., PlainServer]]:
    """Start servers that are stopped afterwards."""
    with contextlib.ExitStack() as stack:

        def start(answer: Answer | None = None, tls: ssl.SSLContext | None = None, **options: Any) -> PlainServer:
            server = PlainServer(answer, tls, **options)
            stack.callback(server.stop)
            return server

        yield start


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize(
    ("answer", "cause", "advice"),
    [
        (Answer(401), "credentials", "nothing is sent to log in with"),
        (Answer(403), "credentials", "authorization"),
        (Answer(404), "wrong-path", "{path}"),
        (Answer(405), "wrong-path", "{path}"),
        (HTML, "web-page", "UI or a login page"),
        (Answer(404, "text/html", b"<html>nginx"), "wrong-path", "{path}"),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), "redirect", "redirects are not followed"),
        (Answer(415), "wrong-encoding", "encoding"),
        (Answer(400, body=b"bad span"), "refused-span", "dialect"),
        (Answer(413), "refused-span", "span"),
        (Answer(503, body=b"starting"), "unhealthy", "its own log"),
        (Answer(429), "unhealthy", "its own log"),
        (Answer(400, "text/plain", b"Client sent an HTTP request to an HTTPS server."), "tls-required", "https://"),
    ],
)
def test_what_a_server_answers(serve: Any, kind: str, answer: Answer, cause: str, advice: str) -> None:
    """Status by status; how far one gets is told too."""
    server = serve(answer)
    outcome = examine({kind: {"endpoint": server.url + ADAPTERS[kind]}})
    assert outcome.problem is not None
    assert outcome.problem.cause == cause
    assert (
        advice.replace("{path}", {"zipkin": "/api/v2/spans", "otlp_http": "/v1/traces"}[kind]) in outcome.problem.advice
    )
    assert [step.name for step in outcome.steps] == ["resolve", "connect"]


@pytest.mark.parametrize(("kind", "where"), [("zipkin", "/api/v2/spans"), ("otlp_http", "/v1/traces")])
def test_a_redirect_is_a_sign_of_a_wrong_path(serve: Any, kind: str, where: str) -> None:
    """A Zipkin leads from / to its UI: where spans are taken is more use than where it leads to."""
    outcome = examine({kind: {"endpoint": serve(Answer(302, headers={"Location": "/zipkin/"})).url}})
    assert outcome.problem is not None
    assert where in outcome.problem.advice


def test_an_experiment_that_mlflow_does_not_have(serve: Any) -> None:
    """It answers 404, and the path is right."""
    answer = Answer(404, body=b'{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No Experiment with id=77 exists"}')
    outcome = examine({"otlp_http": {"endpoint": serve(answer).url, "dialect": "mlflow"}})
    assert outcome.problem is not None
    assert "x-mlflow-experiment-id" in outcome.problem.advice
    assert (outcome.problem.cause, "path" in str(outcome.problem)) == ("unknown-experiment", False)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (Answer(404, body=b'{"error_code":"RESOURCE_DOES_NOT_EXIST"}'), {"experiment_id": "77"}),
        (Answer(200, body=b'{"experiment":{"experiment_id":"3","name":"a"}}'), {"experiment_id": "77"}),
        (Answer(200, body=b'{"experiment":{"experiment_id":"3","lifecycle_stage":"deleted"}}'), {}),
    ],
    ids=["missing", "of another ID", "deleted"],
)
def test_an_experiment_that_the_adapter_asked_for_itself(serve: Any, answer: Answer, options: dict[str, str]) -> None:
    """It is told as one, before a span was sent; the path is right, and no file is in question."""
    named = {} if answer.status == 404 else {"experiment_name": "a"}
    outcome = examine({"mlflow": {"endpoint": serve(answer).url, **named, **options}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, outcome.problem.advice) == (
        "unknown-experiment",
        "name an experiment that is there in experiment_id or experiment_name",
    )


@pytest.mark.parametrize("kind", ["otlp_http", "zipkin", "jaeger_thrift"])
def test_a_port_that_says_200_to_everything_has_taken_nothing(serve: Any, kind: str) -> None:
    """A Collector's health port has words of its own; delivery believes them, a person should not."""
    server = serve(Answer(200, body=b'{"status":"Server available","uptime":"1.2s"}'))
    outcome = examine({kind: {"endpoint": server.url + ADAPTERS.get(kind, "")}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "Server available" in outcome.problem.message) == ("foreign-answer", True)
    assert [step.name for step in outcome.steps] == ["resolve", "connect"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, body=b"{}"),
        Answer(202, "", b""),
        Answer(200, "application/x-protobuf", b""),
        Answer(200, body=b'{"partialSuccess":{}}'),
    ],
)
def test_otlps_own_answers_are_taken_for_what_they_are(serve: Any, answer: Answer) -> None:
    """With no words, in either encoding."""
    assert examine({"otlp_http": {"endpoint": serve(answer).url}}).problem is None


def test_headers_that_are_sent_are_named_and_their_values_are_not(serve: Any) -> None:
    """The server refuses the token; nobody reads it over the shoulder."""
    server = serve(Answer(401, body=b"no: Bearer c4n4ry is unknown"))
    outcome = examine(
        {"zipkin": {"endpoint": server.url, "headers": {"Authorization": "Bearer c4n4ry", "x-tenant": "c4n4ry"}}}
    )
    assert outcome.problem is not None
    assert "what is sent in Authorization, x-tenant" in outcome.problem.advice
    assert outcome.problem.message.endswith("no: Bearer *** is unknown; check the credentials")
    assert "c4n4ry" not in repr(outcome)


def test_a_healthy_server(serve: Any) -> None:
    """Every step is told; the request is the marked span; nothing else was asked with credentials."""
    server = serve()
    outcome = examine({"otlp_http": {"endpoint": server.url, "encoding": "json", "compression": "none", "headers": {"authorization": "c4n4ry"}}})  # fmt: skip
    assert (outcome.problem, outcome.warnings, [step.name for step in outcome.steps]) == (
        None,
        [],
        ["resolve", "connect", "send"],
    )
    (post,) = [request for request in server.requests if request[0] == "POST"]
    assert b'"tracebridge doctor"' in post[3]
    assert b'"tracebridge.doctor","value":{"boolValue":true}' in post[3]
    assert [r[2]["authorization"] for r in server.requests if r[0] == "GET"] == [None]


@pytest.mark.parametrize("off_s", [-120, 120])
def test_a_clock_that_is_wrong_is_a_warning(serve: Any, off_s: int) -> None:
    """The span was taken; the traces of two machines will not fit together."""
    server = serve(date=lambda: email.utils.formatdate(time.time() + off_s, usegmt=True))
    outcome = examine({"otlp_http": {"endpoint": server.url}})
    (warning,) = outcome.warnings
    assert (outcome.problem, warning.cause) == (None, "clock-skew")
    seconds, side = warning.message.removeprefix("the destination's clock is ").split("s ", 1)
    assert 60 < int(seconds) <= 122  # a busy machine's questions take long, and that is taken off
    assert side.startswith("ahead of" if off_s > 0 else "behind")


def test_a_busy_server_that_tells_an_old_date_once_has_no_wrong_clock(serve: Any) -> None:
    """Web servers make the date in quiet moments: a stale one is asked for again before anything is said."""
    offs = iter([-60, -30])  # the answers to the span and to the first question
    server = serve(date=lambda: email.utils.formatdate(time.time() + next(offs, 0), usegmt=True))
    outcome = examine({"otlp_http": {"endpoint": server.url}})
    assert (outcome.problem, outcome.warnings, next(offs, None)) == (None, [], None)


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        ("00:00:10", 0.0),
        ("00:00:20", 0.0),
        ("00:00:09", 0.0),
        ("00:00:01", 0.0),
        ("00:00:21", 1.0),
        ("00:01:20", 60.0),
    ],
)
def test_a_long_wait_for_an_answer_is_no_wrong_clock(date: str, ahead_s: float) -> None:
    """A date from anywhere between question and answer is right, whatever time that took; what is beyond is the difference."""
    head = f"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 {date} GMT\r\n\r\n".encode()
    assert _ahead_s(head, 10.0, 20.0) == ahead_s


# ---------------------------------------------------------------------- on the way there


def test_a_name_that_nobody_knows() -> None:
    """`.invalid` never resolves (RFC 6761)."""
    outcome = examine({"zipkin": {"endpoint": "http://tracing.invalid:9411/api/v2/spans"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, outcome.steps) == ("name-resolution", [])
    assert "tracing.invalid" in outcome.problem.message


@pytest.mark.parametrize("kind", ["zipkin", "otlp_http", "otlp_grpc"])
def test_a_port_where_nothing_listens(kind: str) -> None:
    """Refused at once."""
    with socket.socket() as held:  # bound and not listening: nobody else takes it
        held.bind(("127.0.0.1", 0))
        outcome = examine({kind: {"endpoint": f"http://127.0.0.1:{held.getsockname()[1]}"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, [step.name for step in outcome.steps]) == ("refused", ["resolve"])


def test_the_span_has_an_id_of_the_length_that_is_configured(tmp_path: Path) -> None:
    """Old systems take no longer ones."""
    path = tmp_path / "spans.db"
    settings = load_settings({"adapters": {"store": {"path": str(path)}}, "trace_ids": {"max_bits": 64}}, environ={})
    assert examining.examine(settings.adapters["store"], settings).problem is None
    with contextlib.closing(sqlite3.connect(path)) as database:
        (row,) = database.execute("SELECT trace_id FROM traces").fetchall()
    assert row[0][:8] == bytes(8)


def test_an_agent_that_is_not_there() -> None:
    """UDP is refused when something is sent, not before."""
    with socket.socket(type=socket.SOCK_DGRAM) as held:  # a connected socket refuses everybody else
        held.bind(("127.0.0.1", 0))
        held.connect(("127.0.0.1", 9))
        outcome = examine({"jaeger_thrift": {"endpoint": f"udp://127.0.0.1:{held.getsockname()[1]}"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, [step.name for step in outcome.steps]) == ("refused", ["resolve"])
    assert "agent" in outcome.problem.advice


def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full lets nobody in, as a firewall does."""
    monkeypatch.setattr(examining, "STEP_TIMEOUT_S", 0.3)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        outcome = examine({"zipkin": {"endpoint": f"http://127.0.0.1:{full.getsockname()[1]}"}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "unreachable"


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected and silent."""
    monkeypatch.setattr(examining, "STEP_TIMEOUT_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        outcome = examine({"zipkin": {"endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}", "timeout": "300ms"}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "no-answer"


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> Any:
    """Nobody trusts it by itself."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: Any, tmp_path: Path) -> str:
    """Its certificate as a file."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def context(authority: Any, *names: str, **validity: Any) -> ssl.SSLContext:
    """A server's side of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **validity).configure_cert(made)
    return made


def test_a_certificate_of_an_unknown_authority(serve: Any, authority: Any) -> None:
    """Until `ca_file` names it."""
    outcome = examine({"otlp_http": {"endpoint": serve(tls=context(authority, "localhost")).url}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "tls-untrusted"
    assert "ca_file" in outcome.problem.advice


def test_a_certificate_of_an_authority_that_is_named(serve: Any, authority: Any, ca_file: str) -> None:
    """The handshake is a step of its own."""
    outcome = examine(
        {"otlp_http": {"endpoint": serve(tls=context(authority, "localhost")).url, "tls": {"ca_file": ca_file}}}
    )
    assert outcome.problem is None
    assert [step.name for step in outcome.steps] == ["resolve", "connect", "tls", "send"]


@pytest.mark.parametrize(
    ("names", "validity", "cause"),
    [
        (("elsewhere.example",), {}, "tls-wrong-name"),
        (("localhost",), {"not_after": datetime.datetime(2020, 1, 1, tzinfo=UTC), "not_before": datetime.datetime(2019, 1, 1, tzinfo=UTC)}, "tls-out-of-date"),
        (("localhost",), {"not_before": datetime.datetime(2120, 1, 1, tzinfo=UTC), "not_after": datetime.datetime(2121, 1, 1, tzinfo=UTC)}, "tls-out-of-date"),
    ],
)  # fmt: skip
def test_certificates_that_are_wrong(
    serve: Any, authority: Any, ca_file: str, names: Any, validity: Any, cause: str
) -> None:
    """For another host, over, or not yet begun."""
    server = serve(tls=context(authority, *names, **validity))
    outcome = examine({"otlp_http": {"endpoint": server.url, "tls": {"ca_file": ca_file}}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, [step.name for step in outcome.steps]) == (cause, ["resolve", "connect"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate(
    serve: Any, authority: Any, ca_file: str, tmp_path: Path, version: Any
) -> None:
    """Told as such without one, and well with one, whichever version of TLS is spoken."""
    asking = context(authority, "localhost")
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.maximum_version = version
    authority.configure_trust(asking)
    server = serve(tls=asking)
    outcome = examine({"otlp_http": {"endpoint": server.url, "tls": {"ca_file": ca_file}}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "client-certificate", outcome.problem
    ours = authority.issue_cert("client@example.com")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    tls = {"ca_file": ca_file, "cert_file": str(tmp_path / "client.pem")}
    assert examine({"otlp_http": {"endpoint": server.url, "tls": tls}}).problem is None


def test_https_to_a_port_without_tls(serve: Any) -> None:
    """The scheme is wrong."""
    outcome = examine({"otlp_http": {"endpoint": serve().url.replace("http:", "https:")}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "http://" in outcome.problem.advice) == ("tls-not-spoken", True)


def test_http_to_a_port_with_tls(serve: Any, authority: Any) -> None:
    """The scheme is wrong the other way; the server ends the connection without a word or with an alert."""
    server = serve(tls=context(authority, "localhost"))
    outcome = examine({"otlp_http": {"endpoint": server.url.replace("https:", "http:")}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "https://" in outcome.problem.advice) == ("tls-required", True)


def test_a_port_that_hangs_up_without_a_word() -> None:
    """In plain text and in TLS: there is nothing to say of it but that."""
    with listening(lambda connection: connection.recv(1)) as port:
        outcome = examine({"otlp_http": {"endpoint": f"http://127.0.0.1:{port}"}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "no-answer"


def test_a_port_that_never_answers_the_tls_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    """It did not end the connection, and is not said to."""
    monkeypatch.setattr(examining, "STEP_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = examine({"otlp_http": {"endpoint": f"https://127.0.0.1:{silent.getsockname()[1]}"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "does not answer the TLS handshake" in outcome.problem.message) == (
        "no-answer",
        True,
    )


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], Any]) -> Iterator[int]:
    """A port where each connection gets this, and is then closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        answer(connection)

        threading.Thread(target=run, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


# ---------------------------------------------------------------------- gRPC


@pytest.fixture
def grpc_tls_port(authority: Any) -> Iterator[Callable[..., int]]:
    """Start gRPC servers with TLS that refuse every call with these details, or have no trace service."""
    servers = []

    def start(details: str = "", *, code: str = "UNAVAILABLE", asks: bool = False) -> int:
        class Refuses(grpc.GenericRpcHandler):
            def service(self, _: Any) -> Any:
                def refuse(__: bytes, context: grpc.ServicerContext) -> None:
                    context.abort(grpc.StatusCode[code], details)

                return grpc.unary_unary_rpc_method_handler(refuse)

        ours = authority.issue_cert("localhost")
        pair = (ours.private_key_pem.bytes(), ours.cert_chain_pems[0].bytes())
        credentials = grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), asks)
        server = grpc.server(futures.ThreadPoolExecutor(1))
        server.add_generic_rpc_handlers((Refuses(),))
        port = server.add_secure_port("localhost:0", credentials)
        server.start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        server.stop(None).wait()


def test_a_grpc_server_with_tls_that_is_ill(grpc_tls_port: Any, ca_file: str) -> None:
    """It speaks only with who offers it HTTP/2, which says nothing of client certificates."""
    endpoint = {"endpoint": f"https://localhost:{grpc_tls_port('busy')}", "tls": {"ca_file": ca_file}}
    outcome = examine({"otlp_grpc": endpoint})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "busy" in outcome.problem.message) == ("unhealthy", True)


def test_a_grpc_server_that_wants_a_client_certificate(grpc_tls_port: Any, ca_file: str) -> None:
    """It ends the connection without saying so; that is asked, and not claimed."""
    endpoint = {"endpoint": f"https://localhost:{grpc_tls_port(asks=True)}", "tls": {"ca_file": ca_file}}
    outcome = examine({"otlp_grpc": {**endpoint, "timeout": "10s"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "client certificate" in outcome.problem.advice) == ("tls-failed", True)


def test_what_the_grpc_adapter_says_of_its_own_setup_stands() -> None:
    """Whatever the port looks like."""
    said = Misconfigured("https://localhost:1: /x/key.pem: No such file")
    options = load_settings({"adapters": {"otlp_grpc": {}}}, environ={}).adapters["otlp_grpc"].options
    trouble = explain(said, "otlp_grpc", options, Address("https", "localhost", 1), lambda: PortAnswer("nothing"))
    assert (trouble.cause, trouble.message) == ("not-usable", str(said))


def test_http_to_a_grpc_port_with_tls(grpc_tls_port: Any, ca_file: str) -> None:
    """The two ports of OTLP, mixed up, with TLS."""
    endpoint = {"endpoint": f"https://localhost:{grpc_tls_port()}", "tls": {"ca_file": ca_file}}
    outcome = examine({"otlp_http": endpoint})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "otlp_grpc" in outcome.problem.advice) == ("grpc-port", True)


@pytest.mark.parametrize("kind", ["otlp_http", "otlp_grpc"])
def test_no_tls_to_a_grpc_port_with_tls(grpc_tls_port: Any, kind: str) -> None:
    """A gRPC server hangs up without a word."""
    outcome = examine({kind: {"endpoint": f"http://localhost:{grpc_tls_port()}"}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "tls-required"


@pytest.mark.parametrize(
    ("endpoint", "headers", "sent"),
    [
        ("http://", {"x-honeycomb-team": "c4n4ry"}, "x-honeycomb-team"),
        ("http://", {"x-of-their-own": "c4n4ry"}, "x-of-their-own"),
        ("http://me:c4n4ry@", {}, "the endpoint's user info"),
        ("http://me:c4n4ry@", {"x-tenant": "blue"}, "x-tenant, the endpoint's user info"),
    ],
)
@pytest.mark.parametrize("query", ["", "?key=c4n4ry"])
def test_all_that_may_be_credentials_counts_as_sent(
    serve: Any, endpoint: str, headers: Any, sent: str, query: str
) -> None:
    """Any header, user info and a query; none of them is shown."""
    url = serve(Answer(401)).url.replace("http://", endpoint) + query
    outcome = examine({"otlp_http": {"endpoint": url, "headers": headers}})
    assert outcome.problem is not None
    asked = f"does not accept what is sent in {sent}{query and ', ' + QUERY}; is it right"
    assert (outcome.problem.cause, asked in outcome.problem.advice) == ("credentials", True)
    assert "c4n4ry" not in repr(outcome)


@pytest.fixture
def grpc_port() -> Iterator[int]:
    """A gRPC server that has no trace service."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_http_to_a_grpc_port(grpc_port: int) -> None:
    """The two ports of OTLP, mixed up."""
    outcome = examine({"otlp_http": {"endpoint": f"http://127.0.0.1:{grpc_port}"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "otlp_grpc" in outcome.problem.advice) == ("grpc-port", True)


def test_grpc_to_an_http_port(serve: Any) -> None:
    """And the other way round."""
    outcome = examine({"otlp_grpc": {"endpoint": serve().url, "timeout": "3s"}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, "otlp_http" in outcome.problem.advice) == ("http-port", True)


def test_grpc_to_a_server_of_something_else(grpc_port: int) -> None:
    """It speaks gRPC and takes no traces."""
    outcome = examine({"otlp_grpc": {"endpoint": f"http://127.0.0.1:{grpc_port}"}})
    assert outcome.problem is not None
    assert outcome.problem.cause == "wrong-path"


def test_grpc_without_the_right_token() -> None:
    """UNAUTHENTICATED is a matter of credentials."""

    class Refuses(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
                return b""

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Refuses(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        outcome = examine(
            {"otlp_grpc": {"endpoint": f"http://127.0.0.1:{port}", "headers": {"authorization": "c4n4ry"}}}
        )
    finally:
        server.stop(None).wait()
    assert outcome.problem is not None
    assert (outcome.problem.cause, "sent in authorization" in outcome.problem.advice) == ("credentials", True)


# ---------------------------------------------------------------------- reading back, files, and what is not usable


def test_what_cannot_be_read_back(serve: Any) -> None:
    """The span was taken, and another system answers at query_endpoint, or has nothing of it."""
    server = serve(HTML)
    taken = serve(Answer(202))
    outcome = examine({"zipkin": {"endpoint": taken.url, "query_endpoint": server.url}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, outcome.steps[-1].name) == ("query-endpoint", "send")
    server.answer = Answer(404, body=b"0123 not found")
    outcome = examine({"zipkin": {"endpoint": taken.url, "query_endpoint": server.url}}, read_back_s=0.3)
    assert outcome.problem is not None
    assert outcome.problem.cause == "not-read-back"


def test_the_embedded_destinations(tmp_path: Path) -> None:
    """A store reads back, a file takes; a folder that is not there is told."""
    outcome = examine({"store": {"path": str(tmp_path / "a.db")}})
    assert (outcome.problem, [step.name for step in outcome.steps]) == (None, ["send", "read back"])
    assert examine({"otlp_file": {"path": str(tmp_path / "a.jsonl")}}).problem is None
    for kind in ("store", "otlp_file"):
        outcome = examine({kind: {"path": str(tmp_path / "gone" / "a")}})
        assert outcome.problem is not None
        assert (outcome.problem.cause, outcome.target) == ("target", str(tmp_path / "gone" / "a"))


def test_an_adapter_with_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises, the others are examined too."""
    from tracebridge_adapters.memory import MemoryAdapter

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(MemoryAdapter, "send", broken)
    outcome = examine({"memory": {}})
    assert outcome.problem is not None
    assert (outcome.problem.cause, outcome.problem.message) == ("not-usable", "ZeroDivisionError: oops")
    monkeypatch.setattr(MemoryAdapter, "__init__", lambda *_: (_ for _ in ()).throw(OSError("no file")))
    assert examine({"memory": {}}).problem is not None


def test_every_server_thread_is_a_daemon() -> None:
    """A broken server in a test holds up no exit."""
    assert all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate())
