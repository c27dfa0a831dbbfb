"""Carriers: what headers are read from and written to, whatever library it belongs to."""

from __future__ import annotations

import email.message
import http.client
import os
import subprocess
import sys
from types import MappingProxyType
from typing import Any
from wsgiref.handlers import SimpleHandler

import httpx
import pytest
import requests
import urllib3

from tracebridge import Client, RemoteParent
from tracebridge.propagation.carriers import Environment

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
PARENT = RemoteParent(TRACE, SPAN, 1, "a=1,b=2", format="tracecontext")


def message(*pairs: tuple[str, str]) -> http.client.HTTPMessage:
    """Headers as http.server and http.client have them."""
    made = http.client.HTTPMessage()
    for name, value in pairs:
        made[name] = value
    return made


READ = {
    "dict": {"traceparent": HEADER, "tracestate": "a=1,b=2"},
    "dict, any case": {"TraceParent": HEADER, "TRACESTATE": "a=1,b=2"},
    "dict, one name odd": {"traceparent": HEADER, "Tracestate": "a=1,b=2"},
    "dict of lists": {"traceparent": [HEADER], "tracestate": ["a=1", "b=2"]},
    "dict of bytes": {b"traceparent": HEADER.encode(), b"Tracestate": b"a=1,b=2"},
    "dict of bytes under text": {"traceparent": HEADER.encode(), "tracestate": b"a=1,b=2"},
    "read-only mapping": MappingProxyType({"Traceparent": HEADER, "tracestate": "a=1,b=2"}),
    "ASGI": [(b"host", b"x"), (b"traceparent", HEADER.encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")],
    "Kafka": [("traceparent", HEADER.encode()), ("tracestate", b"a=1,b=2"), ("other", b"\xff")],
    "gRPC metadata": (("traceparent", HEADER), ("tracestate", "a=1,b=2"), ("x-bin", b"\x00")),
    "pairs as lists": [["traceparent", HEADER], ["tracestate", "a=1,b=2"]],
    "pairs among other things": ["x", None, ("traceparent", HEADER), (1, 2), ("a",), ("tracestate", "a=1,b=2")],
    "iterator": iter([("traceparent", HEADER), ("tracestate", "a=1,b=2")]),
    "http.client": message(("Traceparent", HEADER), ("tracestate", "a=1"), ("Tracestate", "b=2")),
    "requests": requests.structures.CaseInsensitiveDict({"TraceParent": HEADER, "tracestate": "a=1,b=2"}),
    "urllib3": urllib3.HTTPHeaderDict([("Traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")]),
    "httpx": httpx.Headers([("Traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")]),
    "WSGI": {"REQUEST_METHOD": "GET", "HTTP_TRACEPARENT": HEADER, "HTTP_TRACESTATE": "a=1,b=2", "wsgi.version": (1, 0)},
    "environment": Environment({"TRACEPARENT": HEADER, "TRACESTATE": "a=1,b=2", "PATH": "/bin"}),
}  # fmt: skip


@pytest.mark.parametrize("carrier", READ.values(), ids=READ)
def test_the_same_headers_are_read_from_every_carrier(client, carrier):
    """Text or bytes, any case, several values in one header or in several."""
    assert client.extract(carrier) == PARENT


@pytest.mark.parametrize(
    "carrier",
    [
        [("traceparent", HEADER), ("traceparent", HEADER)],
        [(b"traceparent", HEADER.encode()), (b"Traceparent", HEADER.encode())],
        {"traceparent": HEADER, "Traceparent": HEADER},
        {"traceparent": [HEADER, HEADER]},
        message(("traceparent", HEADER), ("traceparent", HEADER)),
        httpx.Headers([("traceparent", HEADER), ("traceparent", HEADER)]),
        {"REQUEST_METHOD": "GET", "HTTP_TRACEPARENT": f"{HEADER},{HEADER}"},
    ],
)
def test_several_traceparents_are_none(client, carrier):
    """Nobody knows which one is meant."""
    assert client.extract(carrier) is None


def test_the_environment_of_a_wsgi_server_is_no_header(client, monkeypatch):
    """A CGI-like environ holds the process's own variables too, and TRACEPARENT among them would join all requests in one trace."""
    monkeypatch.setenv("TRACEPARENT", HEADER)
    handler: Any = SimpleHandler(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, {"REQUEST_METHOD": "GET"})
    handler.os_environ = dict(os.environ)  # as it is when the variable was set before the server started
    handler.setup_environ()
    assert handler.environ["TRACEPARENT"] == HEADER
    assert client.extract(handler.environ) is None
    assert client.extract(os.environ) == RemoteParent(TRACE, SPAN, format="tracecontext")


class Broken:
    """A carrier that raises when it is read."""

    def items(self) -> object:
        """Raise."""
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "carrier",
    [None, 7, "text", b"bytes", object(), Broken(), [1, 2], {1: 2}, {"traceparent": None}, {None: None}, [], {}],
)
def test_what_is_no_carrier_has_no_context(client, carrier):
    """Never an error."""
    assert client.extract(carrier) is None


def test_a_carrier_that_cannot_be_read_is_counted(client):
    """Once in the log, always in the books."""
    client.extract(Broken())
    assert client.stats().misuse == {"unreadable_carrier": 1}


# ---------------------------------------------------------------------- writing

WRITTEN = [
    ({}, {"traceparent": "T"}),
    ({"accept": "*/*"}, {"accept": "*/*", "traceparent": "T"}),
    ({"Traceparent": "old", "TRACESTATE": "old=1"}, {"traceparent": "T"}),
    ([], [("traceparent", "T")]),
    ([("accept", "*/*"), ("Traceparent", "old")], [("accept", "*/*"), ("traceparent", "T")]),
    ([(b"host", b"x"), (b"tracestate", b"old=1")], [(b"host", b"x"), (b"traceparent", b"T")]),
    ([("key", b"x")], [("key", b"x"), ("traceparent", b"T")]),
    (requests.structures.CaseInsensitiveDict({"TraceParent": "old"}), requests.structures.CaseInsensitiveDict({"traceparent": "T"})),
    (urllib3.HTTPHeaderDict([("Traceparent", "old"), ("Traceparent", "older")]), urllib3.HTTPHeaderDict(traceparent="T")),
    (httpx.Headers([("Traceparent", "old"), ("Tracestate", "a=1")]), httpx.Headers({"traceparent": "T"})),
    (Environment({"TRACEPARENT": "old", "TRACESTATE": "old=1", "HOME": "/"}), {"HOME": "/", "TRACEPARENT": "T"}),
]  # fmt: skip


@pytest.mark.parametrize("carrier, expected", WRITTEN, ids=[repr(carrier)[:60] for carrier, _ in WRITTEN])
def test_headers_are_written_into_every_carrier_in_place_of_old_ones(client, carrier, expected):
    """What stays of an earlier context would be half of one and half of the other."""
    span = client.start_trace("r")
    written = f"00-{span.wire_trace_id}-{span.span_id}-03"
    assert client.inject(span, carrier) is carrier
    assert repr(carrier).replace(written, "T") == repr(expected)


def test_an_http_message_gets_one_header(client):
    """email's messages append where others replace."""
    carrier = email.message.Message()
    carrier["Traceparent"] = "old"
    span = client.start_trace("r")
    client.inject(span, carrier)
    assert carrier.items() == [("traceparent", f"00-{span.wire_trace_id}-{span.span_id}-03")]


def test_a_tuple_cannot_be_written_to(client):
    """The error says what can."""
    with pytest.raises(TypeError, match=r"cannot be written into a tuple; give a dict"):
        client.inject(client.start_trace("r"), ())


def test_a_getter_and_a_setter_serve_anything_else(client):
    """Two small functions make a carrier of whatever a library has."""
    sent: list[str] = []
    span = client.start_trace("r")
    client.inject(span, sent, setter=lambda carrier, headers, _: carrier.extend(f"{k}={v}" for k, v in headers.items()))
    found = client.extract(sent, getter=lambda carrier: (line.split("=", 1) for line in carrier))
    assert (found.trace_id, found.span_id) == (span.wire_trace_id, span.span_id)


def test_a_process_started_with_an_environment_finds_its_parent_there(client):
    """TRACEPARENT goes to a child process and is read from its os.environ."""
    span = client.start_trace("r")
    program = "import os; from tracebridge import Client; print(Client(config={'adapters': {'memory': {}}}).extract(os.environ).span_id)"
    environment = client.inject(span, Environment())
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{span.span_id}\n"
    assert "TRACEPARENT" not in os.environ


def test_multi_word_headers_have_underscores_in_an_environment(make_client):
    """X_B3_TRACEID, and back."""
    client: Client = make_client(propagation={"extract": ["b3"], "inject": ["b3multi"]})
    span = client.start_trace("r")
    environment = client.inject(span, Environment({}))
    assert environment == {"X_B3_TRACEID": span.wire_trace_id, "X_B3_SPANID": span.span_id, "X_B3_SAMPLED": "1"}
    assert client.extract(environment).span_id == span.span_id


def test_of_several_headers_of_a_kafka_message_the_last_counts():
    """A message that was forwarded has those of each hop, in order; elsewhere several headers of a name are one list."""
    older = HEADER.replace(SPAN, "a" * 16)
    with Client(config={"adapters": {"memory": {}}}) as client:
        headers = [
            ("traceparent", older.encode()),
            ("tracestate", b"z=9"),
            ("traceparent", HEADER.encode()),
            ("TraceState", b"a=1,b=2"),
        ]
        assert client.extract(headers) == PARENT
        assert client.extract([("traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")]) == PARENT


def test_lambdas_variable_holds_the_header_of_xray():
    """Where `xray` is on; the variable that `inject` writes goes first."""
    root = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
    propagation = {"extract": ["tracecontext", "xray"]}
    with Client(config={"adapters": {"memory": {}}, "propagation": propagation}) as client:
        found = client.extract(Environment({"_X_AMZN_TRACE_ID": root}))
        assert found is not None
        assert (found.trace_id, found.span_id, found.format) == (TRACE, SPAN, "xray")
        other = client.extract(Environment({"_X_AMZN_TRACE_ID": root.replace(SPAN, "b" * 16), "X_AMZN_TRACE_ID": root}))
        assert other == found
