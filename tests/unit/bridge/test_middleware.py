"""The middleware, called as servers call it: httpx's transports, with wsgiref's validator on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref import simple_server
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import httpx
import pytest

from tracebridge import Client, Kind, SpanRecord, SpanStatus, SpanStatusCode, StatusCode
from tracebridge.middleware import TraceAsgi, TraceWsgi
from tracebridge.spans.context import current_span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
URL = "http://shop.test/items/7?token=secret"
Delivered = Callable[[Client], list[SpanRecord]]


def wsgi_app(client: Client, status: str = "200 OK") -> Any:
    """An application that makes a span while it is called and one while its body is made."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        with client.span("called"):
            start_response(status, [("Content-Type", "text/plain")])

        def body() -> Iterator[bytes]:
            with client.span("streamed"):
                yield b"a"
            if environ["PATH_INFO"] == "/broken":
                raise RuntimeError("no more")
            yield b"b"

        return body()

    return app


def asgi_app(client: Client, status: int = 200) -> Any:
    """The same for ASGI."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with client.span("called"):
            await send({"type": "http.response.start", "status": status, "headers": []})
        with client.span("streamed"):
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        if scope["path"] == "/broken":
            raise RuntimeError("no more")
        await send({"type": "http.response.body", "body": b"b"})

    return app


def over_wsgi(client: Client, url: str = URL, status: str = "200 OK", **more: Any) -> httpx.Response:
    """Ask the WSGI application."""
    app = validator(TraceWsgi(validator(wsgi_app(client, status)), client, **more))
    with httpx.Client(transport=httpx.WSGITransport(app)) as http:
        return http.get(url, headers=HEADERS)


def over_asgi(client: Client, url: str = URL, status: str = "200 OK", **more: Any) -> httpx.Response:
    """Ask the ASGI application."""

    async def ask() -> httpx.Response:
        app = TraceAsgi(asgi_app(client, int(status[:3])), client, **more)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            return await http.get(url, headers=HEADERS)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [over_wsgi, over_asgi])


@both
def test_a_request_is_a_server_span_under_the_callers(ask, client, delivered):
    """With the method, the path, the scheme and the status; what the application does stands below it; no query is recorded."""
    assert ask(client).text == "ab"
    called, streamed, root = delivered(client)
    assert (root.trace_id.hex(), root.parent_id.hex(), root.parent_is_remote) == (TRACE, SPAN, True)
    assert (root.name, root.kind, root.status) == ("GET", Kind.SERVER, StatusCode.OK)
    assert root.attributes == {
        "http.request.method": "GET",
        "url.path": "/items/7",
        "url.scheme": "http",
        "http.response.status_code": 200,
    }
    assert [span.parent_id for span in (called, streamed)] == [root.span_id] * 2
    assert current_span(client, None) is None


@both
@pytest.mark.parametrize(
    "status, code", [("404 Not Found", StatusCode.OK), ("503 Service Unavailable", StatusCode.ERROR)]
)
def test_a_server_error_is_an_error(ask, client, delivered, status, code):
    """From 500 on; what is below is the caller's mistake."""
    ask(client, status=status)
    root = delivered(client)[-1]
    assert (root.status, root.attributes["http.response.status_code"]) == (code, int(status[:3]))


@both
def test_an_exception_is_recorded_and_goes_on(ask, client, delivered):
    """While the body is made, too."""
    with pytest.raises(RuntimeError, match="no more"):
        ask(client, "http://shop.test/broken")
    root = delivered(client)[-1]
    assert (root.status, root.status_message, root.events[0].name) == (
        StatusCode.ERROR,
        "RuntimeError: no more",
        "exception",
    )
    assert client.stats().open == 0


@both
def test_the_name_is_the_applications_to_choose(ask, client, delivered):
    """A function of the environ or the scope, such as one that knows the routes."""
    ask(client, name=lambda request: f"GET /items/{{id}} {request.get('PATH_INFO') or request['path']}")
    assert delivered(client)[-1].name == "GET /items/{id} /items/7"


@both
def test_a_name_that_fails_costs_the_name_not_the_request(ask, client, delivered):
    """Counted."""
    assert ask(client, name=lambda given: given["no such key"]).status_code == 200
    assert [record.name for record in delivered(client) if record.kind == Kind.SERVER] == ["GET"]
    assert client.stats().misuse == {"name_failed": 1}


METHOD, ORIGINAL = "http.request.method", "http.request.method_original"


