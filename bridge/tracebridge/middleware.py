"""Middleware for web applications: each request is a span of kind SERVER that continues the caller's trace, and the current one while it is served.

    app = TraceWsgi(app, client)      # Flask, Django, anything of PEP 3333
    app = TraceAsgi(app, client)      # FastAPI, Starlette, anything of ASGI 3

Attributes are OpenTelemetry's (semantic conventions, HTTP server spans): method, path, scheme, status code. Neither the query nor headers nor bodies are
recorded. A status of 500 or more, and an exception, make the span an ERROR.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from tracebridge.record import Kind

if TYPE_CHECKING:
    from tracebridge.calls.managers import SpanManager
    from tracebridge.client import Client
    from tracebridge.noop import AnySpan

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Namer = Callable[[Mapping[str, Any]], str]
"""From a WSGI environ or an ASGI scope to the span's name. Keep it free of IDs: back-ends group by it."""

STATUS = "http.response.status_code"


class TraceWsgi:
    """A WSGI application around another one. `name` makes the span's name from the environ; by default it is the method."""

    def __init__(self, app: Wsgi, client: Client, *, name: Namer | None = None) -> None:
        self._app = app
        self._client = client
        self._name = name or _method_of_environ

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request; its span ends when the server is done with the body."""
        attributes = {
            "http.request.method": environ.get("REQUEST_METHOD"),
            "url.path": f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
            "url.scheme": environ.get("wsgi.url_scheme"),
        }
        parent = self._client.extract(environ)
        name = _named(self._client, self._name, environ, _method_of_environ)
        serving = self._client.trace(name, parent=parent, kind=Kind.SERVER, attributes=attributes)
        span = serving.__enter__()

        def started(status: str, *rest: Any) -> Any:
            _answered(span, status[:3])
            return start_response(status, *rest)

        try:
            return _Body(self._app(environ, started), serving)
        except BaseException:  # of the application, or of a body that is none
            serving.__exit__(*sys.exc_info())
            raise


class _Body:
    """A response's body; the span ends when it is closed, when it is used up, or when it raises, whichever is first."""

    def __init__(self, body: Iterable[bytes], serving: SpanManager) -> None:
        self._body = body
        self._parts = iter(body)
        self._serving = serving

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except StopIteration:
            self._serving.__exit__(None, None, None)
            raise
        except BaseException:
            self._serving.__exit__(*sys.exc_info())
            raise

    def close(self) -> None:
        """End the span, whatever the body's own close does (PEP 3333: the server calls this)."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._serving.__exit__(*sys.exc_info())


class TraceAsgi:
    """An ASGI application around another one, for http and websocket connections; `lifespan` passes through."""

    def __init__(self, app: Asgi, client: Client, *, name: Namer | None = None) -> None:
        self._app = app
        self._client = client
        self._name = name or _method_of_scope

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection; its span ends with it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        attributes = {
            "http.request.method": scope.get("method", "GET"),
            "url.path": scope.get("path"),
            "url.scheme": scope.get("scheme"),
        }
        parent = self._client.extract(scope.get("headers"))
        name = _named(self._client, self._name, scope, _method_of_scope)
        async with self._client.trace(name, parent=parent, kind=Kind.SERVER, attributes=attributes) as span:

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, message.get("status"))
                await send(message)

            await self._app(scope, receive, sent)


def _named(client: Client, namer: Namer, given: Mapping[str, Any], otherwise: Namer) -> str:
    """Return a span's name; a function that fails costs the name, never the request."""
    try:
        return namer(given)
    except Exception as error:
        client.warn_misuse("name_failed", f"the middleware's `name` failed, the method is used: {type(error).__name__}")
        return otherwise(given)


def _answered(span: AnySpan, status: Any) -> None:
    """Record a response's status code; from 500 on it is the server's failure."""
    try:
        code = int(status)
    except (TypeError, ValueError):
        return
    span.set_attribute(STATUS, code)
    if code >= 500:
        span.set_status("ERROR")


def _method_of_environ(environ: Mapping[str, Any]) -> str:
    return str(environ.get("REQUEST_METHOD") or "HTTP")


def _method_of_scope(scope: Mapping[str, Any]) -> str:
    return "WEBSOCKET" if scope["type"] == "websocket" else str(scope.get("method") or "HTTP")
