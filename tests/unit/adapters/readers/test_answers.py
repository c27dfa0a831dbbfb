"""Readers against answers that no healthy server gives: an error that says what to look at, never a crash, never "no such trace"."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.http_server import LocalServer
from tracebridge.errors import DeliveryError, Misconfigured, Retryable
from tracebridge.plugins.adapter import Context, TraceReader, may_be_read, reader_of
from tracebridge.plugins.options import Secret
from tracebridge.reading.search import Condition, Query
from tracebridge.records.record import Kind, StatusCode
from tracebridge_adapters.console import ConsoleAdapter
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.files import mlflow_json
from tracebridge_adapters.formats.jaeger import json_reader as jaeger_json
from tracebridge_adapters.memory import MemoryAdapter, MemoryOptions
from tracebridge_adapters.otlp_http import OtlpHttpAdapter, OtlpHttpOptions
from tracebridge_adapters.readers.searching import kept
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

JSON = "application/json"
ID = bytes(15) + b"\x01"


class Server:
    """Answers every question with the same words, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, str, bytes] = (200, JSON, b"[]")
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers))
                status, kind, content = outer.answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that says whatever a test wants."""
    running = Server()
    yield running
    running.stop()


SYSTEMS = ("zipkin", "jaeger", "mlflow")


@pytest.fixture
def read(server: Server) -> Iterator[Callable[[str], TraceReader]]:
    """Make readers of that server."""
    made: list[Any] = []

    def make(system: str, **options: Any) -> TraceReader:
        headers = {"authorization": Secret("Bearer c4n4ry")}
        if system == "zipkin":
            made.append(
                ZipkinAdapter(ZipkinOptions(query_endpoint=server.url, headers=headers, **options), Context("x"))
            )
        else:
            dialect: Any = "mlflow" if system == "mlflow" else "openinference"
            given = OtlpHttpOptions(query_endpoint=server.url, dialect=dialect, headers=headers, **options)
            made.append(OtlpHttpAdapter(given, Context("x")))
        reader = reader_of(made[-1])
        assert reader is not None
        return reader

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("answer", "error", "hint"),
    [
        ((404, "text/plain", b"404 page"), Misconfigured, "query_endpoint"),
        ((200, "text/html", b"<!doctype html><p>"), Misconfigured, "web page; is query_endpoint"),
        ((200, JSON, b"{"), Misconfigured, "is query_endpoint"),
        ((200, JSON, b'"text"'), Misconfigured, "is query_endpoint"),
        ((200, JSON, b'[[{"traceId": 7}]]'), Misconfigured, "is query_endpoint"),
        ((401, JSON, b"{}"), Misconfigured, "credentials"),
        ((403, JSON, b"{}"), Misconfigured, "credentials"),
        ((302, JSON, b""), Misconfigured, "HTTP 302"),
        ((503, JSON, b"later"), Retryable, "503: later"),
        ((429, JSON, b""), Retryable, "429"),
    ],
)
def test_wrong_answers_say_what_to_look_at(
    server: Server, read: Any, system: str, answer: Any, error: Any, hint: str
) -> None:
    """Whatever is asked; the credentials are in no message, and no redirect takes them elsewhere."""
    server.answer = answer
    reader = read(system)
    for ask in (
        lambda: reader.get(ID),
        lambda: reader.find("x"),
        lambda: reader.search(Query([Condition("service", "=", "s")])),
    ):
        with pytest.raises(error, match=hint) as caught:
            ask()
        assert "c4n4ry" not in str(caught.value)
        assert isinstance(caught.value, DeliveryError)
    assert all(headers["Authorization"] == "Bearer c4n4ry" for _, headers in server.asked)


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("zipkin", b"00000000000000000000000000000001 not found"),
        ("jaeger", b'{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}'),
        ("mlflow", b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}'),
    ],
)
def test_an_unknown_trace_is_empty(server: Server, read: Any, system: str, words: bytes) -> None:
    """In each system's own words."""
    server.answer = (404, JSON, words)
    assert read(system).get(ID) == []


