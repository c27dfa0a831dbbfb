"""Spans that continue what another process began: identity, decisions, and what travels on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tracebridge import Client, InvalidParameterError, Kind, RemoteParent, SpanRecord
from tracebridge.ids.schemes import derive

TRACE, SPAN, OTHER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"
ALL = ["tracecontext", "b3", "uber", "xray", "datadog", "gcp", "baggage", "correlation"]
Delivered = Callable[[Client], list[SpanRecord]]


@pytest.fixture
def everything(make_client) -> Client:
    """A client that reads and writes every format."""
    return make_client(propagation={"extract": ALL, "inject": ["tracecontext", "b3", "uber", "baggage", "correlation"]})


def sent(client: Client, span: Any) -> str:
    """The traceparent that a span's own requests carry."""
    return client.inject(span, {})["traceparent"]


# ---------------------------------------------------------------------- identity


def test_a_trace_goes_on_from_what_came_in(client, delivered):
    """The root has the remote span as its parent, and its trace's ID."""
    parent = client.extract({"traceparent": HEADER})
    with client.trace("request", parent=parent, kind=Kind.SERVER) as root, client.span("work") as work:
        pass
    child, record = delivered(client)
    assert (root.wire_trace_id, root.parent_id, record.parent_is_remote) == (TRACE, SPAN, True)
    assert (child.trace_id.hex(), child.parent_id.hex(), child.parent_is_remote) == (TRACE, root.span_id, False)
    assert sent(client, work) == f"00-{TRACE}-{work.span_id}-01"


def test_a_span_manager_takes_a_remote_parent_too(client, delivered):
    """client.span(parent=…) begins this process's segment of the trace."""
    with client.span("request", parent=client.extract({"traceparent": HEADER})) as span:
        pass
    (record,) = delivered(client)
    assert (span.wire_trace_id, record.parent_id.hex(), record.parent_is_remote) == (TRACE, SPAN, True)


def test_nothing_extracted_starts_a_new_trace(client):
    """parent=None is what extract returns without headers."""
    root = client.start_trace("request", parent=client.extract({}))
    assert (root.parent_id, root.wire_trace_id != TRACE) == (None, True)


def test_a_trace_id_may_be_given_beside_the_parent_when_it_is_the_same(client):
    """The custom ID that derives the remote wire ID names the trace; another one is refused."""
    custom = "user123_report"
    parent = RemoteParent(derive(custom).trace_id.hex(), SPAN)
    assert client.start_trace("r", trace_id=custom, parent=parent).trace_id == custom
    with pytest.raises(InvalidParameterError, match="name different traces"):
        client.start_trace("r", trace_id="another", parent=parent)


@pytest.mark.parametrize(
    "parent",
    [RemoteParent("4BF9" + TRACE[4:], SPAN), RemoteParent(TRACE, "1"), RemoteParent("0" * 32, SPAN), RemoteParent(None, SPAN), RemoteParent(TRACE, "")],
)  # fmt: skip
def test_a_remote_parent_made_by_hand_is_checked(client, parent):
    """IDs that no header could carry are refused, with what is expected."""
    with pytest.raises(InvalidParameterError, match="32 and a span_id of 16 lower-case hex digits"):
        client.start_trace("r", parent=parent)


def test_our_own_ids_are_marked_random_and_derived_ones_never(client):
    """W3C's random flag promises that the lower 7 bytes are random; nobody can promise that of somebody's own ID."""
    ours, derived = client.start_trace("a"), client.start_trace("b", trace_id="user123")
    given = client.start_trace("c", trace_id="5" + TRACE[1:])
    continued = client.start_trace("d", parent=RemoteParent(TRACE, SPAN, 3))
    assert [sent(client, span)[-2:] for span in (ours, derived, given, continued)] == ["03", "01", "01", "03"]


def test_a_span_of_the_same_client_can_be_the_parent(client):
    """Its state goes along, as if it had gone through headers."""
    first = client.start_trace("a", parent=RemoteParent(TRACE, SPAN, 1, "a=1"))
    second = client.start_trace("b", parent=first)
    assert (second.wire_trace_id, second.parent_id) == (TRACE, first.span_id)
    assert client.inject(second, {})["tracestate"] == "a=1"


