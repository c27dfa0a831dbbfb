"""A loopback HTTP proxy as companies have them: forwards plain requests, tunnels after CONNECT, and keeps what was asked of it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

from support.http_server import LocalServer

GONE_TO_THE_CLIENT = {"connection", "transfer-encoding", "content-length"}


class HttpProxy:
    """Lets everybody through, or those with `credentials` (`user:password`); `answer` is the status that it says to all instead.

    A server that it cannot reach is a 502.
    """

    def __init__(self, credentials: str | None = None, *, answer: int | None = None) -> None:
        self.answer = answer
        self.tunnels: list[str] = []
        """`host:port` of every CONNECT that it granted."""
        self.forwarded: list[str] = []
        """The address of every request that it passed on."""
        self.refused: list[tuple[int, str]] = []
        """Status and target of what it did not let through."""
        self.sent_on: list[dict[str, str]] = []
        """The headers of the requests that it passed on, with lower-case names, as they came."""
        wanted = None if credentials is None else "Basic " + base64.b64encode(credentials.encode()).decode()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                host, _, port = self.path.rpartition(":")
                if self._is_refused():
                    return
                try:
                    there = socket.create_connection((host.strip("[]"), int(port)), 5)
                except OSError:
                    self._say(502)
                    return
                outer.tunnels.append(self.path)
                self.send_response_only(200, "Connection established")
                self.end_headers()
                self.close_connection = True
                with there:
                    _relay(self.connection, there)

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self._is_refused():
                    return
                parts = urlsplit(self.path)
                headers = {key: value for key, value in self.headers.items() if key.lower() != "proxy-authorization"}
                there = http.client.HTTPConnection(parts.netloc, timeout=5)
                try:
                    there.request(
                        self.command, parts.path + (f"?{parts.query}" if parts.query else ""), body or None, headers
                    )
                    answer = there.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException):
                    self._say(502)
                    return
                finally:
                    there.close()
                outer.forwarded.append(self.path)
                outer.sent_on.append({key.lower(): value for key, value in self.headers.items()})
                self.send_response_only(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in GONE_TO_THE_CLIENT:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def _is_refused(self) -> bool:
                if wanted is not None and self.headers.get("Proxy-Authorization") != wanted:
                    self._say(407, {"Proxy-Authenticate": 'Basic realm="proxy"'})
                elif outer.answer is not None:
                    self._say(outer.answer)
                else:
                    return False
                return True

            def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
                outer.refused.append((status, self.path))
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(LocalServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gave up is no news here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.place}"
        """Its address, without credentials."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _relay(here: socket.socket, there: socket.socket) -> None:
    """Pass bytes both ways until either side ends."""
    back = threading.Thread(target=_pump, args=(there, here), daemon=True)
    back.start()
    _pump(here, there)
    back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    source.settimeout(None)
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            sink.sendall(part)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
