"""How far one gets through a proxy: each way in which it stops, produced by a proxy that stops so."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.http_proxy import HttpProxy
from support.plain_server import Answer, PlainServer
from tracebridge.doctor import examine as examining
from tracebridge.doctor.findings import Outcome
from tracebridge.settings.load import load_settings

trustme = pytest.importorskip("trustme", reason="pip install -e '.[test]' brings it")
ME, SECRET = "me:c4n4ry-Zq9", "c4n4ry-Zq9"


@pytest.fixture
def start() -> Iterator[Callable[[Any], Any]]:
    """Stop servers and proxies afterwards."""
    with ExitStack() as stack:

        def started(what: Any) -> Any:
            stack.callback(what.stop)
            return what

        yield started


@pytest.fixture(scope="module")
def authority() -> Any:
    """Nobody trusts it by itself."""
    return trustme.CA()


def secured(authority: Any) -> ssl.SSLContext:
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def examine(kind: str, **options: Any) -> Outcome:
    """What is found."""
    settings = load_settings({"adapters": {kind: options}}, environ={})
    return examining.examine(settings.adapters[kind], settings)


def told(outcome: Outcome) -> tuple[list[str], str | None]:
    """The steps that worked, and the cause of what did not."""
    return [step.name for step in outcome.steps], outcome.problem.cause if outcome.problem is not None else None


def test_a_tunnel_is_a_step_of_its_own(start: Any, authority: Any, tmp_path: Any) -> None:
    """Name and connection are the proxy's, then come the tunnel and TLS with the server; the clock is looked at through it too."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server, proxy = start(PlainServer(None, secured(authority))), start(HttpProxy(ME))
    outcome = examine(
        "otlp_http",
        endpoint=server.url,
        proxy=f"http://{ME}@{proxy.place}",
        tls={"ca_file": str(tmp_path / "ca.pem")},
    )
    assert told(outcome) == (["resolve", "connect", "tunnel", "tls", "send"], None)
    assert [step.detail for step in outcome.steps[1:3]] == [f"the proxy {proxy.place}", f"localhost:{server.port}"]
    assert (proxy.refused, outcome.warnings, SECRET in repr(outcome)) == ([], [], False)


def test_plain_requests_need_no_tunnel(start: Any) -> None:
    """They are handed to the proxy, ours and those of the clock."""
    server, proxy = start(PlainServer(Answer(202, body=b""))), start(HttpProxy(ME))
    outcome = examine("zipkin", endpoint=f"{server.url}/api/v2/spans", proxy=f"http://{ME}@{proxy.place}")
    assert told(outcome) == (["resolve", "connect", "send"], None)
    assert (proxy.tunnels, proxy.refused, len(proxy.forwarded)) == ([], [], len(server.requests))


