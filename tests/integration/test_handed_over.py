"""The examples of shared spans: an order through a web request, a Celery worker and a courier; a saga over PostgreSQL whose steps are killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = ("reserve", "pay", "ship")


def _spans(folder):
    """Return the spans of the folder's file with their attributes as a mapping."""
    path = folder / "spans.jsonl"
    spans = []
    for line in path.read_text().splitlines() if path.exists() else ():
        for resource in json.loads(line)["resourceSpans"]:
            spans += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
    for span in spans:
        span["attributes"] = {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
    return spans


def test_an_order_goes_through_a_web_request_a_celery_worker_and_a_courier(tmp_path):
    """One span for the order, whole, ended by the last; the worker's own below it."""
    folder = shutil.copytree(EXAMPLES / "handed_over", tmp_path / "shop")
    celery = str(Path(sys.executable).parent / "celery")
    with subprocess.Popen(
        [celery, "-A", "tasks", "worker", "--pool", "solo", "--loglevel", "WARNING", "--without-mingle", "--without-gossip", "--without-heartbeat"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "C_FORCE_ROOT": "1"},
    ) as worker:  # fmt: skip
        try:
            subprocess.run([sys.executable, "web.py", "order-4711"], cwd=folder, check=True, timeout=300)
            deadline = time.monotonic() + 300
            while not _spans(folder) and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            worker.terminate()
            worker.wait(300)
    subprocess.run([sys.executable, "courier.py", "order-4711"], cwd=folder, check=True, timeout=300)
    pack, order = _spans(folder)
    assert (pack["name"], pack["parentSpanId"], order["name"]) == ("pack", order["spanId"], "order")
    told = {key: order["attributes"][key] for key in ("items", "packed_by", "tracebridge.trace_id")}
    assert told == {"items": "3", "packed_by": "worker 7", "tracebridge.trace_id": "order-4711"}


@pytest.mark.server
def test_a_saga_survives_the_death_of_each_participant(postgresql, tmp_path):
    """Each step is killed in the middle of its work and run again: every span is there once, and has ended."""
    folder = shutil.copytree(EXAMPLES / "saga", tmp_path / "saga")
    env = {**os.environ, "SAGA_DATABASE": postgresql.url}

    def step(*words):
        return subprocess.Popen(
            [sys.executable, "step.py", "order-7", *words], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
        )

    def killed(*words):
        with step(*words) as dying:
            assert dying.stdout is not None and dying.stdout.readline() == "started\n"
            dying.kill()

    killed("begin")
    with step("begin") as again:
        assert again.wait(300) == 0
    for name in STEPS:
        killed(name, "600")
        with step(name) as again:
            assert again.wait(300) == 0
    with step("finish") as last:
        assert last.wait(300) == 0
    spans = {span["name"]: span for span in _spans(folder)}
    root = spans["saga"]["spanId"]
    assert [span["name"] for span in _spans(folder)] == [*STEPS, "saga"]
    assert {name: span.get("parentSpanId", "") for name, span in spans.items()} == {
        "saga": "",
        **dict.fromkeys(STEPS, root),
    }
    assert all(span["attributes"]["resumed"] for span in spans.values())
    assert not any("tracebridge.end_cause" in span["attributes"] for span in spans.values())
