"""B3, single and in several headers."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge import RemoteParent
from tracebridge.propagation.b3 import read, write_several, write_single

TRACE, LOW, SPAN, ABOVE = "80f198ee56343ba864fe8b2a57d3eff7", "64fe8b2a57d3eff7", "e457b5a2e4d86bd1", "05e3ac9a4f6e3b90"
NARROW = "0" * 16 + LOW


def parent(trace_id: str | None = TRACE, span_id: str | None = SPAN, flags: int = 1, **more: Any) -> RemoteParent:
    """What B3 headers say."""
    return RemoteParent(trace_id, span_id, flags, format="b3", **more)


def several(**headers: str) -> dict[str, str]:
    """X-B3 headers, by the end of their names."""
    return {f"x-b3-{name.lower()}": value for name, value in headers.items()}


READ = [
    ({"b3": f"{TRACE}-{SPAN}-1-{ABOVE}"}, parent(parent_id=ABOVE)),
    ({"b3": f"{TRACE}-{SPAN}-1"}, parent()),
    ({"b3": f"{TRACE}-{SPAN}-0"}, parent(flags=0)),
    ({"b3": f"{TRACE}-{SPAN}-d"}, parent(debug=True)),
    ({"b3": f"{TRACE}-{SPAN}"}, parent(deferred=True)),
    ({"b3": f"{LOW}-{SPAN}-1"}, parent(NARROW)),
    ({"b3": f" {TRACE.upper()}-{SPAN.upper()}-1\t"}, parent()),
    ({"b3": "1-2-1"}, parent("1".zfill(32), "2".zfill(16))),  # old libraries did not pad
    ({"b3": "0"}, parent(None, None, 0)),
    ({"b3": "1"}, parent(None, None)),
    ({"b3": "d"}, parent(None, None, debug=True)),
    (several(TraceId=TRACE, SpanId=SPAN, ParentSpanId=ABOVE, Sampled="1"), parent(parent_id=ABOVE)),
    (several(TraceId=TRACE, SpanId=SPAN, Sampled="0"), parent(flags=0)),
    (several(TraceId=TRACE, SpanId=SPAN, Sampled="true"), parent()),
    (several(TraceId=TRACE, SpanId=SPAN, Sampled="False"), parent(flags=0)),
    (several(TraceId=TRACE, SpanId=SPAN, Flags="1"), parent(debug=True)),
    (several(TraceId=TRACE, SpanId=SPAN, Flags="1", Sampled="0"), parent(debug=True)),  # debug implies accept
    (several(TraceId=TRACE, SpanId=SPAN, Flags="0"), parent(deferred=True)),
    (several(TraceId=TRACE, SpanId=SPAN), parent(deferred=True)),
    (several(TraceId=LOW, SpanId=SPAN), parent(NARROW, deferred=True)),
    (several(Sampled="0"), parent(None, None, 0)),
    (several(Flags="1"), parent(None, None, debug=True)),
    ({"b3": f"{TRACE}-{SPAN}-0", **several(TraceId=LOW, SpanId=ABOVE)}, parent(flags=0)),  # one header before several
    ({"b3": "nonsense", **several(TraceId=TRACE, SpanId=SPAN)}, parent(deferred=True)),
    (several(TraceId=TRACE, SpanId=SPAN, ParentSpanId="zz"), parent(deferred=True)),  # nobody needs it
]


@pytest.mark.parametrize("headers, expected", READ, ids=[" ".join(map("=".join, h.items())) for h, _ in READ])
def test_what_b3_says(headers, expected):
    """IDs, decision, debug, deferral, of either form."""
    assert read(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"b3": ""}, {"b3": "2"}, {"b3": "true"}, {"b3": TRACE}, {"b3": f"{TRACE}-"}, {"b3": f"-{SPAN}"}, {"b3": f"{TRACE}-{SPAN}-"},
        {"b3": f"{TRACE}-{SPAN}-2"}, {"b3": f"{TRACE}-{SPAN}-1-"}, {"b3": f"{TRACE}-{SPAN}-1-{ABOVE}-x"}, {"b3": f"{TRACE}0-{SPAN}-1"},
        {"b3": f"{TRACE}-{SPAN}0-1"}, {"b3": f"{'0' * 32}-{SPAN}-1"}, {"b3": f"{TRACE}-{'0' * 16}-1"}, {"b3": f"{TRACE}-{SPAN}-1,{TRACE}-{SPAN}-1"},
        {"b3": f"{TRACE}-g457b5a2e4d86bd1-1"}, several(TraceId=TRACE), several(SpanId=SPAN), several(TraceId=TRACE, Sampled="0"),
        several(TraceId="0", SpanId=SPAN), several(TraceId=TRACE, SpanId="0"), several(TraceId=TRACE, SpanId=SPAN, Sampled="2"),
        several(TraceId=f"{TRACE},{TRACE}", SpanId=SPAN), several(ParentSpanId=SPAN), several(Sampled="yes"), several(Flags="0"),
    ],
)  # fmt: skip
def test_half_a_context_is_none(headers):
    """A pair of IDs is whole or counts for nothing, its decision included."""
    assert read(headers) is None


@pytest.mark.parametrize(
    "context, single, multi",
    [
        (RemoteParent(TRACE, SPAN), f"{TRACE}-{SPAN}-1", several(traceid=TRACE, spanid=SPAN, sampled="1")),
        (RemoteParent(TRACE, SPAN, 0), f"{TRACE}-{SPAN}-0", several(traceid=TRACE, spanid=SPAN, sampled="0")),
        (RemoteParent(TRACE, SPAN, 3), f"{TRACE}-{SPAN}-1", several(traceid=TRACE, spanid=SPAN, sampled="1")),
        (RemoteParent(TRACE, SPAN, debug=True), f"{TRACE}-{SPAN}-d", several(traceid=TRACE, spanid=SPAN, flags="1")),
        (RemoteParent(NARROW, SPAN), f"{LOW}-{SPAN}-1", several(traceid=LOW, spanid=SPAN, sampled="1")),
        (
            RemoteParent(TRACE, SPAN, parent_id=ABOVE),
            f"{TRACE}-{SPAN}-1-{ABOVE}",
            several(traceid=TRACE, spanid=SPAN, parentspanid=ABOVE, sampled="1"),
        ),
    ],
)
def test_what_is_written(context, single, multi):
    """A trace of 64 bits keeps its 16 digits; a debug request stands alone."""
    one: dict[str, str] = {}
    many: dict[str, str] = {}
    write_single(context, one)
    write_several(context, many)
    assert (one, many) == ({"b3": single}, multi)
