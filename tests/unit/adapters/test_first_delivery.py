"""What an adapter needs is imported by the time it is built: a process forked in mid-import could never import that module again."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.plain_server import Answer, PlainServer
from tracebridge.plugins.registry import known_adapters

PROGRAM = """
    import json, sys, threading
    from tracebridge import Client

    imported, watching = [], False

    def watch(event, args):
        if watching and event == "import":
            imported.append([threading.current_thread().name, args[0]])

    sys.addaudithook(watch)
    client = Client(config=json.loads(sys.argv[1]))
    watching = True
    root = client.start_trace("root", trace_id="mine")
    client.start_span("child", "mine", root.span_id).end()
    root.end()
    client.flush(1)
    client.stats()
    watching = False
    client.close()
    print(json.dumps(imported), file=open(sys.argv[2], "w"))
"""

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "console": [{}],
    "jaeger_thrift": [{"endpoint": "udp://localhost:{port}"}, {"endpoint": "{url}"}],
    "kafka": [{"brokers": ["localhost:1"], "timeout": "500ms"}],
    "log": [
        {"stream": "stderr"},
        {"stream": "file", "path": "{folder}/log"},
        {"stream": "logger", "logger": "spans"},
        {"stream": "structlog"},
    ],
    "memory": [{}],
    "mlflow": [{"endpoint": "{url}"}],
    "otel_exporter": [{"class": "opentelemetry.sdk.trace.export:ConsoleSpanExporter"}],
    "otlp_file": [{"path": "{folder}/otlp"}],
    "otlp_grpc": [{"endpoint": "{url}"}, {"endpoint": "https://localhost:{port}"}],
    "otlp_http": [{"endpoint": "{url}", "encoding": "json"}, {"endpoint": "{url}"}],
    "store": [{"path": "{folder}/store"}],
    "zipkin": [{"endpoint": "{url}/api/v2/spans"}, {"endpoint": "{url}/api/v2/spans", "encoding": "protobuf"}],
    "zipkin_file": [{"path": "{folder}/zipkin"}],
}
CASES = [
    pytest.param(name, options, status, id=f"{name}-{number}-{status}")
    for name, several in OPTIONS.items()
    for number, options in enumerate(several)
    for status in ([202, 400, 503, None] if "{url}" in options.get("endpoint", "") else [202])
]


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    """In this process, so that what it imports is not imported in the client's."""
    running = PlainServer()
    yield running
    running.stop()


def test_every_adapter_is_tried_here():
    """An adapter that is new needs a line in OPTIONS."""
    assert sorted(OPTIONS) == known_adapters(), (
        "give each adapter a line in OPTIONS, with options that it works with here"
    )


@pytest.mark.parametrize(("name", "options", "status"), CASES)
def test_the_first_delivery_imports_nothing(
    tmp_path: Path, server: PlainServer, name: str, options: dict[str, Any], status: int | None
):
    """From the first call to the answer, whatever it says, and without one (None), no thread imports a module."""
    if name == "kafka":
        pytest.importorskip("confluent_kafka", reason="confluent-kafka has wheels for this Python")
    server.answer = Answer(status=status or 202, headers={"Retry-After": "1"} if status == 503 else {})
    port = server.url.rpartition(":")[2] if status else "1"
    url = f"http://127.0.0.1:{port}"
    filled = {
        key: value.format(url=url, port=port, folder=tmp_path) if isinstance(value, str) else value
        for key, value in options.items()
    }
    config = {
        "journal": {"directory": str(tmp_path / "spans")},
        "lifecycle": {"shutdown_timeout": "100ms"},
        "adapters": {name: filled},
    }
    told = tmp_path / "imported"
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), json.dumps(config), told],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert json.loads(told.read_text()) == []
