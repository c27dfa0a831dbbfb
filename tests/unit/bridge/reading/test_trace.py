"""A trace that was read back: its members under MLflow's names, and its JSON form both ways."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest

from tracebridge import (
    Client,
    FinishedSpan,
    InvalidParameterError,
    Link,
    SpanEvent,
    SpanLogLevel,
    Trace,
    TraceData,
    TraceInfo,
)

START = 1_790_000_000_123_000_000


@pytest.fixture
def trace(client: Client) -> Trace:
    """A finished trace of three spans with everything that MLflow's form has."""
    root = client.start_trace(
        "order", "CHAIN", inputs={"n": 1, "text": "ü"}, attributes={"region": "eu", "ratio": 0.5, "raw": b"\0\1"}, tags={"team": "blue"},
        experiment_id="7", run_id="run-1", trace_id="order-1", start_time_ns=START,
    )  # fmt: skip
    llm = client.start_span("ask", root.trace_id, root.span_id, "LLM", start_time_ns=START + 10)
    llm.set_attributes({"mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}})
    llm.set_attributes({"mlflow.llm.cost": {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}})
    llm.set_attribute("mlflow.llm.model", "small-1")
    llm.set_description("asks a model")
    llm.set_log_level("warning")
    llm.add_event(SpanEvent("said", START + 20, {"words": 2}))
    llm.add_link(Link("ab" * 16, "cd" * 8, {"why": "before"}))
    client.start_span("deep", root.trace_id, llm.span_id, start_time_ns=START + 11).end(
        attributes={"mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}},
        end_time_ns=START + 12,
    )
    llm.end(status="ERROR", end_time_ns=START + 30)
    root.end(outputs="done", end_time_ns=START + 2_000_000)
    return client.get_trace("order-1")


def test_what_mlflow_keeps_as_attributes_are_members_of_a_span(client, trace):
    """On a live span, on one read back, and on the span that does nothing."""
    (finished,) = trace.search_spans(name="ask")
    assert (finished.description, finished.log_level, finished.model_name, finished.llm_cost) == (
        "asks a model", SpanLogLevel.WARNING, "small-1", {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75},
    )  # fmt: skip
    with client.trace("live") as live:
        live.set_description("d")
        live.set_log_level(SpanLogLevel.DEBUG)
        assert (live.description, live.log_level, live.model_name, live.llm_cost) == (
            "d",
            SpanLogLevel.DEBUG,
            None,
            None,
        )
    client.close()
    nothing = client.start_trace("after the end")
    nothing.set_description("d")
    nothing.set_log_level(40)
    assert (nothing.description, nothing.log_level, nothing.model_name, nothing.llm_cost) == (None, None, None, None)


@pytest.mark.parametrize("level", ["loud", 7, None, True, object()], ids=str)
def test_a_log_level_that_is_none_is_counted_and_left_out(client, level):
    """Nothing is raised into the application."""
    with client.trace("r") as root:
        root.set_log_level(level)
        assert (root.log_level, client.stats().misuse["bad_log_level"]) == (None, 1)


def test_spans_are_found_by_type_name_pattern_and_id(trace):
    """A pattern is found anywhere in the name, as MLflow has it."""
    ask = trace.search_spans(span_type="LLM")
    assert [span.name for span in ask] == ["ask"]
    assert [span.name for span in trace.search_spans(name=re.compile("e"))] == ["order", "deep"]
    assert trace.search_spans(name=re.compile("^AS", re.IGNORECASE), span_id=ask[0].span_id) == ask
    assert trace.search_spans(name=re.compile("x"), span_type="LLM") == []
    for wrong in ({"name": 7}, {"span_type": re.compile("LLM")}):
        with pytest.raises(InvalidParameterError, match="search_spans"):
            trace.search_spans(**wrong)


def test_the_info_tells_what_the_spans_used_and_cost_in_all(trace):
    """A span that tells speaks for those below it: nothing is counted twice."""
    info = trace.info
    assert info.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert info.cost == {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}
    assert (info.request_metadata["mlflow.sourceRun"], info.experiment_id) == ("run-1", "7")
    assert (trace.trace_id, info.status, info.timestamp_ms, info.execution_time_ms) == (
        "order-1",
        "OK",
        START // 10**6,
        2,
    )
    info.timestamp_ms, info.execution_time_ms = 5, 6
    assert (info.request_time, info.execution_duration) == (5, 6)


def test_a_trace_that_tells_nothing_of_that_has_none(client):
    """None, as MLflow says it, not zero."""
    client.start_trace("r", trace_id="x", attributes={"mlflow.chat.tokenUsage": "odd"}).end()
    assert (client.get_trace("x").info.token_usage, client.get_trace("x").info.cost) == (None, None)


def test_parents_in_a_circle_are_counted_once_and_for_all(client):
    """Whatever was ingested: the sum is made in bounded time."""
    from tracebridge.reading.usage import total

    class Told:
        def __init__(self, span_id: str, parent_id: str) -> None:
            self.span_id, self.parent_id = span_id, parent_id

        def get_attribute(self, key: str) -> dict[str, float]:
            return {"n": 1}

    assert total([Told("a", "b"), Told("b", "a"), Told("c", "?")], "x", ["n"]) == {"n": 1}


def test_a_trace_goes_into_json_and_back(trace):
    """Every member that MLflow's form has is the same again."""
    again = Trace.from_json(trace.to_json(pretty=True))
    assert trace.to_dict() == again.to_dict()
    assert (trace.info, trace.data.request, trace.data.response) == (
        again.info,
        again.data.request,
        again.data.response,
    )
    for before, after in zip(trace.data.spans, again.data.spans, strict=True):
        for member in ("trace_id", "span_id", "parent_id", "name", "span_type", "kind", "inputs", "outputs", "events", "links",
                       "start_time_ns", "end_time_ns", "status"):  # fmt: skip
            assert getattr(before, member) == getattr(after, member), member
    assert again.data.spans[0].attributes == {**trace.data.spans[0].attributes, "raw": "AAE="}  # JSON has no bytes


def test_the_json_form_is_mlflows(trace):
    """IDs in base64, each attribute as JSON text, times as it writes them."""
    told = json.loads(trace.to_json())
    assert told["info"] == {
        "trace_id": "order-1",
        "client_request_id": "order-1",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
        "request_preview": '{"n": 1, "text": "ü"}',
        "response_preview": "done",
        "request_time": "2026-09-21T14:13:20.123Z",
        "execution_duration_ms": 2,
        "state": "OK",
        "trace_metadata": {
            "mlflow.sourceRun": "run-1",
            "mlflow.trace.tokenUsage": '{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}',
            "mlflow.trace.cost": '{"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}',
        },
        "tags": {"team": "blue", "mlflow.sourceRun": "run-1"},
    }
    ask = told["data"]["spans"][1]
    assert (ask["kind"], ask["status"], ask["attributes"]["mlflow.spanType"], ask["attributes"]["mlflow.spanLogLevel"]) == (
        "SPAN_KIND_INTERNAL", {"code": "STATUS_CODE_ERROR", "message": ""}, '"LLM"', "30",
    )  # fmt: skip


@pytest.mark.parametrize(
    "read",
    [
        lambda: Trace.from_json("{"),
        lambda: Trace.from_json("[]"),
        lambda: Trace.from_json(None),
        lambda: Trace.from_dict({"info": {}}),
        lambda: Trace.from_dict({"info": {"trace_id": "x", "request_time": "yesterday"}, "data": {"spans": []}}),
        lambda: TraceInfo.from_dict({"trace_id": "x", "request_time": "2026-01-01T00:00:00"}),
        lambda: TraceData.from_dict({"spans": 7}),
        lambda: FinishedSpan.from_dict({"trace_id": "AAE="}),
        lambda: FinishedSpan.from_dict({"attributes": {}, "trace_id": "not base64"}),
        lambda: FinishedSpan.from_dict(cast(Any, 7)),
    ],
)
def test_what_is_no_trace_is_an_error_that_says_so(read):
    """With one kind of error, as MLflow's."""
    with pytest.raises(InvalidParameterError, match="not "):
        read()


def test_an_exception_becomes_an_event():
    """By OpenTelemetry's names; one that cannot be shown is named by its type."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    try:
        raise ValueError("no price")
    except ValueError as error:
        event = SpanEvent.from_exception(error)
    assert (event.name, event.attributes["exception.type"], event.attributes["exception.message"]) == (
        "exception",
        "ValueError",
        "no price",
    )
    assert "ValueError: no price" in event.attributes["exception.stacktrace"]
    assert SpanEvent.from_exception(Mute()).attributes["exception.message"] == "<Mute>"