def test_two_requests_of_one_trace_keep_their_own_state(client, delivered):
    """Segments of the same trace that are open at once do not mix their parents, flags or baggage."""
    one = client.start_trace(
        "one", parent=client.extract({"traceparent": HEADER, "tracestate": "a=1", "baggage": "k=1"})
    )
    two = client.start_trace(
        "two",
        parent=client.extract({"traceparent": f"00-{TRACE}-{OTHER_SPAN}-03", "tracestate": "b=2", "baggage": "k=2"}),
    )
    below = [client.start_span("below", span.trace_id, span.span_id) for span in (one, two)]
    assert [client.inject(span, {}) for span in below] == [
        {"traceparent": f"00-{TRACE}-{below[0].span_id}-01", "tracestate": "a=1", "baggage": "k=1"},
        {"traceparent": f"00-{TRACE}-{below[1].span_id}-03", "tracestate": "b=2", "baggage": "k=2"},
    ]
    for span in (*below, one, two):
        span.end()
    assert [(r.parent_id.hex(), r.trace_state, r.flags) for r in delivered(client)] == [
        (one.span_id, "a=1", 1), (two.span_id, "b=2", 3), (SPAN, "a=1", 1), (OTHER_SPAN, "b=2", 3),
    ]  # fmt: skip


def test_ids_alone_continue_a_trace_too(client, delivered):
    """start_span with a custom ID and a span ID of another process: the same trace, under a remote parent, and headers go on from it."""
    span = client.start_span("work", "user123_report", SPAN)
    assert sent(client, span) == f"00-{derive('user123_report').trace_id.hex()}-{span.span_id}-01"
    span.end()
    (record,) = delivered(client)
    assert (record.custom_trace_id, record.parent_id.hex(), record.parent_is_remote) == ("user123_report", SPAN, True)


# ---------------------------------------------------------------------- what is sent


def test_the_current_span_is_injected_when_none_is_given(everything):
    """inject(None, …) is for code that does not know the span."""
    with everything.trace("r", trace_id="order-17"), everything.span("call") as span:
        assert everything.inject(None, {}) == everything.inject(span, {})
        assert everything.inject(None, {})["x-request-id"] == "order-17"
    assert everything.inject(None, {"a": "b"}) == {"a": "b"}


def test_a_context_can_be_passed_on_untouched(client):
    """A proxy that makes no span of its own injects what it extracted."""
    headers = {"traceparent": HEADER, "tracestate": "a=1", "baggage": "k=v;p"}
    assert client.inject(client.extract(headers), {}) == headers
    assert client.inject(client.extract({"baggage": "k=v"}), {}) == {}  # names no span


def test_a_closed_client_sends_nothing(client):
    """The no-op span has no identity."""
    client.close()
    assert client.inject(client.start_trace("r"), {}) == {}


def test_baggage_and_trace_state_travel_on_and_can_be_added_to(client):
    """What came with the trace goes to whatever is called; a request can have more of both."""
    root = client.start_trace(
        "r", parent=client.extract({"traceparent": HEADER, "tracestate": "a=1,b=2", "baggage": "k=v;p,l=w"})
    )
    child = client.start_span("c", root.trace_id, root.span_id)
    headers = client.inject(child, {}, baggage={"l": "ü"}, trace_state={"b": "3"})
    assert (headers["baggage"], headers["tracestate"]) == ("l=%C3%BC,k=v;p", "b=3,a=1")
    assert client.inject(child, {})["baggage"] == "k=v;p,l=w"


