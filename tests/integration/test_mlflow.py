"""A real MLflow server as the destination that a tracking URI names, and MLflow itself beside us: signatures, JSON, filters."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from support.backends.process import http
from tracebridge import Client, InvalidParameterError, SpanEvent, Trace, TraceNotFoundError

pytestmark = pytest.mark.server


@pytest.fixture
def name() -> str:
    """An experiment that only this test has."""
    return f"experiment {uuid.uuid4().hex[:8]}"


def ask_mlflow(mlflow: Any, program: str, *arguments: str) -> Any:
    """Run a program in MLflow's own environment; return what it printed last, from JSON."""
    python = str(mlflow.script.parent / "python")
    done = subprocess.run(
        [python, "-W", "ignore", "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def experiment_id(mlflow: Any, name: str) -> str | None:
    """The ID that the server has for a name."""
    answer = http.request(
        "GET", f"{mlflow.url}/api/2.0/mlflow/experiments/get-by-name", fields={"experiment_name": name}
    )
    return answer.json()["experiment"]["experiment_id"] if answer.status == 200 else None


# ---------------------------------------------------------------------- as the destination


def test_a_tracking_uri_is_where_traces_go_and_are_read_from(mlflow, name, monkeypatch, tmp_path):
    """Under a new experiment, which is made as MLflow would; found by name, tagged, and deleted there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    with Client(mlflow.url) as client:
        assert experiment_id(mlflow, name) is None  # a constructor asks nobody
        root = client.start_trace("job", inputs={"a": 1}, tags={"team": "blue"}, trace_id=f"{name} job")
        client.start_span("step", root.trace_id, root.span_id, "TOOL").end(outputs=[1])
        root.end(outputs="done")
        trace = client.get_trace(f"{name} job")
        made = experiment_id(mlflow, name)
        assert (trace.info.experiment_id, trace.info.tags, trace.data.response) == (made, {"team": "blue"}, '"done"')
        assert [found.info.trace_id for found in client.search_traces(filter_string="span.type = 'TOOL'")] == [
            f"{name} job"
        ]
        reads = "import sys, json; from mlflow import MlflowClient; print(json.dumps([t.info.trace_id for t in MlflowClient(sys.argv[1])"
        reads += (
            ".search_traces(locations=[sys.argv[2]], filter_string=\"trace.name = 'job' AND tags.team = 'blue'\")]))"
        )
        assert ask_mlflow(mlflow, reads, mlflow.url, made) == [f"tr-{root.wire_trace_id}"]
        client.set_trace_tag(f"{name} job", "seen", "yes")
        client.set_trace_tag(f"{name} job", "team", "red")
        assert client.get_trace(f"{name} job").info.tags == {"seen": "yes", "team": "red"}
        client.delete_trace_tag(f"{name} job", "team")
        assert client.get_trace(f"{name} job").info.tags == {"seen": "yes"}
        with pytest.raises(TraceNotFoundError, match="No tag"):
            client.delete_trace_tag(f"{name} job", "team")
        with pytest.raises(TraceNotFoundError, match="not found"):
            client.set_trace_tag("nobody has this ID", "k", "v")
        assert client.delete_traces("0", trace_ids=[f"{name} job"]) == 0
        assert client.delete_traces(made, trace_ids=[f"{name} job"]) == 1
        with pytest.raises(TraceNotFoundError):
            client.get_trace(f"{name} job")
    assert not (tmp_path / "tracebridge.db").exists()


def test_traces_go_to_the_experiment_and_the_run_that_they_name(mlflow, name):
    """Their children with them, in whatever order they end; the others go where the configuration says."""
    run = http.request("POST", f"{mlflow.url}/api/2.0/mlflow/runs/create", json={"experiment_id": mlflow.experiment_id})
    run_id = run.json()["run"]["info"]["run_id"]
    with Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) as client:
        roots = [client.start_trace("a"), client.start_trace("b", experiment_id=mlflow.experiment_id, run_id=run_id)]
        for root in roots:
            client.start_span("child", root.trace_id, root.span_id).end()
        assert client.flush(60)  # what has ended goes before its root
        for root in roots:
            root.end()
        traces = [client.get_trace(root.trace_id) for root in roots]
        places = [trace.info.experiment_id for trace in traces]
        assert (places, [len(trace.data.spans) for trace in traces]) == (
            [experiment_id(mlflow, name), mlflow.experiment_id],
            [2, 2],
        )
        found = [trace.info.trace_id for trace in client.search_traces([mlflow.experiment_id], run_id=run_id)]
        assert (found, client.search_traces(run_id=run_id)) == ([roots[1].trace_id], [])
        reads = "import sys, json; from mlflow import MlflowClient; print(json.dumps([t.info.trace_id for t in MlflowClient(sys.argv[1])"
        reads += ".search_traces(locations=[sys.argv[2]], run_id=sys.argv[3])]))"
        assert ask_mlflow(mlflow, reads, mlflow.url, mlflow.experiment_id, run_id) == [f"tr-{roots[1].wire_trace_id}"]


def test_an_experiment_that_one_trace_named_costs_that_trace_alone(mlflow, name):
    """The server does not know it: a dead letter says so, and the others arrive."""
    with Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) as client:
        client.start_trace("lost", experiment_id="99999999").end()
        client.start_trace("found").end()
        assert client.flush(60)
        stats = client.stats().adapters["mlflow"]
        assert (stats.exported, stats.dropped) == (1, {"rejected": 1})
        assert "experiment_id='99999999'" in client.dead_letters()[0].message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"experiment_id": "99999999"}, "experiment 99999999 does not exist in MLflow; name one that does"),
        ({"experiment_name": "tracebridge", "experiment_id": "99999999"}, "not 99999999; give one of the two"),
        ({"experiment_name": "deleted"}, "is deleted in MLflow; restore it"),
    ],
)
def test_an_experiment_of_the_configuration_that_cannot_be_used_holds_the_spans_back(mlflow, given, words):
    """One clear line, and nothing is lost: once the experiment is there, they arrive."""
    if given.get("experiment_name") == "deleted":
        given = {"experiment_name": f"deleted {uuid.uuid4().hex[:8]}"}
        made = http.request(
            "POST", f"{mlflow.url}/api/2.0/mlflow/experiments/create", json={"name": given["experiment_name"]}
        )
        http.request("POST", f"{mlflow.url}/api/2.0/mlflow/experiments/delete", json=made.json())
    quick = {"initial_interval": "10ms", "max_interval": "10ms"}
    with Client(
        config={"adapters": {"mlflow": {"endpoint": mlflow.url, "retry_on_failure": quick, **given}}}
    ) as client:
        client.start_trace("waits").end()
        deadline = time.monotonic() + 60
        while words not in (client.stats().adapters["mlflow"].last_error or "") and time.monotonic() < deadline:
            time.sleep(0.05)
        stats = client.stats().adapters["mlflow"]
        assert words in stats.last_error
        assert (stats.queued, stats.dropped) == (1, {})
        if "deleted" in words:
            http.request("POST", f"{mlflow.url}/api/2.0/mlflow/experiments/restore", json=made.json())
            assert client.flush(60)
        else:
            client.close(timeout_s=0)


def test_two_that_make_the_same_experiment_at_once_both_use_it(mlflow, name):
    """Whoever was slower finds what the other made."""
    clients = [
        Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) for _ in range(4)
    ]
    together = threading.Barrier(len(clients))

    def trace(client: Client) -> None:
        together.wait()
        client.start_trace("r").end()
        assert client.flush(60)

    threads = [threading.Thread(target=trace, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients[0].search_traces()) == len(clients)
    assert [client.stats().adapters["mlflow"].exported for client in clients] == [1] * len(clients)
    for client in clients:
        client.close()


# ---------------------------------------------------------------------- beside MLflow itself

OUT_OF_REACH = {
    "Trace": {
        "from_proto",
        "to_proto",
        "from_dictionary",
        "to_pandas_dataframe_row",
        "pandas_dataframe_columns",
        "search_assessments",
    },
    "TraceInfo": {"from_proto", "to_proto", "from_dictionary", "assessments", "trace_location"},
    "TraceData": {"intermediate_outputs", "to_json_bytes"},
    "Span": {"from_dict_v2", "from_otel_proto", "to_otel_proto"},
    "LiveSpan": {
        "from_dict",
        "from_dict_v2",
        "from_immutable_span",
        "from_otel_proto",
        "to_immutable_span",
        "to_otel_proto",
    },
    "SpanEvent": {"from_dictionary", "from_proto", "json", "to_otel_proto"},
    "SpanStatus": {"from_otel_proto_status", "from_otel_status", "to_otel_proto_status", "to_otel_status"},
    "Link": {"from_dictionary", "from_otel_proto", "from_proto"},
    "NoOpSpan": {"context", "from_dict", "from_dict_v2", "from_otel_proto", "to_otel_proto"},
}
"""Members of MLflow's that have no meaning here: its wire forms, assessments, pandas, what it has deprecated."""

COMPARE = """
import inspect, json, site, sys
site.addsitedir(sys.argv[1])
import mlflow, mlflow.entities as theirs, tracebridge
from tracebridge.spans.noop import NoopSpan
out_of_reach = json.loads(sys.argv[2])
PAIRS = {"Trace": tracebridge.Trace, "TraceInfo": tracebridge.TraceInfo, "TraceData": tracebridge.TraceData, "Span": tracebridge.FinishedSpan,
         "LiveSpan": tracebridge.Span, "NoOpSpan": NoopSpan, "SpanEvent": tracebridge.SpanEvent, "SpanStatus": tracebridge.SpanStatus,
         "Link": tracebridge.Link}
def positional(call):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(call).parameters.values() if p.kind in kinds and p.name not in ("self", "cls")]
wrong = []
def compare(where, their_call, our_call, same_order=True):
    a, b = positional(their_call), positional(our_call)
    takes_all = {p.kind for p in inspect.signature(our_call).parameters.values()} >= {inspect.Parameter.VAR_POSITIONAL}
    if not takes_all and (b[:len(a)] != a if same_order else not set(a) <= set(b)):
        wrong.append(f"{where}: {a} here {b}")
for name, ours in PAIRS.items():
    kind = getattr(theirs, name)
    for member in {m for m in dir(kind) if not m.startswith("_")} - set(out_of_reach[name]):
        if not hasattr(ours, member):
            if member not in getattr(ours, "__dataclass_fields__", ()):
                wrong.append(f"{name}.{member} is missing")
            continue
        what = inspect.getattr_static(kind, member)
        if isinstance(what, property):
            mine = inspect.getattr_static(ours, member)
            if what.fset and isinstance(mine, property) and not mine.fset:
                wrong.append(f"{name}.{member} cannot be set")
        elif callable(getattr(kind, member)):
            compare(f"{name}.{member}", getattr(kind, member), getattr(ours, member))
for name in ("SpanEvent", "SpanStatus", "Link"):
    compare(name, getattr(theirs, name), PAIRS[name])
compare("MlflowClient", mlflow.MlflowClient, tracebridge.Client)
for call in ("start_trace", "start_span", "end_span", "end_trace", "get_trace", "search_traces", "set_trace_tag", "delete_trace_tag", "delete_traces"):
    compare(call, getattr(mlflow.MlflowClient, call), getattr(tracebridge.Client, call))
print(json.dumps([mlflow.__version__, sorted(wrong)]))
"""


def test_calls_and_members_are_those_of_mlflow(mlflow):
    """By `inspect.signature` against MLflow 3.18.0: nothing is missing but what is listed, and every argument stands where it stands there."""
    listed = json.dumps({kind: sorted(members) for kind, members in OUT_OF_REACH.items()})
    assert ask_mlflow(mlflow, COMPARE, sysconfig.get_paths()["purelib"], listed) == ["3.18.0", []]


def test_either_reads_what_the_other_wrote(mlflow, name):
    """A trace as JSON: from us to MLflow, and from MLflow to us."""
    with Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) as client:
        root = client.start_trace(
            "order",
            "CHAIN",
            inputs={"n": 1},
            attributes={"ratio": 0.5, "on": True, "list": [1, "a"]},
            tags={"team": "blue"},
        )
        root.add_event(SpanEvent("said", attributes={"words": 2}))
        child = client.start_span("ask", root.trace_id, root.span_id, "LLM")
        child.record_exception(ValueError("no price"))
        child.end()
        root.end(outputs="done")
        ours = client.get_trace(root.trace_id)
    program = (
        "import sys, json; from mlflow import MlflowClient; from mlflow.entities import Trace\n"
        "ours, theirs = Trace.from_json(sys.argv[3]), MlflowClient(sys.argv[1]).get_trace(sys.argv[2])\n"
        "def told(t): return [[s.name, s.span_type, s.span_id, s.parent_id, s.inputs, s.outputs, str(s.status), s.start_time_ns, s.end_time_ns,\n"
        "    [[e.name, e.timestamp, e.attributes] for e in s.events],\n"
        "    {k: v for k, v in s.attributes.items() if not k.startswith('mlflow.')}] for s in t.data.spans]\n"
        "same = [told(ours) == told(theirs), ours.info.state == theirs.info.state, ours.info.request_time == theirs.info.request_time,\n"
        "    abs(ours.info.execution_duration - theirs.info.execution_duration) <= 1, ours.info.experiment_id == theirs.info.experiment_id]\n"
        "print(json.dumps([same, theirs.to_json()]))"
    )
    same, written = ask_mlflow(mlflow, program, mlflow.url, f"tr-{ours.info.wire_trace_id}", ours.to_json())
    assert same == [True] * 5
    theirs = Trace.from_json(written)
    assert [
        (s.name, s.span_id, s.inputs, s.outputs, s.events, s.status, s.start_time_ns) for s in theirs.data.spans
    ] == [(s.name, s.span_id, s.inputs, s.outputs, s.events, s.status, s.start_time_ns) for s in ours.data.spans]
    assert theirs.info.wire_trace_id == ours.info.wire_trace_id


def test_an_own_id_is_found_in_mlflow_itself_and_through_us(mlflow, name):
    """By a tag, which its page and its search know; it is no tag of ours when it is read back."""
    with Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) as client:
        client.start_trace("order", trace_id=f"{name}-order-7", tags={"team": "blue"}).end()
        ours = client.get_trace(f"{name}-order-7")
        found = client.search_traces(filter_string=f"attributes.`tracebridge.trace_id` = '{name}-order-7'")
    assert (ours.info.tags, [trace.trace_id for trace in found]) == ({"team": "blue"}, [f"{name}-order-7"])
    program = (
        "import sys, json; from mlflow import MlflowClient; client = MlflowClient(sys.argv[1])\n"
        "places = [client.get_experiment_by_name(sys.argv[2]).experiment_id]\n"
        "asked = f\"tags.`tracebridge.trace_id` = '{sys.argv[3]}'\"\n"
        "print(json.dumps([t.info.trace_id for t in client.search_traces(places, filter_string=asked)]))"
    )
    assert ask_mlflow(mlflow, program, mlflow.url, name, ours.trace_id) == [f"tr-{ours.info.wire_trace_id}"]


