"""A loopback HTTP server that keeps what is posted to it."""

from __future__ import annotations

import http.server
import threading
from typing import Any


class LocalServer(http.server.ThreadingHTTPServer):
    """Waits a second at most for a connection that is gone between select and accept: `shutdown` would wait for ever with it."""

    def server_activate(self) -> None:
        super().server_activate()
        self.socket.settimeout(1)


class RecordingServer:
    """Keeps requests as (path, headers, body) and answers as a test says: (status, content type, content)."""

    def __init__(self, answer: tuple[int, str, bytes] = (200, "text/plain", b"")) -> None:
        self.requests: list[tuple[str, Any, bytes]] = []
        self.answer = answer
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, self.headers, body))
                status, content_type, content = outer.answer
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
