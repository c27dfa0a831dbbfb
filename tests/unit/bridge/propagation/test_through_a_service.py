"""W3C headers into a service and out of it again, over WSGI and ASGI: what the next service is told.

The W3C's own harness, in its state of June 2026, sends such requests; it ran against these two services with 41 of 41 at levels 1 and 2.
"""

from __future__ import annotations

import asyncio
import string
from typing import Any

import httpx
import pytest

from tracebridge import Client
from tracebridge.middleware import TraceAsgi, TraceWsgi

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = ("traceparent", f"00-{TRACE}-{SPAN}-01")
KEY = string.ascii_lowercase + string.digits + "_-*/"
Headers = list[tuple[str, str]]


def over_wsgi(client: Client, headers: Headers) -> list[dict[str, str]]:
    """Return the headers of two calls that a WSGI application makes. Servers join headers of one name by commas."""
    calls: list[dict[str, str]] = []

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        calls.extend(client.inject(span, {}) for span in two_spans(client))
        start_response("200 OK", [])
        return [b""]

    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    with httpx.Client(transport=httpx.WSGITransport(TraceWsgi(app, client))) as http:
        http.get("http://shop.test/", headers=joined)
    return calls


def over_asgi(client: Client, headers: Headers) -> list[dict[str, str]]:
    """Return the headers of two calls that an ASGI application makes. Servers give it each header by itself."""
    calls: list[dict[str, str]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        calls.extend(client.inject(span, {}) for span in two_spans(client))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(TraceAsgi(app, client))) as http:
            await http.get("http://shop.test/", headers=headers)

    asyncio.run(ask())
    return calls


def two_spans(client: Client) -> Any:
    """Yield two spans, one after the other, each while it is open."""
    for name in ("first", "second"):
        with client.span(name) as span:
            yield span


both = pytest.mark.parametrize("ask", [over_wsgi, over_asgi])


def split(header: str) -> tuple[str, str, str]:
    """Return a traceparent's trace ID, span ID and flags."""
    version, trace_id, span_id, flags = header.split("-")
    assert version == "00"
    return trace_id, span_id, flags


@both
@pytest.mark.parametrize(
    "headers",
    [
        [PARENT],
        [("TraceParent", PARENT[1])],
        [("TRACEPARENT", PARENT[1])],
        [("traceparent", f"\t {PARENT[1]} \t")],
        [("traceparent", f"cc-{TRACE}-{SPAN}-01-what-comes-later")],
        [PARENT, ("tracestate", "FOO=1")],
    ],
)
def test_a_trace_goes_on_with_new_span_ids(ask, client, headers):
    """Its ID and the sampled flag stay, and each call has a span ID of its own."""
    first, second = (split(call["traceparent"]) for call in ask(client, headers))
    assert (first[0], first[2], second[0], second[2]) == (TRACE, "01", TRACE, "01")
    assert len({SPAN, first[1], second[1]}) == 3


@both
def test_the_random_flag_goes_on(ask, client):
    """Level 2: bit 2 of the flags says that the trace ID is random."""
    (call, _) = ask(client, [("traceparent", f"00-{TRACE}-{SPAN}-02")])
    assert split(call["traceparent"])[2] == "02"


@both
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [PARENT, PARENT],
        [PARENT, ("traceparent", f"00-{TRACE[::-1]}-{SPAN}-01")],
        [("trace-parent", PARENT[1])],
        [("trace.parent", PARENT[1])],
        [("traceparent", f"{PARENT[1]}.")],
        [("traceparent", f"{PARENT[1]}-what-comes-later")],
        [("traceparent", f"cc-{TRACE}-{SPAN}-01.what-comes-later")],
        [("traceparent", f"ff-{TRACE}-{SPAN}-01")],
        [("traceparent", f".0-{TRACE}-{SPAN}-01")],
        [("traceparent", f"000-{TRACE}-{SPAN}-01")],
        [("traceparent", f"00-{'0' * 32}-{SPAN}-01")],
        [("traceparent", f"00-{TRACE}-{'0' * 16}-01")],
        [("traceparent", f"00-{TRACE}0-{SPAN}-01")],
        [("traceparent", f"00-{TRACE}-{SPAN}-1")],
        [("tracestate", "foo=1,bar=2")],
    ],
)
def test_without_one_valid_traceparent_a_trace_begins(ask, client, headers):
    """Two of them are none, and a tracestate alone is not passed on."""
    first, second = ask(client, headers)
    assert split(first["traceparent"])[0] == split(second["traceparent"])[0] not in (TRACE, TRACE[::-1], "0" * 32)
    assert "tracestate" not in first


@both
@pytest.mark.parametrize(
    "given, told",
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (["foo=1", ""], "foo=1"),
        (["", "foo=1"], "foo=1"),
        ([""], None),
        (["foo=1,foo=1"], "foo=1"),
        (["foo=1", "foo=2"], "foo=1"),
        (["foo@=1,bar=2"], "foo@=1,bar=2"),
        (["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (["foo=1", f"t@{'v' * 15}=1"], f"foo=1,t@{'v' * 15}=1"),
        (["foo=1", f"{'z' * 256}=1"], f"foo=1,{'z' * 256}=1"),
        (["foo=1", f"{'z' * 257}=1"], None),
        (["foo=1\t \t,\t \tbar=2"], "foo=1,bar=2"),
        ([f"{KEY}@{KEY}=1"], f"{KEY}@{KEY}=1"),
        (["@foo=1,bar=2"], None),
        (["foo=bar=baz"], None),
        (["foo=,bar=3"], None),
        ([f"bar{n:02d}={n}" for n in range(32)], ",".join(f"bar{n:02d}={n}" for n in range(32))),
        ([f"bar{n:02d}={n}" for n in range(33)], None),
        (["dd=s:1,ot=rv:00f067aa0ba902;th:0"], "dd=s:1,ot=rv:00f067aa0ba902;th:0"),
    ],
)
def test_tracestate_goes_on_whole_or_not_at_all(ask, client, given, told):
    """Several headers are one list; what breaks the grammar costs the list, never the trace."""
    (call, _) = ask(client, [PARENT, *(("tracestate", each) for each in given)])
    assert (split(call["traceparent"])[0], call.get("tracestate")) == (TRACE, told)


@both
@pytest.mark.parametrize("name", ["trace-state", "trace.state"])
def test_a_header_of_another_name_is_not_passed_on(ask, client, name):
    """Only `tracestate` is one, in any case."""
    (call, _) = ask(client, [PARENT, (name, "foo=1")])
    assert "tracestate" not in call
