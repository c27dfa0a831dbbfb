"""What happens to a finished record before it is journalled: plain callables `SpanRecord -> SpanRecord | None`.

Stages run in the caller's thread, because nothing unredacted may ever reach the journal. Returning None drops the record
(sampling). Limits are not a stage for our own spans: they act at the call (`values.py`, `span.py`), because a span
that is still open must be bounded too; for records made elsewhere they act in `Client.ingest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracebridge.record import SpanRecord

Stage = Callable[[SpanRecord], SpanRecord | None]


def run_stages(stages: Sequence[Stage], record: SpanRecord) -> SpanRecord | None:
    """Pass a record through the stages in order; None as soon as one drops it."""
    for stage in stages:
        kept = stage(record)
        if kept is None:
            return None
        record = kept
    return record
