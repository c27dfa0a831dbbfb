"""Every adapter that speaks HTTP or gRPC goes through the proxy that its configuration names, and through no other."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from support.cases import Build
from support.http_proxy import HttpProxy
from support.plain_server import Answer, PlainServer
from tracebridge.errors import ConfigError, DeliveryError, Misconfigured, Retryable
from tracebridge.plugins.adapter import Context, HealthCheck, reader_of
from tracebridge.plugins.registry import adapter_class
from tracebridge.settings.load import load_settings

trustme = pytest.importorskip("trustme", reason="pip install -e '.[test]' brings it")
RECORDS = [Build("proxies").span("s")]
PATHS = {
    "otlp_http": "/v1/traces",
    "zipkin": "/api/v2/spans",
    "jaeger_thrift": "/api/traces",
    "mlflow": "/v1/traces",
}
ME = "me:p@ss w0rd/"
IN_ADDRESS = "me:p%40ss%20w0rd%2F@"


class TraceService(trace_service_pb2_grpc.TraceServiceServicer):
    """Counts what it gets, and keeps the authority that it was asked for."""

    def __init__(self) -> None:
        self.taken = 0
        self.metadata: dict[str, Any] = {}

    def Export(self, request: Any, context: Any) -> Any:
        self.taken += len(request.resource_spans)
        self.metadata = dict(context.invocation_metadata())
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is stopped afterwards."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def serve(stack: ExitStack) -> Callable[..., PlainServer]:
    """Start HTTP servers."""

    def start(*args: Any) -> PlainServer:
        server = PlainServer(*args)
        stack.callback(server.stop)
        return server

    return start


@pytest.fixture
def proxied(stack: ExitStack) -> Callable[..., HttpProxy]:
    """Start proxies."""

    def start(*args: Any, **options: Any) -> HttpProxy:
        proxy = HttpProxy(*args, **options)
        stack.callback(proxy.stop)
        return proxy

    return start


@pytest.fixture(scope="module")
def authority() -> Any:
    """Whom the tests' servers are certified by."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: Any, tmp_path: Any) -> str:
    """Its certificate as a file."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def secured(authority: Any, name: str = "localhost") -> ssl.SSLContext:
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def grpc_server(stack: ExitStack, authority: Any) -> tuple[TraceService, int, int]:
    """A trace service, its plain port and its TLS port, which has a certificate for localhost alone."""
    service, server = TraceService(), grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(service, server)
    certificate = authority.issue_cert("localhost")
    key_and_chain = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    ports = (
        server.add_insecure_port("127.0.0.1:0"),
        server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([key_and_chain])),
    )
    server.start()
    stack.callback(lambda: server.stop(None).wait())
    return service, *ports


def send(kind: str, **options: Any) -> None:
    """Send one span as delivery does, and ask all else that the adapter can be asked."""
    settings = load_settings({"adapters": {kind: options}}, environ={})
    chosen = settings.adapters[kind]
    adapter = adapter_class(kind)(chosen.options, Context(kind))
    try:
        encoded = adapter.encode(RECORDS)
        body = encoded if isinstance(encoded, bytes) else encoded[0].body
        adapter.send(body, 1)
        if isinstance(adapter, HealthCheck):
            adapter.health_problem()
        reader = reader_of(adapter)
        if reader is not None and "query_endpoint" in options:
            reader.get(RECORDS[0].trace_id)
    finally:
        adapter.close()


@pytest.mark.parametrize("kind", PATHS)
def test_plain_requests_are_handed_to_the_proxy(kind: str, serve: Any, proxied: Any) -> None:
    """With the server's whole address; the proxy's credentials go to the proxy."""
    server, proxy = serve(), proxied(ME)
    send(
        kind,
        endpoint=server.url + ("" if kind == "mlflow" else PATHS[kind]),
        proxy=proxy.url.replace("//", f"//{IN_ADDRESS}"),
    )
    assert proxy.forwarded[0] == server.url + PATHS[kind]
    assert len(proxy.forwarded) == len(server.requests)
    assert [request[2]["proxy-authorization"] for request in server.requests] == [None] * len(server.requests)


@pytest.mark.parametrize("kind", PATHS)
def test_tls_goes_through_a_tunnel(kind: str, serve: Any, proxied: Any, authority: Any, ca_file: str) -> None:
    """The server's certificate is checked; the proxy reads nothing; the server gets no credentials of the proxy."""
    server, proxy = serve(None, secured(authority)), proxied(ME)
    options = {
        "endpoint": server.url + ("" if kind == "mlflow" else PATHS[kind]),
        "proxy": proxy.url.replace("//", f"//{IN_ADDRESS}"),
    }
    send(kind, **options, tls={"ca_file": ca_file})
    assert (proxy.forwarded, set(proxy.tunnels)) == ([], {f"localhost:{server.port}"})
    assert server.requests[0][1] == PATHS[kind]
    assert "proxy-authorization" not in {name.lower() for request in server.requests for name in request[2]}
    with pytest.raises(Misconfigured, match="TLS failed"):
        send(kind, **options)


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [("otlp_http", "/v1/traces"), ("zipkin", "/api/v2/spans"), ("jaeger_thrift", "/api/traces"), ("otlp_grpc", None)],
)
def test_reading_back_goes_the_same_way(
    kind: str, endpoint: str | None, serve: Any, proxied: Any, grpc_server: Any
) -> None:
    """`query_endpoint` is asked through the proxy as well."""
    server, query, proxy = serve(), serve(Answer(404, body=b'{"error":"trace not found"}')), proxied()
    url = f"http://localhost:{grpc_server[1]}" if endpoint is None else server.url + endpoint
    with contextlib.suppress(DeliveryError):  # what the answer means is not asked here
        send(kind, endpoint=url, query_endpoint=query.url, proxy=proxy.url)
    assert query.requests != []
    assert len([url for url in proxy.forwarded if url.startswith(query.url)]) == len(query.requests)


