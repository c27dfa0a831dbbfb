"""A parent that lives elsewhere: its IDs, what its process decided about the trace, and what travels with it.

The same value is what `extract` reads and what `inject` writes: what one process writes, the next one has as its parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracebridge.errors import InvalidParameterError, TracebridgeError, misuse
from tracebridge.ids.custom import TraceId
from tracebridge.ids.wire import is_span_id, is_trace_id, names_span, span_bytes
from tracebridge.process.interrupts import raise_interrupt

if TYPE_CHECKING:
    from tracebridge.ids.identity import Identity

SAMPLED, RANDOM = 1, 2  # W3C Trace Context level 2, trace-flags
MOST_FLAGS = 0xFF


class DatadogContext(NamedTuple):
    """What Datadog's headers say beside the IDs; it goes on as it came, to services that are sent Datadog's headers."""

    priority: str = ""
    """`x-datadog-sampling-priority`: the decision, and by how large a number it was made."""
    origin: str = ""
    """`x-datadog-origin`: which product of theirs the trace began in, such as `rum`."""
    tags: str = ""
    """The `_dd.p.…` members of `x-datadog-tags`, but for the upper half of the trace ID."""


class RemoteParent(msgspec.Struct, frozen=True, gc=False):
    """The context of a span in another process (or another client).

    A context without `span_id` names no parent: it may still bring a decision (B3's `0`), a trace to join (X-Ray's bare `Root`), the
    caller's own trace ID, or baggage. Raises InvalidParameterError for IDs that no header could carry, when it is used.
    """

    trace_id: str | None = None
    """32 lower-case hex digits, never all zero."""
    span_id: str | None = None
    """16 lower-case hex digits, never all zero."""
    flags: int = SAMPLED
    """W3C trace flags, 8 bits: 1 is sampled, 2 says that the trace ID is random."""
    trace_state: str = ""
    """W3C tracestate, valid, at most 512 characters."""
    correlation_id: str | None = None
    """What the correlation header said, letter for letter: the caller's own ID of the trace, if the trace ID derives from it."""
    parent_id: str | None = None
    """The parent of that span, 16 hex digits; B3 and Jaeger carry it, and no reader needs it."""
    debug: bool = False
    """A real debug request (B3 `d`, Jaeger flag 2), never merely sampled."""
    deferred: bool = False
    """The sender left the sampling decision to us; `flags` say what we decided."""
    baggage: str = ""
    """W3C baggage, as in its header: `key=percent-encoded value;property,…`; `tracebridge.propagation.baggage.decode` reads it."""
    debug_id: str = ""
    """Jaeger's `jaeger-debug-id`: text under which a person will look for the trace that this request starts."""
    format: str = ""
    """The header format that the IDs came in."""
    datadog: DatadogContext | None = None
    """What Datadog's headers said beside the IDs and the decision; None when they said nothing."""

    @property
    def sampled(self) -> bool | None:
        """What the sender decided; None when it left that to us."""
        return None if self.deferred else bool(self.flags & SAMPLED)


def remote_parent(given: Any, ids: Identity) -> RemoteParent:
    """Read a parent from a RemoteParent, a span, or anything with `trace_id` and `span_id` as text.

    Raises InvalidParameterError for anything else.
    """
    try:
        return _read_parent(given, ids)
    except TracebridgeError:
        raise
    except BaseException as error:  # an object that will not even be asked
        raise_interrupt(error)
        raise _no_parent(given) from None


def _read_parent(given: Any, ids: Identity) -> RemoteParent:
    if isinstance(given, RemoteParent):
        named = given.trace_id is not None or given.span_id is not None
        if named and not (is_trace_id(given.trace_id) and (given.span_id is None or is_span_id(given.span_id))):
            raise misuse(
                InvalidParameterError,
                f"parent needs a trace_id of 32 and a span_id of 16 lower-case hex digits, not zero; got {given.trace_id!r} and "
                f"{given.span_id!r}.",
            )
        return _sound(given)
    wire_id: Any = getattr(given, "wire_trace_id", None)
    trace_id: Any = TraceId(wire_id, "hex") if is_trace_id(wire_id) else getattr(given, "trace_id", None)
    span_id: Any = getattr(given, "span_id", None)
    if not issubclass(type(trace_id), (str, TraceId)) or not names_span(span_id):
        raise _no_parent(given)
    origin = getattr(given, "_origin", None)
    here = RemoteParent(ids.wire(trace_id).trace_id.hex(), span_bytes(span_id).hex())
    if isinstance(origin, RemoteParent):
        return msgspec.structs.replace(_sound(origin), trace_id=here.trace_id, span_id=here.span_id)
    return here


def _sound(given: RemoteParent) -> RemoteParent:
    """Return a context whose other fields are what they have to be. Raises InvalidParameterError for one that was made otherwise."""
    texts = type(given.trace_state) is type(given.baggage) is type(given.debug_id) is type(given.format) is str
    if not (
        texts
        and type(given.flags) is int
        and 0 <= given.flags <= MOST_FLAGS
        and type(given.debug) is type(given.deferred) is bool
        and (given.correlation_id is None or type(given.correlation_id) is str)
        and (given.parent_id is None or type(given.parent_id) is str)
    ):
        raise misuse(
            InvalidParameterError,
            "parent is a RemoteParent with fields that no header carries; flags are a number from 0 to 255, debug and deferred are booleans, "
            "the others are text.",
        )
    return given


def ids_of(given: Any) -> tuple[Any, Any]:
    """Return the IDs of a parent as its client addresses it. Raises InvalidParameterError for what has none."""
    try:
        trace_id, span_id = getattr(given, "trace_id", None), getattr(given, "span_id", None)
    except Exception:  # an object that will not even be asked
        raise _no_parent(given) from None
    if trace_id is None or span_id is None:
        raise _no_parent(given)
    return trace_id, span_id


def _no_parent(given: Any) -> TracebridgeError:
    return misuse(
        InvalidParameterError,
        f'parent must be a span, "current", or have trace_id and span_id (16 hex digits); got {type(given).__name__}.',
    )
