"""What a plain span costs, in calls: each one is a twentieth of a microsecond in C, and ten times that in Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tracebridge import Client

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