def test_odd_baggage_is_sent_as_well_as_it_can_be(client):
    """Data never makes a request fail."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    span = client.start_trace("r")
    headers = client.inject(
        span, {}, baggage={"n": 7, "broken": Broken(), 8: "x", "bad key": "y"}, trace_state={"a": 1}
    )
    assert headers["tracestate"] == "a=1"
    assert headers["baggage"].startswith("n=7,broken=")
    assert "8=x" in headers["baggage"]
    assert "bad key" not in headers["baggage"]


def test_the_baggage_of_jaeger_and_of_w3c_are_one(everything):
    """During a migration both headers come; the standard one decides."""
    headers = {"uber-trace-id": f"{TRACE}:{SPAN}:0:1", "uberctx-a": "old", "uberctx-b": "2", "baggage": "a=new"}
    span = everything.start_trace("r", parent=everything.extract(headers))
    out = everything.inject(span, {})
    assert (out["baggage"], out["uberctx-a"], out["uberctx-b"]) == ("a=new,b=2", "new", "2")


# ---------------------------------------------------------------------- decisions


def test_spans_of_a_trace_that_is_not_sampled_are_counted_not_sent(client, delivered):
    """Whoever called decided; the decision goes on to whatever is called."""
    root = client.start_trace("r", parent=client.extract({"traceparent": HEADER[:-1] + "0"}))
    child = client.start_span("c", root.trace_id, root.span_id)
    assert sent(client, child) == f"00-{TRACE}-{child.span_id}-00"
    child.end()
    root.end()
    assert delivered(client) == []
    stats = client.stats()
    assert (stats.started, stats.open, dict(stats.adapters["memory"].dropped)) == (2, 0, {"sampled": 2})


def test_a_journal_on_disk_holds_nothing_of_an_unsampled_trace(make_client, delivered, tmp_path):
    """Not when it is opened, not when something is set, not when it ends."""
    client = make_client(journal={"directory": str(tmp_path)})
    root = client.start_trace("r", parent=client.extract({"traceparent": HEADER[:-1] + "0"}))
    root.set_attribute("a", 1)
    client.start_span("left open", root.trace_id, root.span_id)
    root.end()
    client.close()
    assert client.adapter("memory").records == []
    assert dict(client.stats().adapters["memory"].dropped) == {"sampled": 2}


def test_unsampled_record_delivers_them_all_the_same(make_client, delivered):
    """propagation.unsampled: record is for whoever wants every span here, whatever the callers decide."""
    client = make_client(propagation={"unsampled": "record"})
    root = client.start_trace("r", parent=client.extract({"traceparent": HEADER[:-1] + "0"}))
    assert sent(client, root) == f"00-{TRACE}-{root.span_id}-00"
    root.end()
    (record,) = delivered(client)
    assert (record.flags, record.trace_id.hex()) == (0, TRACE)


def test_a_decision_without_ids_holds_for_the_trace_that_starts(everything, delivered):
    """B3's lone 0 and d."""
    denied = everything.start_trace("denied", parent=everything.extract({"b3": "0"}))
    debugged = everything.start_trace("debugged", parent=everything.extract({"b3": "d"}))
    assert (denied.parent_id, everything.inject(denied, {})["b3"][-1]) == (None, "0")
    assert (debugged.parent_id, everything.inject(debugged, {})["b3"][-1]) == (None, "d")
    assert (sent(everything, denied)[-2:], sent(everything, debugged)[-2:]) == ("02", "03")
    for span in (denied, debugged):
        span.end()
    assert [(r.name, r.debug, r.parent_is_remote) for r in delivered(everything)] == [("debugged", True, False)]


def test_a_deferred_decision_is_ours_and_we_sample(everything):
    """IDs without a sampling state."""
    parent = everything.extract({"b3": f"{TRACE}-{SPAN}"})
    assert (parent.sampled, parent.deferred) == (None, True)
    assert everything.inject(everything.start_trace("r", parent=parent), {})["b3"][50:51] == "1"


