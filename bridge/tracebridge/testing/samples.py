"""Finished spans as they come, common and odd: what every adapter, format and stage has to live with."""

from __future__ import annotations

from typing import Any

from tracebridge.records.record import Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode

START_NS = 1_700_000_000_000_000_000
_SHOP = Resource({"service.name": "shop", "host.cpus": 8})
_ODD: dict[str, Any] = {
    "empty": "", "unicode": "naïve 名前 \U0001f409 \u202e", "control": "a\nb\x00c\x1b[31m", "long": "x" * 70_000, "true": True, "zero": 0,
    "negative": -(2**63), "large": 2**63 - 1, "float": 1e300, "nan": float("nan"), "infinite": float("-inf"), "bytes": b"\x00\xff",
    "list": ["a", 1, None], "empty list": [], "mapping": {"a": {"b": [1.5]}}, "": "empty key", "dotted.key": "x", "dotted": "y",
}  # fmt: skip


def sample_records() -> list[SpanRecord]:
    """Return one span of each kind, of several traces, resources and parents. They are the same each time, and new objects."""
    made: list[SpanRecord] = []

    def add(name: str, **fields: Any) -> None:
        number = len(made) + 1
        at = {"start_time_ns": START_NS + number, "end_time_ns": START_NS + number + 1_000_000}
        ids = {"trace_id": number.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big"), "parent_id": None}
        made.append(
            SpanRecord(**{**ids, "name": name, **at, "resource": _SHOP, "status": int(StatusCode.OK), **fields})
        )

    add("common", attributes={"http.request.method": "GET", "http.response.status_code": 200})
    add("child", trace_id=made[0].trace_id, parent_id=made[0].span_id, kind=int(Kind.CLIENT))
    add("")
    add("odd \n name \x1b[31m", attributes=_ODD)
    add("payloads", inputs={"messages": [{"role": "user", "content": "hi"}]}, outputs="text", span_type="LLM")
    add("failed", status=int(StatusCode.ERROR), status_message="it broke\nin two lines")
    add("events", events=(Event("exception", START_NS, {"exception.message": "no"}), Event("", 0, {})))
    add("links", links=(Link(bytes(15) + b"\x01", bytes(7) + b"\x01", "a=1", {"why": "retry"}),))
    add("own ID", custom_trace_id="order 7/é", id_scheme="hash", custom_span_id="row-17", tags={"team": "blue"})
    add("no time", start_time_ns=START_NS, end_time_ns=START_NS)
    add("backwards", start_time_ns=START_NS, end_time_ns=START_NS - 1_000)
    add("zero", start_time_ns=0, end_time_ns=0)
    add("far", resource=Resource({"service.name": "warehouse"}), parent_id=b"elsewher", parent_is_remote=True)
    add(
        "nowhere",
        resource=Resource({}),
        scope=Scope("library", "1.0", {"a": 1}),
        trace_state="vendor=1",
        flags=3,
        debug=True,
    )
    return made
