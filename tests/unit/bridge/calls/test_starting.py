"""Starting traces and spans: IDs, parents, and what misuse raises."""

from __future__ import annotations

import random

import pytest

from tracebridge import (
    Client,
    DuplicateTraceError,
    InvalidParameterError,
    RemoteParent,
    TraceNotFoundError,
)
from tracebridge.ids.schemes import derive

CUSTOM = "user123_report_20260101_ab12cd34"


def test_a_root_is_a_true_root(client, delivered):
    """The root of a trace has no parent, not even a made-up one."""
    root = client.start_trace("r")
    client.end_trace(root.trace_id)
    assert [record.parent_id for record in delivered(client)] == [None]


def test_the_callers_own_id_is_shown_and_its_wire_id_is_derived(client):
    """`trace_id` shows what was given; `wire_trace_id` the 32 hex digits that everybody derives from it."""
    root = client.start_trace("r", trace_id=CUSTOM)
    assert (root.trace_id, root.request_id, root.wire_trace_id) == (CUSTOM, CUSTOM, derive(CUSTOM).trace_id.hex())


def test_every_span_of_a_custom_trace_carries_the_original_text(client, delivered):
    """The caller's text is on the children too, the scheme on the root."""
    root = client.start_trace("r", trace_id=CUSTOM)
    child = client.start_span("c", CUSTOM, root.span_id)
    child.end()
    client.end_trace(CUSTOM)
    assert [(r.name, r.custom_trace_id, r.id_scheme) for r in delivered(client)] == [
        ("c", CUSTOM, None),
        ("r", CUSTOM, "hash"),
    ]


@pytest.mark.parametrize("form", ["custom", "wire", "mlflow"])
def test_a_trace_is_addressed_by_any_form_of_its_id(client, form):
    """The custom text, the wire hex and MLflow's tr- form all reach the same open trace."""
    root = client.start_trace("r", trace_id=CUSTOM)
    key = {"custom": CUSTOM, "wire": root.wire_trace_id, "mlflow": "tr-" + root.wire_trace_id}[form]
    assert client.get_active_trace(key) is root


def test_request_id_is_an_alias_everywhere(client, delivered):
    """A program written for MLflow 2 passes request_id to every call."""
    root = client.start_trace("r", request_id="job-1")
    span = client.start_span("c", request_id=root.request_id, parent_id=root.span_id)
    client.end_span(request_id="job-1", span_id=span.span_id)
    client.end_trace(request_id="job-1")
    assert [record.name for record in delivered(client)] == ["c", "r"]


def test_both_names_of_the_id_are_refused(client):
    """trace_id and request_id together are a contradiction."""
    with pytest.raises(ValueError, match="not both"):
        client.end_trace("a", request_id="b")


def test_mlflows_positional_order_is_ours(client, delivered):
    """Positional arguments mean what they mean in MLflow."""
    root = client.start_trace("r", "CHAIN", {"q": 1}, {"a": 2}, {"t": "v"}, "7", 1_000, "run-1")
    child = client.start_span("c", root.trace_id, root.span_id, "TOOL", {"x": 1}, {"k": "v"}, 1_500)
    client.end_span(root.trace_id, child.span_id, {"y": 2}, {"k2": "v2"}, "ERROR", 1_800)
    client.end_trace(root.trace_id, "out", {"b": 3}, "OK", 2_000)
    c, r = delivered(client)
    assert (c.span_type, c.inputs, c.outputs, c.attributes, c.status, c.start_time_ns, c.end_time_ns) == (
        "TOOL", {"x": 1}, {"y": 2}, {"k": "v", "k2": "v2"}, 2, 1_500, 1_800,
    )  # fmt: skip
    assert (r.span_type, r.inputs, r.outputs, r.attributes, r.tags, r.experiment_id, r.start_time_ns, r.end_time_ns) == (
        "CHAIN", {"q": 1}, "out", {"a": 2, "b": 3}, {"t": "v", "mlflow.sourceRun": "run-1"}, "7", 1_000, 2_000,
    )  # fmt: skip


