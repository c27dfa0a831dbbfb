"""Reading traces back, searching, tagging and deleting."""

from __future__ import annotations

import pytest

from tracebridge import Client, InvalidParameterError, Kind, NoReaderError, SpanRecord, TraceNotFoundError, TraceState
from tracebridge.reading.filters import parse_filter, parse_order
from tracebridge.reading.search import Condition, Order


@pytest.fixture(params=["memory", "store"])
def reader(request, tmp_path):
    """A client that can read back, from memory or from SQLite."""
    options = {"path": str(tmp_path / "s.db")} if request.param == "store" else {}
    with Client(config={"adapters": {request.param: options}}) as client:
        yield client


def make(client: Client, count: int = 5) -> None:
    """Finish so many traces, one second apart."""
    for n in range(count):
        start = 1_790_000_000_000_000_000 + n * 10**9
        root = client.start_trace(f"job {n}", attributes={"n": n, "user.id": f"u{n}", "even": n % 2 == 0, "ratio": n / 2},
                                  tags={"parity": "even" if n % 2 == 0 else "odd"}, trace_id=f"job-{n}", start_time_ns=start,
                                  span_type="CHAIN" if n % 2 == 0 else "TOOL")  # fmt: skip
        client.start_span("step", root.trace_id, root.span_id, attributes={"deep": n}).end()
        root.end(outputs=n, status="ERROR" if n == 3 else "OK", end_time_ns=start + (n + 1) * 10**6)


def names(traces) -> list[str]:
    """The IDs of some traces."""
    return [trace.info.trace_id for trace in traces]


def test_an_id_that_utf8_cannot_carry_is_found_by_what_was_given_and_by_what_is_shown(reader):
    """A lone surrogate, as file names and arguments bring it, is readable on the span; either text finds the trace."""
    root = reader.start_trace("r", trace_id="order-\udcff")
    root.end()
    found = [reader.get_trace(text).info.wire_trace_id for text in ("order-\udcff", r"order-\udcff")]
    assert found == [root.wire_trace_id] * 2
    with pytest.raises(TraceNotFoundError, match="not found"):
        reader.get_trace("other-\udcff")
    assert names(reader.search_traces(filter_string="name = 'no-\udcff'")) == []


def test_a_finished_trace_is_read_by_either_id(reader):
    """Everything that was recorded comes back, under MLflow's field names."""
    make(reader, 1)
    trace = reader.get_trace("job-0")
    assert reader.get_trace(trace.info.wire_trace_id).to_dict() == trace.to_dict()
    assert (trace.info.state, trace.info.execution_duration, trace.info.tags, trace.info.client_request_id) == (
        TraceState.OK, 1, {"parity": "even"}, "job-0",
    )  # fmt: skip
    root, step = trace.data.spans
    assert (root.name, root.outputs, root.attributes["n"], step.parent_id) == ("job 0", 0, 0, root.span_id)
    assert trace.search_spans(name="step") == [step]
    assert trace.data.response == "0"


def test_an_open_trace_is_read_with_what_is_still_open(reader):
    """Live spans and delivered ones are one trace, in progress."""
    root = reader.start_trace("r", trace_id="x", tags={"a": "1"})
    reader.start_span("done", "x", root.span_id).end()
    trace = reader.get_trace("x")
    assert [(s.name, s.end_time_ns is None) for s in trace.data.spans] == [("r", True), ("done", False)]
    assert (trace.info.state, trace.info.tags) == (TraceState.IN_PROGRESS, {"a": "1"})


def test_an_unknown_trace_is_not_found(reader):
    """The error is MLflow's."""
    with pytest.raises(TraceNotFoundError, match="Trace with ID nope not found"):
        reader.get_trace("nope")


def test_without_a_reader_there_is_a_clear_error():
    """A client that only sends says what to add."""
    with Client(config={"adapters": {"console": {}}}) as client:
        for call in (
            lambda: client.get_trace("x"),
            client.search_traces,
            lambda: client.delete_traces(trace_ids=["x"]),
        ):
            with pytest.raises(NoReaderError, match="store"):
                call()


