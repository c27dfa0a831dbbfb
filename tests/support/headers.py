"""Real headers of every format, and what has to hold of whatever is read from headers."""

from __future__ import annotations

import re

from tracebridge.propagation import baggage, tracestate
from tracebridge.propagation.context import RemoteParent
from tracebridge.propagation.propagator import Propagator, format_named

FORMATS = ["tracecontext", "b3", "b3multi", "uber", "xray", "datadog", "gcp"]
EVERY = [*FORMATS, "baggage", "correlation"]
NAMES = sorted(
    {field for name in FORMATS for field in format_named(name).fields}
    | {"baggage", "x-request-id", "uberctx-k", "uberctx-"}
)
IDS = re.compile(r"[0-9a-f]{32}|"), re.compile(r"[0-9a-f]{16}|")

reader = Propagator(EVERY, EVERY, "X-Request-ID")

SEEDS = [
    {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=1,b@c=2", "baggage": "k=v;p=1,l=%20"},
    {"b3": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d-05e3ac9a4f6e3b90", "x-request-id": "order-17"},
    {"x-b3-traceid": "64fe8b2a57d3eff7", "x-b3-spanid": "e457b5a2e4d86bd1", "x-b3-sampled": "1", "x-b3-flags": "1", "x-b3-parentspanid": "1"},
    {"uber-trace-id": "4bf92f3577b34da6a3ce929d0e0e4736%3Ae457b5a2e4d86bd1:0:3", "uberctx-k": "v%20", "jaeger-debug-id": "x"},
    {"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=?", "jaeger-baggage": "a=1, b=2"},
    {"x-datadog-trace-id": "123", "x-datadog-parent-id": "18446744073709551615", "x-datadog-sampling-priority": "-1", "x-datadog-origin": "rum",
     "x-datadog-tags": "_dd.p.dm=-4,_dd.p.tid=5759e988bd862e3f"},
    {"x-cloud-trace-context": "4bf92f3577b34da6a3ce929d0e0e4736/18446744073709551615;o=1"},
]  # fmt: skip


def check(found: RemoteParent | None) -> None:
    """Whatever is found is whole and valid, and can be sent on."""
    if found is None:
        return
    assert IDS[0].fullmatch(found.trace_id or ""), found
    assert IDS[1].fullmatch(found.span_id or ""), found
    assert found.trace_id is None or found.trace_id.strip("0"), found
    assert found.span_id is None or (found.span_id.strip("0") and found.trace_id), found
    assert found.flags in range(4), found
    assert not found.debug or found.flags & 1, found
    assert tracestate.read(found.trace_state) == found.trace_state, found
    assert baggage.read(found.baggage) == found.baggage, found
    if found.span_id is not None:
        out: dict[str, str] = {}
        reader.inject(found, out)
        assert all(value.isascii() and value.isprintable() for value in out.values()), out
