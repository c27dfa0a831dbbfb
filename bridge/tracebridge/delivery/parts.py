"""What an adapter makes of a batch, as parts: one body and the records in it, each with an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracebridge.plugins.adapter import Adapter, Answer, Part, PartsAdapter, Sent
from tracebridge.records.record import SpanRecord


def parts_of(adapter: Adapter, records: Sequence[SpanRecord]) -> list[Part]:
    """Return what `encode` makes of these records.

    Raises what `encode` raises, and TypeError when it returns anything but bytes, or parts that hold every record once.
    """
    made: Any = adapter.encode(records)
    if isinstance(made, bytes):
        return [Part(made, records)]
    if not isinstance(made, Sequence) or not all(
        isinstance(part, Part) and isinstance(part.body, bytes) for part in made
    ):
        raise TypeError(f"encode() returned {type(made).__name__}; it has to return bytes, or a list of Part")
    if sorted(map(id, records)) != sorted(id(record) for part in made for record in part.records):
        raise TypeError("the parts that encode() returned do not hold each of the records once")
    return list(made)


def send_parts(adapter: Adapter, parts: Sequence[Part]) -> Sequence[Answer]:
    """Hand parts over and return an answer for each, in their order: `Sent`, or what was raised for it."""
    if isinstance(adapter, PartsAdapter):
        try:
            answers = list(adapter.send_parts(parts))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # an exporter that exits is to end no worker
            return [error] * len(parts)
        if len(answers) != len(parts) or not all(isinstance(answer, (Sent, Exception)) for answer in answers):
            return [TypeError("send_parts() has to return one Sent or one exception for each part")] * len(parts)
        return answers
    return [_send(adapter, part) for part in parts]


def _send(adapter: Adapter, part: Part) -> Answer:
    try:
        sent: Any = adapter.send(part.body, len(part.records))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return error
    return (
        sent if isinstance(sent, Sent) else TypeError(f"send() returned {type(sent).__name__}; it has to return Sent")
    )
