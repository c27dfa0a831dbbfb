"""One ID in every form that a tracing system writes it in, and how a text came to be that ID."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from tracebridge.ids.custom import SpanId
from tracebridge.ids.digits import OBJECTID, decimal_text
from tracebridge.ids.headers import datadog_text, span_in, xray_text
from tracebridge.ids.scheme import SPAN_BYTES
from tracebridge.ids.schemes import WireId, derive, find_scheme, takers
from tracebridge.ids.standards import MLFLOW_PREFIX, ulid_text, uuid_text
from tracebridge.process.interrupts import raise_interrupt

SPAN_PLACE = "{span_id}"  # stands in a header for the span that the ID alone does not say


@dataclass(frozen=True, slots=True)
class Explained:
    """What is to be known of one ID."""

    text: str
    wire: str
    """32 lower-case hex digits; 16 of a span ID."""
    scheme: str
    """The scheme that matched."""
    why: str
    """What that scheme takes; empty for a span ID."""
    reversible: bool
    """Whether the text, in its canonical form, can be had back from the bytes."""
    back: str | None
    """That form."""
    also: dict[str, str]
    """The other schemes that take the text, with the digits that each derives."""
    forms: dict[str, str]
    """The ID in every form, by its name."""


def explain(text: str, wire: WireId) -> Explained:
    """Return everything about a text and the wire ID that a client makes of it. Imports every installed scheme."""
    scheme = find_scheme(wire.scheme)
    cut = derive(text, wire.scheme).trace_id != wire.trace_id  # by `max_bits`
    back = None if cut else _written(scheme.back, wire.trace_id)
    also = {name: derived.hex() for name, derived in takers(text).items() if name != wire.scheme}
    return Explained(
        text=text,
        wire=wire.trace_id.hex(),
        scheme=wire.scheme,
        why=scheme.accepts,
        reversible=back is not None,
        back=back,
        also=also,
        forms=forms_of(wire.trace_id, span_in(text, wire.scheme)),
    )


def explain_span(span: SpanId) -> Explained:
    """Return everything about a span ID. Imports every installed scheme."""
    scheme = find_scheme(span.matched)
    back = _written(scheme.back_span, span.wire)
    return Explained(
        text=span.text,
        wire=span.wire_span_id,
        scheme=span.matched,
        why="",  # they speak of trace IDs
        reversible=back is not None,
        back=back,
        also={name: own.hex() for name, own in takers(span.text, SPAN_BYTES).items() if name != span.matched},
        forms=span_forms_of(span.wire),
    )


def _written(back: Callable[[bytes], str | None] | None, wire: bytes) -> str | None:
    try:
        return None if back is None else back(wire)
    except BaseException as error:  # somebody else's scheme
        raise_interrupt(error)
        return None


def forms_of(trace_id: bytes, span_id: str | None = None) -> dict[str, str]:
    """Return an ID, 16 bytes and not zero, in every form that can write it.

    Headers name a span too: `span_id` (16 hex digits), or the place for one.
    """
    digits = trace_id.hex()
    short = digits[16:] if digits.startswith("0" * 16) else digits
    span = SPAN_PLACE if span_id is None else span_id
    decimal_span = SPAN_PLACE if span_id is None else str(int(span_id, 16))
    forms = {
        "hex": digits,
        "hex64": digits[16:],
        "decimal": decimal_text(trace_id),
        "decimal_high": decimal_text(trace_id[:SPAN_BYTES]),
        "decimal_low": decimal_text(trace_id[SPAN_BYTES:]),
        "uuid": uuid_text(trace_id),
        "ulid": ulid_text(trace_id),
        "objectid": OBJECTID.back(trace_id) if OBJECTID.back is not None else None,
        "xray": xray_text(trace_id),
        "datadog": datadog_text(trace_id),
        "mlflow": MLFLOW_PREFIX + digits,
        "traceparent": f"00-{digits}-{span}-01",
        "b3": f"{short}-{span}-1",
        "uber": f"{short.lstrip('0')}:{span}:0:1",
        "gcp": f"{digits}/{decimal_span};o=1",
    }
    return {name: form for name, form in forms.items() if form is not None}


def span_forms_of(span_id: bytes) -> dict[str, str]:
    """Return a span ID, 8 bytes and not zero, in every form: the same digits stand in traceparent, B3, X-Ray and Zipkin."""
    return {
        "hex": span_id.hex(),
        "decimal": str(int.from_bytes(span_id, "big")),  # Datadog, Google Cloud
        "signed": str(int.from_bytes(span_id, "big", signed=True)),  # Jaeger's Thrift, and databases
        "uber": span_id.hex().lstrip("0"),
        "base64": b64encode(span_id).decode(),  # protobuf's JSON, as MLflow answers
    }


FORM_NAMES = tuple(forms_of(bytes(15) + b"\1"))
"""The names of all forms of a trace ID; a long one has no `objectid`."""
SPAN_FORM_NAMES = tuple(span_forms_of(bytes(7) + b"\1"))
