"""A real OTLP/HTTP and Zipkin v2 endpoint on loopback that counts what it takes, and is ill in every way that a fault asks for.

Bodies are decoded by opentelemetry-proto and the standard library, never by tracebridge.
"""

from __future__ import annotations

import gzip
import http.server
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.faults.arrivals import Arrivals
from benchmarks.faults.spans import Arrived

MAIN = "main"
LIFE_HEADER = "x-life"

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True)
class Mood:
    """How one request is answered."""

    how: str = "answer"
    """`answer`, or `hang`, `drip`, `half`, `garbage`, `cut`."""
    status: int = 0
    """0: what the protocol says for yes."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    takes: Callable[[int], bool] | bool = True
    """Whether the spans are taken, all alike or by number, however the answer looks."""
    delay_s: float = 0.0

    @property
    def well(self) -> bool:
        """Whether the sender gets a whole answer that says yes."""
        return self.how == "answer" and self.status < 300


WELL = Mood()
Script = Callable[[list[int]], Mood]


class Receiver:
    """Listens on loopback. The first part of a path names the destination: `/main/v1/traces`, `/second/api/v2/spans`."""

    def __init__(self, destinations: tuple[str, ...] = (MAIN,)) -> None:
        self.arrivals = {name: Arrivals() for name in destinations}
        self.script: Script = lambda numbers: WELL
        self.longest_illness_s = 3.0
        """A hanging or dripping answer ends after so long, for clients that wait for ever."""
        self._stop = threading.Event()
        self._connected = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with outer._lock:
                    outer._connected += 1
                try:
                    super().handle()
                finally:
                    with outer._lock:
                        outer._connected -= 1

            def do_POST(self) -> None:
                outer._receive(self)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed or gave up is no news here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether somebody is connected."""
        with self._lock:
            return self._connected > 0

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _receive(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = _read_body(handler)
        if body is None:
            handler.close_connection = True
            return  # cut off in the middle: nothing was understood, nothing is taken
        is_zipkin = handler.path.endswith("/api/v2/spans")
        spans = _zipkin(body) if is_zipkin else _otlp(body)
        mood = self.script([span.number for span in spans])
        if mood.takes is not False:
            taken = spans if mood.takes is True else [span for span in spans if mood.takes(span.number)]
            destination = handler.path.split("/")[1]
            arrivals = self.arrivals.get(destination) or self.arrivals[MAIN]
            arrivals.take(taken, handler.headers.get(LIFE_HEADER, ""), mood.well)
        if mood.delay_s:
            self._stop.wait(mood.delay_s)
        if mood.how == "answer":
            _answer(handler, mood, is_zipkin)
        else:
            self._be_ill(handler, mood.how)

    def _be_ill(self, handler: http.server.BaseHTTPRequestHandler, how: str) -> None:
        handler.close_connection = True
        until = time.monotonic() + self.longest_illness_s
        if how == "hang":
            self._stop.wait(self.longest_illness_s)
        elif how == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}")
        elif how == "garbage":
            handler.wfile.write(random.randbytes(300) + b"\r\n\r\n")
        elif how == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while time.monotonic() < until and not self._stop.wait(0.05):
                handler.wfile.write(b" ")


def _read_body(handler: http.server.BaseHTTPRequestHandler) -> bytes | None:
    length = int(handler.headers.get("Content-Length", "0"))
    body = handler.rfile.read(length)
    if len(body) < length:
        return None
    return gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body


def _answer(handler: http.server.BaseHTTPRequestHandler, mood: Mood, is_zipkin: bool) -> None:
    handler.send_response(mood.status or (202 if is_zipkin else 200))
    headers = {"Content-Type": _JSON if is_zipkin else _PROTOBUF, **mood.headers}
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.send_header("Content-Length", str(len(mood.body)))
    handler.end_headers()
    handler.wfile.write(mood.body)


def _otlp(body: bytes) -> list[Arrived]:
    spans = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                attributes = {
                    pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
                    for pair in span.attributes
                }
                spans.append(
                    Arrived(
                        span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), attributes,
                        span.end_time_unix_nano - span.start_time_unix_nano,
                        attributes.get("tracebridge.end_cause") == "unfinished",
                    )
                )  # fmt: skip
    return spans


def _zipkin(body: bytes) -> list[Arrived]:
    return [
        Arrived(
            span.get("name", ""), span["traceId"], span["id"], span.get("parentId", ""), tags := span.get("tags", {}),
            span.get("duration", 0), tags.get("tracebridge.end_cause") == "unfinished",
        )
        for span in json.loads(body)
    ]  # fmt: skip