FILTERS = [
    "name = 'order 1'",
    "trace.name LIKE 'ORDER%'",
    "attributes.name LIKE 'order _'",
    "name ILIKE 'ORDER%'",
    "name RLIKE '[12]$'",
    "status IN ('ERROR', 'OK') AND name = 'order 3'",
    "status NOT IN ('ERROR')",
    "name != 'order 2'",
    "status = 'ERROR'",
    "trace.status IN ('OK')",
    "attributes.status != 'OK'",
    "tags.parity = 'odd'",
    "tags.parity IS NULL",
    "tags.rare IS NOT NULL",
    "tags.rare IS NULL AND tags.parity ILIKE 'ODD'",
    "tags.parity RLIKE '^ev'",
    "tags.rare != 'x'",
    "timestamp_ms >= {2}",
    "trace.timestamp > {1} AND timestamp_ms < {3}",
    "end_time_ms = {end1}",
    "attributes.end_time > {end1}",
    "trace.execution_time_ms >= 3",
    "execution_time_ms < 3 AND attributes.execution_time > 1",
    "span.name = 'step'",
    "span.type = 'TOOL'",
    "span.type IN ('TOOL', 'LLM') AND span.status = 'ERROR'",
    "span.type = 'CHAIN' AND span.name = 'step'",
    "span.status != 'ERROR' AND span.name LIKE 'st%'",
    "span.attributes.region LIKE '%eu%'",
    "span.attributes.`user.id` ILIKE '%U2%'",
]
ORDERS = [
    ["status ASC"],
    ["status DESC", "timestamp_ms ASC"],
    ["execution_time_ms DESC"],
    ["name DESC"],
    ["tags.rare ASC"],
    ["end_time_ms ASC"],
]