@pytest.mark.parametrize("secure", [False, True])
def test_grpc_goes_through_a_tunnel(secure: bool, proxied: Any, grpc_server: Any, ca_file: str) -> None:
    """With credentials and without TLS or with it; the authority is the server's."""
    service, *ports = grpc_server
    proxy = proxied(ME)
    scheme, port = ("https", ports[1]) if secure else ("http", ports[0])
    tls = {"tls": {"ca_file": ca_file}} if secure else {}
    send("otlp_grpc", endpoint=f"{scheme}://localhost:{port}", proxy=proxy.url.replace("//", f"//{IN_ADDRESS}"), **tls)
    assert (service.taken, proxy.tunnels) == (1, [f"localhost:{port}"])
    assert "proxy-authorization" not in service.metadata


def test_grpc_checks_the_certificate_of_the_server_behind_the_proxy(
    proxied: Any, grpc_server: Any, ca_file: str
) -> None:
    """The proxy's own name is of no matter: a server that has another name than the endpoint's is not trusted."""
    with pytest.raises(Misconfigured, match=r"tls\.ca_file"):
        send(
            "otlp_grpc",
            endpoint=f"https://127.0.0.1:{grpc_server[2]}",
            proxy=proxied().url.replace("127.0.0.1", "localhost"),
            tls={"ca_file": ca_file},
            timeout="5s",
        )
    assert grpc_server[0].taken == 0


@pytest.mark.parametrize("kind", ["otlp_http", "otlp_grpc"])
@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (502, Retryable, "502"),
        (503, Retryable, "503"),
        (504, Retryable, "504"),
        (403, Misconfigured, "403.*does it let programs through"),
        (407, Misconfigured, "407.*wants credentials"),
    ],
)
def test_a_tunnel_that_is_refused(kind: str, answer: int, expected: type[Exception], words: str, proxied: Any) -> None:
    """What may pass is tried again; what a person has to change is said; spans are lost by neither."""
    proxy = proxied(answer=answer)
    with pytest.raises(expected, match=f"https://localhost:4318.*the proxy {proxy.place}.*{words}"):
        send(kind, endpoint="https://localhost:4318", proxy=proxy.url)
    assert {status for status, _ in proxy.refused} == {answer}


