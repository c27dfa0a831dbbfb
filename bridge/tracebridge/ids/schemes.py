"""From the caller's own ID to the bytes that every back-end accepts, by a scheme's name.

`auto` is a choice between the schemes: a text of a form that can be no other is of that scheme, and
anything else is hashed. `12345678` could be hex and decimal; it is hashed, unless a scheme is named.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from tracebridge.errors import ConfigError, InvalidParameterError, TracebridgeError, misuse
from tracebridge.ids.digits import HEX
from tracebridge.ids.headers import AWS, W3C, XRAY, is_traceparent
from tracebridge.ids.scheme import SPAN_BYTES, TRACE_BYTES, Refused, Scheme
from tracebridge.ids.standards import HASH, MLFLOW, UUID, UUID_DASHED
from tracebridge.plugins import registry
from tracebridge.process.interrupts import raise_interrupt

MAX_CUSTOM_ID = 512  # characters
RANDOM_SCHEME = "random"  # what `WireId.scheme` says of an ID that we made
AUTO = registry.AUTO_SCHEME
_SHOWN = 80  # characters of an ID that a message repeats

_AUTO_SCHEMES = {"hash": HASH, "hex": HEX, "mlflow": MLFLOW, "traceparent": W3C, "uuid": UUID, "xray": AWS}
_HEX_32 = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{16}")
_TR_HEX = re.compile(r"tr-[0-9a-fA-F]{32}")
_BY_LENGTH = {
    16: (("hex", _HEX_32),),
    32: (("hex", _HEX_32),),
    35: (("mlflow", _TR_HEX), ("xray", XRAY)),
    36: (("uuid", UUID_DASHED),),
}
_SHORTEST_TRACEPARENT = 55


class WireId(NamedTuple):
    """A derived trace ID and how it came about."""

    trace_id: bytes
    """16 bytes, never zero."""
    scheme: str
    """The scheme that matched: for `auto` the form it recognised, such as `uuid`."""


@functools.lru_cache(maxsize=256)
def find_scheme(name: str) -> Scheme:
    """Import and return an installed scheme.

    Raises ConfigError for a name that is not known, a module that cannot be imported, and anything but a Scheme.
    """
    found = registry.load(registry.ID_SCHEMES, name)
    if not isinstance(found, Scheme):
        where = registry.entries(registry.ID_SCHEMES)[name].value
        raise ConfigError(
            f'ID scheme "{name}" ({where}) is not a tracebridge.ids.scheme.Scheme: make its entry point name an instance of that class'
        )
    return found


def recognise(text: str) -> str:
    """Return the scheme that `auto` takes for a trace ID.

    >>> recognise("4bf92f3577b34da6a3ce929d0e0e4736"), recognise("1-5759e988-bd862e3fe1be46a994272793"), recognise("42")
    ('hex', 'xray', 'hash')
    """
    for name, form in _BY_LENGTH.get(len(text), ()):
        if form.fullmatch(text):
            return name
    return "traceparent" if len(text) >= _SHORTEST_TRACEPARENT and is_traceparent(text) else "hash"


def derive(text: str, scheme: str = AUTO) -> WireId:
    """Return the wire ID of a custom trace ID.

    Raises InvalidParameterError for text that is empty, longer than 512 characters or not of the scheme's form, for one
    whose wire ID would be zero, and for a scheme that is not installed.

    >>> derive("4bf92f3577b34da6a3ce929d0e0e4736").scheme
    'hex'
    >>> derive("user123_report").trace_id.hex()
    '140dc898d36b37c2f0aeb513b7ab908e'
    """
    text = _checked(text, "trace_id")
    if scheme == AUTO:
        scheme = recognise(text)
    return WireId(_bytes(text, scheme, "trace_id", TRACE_BYTES), scheme)


def derive_span(text: str, scheme: str = AUTO) -> tuple[bytes, str]:
    """Return 8 bytes for a caller's own span ID, and the scheme: `auto` takes 16 hex digits as they are and hashes the rest.

    Raises InvalidParameterError as `derive` does, and for a scheme that knows trace IDs only.

    >>> derive_span("00f067aa0ba902b7")[0].hex(), derive_span("row-17")[1]
    ('00f067aa0ba902b7', 'hash')
    """
    text = _checked(text, "span_id")
    if scheme == AUTO:
        scheme = "hex" if len(text) == 2 * SPAN_BYTES and _HEX_32.fullmatch(text) else "hash"
    return _bytes(text, scheme, "span_id", SPAN_BYTES), scheme


def takers(text: str, size: int = TRACE_BYTES) -> dict[str, bytes]:
    """Return every installed scheme that takes a text, with the bytes it derives; `hash`, which takes all, last."""
    found: dict[str, bytes] = {}
    for name in sorted(registry.entries(registry.ID_SCHEMES), key=lambda name: (name == "hash", name)):
        try:
            found[name] = _derived(text, name, size)
        except (Refused, TracebridgeError):
            continue
    return found


def _checked(text: Any, what: str) -> str:
    if not issubclass(type(text), str) or not text or len(text) > MAX_CUSTOM_ID:
        shown = f"{len(text)} characters" if isinstance(text, str) else type(text).__name__
        raise misuse(
            InvalidParameterError,
            f"{what} must be a non-empty string of at most {MAX_CUSTOM_ID} characters, got {shown}.",
        )
    return str.__str__(text)


def _bytes(text: str, scheme: str, what: str, size: int) -> bytes:
    try:
        return _derived(text, scheme, size)
    except Refused as wrong:
        names = ", ".join(takers(text, size))
        advice = f"; these schemes would take it: {names}." if names else "."
        raise misuse(
            InvalidParameterError, f"{what} {shown_id(text)} is not an ID of scheme {scheme}: {wrong}{advice}"
        ) from None
    except ConfigError as error:
        raise misuse(InvalidParameterError, f"{what} {shown_id(text)}: {error}") from None


def _derived(text: str, scheme: str, size: int) -> bytes:
    """Return `size` bytes, not zero. Raises Refused, and ConfigError for a scheme that is not there or not right."""
    found = _AUTO_SCHEMES.get(scheme) or find_scheme(scheme)
    way = found.derive if size == TRACE_BYTES else found.derive_span
    if way is None:
        raise Refused("it makes trace IDs only")
    try:
        derived = way(text)
    except Refused:
        raise
    except BaseException as error:  # somebody else's scheme; ours raise nothing else
        raise_interrupt(error)
        raise ConfigError(f"scheme {scheme} failed with {type(error).__name__}: {error}") from error
    if type(derived) is not bytes or len(derived) != size:
        raise ConfigError(f"scheme {scheme} must return {size} bytes")
    if not any(derived):
        raise Refused("it is all zeros, which no tracing system accepts")
    return derived


def shown_id(text: str) -> str:
    """Return an ID as a message repeats it: quoted, and cut when it is long."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
