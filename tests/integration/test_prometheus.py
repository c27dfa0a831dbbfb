"""A real Prometheus scrapes our metrics, and its rules fire; Prometheus's own tool checks what is shipped."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.backends.process import ServerProcess, answers, free_ports, http
from tracebridge import Client

SHIPPED = Path(__file__).parents[2] / "examples" / "prometheus"


pytestmark = pytest.mark.usefixtures("prometheus")


def until(found: Callable[[], Any], expected: Any) -> None:
    """Wait until something is as expected; show what it is when that takes too long."""
    deadline = time.monotonic() + 120
    while (now := found()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    assert now == expected


@pytest.mark.parametrize(
    "command",
    [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]],
)
def test_what_is_shipped_is_what_prometheus_takes(command):
    """The rules fire when they should, and stay silent when they should."""
    done = subprocess.run(["promtool", *command], cwd=SHIPPED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_the_dashboard_and_the_rules_exists():
    """A name that is misspelt there shows an empty picture, for ever."""
    from tracebridge.metrics.prometheus import prometheus_name
    from tracebridge.metrics.table import METRICS, dead_letters

    known = {prometheus_name(metric) for metric in (*METRICS, dead_letters(0))}
    dashboard = json.loads((SHIPPED / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += re.findall(r"expr: (.*)", (SHIPPED / "alerts.yml").read_text())
    used = {name for text in asked for name in re.findall(r"\b(?:otel_sdk|tracebridge)_\w+", text)}
    labels = {"tracebridge_kind"}
    assert (used - known - labels, len(asked) > 10) == (set(), True)


def test_prometheus_scrapes_a_process_and_its_rule_fires(tmp_path, caplog):
    """The destination is down: what waits is seen, and the alert with the destination's name."""
    (port,) = free_ports(1)
    config: dict[str, Any] = {
        "adapters": {"zipkin": {"endpoint": "http://127.0.0.1:9/api/v2/spans"}, "memory": {}},
        "metrics": {"listen": "127.0.0.1:0"},
        "lifecycle": {"shutdown_timeout": "0s"},
    }
    with caplog.at_level(logging.INFO, "tracebridge"):
        client = Client(config=config)
    (target,) = re.findall(r"metrics: http://(\S+)/metrics", caplog.text)
    for number in range(3):
        client.start_trace(f"{number}").end()
    rules = (SHIPPED / "alerts.yml").read_text()
    assert "for: 5m" in rules
    (tmp_path / "alerts.yml").write_text(rules.replace("for: 5m", "for: 0s"))
    prometheus = (SHIPPED / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(prometheus.replace("127.0.0.1:9464", target).replace("15s", "1s"))
    command = [
        "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    server = ServerProcess("prometheus", command)
    try:
        server.wait_until(answers(f"http://127.0.0.1:{port}/-/ready"))

        def asked(path: str, **fields: str) -> Any:
            return json.loads(http.request("GET", f"http://127.0.0.1:{port}/api/v1/{path}", fields=fields).data)["data"]

        def queued() -> dict[str, str]:
            found = asked("query", query="otel_sdk_processor_span_queue_size")["result"]
            return {each["metric"]["otel_component_name"]: each["value"][1] for each in found}

        def alerts() -> list[tuple[str, str, str]]:
            found = asked("alerts")["alerts"]
            return [
                (each["labels"]["alertname"], each["labels"]["otel_component_name"], each["state"]) for each in found
            ]

        until(queued, {"zipkin": "3", "memory": "0"})
        until(alerts, [("TracebridgeDestinationFailing", "zipkin", "firing")])
    finally:
        server.stop()
        client.close()
