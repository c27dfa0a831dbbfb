"""Traces to look at: short ways to write spans down, and one of any size that looks like a shop's."""

from __future__ import annotations

import random
from typing import Any

from tracebridge.records.record import Event, Kind, Resource, SpanRecord, StatusCode

T0 = 1_790_000_000_000_000_000
TRACE = b"t" * 16
_SERVICES = ("gateway", "checkout", "inventory", "payments", "pricing", "postgres")
_NAMES = (
    "GET /cart/{id}",
    "reserve stock",
    "SELECT items",
    "authorize card",
    "price basket",
    "validate",
    "publish order.created",
)


def span(name: str, own: int, parent: int | None, start: int, end: int, **more: Any) -> SpanRecord:
    """A span of the one trace `TRACE`; times are milliseconds after T0."""
    above = None if parent is None else parent.to_bytes(8, "big")
    service = {"resource": Resource({"service.name": more.pop("service", "shop")})}
    return SpanRecord(
        TRACE, own.to_bytes(8, "big"), above, name, T0 + start * 1_000_000, T0 + end * 1_000_000, **service | more
    )


def shop(spans: int, *, seed: int = 1, trace_id: str = "user123_report_20260101_ab12cd34") -> list[SpanRecord]:
    """A trace of so many spans of six services, the same for the same seed: attributes on each, errors on some."""
    chance = random.Random(seed)
    wire = chance.randbytes(16)
    made: list[SpanRecord] = []
    open_ends: list[Any] = [(None, T0, T0 + 2_340_000_000, "gateway")]
    while len(made) < spans:
        parent, first, last, service = (
            open_ends.pop(0) if open_ends else (made[0].span_id, T0, T0 + 2_000_000_000, "gateway")
        )
        own, failed = chance.randbytes(8), bool(made) and chance.random() < 0.03
        made.append(
            SpanRecord(
                wire, own, parent, chance.choice(_NAMES) if made else "POST /orders", first, last,
                kind=int(chance.choice((Kind.INTERNAL, Kind.INTERNAL, Kind.SERVER, Kind.CLIENT))),
                status=int(StatusCode.ERROR if failed else StatusCode.OK),
                status_message="order-1003 has no price" if failed else "",
                attributes={"http.status_code": chance.choice((200, 200, 404)), "db.rows": chance.randrange(5000),
                            "user.id": f"u-{chance.randrange(10**6)}", "cache.hit": chance.random() < 0.5, "http.method": "GET"},
                inputs={"item": f"order-{chance.randrange(9999)}"} if chance.random() < 0.3 else None,
                events=(Event("exception", first + 1000, {"exception.type": "ValueError"}),) if failed else (),
                custom_trace_id=None if made else trace_id, resource=Resource({"service.name": service}),
            )
        )  # fmt: skip
        at, length = first, last - first
        for _ in range(chance.randrange(2, 6)):
            begin = at + int(length * chance.uniform(0.01, 0.08))
            end = begin + int(length * chance.uniform(0.08, 0.35))
            if end >= last:
                break
            open_ends.append(
                (
                    own,
                    begin,
                    end,
                    service if chance.random() < 0.5 else chance.choice(_SERVICES[_SERVICES.index(service) :]),
                )
            )
            at = end if chance.random() < 0.7 else begin
    return made
