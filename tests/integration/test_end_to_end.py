"""The main job: one program, one YAML file, live Zipkin, Jaeger 1 and 2, MLflow and Phoenix at once, one ID in all of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from support import readback
from support.backends.process import http
from tracebridge import Client, SpanType

pytestmark = pytest.mark.server

YAML = """
resource: {{attributes: {{service.name: end-to-end}}}}
adapters:
  zipkin: {{endpoint: "{zipkin}"}}
  otlp_http/jaeger: {{endpoint: "{jaeger}"}}
  otlp_grpc/jaeger2: {{endpoint: "{jaeger_2}"}}
  otlp_http/mlflow: {{endpoint: "{mlflow}", dialect: mlflow, headers: {{x-mlflow-experiment-id: "{experiment}"}}}}
  otlp_http/phoenix: {{endpoint: "{phoenix}"}}
  log: {{stream: file, path: "{folder}/spans.log"}}
  store: {{path: "{folder}/store.db"}}
"""

MLFLOW_READS = """
import json, sys
from mlflow import MlflowClient
trace = MlflowClient(tracking_uri=sys.argv[1]).get_trace("tr-" + sys.argv[2])
print(json.dumps([
    {"name": s.name, "type": s.span_type, "inputs": s.inputs, "outputs": s.outputs, "status": s.status.status_code.value,
     "parent": s.parent_id, "id": s.span_id, "custom": s.attributes.get("tracebridge.trace_id")}
    for s in trace.data.spans]))
"""


@pytest.fixture
def config(zipkin, jaeger, jaeger_2, mlflow, phoenix, tmp_path) -> Path:
    """A YAML file that names every live server."""
    path = tmp_path / "bridge.yaml"
    path.write_text(
        YAML.format(
            zipkin=zipkin.spans_url,
            jaeger=jaeger.otlp_http,
            jaeger_2=jaeger_2.otlp_grpc,
            mlflow=mlflow.url,
            experiment=mlflow.experiment_id,
            phoenix=phoenix.url,
            folder=tmp_path,
        )
    )
    return path


def run_program(client: Client, trace_id: str) -> str:
    """A program as one writes it for MlflowClient; returns the wire ID."""
    root = client.start_trace(
        "report", span_type=SpanType.AGENT, inputs={"user": "user123"}, tags={"team": "blue"}, trace_id=trace_id
    )
    fetch = client.start_span("fetch", root.trace_id, root.span_id, span_type=SpanType.RETRIEVER, inputs={"query": "q"})
    client.end_span(root.trace_id, fetch.span_id, outputs={"rows": 3})
    broken = client.start_span("render", root.trace_id, root.span_id)
    broken.record_exception(ValueError("no template"))
    client.end_span(root.trace_id, broken.span_id)
    client.end_trace(root.trace_id, outputs="done")
    return root.wire_trace_id


def test_one_trace_is_found_in_every_system_by_its_custom_id(
    config, zipkin, jaeger, jaeger_2, mlflow, phoenix, tmp_path
):
    """The same three spans, under the caller's own ID, in five servers, a log file and the store."""
    custom = f"user123_report_20260101_{uuid.uuid4().hex[:8]}"
    with Client(config=str(config)) as client:
        wire = run_program(client, custom)
        assert client.flush(60)
        stats = client.stats()
        assert {name: (books.exported, stats.balance(name)) for name, books in stats.adapters.items()} == dict.fromkeys(
            stats.adapters, (3, 0)
        )
    names = {"report", "fetch", "render"}

    found = poll(
        lambda: get(f"{zipkin.url}/api/v2/traces?annotationQuery=tracebridge.trace_id%3D{custom}&lookback=86400000")
    )
    assert [{s["name"] for s in trace} for trace in found] == [names]

    for server in (jaeger, jaeger_2):
        tags = (
            json.dumps({"tracebridge.trace_id": custom})
            .replace(" ", "")
            .replace('"', "%22")
            .replace("{", "%7B")
            .replace("}", "%7D")
        )
        found = poll(lambda u=server.query_url, t=tags: get(f"{u}/api/traces?service=end-to-end&tags={t}")["data"])
        assert [{s["operationName"] for s in trace["spans"]} for trace in found] == [names]

    code = [str(mlflow.script.parent / "python"), "-c", MLFLOW_READS, mlflow.url, wire]
    spans = {
        s["name"]: s
        for s in json.loads(subprocess.run(code, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    }
    assert {name: (s["type"], s["inputs"], s["outputs"], s["status"], s["custom"]) for name, s in spans.items()} == {
        "report": ("AGENT", {"user": "user123"}, "done", "OK", custom),
        "fetch": ("RETRIEVER", {"query": "q"}, {"rows": 3}, "OK", custom),
        "render": ("UNKNOWN", None, None, "ERROR", custom),
    }
    assert {s["parent"] for s in spans.values()} == {None, spans["report"]["id"]}

    url = f"{phoenix.url}/v1/projects/default/spans?trace_id={wire}"
    in_phoenix = poll(lambda: s if len(s := get(url)["data"]) == 3 else [])
    assert {(s["name"], s["attributes"]["tracebridge.trace_id"]) for s in in_phoenix} == {
        (name, custom) for name in names
    }

    lines = [json.loads(line) for line in (tmp_path / "spans.log").read_text().splitlines()]
    assert {(line["span_name"], line["custom_trace_id"]) for line in lines} == {(name, custom) for name in names}

    with Client(config={"adapters": {"store": {"path": str(tmp_path / "store.db")}}}) as reader:
        assert {span.name for span in reader.get_trace(custom).data.spans} == names


def test_the_demo_says_what_each_live_server_acknowledged(config):
    """`tracebridge demo --config` sends to every server of the file and reports each."""
    command = [
        sys.executable,
        "-c",
        "from tracebridge.cli import main; main()",
        "demo",
        "--config",
        str(config),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    outcome = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {name: books["exported"] for name, books in outcome["stats"]["adapters"].items()} == dict.fromkeys(
        ("zipkin", "otlp_http/jaeger", "otlp_grpc/jaeger2", "otlp_http/mlflow", "otlp_http/phoenix", "log", "store"),
        15,
    )


def get(url: str) -> Any:
    """The JSON at an address."""
    return http.request("GET", url).json()


def poll(read: Any) -> Any:
    """Read until there is something."""
    deadline = time.monotonic() + readback.WAIT_S
    while not (got := read()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return got
