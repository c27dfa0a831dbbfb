"""`tracebridge ui` over real Zipkin, Jaeger and Jaeger 2: what they hold is listed, found by its own ID, and shown."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.backends.process import http
from tracebridge import Client

pytestmark = pytest.mark.server


@pytest.fixture
def config(tmp_path: Path, zipkin: Any, jaeger: Any, jaeger_2: Any) -> dict[str, Any]:
    """Three servers that are written to and read."""
    return {
        "resource": {"attributes": {"service.name": "ui-shop"}},
        "adapters": {
            "zipkin": {"endpoint": zipkin.spans_url, "query_endpoint": zipkin.url},
            "otlp_http/jaeger": {"endpoint": jaeger.otlp_http, "query_endpoint": jaeger.query_url},
            "otlp_http/jaeger_2": {"endpoint": jaeger_2.otlp_http, "query_endpoint": jaeger_2.query_url},
        },
    }


@pytest.fixture
def address(tmp_path: Path, config: dict[str, Any]) -> Iterator[str]:
    """The address of the page, as the command tells it to programs."""
    (tmp_path / "bridge.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable,
        "-m",
        "tracebridge",
        "ui",
        "--config",
        "bridge.yaml",
        "--port",
        "0",
        "--no-browser",
        "--json",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["url"])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def until(asked: Callable[[], Any], expected: Any) -> None:
    """Wait until an answer is as expected; Jaeger and Zipkin index a moment after they have answered."""
    deadline = time.monotonic() + 60
    while (now := asked()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    assert now == expected


@pytest.mark.parametrize("destination", ["zipkin", "otlp_http/jaeger", "otlp_http/jaeger_2"])
def test_what_a_server_holds_is_listed_and_shown(destination, config, address, salt):
    """By its service, by its own ID in the address, and with every span in the tree."""
    own_id = f"order-{salt}"
    with Client(config=config) as client:
        root = client.start_trace("order", trace_id=own_id, attributes={"amount": 7})
        client.start_span("charge", root.trace_id, root.span_id).end()
        root.end()
        assert client.flush(60)

    def asked(path: str, **fields: str) -> Any:
        answer = http.request("GET", f"{address}api/{path}", fields={"from": destination, **fields})
        return json.loads(answer.data)

    def listed() -> bool:
        found = asked("traces", service="ui-shop")
        return own_id in json.dumps(found)

    def shown() -> list[str]:
        found = asked("trace", id=own_id)
        text = json.dumps(found)
        return [name for name in ("order", "charge", "ui-shop", own_id) if name in text]

    until(listed, True)
    until(shown, ["order", "charge", "ui-shop", own_id])
