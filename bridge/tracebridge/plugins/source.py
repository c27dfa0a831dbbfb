"""The contract of a source: a foreign tracing library whose spans come in here.

A source enters by an entry point of the group `tracebridge.sources`. The entry names a callable, usually a class; `client.source(name,
**options)` calls it with an `Intake` and the options, and hands what it returns to the application, which hands it to the foreign
library: a reporter, a transport handler, a span processor, whatever that library asks for.

What is returned is called by the foreign library, in the application's own threads, and therefore

- never raises: a span that cannot be read at all is refused with `Intake.reject`, which counts it and says the first of its kind in
  the log;
- does no I/O and has no queue, thread or timer: `ingest` queues the record, delivery does the rest;
- changes no ID, time or name. What is broken in a span is left as it is, or left empty, in the record: `ingest` repairs what no destination
  could take (IDs of zero, a span that is its own parent, times outside 64 bits, values of unknown types) and marks the span
  `tracebridge.repaired`; an end before its start is kept and marked. What only the source can see was wrong it counts in
  the record's own `repaired`.

The foreign library is imported by the source's own module, which is loaded when the source is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from tracebridge.records.record import SpanRecord


class Intake(msgspec.Struct, frozen=True):
    """What the client gives a source."""

    ingest: Callable[[SpanRecord], None]
    """Take one finished record: repairs, limits, redaction, journal. Never raises, safe from any thread."""
    reject: Callable[[str, Any], None]
    """Refuse a foreign span: a reason (one of few, it becomes a key of `stats().rejected`) and the thing itself, whose
    type is logged, or an exception, whose text is: nothing of a span may be shown that has not passed redaction."""
    flush: Callable[[float], bool]
    """Wait at most so many seconds until every destination has what was queued before; return whether all have."""


class Source(Protocol):
    """Builds what the foreign library wants."""

    def __call__(self, intake: Intake, **options: Any) -> Any:
        """Return the object to hand to the foreign library. Raises ConfigError when that library is not installed."""
        ...
