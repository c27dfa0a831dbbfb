"""Every example runs as a program, and what it traced is read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.servers import mlflow_script
from tracebridge import Client

EXAMPLES = Path(__file__).parents[2] / "examples"
Tree = list[tuple[str, str, "Tree"]]  # (name, status, children)

EXPECTED: dict[str, list[Tree]] = {
    "mlflow_shape/getting_started.py": [
        [("my_application_flow", "OK", [("fetch_user_data", "OK", []), ("process_data", "OK", [])])]
    ],
    "mlflow_shape/error_handling.py": [
        [("risky_operation", "OK", [("divide", "OK", [])])],
        [("risky_operation", "ERROR", [("divide", "ERROR", [])])],
    ],
    "mlflow_shape/custom_trace_manager.py": [[("report_user123", "OK", [("render", "OK", [])])]],
    "mlflow_shape/batch_processing.py": [
        [
            (
                "batch_processing",
                "OK",
                [
                    ("process_item_0", "OK", [("validate", "OK", [])]),
                    ("process_item_1", "ERROR", [("validate", "ERROR", [])]),
                    ("process_item_2", "OK", [("validate", "OK", [])]),
                ],
            )
        ]
    ],
    "mlflow_shape/traced_span.py": [
        [("workflow", "OK", [("step_1", "OK", [("step_1_1", "OK", [])]), ("step_2", "ERROR", [])])]
    ],
    "mlflow_shape/trace_state_manager.py": [
        [("pipeline", "OK", [("load", "OK", [("parse", "OK", [])]), ("store", "OK", [])])]
    ],
    "built_in/custom_ids.py": [[("report_user123", "OK", [("render", "OK", [])])]],
    "built_in/batch_processing.py": [
        [
            (
                "batch_processing",
                "OK",
                [
                    ("process_item_0", "OK", [("validate", "OK", [])]),
                    ("process_item_1", "ERROR", [("validate", "ERROR", [])]),
                    ("process_item_2", "OK", [("validate", "OK", [])]),
                ],
            )
        ]
    ],
    "built_in/trace_stack.py": [
        [("pipeline", "OK", [("load", "OK", [("parse", "OK", [])])])],
        [("pipeline", "OK", [("load", "OK", [("parse", "OK", [])])])],
    ],
}


def run(command: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder of its own and insist that it succeeds."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def tree(spans: list[dict[str, Any]], parent: str | None = None) -> Tree:
    """Spans as nested (name, status, children), in start order."""
    children = sorted((s for s in spans if s["parent"] == parent), key=lambda s: s["start"])
    return [(s["name"], s["status"], tree(spans, s["id"])) for s in children]


def stored(path: Path) -> list[Tree]:
    """The trees of the traces in a store, oldest first."""
    with Client(config={"adapters": {"store": {"path": str(path)}}}) as client:
        traces = client.search_traces(order_by=["timestamp_ms ASC"])
    return [
        tree(
            [
                {
                    "name": s.name,
                    "status": s.status.status_code.value,
                    "parent": s.parent_id,
                    "id": s.span_id,
                    "start": s.start_time_ns,
                }
                for s in trace.data.spans
            ]
        )
        for trace in traces
    ]


def test_every_example_is_expected():
    """No example is left out of these tests."""
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.py")}
    assert files == {*EXPECTED, "existing_stack/program.py"}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_traces_what_it_says(name, tmp_path):
    """Names, parents and statuses are as the example's text promises."""
    run([sys.executable, str(EXAMPLES / name)], tmp_path, TRACEBRIDGE_STORE=str(tmp_path / "store.db"))
    assert stored(tmp_path / "store.db") == EXPECTED[name]


def test_the_custom_id_example_is_stored_under_its_own_id(tmp_path):
    """The ID that the program made is the trace's ID."""
    done = run(
        [sys.executable, str(EXAMPLES / "built_in/custom_ids.py")], tmp_path, TRACEBRIDGE_STORE=str(tmp_path / "s.db")
    )
    found = re.fullmatch(r"traced (user123_report_\d{8}_\d{6}_[0-9a-f]{8}), .* ([0-9a-f]{32})\n", done.stdout)
    assert found, done.stdout
    with Client(config={"adapters": {"store": {"path": str(tmp_path / "s.db")}}}) as client:
        assert client.get_trace(found[1]).info.wire_trace_id == found[2]


MLFLOW_READS = """
import json, mlflow
from mlflow import MlflowClient
traces = MlflowClient().search_traces(experiment_ids=["0"], order_by=["timestamp_ms ASC"])
print(json.dumps([[{"name": s.name, "status": s.status.status_code.value, "parent": s.parent_id, "id": s.span_id,
                    "start": s.start_time_ns} for s in t.data.spans] for t in traces]))
"""


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """The Python of an environment with the real MLflow."""
    try:
        return str(mlflow_script().parent / "python")
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(str(error))
        pytest.skip(f"no MLflow on this machine: {error}")


@pytest.mark.server
@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("mlflow_shape/")])
def test_the_same_program_traces_the_same_with_mlflow(name, tmp_path, mlflow_python):
    """With the import changed back, MLflow records the same tree: only the import differs."""
    text = (EXAMPLES / name).read_text()
    changed = text.replace("from tracebridge import Client as MlflowClient", "from mlflow import MlflowClient")
    assert changed != text
    (tmp_path / "program.py").write_text(changed)
    env = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1",
           "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"}  # fmt: skip
    run([mlflow_python, "program.py"], tmp_path, **env)
    read = run([mlflow_python, "-c", MLFLOW_READS], tmp_path, **env)
    assert [tree(spans) for spans in json.loads(read.stdout.splitlines()[-1])] == EXPECTED[name]


@pytest.mark.server
def test_the_existing_stack_example_reaches_all_three(zipkin, jaeger, tmp_path):
    """Zipkin and Jaeger acknowledge, and the log line on stdout is redacted."""
    folder = EXAMPLES / "existing_stack"
    done = run(
        [sys.executable, str(folder / "program.py")],
        tmp_path,
        TRACEBRIDGE_CONFIG=str(folder / "bridge.yaml"),
        ZIPKIN_ENDPOINT=zipkin.spans_url,
        JAEGER_ENDPOINT=jaeger.otlp_http,
    )
    assert done.stderr.splitlines() == [f"{n}: 2 exported, 0 queued " for n in ("zipkin", "otlp_http/jaeger", "log")]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["custom_trace_id"], line["span_name"]) for line in lines] == [
        ("order-2026-000042", "charge card"),
        ("order-2026-000042", "place order"),
    ]
    assert lines[1]["inputs"] == {"sku": "A-1", "ssn": "[redacted]"}
