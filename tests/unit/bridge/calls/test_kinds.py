"""The kind of a span: whatever names one, from whichever library."""

from __future__ import annotations

import enum
import logging
from typing import Any, cast

import pytest

from tracebridge import InvalidParameterError, SpanRecord
from tracebridge.records.record import Kind


class Shifted(enum.Enum):
    """Counts from zero, as OpenTelemetry's Python enumeration does."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class Unrelated(enum.IntEnum):
    """Has numbers, but no names that mean a kind."""

    THIRD = 3


NAMES = ["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
UNKNOWN = [2.0, True, -1, 6, 2**70, "peer", "", Unrelated.THIRD, object(), ["CLIENT"], b"CLIENT"]


def spellings(name: str) -> list[object]:
    """Every way of saying one kind."""
    return [name, name.lower(), name.title(), f"SPAN_KIND_{name}", Shifted[name], Kind[name], int(Kind[name])]


def started(client, kind):
    """The kinds that are recorded when each call that takes a kind is given this one."""
    root = client.start_trace("start_trace", kind=kind)
    client.start_span("start_span", root.trace_id, root.span_id, kind=kind).end()
    client.start_span("under", parent=root, kind=kind).end()
    with client.trace("trace", kind=kind), client.span("span", kind=kind):
        pass
    root.end()
    client.ingest(SpanRecord(b"t" * 16, b"s" * 8, None, "ingest", 1, 2, kind=kind))
    assert client.flush(60)
    return {record.name: record.kind for record in client.adapter("memory").records}


CALLS = ["start_trace", "start_span", "under", "trace", "span", "ingest"]


@pytest.mark.parametrize("name", NAMES)
def test_every_call_reads_every_spelling_of_a_kind(make_client, name):
    """Names in any case, members of any enumeration by their name, OTLP's numbers."""
    for kind in spellings(name):
        client = make_client()
        assert started(client, kind) == dict.fromkeys(CALLS, int(Kind[name])), kind
        assert client.stats().misuse == {}


def test_opentelemetrys_and_py_zipkins_kinds_are_read_by_their_names(make_client):
    """Theirs count otherwise, or not at all; py_zipkin's LOCAL is INTERNAL."""
    otel = pytest.importorskip("opentelemetry.trace")
    zipkin = pytest.importorskip("py_zipkin")
    wanted = {kind: int(Kind[kind.name]) for kind in otel.SpanKind}
    wanted |= {kind: int(Kind.INTERNAL if kind.name == "LOCAL" else Kind[kind.name]) for kind in zipkin.Kind}
    seen = {kind: started(make_client(), kind) for kind in wanted}
    assert seen == {kind: dict.fromkeys(CALLS, number) for kind, number in wanted.items()}


def test_none_is_internal(client):
    """As in OpenTelemetry, where no kind was given."""
    assert started(client, None) == dict.fromkeys(CALLS, int(Kind.INTERNAL))
    assert client.stats().misuse == {}


@pytest.mark.parametrize("kind", UNKNOWN, ids=repr)
def test_an_unknown_kind_is_internal_counted_and_said_once_with_the_place(client, caplog, kind):
    """The span is never lost for it."""
    with caplog.at_level(logging.WARNING, "tracebridge"):
        assert started(client, kind) == dict.fromkeys(CALLS, int(Kind.INTERNAL))
    assert client.stats().misuse == {"bad_kind": len(CALLS)}
    (said,) = [record.getMessage() for record in caplog.records]
    assert "unknown kind" in said
    assert f"called at {__file__}:" in said
    assert client.stats().balance("memory") == 0


def test_a_strict_client_refuses_an_unknown_kind_and_starts_nothing(make_client):
    """Raised by the call itself; a record that a source hands in never raises."""
    client = make_client(lifecycle={"strict": True})
    root = client.start_trace("root")
    for call in (
        lambda: client.start_trace("r", kind="peer"),
        lambda: client.start_span("s", root.trace_id, kind="peer"),
        lambda: client.span("s", parent=root, kind="peer").__enter__(),
    ):
        with pytest.raises(InvalidParameterError, match="unknown kind: 'peer'"):
            call()
    client.ingest(SpanRecord(b"t" * 16, b"s" * 8, None, "ingested", 1, 2, kind=cast(Any, "peer")))
    assert client.stats().open == 1