@pytest.mark.parametrize(
    ("method", "name", "recorded"),
    [
        ("PATCH", "PATCH", {METHOD: "PATCH"}),
        ("get", "HTTP", {METHOD: "_OTHER", ORIGINAL: "get"}),
        ("X" * 40, "HTTP", {METHOD: "_OTHER", ORIGINAL: "X" * 40}),
    ],
)
def test_a_client_cannot_make_new_methods(
    client: Client, delivered: Delivered, method: str, name: str, recorded: dict[str, str]
) -> None:
    """The known ones are recorded as they are; what somebody invents is `_OTHER`, and stands beside it."""
    asked(client, method)
    spans = [
        (span.name, {key: value for key, value in span.attributes.items() if key.startswith(METHOD)})
        for span in delivered(client)
    ]
    assert [(name, recorded), (name, recorded)] == [span for span in spans if span[1]]


def test_the_environment_says_which_methods_are_known(
    client: Client, delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By OpenTelemetry's variable: a list in the place of the usual one."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "PROPFIND, GET")
    asked(client, "PROPFIND")
    asked(client, "POST")
    methods = [span.attributes[METHOD] for span in delivered(client) if METHOD in span.attributes]
    assert methods == ["PROPFIND", "PROPFIND", "_OTHER", "_OTHER"]


def asked(client: Client, method: str) -> None:
    """Ask both kinds of application with this method, as a server passes it on."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        pass

    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
    list(body := TraceWsgi(wsgi_app(client), client)(environ, lambda *_: lambda _: None))
    body.close()  # type: ignore[attr-defined]  # servers do
    scope = {"type": "http", "method": method, "path": "/", "headers": []}
    asyncio.run(TraceAsgi(asgi_app(client), client)(scope, receive, send))


def test_an_application_that_fails_before_it_answers_is_recorded(client, delivered):
    """No response was started."""

    def app(environ: Any, start_response: Any) -> Any:
        raise RuntimeError("at once")

    with (
        pytest.raises(RuntimeError, match="at once"),
        httpx.Client(transport=httpx.WSGITransport(TraceWsgi(app, client))) as http,
    ):
        http.get(URL)
    (root,) = delivered(client)
    assert (root.status_message, current_span(client, None)) == ("RuntimeError: at once", None)


def test_a_body_that_is_none_ends_the_span(client, delivered):
    """The mistake is the application's, goes on to its server, and nothing stays current behind it."""
    app = TraceWsgi(lambda environ, start: None, client)
    with pytest.raises(TypeError):
        app({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert current_span(client, None) is None
    (record,) = delivered(client)
    assert record.status == StatusCode.ERROR


def test_a_body_that_is_abandoned_ends_the_span_once(client, delivered):
    """The client hung up: the server closes the body it has not used up, and the application's own close is called."""
    closed = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Body([b"a", b"b"])

    body: Any = TraceWsgi(app, client)({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert next(iter(body)) == b"a"
    body.close()
    body.close()
    assert (len(delivered(client)), closed, client.stats().misuse) == (1, [True, True], {})


class Closing(list[bytes]):
    """A body whose own close does what it is given."""

    def __init__(self, parts: list[bytes], close: Callable[[], None]) -> None:
        super().__init__(parts)
        self.close = close


def answering(body: Any) -> Any:
    """An application that answers with this body."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return body

    return app


def served(app: Any, client: Client, **environ: Any) -> Any:
    """The body that a server is given."""
    return TraceWsgi(app, client)({"REQUEST_METHOD": "GET", **environ}, lambda *_: lambda _: None)


def test_what_the_body_does_on_closing_belongs_to_the_request(client, delivered):
    """Servers call it when the body is used up."""

    def close() -> None:
        with client.span("closing"):
            pass

    body = served(answering(Closing([b"a"], close)), client)
    assert list(body) == [b"a"]
    body.close()
    closing, root = delivered(client)
    assert (closing.name, closing.parent_id, root.status) == ("closing", root.span_id, StatusCode.OK)
    assert current_span(client, None) is None


def test_an_exception_on_closing_is_recorded_and_goes_on(client, delivered):
    """And what the server is handling meanwhile is not the application's."""

    def close() -> None:
        raise RuntimeError("still in use")

    body = served(answering(Closing([b"a"], close)), client)
    try:
        raise ConnectionResetError("the caller is gone")
    except ConnectionResetError:
        with pytest.raises(RuntimeError, match="still in use"):
            body.close()
    served(answering([b"a"]), client).close()
    failed, fine = delivered(client)
    assert (failed.status_message, len(failed.events)) == ("RuntimeError: still in use", 1)
    assert (fine.status, fine.events) == (StatusCode.OK, ())
    assert current_span(client, None) is None


def test_an_exception_of_the_body_is_recorded_once(client, delivered):
    """A server closes the body while it handles it."""

    def parts() -> Iterator[bytes]:
        yield b"a"
        raise RuntimeError("no more")

    body = served(answering(parts()), client)
    try:
        list(body)
    except RuntimeError:
        body.close()
    (root,) = delivered(client)
    assert (root.status_message, len(root.events)) == ("RuntimeError: no more", 1)


def test_a_body_that_no_server_closes_ends_its_span_when_it_goes(client, delivered):
    """Nothing stays current behind it."""
    body = served(answering(iter([b"a"])), client)
    assert list(body) == [b"a"]
    assert current_span(client, None) is None
    body = served(answering(Closing([b"a"], lambda: None)), client)
    assert list(body) == [b"a"]
    del body
    gc.collect()
    assert (len(delivered(client)), current_span(client, None)) == (2, None)


class Reader(simple_server.WSGIRequestHandler):
    """wsgiref's own, without its log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_servers_content_length_stays(client):
    """A server computes it for a body of one part, which it knows from its length."""

    def hello(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    with simple_server.make_server("127.0.0.1", 0, TraceWsgi(hello, client), handler_class=Reader) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        with httpx.Client(trust_env=False) as http:
            headers = http.get(f"http://127.0.0.1:{server.server_port}/").headers
        serving.join()
    assert headers["content-length"] == "5"
    assert not hasattr(served(answering(iter([b"a"])), client), "__len__")


def test_a_file_that_the_server_sends_by_itself_goes_through(client, delivered):
    """It looks for its own wrapper; the span is over when the application is."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))

    body = served(app, client, **{"wsgi.file_wrapper": FileWrapper})
    assert (type(body), current_span(client, None)) == (FileWrapper, None)
    assert b"".join(body) == b"abc"
    assert delivered(client)[0].status == StatusCode.OK


@pytest.mark.parametrize(
    ("given", "path"), [("/caf\xc3\xa9", "/café"), ("/caf\xe9", "/café"), ("/\u4eac", "/\u4eac")], ids=ascii
)
def test_a_path_is_text(client, delivered, given, path):
    """PEP 3333 has UTF-8 as Latin-1; what is none stays as it came."""
    served(answering([b""]), client, PATH_INFO=given).close()
    assert delivered(client)[0].attributes["url.path"] == path


def test_the_last_answer_counts(client, delivered):
    """An application may replace one that has not been sent (PEP 3333, `exc_info`); its own word on the span stays."""

    def replacing(environ: Any, start_response: Any) -> Any:
        start_response("500 Oh", [])
        if environ["PATH_INFO"] == "/said":
            current_span(client, None).set_status(SpanStatus(SpanStatusCode.ERROR, "no stock"))
        start_response("200 OK", [], (None, None, None))
        return [b""]

    served(replacing, client, PATH_INFO="/").close()
    served(replacing, client, PATH_INFO="/said").close()
    assert [(r.status, r.status_message, r.attributes["http.response.status_code"]) for r in delivered(client)] == [
        (StatusCode.OK, "", 200), (StatusCode.ERROR, "no stock", 200),
    ]  # fmt: skip


def test_an_answer_that_the_server_refuses_does_not_count(client, delivered):
    """Another one is on its way already."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        with contextlib.suppress(ValueError):
            start_response("500 Oh", [], (ValueError, ValueError(), None))
        return [b""]

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        if exc_info:
            raise exc_info[1]

    body: Any = TraceWsgi(app, client)({"REQUEST_METHOD": "GET"}, start_response)
    body.close()
    (record,) = delivered(client)
    assert (record.status, record.attributes["http.response.status_code"]) == (StatusCode.OK, 200)


def test_a_refused_websocket_has_a_status(client, delivered):
    """ASGI's extension for it, "websocket.http.response"."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})

    async def send(message: Any) -> None:
        pass

    asyncio.run(TraceAsgi(app, client)({"type": "websocket", "path": "/ws", "headers": []}, None, send))
    (record,) = delivered(client)
    assert (record.status, record.attributes["http.response.status_code"]) == (StatusCode.ERROR, 503)


def test_headers_that_can_be_read_once_are_the_applications_too(client, delivered):
    """ASGI asks for an iterable; the server's scope stays as it is."""
    seen, headers = [], [(b"traceparent", HEADERS["traceparent"].encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(scope["headers"])

    asyncio.run(TraceAsgi(app, client)({"type": "http", "path": "/", "headers": iter(headers)}, None, None))
    assert (seen, delivered(client)[0].trace_id.hex()) == (headers, TRACE)


def test_other_asgi_scopes_pass_through(client, delivered):
    """What is no request is the application's alone."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(TraceAsgi(app, client)({"type": "another"}, None, None))
    asyncio.run(TraceAsgi(app, client)({"type": "websocket", "path": "/ws", "headers": []}, None, None))
    assert (seen, [r.name for r in delivered(client)]) == (["another", "websocket"], ["WEBSOCKET"])


# ---------------------------------------------------------------------- the life of a server


def lived(app: Any, client: Client) -> list[tuple[str, int]]:
    """Let a server start and shut down; return what it was told, each with how many spans had been delivered by then."""
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    told: list[tuple[str, int]] = []

    async def receive() -> Any:
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        told.append((message["type"], client.stats().adapters["memory"].exported))

    asyncio.run(TraceAsgi(app, client)({"type": "lifespan"}, receive, send))
    return told


def starts_and_stops(client: Client, answer: str = "complete") -> Any:
    """An application that traces when it starts and when it shuts down."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in ("startup", "shutdown"):
            assert await receive() == {"type": f"lifespan.{step}"}
            with client.span(step):
                pass
            if answer:
                await send({"type": f"lifespan.{step}.{answer if step == 'shutdown' else 'complete'}"})

    return app


@pytest.fixture
def patient(make_client) -> Client:
    """A client that sends nothing before it is asked to."""
    return make_client(adapters={"memory": {"sending_queue": {"flush_interval": "1h"}}})


@pytest.mark.parametrize("answer", ["complete", "failed"])
def test_what_is_queued_is_delivered_before_the_server_hears_that_it_may_end(answer, patient):
    """A server may die of its signal as soon as it has heard it; the client goes on, because others may share it."""
    told = lived(starts_and_stops(patient, answer), patient)
    assert told == [("lifespan.startup.complete", 0), (f"lifespan.shutdown.{answer}", 2)]
    patient.start_trace("afterwards").end()
    assert patient.stats().misuse == {}


def test_an_application_that_shuts_down_without_a_word_is_delivered(patient):
    """Returning is an answer, too."""
    assert lived(starts_and_stops(patient, ""), patient) == []
    assert patient.stats().adapters["memory"].exported == 2


def test_an_application_that_fails_as_it_shuts_down_is_delivered_and_fails(patient):
    """Its error is the server's."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            await receive()
        with patient.span("shutdown"):
            raise RuntimeError("the pool is gone")

    with pytest.raises(RuntimeError, match="the pool is gone"):
        lived(app, patient)
    assert patient.stats().adapters["memory"].exported == 1


@pytest.mark.parametrize("knows", ["raises", "returns"])
def test_where_the_application_has_no_lifespan_the_middleware_has_one(knows, patient):
    """Django raises; without an answer the server would not tell of its shutdown."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with patient.span("asked"):
            if knows == "raises":
                raise ValueError("only HTTP connections")

    assert lived(app, patient) == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]


def test_an_application_that_fails_to_start_is_not_talked_over(patient):
    """It has asked for the message, so it knows the protocol, and its failure is one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        lived(app, patient)


def test_a_shutdown_waits_for_a_destination_within_the_bound_and_says_what_is_left(make_client, caplog):
    """Once, and without holding up the loop's other tasks."""
    client = make_client(
        adapters={"memory": {}, "zipkin": {"endpoint": "http://127.0.0.1:1/api/v2/spans"}},
        lifecycle={"shutdown_timeout": "200ms"},
    )
    ticks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        task = asyncio.create_task(tick())
        await starts_and_stops(client)(scope, receive, send)
        task.cancel()

    told = lived(app, client)
    assert told == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 2)]
    assert [r.getMessage() for r in caplog.records if "shuts down" in r.getMessage()] == [
        "the server shuts down with spans undelivered: {'zipkin': 2}"
    ]
    assert len(ticks) > 2
    client.close(0)


@both
def test_a_closed_client_serves_on(ask, client):
    """Tracing that is off never stands in a request's way."""
    client.close()
    with warnings.catch_warnings():
        assert ask(client).text == "ab"
