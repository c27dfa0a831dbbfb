"""What cannot leave its process says what can; what is copied together with its holder stays itself."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tracebridge import Client


def test_pickling_a_span_or_a_client_says_what_to_pass_instead(client: Client) -> None:
    """By itself, and within what somebody sends to a process of a pool."""
    span = client.start_trace("t")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(
            TypeError, match=r"pass span\.trace_id and span\.span_id, or the headers that client\.inject"
        ):
            pickle.dumps({"a": [span]}, protocol)
        with pytest.raises(TypeError, match="pass its configuration"):
            pickle.dumps(client, protocol)
    span.end()


def test_what_the_message_says_works(client: Client, delivered: Any) -> None:
    """Headers go through a pickle, and the span that is started with them stands below the one that was left."""
    span = client.start_trace("t", trace_id="job")
    headers: dict[str, str] = {}
    client.inject(span, headers)
    sent = pickle.loads(pickle.dumps(headers))
    client.start_trace("there", parent=client.extract(sent)).end()
    span.end()
    there, here = delivered(client)
    assert (there.trace_id, there.parent_id) == (here.trace_id, here.span_id)


def test_a_copy_of_a_state_holds_the_same_span(client: Client) -> None:
    """Frameworks copy what they are given; a second span of the same ID would be nobody's."""
    span = client.start_trace("t")
    state = copy.deepcopy({"span": span, "client": client, "list": [1]})
    assert (state["span"] is span, state["client"] is client, copy.copy(span) is span, copy.copy(client) is client) == (
        True,
    ) * 4
    span.end()