@pytest.mark.parametrize("kind", PATHS)
def test_a_forwarding_proxy_that_wants_credentials(kind: str, serve: Any, proxied: Any) -> None:
    """The message names the option; the server hears nothing."""
    server, proxy = serve(), proxied(ME)
    with pytest.raises(Misconfigured, match=r"407.*wants credentials; check user and password"):
        send(kind, endpoint=server.url, proxy=proxy.url)
    assert server.requests == []


@pytest.mark.parametrize("kind", ["otlp_http", "otlp_grpc"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_waited_for(kind: str, scheme: str, proxied: Any) -> None:
    """As a server that is down."""
    proxy = proxied()
    proxy.stop()
    with pytest.raises(Retryable, match="Connection refused"):
        send(kind, endpoint=f"{scheme}://localhost:4318", proxy=proxy.url)


@pytest.mark.parametrize("kind", ["otlp_http", "zipkin", "otlp_grpc"])
@pytest.mark.parametrize("given", ["nothing", "a proxy", "environment"])
def test_the_environment_counts_only_when_it_is_named(
    kind: str, given: str, serve: Any, proxied: Any, grpc_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment is passed by; NO_PROXY exempts from it, and from no proxy that is named."""
    ours, theirs, server = proxied(), proxied(), serve()
    endpoint = f"http://localhost:{grpc_server[1]}" if kind == "otlp_grpc" else server.url
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.setenv(name, theirs.url)
    option = {"nothing": {}, "a proxy": {"proxy": ours.url}, "environment": {"proxy": "environment"}}[given]
    for exempt in (False, True):
        if exempt:
            monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
        send(kind, endpoint=endpoint, **option)
    used = [bool(proxy.forwarded + proxy.tunnels) for proxy in (ours, theirs)]
    assert used == [given == "a proxy", given == "environment"]
    passed = ours if given == "a proxy" else theirs
    spans_only = [url for url in passed.forwarded + passed.tunnels if not url.endswith("/health")]
    assert len(spans_only) == {"nothing": 0, "a proxy": 2, "environment": 1}[given]


def test_a_variable_that_names_no_proxy_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by the configuration, it is not passed over in silence."""
    monkeypatch.setenv("https_proxy", "socks5://localhost:1080")
    for kind in ("otlp_http", "otlp_grpc"):
        with pytest.raises(ConfigError, match="https_proxy must be the address of an HTTP proxy"):
            send(kind, endpoint="https://localhost:4318", proxy="environment")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("https://proxy:3128", "an address such as http://host:port, or environment"),
        ("socks5://proxy:1080", "an address such as http://host:port, or environment"),
        ("http://proxy:3128/path", "http://host:port, or environment, without a path"),
        ("Environment", "an address such as http://host:port, or environment"),
        ("proxy:3128", "an address such as http://host:port, or environment"),
    ],
)
def test_what_is_no_proxy_is_refused_at_start(value: str, words: str) -> None:
    """The way to the proxy is plain HTTP: gRPC knows no other."""
    with pytest.raises(ConfigError) as caught:
        load_settings({"adapters": {"zipkin": {"proxy": value}}}, environ={})
    assert f"adapters.zipkin.proxy must be {words}" in str(caught.value)


def test_an_agent_takes_no_proxy() -> None:
    """UDP goes through none, unless it is for reading back."""
    with pytest.raises(ConfigError, match="tls and proxy are for HTTP"):
        load_settings({"adapters": {"jaeger_thrift": {"proxy": "http://proxy:1"}}}, environ={})
    load_settings(
        {"adapters": {"jaeger_thrift": {"proxy": "http://proxy:1", "query_endpoint": "http://jaeger:16686"}}},
        environ={},
    )