@pytest.mark.parametrize(
    ("filter_string", "found"),
    [
        (None, [4, 3, 2, 1, 0]),
        ("name = 'job 2'", [2]),
        ("name ILIKE 'JOB %' AND status != 'OK'", [3]),
        ("attributes.n >= 3", [4, 3]),
        ("attributes.`user.id` = 'u1'", [1]),
        ("attributes.user.id = 'u1'", [1]),
        ("attributes.even = true AND attributes.n > 0", [4, 2]),
        ("attributes.ratio = 0.5", [1]),
        ("attributes.deep < 1", [0]),
        ("tags.parity = 'odd'", [3, 1]),
        ("trace_id = 'job-2'", [2]),
        ("execution_time_ms > 3", [4, 3]),
        ("timestamp_ms <= 1790000001000", [1, 0]),
        ("name = 'it''s'", []),
        ("name LIKE 'JOB %'", []),
        ("name LIKE 'job _'", [4, 3, 2, 1, 0]),
        ("name RLIKE '[12]$'", [2, 1]),
        ("name IN ('job 1', 'job 4', 'x')", [4, 1]),
        ("name NOT IN ('job 1','job 4')", [3, 2, 0]),
        ("status IN ('error')", [3]),
        ("attributes.n IN (1, 2, 'x')", [2, 1]),
        ("attributes.`user.id` RLIKE '^u[34]'", [4, 3]),
        ("tags.parity IS NULL", []),
        ("tags.parity IS NOT NULL AND attributes.n < 2", [1, 0]),
        ("tags.parity IN ('odd')", [3, 1]),
        ("tags.parity ILIKE 'ODD'", [3, 1]),
        ("attributes.missing IS NULL", [4, 3, 2, 1, 0]),
        ("attributes.deep IS NOT NULL AND attributes.missing IS NOT NULL", []),
        ("span.name = 'step' AND span.attributes.deep = 2", [2]),
        ("span.name = 'step' AND span.attributes.n = 2", []),
        ("span.attributes.`user.id` LIKE 'u%' AND span.status = 'ERROR'", [3]),
        ("span.type = 'CHAIN'", [4, 2, 0]),
        ("span.type IN ('CHAIN', 'LLM') AND span.name LIKE 'job%'", [4, 2, 0]),
        ("span.type != 'CHAIN' AND span.name LIKE 'job%'", [3, 1]),
        ("end_time_ms = 1790000002003", [2]),
        ("trace.end_time > 1790000002003", [4, 3]),
        ("trace.execution_time_ms > 3", [4, 3]),
        ("attributes.execution_time_ms > 3 AND attribute.execution_time = 5", [4]),
        ("trace.status = 'ERROR'", [3]),
        ("client_request_id = 'job-2'", [2]),
        ("request_id IN ('job-2', 'job-0')", [2, 0]),
        ("tags.`mlflow.traceName` = 'job 2'", [2]),
        ("timestamp_ms > 1790000001000 AND timestamp_ms < 1790000003000", [2]),
        ("timestamp_ms = 1790000001000", [1]),
        ("timestamp_ms >= 1790000000999.5 AND timestamp_ms != 1790000002000", [4, 3, 1]),
    ],
)
def test_search_answers_the_subset(reader, filter_string, found):
    """Every field and operator of the subset works, newest first."""
    make(reader)
    assert names(reader.search_traces(filter_string=filter_string)) == [f"job-{n}" for n in found]


def test_search_pages_until_the_end(reader):
    """`.token` leads on, and is None on the last page."""
    make(reader)
    token, pages = None, []
    while True:
        page = reader.search_traces(max_results=2, page_token=token, order_by=["timestamp_ms ASC"])
        pages.append(names(page))
        token = page.token
        if token is None:
            break
    assert pages == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"]]


def test_search_orders_as_asked(reader):
    """By any of MLflow's columns or a tag, by several, either way; what is equal comes newest first."""
    make(reader, 4)
    reader.set_trace_tag("job-1", "rank", "b")
    reader.set_trace_tag("job-2", "rank", "a")
    orders = {
        "status ASC": [3, 2, 1, 0],
        "trace.status DESC": [2, 1, 0, 3],
        "tags.parity, timestamp_ms ASC": [0, 2, 1, 3],
        "tags.rank DESC": [1, 2, 3, 0],
        "end_time_ms ASC": [0, 1, 2, 3],
        "attributes.execution_time ASC": [0, 1, 2, 3],
        "request_id DESC": [3, 2, 1, 0],
    }
    found = {text: names(reader.search_traces(order_by=text.split(", "))) for text in orders}
    assert {text: [f"job-{n}" for n in expected] for text, expected in orders.items()} == found
    assert names(reader.search_traces(order_by=["execution_time_ms DESC"])) == ["job-3", "job-2", "job-1", "job-0"]
    assert names(reader.search_traces(order_by=["name ASC"])) == ["job-0", "job-1", "job-2", "job-3"]


