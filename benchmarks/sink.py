"""A receiver in a process of its own that takes spans in every encoding and keeps none: OTLP and Zipkin over HTTP, OTLP over gRPC, Jaeger over UDP.

It counts spans by their name, which stands in every encoding as it is.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gzip
import http.client
import http.server
import json
import socket
import subprocess
import sys
import threading
from typing import Any

from benchmarks.harness import ROOT

NAME = b"operation"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0
    lock = threading.Lock()

    @classmethod
    def add(cls, body: bytes) -> None:
        with cls.lock:
            cls.count += body.count(NAME)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.add(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        otlp = self.path.endswith("/v1/traces")
        self._answer(200 if otlp else 202, self.headers.get("Content-Type", "text/plain"), b"")

    def do_GET(self) -> None:
        self._answer(200, "text/plain", str(self.count).encode())

    def log_message(self, *_: Any) -> None:
        pass


def _grpc() -> int:
    """Serve OTLP over gRPC; return the port, 0 without grpcio."""
    try:
        import grpc
    except ImportError:
        return 0
    from concurrent import futures

    def export(body: bytes, _: Any) -> bytes:
        _Handler.add(body)
        return b""

    server = grpc.server(futures.ThreadPoolExecutor(4))
    method = grpc.unary_unary_rpc_method_handler(export)
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
    port = int(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    _Handler.server_of_grpc = server  # type: ignore[attr-defined] # as long as the process lives
    return port


def _udp() -> int:
    agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    agent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 2**20)
    agent.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            _Handler.add(agent.recv(65_536))

    threading.Thread(target=serve, daemon=True).start()
    return int(agent.getsockname()[1])


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing: contestants are ended in the middle of what they send."""


def main() -> None:
    """Say the ports on one line, then serve until standard input ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"http": server.server_address[1], "grpc": _grpc(), "udp": _udp()}), flush=True)
    sys.stdin.read()


@functools.cache
def ports() -> dict[str, int]:
    """Start a sink that lives as long as this process, once, and return its ports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdin is not None and process.stdout is not None
    found: dict[str, int] = json.loads(process.stdout.readline())

    def stop() -> None:
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait(5)

    atexit.register(stop)
    return found


def arrived(port: int) -> int:
    """Return how many spans have arrived so far."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    count = int(connection.getresponse().read())
    connection.close()
    return count


if __name__ == "__main__":
    main()
