"""Real processes, real HTTP, real back-ends: the pieces of a trace join, whatever headers carried it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.backends.process import ServerProcess, answers, free_ports
from support.backends.process import http as ask
from tracebridge.ids.schemes import derive

pytestmark = pytest.mark.server
EXAMPLE = Path(__file__).parents[2] / "examples" / "across_processes"


@contextlib.contextmanager
def services(zipkin: Any, jaeger: Any, folder: Path, **spoken: str) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Run the example's two services; yield the shop's address and the environment of each process."""
    shop_port, stock_port = free_ports(2)
    shop, stock = f"http://127.0.0.1:{shop_port}/cart", f"http://127.0.0.1:{stock_port}/stock/A-1"
    common = {
        "TRACEBRIDGE_CONFIG": str(EXAMPLE / "bridge.yaml"),
        "ZIPKIN_ENDPOINT": zipkin.spans_url,
        "JAEGER_ENDPOINT": jaeger.otlp_http,
    }
    env = {
        name: {**os.environ, **common, "SERVICE_NAME": name, "SPOKEN": spoken.get(name, "tracecontext")}
        for name in ("order", "shop", "stock")
    }
    running = []
    try:
        for name, arguments, url in (("stock", [str(stock_port)], stock), ("shop", [str(shop_port), stock], shop)):
            command = [sys.executable, str(EXAMPLE / f"{name}.py"), *arguments]
            (folder / name).mkdir()
            server = ServerProcess(name, command, env=env[name], folder=folder / name)
            running.append(server)
            server.wait_until(answers(url))
        yield shop, env
    finally:
        for server in reversed(running):
            server.stop()  # SIGTERM: what is queued is delivered


def zipkin_says(server: Any, trace_id: str) -> dict[str, dict[str, Any]]:
    """The spans of a trace in Zipkin, by ID."""
    answer = ask.request("GET", f"{server.url}/api/v2/trace/{trace_id}")
    spans = answer.json() if answer.status == 200 else []
    return {
        span["id"]: {
            "service": span["localEndpoint"]["serviceName"],
            "name": span["name"],
            "parent": span.get("parentId"),
            "custom": span["tags"].get("tracebridge.trace_id"),
            "debug": span.get("debug", False),
        }
        for span in spans
    }


