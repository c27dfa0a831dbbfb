"""`client.inject` and `client.extract`: a span's context into the headers of a request, and out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, overload

import msgspec

from tracebridge.calls.core import Core
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.propagation import baggage as baggage_header
from tracebridge.propagation import tracestate
from tracebridge.propagation.carriers import Getter, Setter
from tracebridge.propagation.context import RemoteParent, remote_parent
from tracebridge.records.values import Tally
from tracebridge.spans.context import current_span
from tracebridge.spans.live import context_of
from tracebridge.spans.noop import NoopSpan
from tracebridge.spans.span import Span

Carrier = TypeVar("Carrier")


class Propagating(Core):
    """Between processes."""

    @overload
    def inject(
        self,
        span: Any,
        carrier: dict[str, str],
        *,
        baggage: Mapping[str, str] | None = None,
        trace_state: Mapping[str, str] | None = None,
        setter: None = None,
    ) -> dict[str, str]: ...  # so that `inject(span, {})` is known to be headers

    @overload
    def inject(
        self,
        span: Any,
        carrier: Carrier,
        *,
        baggage: Mapping[str, str] | None = None,
        trace_state: Mapping[str, str] | None = None,
        setter: Setter | None = None,
    ) -> Carrier: ...

    def inject(
        self,
        span: Any,
        carrier: Carrier,
        *,
        baggage: Mapping[str, str] | None = None,
        trace_state: Mapping[str, str] | None = None,
        setter: Setter | None = None,
    ) -> Carrier:
        """Write a span's context into the headers of a request, in every format of `propagation.inject`, and return the carrier.

        `span` is a span of this client, None for the current one, or what `extract` returned (to pass it on untouched). `carrier` is a dict
        or any mutable mapping, a list of pairs of text or bytes, or an `Environment`; `setter` writes into anything else. Headers of the
        formats written that the carrier has already are replaced. `baggage` is sent along on this request, beside what came with the
        trace; `trace_state` members stand in front of those that came (an empty value removes one).

        Without a span nothing is written. Raises TypeError for a carrier that cannot be written to, InvalidParameterError for a `span` of
        another type.
        """
        if span is None:
            span = current_span(self, None)
        if span.__class__ is Span or isinstance(span, Span):
            if span._origin is None:  # as `context_of` has it, without a call that costs a tenth of the whole
                trace = span._trace
                context = RemoteParent(
                    trace.outgoing_id, span._span_id, trace.flags, "", trace.custom_id, span._parent_id
                )
            else:
                context = context_of(span)
        else:
            if span is None or isinstance(span, NoopSpan):
                return carrier
            context = remote_parent(span, self._ids)
            if context.span_id is None:
                return carrier
        if baggage or trace_state:
            context = msgspec.structs.replace(
                context,
                baggage=baggage_header.put(context.baggage, self._texts(baggage)),
                trace_state=tracestate.put(context.trace_state, self._texts(trace_state)),
            )
        if carrier.__class__ is dict and not carrier and setter is None:
            fresh: Any = carrier  # nothing in it to be replaced
            for write in self._propagator.writes:
                write(context, fresh)
            if context.baggage or context.correlation_id:
                self._propagator.write_companions(context, fresh)
        else:
            self._propagator.inject(context, carrier, setter)
        return carrier

    def extract(self, carrier: Any, *, getter: Getter | None = None) -> RemoteParent | None:
        """Return the context that a request's headers carry, for `start_trace(parent=…)`; None when they carry none.

        The formats of `propagation.extract` are tried in their order; the first that names a parent span wins. `carrier` is a mapping, a
        list of pairs of text or bytes, a WSGI environ or `os.environ`; `getter` reads pairs from anything else. Never raises: what is
        malformed is ignored, and a carrier that cannot be read is counted.
        """
        propagator = self._propagator
        try:
            if carrier.__class__ is dict and getter is None:
                try:
                    # With names as we spell them, a dict can be read as it is, in half the time; one name is tried without looking.
                    if len(carrier) == 1 or "".join(carrier).islower():
                        found = propagator.read(carrier)
                        if found is not None or len(carrier) > 1:
                            return found
                except (TypeError, AttributeError):  # names or values that are not text
                    pass
            return propagator.extract(carrier, getter)
        except BaseException as error:
            raise_interrupt(error)
            self._warn(
                "unreadable_carrier", f"headers cannot be read from a {type(carrier).__name__}: {type(error).__name__}"
            )
            return None

    def _texts(self, given: Mapping[Any, Any] | None) -> dict[str, str]:
        """Return keys and values as text, whatever they are."""
        text, tally = self._reducer.text, Tally()
        return {text(key, tally): text(value, tally) for key, value in (given or {}).items()}
