"""A loopback server, with TLS when a test wants it, that answers every request in the same way and keeps what it was sent."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from support.http_server import LocalServer


@dataclass
class Answer:
    """What is answered to every request."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    echo: bool = False
    """Instead of the body: what was asked, as it came and with its percent escapes undone."""


class PlainServer:
    """Listens until `stop`; `url` has the right scheme and the name `localhost`."""

    def __init__(
        self, answer: Answer | None = None, tls: ssl.SSLContext | None = None, *, date: Callable[[], str] | None = None
    ) -> None:
        self.answer = answer or Answer()
        self.requests: list[tuple[str, str, Any, bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, self.headers, body))
                self.send_response(outer.answer.status)
                for key, value in outer.answer.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", outer.answer.content_type)
                asked = f"{self.requestline} {self.headers}"
                content = f"{asked} {unquote(asked)}".encode() if outer.answer.echo else outer.answer.body
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _take

            def date_time_string(self, timestamp: float | None = None) -> str:
                return date() if date else super().date_time_string(timestamp)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(LocalServer):
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                if tls is None:
                    super().finish_request(request, client_address)
                    return
                with tls.wrap_socket(request, server_side=True) as secured:  # in the connection's own thread
                    super().finish_request(secured, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gave up is no news here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls is not None else 'http'}://localhost:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