@pytest.mark.parametrize("kind", ["otlp_http", "otlp_grpc"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_where_nothing_listens(kind: str, scheme: str) -> None:
    """It is the proxy that is missing, not the server."""
    with socket.socket() as held:  # bound and not listening
        held.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{held.getsockname()[1]}"
        outcome = examine(kind, endpoint=f"{scheme}://localhost:4318", proxy=f"http://{place}")
    assert told(outcome) == (["resolve"], "proxy-unreachable")
    assert outcome.problem is not None
    assert outcome.problem.message == f"the way leads through the proxy {place}: nothing listens at {place}"
    assert outcome.problem.advice.startswith("check proxy:")


def test_a_proxy_whose_name_nobody_knows() -> None:
    """`.invalid` never resolves (RFC 6761); the server's name is not asked for here at all."""
    outcome = examine("otlp_http", endpoint="https://traces.invalid", proxy="http://proxy.invalid:3128")
    assert told(outcome) == ([], "proxy-unreachable")
    assert outcome.problem is not None
    assert "the name proxy.invalid cannot be resolved" in outcome.problem.message


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [("otlp_http", "https://localhost:4318"), ("otlp_http", "{plain}"), ("otlp_grpc", "http://localhost:4317")],
)
@pytest.mark.parametrize(
    ("user", "advice"), [("", "it wants credentials"), (f"you:{SECRET}@", "does not accept the user and password")]
)
def test_a_proxy_that_wants_other_credentials(start: Any, kind: str, endpoint: str, user: str, advice: str) -> None:
    """Without any it says where they go, with wrong ones that they are wrong; it never shows them."""
    server, proxy = start(PlainServer()), start(HttpProxy("me:other"))
    outcome = examine(kind, endpoint=endpoint.format(plain=server.url), proxy=f"http://{user}{proxy.place}")
    assert told(outcome) == (["resolve", "connect"], "proxy-credentials")
    assert outcome.problem is not None
    assert advice in outcome.problem.advice
    assert (server.requests, SECRET in repr(outcome)) == ([], False)


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("otlp_http", "https://localhost:{}"),
        ("zipkin", "http://localhost:{}"),
        ("otlp_grpc", "https://localhost:{}"),
        ("otlp_grpc", "http://localhost:{}"),
    ],
)
def test_a_server_that_the_proxy_does_not_reach(start: Any, kind: str, endpoint: str) -> None:
    """It answers 502; the advice is that it looks from another place."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        outcome = examine(kind, endpoint=endpoint.format(held.getsockname()[1]), proxy=start(HttpProxy()).url)
    assert told(outcome) == (["resolve", "connect"], "proxy-target")
    assert outcome.problem is not None
    assert "502" in outcome.problem.message
    assert "as the proxy sees it" in outcome.problem.advice


@pytest.mark.parametrize(("answer", "cause"), [(403, "proxy-denied"), (405, "proxy-denied"), (504, "proxy-target")])
def test_what_a_proxy_answers_to_connect(start: Any, answer: int, cause: str) -> None:
    """Its rules, or its own trouble."""
    outcome = examine("otlp_grpc", endpoint="http://localhost:4317", proxy=start(HttpProxy(answer=answer)).url)
    assert told(outcome) == (["resolve", "connect"], cause)


def test_an_answer_that_may_be_the_proxys_own(start: Any) -> None:
    """A 403 to a request that is handed on does not say whose it is."""
    outcome = examine("zipkin", endpoint="http://localhost:9411/api/v2/spans", proxy=start(HttpProxy(answer=403)).url)
    assert told(outcome) == (["resolve", "connect"], "credentials")
    assert outcome.problem is not None
    assert outcome.problem.advice.endswith("(or is the answer the proxy's own?)")


def test_tls_inside_the_tunnel(start: Any, authority: Any) -> None:
    """The server's certificate, behind a tunnel that works."""
    server = start(PlainServer(None, secured(authority)))
    for kind in ("otlp_http", "otlp_grpc"):
        outcome = examine(kind, endpoint=server.url, proxy=start(HttpProxy()).url)
        assert told(outcome) == (["resolve", "connect", "tunnel"], "tls-untrusted")


def test_a_server_without_tls_behind_a_tunnel(start: Any) -> None:
    """`https://` for a plain port."""
    server = start(PlainServer())
    outcome = examine("otlp_http", endpoint=server.url.replace("http:", "https:"), proxy=start(HttpProxy()).url)
    assert told(outcome) == (["resolve", "connect", "tunnel"], "tls-not-spoken")


def test_a_web_server_behind_a_grpc_tunnel(start: Any) -> None:
    """What is spoken at the other end is heard through the tunnel."""
    server = start(PlainServer())
    outcome = examine("otlp_grpc", endpoint=server.url, proxy=start(HttpProxy()).url, timeout="3s")
    assert told(outcome) == (["resolve", "connect", "tunnel"], "http-port")


@pytest.mark.parametrize("endpoint", ["http://localhost:4318", "https://localhost:4318"])
def test_a_port_that_is_no_proxy(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and says something else."""
    monkeypatch.setattr(examining, "STEP_TIMEOUT_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(b"220 mail.example ESMTP\r\n")
            except OSError:
                return

        threading.Thread(target=talk, daemon=True).start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        outcome = examine("otlp_http", endpoint=endpoint, proxy=f"http://{place}")
        listener.shutdown(socket.SHUT_RDWR)
    assert told(outcome) == (["resolve", "connect"], "proxy-unreachable")
    assert outcome.problem is not None
    assert "is this the port of an HTTP proxy?" in outcome.problem.advice


def test_a_proxy_of_the_environment(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at only where the configuration asks for it; one that cannot be used is told without its value."""
    server, proxy = start(PlainServer(Answer())), start(HttpProxy())
    monkeypatch.setenv("http_proxy", proxy.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert told(examine("otlp_http", endpoint=server.url)) == (["resolve", "connect", "send"], None)
    assert proxy.forwarded == []
    assert told(examine("otlp_http", endpoint=server.url, proxy="environment")) == (
        ["resolve", "connect", "send"],
        None,
    )
    assert len(proxy.forwarded) > 0
    monkeypatch.setenv("http_proxy", f"socks5://me:{SECRET}@localhost:1")
    outcome = examine("otlp_http", endpoint=server.url, proxy="environment")
    assert (told(outcome), SECRET in repr(outcome)) == (([], "not-usable"), False)