def test_without_a_parent_the_root_is_the_parent(client):
    """parent_id left out means the trace's root when no span of it is current."""
    root = client.start_trace("r")
    assert client.start_span("c", root.trace_id).parent_id == root.span_id


def test_without_a_parent_the_current_span_of_that_trace_is_the_parent(client):
    """parent_id left out means the current span, but only one of the same trace."""
    with client.trace("a") as a, client.span("inner") as inner:
        other = client.start_trace("b")
        assert client.start_span("x", a.trace_id).parent_id == inner.span_id
        assert client.start_span("y", other.trace_id).parent_id == other.span_id


def test_starting_never_changes_the_current_span(client):
    """Only context managers and TraceStack do."""
    with client.trace("a") as a:
        client.start_span("b", a.trace_id)
        assert client.start_span("c", a.trace_id).parent_id == a.span_id


def test_an_ended_span_can_still_be_a_parent(client):
    """A child may start under a span that has ended while its trace is open."""
    root = client.start_trace("r")
    first = client.start_span("first", root.trace_id)
    first.end()
    assert client.start_span("late", root.trace_id, first.span_id).parent_id == first.span_id


@pytest.mark.parametrize(
    ("arguments", "error", "code", "text"),
    [
        ({"parent_id": ""}, InvalidParameterError, "INVALID_PARAMETER_VALUE", "start_span\\(\\) must be called with"),
        ({"parent_id": "00000000000000aa"}, TraceNotFoundError, "RESOURCE_DOES_NOT_EXIST", "not found"),
        ({"parent_id": "junk"}, TraceNotFoundError, "RESOURCE_DOES_NOT_EXIST", "not found"),
    ],
)
def test_a_wrong_parent_raises_what_mlflow_raises(client, arguments, error, code, text):
    """Misuse carries MLflow's error code and words."""
    root = client.start_trace("r")
    with pytest.raises(error, match=text) as raised:
        client.start_span("c", root.trace_id, **arguments)
    assert raised.value.error_code == code


def test_a_missing_trace_id_raises(client):
    """Without a trace ID and without a current span there is nothing to start under."""
    with pytest.raises(InvalidParameterError, match="Trace ID must be provided"):
        client.start_span("c")


def test_ids_from_another_process_continue_the_trace_under_a_remote_parent(client, delivered):
    """start_span with IDs that this client never saw makes a span of that trace with a remote parent."""
    span = client.start_span("c", CUSTOM, "00f067aa0ba902b7")
    grandchild = client.start_span("g", CUSTOM, span.span_id)
    grandchild.end()
    span.end()
    g, c = delivered(client)
    assert (c.trace_id, c.parent_id.hex(), c.parent_is_remote, g.parent_is_remote) == (
        derive(CUSTOM).trace_id, "00f067aa0ba902b7", True, False,
    )  # fmt: skip


def test_a_root_can_continue_a_remote_context(client, delivered):
    """start_trace(parent=…) joins the remote trace."""
    parent = RemoteParent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    client.start_trace("r", parent=parent).end()
    (record,) = delivered(client)
    assert (record.trace_id.hex(), record.parent_id.hex(), record.parent_is_remote) == (
        "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True,
    )  # fmt: skip


def test_a_custom_id_that_is_open_is_refused_with_the_place_it_was_opened(client):
    """The hard-coded trace ID pitfall is an error that says where the first one is."""
    client.start_trace("r", trace_id="hard-coded")
    with pytest.raises(DuplicateTraceError, match=r"test_starting\.py:\d+"):
        client.start_trace("r", trace_id="hard-coded")


def test_a_refused_start_leaves_no_span_open(client):
    """An error from start_trace changes no count."""
    client.start_trace("r", trace_id="x")
    with pytest.raises(DuplicateTraceError):
        client.start_trace("r", trace_id="x")
    assert (client.stats().started, client.stats().open) == (1, 1)


