"""What is one span and what is two: halves, pieces, doubles."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from tracebridge.records.record import EndCause, Event, Kind, Resource, SpanRecord, StatusCode
from tracebridge.records.span_identity import in_order, key_of, settled

T0 = 1_790_000_000_000_000_000
replace = msgspec.structs.replace


def span(name: str, kind: int = Kind.INTERNAL, service: str = "shop", start: int = 1, **more: Any) -> SpanRecord:
    """A span of 5 µs that starts so many µs after T0."""
    fields = {
        "span_id": b"s" * 8, "parent_id": None, "start_time_ns": T0 + start * 1_000, "end_time_ns": T0 + (start + 5) * 1_000,
        "resource": Resource({"service.name": service} if service else {}), **more,
    }  # fmt: skip
    return SpanRecord(trace_id=b"t" * 16, name=name, kind=int(kind), **fields)


CLIENT = span("call", Kind.CLIENT, "front", parent_id=b"p" * 8)
SERVER = span("call", Kind.SERVER, "back", 2, parent_id=b"p" * 8, shared=True)


@pytest.mark.parametrize(
    "server",
    [SERVER, replace(SERVER, shared=False), replace(SERVER, parent_id=None), replace(SERVER, shared=False, kind=int(Kind.INTERNAL))],
    ids=["flagged", "without the flag", "without a parent", "without flag and kind"],
)  # fmt: skip
def test_a_servers_half_that_has_its_clients_id_is_another_span(server):
    """What older tracers leave out, the flag and the parent, is put back, whichever came first."""
    for records in itertools.permutations([CLIENT, server]):
        client, other = settled(records)
        assert (client, other) == (CLIENT, replace(server, shared=True, parent_id=b"p" * 8))


def test_several_servers_may_answer_to_one_id():
    """Each service's half is one."""
    other = replace(SERVER, resource=Resource({"service.name": "stock"}))
    assert settled([CLIENT, SERVER, other]) == [CLIENT, SERVER, other]


def test_a_client_and_a_server_of_one_service_are_two_spans():
    """A service may call itself."""
    server = replace(SERVER, resource=CLIENT.resource)
    assert settled([CLIENT, server]) == [CLIENT, server]


def test_a_span_without_a_side_is_not_the_half_that_is_flagged():
    """It is the client's, of a tracer that tells no kinds."""
    caller = span("call", Kind.INTERNAL, "back", parent_id=b"p" * 8)
    assert settled([SERVER, caller]) == [caller, SERVER]


def test_pieces_of_a_span_are_one():
    """Its start first, then its end, what it says and its annotations, in any order; as Zipkin's servers merge them."""
    event = Event("cache miss", T0 + 2_000)
    pieces = [
        span("get", Kind.CLIENT, end_time_ns=T0 + 1_000),
        span("", Kind.INTERNAL, "", start_time_ns=0, end_time_ns=5_000, attributes={"http.path": "/"}, status=int(StatusCode.ERROR)),
        span("", Kind.CLIENT, start_time_ns=0, end_time_ns=0, attributes={"n": "1"}, events=(event,), debug=True),
    ]  # fmt: skip
    for order in itertools.permutations(pieces):
        (whole,) = settled(order)
        assert (whole.name, whole.kind, whole.start_time_ns, whole.end_time_ns) == (
            "get",
            Kind.CLIENT,
            T0 + 1_000,
            T0 + 6_000,
        )
        assert (whole.attributes, whole.events, whole.status) == (
            {"http.path": "/", "n": "1"},
            (event,),
            StatusCode.ERROR,
        )
        assert (whole.debug, whole.resource.service_name) == (True, "shop")


def test_a_span_that_came_twice_is_one():
    """The very record, and one that a format rounded; two that tell different times are two."""
    record = span("a", start_time_ns=T0 + 1_001, end_time_ns=T0 + 6_001)
    assert settled([record, record]) == [record]
    assert len(settled([record, replace(record, start_time_ns=T0 + 1_000, end_time_ns=T0 + 6_000)])) == 1
    assert settled([record, replace(record, start_time_ns=T0)]) == [record, replace(record, start_time_ns=T0)]


def test_an_unfinished_span_gives_way_to_the_one_that_ended():
    """Nothing of it is kept: the end tells all."""
    unfinished = span("a", end_cause=EndCause.UNFINISHED.value, attributes={"x": 1})
    assert settled([unfinished, span("a")]) == settled([span("a"), unfinished]) == [span("a")]


def test_spans_of_other_traces_and_ids_are_left_alone():
    """In the order in which they came."""
    records = [span("a"), replace(span("a"), trace_id=b"u" * 16), span("b", span_id=b"b" * 8)]
    assert settled(records) == records


def test_in_order_puts_roots_first_and_then_goes_by_start():
    """What readers return."""
    root, late = span("root", start=9, span_id=b"r" * 8), span("late", start=7, span_id=b"l" * 8, parent_id=b"r" * 8)
    early = span("early", start=3, span_id=b"e" * 8, parent_id=b"r" * 8)
    assert [one.name for one in in_order([late, early, root, late])] == ["root", "early", "late"]


def test_a_key_does_not_depend_on_how_a_format_spells_the_service():
    """Zipkin keeps names in lower case."""
    assert key_of(span("a", service="Shop")) == key_of(span("a", service="shop"))


def test_many_records_of_one_id_are_settled_in_time_that_grows_with_their_number():
    """Pieces with events, and halves of as many services."""
    events = tuple(Event(str(n), n) for n in range(20))
    pieces = [span("a", start_time_ns=0, end_time_ns=0, events=events, attributes={str(n): n}) for n in range(2_000)]
    assert len(settled(pieces)[0].attributes) == 2_000
    assert len(settled([span("a", Kind.SERVER, f"s{n}") for n in range(20_000)])) == 20_000