def test_a_search_may_name_the_run(reader):
    """As an argument, and in MLflow's language."""
    reader.start_trace("a", trace_id="a", run_id="r1").end()
    reader.start_trace("b", trace_id="b").end()
    found = [
        names(reader.search_traces(run_id="r1")),
        names(reader.search_traces(filter_string="attributes.run_id = 'r1' AND trace.run_id IS NOT NULL")),
        names(reader.search_traces(filter_string="run_id IS NULL")),
    ]
    assert found == [["a"], ["a"], ["b"]]


def test_a_search_stays_within_its_experiments(reader):
    """A trace that named none is in the default one; what another holds is neither shown nor deleted."""
    reader.start_trace("a", trace_id="a").end()
    reader.start_trace("b", trace_id="b", experiment_id="7").end()
    found = [
        names(reader.search_traces(experiment_ids=["7"])),
        names(reader.search_traces(["0"])),
        names(reader.search_traces(locations=["7", "0"])),
        names(reader.search_traces(experiment_ids=["8"])),
    ]
    assert found == [["b"], ["a"], ["b", "a"], []]
    assert reader.delete_traces("8", trace_ids=["a", "b"]) == 0
    assert reader.delete_traces("0", max_timestamp_millis=10**15) == 1
    assert names(reader.search_traces()) == ["b"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"filter_string": "name ~ 'x'"},
        {"filter_string": "name = 'x' OR name = 'y'"},
        {"filter_string": "color = 'red'"},
        {"filter_string": "name = 'x' AND"},
        {"filter_string": "timestamp_ms > 'yesterday'"},
        {"order_by": ["color"]},
        {"order_by": ["name", "status", "trace.name DESC"]},
        {"order_by": ["name sideways"]},
        {"order_by": ["run_id"]},
        {"filter_string": "name IS NULL"},
        {"filter_string": "name IN ()"},
        {"filter_string": "name IN ('x'"},
        {"filter_string": "name RLIKE '('"},
        {"filter_string": "name = 'x' name = 'y'"},
        {"filter_string": "attributes.n LIKE 3"},
        {"filter_string": "trace_id IN ('job-1', '4bf92f3577b34da6a3ce929d0e0e4736')"},
        {"filter_string": "feedback.good = 'yes'"},
        {"filter_string": "metadata.`mlflow.modelId` = 'm'"},
        {"filter_string": "attributes.prompt = 'p/1'"},
        {"filter_string": "trace.text LIKE '%x%'"},
        {"filter_string": "span.content LIKE '%x%'"},
        {"model_id": "m"},
        {"locations": "0"},
        {"experiment_ids": "0"},
        {"max_results": 0},
    ],
    ids=str,
)
def test_what_is_outside_the_subset_is_an_error_that_names_it(reader, arguments):
    """No filter is ever misread."""
    with pytest.raises(InvalidParameterError):
        reader.search_traces(**arguments)


def test_tags_of_a_finished_trace_change_in_the_store(reader):
    """set_trace_tag and delete_trace_tag work after the end, too."""
    make(reader, 1)
    reader.set_trace_tag("job-0", "reviewed", True)
    reader.delete_trace_tag("job-0", "parity")
    assert reader.get_trace("job-0").info.tags == {"reviewed": "True"}
    with pytest.raises(TraceNotFoundError, match="No tag with name: parity"):
        reader.delete_trace_tag("job-0", "parity")
    with pytest.raises(TraceNotFoundError):
        reader.set_trace_tag("nope", "a", "b")


def test_traces_are_deleted_by_id_or_by_age(reader):
    """delete_traces returns how many there were."""
    make(reader)
    assert reader.delete_traces(trace_ids=["job-0", "nope"]) == 1
    assert reader.delete_traces("0", max_timestamp_millis=1_790_000_002_000, max_traces=1) == 1
    assert names(reader.search_traces()) == ["job-4", "job-3", "job-2"]
    assert reader.delete_traces("0", max_timestamp_millis=1_890_000_000_000) == 3
    with pytest.raises(InvalidParameterError, match="Either"):
        reader.delete_traces("0")


