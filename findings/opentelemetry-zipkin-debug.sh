#!/usr/bin/env bash
# OpenTelemetry for Python: the Zipkin JSON exporter marks every span with `debug: true`.
#
# Expected: Zipkin's `debug` says that somebody asked for this trace in spite of all sampling; it is set on such spans alone. OpenTelemetry's rules for Zipkin
#   exporters do not ask for it.
# Happens: every sampled span has `"debug": true`.
# Why a user cares: Zipkin's collector and the pipelines in front of it keep debug spans past their sampling (COLLECTOR_SAMPLE_RATE), so the volume cannot be
#   lowered there; and the traces that were really marked for debugging cannot be told from the others.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 opentelemetry-exporter-zipkin-json==1.45.1
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import http.server
import json
import sys
import threading
from importlib.metadata import version

from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

bodies = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ZipkinExporter(endpoint=f"http://127.0.0.1:{server.server_port}/api/v2/spans")))
with provider.get_tracer("t").start_as_current_span("an ordinary request"):
    pass
provider.shutdown()
((span,),) = [json.loads(body) for body in bodies]
print("version: opentelemetry-exporter-zipkin-json", version("opentelemetry-exporter-zipkin-json"))
print("behaviour: a span that is sampled as usual is sent with debug: true")
print(f"seen: debug {span.get('debug')}")
sys.exit(span.get("debug") is not True)
PYTHON
