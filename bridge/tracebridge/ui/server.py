"""Who may ask: HTTP on 127.0.0.1, for whoever has the address that was printed.

The token is the first part of every path, so that each request proves itself and no cookie is needed, which any other server on this machine would be
sent, too. `Host` is checked, because a page of another site can have its own name lead to 127.0.0.1 (DNS rebinding). A browser is started with an
address that works once: command lines can be read by other users of the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import http.server
import secrets
import socket
import threading
import urllib.parse
from http import HTTPStatus
from importlib import resources
from typing import Any, Final

import msgspec

from tracebridge.errors import DeliveryError, InvalidParameterError, TracebridgeError
from tracebridge.html.document import SCRIPTS
from tracebridge.html.document import asset as drawing
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.masking.printable import printable_json
from tracebridge.ui.answers import Answers

HOST: Final = "127.0.0.1"
MAX_CONNECTIONS: Final = 32
"""Served at once; more are told to come again."""
TIMEOUT_S: Final = 30.0
"""How long a connection may be silent."""
OWN: Final = ("charts.js", "list.js", "views.js", "app.js", "app.css")

_TYPES: Final = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ACCEPT_S = 1.0
_log = logger("tracebridge.ui")


class UiServer(http.server.ThreadingHTTPServer):
    """The server. Listens from when it is built; `serve_forever` answers, `shutdown` and `server_close` end it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, answers: Answers, port: int = 0) -> None:
        """Listen on a port of 127.0.0.1, 0 for any that is free. Raises OSError when it is taken."""
        self.answers = answers
        self._token = secrets.token_urlsafe(24)
        self._tickets: set[str] = set()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((HOST, port), _Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    def server_activate(self) -> None:
        """Listen. A connection that is gone before it is accepted must not hold up `shutdown`: accepting waits a second at most."""
        super().server_activate()
        self.socket.settimeout(ACCEPT_S)

    @property
    def url(self) -> str:
        """The address of the page, token and all."""
        return f"http://{HOST}:{self.server_port}/{self._token}/"

    def once(self) -> str:
        """Return an address that leads to the page one time."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return f"http://{HOST}:{self.server_port}/once/{ticket}"

    def take(self, ticket: str) -> bool:
        """Return whether a ticket was given out, and make it void."""
        try:
            self._tickets.remove(ticket)
        except KeyError:
            return False
        return True

    def is_ours(self, token: str) -> bool:
        """Return whether this is the token, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, at most `MAX_CONNECTIONS` at once."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        try:
            request.settimeout(1)
            request.sendall(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        except OSError:
            pass
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection's requests."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the standard library's signature
        """A browser that went away is nothing to tell of."""
        _log.debug("a connection of the page broke", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection. It answers GET and HEAD."""

    server: UiServer
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S

    def setup(self) -> None:
        """Send what is small at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        """Answer."""
        self.close_connection |= (
            "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        )  # a body that is not read
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._say(HTTPStatus.MISDIRECTED_REQUEST, "This is another host's page: ask 127.0.0.1.")
            return
        address = urllib.parse.urlsplit(self.path)
        first, _, rest = address.path.removeprefix("/").partition("/")
        if first == "once" and self.server.take(rest):
            self._send(HTTPStatus.FOUND, "text/plain", b"", Location=f"{self.server.url}")
        elif not self.server.is_ours(urllib.parse.unquote(first, errors="replace")):
            self._say(HTTPStatus.FORBIDDEN, "Open the address that `tracebridge ui` printed.")
        elif rest.startswith("api/"):
            self._answer(rest.removeprefix("api/"), address.query)
        elif (name := rest or "page.html") in (*SCRIPTS, "waterfall.css"):
            self._send(HTTPStatus.OK, _TYPES[name.rpartition(".")[2]], drawing(name).encode())
        elif name in (*OWN, "page.html"):
            text = resources.files("tracebridge.ui").joinpath(name).read_bytes()
            self._send(HTTPStatus.OK, _TYPES[name.rpartition(".")[2]], text)
        else:
            self._say(HTTPStatus.NOT_FOUND, "This page does not exist.")

    do_HEAD = do_GET

    def _answer(self, name: str, query: str) -> None:
        """Answer as JSON; what goes wrong is told in its own words, cleaned."""
        answers = self.server.answers
        calls = {"destinations": answers.destinations, "traces": answers.traces, "trace": answers.trace}
        try:
            call = calls.get(name)
            found = None if call is None else call(urllib.parse.parse_qs(query, errors="replace", max_num_fields=100))
            status = HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK
            body: Any = {"error": "this answer does not exist"} if found is None else found
        except (InvalidParameterError, ValueError) as error:
            status, body = HTTPStatus.BAD_REQUEST, {"error": clean(str(error))}
        except (TracebridgeError, DeliveryError) as error:
            status, body = HTTPStatus.BAD_GATEWAY, {"error": clean(str(error))}
        except Exception as error:
            _log.exception("the page could not be answered")
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(error).__name__}: the log says more"}
        self._send(status, "application/json", printable_json(msgspec.json.encode(body)))

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._send(status, "text/plain", f"{text}\n".encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes, **more: str) -> None:
        """Send one answer; one that the browser has already is not sent again."""
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        for key, value in {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8", "ETag": tag, **more}.items():
            self.send_header(key, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - the standard library's signature
        """Refuse what is no request of ours, as briefly as possible, and end the connection."""
        self.close_connection = True
        self.headers = getattr(self, "headers", http.client.HTTPMessage())
        self._send(HTTPStatus(code), "text/plain", b"", Connection="close")

    def version_string(self) -> str:
        """Name the program, and no version of anything."""
        return "tracebridge"

    def log_message(self, *_: Any) -> None:
        """Log no requests: their addresses have the token."""
