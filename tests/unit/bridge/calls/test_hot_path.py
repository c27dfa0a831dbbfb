"""What a plain span costs, in calls: each one is a twentieth of a microsecond in C, and ten times that in Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from tracebridge import Client
from tracebridge.native import functions

ATTRIBUTES = {"http.method": "GET", "http.status_code": 200}


def called(work: Callable[[], Any]) -> tuple[list[str], list[str]]:
    """The names of our functions that were called, in order, and those of C that they called."""
    ours: list[str] = []
    in_c: list[str] = []

    def see(frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename == __file__:
            return
        if event == "call":
            ours.append(frame.f_code.co_qualname)
        elif event == "c_call":
            in_c.append(argument.__name__)

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return ours, in_c


def test_a_plain_span_takes_few_calls(client: Client) -> None:
    """Whoever adds one here adds it to every span of every program: `python -m benchmarks.instructions` tells what it costs."""
    client._native = None
    root = client.start_trace("root")
    trace_id, root_id = root.trace_id, root.span_id

    def span() -> None:
        one = client.start_span("operation", trace_id, root_id, attributes=ATTRIBUTES)
        client.end_span(trace_id, one.span_id)

    span()  # what comes first learns keys and values, and starts the workers
    ours, in_c = called(span)
    assert ours == [
        "Starting.start_span",
        "FastPath.attributes",
        "Ending.end_span",
        "Ending._end",
        "MemoryJournal.append",
    ]
    assert in_c == [
        *("get", "get", "_getframe", "pop"),
        *("len", "copy", "values", "issuperset", "issuperset"),  # the attributes
        *("monotonic_ns", "len", "len", "acquire", "release"),
        *("get", "get", "_is_owned", "add", "pop", "monotonic_ns", "encode"),
        *("acquire", "len", "append", "release", "len"),
    ]
    root.end()


def test_a_client_has_less_than_thirty_attributes(client: Client) -> None:
    """Of an instance with thirty or more, CPython 3.11 looks each attribute up in a dictionary; what is needed now and then stands behind `_parts`."""
    assert len(vars(client)) < 30


@pytest.mark.skipif(functions is None, reason="the native module is not in use")
def test_a_plain_trace_calls_no_python_code_with_the_native_module(client: Client) -> None:
    """A root under the caller's own ID, a child with attributes, inputs and outputs, and the ends of both."""

    def trace() -> None:
        root = client.start_trace("request", trace_id="order-1", attributes=ATTRIBUTES)
        one = client.start_span("operation", "order-1", root.span_id, attributes=ATTRIBUTES)
        client.end_span("order-1", one.span_id)
        client.end_trace("order-1")

    trace()
    ours, _ = called(trace)
    assert ours == []
