"""Jaeger's headers."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge import RemoteParent
from tracebridge.propagation.uber import read, write

TRACE, LOW, SPAN, ABOVE = "80f198ee56343ba864fe8b2a57d3eff7", "64fe8b2a57d3eff7", "e457b5a2e4d86bd1", "05e3ac9a4f6e3b90"
NARROW = "0" * 16 + LOW


def parent(trace_id: str | None = TRACE, span_id: str | None = SPAN, flags: int = 1, **more: Any) -> RemoteParent:
    """What Jaeger's headers say."""
    return RemoteParent(trace_id, span_id, flags, format="uber", **more)


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"{TRACE}:{SPAN}:0:1", parent()),
        (f"{TRACE}:{SPAN}:{ABOVE}:1", parent(parent_id=ABOVE)),
        (f"{LOW}:{SPAN}:0:0", parent(NARROW, flags=0)),
        (f"{TRACE}:{SPAN}:0:3", parent(debug=True)),
        (f"{TRACE}:{SPAN}:0:2", parent(debug=True)),
        (f"{TRACE}:{SPAN}:0:01", parent()),
        (f"{TRACE}:{SPAN}:0:09", parent()),  # 8 is Jaeger's firehose
        ("a:b:c:1", parent("a".zfill(32), "b".zfill(16), parent_id="c".zfill(16))),
        (f"{TRACE}%3A{SPAN}%3A0%3A1", parent()),
        (f"{TRACE}%3a{SPAN}%3a0%3a1", parent()),
        (f" {TRACE.upper()}:{SPAN.upper()}:0:1 ", parent()),
    ],
)
def test_what_uber_trace_id_says(text, expected):
    """Numbers in hex of any width, url-encoded or not, with flags as a bit field."""
    assert read({"uber-trace-id": text}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ":::", f"{TRACE}:{SPAN}:0", f"{TRACE}:{SPAN}:0:", f"{TRACE}:{SPAN}:0:1:2", f"0:{SPAN}:0:1", f"{TRACE}:0:0:1",
        f"{TRACE}0:{SPAN}:0:1", f"{TRACE}:{SPAN}0:0:1", f"0x1:{SPAN}:0:1", f"1_0:{SPAN}:0:1", f"-1:{SPAN}:0:1", f"{TRACE}:{SPAN}:0:100",
        f"{TRACE}:{SPAN}:0:g", f"{TRACE}:{SPAN}:0:1,{TRACE}:{SPAN}:0:1", "%" * 300, f"{TRACE}:{SPAN}:0:1\n",
    ],
)  # fmt: skip
def test_malformed_ones_are_ignored(text):
    """What int() would take is not always a Jaeger ID."""
    assert read({"uber-trace-id": text}) is None


def test_baggage_comes_along():
    """uberctx- headers and the ones that a person sets by hand, decoded."""
    headers = {
        "uber-trace-id": f"{TRACE}:{SPAN}:0:1",
        "uberctx-user": "J%C3%BCrgen%20K",
        "jaeger-baggage": "tier=gold, x = y",
    }
    found = read(headers)
    assert found == parent(baggage="tier=gold,x=y,user=J%C3%BCrgen%20K")


def test_a_debug_id_asks_for_a_trace_of_its_own():
    """jaeger-debug-id counts where there are no IDs; it brings no trace, but a debug request."""
    assert read({"jaeger-debug-id": " look here "}) == parent(None, None, debug=True, debug_id="look here")
    assert read({"jaeger-debug-id": "x", "jaeger-baggage": "k=v"}) == parent(
        None, None, debug=True, debug_id="x", baggage="k=v"
    )
    assert read({"jaeger-debug-id": "x", "uber-trace-id": f"{TRACE}:{SPAN}:0:0"}) == parent(flags=0)
    assert read({"jaeger-debug-id": ""}) is None


@pytest.mark.parametrize(
    "context, headers",
    [
        (RemoteParent(TRACE, SPAN), {"uber-trace-id": f"{TRACE}:{SPAN}:0:1"}),
        (RemoteParent(TRACE, SPAN, 2), {"uber-trace-id": f"{TRACE}:{SPAN}:0:0"}),
        (RemoteParent(NARROW, SPAN, debug=True, parent_id=ABOVE), {"uber-trace-id": f"{LOW}:{SPAN}:{ABOVE}:3"}),
        (
            RemoteParent(TRACE, SPAN, baggage="User=J%C3%BCrgen;secret,k=v"),
            {"uber-trace-id": f"{TRACE}:{SPAN}:0:1", "uberctx-user": "J%C3%BCrgen", "uberctx-k": "v"},
        ),
    ],
)
def test_what_is_written(context, headers):
    """Flags are Jaeger's, not W3C's; a trace of 64 bits keeps its 16 digits."""
    written: dict[str, str] = {}
    write(context, written)
    assert written == headers
