"""OTLP over gRPC against a real server in this process that reads with opentelemetry-proto."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from support.backends.cache import REQUIRE
from support.cases import CASES, Build
from support.ill_server import IllServer
from support.otlp_view import by_id, said
from tracebridge.errors import ConfigError, DeliveryError, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import Secret, TlsOptions
from tracebridge.settings.load import load_settings
from tracebridge_adapters.otlp_grpc import OtlpGrpcAdapter, OtlpGrpcOptions

Handler = Callable[[Any, grpc.ServicerContext], Any]


class Server(trace_service_pb2_grpc.TraceServiceServicer):
    """A trace service that keeps what it got and answers as a test says."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.answer: Handler = lambda request, context: trace_service_pb2.ExportTraceServiceResponse()
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        listen = self._server.add_secure_port if credentials else self._server.add_insecure_port
        self.port = listen(f"127.0.0.1:{port}", *([credentials] if credentials else []))
        self._server.start()

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return self.answer(request, context)

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without TLS."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def make() -> Iterator[Callable[..., OtlpGrpcAdapter]]:
    """Make adapters that are closed afterwards."""
    made: list[OtlpGrpcAdapter] = []

    def adapter(port: int, scheme: str = "http", host: str = "127.0.0.1", **options: Any) -> OtlpGrpcAdapter:
        endpoint = f"{scheme}://{host}:{port}"
        made.append(OtlpGrpcAdapter(OtlpGrpcOptions(endpoint=endpoint, **options), Context("otlp_grpc")))
        return made[-1]

    yield adapter
    for one in made:
        one.close()


def send(adapter: OtlpGrpcAdapter, records: Any = None) -> Sent:
    """Encode and send."""
    records = records or [Build("grpc").span("s")]
    return adapter.send(adapter.encode(records), len(records))


def failing(code: str, details: str = "", retry_after_s: float | None = None) -> Handler:
    """Answer with a status, and RetryInfo among its details when asked to."""

    def answer(_: Any, context: grpc.ServicerContext) -> None:
        status_code = grpc.StatusCode[code]
        if retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(int(retry_after_s * 1e9))
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            status = status_pb2.Status(code=status_code.value[0], message=details, details=[detail])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(status_code, details)

    return answer


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_case_arrives_whole(server, make, case, compression):
    """What the server's own decoder reads is what was recorded, compressed or not."""
    records = case.records("grpc")
    assert send(make(server.port, compression=compression), records) == Sent()
    assert said(server.requests[0]) == by_id(records)


def test_headers_travel_as_metadata_and_the_client_names_itself(server, make):
    """Names are lower-cased as gRPC asks; a secret is sent as it is; the user agent begins with ours."""
    send(make(server.port, headers={"Authorization": Secret("Bearer t0ken"), "x-tenant": Secret("blue")}))
    metadata = server.metadata[0]
    assert (metadata["authorization"], metadata["x-tenant"]) == ("Bearer t0ken", "blue")
    assert metadata["user-agent"].startswith("tracebridge/")