def test_conditions_say_what_they_compare():
    """A filter becomes plain conditions."""
    assert parse_filter('attributes."a b" = "x" and tags.t LIKE \'%y%\'') == [
        Condition("attribute", "=", "x", "a b"),
        Condition("tag", "LIKE", "%y%", "t"),
    ]
    assert parse_filter("trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'")[0].field == "trace_id"
    assert parse_order(["timestamp_ms DESC"]) == [Order("timestamp_ms", descending=True)]
    assert parse_order(["tags.`a b`", "trace.status asc"]) == [Order("tag", key="a b"), Order("status")]


def test_both_halves_of_a_call_are_read_though_they_share_an_id(client):
    """Zipkin's older libraries write the span that calls and the one that serves under one ID."""
    common = (b"t" * 16, b"s" * 8, None)
    client.ingest(SpanRecord(*common, "call", 1, 5, kind=int(Kind.CLIENT)))
    client.ingest(SpanRecord(*common, "serve", 2, 4, kind=int(Kind.SERVER), shared=True))
    assert [span.name for span in client.get_trace("74" * 16).data.spans] == ["call", "serve"]


def test_a_tag_set_on_a_finished_trace_is_redacted_like_any_other(reader):
    """By its key, and by its value."""
    reader.start_trace("r", trace_id="x").end()
    reader.set_trace_tag("x", "api_key", "sk-hunter2")
    reader.set_trace_tag("x", "note", "Bearer sk-hunter3")
    reader.set_trace_tag("x", "team", "a")
    assert reader.get_trace("x").info.tags == {"api_key": "[redacted]", "note": "[redacted]", "team": "a"}


def test_a_tag_that_redaction_drops_is_not_stored(tmp_path):
    """`redaction: {action: drop}`."""
    store = {"store": {"path": str(tmp_path / "s.db")}}
    with Client(config={"adapters": store, "redaction": {"action": "drop"}}) as client:
        client.start_trace("r", trace_id="x").end()
        client.set_trace_tag("x", "api_key", "sk-hunter2")
        assert client.get_trace("x").info.tags == {}


@pytest.mark.parametrize("when", ["open", "finished"])
def test_a_tag_whose_key_is_no_text_becomes_one(when, reader):
    """The trace's data arrive, it is found, and the tag can be deleted."""
    reader.start_trace("r", trace_id="x", inputs={"a": 1})
    if when == "finished":
        reader.end_trace("x", outputs=2)
    reader.set_trace_tag("x", 5, "v")
    reader.set_trace_tag("x", None, "w")
    reader.delete_trace_tag("x", None)
    if when == "open":
        reader.end_trace("x", outputs=2)
    (trace,) = reader.search_traces()
    root = trace.data.spans[0]
    assert (root.inputs, root.outputs, trace.info.tags) == ({"a": 1}, 2, {"5": "v"})
    assert "internal_error" not in reader.stats().misuse


def test_an_open_trace_has_as_many_tags_as_a_span_has_attributes(make_client):
    """What is more is counted."""
    client = make_client(limits={"attribute_count_limit": 2})
    root = client.start_trace("r", trace_id="x")
    for key in ("a", "b", "c", "a"):
        client.set_trace_tag("x", key, "1")
    assert (root._trace.tags, client.stats().misuse["tag_over_limit"]) == ({"a": "1", "b": "1"}, 1)


def test_what_mlflow_calls_attributes_of_a_trace_are_its_fields(reader):
    """In its spelling; in backticks the name is a span attribute's."""
    reader.start_trace("job", trace_id="x", attributes={"status": "busy"}).end()
    found = [
        names(reader.search_traces(filter_string=text))
        for text in (
            "attributes.status = 'OK'",
            "attribute.name = 'job'",
            "attributes.execution_time_ms < 60000",
            "attributes.request_id = 'x'",
            "attributes.`status` = 'busy'",
            "attributes.status = 'busy'",
        )
    ]
    assert found == [["x"]] * 5 + [[]]


def test_the_store_is_read_before_any_server(tmp_path):
    """It keeps every field, whatever stands first in the file."""
    adapters = {"mlflow": {"endpoint": "http://127.0.0.1:9"}, "store": {"path": str(tmp_path / "s.db")}}
    client = Client(config={"adapters": adapters})
    client.start_trace("r", trace_id="x").end()
    assert client.get_trace("x").info.trace_id == "x"
    client.close(timeout_s=0)
