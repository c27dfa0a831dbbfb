#!/usr/bin/env bash
# OpenTelemetry for Python: spans that an OTLP server rejects in a partial success are lost without a word.
#
# Expected: an OTLP server that takes a request but not all of its spans answers 200 with `partial_success: {rejected_spans, error_message}`, and the
#   specification says that the client should make this known, by a log line at least.
# Happens: the HTTP exporter does not read the body of a 200. export() returns SUCCESS, and its logger says nothing, neither that spans were rejected nor why.
# Why a user cares: back-ends answer in this way when a tenant is over its limit or a span is too old. The client's books say that all is delivered.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import http.server
import logging
import sys
import threading
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider

REJECTED = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="this tenant is over its limit")
).SerializeToString()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(REJECTED)))
        self.end_headers()
        self.wfile.write(REJECTED)

    def log_message(self, *_):
        pass


said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("opentelemetry").addHandler(handler)
logging.getLogger("opentelemetry").setLevel(logging.DEBUG)
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{server.server_port}/v1/traces")
span = TracerProvider().get_tracer("t").start_span("request")
span.end()
result = exporter.export([span]).name
print("version: opentelemetry-exporter-otlp-proto-http", version("opentelemetry-exporter-otlp-proto-http"))
print("behaviour: a span rejected in a partial success is reported as SUCCESS, and nothing is logged")
print(f"seen: one span sent, one rejected; result {result}, log lines {said}")
sys.exit((result, said) != ("SUCCESS", []))
PYTHON