@pytest.mark.parametrize(
    ("system", "path"), [("zipkin", "/zipkin/traces/"), ("jaeger", "/trace/"), ("mlflow", "/#/experiments/0/traces?")]
)
def test_links_lead_to_the_ui(server: Server, read: Any, system: str, path: str) -> None:
    """The system's own page, or what `ui` says."""
    assert read(system).link(ID).startswith(server.url + path)
    assert ID.hex() in read(system).link(ID)
    assert read(system, ui="https://ui/{trace_id}?x").link(ID) == f"https://ui/{ID.hex()}?x"


def test_a_ui_without_a_reader_still_links() -> None:
    """For systems that have a page and no API that we know."""
    adapter = OtlpHttpAdapter(OtlpHttpOptions(ui="https://ui/{trace_id}"), Context("x"))
    assert (reader_of(adapter), adapter.link(ID)) == (None, f"https://ui/{ID.hex()}")
    assert ZipkinAdapter(ZipkinOptions(), Context("x")).link(ID) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ui": "http://ui/trace"}, "trace_id"), ({"query_endpoint": "http://h/?a=b"}, "base address")],
)
def test_options_that_could_never_work_are_refused(options: dict[str, Any], message: str) -> None:
    """At start, not at the first question."""
    with pytest.raises(ValueError, match=message):
        OtlpHttpOptions(**options)


def test_what_may_be_read_is_known_without_building_it() -> None:
    """A store always; Zipkin and OTLP when their options say so; a console never."""
    assert [may_be_read(kind) for kind in (MemoryAdapter, ZipkinAdapter, OtlpHttpAdapter, ConsoleAdapter)] == [
        True,
        True,
        True,
        False,
    ]
    memory = MemoryAdapter(MemoryOptions(), Context("x"))
    assert reader_of(memory) is memory
    assert reader_of(object()) is None


def jaeger_span(**changes: Any) -> str:
    """A Jaeger answer with one span."""
    span = {
        "traceID": "a", "spanID": "b", "operationName": "op", "startTime": 1, "duration": 2, "processID": "p", "references": [], "tags": [], "logs": None,
        **changes,
    }  # fmt: skip
    return json.dumps({"data": [{"spans": [span], "processes": {"p": {"serviceName": "s", "tags": None}}}]})


def test_jaeger_of_other_clients_is_read() -> None:
    """Short IDs, an `error` as text, a parent in another trace, several parents, a debug flag, an event without a name."""
    references = [
        {"refType": "CHILD_OF", "traceID": "ff", "spanID": "1"},
        {"refType": "CHILD_OF", "traceID": "a", "spanID": "2"},
        {"refType": "FOLLOWS_FROM", "traceID": "a", "spanID": "3"},
    ]
    tags = [
        {"key": "error", "type": "string", "value": "true"},
        {"key": "span.kind", "type": "string", "value": "Server"},
        {"key": "f", "type": "float64", "value": 2},
        {"key": "n", "type": "int64", "value": "9007199254740993"},
    ]
    logs = [{"timestamp": 3, "fields": [{"key": "m", "type": "string", "value": "x"}]}]
    ((record,),) = kept(
        jaeger_json.decode(jaeger_span(references=references, tags=tags, flags=3, logs=logs), take_apart), "server"
    )
    assert (record.trace_id, record.span_id, record.parent_id) == (
        bytes(15) + b"\x0a",
        bytes(7) + b"\x0b",
        bytes(7) + b"\x02",
    )
    assert [link.span_id[-1] for link in record.links] == [1, 3]
    assert (record.status, record.kind, record.debug) == (StatusCode.ERROR, Kind.SERVER, True)
    assert record.attributes == {"f": 2.0, "n": 2**53 + 1}
    assert [(e.name, e.time_ns, e.attributes) for e in record.events] == [("", 3000, {"m": "x"})]


@pytest.mark.parametrize("decode", [jaeger_json.decode, mlflow_json.decode])
@pytest.mark.parametrize(
    "data", [b"", b"[]", b"7", b'{"data": [{}]}|{"trace": {"spans": [7]}}', b'{"data": 7}|{"traces": 7}']
)
def test_foreign_documents_are_refused(decode: Any, data: bytes) -> None:
    """With one kind of error, whatever is wrong with them."""
    jaegers, _, mlflows = data.partition(b"|")
    with pytest.raises(ValueError, match=r"not an answer of|not MLflow's|has no list of spans|is not an object"):
        kept(decode(mlflows if mlflows and decode is mlflow_json.decode else jaegers, take_apart), "server")
