"""Context managers and the stack: what otherwise everybody writes by hand around the start and end calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from enum import Enum
from types import TracebackType
from typing import Any

import msgspec

from tracebridge.calls.core import INTERNAL, Core, one_id
from tracebridge.calls.starting import Starting
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.otel.current import CURRENT, enter, leave
from tracebridge.propagation.context import RemoteParent
from tracebridge.records.entities import Link, SpanStatus, SpanStatusCode
from tracebridge.spans.context import Frame, Left, current, current_span
from tracebridge.spans.noop import AnySpan
from tracebridge.spans.place import Place
from tracebridge.spans.span import KEEP_ERROR, Span


class SpanManager(msgspec.Struct, eq=False):
    """Starts a span on entering, makes it current, and ends it on leaving; for `with` and `async with` alike.

    An exception is recorded on the span (status ERROR) and goes on to the caller. Use an instance once. It keeps the call that it is to
    make as a method and its arguments: a function of its own around them costs half a microsecond more.
    """

    _core: Core
    _start: Callable[..., AnySpan]
    _arguments: tuple[Any, ...]
    held: Token[Frame | None] | Left | None = None
    _span: AnySpan | None = None

    def __enter__(self) -> AnySpan:
        return self._enter(sys._getframe(1))

    def begin(self, place: Place) -> AnySpan:
        """Start the span for a caller at `place`."""
        return self._start(place, *self._arguments)

    def _enter(self, frame: Any) -> AnySpan:
        self._span = span = self._start((frame.f_code, frame.f_lasti), *self._arguments)
        if isinstance(span, Span):
            enter(self._core, span, self)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        span = self._span
        if not isinstance(span, Span):
            return
        leave(self)
        if span._cause is not None:
            return  # the application ended it inside the block, or we had to
        if error is not None and not isinstance(error, GeneratorExit):
            span.record_exception(error)
        span.end()

    async def __aenter__(self) -> AnySpan:
        return self._enter(sys._getframe(1))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class Managers(Starting):
    """`client.trace(...)` and `client.span(...)`."""

    def trace(
        self,
        name: str,
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        experiment_id: str | None = None,
        start_time_ns: int | None = None,
        run_id: str | None = None,
        links: Sequence[Link] | None = None,
        *,
        trace_id: str | TraceId | None = None,
        request_id: str | TraceId | None = None,
        parent: Any = None,
        kind: str | int | Enum | None = INTERNAL,
        span_id: str | SpanId | None = None,
    ) -> SpanManager:
        """Return a context manager around `start_trace` and the end of its root; arguments as there."""
        custom_id = one_id(trace_id, request_id)

        arguments = (
            custom_id, parent, name, span_type, inputs, attributes, tags, experiment_id, start_time_ns, run_id, links, kind, span_id
        )  # fmt: skip
        return SpanManager(self, self._begin_trace, arguments)

    def span(
        self,
        name: str,
        trace_id: str | TraceId | None = None,
        parent_id: str | SpanId | None = None,
        span_type: str = "UNKNOWN",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        start_time_ns: int | None = None,
        links: Sequence[Link] | None = None,
        *,
        parent: AnySpan | RemoteParent | str | None = None,
        request_id: str | TraceId | None = None,
        kind: str | int | Enum | None = INTERNAL,
        span_id: str | SpanId | None = None,
    ) -> SpanManager:
        """Return a context manager around a child span.

        The parent is `parent` (a span, or what `extract` returned), else `trace_id` and `parent_id` as in `start_span`, else the current
        span, or the one that was current when the task was started and has ended since; where there is none of these, the span starts a
        trace of its own. `parent="current"` asks OpenTelemetry too: its current span is the parent, in a trace of ours or of its own.
        """
        given_id = one_id(trace_id, request_id)

        arguments = (
            given_id, parent_id, parent, name, span_type, inputs, attributes, start_time_ns, links, kind, span_id
        )  # fmt: skip
        return SpanManager(self, self._begin_span, arguments)

    def _begin_span(
        self,
        place: Place,
        trace_id: Any,
        parent_id: Any,
        parent: Any,
        name: str,
        span_type: str,
        inputs: Any,
        attributes: Any,
        start_time_ns: Any,
        links: Any,
        kind: Any,
        span_id: Any,
    ) -> AnySpan:
        """`span`, for a caller at `place`."""
        if parent is None and trace_id is None:
            here = current_span(self, None)
            if here is None:
                parent = CURRENT
            else:
                trace_id = here._trace  # not its ID: it may have finished, or be finishing
                parent_id = here._span_id if parent_id is None else parent_id
        return self.start_span(
            name, trace_id, parent_id, span_type, inputs, attributes, start_time_ns, links, parent=parent, kind=kind, span_id=span_id, _place=place
        )  # fmt: skip


class Pushed(msgspec.Struct, eq=False):
    """One span on a stack."""

    stack: TraceStack
    held: Token[Frame | None] | Left | None = None


class TraceStack:
    """Push and pop spans like function calls; each thread and asyncio task has its own place on the stack.

    `push` starts a child of the current span (or a trace, when there is none) and makes it current; `pop` ends the newest span
    that this stack pushed in this context.
    """

    def __init__(self, client: Managers) -> None:
        self._client = client

    def push(self, name: str, **arguments: Any) -> AnySpan:
        """Start a span and make it current. Arguments as in `client.span`, or `client.trace` for the first."""
        frame = sys._getframe(1)
        start_trace = current_span(self._client, None) is None and "parent" not in arguments
        make = self._client.trace if start_trace else self._client.span
        span = make(name, **arguments).begin((frame.f_code, frame.f_lasti))
        if isinstance(span, Span):
            enter(self._client, span, Pushed(self))
        return span

    def pop(
        self,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = KEEP_ERROR,
        end_time_ns: int | None = None,
    ) -> Span | None:
        """End the newest span of this stack in this context and return it; None (counted) when there is none."""
        frame = self._top()
        if frame is None:
            self._client._refuse(
                "pop_of_empty_stack", "pop() found no span that this stack pushed in this thread or task."
            )
            return None
        span = frame.span
        leave(frame.owner)
        if span._cause is None:
            span.end(outputs, attributes, status, end_time_ns)
        return span

    @property
    def current(self) -> Span | None:
        """The newest span that this stack pushed in this context."""
        frame = self._top()
        return None if frame is None else frame.span

    def __len__(self) -> int:
        """How many spans of this stack are open in this context."""
        count, frame = 0, current.get()
        while frame is not None:
            count += self._pushed(frame)
            frame = frame.before
        return count

    def _top(self) -> Frame | None:
        frame = current.get()
        while frame is not None and not self._pushed(frame):
            frame = frame.before
        return frame

    def _pushed(self, frame: Frame) -> bool:
        return isinstance(frame.owner, Pushed) and frame.owner.stack is self
