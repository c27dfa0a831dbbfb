"""Schemes of what other tracing systems write into headers: the trace's part of each.

| scheme | where the form is defined |
|---|---|
| `traceparent` | W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header |
| `xray` | AWS X-Ray, https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader |
| `gcp` | Google Cloud, https://cloud.google.com/trace/docs/trace-context#legacy-http-header |
| `uber` | Jaeger, https://www.jaegertracing.io/docs/1.62/client-libraries/#propagation-format |
| `datadog` | Datadog, https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/ |
"""

from __future__ import annotations

import re

from tracebridge.ids.digits import decimal_bytes, decimal_text, hex_bytes
from tracebridge.ids.scheme import NOT_HEX, SPAN_BYTES, TRACE_BYTES, Refused, Scheme, refuse_length

TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.DOTALL)
XRAY = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_GCP = re.compile(r"([^/;]*)(?:/([^;]*))?(?:;o=([0-9]{1,3}))?")
_DATADOG = re.compile(r"([^,; ]*)(?:[,; ] ?_dd\.p\.tid=(.*))?", re.DOTALL)
_NOT_LOWER_HEX = re.compile(r"[^0-9a-f]")
_UBER_PARTS = 4


def is_traceparent(text: str) -> bool:
    """Return whether this is a traceparent: version 00 to the letter, later ones with anything after what 00 has."""
    found = TRACEPARENT.fullmatch(text)
    return found is not None and (found[1] != "00" or found[4] is None)


def _traceparent(text: str) -> bytes:
    if not is_traceparent(text):
        _refuse_parts(
            text.split("-")[:4], {"version": 2, "trace-id": 32, "parent-id": 16, "trace-flags": 2}, _NOT_LOWER_HEX
        )
        raise Refused("version ff is none, and version 00 ends after its four parts")
    return bytes.fromhex(text[3:35])


def _refuse_parts(parts: list[str], wanted: dict[str, int], other: re.Pattern[str]) -> None:
    """Raise Refused at the first part that has not its number of digits."""
    if len(parts) != len(wanted):
        raise Refused(f"it has {len(parts)} parts with dashes between them, not {len(wanted)}: {', '.join(wanted)}")
    for part, (name, digits) in zip(parts, wanted.items(), strict=True):
        if len(part) != digits or other.search(part):
            raise Refused(f"its {name} {part!r} is not {digits} hex digits")


def _xray(text: str) -> bytes:
    if "=" in text:
        fields = dict(field.strip().partition("=")[::2] for field in text.split(";"))
        if "Root" not in fields:
            raise Refused("it has fields as in X-Amzn-Trace-Id, but no Root=")
        text = fields["Root"]
    parts = text.split("-")
    _refuse_parts(parts, {"version": 1, "time": 8, "unique part": 24}, NOT_HEX)
    if parts[0] != "1":
        raise Refused(f"its version is {parts[0]!r}, not 1")
    return bytes.fromhex(parts[1] + parts[2])


def xray_text(trace_id: bytes) -> str:
    """Return 16 bytes as X-Ray's version, time and unique part."""
    digits = trace_id.hex()
    return f"1-{digits[:8]}-{digits[8:]}"


def _gcp(text: str) -> bytes:
    found = _GCP.fullmatch(text)
    if found is None:
        raise Refused("it is not TRACE_ID/SPAN_ID;o=OPTIONS")
    refuse_length(found[1], 2 * TRACE_BYTES)
    if found[2] is not None:
        decimal_bytes(found[2], SPAN_BYTES, 64)
    return hex_bytes(found[1], TRACE_BYTES)


def _uber_parts(text: str) -> list[str]:
    return text.replace("%3A", ":").replace("%3a", ":").split(":")


def _uber(text: str) -> bytes:
    parts = _uber_parts(text)
    if len(parts) not in {1, _UBER_PARTS}:
        raise Refused(f"it has {len(parts)} parts; uber-trace-id has trace:span:parent:flags")
    for part in parts[1:]:
        if NOT_HEX.search(part) or len(part) > 2 * SPAN_BYTES:
            raise Refused(f"its part {part!r} is not at most 16 hex digits")
    return hex_bytes(parts[0], TRACE_BYTES)


def _datadog(text: str) -> bytes:
    found = _DATADOG.fullmatch(text)
    if found is None:
        raise Refused("it is not a decimal number, which ,_dd.p.tid= and 16 hex digits may follow")
    low = decimal_bytes(found[1], SPAN_BYTES, 64)
    if not any(low):
        raise Refused("its lower half is zero, which Datadog takes for no ID at all")
    if found[2] is None:
        return bytes(SPAN_BYTES) + low
    refuse_length(found[2], 2 * SPAN_BYTES)
    return hex_bytes(found[2], SPAN_BYTES) + low


def datadog_text(trace_id: bytes) -> str | None:
    """Return the lower half in decimal, and the upper one, when there is one, as Datadog's tag."""
    if not any(trace_id[8:]):
        return None
    low = decimal_text(trace_id[8:])
    return f"{low},_dd.p.tid={trace_id[:8].hex()}" if any(trace_id[:8]) else low


def span_in(text: str, scheme: str) -> str | None:
    """Return the span, 16 hex digits, that a text of one of these schemes names beside the trace; None where there is none."""
    span = b""
    if scheme == "traceparent":
        span = bytes.fromhex(text[36:52])
    elif scheme == "xray" and (found := re.search(r"Parent=([0-9a-fA-F]{16})\s*(?:;|$)", text)):
        span = bytes.fromhex(found[1])
    elif scheme == "gcp" and "/" in text:
        span = decimal_bytes(text.partition("/")[2].partition(";")[0], SPAN_BYTES, 64)
    elif scheme == "uber" and len(parts := _uber_parts(text)) > 1:
        span = bytes.fromhex(parts[1].zfill(2 * SPAN_BYTES))
    return span.hex() if any(span) else None


W3C = Scheme("a whole traceparent header", derive=_traceparent)
AWS = Scheme("an X-Ray trace ID, 1-8-24 hex digits, or a header with Root=", derive=_xray, back=xray_text)
GOOGLE = Scheme("X-Cloud-Trace-Context: 32 hex digits, /span and ;o=options may follow", derive=_gcp, back=bytes.hex)
UBER = Scheme(
    "uber-trace-id: hex trace:span:parent:flags of any width, or its first part",
    derive=_uber,
    back=lambda trace_id: trace_id.hex().lstrip("0"),
)
DATADOG = Scheme(
    "a decimal number of at most 64 bits, ,_dd.p.tid= and 16 hex digits may follow",
    derive=_datadog,
    back=datadog_text,
    derive_span=lambda text: decimal_bytes(text, SPAN_BYTES, 64),
    back_span=decimal_text,
)
