"""The middleware, called as servers call it: httpx's transports, with wsgiref's validator on both sides."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest

from tracebridge import Client, Kind, SpanRecord, StatusCode
from tracebridge.context import current_span
from tracebridge.middleware import TraceAsgi, TraceWsgi

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

    body = TraceWsgi(app, client)({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert next(iter(body)) == b"a"
    body.close()
    body.close()
    assert (len(delivered(client)), closed, client.stats().misuse) == (1, [True, True], {})


def test_other_asgi_scopes_pass_through(client, delivered):
    """lifespan is no request."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(TraceAsgi(app, client)({"type": "lifespan"}, None, None))
    asyncio.run(TraceAsgi(app, client)({"type": "websocket", "path": "/ws", "headers": []}, None, None))
    assert (seen, [r.name for r in delivered(client)]) == (["lifespan", "websocket"], ["WEBSOCKET"])


@both
def test_a_closed_client_serves_on(ask, client):
    """Tracing that is off never stands in a request's way."""
    client.close()
    with warnings.catch_warnings():
        assert ask(client).text == "ab"
