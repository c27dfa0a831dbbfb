"""A loopback HTTP server that takes OTLP JSON and answers as a test tells it to."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from support.http_server import LocalServer

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[int, list[str]], "Answer | str"]
"""(request number, span names) -> the answer, or a way to be ill: `hang`, `half`, `garbage`, `cut`, `drip`."""

OK: Answer = (200, {"Content-Type": "application/json"}, b"{}")


class IllServer:
    """Counts the spans of the requests that it answered with 2xx, by name."""

    def __init__(self, script: Script = lambda number, names: OK) -> None:
        self.script = script
        self.arrived: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.times: list[float] = []
        self._stop = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.take(self)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(LocalServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gave up is no news here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Read one request and answer it by the script."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        names = [
            span["name"]
            for resource in json.loads(body)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        self.requests.append(names)
        self.times.append(time.monotonic())
        answer = self.script(len(self.requests), names)
        if isinstance(answer, str):
            self._be_ill(handler, answer)
            return
        status, headers, content = answer
        if 200 <= status < 300 and "html" not in headers.get("Content-Type", ""):
            self.arrived.update(names)
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _be_ill(self, handler: http.server.BaseHTTPRequestHandler, how: str) -> None:
        handler.close_connection = True
        if how == "hang":
            self._stop.wait(30)
        elif how == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}")
        elif how == "garbage":
            handler.wfile.write(b"\x00\xff not http at all\r\n\r\n")
        elif how == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not self._stop.wait(0.05):
                handler.wfile.write(b" ")

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
