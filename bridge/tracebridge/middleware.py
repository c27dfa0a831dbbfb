"""Middleware for web applications: each request is a span of kind SERVER that continues the caller's trace, and the current one while it is served.

    app = TraceWsgi(app, client)      # Flask, Django, anything of PEP 3333
    app = TraceAsgi(app, client)      # FastAPI, Starlette, anything of ASGI 3

Attributes are OpenTelemetry's (semantic conventions, HTTP server spans): method, path, scheme, status code. Neither the query nor headers nor bodies are
recorded. A status of 500 or more, and an exception, make the span an ERROR. What a client invents as a method becomes `_OTHER`, so that it
cannot make a new value of an attribute that back-ends group by; `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` (separated by commas) says which are known.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from tracebridge.masking.loggers import logger
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.record import Kind

if TYPE_CHECKING:
    from tracebridge.calls.managers import SpanManager
    from tracebridge.client import Client
    from tracebridge.spans.noop import AnySpan

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Namer = Callable[[Mapping[str, Any]], str]
"""From a WSGI environ or an ASGI scope to the span's name. Keep it free of IDs: back-ends group by it."""

_log = logger("tracebridge")

METHOD, METHOD_ORIGINAL = "http.request.method", "http.request.method_original"
KNOWN_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
KNOWN_METHODS_VARIABLE = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
OTHER_METHOD = "_OTHER"
STATUS = "http.response.status_code"
SHUTDOWN = "lifespan.shutdown"
RESPONSE_STARTS = {"http.response.start", "websocket.http.response.start"}
"""The ASGI messages with a status; the second refuses a websocket."""


class TraceWsgi:
    """A WSGI application around another one. `name` makes the span's name from the environ; by default it is the method."""

    def __init__(self, app: Wsgi, client: Client, *, name: Namer | None = None) -> None:
        self._app = app
        self._client = client
        self._name = name
        self._methods = _known_methods()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request; its span ends when the server is done with the body.

        A file that the server is to send by itself (`wsgi.file_wrapper`) goes through as it is, and is not waited for.
        """
        method = _method(environ.get("REQUEST_METHOD"), self._methods)
        attributes = {**method, "url.path": _path(environ), "url.scheme": environ.get("wsgi.url_scheme")}
        parent = self._client.extract(environ)
        name = _named(self._client, self._name, environ, _name_of(method))
        serving = self._client.trace(name, parent=parent, kind=Kind.SERVER, attributes=attributes)
        answer = _Answer(span := serving.__enter__())

        def started(status: str, *rest: Any) -> Any:
            write = start_response(status, *rest)  # raises where it comes too late to replace an answer
            answer.has(status[:3])
            return write

        try:
            body = self._app(environ, started)
            file_wrapper = environ.get("wsgi.file_wrapper")
            if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
                serving.__exit__(None, None, None)
                return body
            return (_SizedBody if hasattr(body, "__len__") else _Body)(body, span, serving)
        except BaseException:  # of the application, or of a body of a wrong type
            serving.__exit__(*sys.exc_info())
            raise


class _Body:
    """A response's body. The span ends when the server closes it, as PEP 3333 obliges every server to, because its own `close` is still work of
    the application's; a body that has none is over when it is used up or raises.
    """

    def __init__(self, body: Iterable[bytes], span: AnySpan, serving: SpanManager) -> None:
        self._span, self._serving = span, serving
        self._body = body
        self._parts = iter(body)
        self._close: Callable[[], Any] | None = getattr(body, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except BaseException as error:
            if not isinstance(error, StopIteration):
                self._span.record_exception(error)
            if self._close is None:
                self._end()
            raise

    def close(self) -> None:
        """End the span, whatever the body's own close does."""
        try:
            if self._close is not None:
                self._close()
        except BaseException as error:  # and not what the server may be handling just now
            self._span.record_exception(error)
            raise
        finally:
            self._end()

    def __del__(self) -> None:
        """End the span where a server has dropped the body, so that it does not stay current in its thread."""
        self._end()

    def _end(self) -> None:
        self._serving.__exit__(None, None, None)


