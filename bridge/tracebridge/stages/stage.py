"""What happens to a finished record before it is journalled: plain callables `SpanRecord -> SpanRecord | None`.

Stages run in the caller's thread, because nothing unredacted may ever reach the journal. Returning None drops the record
(sampling). Limits are no stage: they act at the call (`values.py`, `span.py`) and at `Client.ingest`, because a span
that is still open must be bounded too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracebridge.journal.base import encode_record
from tracebridge.records.record import SpanRecord

Stage = Callable[[SpanRecord], SpanRecord | None]


class Stages:
    """The stages of one client, in order, and the encoding that follows them.

    `only_default_redaction` says that the only stage is a redaction without patterns of the user's own. A span that the reducer
    found harmless as it was filled (`Reducer.plain`) then needs no stage: `harmless_pass` is True, and the caller may go
    straight to the journal.
    """

    def __init__(self, stages: Sequence[Stage], *, only_default_redaction: bool) -> None:
        self._stages = stages
        self.harmless_pass = only_default_redaction

    def encode(self, record: SpanRecord) -> bytes | None:
        """Return the record as the journal keeps it, or None when a stage dropped it.

        Raises UnicodeEncodeError for text that UTF-8 cannot carry, which the caller mends.
        """
        kept = self.apply(record)
        return None if kept is None else encode_record(kept)

    def apply(self, record: SpanRecord) -> SpanRecord | None:
        """Return what the stages leave of a record, or None when one dropped it."""
        for stage in self._stages:
            kept = stage(record)
            if kept is None:
                return None
            record = kept
        return record