def test_debug_is_never_merely_sampled(everything, delivered):
    """A debug request stays one on every span below, in every format that can say so."""
    root = everything.start_trace("r", parent=everything.extract({"uber-trace-id": f"{TRACE}:{SPAN}:0:3"}))
    child = everything.start_span("c", root.trace_id, root.span_id)
    headers = everything.inject(child, {})
    assert (headers["uber-trace-id"][-1], headers["b3"].split("-")[2], headers["traceparent"][-2:]) == ("3", "d", "01")
    child.end()
    root.end()
    everything.start_trace("plain", parent=everything.extract({"traceparent": HEADER})).end()
    assert [r.debug for r in delivered(everything)] == [True, True, False]


def test_a_jaeger_debug_id_can_be_searched_for(everything, delivered):
    """It is an attribute of the root, under the key of Jaeger's own clients."""
    everything.start_trace("r", parent=everything.extract({"jaeger-debug-id": "ticket 17"})).end()
    (record,) = delivered(everything)
    assert (record.attributes, record.debug, record.parent_id) == ({"jaeger-debug-id": "ticket 17"}, True, None)


# ---------------------------------------------------------------------- the caller's own ID


def test_a_correlation_header_is_the_traces_own_id(everything, delivered):
    """Without other IDs it names the trace, as trace_id= does."""
    span = everything.start_trace("r", parent=everything.extract({"X-Request-ID": "order-17"}))
    assert (span.trace_id, span.wire_trace_id, span.parent_id) == ("order-17", derive("order-17").trace_id.hex(), None)
    assert everything.inject(span, {})["x-request-id"] == "order-17"
    span.end()
    (record,) = delivered(everything)
    assert (record.custom_trace_id, record.id_scheme) == ("order-17", "hash")


def test_the_text_of_a_custom_id_goes_along_with_its_wire_id(everything):
    """The next process's spans carry the text too."""
    headers = everything.inject(everything.start_trace("r", trace_id="order 17/b"), {})
    there = everything.extract(headers)
    assert (there.trace_id, there.correlation_id) == (derive("order 17/b").trace_id.hex(), "order 17/b")


def test_a_correlation_id_of_another_trace_is_an_attribute(everything, delivered):
    """A gateway's request ID beside a traceparent: the trace is traceparent's, the ID can be searched for."""
    span = everything.start_trace("r", parent=everything.extract({"traceparent": HEADER, "x-request-id": "req-9"}))
    assert (span.trace_id, "x-request-id" in everything.inject(span, {})) == (TRACE, False)
    span.end()
    (record,) = delivered(everything)
    assert (record.custom_trace_id, record.attributes) == (None, {"tracebridge.correlation_id": "req-9"})


@pytest.mark.parametrize("custom", ["zwei\nzeilen", "größe", " blank", "tab\there"])
def test_an_id_that_no_header_can_carry_is_not_sent(everything, custom):
    """Nothing can be smuggled into a header; the wire ID goes all the same."""
    headers = everything.inject(everything.start_trace("r", trace_id=custom), {})
    assert ("x-request-id" in headers, headers["traceparent"][3:35]) == (False, derive(custom).trace_id.hex())


@pytest.mark.parametrize("text", ["", "  ", "x" * 513, "a\x00b", "0" * 32])
def test_a_correlation_id_that_can_be_none_starts_a_new_trace(everything, text):
    """Never an error of the caller's request."""
    span = everything.start_trace("r", parent=everything.extract({"x-request-id": text}))
    assert (span.trace_id, span.parent_id) == (span.wire_trace_id, None)


def test_the_same_correlation_id_twice_at_once_is_one_trace(everything):
    """A retry comes while the first request is still being served."""
    headers = {"x-request-id": "order-17"}
    spans = [everything.start_trace("r", parent=everything.extract(headers)) for _ in range(2)]
    assert [span.trace_id for span in spans] == ["order-17"] * 2


def test_another_correlation_header_can_be_named(make_client):
    """propagation.correlation_header."""
    client = make_client(
        propagation={"extract": ["correlation"], "inject": ["correlation"], "correlation_header": "X-Correlation-Id"}
    )
    span = client.start_trace("r", parent=client.extract({"X-CORRELATION-ID": "a-1"}))
    assert (span.trace_id, client.inject(span, {})) == ("a-1", {"x-correlation-id": "a-1"})