def test_user_info_in_the_address_becomes_basic_authorization(server, make):
    """As over HTTP; percent escapes are undone."""
    send(make(server.port, host="me:p%40ss@127.0.0.1"))
    assert server.metadata[0]["authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_proxy_variables_lead_no_span_elsewhere(server, make, monkeypatch, variable):
    """As over HTTP: spans go to the endpoint, and to nothing that other programs are told of."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    with socket.socket() as held:  # bound and not listening: nobody answers there
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv(variable, f"http://127.0.0.1:{held.getsockname()[1]}")
        assert send(make(server.port)) == Sent()


def test_partial_success_is_given_back(server, make):
    """The count and the words of the server are in what send returns."""
    partial = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=3, error_message="quota")
    server.answer = lambda *_: trace_service_pb2.ExportTraceServiceResponse(partial_success=partial)
    assert send(make(server.port)) == Sent(rejected=3, message="quota")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CANCELLED", Retryable),
        ("UNKNOWN", Rejected),
        ("INVALID_ARGUMENT", Rejected),
        ("DEADLINE_EXCEEDED", Retryable),
        ("NOT_FOUND", Misconfigured),
        ("ALREADY_EXISTS", Rejected),
        ("PERMISSION_DENIED", Misconfigured),
        ("RESOURCE_EXHAUSTED", Rejected),
        ("FAILED_PRECONDITION", Rejected),
        ("ABORTED", Retryable),
        ("OUT_OF_RANGE", Retryable),
        ("UNIMPLEMENTED", Misconfigured),
        ("INTERNAL", Rejected),
        ("UNAVAILABLE", Retryable),
        ("DATA_LOSS", Retryable),
        ("UNAUTHENTICATED", Misconfigured),
    ],
)
def test_each_status_code_is_judged_by_the_specification(server, make, code, expected):
    """OTLP specification, "Failures": which codes may be tried again; the server's words are in the message."""
    server.answer = failing(code, "because of TLS rules")
    with pytest.raises(DeliveryError, match=f"{code}: because of TLS rules") as caught:
        send(make(server.port))
    assert type(caught.value) is expected


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_retry_info_is_obeyed(server, make, code):
    """RetryInfo in grpc-status-details-bin says when to come back, and makes RESOURCE_EXHAUSTED retryable."""
    server.answer = failing(code, "later", retry_after_s=2.5)
    with pytest.raises(Retryable) as caught:
        send(make(server.port))
    assert caught.value.after_s == 2.5


def test_garbled_status_details_are_no_retry_info(server, make):
    """Details that are no protobuf are passed over."""

    def answer(_: Any, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata([("grpc-status-details-bin", b"\xff\xff\xff")])
        context.abort(grpc.StatusCode.UNAVAILABLE, "later")

    server.answer = answer
    with pytest.raises(Retryable) as caught:
        send(make(server.port))
    assert caught.value.after_s is None


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_message_beyond_the_servers_limit_is_too_large(server, make, compression):
    """A stock server takes 4 MiB of message, however small it was when compressed; what it says about more is understood."""
    record = Build("big").span("s", attributes={"text": "x" * 5_000_000})
    with pytest.raises(TooLarge):
        send(make(server.port, compression=compression), [record])


def test_the_largest_batch_that_delivery_passes_fits_a_stock_server(server, make):
    """max_batch_bytes leaves room below the server's 4 MiB."""
    adapter = make(server.port)
    body = adapter.encode([Build("big").span("s", attributes={"text": "x" * (adapter.max_batch_bytes - 300)})])
    assert adapter.max_batch_bytes - 300 < len(body) <= adapter.max_batch_bytes
    assert adapter.send(body, 1) == Sent()


def test_a_server_that_hangs_is_left_at_the_timeout(server, make):
    """The deadline bounds the call, and what did not arrive in time is tried again."""
    answer = threading.Event()
    server.answer = lambda *_: answer.wait(60) and trace_service_pb2.ExportTraceServiceResponse()
    started = time.monotonic()
    with pytest.raises(Retryable, match="DEADLINE_EXCEEDED"):
        send(make(server.port, timeout=0.2))
    assert time.monotonic() - started < 30
    answer.set()


def test_a_server_that_comes_late_is_found_by_the_same_adapter(make):
    """Nobody listening is retryable, and the channel finds a server that has come since."""
    probe = Server()
    probe.stop()
    adapter = make(probe.port, timeout=10.0)
    with pytest.raises(Retryable, match="UNAVAILABLE"):
        send(adapter)
    late = Server(port=probe.port)
    try:
        assert until_taken(adapter) == Sent()
    finally:
        late.stop()


def until_taken(adapter: OtlpGrpcAdapter) -> Sent:
    """Send again as delivery does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return send(adapter)
        except Retryable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_an_http_server_on_the_port_is_a_misconfiguration(make):
    """A wrong port does not look like a failing server for ever."""
    web = IllServer()
    try:
        with pytest.raises(Misconfigured, match="gRPC port"):
            send(make(int(web.url.rpartition(":")[2]), timeout=30.0))
    finally:
        web.stop()


@pytest.mark.parametrize(
    "headers",
    [
        {"bad name": Secret("hunter2")},
        {"grpc-timeout": Secret("hunter2")},
        {"x-bin": Secret("hunter2")},
        {"x": Secret("hunter2\n")},
        {"x": Secret("hünter2")},
        {"": Secret("hunter2")},
    ],
)
def test_headers_that_grpc_cannot_send_are_errors_of_the_configuration(headers):
    """gRPC would say so with the first batch, as if the spans were to blame; the message has the name, not the value."""
    (name,) = headers
    with pytest.raises(ValueError, match=re.escape(repr(name))) as caught:
        OtlpGrpcOptions(headers=headers)
    assert "nter2" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        (pytest.fail if os.environ.get(REQUIRE) else pytest.skip)("openssl is not installed")
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    """A server with TLS."""
    cert, key = certificate
    running = Server(grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())]))
    yield running
    running.stop()


def test_https_means_tls(tls_server, certificate, make):
    """With the authority named, the body arrives."""
    tls = TlsOptions(ca_file=str(certificate[0]))
    assert send(make(tls_server.port, "https", "localhost", tls=tls)) == Sent()


def test_an_unknown_authority_is_a_misconfiguration(tls_server, make):
    """Verification is on, and the message says which option to look at."""
    with pytest.raises(Misconfigured, match="ca_file"):
        send(make(tls_server.port, "https", "localhost"))


def test_plain_text_to_a_tls_port_loses_nothing(tls_server, make):
    """gRPC says no more than it would of a server that dies: the batch is kept and tried again."""
    with pytest.raises(Retryable):
        send(make(tls_server.port, "http", "localhost"))


def test_a_missing_authority_file_is_a_misconfiguration(make):
    """The file is named."""
    with pytest.raises(Misconfigured, match=re.escape("/nowhere/ca.pem")):
        send(make(1, "https", tls=TlsOptions(ca_file="/nowhere/ca.pem")))


def test_without_a_port_the_schemes_own_is_taken(make):
    """https is 443 and http 80, as in every address."""
    targets = [
        OtlpGrpcAdapter(OtlpGrpcOptions(endpoint=endpoint), Context("x"))._wire._target
        for endpoint in ("https://api.example", "http://api.example", "http://[::1]:4317", "https://[::1]")
    ]
    assert targets == ["api.example:443", "api.example:80", "[::1]:4317", "[::1]:443"]


def test_without_grpcio_the_error_says_what_to_install(monkeypatch):
    """The extra is named when the adapter is built, not when the first span is lost."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError, match=r"pip install 'tracebridge\[grpc\]'"):
        OtlpGrpcAdapter(OtlpGrpcOptions(), Context("otlp_grpc"))


def test_importing_the_adapter_does_not_import_grpc():
    """grpcio costs its import only when a configuration names the adapter."""
    code = "import sys, tracebridge_adapters.otlp_grpc; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_our_own_calls_are_not_traced(server, make):
    """OpenTelemetry's suppress key is set during the call and gone afterwards."""
    from opentelemetry import context as otel

    seen = []
    adapter = make(server.port)
    inner = adapter._wire._open()
    adapter._wire._call = lambda *args, **kwargs: (
        seen.append(otel.get_value(otel._SUPPRESS_INSTRUMENTATION_KEY)) or inner(*args, **kwargs)
    )
    send(adapter)
    assert (seen, otel.get_value(otel._SUPPRESS_INSTRUMENTATION_KEY)) == ([True], None)


def test_verification_cannot_be_skipped_and_that_is_a_mistake_of_the_configuration():
    """Found when the file is read; without TLS there is nothing to verify."""
    tls = {"insecure_skip_verify": True}
    with pytest.raises(ConfigError) as caught:
        load_settings({"adapters": {"otlp_grpc": {"endpoint": "https://h:4317", "tls": tls}}}, environ={})
    assert [problem.kind for problem in caught.value.problems] == ["conflict"]
    assert "tls.insecure_skip_verify: gRPC cannot skip verification; name the authority in tls.ca_file" in str(
        caught.value
    )
    load_settings({"adapters": {"otlp_grpc": {"endpoint": "http://h:4317", "tls": tls}}}, environ={})


WEB_SERVER = """
const server = require('http2').createServer((request, response) => {
  request.resume(); response.writeHead(+process.argv[1], {'content-type': 'text/html'}); response.end('<!doctype html><html>');
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_a_web_page_over_http2_is_no_fault_of_the_spans(status):
    """A web server at the port is a person's to mend; what it says to gRPC is made up by gRPC."""
    node = shutil.which("node")
    if node is None:
        assert not os.environ.get(REQUIRE), "node is required here"
        pytest.skip("no node on this machine")
    with subprocess.Popen([node, "-e", WEB_SERVER, str(status)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            options = OtlpGrpcOptions(endpoint=f"http://127.0.0.1:{server.stdout.readline().strip()}", timeout=60)
            adapter = OtlpGrpcAdapter(options, Context("x"))
            with pytest.raises(Misconfigured, match="is this a gRPC port"):
                adapter.send(adapter.encode([Build("page").span("s")]), 1)
            adapter.close()
        finally:
            server.terminate()