class _SizedBody(_Body):
    """A body whose length servers may ask for: they compute the Content-Length of one of a single part (PEP 3333)."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # chosen for bodies that have it


class TraceAsgi:
    """An ASGI application around another one, for http and websocket connections.

    What is queued is delivered when the server shuts down, at the end of the application's `lifespan`, for at most
    `lifecycle.shutdown_timeout`: a server may die of its signal afterwards (uvicorn does). The client is not closed; others may use it.
    """

    def __init__(self, app: Asgi, client: Client, *, name: Namer | None = None) -> None:
        self._app = app
        self._client = client
        self._name = name
        self._methods = _known_methods()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection; its span ends with it."""
        if scope["type"] == "lifespan":
            await _Lifespan(self._app, self._client).live(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        method = _method(scope.get("method", "GET"), self._methods)
        attributes = {**method, "url.path": scope.get("path"), "url.scheme": scope.get("scheme")}
        if isinstance(headers := scope.get("headers"), Iterator):  # to be read twice: here, and by the application
            scope = {**scope, "headers": list(headers)}
        parent = self._client.extract(scope.get("headers"))
        name = _named(
            self._client, self._name, scope, "WEBSOCKET" if scope["type"] == "websocket" else _name_of(method)
        )
        async with self._client.trace(name, parent=parent, kind=Kind.SERVER, attributes=attributes) as span:
            answer = _Answer(span)

            async def sent(message: Message) -> None:
                if message["type"] in RESPONSE_STARTS:
                    answer.has(message.get("status"))
                await send(message)

            await self._app(scope, receive, sent)


class _Lifespan:
    """The life of a server, as its application hears of it (ASGI, lifespan protocol 2.0); what is queued is delivered at its end.

    An application that does not know the protocol (Django) raises or returns before it has asked for a message. Then we answer in its
    place, or the server would never say that it shuts down.
    """

    def __init__(self, app: Asgi, client: Client) -> None:
        self._app, self._client = app, client
        self._heard = ""
        self._delivered = False

    async def live(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass every message on, and deliver before the server hears that the application has shut down."""

        async def hear() -> Message:
            message = await receive()
            self._heard = message["type"]
            return message

        async def say(message: Message) -> None:
            if message["type"].startswith(SHUTDOWN):
                await self._deliver()
            await send(message)

        try:
            await self._app(scope, hear, say)
        except Exception:
            if self._heard:
                raise
        finally:
            if self._heard == SHUTDOWN:  # it may end without another word
                await self._deliver()
        if not self._heard:
            while (await hear())["type"] != SHUTDOWN:
                await send({"type": "lifespan.startup.complete"})
            await say({"type": "lifespan.shutdown.complete"})

    async def _deliver(self) -> None:
        if self._delivered:
            return
        self._delivered = True
        from asyncio import get_running_loop  # whoever has a lifespan has it already

        try:
            loop = get_running_loop()
        except RuntimeError:  # another kind of loop; the server is down, and this has its bound
            arrived = self._client.flush(None)
        else:
            arrived = await loop.run_in_executor(None, self._client.flush, None)
        if not arrived:
            queued = {name: books.queued for name, books in self._client.stats().adapters.items() if books.queued}
            _log.warning("the server shuts down with spans undelivered: %s", queued)


def _known_methods() -> frozenset[str]:
    """Return the request methods that are recorded as they are (semantic conventions, HTTP spans)."""
    given = os.environ.get(KNOWN_METHODS_VARIABLE, "")
    return frozenset(method.strip() for method in given.split(",") if method.strip()) or KNOWN_METHODS


def _method(given: Any, known: frozenset[str]) -> dict[str, str]:
    """Return a request's method as attributes: any but the known ones, which are case-sensitive, is `_OTHER` beside the original."""
    if not given:
        return {}
    return {METHOD: given} if given in known else {METHOD: OTHER_METHOD, METHOD_ORIGINAL: str(given)}


def _name_of(method: Mapping[str, str]) -> str:
    """Return a span's name where the application makes none: the method, `HTTP` for one that is not known."""
    name = method.get(METHOD, OTHER_METHOD)
    return "HTTP" if name == OTHER_METHOD else name


def _named(client: Client, namer: Namer | None, given: Mapping[str, Any], otherwise: str) -> str:
    """Return a span's name; a function that fails costs the name, never the request."""
    if namer is None:
        return otherwise
    try:
        return namer(given)
    except BaseException as error:
        raise_interrupt(error)
        client._warn("name_failed", f"the middleware's `name` failed, the method is used: {type(error).__name__}")
        return otherwise


class _Answer:
    """A response's status code on its span; from 500 on it is the server's failure, unless another one takes its place before it is sent."""

    def __init__(self, span: AnySpan) -> None:
        self._span = span
        self._failed = False

    def has(self, status: Any) -> None:
        """Record what the response's status is now."""
        try:
            code = int(status)
        except (TypeError, ValueError):
            return
        self._span.set_attribute(STATUS, code)
        if code >= 500:
            self._failed = True
            self._span.set_status("ERROR")
        elif self._failed and not self._span.status.description:  # with one it is the application's word
            self._span.set_status("UNSET")


def _path(environ: Mapping[str, Any]) -> str:
    """Return the path as text: PEP 3333 has its bytes as Latin-1, and nearly always they are UTF-8."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    try:
        return path.encode("latin-1").decode()
    except UnicodeError:
        return path
