"""`@client.traced`: a span around each call of a function, a coroutine, a generator or an asynchronous generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Token
from enum import Enum
from typing import Any, ParamSpec, TypeVar, overload

import msgspec

from tracebridge.calls.core import INTERNAL
from tracebridge.calls.managers import Managers
from tracebridge.errors import InvalidParameterError
from tracebridge.otel.current import enter, leave
from tracebridge.spans.context import Frame, Left
from tracebridge.spans.noop import AnySpan
from tracebridge.spans.span import Span

P = ParamSpec("P")
R = TypeVar("R")
Start = Callable[[tuple[Any, ...], dict[str, Any]], AnySpan]
"""Starts the span of one call, of which it is told the arguments."""


class Traced(Managers):
    """`client.traced`."""

    @overload
    def traced(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def traced(
        self,
        /,
        *,
        name: str | None = None,
        arguments: Sequence[str] = (),
        span_type: str = "UNKNOWN",
        attributes: Mapping[str, Any] | None = None,
        kind: str | int | Enum | None = INTERNAL,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def traced(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        arguments: Sequence[str] = (),
        span_type: str = "UNKNOWN",
        attributes: Mapping[str, Any] | None = None,
        kind: str | int | Enum | None = INTERNAL,
    ) -> Any:
        """Decorate a function, so that each of its calls is a span: a child of the current one, or the root of a trace.

        `name` is the function's qualified name by default. `arguments` names the parameters whose values become attributes, under the same
        names; no other value of a call is recorded, and values under names of secrets are masked as everywhere. What the function raises is recorded on
        the span, and goes on. The span of a generator begins with its first step and ends with its last; it is current only while the
        generator runs, not between its steps. With a client that is closed or disabled the function just runs.

        Raises InvalidParameterError for what is not a function, and for a parameter that the function does not have.
        """
        if function is None:
            return functools.partial(
                self.traced, name=name, arguments=arguments, span_type=span_type, attributes=attributes, kind=kind
            )
        read = _reader_of(function, arguments)
        shown, place = name or function.__qualname__, (function.__code__, 0)

        def start(given: tuple[Any, ...], named: dict[str, Any]) -> AnySpan:
            found = {**(attributes or {}), **read(given, named)} if arguments else attributes
            return self._begin_span(place, None, None, None, shown, span_type, None, found, None, None, kind, None)

        wrap = next((wrap for is_one, wrap in _KINDS if is_one(function)), _around_call)
        return functools.wraps(function)(wrap(self, function, start))


class _Step(msgspec.Struct, eq=False):
    """Holds a span current while the function runs: once for a call, once for each step of a generator."""

    held: Token[Frame | None] | Left | None = None


@contextmanager
def _current(client: Managers, span: AnySpan) -> Iterator[None]:
    if not isinstance(span, Span):
        yield
        return
    step = _Step()
    enter(client, span, step)
    try:
        yield
    finally:
        leave(step)


@contextmanager
def _ending(span: AnySpan) -> Iterator[None]:
    """End a span after the block, with what the block raised."""
    try:
        yield
    except BaseException as error:
        if isinstance(span, Span) and span._cause is None:
            if not isinstance(error, GeneratorExit):
                span.record_exception(error)
            span.end()
        raise
    if isinstance(span, Span) and span._cause is None:
        span.end()


def _around_call(client: Managers, function: Any, start: Start) -> Any:
    def call(*given: Any, **named: Any) -> Any:
        span = start(given, named)
        with _ending(span), _current(client, span):
            return function(*given, **named)

    return call


def _around_coroutine(client: Managers, function: Any, start: Start) -> Any:
    async def call(*given: Any, **named: Any) -> Any:
        span = start(given, named)
        with _ending(span), _current(client, span):
            return await function(*given, **named)

    return call


def _around_generator(client: Managers, function: Any, start: Start) -> Any:
    def generate(*given: Any, **named: Any) -> Generator[Any, Any, Any]:
        span = start(given, named)
        with _ending(span):
            generator = function(*given, **named)
            step, sent = generator.send, None
            while True:
                with _current(client, span):
                    try:
                        made = step(sent)
                    except StopIteration as stop:
                        return stop.value
                try:
                    step, sent = generator.send, (yield made)
                except GeneratorExit:
                    with _current(client, span):
                        generator.close()
                    raise
                except BaseException as error:
                    step, sent = generator.throw, error

    return generate


def _around_async_generator(client: Managers, function: Any, start: Start) -> Any:
    async def generate(*given: Any, **named: Any) -> AsyncIterator[Any]:
        span = start(given, named)
        with _ending(span):
            generator = function(*given, **named)
            step, sent = generator.asend, None
            while True:
                with _current(client, span):
                    try:
                        made = await step(sent)
                    except StopAsyncIteration:
                        return
                try:
                    step, sent = generator.asend, (yield made)
                except GeneratorExit:
                    with _current(client, span):
                        await generator.aclose()
                    raise
                except BaseException as error:
                    step, sent = generator.athrow, error

    return generate


_KINDS = (
    (inspect.iscoroutinefunction, _around_coroutine),
    (inspect.isgeneratorfunction, _around_generator),
    (inspect.isasyncgenfunction, _around_async_generator),
)


def _reader_of(function: Any, arguments: Sequence[str]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    """Return what picks the values of some parameters out of a call. Raises InvalidParameterError."""
    if not inspect.isfunction(function):
        raise InvalidParameterError(
            f"traced() was given a value of type {type(function).__name__}; decorate a function (below @staticmethod and @classmethod), and give "
            "options by their names: @client.traced(name=…)."
        )
    signature = inspect.signature(function)
    unknown = [each for each in arguments if each not in signature.parameters]
    if isinstance(arguments, str) or unknown:
        raise InvalidParameterError(
            f"traced(arguments=…) takes a list of names of parameters; {function.__qualname__} has {', '.join(signature.parameters) or 'none'}, and not "
            f"{', '.join(map(repr, unknown)) or repr(arguments)}."
        )

    def read(given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = signature.bind(*given, **named)
        except TypeError:  # the function itself will say so
            return {}
        bound.apply_defaults()
        return {name: bound.arguments[name] for name in arguments}

    return read
