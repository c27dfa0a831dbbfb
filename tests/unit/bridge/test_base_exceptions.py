"""What is no Exception and comes out of an object that the caller hands in does not come out of the call; Ctrl-C does."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tracebridge import Client, SpanEvent
from tracebridge.errors import TracebridgeError


class Cancelled(BaseException):
    """As gevent's, trio's and pytest's own are."""


def exploding(error: type[BaseException], base: type[Any] = object) -> Any:
    """An object of which no question is answered."""

    def explode(*_: Any, **__: Any) -> Any:
        raise error("boom")

    names = "__repr__ __str__ __getattr__ __iter__ __len__ __hash__ __eq__ __bool__ __index__ __float__ __format__ keys items values model_dump tolist dtype".split()
    return type("Exploding", (base,), dict.fromkeys(names, explode))


CALLS: dict[str, Callable[[Client, Any], Any]] = {
    "inputs": lambda client, odd: client.start_trace("t", inputs=odd),
    "inputs within": lambda client, odd: client.start_trace("t", inputs={"a": [odd, {"b": odd}]}),
    "attributes": lambda client, odd: client.start_trace("t", attributes=odd),
    "an attribute": lambda client, odd: client.start_trace("t", attributes={"a": odd, "b": [odd]}),
    "tags": lambda client, odd: client.start_trace("t", tags={"a": odd}),
    "name": lambda client, odd: client.start_trace(odd),
    "span type": lambda client, odd: client.start_trace("t", span_type=odd),
    "trace ID": lambda client, odd: client.start_trace("t", trace_id=odd),
    "parent": lambda client, odd: client.start_trace("t", parent=odd),
    "outputs": lambda client, odd: client.start_trace("t").end(outputs=odd),
    "status": lambda client, odd: client.start_trace("t").end(status=odd),
    "end time": lambda client, odd: client.start_trace("t").end(end_time_ns=odd),
    "an event": lambda client, odd: client.start_trace("t").add_event(SpanEvent("e", attributes={"a": odd})),
    "no event": lambda client, odd: client.start_trace("t").add_event(odd),
    "no link": lambda client, odd: client.start_trace("t").add_link(odd),
    "an attribute set": lambda client, odd: client.start_trace("t").set_attribute("a", odd),
    "the key of one": lambda client, odd: client.start_trace("t").set_attribute(odd, 1),
    "headers": lambda client, odd: client.extract(odd),
    "the ID of an end": lambda client, odd: client.end_trace(odd),
    "the ID of a span": lambda client, odd: client.end_span(odd, odd),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, Cancelled])
def test_what_an_object_raises_stays_inside(client: Client, call: str, error: type[BaseException]) -> None:
    """SystemExit would end the program in the middle of its business."""
    came_out = ""
    try:
        CALLS[call](client, exploding(error)())
    except TracebridgeError:
        pass  # ours, because the settings are strict
    except BaseException as raised:  # pytest would ask the object for its text
        came_out = type(raised).__name__ + " " + "".join(traceback.format_tb(raised.__traceback__)[-3:])
    assert (came_out, client.stats().balance("memory")) == ("", 0)


@pytest.mark.parametrize("error", [SystemExit, Cancelled])
def test_what_an_exceptions_own_text_raises_stays_inside(
    client: Client, delivered: Any, error: type[BaseException]
) -> None:
    """Its type is known all the same."""
    root = client.start_trace("t")
    root.record_exception(exploding(error, ValueError)())
    root.end()
    (record,) = delivered(client)
    assert record.events[0].attributes["exception.type"] == "Exploding"


def test_a_keyboard_interrupt_in_another_thread_is_no_key(client: Client) -> None:
    """Python delivers Ctrl-C to the main thread only."""
    came_out: list[BaseException] = []

    def call() -> None:
        try:
            client.start_trace("t", inputs=exploding(KeyboardInterrupt)()).end()
        except BaseException as error:
            came_out.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert (came_out, client.stats().started, client.stats().open) == ([], 1, 0)


def test_a_real_interrupt_goes_through_and_leaves_the_books_in_order(client: Client) -> None:
    """A person presses the key while a slow `__repr__` runs."""

    class Slow:
        def __repr__(self) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            until = time.monotonic() + 60
            while time.monotonic() < until:
                time.sleep(0.01)
            return "late"

    root = client.start_trace("root")
    with pytest.raises(KeyboardInterrupt):
        client.start_span("s", root.trace_id, root.span_id, inputs=Slow())
    root.end()
    assert client.flush(60)
    assert (client.stats().balance("memory"), client.stats().open) == (0, 0)
