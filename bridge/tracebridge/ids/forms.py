"""One trace ID in every form that a tracing system writes it in, and how a text came to be that ID."""

from __future__ import annotations

from dataclasses import dataclass

from tracebridge.ids.digits import OBJECTID, decimal_text
from tracebridge.ids.headers import datadog_text, span_in, xray_text
from tracebridge.ids.scheme import SPAN_BYTES, Scheme
from tracebridge.ids.schemes import WireId, derive, find_scheme, takers
from tracebridge.ids.standards import MLFLOW_PREFIX, ulid_text, uuid_text

SPAN_PLACE = "{span_id}"  # stands in a header for the span that the ID alone does not say


@dataclass(frozen=True, slots=True)
class Explained:
    """What is to be known of one ID."""

    text: str
    trace_id: str
    """32 lower-case hex digits."""
    scheme: str
    """The scheme that matched."""
    why: str
    """What that scheme takes."""
    reversible: bool
    """Whether the text, in its canonical form, can be had back from the bytes."""
    back: str | None
    """That form."""
    also: dict[str, str]
    """The other schemes that take the text, with the 32 digits that each derives."""
    forms: dict[str, str]
    """The ID in every form, by its name."""


def explain(text: str, wire: WireId) -> Explained:
    """Return everything about a text and the wire ID that a client makes of it. Imports every installed scheme."""
    scheme = find_scheme(wire.scheme)
    cut = derive(text, wire.scheme).trace_id != wire.trace_id  # by `max_bits`
    back = None if cut else _back(scheme, wire.trace_id)
    also = {name: derived.hex() for name, derived in takers(text).items() if name != wire.scheme}
    return Explained(
        text=text,
        trace_id=wire.trace_id.hex(),
        scheme=wire.scheme,
        why=scheme.accepts,
        reversible=back is not None,
        back=back,
        also=also,
        forms=forms_of(wire.trace_id, span_in(text, wire.scheme)),
    )


def _back(scheme: Scheme, trace_id: bytes) -> str | None:
    try:
        return None if scheme.back is None else scheme.back(trace_id)
    except Exception:  # somebody else's scheme
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


FORM_NAMES = tuple(forms_of(bytes(15) + b"\1"))
"""The names of all forms; a long ID has no `objectid`."""