SEARCH = """
import json, sys
from mlflow import MlflowClient
client, places = MlflowClient(sys.argv[1]), [sys.argv[2]]
def names(**asked): return [t.info.tags["mlflow.traceName"] for t in client.search_traces(locations=places, **asked)]
print(json.dumps([[names(filter_string=text) for text in json.loads(sys.argv[3])], [names(order_by=order) for order in json.loads(sys.argv[4])]]))
"""


def test_filters_and_orders_find_what_they_find_on_mlflow(mlflow, name, tmp_path):
    """The same strings, the same traces: on MLflow's own client, on our reader of its server, and on the embedded store."""
    adapters = {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}, "store": {"path": str(tmp_path / "s.db")}}
    now = time.time_ns() // 10**9 * 10**9 - 60 * 10**9
    moments = {str(n): now // 10**6 + n * 1000 for n in range(4)} | {"end1": now // 10**6 + 1002}
    filters = [
        text if "{" not in text else text.format(*(moments[str(n)] for n in range(4)), end1=moments["end1"])
        for text in FILTERS
    ]
    with Client(config={"adapters": adapters}) as client:
        for n in range(4):
            start = now + n * 10**9
            tags = {"parity": "even" if n % 2 == 0 else "odd"} | ({"rare": f"r{n}"} if n < 2 else {})
            root = client.start_trace(
                f"order {n}", "CHAIN", attributes={"region": "eu", "user.id": f"u{n}"}, tags=tags, start_time_ns=start
            )
            step = client.start_span(
                "step", root.trace_id, root.span_id, "TOOL" if n % 2 else "LLM", start_time_ns=start + 1000
            )
            step.end(status="ERROR" if n == 1 else "OK", end_time_ns=start + 2000)
            root.end(status="ERROR" if n == 3 else "OK", end_time_ns=start + (n + 1) * 10**6)
        assert client.flush(60)

    def names(reader: Client, **asked: Any) -> list[str]:
        return [trace.data.spans[0].name for trace in reader.search_traces(**asked)]

    asked = (mlflow.url, experiment_id(mlflow, name), json.dumps(filters), json.dumps(ORDERS))
    expected, ordered = ask_mlflow(mlflow, SEARCH, *asked)
    assert sum(map(bool, expected)) > len(filters) / 2  # most of them find something
    with (
        Client(config={"adapters": {"store": adapters["store"]}}) as store,
        Client(config={"adapters": {"mlflow": adapters["mlflow"]}}) as server,
    ):
        for reader in (store, server):
            found = {text: names(reader, filter_string=text) for text in filters}
            assert dict(zip(filters, expected, strict=True)) == found
        assert dict(zip(map(str, ORDERS), ordered, strict=True)) == {
            str(order): names(store, order_by=order) for order in ORDERS
        }
        with pytest.raises(InvalidParameterError, match="newest first"):
            server.search_traces(order_by=["name"])


def test_the_commands_read_where_the_variable_says(mlflow, name, tmp_path):
    """`search` and `show` name the server on stderr; `demo` sends it nothing and says so; `doctor` names what it examines."""
    command = str(Path(sys.executable).parent / "tracebridge")
    environ = {
        "MLFLOW_TRACKING_URI": mlflow.url,
        "MLFLOW_EXPERIMENT_NAME": name,
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    with Client(config={"adapters": {"mlflow": {"endpoint": mlflow.url, "experiment_name": name}}}) as client:
        client.start_trace("order", trace_id=f"{name} order").end()
    told = f"destinations: {mlflow.url} (MLFLOW_TRACKING_URI)\n"
    searched, shown = run("search", "--name", "order", "--json"), run("show", f"{name} order")
    assert (json.loads(searched.stdout)["trace_id"], searched.stderr) == (f"{name} order", told)
    assert ("order" in shown.stdout, shown.stderr) == (True, told)
    examined = run("doctor", "--json")
    assert (json.loads(examined.stdout)["healthy"], told in examined.stderr) == (True, True)
    shown_off = run("demo", "--json")
    assert shown_off.stderr == "MLFLOW_TRACKING_URI is set and not used here; to send there, name it in a YAML file\n"
    assert list(json.loads(shown_off.stdout)["stats"]["adapters"]) == ["store", "otlp_file", "zipkin_file", "log"]
