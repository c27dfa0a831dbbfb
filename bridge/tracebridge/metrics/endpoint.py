"""A page for Prometheus on this machine: `GET /metrics`, nothing else."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from tracebridge.errors import ConfigError
from tracebridge.metrics.prometheus import CONTENT_TYPE
from tracebridge.settings.model import LOOPBACK

TIMEOUT_S = 10.0  # for a client that says nothing
ACCEPT_S = 1.0


class Endpoint:
    """Serves a text on loopback, in a thread of its own that keeps no process alive.

    Raises ConfigError when the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, text: Callable[[], str]) -> None:
        if host not in LOOPBACK:
            raise ConfigError(
                f"{host}: metrics are served on loopback only; listen on 127.0.0.1, and let a proxy pass them on"
            )
        handler = type("Handler", (_Handler,), {"text": staticmethod(text)})
        kind = _Server6 if ":" in host else _Server
        try:
            self._server = kind((host, port), handler)
        except OSError as error:
            raise ConfigError(
                f"metrics cannot be served on {host} port {port}: {error.strerror}; choose another port, or 0 for a free one"
            ) from None
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="tracebridge-metrics", daemon=True).start()

    def close(self) -> None:
        """Stop listening. A scrape that is being answered gets its answer."""
        self._server.shutdown()
        self._server.server_close()

    def forget_after_fork(self) -> None:
        """Give up the parent's socket in a forked child, where nothing answers it."""
        self._server.socket.close()


def _host_in(header: str) -> str | None:
    """Return the name of a Host header without its port; None for what is not one."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def server_activate(self) -> None:
        """Listen. A connection that is gone before it is accepted must not hold up `close`: accepting waits a second at most."""
        super().server_activate()
        self.socket.settimeout(ACCEPT_S)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = TIMEOUT_S
    text: Callable[[], str]

    def do_GET(self) -> None:
        if (
            _host_in(self.headers.get("Host", "")) not in LOOPBACK
        ):  # a page of somebody else whose name was made to point here
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            body = self.text().encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests."""
