"""What a list says of a trace: one row, the services in it, and which of them call which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracebridge.html.picture import MAX_NAME
from tracebridge.masking.printable import printable
from tracebridge.records.record import UNKNOWN_SERVICE, Kind, SpanRecord, StatusCode
from tracebridge.records.tree import tree_of

PEER: Final = "peer.service"  # OpenTelemetry's name of what a client calls
_CALLING: Final = (Kind.CLIENT, Kind.PRODUCER)


@dataclass(frozen=True)
class Summary:
    """What a list says of one trace."""

    row: dict[str, Any]
    services: Counter[str] = field(default_factory=Counter)
    """How many spans each service has."""
    failed: Counter[str] = field(default_factory=Counter)
    """How many of them failed."""
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a service (first) called another (second)."""


def summarised(spans: Sequence[SpanRecord]) -> Summary:
    """Return the summary of a trace, given as spans in start order, root first (at least one)."""
    root = spans[0]
    own_id = root.custom_trace_id or root.trace_id.hex()
    row = {
        "id": one_line(own_id),
        "key": own_id if one_line(own_id) == own_id else root.trace_id.hex(),  # what finds it again
        "wire_id": root.trace_id.hex(),
        "name": one_line(root.name),
        "service": _service(root),
        "status": StatusCode(root.status).name,
        "spans": len(spans),
        "errors": sum(span.status == StatusCode.ERROR for span in spans),
        "start_ms": root.start_time_ns / 1e6,
        "duration": root.duration_ns,
    }
    summary = Summary(row)
    waiting = [(node, "") for node in tree_of(spans)]
    while waiting:  # no recursion: a trace may be thousands of spans deep
        node, caller = waiting.pop()
        service = _service(node.span)
        summary.services[service] += 1
        if node.span.status == StatusCode.ERROR:
            summary.failed[service] += 1
        if caller and caller != service:
            summary.calls[caller, service] += 1
        peer = node.span.attributes.get(PEER)
        if node.span.kind in _CALLING and isinstance(peer, str) and peer and not node.children:
            called = one_line(peer)  # which does not trace, or whose half is elsewhere
            summary.services[called] += 0
            summary.calls[service, called] += 1
        waiting += [(child, service) for child in node.children]
    return summary


def service_map(summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return the services of several traces and the calls between them, in a stable order."""
    services, failed, calls = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for summary in summaries:
        # `update` keeps what is named and counted nowhere: a service that others only call
        services.update(summary.services)
        failed.update(summary.failed)
        calls.update(summary.calls)
    return {
        "services": [{"name": name, "spans": services[name], "errors": failed[name]} for name in sorted(services)],
        "calls": [{"from": one, "to": other, "count": calls[one, other]} for one, other in sorted(calls)],
    }


def one_line(text: str) -> str:
    """Return a text as lists show it: printable, and of a bounded length."""
    flat = printable(text[: MAX_NAME + 1])
    return flat if len(flat) <= MAX_NAME else f"{flat[: MAX_NAME - 1]}…"


def _service(span: SpanRecord) -> str:
    return one_line(span.resource.service_name) if span.resource is not None else UNKNOWN_SERVICE
