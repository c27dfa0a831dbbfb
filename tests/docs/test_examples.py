"""Every example runs as a program, and what it traced is read back."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.backends.cache import REQUIRE, MissingServerError
from support.backends.fetching import mlflow_script
from tracebridge import Client, EndCause, Trace

EXAMPLES = Path(__file__).parents[2] / "examples"
IMPORT, MLFLOW_IMPORT = "from tracebridge import Client as MlflowClient", "from mlflow import MlflowClient"
OWN_ID = re.compile(r"user123_(report|report_generation)_\d{14}_[0-9a-f]{8}")
Tree = list[tuple[str, str, "Tree"]]  # (name, status, children)

WORKFLOW: list[Tree] = [
    [("workflow", "OK", [("step_1", "OK", [("step_1_1", "OK", [])]), ("step_2", "ERROR", [])])],
]
FLOW: list[Tree] = [[("my_application_flow", "OK", [("fetch_user_data", "OK", []), ("process_data", "OK", [])])]]
RISKY: list[Tree] = [
    [("risky_operation", "OK", [("database_query", "OK", [])])],
    [("risky_operation", "ERROR", [("database_query", "ERROR", [])])],
]


def batch(transform_of_the_broken_item: str) -> list[Tree]:
    """The batch's tree; only the status of the span that broke depends on who ends it."""
    items: Tree = [
        ("process_item_0", "OK", [("validate", "OK", []), ("transform", "OK", [])]),
        ("process_item_1", "OK", [("validate", "OK", [])]),
        ("process_item_2", "ERROR", [("validate", "OK", []), ("transform", transform_of_the_broken_item, [])]),
    ]
    return [[("batch_processing", "OK", items)]]


EXPECTED: dict[str, list[Tree]] = {
    "mlflow_shape/01_getting_started.py": FLOW,
    "mlflow_shape/02_error_handling.py": RISKY,
    "mlflow_shape/03_custom_trace_manager.py": [[("<own ID>", "OK", [])]],
    "mlflow_shape/04_batch_processing.py": batch("UNSET"),  # never ended
    "mlflow_shape/05_traced_span.py": WORKFLOW,
    "mlflow_shape/06_trace_state_manager.py": [
        [("pipeline", "OK", [("load", "OK", [("parse", "OK", [])]), ("store", "OK", [])])]
    ],
    "mlflow_shape/07_attributes.py": [[("answer", "OK", [("llm_call", "OK", [])])]],
    "built_in/01_getting_started.py": FLOW,
    "built_in/02_error_handling.py": RISKY,
    "built_in/03_custom_ids.py": [[("report", "OK", [("render", "OK", [])])]],
    "built_in/04_batch_processing.py": batch("ERROR"),
    "built_in/05_spans.py": [
        [("tasks", "OK", [("step_1", "OK", [("step_1_1", "OK", [])]), ("step_2", "OK", [("step_2_1", "OK", [])])])],
        [("threads", "OK", [("job_0", "OK", []), ("job_1", "OK", [])])],
    ],
    "built_in/06_trace_stack.py": [[("pipeline", "OK", [("load", "OK", [("parse", "OK", [])])])]] * 2,
}
MLFLOW_SHAPE = [name for name in EXPECTED if name.startswith("mlflow_shape/")]


def without_failure(program: Path) -> str:
    """A program in which no item fails: what MLflow makes of one that does is another test's."""
    return program.read_text().replace('"free"', '"0.5"')


