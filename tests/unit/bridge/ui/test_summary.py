"""What a list says of a trace, and the map of services that call each other."""

from __future__ import annotations

from support.pictures import T0, TRACE, span
from tracebridge.records.record import Kind, StatusCode
from tracebridge.ui.summary import service_map, summarised

CLIENT, SERVER = int(Kind.CLIENT), int(Kind.SERVER)


def test_a_trace_is_one_row():
    """Its own ID, its root, and how many spans failed."""
    failed = {"status": int(StatusCode.ERROR)}
    spans = [
        span("order", 1, None, 0, 20, custom_trace_id="order-1"),
        span("pay", 2, 1, 1, 5, **failed),
        span("ship", 3, 1, 6, 9),
    ]
    assert summarised(spans).row == {
        "id": "order-1", "key": "order-1", "wire_id": TRACE.hex(), "name": "order", "service": "shop", "status": "UNSET", "spans": 3, "errors": 1,
        "start_ms": T0 / 1e6, "duration": 20_000_000,
    }  # fmt: skip


def test_a_call_from_one_service_to_another_is_a_connection():
    """Counted; within one service it is none."""
    spans = [
        span("order", 1, None, 0, 20),
        span("pay", 2, 1, 1, 5, service="bank", status=int(StatusCode.ERROR)),
        span("pay again", 3, 1, 6, 9, service="bank"),
        span("check", 4, 3, 7, 8, service="bank"),
    ]
    assert service_map([summarised(spans)]) == {
        "services": [{"name": "bank", "spans": 3, "errors": 1}, {"name": "shop", "spans": 1, "errors": 0}],
        "calls": [{"from": "shop", "to": "bank", "count": 2}],
    }


def test_both_halves_of_a_call_that_share_an_id_are_one_call():
    """As Zipkin has them."""
    spans = [
        span("call", 1, None, 0, 20, kind=CLIENT),
        span("call", 1, None, 2, 18, kind=SERVER, shared=True, service="bank"),
    ]
    assert service_map([summarised(spans)])["calls"] == [{"from": "shop", "to": "bank", "count": 1}]


def test_what_a_client_names_and_what_does_not_trace_is_on_the_map():
    """By `peer.service`, unless its own half is there."""
    spans = [
        span("root", 1, None, 0, 20),
        span("query", 2, 1, 1, 5, kind=CLIENT, attributes={"peer.service": "postgres"}),
        span("call", 3, 1, 6, 9, kind=CLIENT, attributes={"peer.service": "bank-lb"}),
        span("served", 4, 3, 7, 8, kind=SERVER, service="bank"),
    ]
    assert service_map([summarised(spans)]) == {
        "services": [{"name": "bank", "spans": 1, "errors": 0}, {"name": "postgres", "spans": 0, "errors": 0}, {"name": "shop", "spans": 3, "errors": 0}],
        "calls": [{"from": "shop", "to": "bank", "count": 1}, {"from": "shop", "to": "postgres", "count": 1}],
    }  # fmt: skip


def test_the_map_of_several_traces_is_their_sum():
    """In a stable order."""
    one = summarised([span("a", 1, None, 0, 9), span("b", 2, 1, 1, 2, service="bank")])
    assert service_map([one, one])["calls"] == [{"from": "shop", "to": "bank", "count": 2}]
    assert service_map([]) == {"services": [], "calls": []}


def test_no_text_of_a_span_steers():
    """Control and bidirectional characters are blanks; a link goes by the wire ID then."""
    told = summarised([span("a\x1b\u202eb", 1, None, 0, 9, service="s\x00", custom_trace_id="i\n")]).row
    assert (told["name"], told["service"], told["id"], told["key"]) == ("a  b", "s ", "i ", TRACE.hex())