def jaeger_says(server: Any, trace_id: str) -> dict[str, dict[str, Any]]:
    """The spans of a trace in Jaeger, by ID."""
    answer = ask.request("GET", f"{server.query_url}/api/traces/{trace_id}")
    found = answer.json()["data"][0] if answer.status == 200 else {"spans": []}
    out = {}
    for span in found["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        parents = [reference["spanID"] for reference in span["references"] if reference["traceID"] == trace_id]
        out[span["spanID"]] = {
            "service": found["processes"][span["processID"]]["serviceName"],
            "name": span["operationName"].lower(),
            "parent": parents[0] if parents else None,
            "custom": tags.get("tracebridge.trace_id"),
        }
    return out


def tree(spans: dict[str, dict[str, Any]], parent: str | None = None) -> Any:
    """Spans under their parents, as service and name, in the order of their names."""
    below = sorted((span["name"], span["service"], id_) for id_, span in spans.items() if span["parent"] == parent)
    return [(f"{service}: {name}", tree(spans, id_)) for name, service, id_ in below]


def settled(read: Any, count: int) -> dict[str, dict[str, Any]]:
    """What a back-end says once so many spans are there; whatever is there in the end."""
    deadline = time.monotonic() + 60
    while len(found := read()) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


REQUEST: list[Any] = [("shop: get", [("shop: ask stock", [("stock: get", [("stock: look up", [])])])])]
WHOLE = [
    (
        "order: order",
        [
            ("order: start workers", [("order: work by environment", []), ("order: work by ids", [])]),
            ("order: with httpx", REQUEST),
            ("order: with requests", REQUEST),
            ("order: with urllib3", REQUEST),
        ],
    )
]
SPANS = 19


@pytest.mark.parametrize(
    "spoken",
    [{"order": "b3", "shop": "tracecontext"}, {"order": "tracecontext", "shop": "b3multi"}],
    ids=["b3 first", "W3C first"],
)
def test_processes_that_speak_two_formats_are_one_trace(zipkin, jaeger, tmp_path, salt, spoken):
    """A program, two services over HTTP and two workers: one tree in Zipkin and in Jaeger, every span under the custom ID."""
    custom = f"order_17_{salt}"
    with services(zipkin, jaeger, tmp_path, **spoken) as (shop, env):
        command = [sys.executable, str(EXAMPLE / "order.py"), shop, custom]
        done = subprocess.run(
            command, env=env["order"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "urllib3: 17\nrequests: 17\nhttpx: 17\n", "")
    trace_id = derive(custom).trace_id.hex()
    for found in (
        settled(lambda: zipkin_says(zipkin, trace_id), SPANS),
        settled(lambda: jaeger_says(jaeger, trace_id), SPANS),
    ):
        assert tree(found) == WHOLE
        assert {span["name"]: span["custom"] for span in found.values() if span["custom"] != custom} == {}


@pytest.mark.parametrize(
    "header, spans, debug",
    [
        ("d", ["get", "ask stock", "get", "look up"], True),
        ("1", ["get", "ask stock", "get", "look up"], False),
        ("0", [], False),
    ],
    ids=["debug", "accept", "deny"],
)
def test_a_decision_goes_through_two_services_and_two_formats(zipkin, jaeger, tmp_path, salt, header, spans, debug):
    """A caller's B3 says deny, accept or debug: nothing, everything, or everything marked arrives, from the second service too."""
    caller = salt[:16]
    with services(zipkin, jaeger, tmp_path, shop="b3") as (shop, _):
        answer = ask.request("GET", shop, headers={"b3": f"{salt}-{caller}-{header}"})
        assert (answer.status, answer.data) == (200, b"17")
    found = settled(lambda: zipkin_says(zipkin, salt), len(spans))
    assert sorted(span["name"] for span in found.values()) == sorted(spans)
    assert {span["debug"] for span in found.values()} == ({debug} if spans else set())
    assert settled(lambda: jaeger_says(jaeger, salt), len(spans)).keys() == found.keys()
    if spans:
        assert tree(found, caller) == REQUEST


def test_ids_of_a_trace_that_a_process_never_saw_continue_it(zipkin, jaeger, tmp_path, salt):
    """Two processes that share nothing but two texts: the custom ID and a span's ID."""
    custom = f"report {salt}"
    env = {
        "TRACEBRIDGE_CONFIG": str(EXAMPLE / "bridge.yaml"),
        "ZIPKIN_ENDPOINT": zipkin.spans_url,
        "JAEGER_ENDPOINT": jaeger.otlp_http,
    }
    begin = (
        "import sys; from tracebridge import Client; client = Client(); root = client.start_trace('report', trace_id=sys.argv[1]);"
        "print(root.span_id); root.end(); client.close()"
    )
    first = subprocess.run(
        [sys.executable, "-c", begin, custom], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    span_id = first.stdout.strip()
    for name in ("worker-1", "worker-2"):
        arguments = [sys.executable, str(EXAMPLE / "worker.py"), custom, span_id]
        subprocess.run(arguments, env={**os.environ, **env, "SERVICE_NAME": name}, check=True)
    trace_id = derive(custom).trace_id.hex()
    for found in (settled(lambda: zipkin_says(zipkin, trace_id), 3), settled(lambda: jaeger_says(jaeger, trace_id), 3)):
        assert tree(found) == [("order: report", [("worker-1: work by ids", []), ("worker-2: work by ids", [])])]
        assert {span["name"]: span["custom"] for span in found.values() if span["custom"] != custom} == {}