def run(command: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder of its own and insist that it succeeds."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def trace(program: Path, cwd: Path) -> tuple[str, list[Trace]]:
    """Run a program with a store of its own; return what it printed and what it traced, oldest first."""
    store = str(cwd / "store.db")
    done = run([sys.executable, "-W", "error", str(program)], cwd, TRACEBRIDGE_STORE=store)
    assert done.stderr == ""
    with Client(config={"adapters": {"store": {"path": store}}}) as client:
        return done.stdout, list(client.search_traces(order_by=["timestamp_ms ASC"]))


def spans_of(traces: list[Trace]) -> list[list[dict[str, Any]]]:
    """What a person who reads a trace sees of its spans, as plain values."""
    return [
        [
            {
                "id": s.span_id,
                "parent": s.parent_id,
                "start": s.start_time_ns,
                "name": s.name,
                "type": s.span_type,
                "status": s.status.status_code.value,
                "description": s.status.description,
                "inputs": s.inputs,
                "outputs": s.outputs,
                "attributes": s.attributes,
            }
            for s in each.data.spans
        ]
        for each in traces
    ]


def nested(spans: list[dict[str, Any]], parent: str | None = None) -> list[dict[str, Any]]:
    """Spans under their parents, in start order, without what differs from run to run."""
    plain = json.loads(OWN_ID.sub("<own ID>", json.dumps(spans)))
    children = sorted((s for s in plain if s["parent"] == parent), key=lambda s: s["start"])
    fixed = [{k: v for k, v in s.items() if k not in ("id", "parent", "start")} for s in children]
    return [{**f, "children": nested(plain, s["id"])} for f, s in zip(fixed, children, strict=True)]


def tree(spans: list[dict[str, Any]]) -> Tree:
    """Nested spans as (name, status, children)."""
    return [(s["name"], s["status"], tree(s["children"])) for s in spans]


def test_every_example_is_expected():
    """No example is left out of these tests."""
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.py")}
    elsewhere = {
        "existing_stack/program.py",
        *(f"across_processes/{name}.py" for name in ("order", "shop", "stock", "worker")),
        *(f"handed_over/{name}.py" for name in ("courier", "tasks", "web")),
        "saga/step.py",
    }
    assert files == {*EXPECTED, *elsewhere}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_traces_what_it_says(name, tmp_path):
    """Names, parents and statuses are as the example's text promises, and every ID is one of ours."""
    printed, traces = trace(EXAMPLES / name, tmp_path)
    assert printed
    assert [tree(nested(spans)) for spans in spans_of(traces)] == EXPECTED[name]
    for each in traces:
        assert re.fullmatch("[0-9a-f]{32}", each.info.wire_trace_id)
        assert {s.wire_trace_id for s in each.data.spans} == {each.info.wire_trace_id}


def test_the_first_example_keeps_all_that_it_was_given(tmp_path):
    """Inputs, outputs and attributes of start and end are all there, as the types they had."""
    _, [each] = trace(EXAMPLES / "mlflow_shape/01_getting_started.py", tmp_path)
    root, data, process = each.data.spans
    assert root.attributes == {
        "environment": "production",
        "version": "1.0.0",
        "total_duration_ms": 1250,
        "status": "success",
    }
    assert (root.inputs, root.outputs) == (
        {"user_id": "123", "action": "generate_report"},
        {"report_url": "https://example.com/report/123"},
    )
    assert data.outputs == {"record_count": 42, "cache_hit": True}
    assert data.attributes == {"database": "users_db", "query_type": "select", "duration_ms": 150}
    assert process.attributes == {"processor": "gpu", "batch_size": 32}


def test_the_forgotten_span_of_the_batch_is_delivered_and_marked(tmp_path):
    """A span that the program never ends is in the trace, and says that it was not ended by the program."""
    _, [each] = trace(EXAMPLES / "mlflow_shape/04_batch_processing.py", tmp_path)
    causes = [(s.name, s.cause) for s in each.data.spans if s.cause is not EndCause.FINISHED]
    assert causes == [("transform", EndCause.FLUSHED)]


def test_the_custom_id_example_is_stored_under_its_own_id(tmp_path):
    """The ID that the program made is the trace's ID."""
    printed, [each] = trace(EXAMPLES / "built_in/03_custom_ids.py", tmp_path)
    assert printed == f"traced {each.info.trace_id}, which back-ends show as {each.info.wire_trace_id}\n"
    assert OWN_ID.fullmatch(each.info.trace_id)


def test_the_custom_trace_manager_names_its_trace_by_its_id(tmp_path):
    """The hand-written manager's ID is the name and an attribute; the trace's own ID is another."""
    printed, [each] = trace(EXAMPLES / "mlflow_shape/03_custom_trace_manager.py", tmp_path)
    [root] = each.data.spans
    assert printed == f"traced {root.name}\n"
    assert OWN_ID.fullmatch(root.name)
    assert root.attributes["custom_trace_id"] == root.name
    assert root.trace_id == each.info.wire_trace_id


def test_numbers_in_attributes_stay_numbers(tmp_path):
    """Each attribute comes back as the value and the type that was given, and a token count is not redacted."""
    _, [each] = trace(EXAMPLES / "mlflow_shape/07_attributes.py", tmp_path)
    call = each.data.spans[1]
    assert call.span_type == "LLM"
    assert call.attributes == {
        "model": "gpt-4",
        "temperature": 0.7,
        "max_tokens": 1000,
        "prompt_template": "rag_v2",
        "user_tier": "premium",
    }


# ---------------------------------------------------------------------- the same programs with the real MLflow

READ_MLFLOW = """
import json, mlflow, os
experiment = mlflow.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
traces = MlflowClient().search_traces(locations=[experiment.experiment_id], order_by=["timestamp_ms ASC"])
print(json.dumps([[{
    "id": s.span_id, "parent": s.parent_id, "start": s.start_time_ns, "name": s.name, "type": s.span_type,
    "status": s.status.status_code.value, "description": s.status.description, "inputs": s.inputs, "outputs": s.outputs,
    "attributes": {k: v for k, v in s.attributes.items() if not k.startswith("mlflow.")},
} for s in t.data.spans] for t in traces]))
"""


@pytest.fixture(scope="session")
def with_mlflow(tmp_path_factory):
    """Run a program's text with the import changed back, and return the spans that the real MLflow stored."""
    try:
        python = str(mlflow_script().parent / "python")
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(str(error))
        pytest.skip(f"no MLflow on this machine: {error}")
    folder = tmp_path_factory.mktemp("mlflow")

    @functools.cache  # two tests ask for the same, and MLflow takes its time
    def mlflow_traces(text: str, experiment: str) -> list[list[dict[str, Any]]]:
        changed = text.replace(IMPORT, MLFLOW_IMPORT)
        assert changed != text
        (folder / "program.py").write_text(changed)
        (folder / "experiment.py").write_text(f"import mlflow; mlflow.set_experiment({experiment!r})\n")
        (folder / "all.py").write_text(f"import experiment\nfrom program import *\n{READ_MLFLOW}")
        done = run(
            [python, "-W", "ignore", "all.py"],
            folder,
            MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db",
            MLFLOW_EXPERIMENT_NAME=experiment,
            MLFLOW_DISABLE_TELEMETRY="true",
            DO_NOT_TRACK="1",
            MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false",
        )
        return json.loads(done.stdout.splitlines()[-1])

    return mlflow_traces


@pytest.mark.server
@pytest.mark.parametrize("name", MLFLOW_SHAPE)
def test_the_same_program_traces_the_same_with_mlflow(name, tmp_path, with_mlflow):
    """With the import changed back MLflow records the same: tree, types, statuses, inputs, outputs, attributes."""
    text = without_failure(EXAMPLES / name)
    (tmp_path / "program.py").write_text(text)
    _, ours = trace(tmp_path / "program.py", tmp_path)
    theirs = with_mlflow(text, name)
    assert [nested(spans) for spans in theirs] == [nested(spans) for spans in spans_of(ours)]
    assert theirs


READ_MLFLOW_SERVER = """
import json, mlflow, sys
def told(s): return {
    "id": s.span_id, "parent": s.parent_id, "start": s.start_time_ns, "name": s.name, "type": s.span_type,
    "status": s.status.status_code.value, "description": s.status.description, "inputs": s.inputs, "outputs": s.outputs,
    "attributes": {k: v for k, v in s.attributes.items() if not k.startswith("mlflow.")}}
def traces(name):
    places = [mlflow.get_experiment_by_name(name).experiment_id]
    return mlflow.MlflowClient().search_traces(locations=places, order_by=["timestamp_ms ASC"])
print(json.dumps({name: [[told(s) for s in t.data.spans] for t in traces(name)] for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="session")
def on_the_server(mlflow, tmp_path_factory):
    """Run each program with nothing but MLflow's variables exported; return what MlflowClient then reads on the server, by program."""
    folder = tmp_path_factory.mktemp("programs")
    exported = {"MLFLOW_TRACKING_URI": mlflow.url, "MLFLOW_DISABLE_TELEMETRY": "true"}
    for name in MLFLOW_SHAPE:
        (folder / "program.py").write_text(without_failure(EXAMPLES / name))
        done = run([sys.executable, "-W", "error", "program.py"], folder, **exported, MLFLOW_EXPERIMENT_NAME=name)
        assert (done.stderr, (folder / "tracebridge.db").exists()) == ("", False)
    python = str(mlflow.script.parent / "python")
    read = run([python, "-W", "ignore", "-c", READ_MLFLOW_SERVER, *MLFLOW_SHAPE], folder, **exported)
    return json.loads(read.stdout.splitlines()[-1])


@pytest.mark.server
@pytest.mark.parametrize("name", MLFLOW_SHAPE)
def test_the_same_program_shows_its_traces_on_the_mlflow_server(name, on_the_server, with_mlflow):
    """MlflowClient reads there what its own client would have left: names, tree, types, statuses, values."""
    theirs = with_mlflow(without_failure(EXAMPLES / name), name)
    assert [nested(spans) for spans in on_the_server[name]] == [nested(spans) for spans in theirs]


@pytest.mark.server
def test_mlflow_stores_the_trace_without_a_forgotten_span(with_mlflow):
    """What the batch example says of MLflow is so: a span left open is missing, where ours is delivered and marked."""
    [theirs] = with_mlflow((EXAMPLES / "mlflow_shape/04_batch_processing.py").read_text(), "forgotten")
    items = [[name for name, _, _ in children] for _, _, children in tree(nested(theirs))[0][2]]
    assert items == [["validate", "transform"], ["validate"], ["validate"]]


# ---------------------------------------------------------------------- an existing stack


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
