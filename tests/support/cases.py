"""One list of trace cases that goes through every format, every wire and every server.

IDs depend on a salt, so that cases of several runs (and several adapters) can be in one server side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tracebridge.records.record import EndCause, Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode

T0 = 1_790_000_000_000_000_000  # 2026-09-21, in nanoseconds; whole microseconds unless a case says otherwise
SERVICE = Resource({"service.name": "cases-service", "deployment.environment.name": "test"})


def _id(salt: str, name: str, size: int) -> bytes:
    return hashlib.sha256(f"{salt}/{name}".encode()).digest()[:size]


class Case:
    """One trace: its name, and its records for a salt."""

    def __init__(self, name: str, build: Callable[[Build], list[SpanRecord]]) -> None:
        self.name = name
        self._build = build

    def records(self, salt: str) -> list[SpanRecord]:
        """Return the trace's records, root first."""
        return self._build(Build(f"{salt}/{self.name}"))

    def __repr__(self) -> str:
        return self.name


class Build:
    """Makes the records of one case with IDs of its own."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self.trace_id = _id(salt, "trace", 16)
        self.count = 0

    def span(self, name: str, parent: SpanRecord | None = None, **fields: Any) -> SpanRecord:
        """Return a span of 5 ms, each 1 ms after the one before."""
        self.count += 1
        start = fields.pop("start_time_ns", T0 + self.count * 1_000_000)
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=_id(self.salt, f"span{self.count}", 8),
            parent_id=None if parent is None else parent.span_id,
            name=name,
            start_time_ns=start,
            end_time_ns=fields.pop("end_time_ns", start + 5_000_000),
            resource=fields.pop("resource", SERVICE),
            status=fields.pop("status", int(StatusCode.OK)),
            **fields,
        )


def _simple(b: Build) -> list[SpanRecord]:
    root = b.span("root")
    return [root, b.span("child", root), b.span("sibling", root)]


def _custom_id(b: Build) -> list[SpanRecord]:
    custom = f"user123_report_20260101_{b.trace_id.hex()[:8]}"
    root = b.span("custom", custom_trace_id=custom, id_scheme="hash")
    own = b.span("own", root, custom_trace_id=custom, custom_span_id="row-17", span_id_scheme="hash")
    return [root, b.span("child", root, custom_trace_id=custom), own]


def _types(b: Build) -> list[SpanRecord]:
    attributes = {
        "text": "plain",
        "empty": "",
        "int": 42,
        "negative": -7,
        "zero": 0,
        "int64.max": 2**63 - 1,
        "int64.min": -(2**63),
        "beyond.double": 2**53 + 1,
        "float": 1.5,
        "float.whole": 2.0,
        "float.tiny": 1e-300,
        "true": True,
        "false": False,
        "list.text": ["a", "b"],
        "list.int": [1, 2, 3],
        "list.mixed": [1, "a", True, 2.5],
        "list.empty": [],
        "map": {"a": 1, "nested": {"b": [1, {"c": "d"}]}},
        "json.text": '{"not": "parsed"}',
    }
    return [b.span("types", attributes=attributes)]


def _unicode(b: Build) -> list[SpanRecord]:
    root = b.span(
        "grüße 世界 🚀", attributes={"ключ": "значение", "emoji": "👩‍👩‍👧", "rtl": "שלום", "nul-free": '\t\n"\\'}
    )
    return [root, b.span("línea", root, attributes={"combining": "e\u0301"})]


def _events(b: Build) -> list[SpanRecord]:
    events = [
        Event("bare", T0 + 2_000_000),
        Event("with attributes", T0 + 3_000_000, {"n": 1, "s": "x"}),
        Event("exception", T0 + 4_000_000, {"exception.type": "ValueError", "exception.message": "boom"}),
    ]
    return [b.span("events", events=tuple(events))]


def _links(b: Build) -> list[SpanRecord]:
    other = Link(_id(b.salt, "other", 16), _id(b.salt, "other", 8), "k=v", {"why": "retry"})
    return [b.span("links", links=(other, Link(_id(b.salt, "third", 16), _id(b.salt, "third", 8))))]


def _errors(b: Build) -> list[SpanRecord]:
    root = b.span("failed", status=int(StatusCode.ERROR), status_message="ValueError: boom")
    bare = b.span("failed without words", root, status=int(StatusCode.ERROR))
    lying = b.span("says error=false", root, attributes={"error": False})
    return [root, bare, lying, b.span("unset", root, status=int(StatusCode.UNSET))]


def _kinds(b: Build) -> list[SpanRecord]:
    root = b.span("server", kind=int(Kind.SERVER))
    return [
        root,
        b.span("client", root, kind=int(Kind.CLIENT), attributes={"peer.service": "inventory"}),
        b.span("client ip", root, kind=int(Kind.CLIENT), attributes={"network.peer.address": "10.1.2.3", "network.peer.port": 5432}),
        b.span("client host", root, kind=int(Kind.CLIENT), attributes={"server.address": "db.example", "server.port": 70000}),
        b.span("producer", root, kind=int(Kind.PRODUCER), attributes={"peer.service": "topic"}),
        b.span("consumer", root, kind=int(Kind.CONSUMER)),
    ]  # fmt: skip


def _payloads(b: Build) -> list[SpanRecord]:
    root = b.span(
        "agent", span_type="AGENT", inputs={"question": "why?", "n": 3}, outputs={"answer": ["because", 1.5, None]}
    )
    return [
        root,
        b.span("llm", root, span_type="LLM", inputs="plain text in", outputs="plain text out"),
        b.span("falsy", root, span_type="TOOL", inputs=0, outputs=[]),
    ]


def _edges(b: Build) -> list[SpanRecord]:
    root = b.span("edge times", start_time_ns=T0 + 123_456_789, end_time_ns=T0 + 987_654_321)
    return [
        root,
        b.span("no length", root, start_time_ns=T0 + 200_000_000, end_time_ns=T0 + 200_000_000),
        b.span("backwards", root, start_time_ns=T0 + 300_000_000, end_time_ns=T0 + 299_000_000),
        b.span("under a microsecond", root, start_time_ns=T0 + 400_000_000, end_time_ns=T0 + 400_000_700),
        b.span("", root),
        b.span("binaryAnnotations", root, attributes={"binaryAnnotations": "binaryAnnotations"}),  # Zipkin's mark of v1
    ]


def _marks(b: Build) -> list[SpanRecord]:
    root = b.span("marked", tags={"team": "blue"}, trace_state="vendor=1,other=2", truncated=1, redacted=2, repaired=3)
    return [
        root,
        b.span(
            "abandoned", root, end_cause=EndCause.ABANDONED.value, opened_at="app.py:7", status=int(StatusCode.UNSET)
        ),
        b.span("dropped", root, dropped_attributes=1, dropped_events=2, dropped_links=3),
        b.span("scoped", root, scope=Scope("my.instrumentation", "1.2.3")),
    ]


def _remote(b: Build) -> list[SpanRecord]:
    other = Resource({"service.name": "other-service"})
    root = b.span("caller", kind=int(Kind.CLIENT), attributes={"peer.service": "other-service"})
    return [root, b.span("callee", root, kind=int(Kind.SERVER), parent_is_remote=True, resource=other)]


def _huge(b: Build) -> list[SpanRecord]:
    return [b.span("huge", attributes={"text": "x" * 60_000, **{f"key.{n}": f"value {n}" for n in range(120)}})]


def _thousand(b: Build) -> list[SpanRecord]:
    root = b.span("thousand", end_time_ns=T0 + 3_000_000_000)
    return [root, *(b.span(f"span {n}", root, attributes={"n": n}) for n in range(999))]


def _out_of_order(b: Build) -> list[SpanRecord]:
    root = b.span("root first to start")
    child = b.span("child", root, end_time_ns=T0 + 50_000_000)
    grandchild = b.span("grandchild", child)
    return [grandchild, root, child]


CASES = [
    Case("simple", _simple),
    Case("custom_id", _custom_id),
    Case("types", _types),
    Case("unicode", _unicode),
    Case("events", _events),
    Case("links", _links),
    Case("errors", _errors),
    Case("kinds", _kinds),
    Case("payloads", _payloads),
    Case("edges", _edges),
    Case("marks", _marks),
    Case("remote", _remote),
    Case("huge", _huge),
    Case("thousand", _thousand),
    Case("out_of_order", _out_of_order),
]
