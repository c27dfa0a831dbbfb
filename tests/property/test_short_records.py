"""Most spans take a short way to the journal: a record of their first fields only, past the stages. It must say what the long way says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.strategies import attributes, hostile, values
from tracebridge import Client, RemoteParent, SpanEvent, SpanRecord

SPAN_ID, CHILD_ID = "00f067aa0ba902b7", "00f067aa0ba902b8"
NAMES = st.text(st.characters(), max_size=6)
PLAIN = st.dictionaries(
    st.sampled_from(["a", "b", "password", "é"]), st.integers() | st.text(max_size=3) | st.booleans()
)

PAYLOADS = st.none() | st.integers() | NAMES | PLAIN | values | hostile


class Still:
    """A clock that stands still, so that two clients see the same times."""

    def wall_ns(self) -> int:
        return 1_790_000_000_000_000_000

    def ticks_ns(self) -> int:
        return 5_000


def refused(given: Any) -> None:
    """In the place of the short look: send every value the long way."""


def delivered(
    short: bool, root: dict[str, Any], child: dict[str, Any], events: list[SpanEvent], end: dict[str, Any]
) -> list[SpanRecord]:
    """Record a root and a child the short way or the long way."""
    client = Client(config={"adapters": {"memory": {}}}, clock=Still())
    client._stages.fast_path = short
    if not short:
        client._reducer.fast_attributes = client._reducer.fast_payload = refused
    span = client.start_trace(span_id=SPAN_ID, **root)
    below = client.start_span("child", span.trace_id, SPAN_ID, span_id=CHILD_ID, **child)
    for event in events:
        below.add_event(event)
    client.end_span(span.trace_id, below.span_id, outputs=child.get("inputs"))
    client.end_trace(span.trace_id, **end)
    client.close()
    records: Any = client.adapter("memory")
    return list(records.records)


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {"name": NAMES, "trace_id": st.sampled_from(["order-7", "4bf92f3577b34da6a3ce929d0e0e4736", "é"])},
        optional={
            "attributes": PLAIN | attributes,
            "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
            "experiment_id": st.text(max_size=3),
            "inputs": PAYLOADS,
            "kind": st.integers(0, 5),
            "span_type": NAMES,
            "start_time_ns": st.integers(1_789_999_999_999_999_999, 2**64),
            "parent": st.just(RemoteParent("4bf92f3577b34da6a3ce929d0e0e4736", "b7ad6b7169203331")),
        },
    ).filter(lambda root: "parent" not in root or str(root["trace_id"]).startswith("4bf9")),
    st.fixed_dictionaries(
        {}, optional={"attributes": PLAIN | attributes, "kind": st.integers(0, 5), "inputs": PAYLOADS}
    ),
    st.lists(st.builds(SpanEvent, NAMES, st.integers(-1, 2**64), PLAIN | attributes), max_size=3),
    st.fixed_dictionaries({}, optional={"attributes": PLAIN, "status": st.sampled_from(["OK", "ERROR", "?"])}),
)
def test_the_short_record_says_what_the_long_one_says(
    root: dict[str, Any], child: dict[str, Any], events: list[SpanEvent], end: dict[str, Any]
) -> None:
    """Whatever is given: the same records arrive, whichever way they took."""
    assert delivered(False, root, child, events, end) == delivered(True, root, child, events, end)
