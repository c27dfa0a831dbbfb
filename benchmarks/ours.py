"""Tracebridge as a contestant: clients whose spans go, in the background and under default settings, to where nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ATTRIBUTES: dict[str, Any] = {
    "http.method": "GET",
    "http.route": "/users/{id}",
    "http.status_code": 200,
    "user.tier": "gold",
    "retries": 0,
    "cache.hit": True,
}
INPUTS = {"question": "How many users are there?", "tenant": "acme", "options": {"depth": 2, "fields": ["id", "name"]}}
OUTPUTS = {"answer": "42", "tokens": 17}


def client(adapters: int = 1, **settings: Any) -> Any:
    """A client with so many destinations, each of which takes every batch and keeps nothing, as the peers' does."""
    from tracebridge import Client
    from tracebridge.plugins.adapter import Sent

    names = [f"memory/{n}" for n in range(adapters)]
    made = Client(config={"adapters": {name: {} for name in names}, **settings})
    for name in names:
        adapter: Any = made.adapter(name)
        adapter.encode = lambda records: b""
        adapter.send = lambda body, spans: Sent()
    return made


def spans(
    one_client: Any, count: int, attributes: Mapping[str, Any] | None, inputs: Any = None, outputs: Any = None
) -> Callable[[], None]:
    """One round: `count` spans under an open root, each started and ended by its IDs."""
    root = one_client.start_trace("root")
    trace_id, root_id = root.trace_id, root.span_id

    def one_round() -> None:
        for _ in range(count):
            span = one_client.start_span("operation", trace_id, root_id, inputs=inputs, attributes=attributes)
            one_client.end_span(trace_id, span.span_id, outputs=outputs)

    def plain_round() -> None:
        for _ in range(count):
            span = one_client.start_span("operation", trace_id, root_id, attributes=attributes)
            one_client.end_span(trace_id, span.span_id)

    return plain_round if inputs is None and outputs is None else one_round


def records(fresh: bool, count: int) -> list[Any]:
    """Finished spans; `fresh` gives each attribute values that no other span has."""
    from tracebridge.records.record import Kind, Resource, SpanRecord

    resource = Resource({"service.name": "benchmark"})
    return [
        SpanRecord(
            trace_id=bytes(15) + b"\x01",
            span_id=(n + 1).to_bytes(8, "big"),
            parent_id=bytes(7) + b"\x01",
            name="operation",
            start_time_ns=1_790_000_000_000_000_000 + n,
            end_time_ns=1_790_000_000_005_000_000 + n,
            kind=int(Kind.SERVER),
            attributes=fresh_attributes(n) if fresh else ATTRIBUTES,
            resource=resource,
        )
        for n in range(count)
    ]


def fresh_attributes(n: int) -> dict[str, Any]:
    """The usual keys with values that are new."""
    return {key: f"{value} {n}" for key, value in ATTRIBUTES.items()}
