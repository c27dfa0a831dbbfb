"""What a message holds: its bytes by the format that its topic names, or by the one that they look like."""

from __future__ import annotations

from tracebridge.plugins.format import Decoded, Format
from tracebridge.plugins.receiver import AUTO
from tracebridge.plugins.registry import FORMATS, load

WIRE_FORMATS = ("otlp_json", "zipkin_json", "zipkin_thrift", "zipkin_proto", "otlp_proto")
"""What `auto` asks, in this order: Zipkin's protobuf before OTLP's, because it can tell and OTLP's cannot."""


class UnreadableError(ValueError):
    """A message holds no span that can be read. `kind` is one of few words, by which such messages are counted."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Decoder:
    """Turns values of messages into records."""

    def __init__(self, trace_id_attribute: str) -> None:
        self._attribute = trace_id_attribute
        self._formats: dict[str, Format] = {}

    def decode(self, value: bytes | None, encoding: str) -> Decoded:
        """Return what a value holds. Raises UnreadableError when that is not a span at all."""
        if not value:
            raise UnreadableError("empty", "the message is empty")
        name = self._recognised(value) if encoding == AUTO else encoding
        try:
            decoded = self._format(name).decode(value)
        except ValueError as error:
            raise UnreadableError("unreadable", str(error)) from error
        except (
            Exception
        ) as error:  # a reader that stumbles over hostile bytes must not end the relay, nor stop the partition
            raise UnreadableError("unreadable", f"not {name}: {type(error).__name__}") from error
        if not decoded.records and not decoded.damage:
            raise UnreadableError("no_spans", f"the message is {name} and holds no span")
        return decoded

    def _recognised(self, value: bytes) -> str:
        bare = value.lstrip(b" \t\r")  # not of line feeds: protobuf begins with one
        for name in WIRE_FORMATS:
            if self._format(name).looks_right(bare):
                return name
        raise UnreadableError("unknown", f"none of {', '.join(WIRE_FORMATS)}; it begins with {value[:8].hex(' ')}")

    def _format(self, name: str) -> Format:
        form = self._formats.get(name)
        if form is None:
            form = self._formats[name] = load(FORMATS, name)(self._attribute)
        return form
