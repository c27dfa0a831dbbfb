"""What one client makes of IDs: the schemes, the width and the generator that its `trace_ids` settings name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Any

from tracebridge.errors import ConfigError, InvalidParameterError, TracebridgeError, misuse
from tracebridge.ids.custom import SpanId, TraceId
from tracebridge.ids.random_ids import shared_ids
from tracebridge.ids.scheme import SPAN_BYTES
from tracebridge.ids.schemes import AUTO, RANDOM_SCHEME, WireId, derive, find_scheme, shown_id
from tracebridge.ids.wire import is_trace_id
from tracebridge.masking.loggers import logger
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.settings.model import TraceIdSettings

_ZEROS = "0" * 16

_log = logger("tracebridge")


class Identity:
    """Derives, makes and cuts IDs as one client's settings say.

    Raises ConfigError, when it is built, for a scheme or a generator that cannot be used.
    """

    def __init__(self, settings: TraceIdSettings) -> None:
        self._scheme = settings.scheme
        self._span_scheme = settings.span_scheme
        self.joins = settings.on_duplicate == "join"
        self._short = settings.max_bits == 64
        self.hashes = self._scheme == AUTO and not self._short
        """Whether a text of no known form is hashed, whatever is in it."""
        self._cut_told = False
        if self._scheme != AUTO:
            find_scheme(self._scheme)
        if self._span_scheme != AUTO:
            find_scheme(self._span_scheme)
        self.generate: Callable[..., Any] | None = load_function("trace_ids.generate", settings.generate)
        """Called as f(name, attributes) for the ID of a new trace; None for random IDs."""

    def wire(self, given: str | TraceId) -> WireId:
        """Return the wire ID of a caller's own trace ID. Raises InvalidParameterError as `derive` does."""
        wire = WireId(given.wire, given.matched) if type(given) is TraceId else derive(given, self._scheme)  # type: ignore[arg-type]
        return WireId(self.cut(wire.trace_id, wire.scheme), wire.scheme) if self._short else wire

    def meanings(self, given: str | TraceId) -> list[WireId]:
        """Return what may be meant where a trace is addressed, likeliest first: an own ID, else 32 hex digits as they are.

        Empty for text that can be neither.
        """
        found = []
        with suppress(TracebridgeError):
            found.append(self.wire(given))
        if is_trace_id(given) and (not found or found[0].scheme == "hash"):
            found.append(WireId(bytes.fromhex(str(given)), "hex"))
        return found

    def random(self) -> WireId:
        """Return a new wire ID, as long as this client's may be."""
        if self._short:
            return WireId(bytes(SPAN_BYTES) + shared_ids.span_id()[0], RANDOM_SCHEME)
        return WireId(shared_ids.trace_id(), RANDOM_SCHEME)

    def fits(self, trace_id: str) -> bool:
        """Return whether `cut` leaves something of these 32 hex digits."""
        return not self._short or trace_id[16:] != _ZEROS

    def cut(self, trace_id: bytes, scheme: str = "hex") -> bytes:
        """Return a wire ID as this client may send it: with `max_bits: 64` the right-most 16 digits, zeros on the left.

        Zipkin's rule for systems of 64 bits (https://github.com/openzipkin/b3-propagation#traceid-1). Raises
        InvalidParameterError when those digits are zeros.
        """
        if not self._short or not any(trace_id[:SPAN_BYTES]):
            return trace_id
        low = trace_id[SPAN_BYTES:]
        if not any(low):
            raise misuse(
                InvalidParameterError,
                f"trace_id {trace_id.hex()} ends with 16 zeros, and trace_ids.max_bits: 64 sends nothing else of it.",
            )
        if not self._cut_told and scheme != "hash":  # a hash cannot be read back
            self._cut_told = True
            _log.warning(
                "trace_ids.max_bits: 64 cuts trace IDs, the first %s, to their last 16 digits; every process that shares "
                "these traces has to be set to 64",
                trace_id.hex(),
            )
        return bytes(SPAN_BYTES) + low

    def span(self, given: str | SpanId) -> SpanId:
        """Return a caller's own span ID with its 8 bytes. Raises InvalidParameterError as `derive_span` does."""
        return given if type(given) is SpanId else SpanId(given, self._span_scheme)  # type: ignore[arg-type]

    def generated(self, name: Any, attributes: Any) -> str | TraceId | None:
        """Return the generator's ID for a new trace; None without a generator.

        Raises whatever the generator raises, and InvalidParameterError when what it returns can be no ID.
        """
        if self.generate is None:
            return None
        made: str | TraceId = self.generate(name, dict(attributes or {}))
        self.wire(made)
        return made


def load_function(key: str, given: Any) -> Callable[..., Any] | None:
    """Return what a setting names as `pkg.mod:function`, or was given itself. Raises ConfigError when there is none."""
    if given is None or callable(given):
        return given  # type: ignore[no-any-return]
    from importlib import import_module

    module, _, name = str(given).partition(":")
    try:
        found: Any = attrgetter(name)(import_module(module))
    except BaseException as error:
        raise_interrupt(error)
        raise ConfigError(f"{key}: {shown_id(given)} cannot be used: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigError(f"{key}: {shown_id(given)} is not a function: name one as `module:function`")
    return found  # type: ignore[no-any-return]
