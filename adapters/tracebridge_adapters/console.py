"""Spans for a person's eyes, as they end: one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import DeliveryOptions, SendingQueue, option

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord

MAX_BATCH_SPANS = 1_000


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions(DeliveryOptions):
    """Options of the `console` adapter."""

    stream: Literal["stdout", "stderr"] = option("stderr", help="Where lines go.")
    color: Literal["auto", "always", "never"] = option("auto", help="Colour; auto means only on a terminal.")
    sending_queue: SendingQueue = option(
        factory=lambda: SendingQueue(flush_interval=0.1), help="How spans are grouped; people wait for these."
    )


class ConsoleAdapter:
    """Prints one line a span."""

    Options: ClassVar[type[ConsoleOptions]] = ConsoleOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: ConsoleOptions, context: Context) -> None:  # noqa: ARG002 - the contract's signature
        from tracebridge_adapters.formats.console_text import encode
        from tracebridge_adapters.wires.stream import StandardStream

        self._encode = encode
        self._wire = StandardStream(options.stream)
        self._color = options.color

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line a record."""
        color = self._color == "always" or (self._color == "auto" and self._wire.is_terminal)
        return self._encode(records, color=color)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Print the lines in one write."""
        self._wire.write(body)
        return Sent()

    def close(self) -> None:
        """Leave the stream to its owner."""
