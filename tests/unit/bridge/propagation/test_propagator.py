"""Several formats together: which one wins, and what goes with it."""

from __future__ import annotations

import pytest

from support.headers import FORMATS
from tracebridge import Client, RemoteParent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER, OTHER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EVERY = [*FORMATS, "baggage", "correlation"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_one_client_injects_another_extracts(make_client, name):
    """The IDs and the decision of a span survive every format."""
    client: Client = make_client(propagation={"extract": [name], "inject": [name]})
    span = client.start_trace("r", trace_id=TRACE)
    found = client.extract(client.inject(span, {}))
    assert found is not None
    assert (found.trace_id, found.span_id, found.sampled, found.format) == (
        TRACE, span.span_id, True, "b3" if name == "b3multi" else name,
    )  # fmt: skip


def test_the_first_format_that_names_a_parent_wins(make_client):
    """Order is precedence, and nothing of the other format is used."""
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-00", "b3": f"{OTHER}-{OTHER_SPAN}-1", "tracestate": "a=1"}
    first = make_client(propagation={"extract": ["tracecontext", "b3"]}).extract(headers)
    second = make_client(propagation={"extract": ["b3", "tracecontext"]}).extract(headers)
    assert first == RemoteParent(TRACE, SPAN, 0, "a=1", format="tracecontext")
    assert second == RemoteParent(OTHER, OTHER_SPAN, 1, format="b3")


def test_every_format_is_written_at_once(make_client):
    """A migration writes old and new headers side by side, and all say the same."""
    client = make_client(propagation={"inject": EVERY})
    span = client.start_trace("r", trace_id="user123_report")
    headers = client.inject(span, {}, baggage={"user": "123"})
    for name in FORMATS:
        found = make_client(propagation={"extract": [name]}).extract(headers)
        assert (found.trace_id, found.span_id) == (span.wire_trace_id, span.span_id)
    assert (headers["baggage"], headers["x-request-id"]) == ("user=123", "user123_report")