def test_joining_makes_another_segment_of_the_same_trace(make_client, delivered):
    """With on_duplicate: join both roots are in one trace, which ends with the last of them."""
    client = make_client(trace_ids={"on_duplicate": "join"})
    first = client.start_trace("one", trace_id="x")
    second = client.start_trace("two", trace_id="x")
    client.end_trace("x")
    assert client.get_active_trace("x") is first
    client.end_trace("x")
    assert [record.name for record in delivered(client)] == ["two", "one"]
    assert second.wire_trace_id == first.wire_trace_id


def test_two_texts_of_one_wire_id_cannot_be_open_together(client):
    """A collision is found while both are open."""
    client.start_trace("r", trace_id="4BF92F3577B34DA6A3CE929D0E0E4736")
    with pytest.raises(DuplicateTraceError, match="derives the wire ID"):
        client.start_trace("r", trace_id="tr-4bf92f3577b34da6a3ce929d0e0e4736")


def test_a_parent_takes_the_place_of_both_ids(client, delivered):
    """`start_span(parent=…)` takes a span or what `extract` returned, as `client.span` does."""
    root = client.start_trace("r", trace_id=CUSTOM)
    child = client.start_span("c", parent=root)
    client.start_span("g", "another", "0123456789abcdef", parent=child).end()
    remote = RemoteParent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    segment = client.start_span("s", parent=remote, span_id="1111111111111111")
    segment.end()
    child.end()
    root.end()
    assert [(r.name, r.trace_id.hex(), r.parent_id and r.parent_id.hex(), r.parent_is_remote) for r in delivered(client)] == [
        ("g", root.wire_trace_id, child.span_id, False),
        ("s", remote.trace_id, remote.span_id, True),
        ("c", root.wire_trace_id, root.span_id, False),
        ("r", root.wire_trace_id, None, False),
    ]  # fmt: skip
    assert (segment.span_id, client.stats().misuse) == ("1111111111111111", {})


@pytest.mark.parametrize("wrong", ["currant", 7, object()])
def test_a_parent_that_is_none_is_refused(client, wrong):
    """By `start_span` and `client.span` alike, in the same words."""
    with pytest.raises(InvalidParameterError, match='parent must be a span, "current", or have trace_id and span_id'):
        client.start_span("c", parent=wrong)
    with pytest.raises(InvalidParameterError, match="parent must be"), client.span("c", parent=wrong):
        pass


def test_a_span_under_a_parent_says_where_it_was_opened(client):
    """The caller's line, not one of ours."""
    root = client.start_trace("r")
    spans = [client.start_span("c", parent=root), client.start_span("c", parent="current")]
    assert [span._opened_at.rpartition(":")[0] for span in spans] == [__file__, __file__]


@pytest.mark.parametrize("wrong", ["", "x" * 513, "0" * 32, 7])
def test_an_id_that_cannot_be_one_is_refused(client, wrong):
    """Empty, too long, all zero and non-text IDs raise InvalidParameterError."""
    with pytest.raises(InvalidParameterError):
        client.start_trace("r", trace_id=wrong)


def test_seeding_the_global_generator_never_repeats_ids(client):
    """random.seed in user code has no say in our IDs."""
    seen = set()
    for _ in range(50):
        random.seed(7)
        seen.add(client.start_trace("r").wire_trace_id)
    assert len(seen) == 50


def test_calls_after_close_are_harmless_and_counted(make_client):
    """A closed client hands out no-op spans and counts."""
    client = make_client()
    client.close()
    span = client.start_trace("r")
    span.set_attribute("a", 1)
    client.start_span("c", span.trace_id, span.span_id).end()
    client.end_trace(span.trace_id)
    assert (client.stats().started, client.stats().misuse["start_after_close"]) == (0, 2)


def test_a_disabled_client_records_nothing(monkeypatch, make_client):
    """OTEL_SDK_DISABLED=true turns every span into a no-op."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    client: Client = make_client()
    with client.trace("r") as root:
        root.set_inputs({"a": 1})
    assert client.stats().started == 0
