"""The page for Prometheus: loopback alone, one path, and nothing but the text."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest

from tracebridge import ConfigError
from tracebridge.metrics.endpoint import Endpoint


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """One that serves a word."""
    made = Endpoint("127.0.0.1", 0, lambda: "tracebridge 1\n")
    yield made
    made.close()


def asked(endpoint: Endpoint, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name=x"])
@pytest.mark.parametrize("host", ["localhost:9464", "127.0.0.1", "[::1]:9464"])
def test_metrics_are_served(endpoint, path, host):
    """Under every name of this machine for itself."""
    assert asked(endpoint, path, Host=host) == (200, b"tracebridge 1\n")


def test_nothing_else_is_there(endpoint):
    """No other path, no other method, and not under a name that somebody else made point here."""
    assert asked(endpoint, "/")[0] == 404
    assert asked(endpoint, "/metrics", "POST")[0] == 501
    assert [asked(endpoint, "/metrics", Host=host)[0] for host in ("evil.test:9464", "", "[")] == [403, 403, 403]


def test_other_addresses_are_refused():
    """Metrics do not leave the machine by themselves."""
    with pytest.raises(ConfigError, match=r"^0\.0\.0\.0: metrics are served on loopback only; listen on 127\.0\.0\.1"):
        Endpoint("0.0.0.0", 0, str)


def test_a_port_that_is_taken_is_told():
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"on 127\.0\.0\.1 port {port}: Address already in use; choose another port"
        ):
            Endpoint("127.0.0.1", port, str)


def test_a_closed_one_gives_its_port_back():
    """At once."""
    made = Endpoint("127.0.0.1", 0, str)
    made.close()
    Endpoint("127.0.0.1", made.port, str).close()


def test_a_connection_that_is_gone_before_it_is_accepted_holds_nothing_up(endpoint):
    """The server asks for one that is not there, as after such a loss, and gets its answer; with a socket that waits it would hang, and `close` with it."""
    with pytest.raises(TimeoutError):
        endpoint._server.get_request()
