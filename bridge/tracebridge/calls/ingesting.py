"""Finished records made elsewhere: what sources and replay hand in, under the rules that our own spans meet at the call."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import msgspec

from tracebridge.calls.core import log
from tracebridge.calls.recording import Recording
from tracebridge.calls.repair import mended
from tracebridge.errors import ConfigError
from tracebridge.journal.base import encode_record
from tracebridge.plugins.registry import SOURCES, load
from tracebridge.plugins.source import Intake
from tracebridge.records.record import Event, Link, SpanRecord, Value
from tracebridge.records.values import Tally
from tracebridge.spans.span import MAX_NAME

_replace = msgspec.structs.replace
_UNWRITABLE = (TypeError, UnicodeEncodeError)  # what msgspec raises for values that no record holds


class Ingesting(Recording):
    """`ingest` and `source`."""

    def source(self, name: str, /, **options: Any) -> Any:
        """Return what a foreign tracing library wants in order to send its spans through this client.

        `jaeger-client` gives a reporter, `py_zipkin` a transport handler, `opentelemetry` a span processor that is an exporter too; other
        packages add more by the entry-point group `tracebridge.sources`. Raises ConfigError for an unknown name, an option that
        the source does not have, and a library that is not installed.
        """
        build = load(SOURCES, name)
        intake = Intake(self.ingest, partial(self._reject, name), self.flush)
        try:
            inspect.signature(build).bind(intake, **options)
        except TypeError as error:
            raise ConfigError(f'source "{name}": {error}; it takes {_shown_options(build)}') from None
        return build(intake, **options)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait for what was queued (`Client.flush`)."""
        raise NotImplementedError

    def ingest(self, record: SpanRecord) -> None:
        """Take a finished record made elsewhere (a source, a replay): repairs, limits, stages, journal, as for our own spans.

        Never raises because of the record. Without a `resource` of its own it gets this client's; as part of a trace that is open here
        it gets that trace's custom ID.
        """
        if self._off:
            self.accounts.note_misuse("ingest_after_close")
            return
        if self.accounts.is_inside():
            self.accounts.aside(self.ingest, record)
            return
        data = self._ingested(record)
        accounts = self.accounts
        if not accounts.acquire(False):
            accounts.wait_turn()
        try:
            if data is None:
                self._sampled_out()
            else:
                self._journal.append(data)
            accounts.ingested += 1  # after it: an append may wait for room, and readers look meanwhile
        finally:
            accounts.release()
        if self._journal.commits:
            self._journal.commit()
        self._on_first_trace()

    def _ingested(self, record: SpanRecord) -> bytes | None:
        """Return the record as the journal keeps it; None when a stage dropped it."""
        try:
            record = mended(record)
            trace = self._table.traces.get(record.trace_id.hex())
            if trace is not None and record.custom_trace_id is None and trace.custom_id is not None:
                record = _replace(record, custom_trace_id=trace.custom_id)
            try:
                return encode_record(record) if self._is_plain(record) else self._stages.encode(self._limited(record))
            except _UNWRITABLE:  # what stands outside the limits is odd: a resource, a lone surrogate
                return self._stages.encode(self._limited(self._described(record)))
        except Exception:
            self._broken("ingest")
            bare = mended(
                SpanRecord(
                    record.trace_id, record.span_id, record.parent_id, "", record.start_time_ns, record.end_time_ns
                )
            )
            return encode_record(
                _replace(bare, name=self.reducer.show(record.name)[:MAX_NAME], repaired=bare.repaired + 1)
            )

    def _is_plain(self, record: SpanRecord) -> bool:
        """Whether the record holds nothing but attributes, all within the limits and none of them a secret."""
        return (
            self._stages.harmless_pass
            and not (record.events or record.links or record.status_message or record.tags)
            and record.inputs is None
            and record.outputs is None
            and len(record.name) <= MAX_NAME
            and len(record.attributes) <= self._most_attributes
            and self.reducer.plain(record.attributes) is not None
        )

    def _limited(self, record: SpanRecord) -> SpanRecord:
        """Apply the limits that our own spans meet at the call, and reduce every value to what can be recorded."""
        tally, limits, text = Tally(), self.limits, self.reducer.text
        attributes, over = self._within(record.attributes, limits.attribute_count_limit, tally)
        return _replace(
            record,
            name=text(record.name, tally)[:MAX_NAME],
            status_message=text(record.status_message, tally),
            trace_state=text(record.trace_state, tally),
            attributes=attributes,
            inputs=None if record.inputs is None else self.reducer.payload(record.inputs, tally),
            outputs=None if record.outputs is None else self.reducer.payload(record.outputs, tally),
            events=tuple([self._event(event, tally) for event in record.events[: limits.event_count_limit]]),
            links=tuple([self._link(link, tally) for link in record.links[: limits.link_count_limit]]),
            tags=self.reducer.attributes(record.tags, tally),
            dropped_attributes=record.dropped_attributes + over,
            dropped_events=record.dropped_events + max(0, len(record.events) - limits.event_count_limit),
            dropped_links=record.dropped_links + max(0, len(record.links) - limits.link_count_limit),
            truncated=record.truncated + tally.truncated,
            repaired=record.repaired + tally.repaired,
        )

    def _within(self, given: dict[str, Value], most: int, tally: Tally) -> tuple[dict[str, Value], int]:
        """Return recordable attributes, at most so many, and how many there were over that."""
        reduced = self.reducer.attributes(given, tally)
        over = len(reduced) - most
        return (reduced, 0) if over <= 0 else (dict(list(reduced.items())[:most]), over)

    def _event(self, event: Event, tally: Tally) -> Event:
        return Event(
            self.reducer.text(event.name, tally),
            event.time_ns,
            self.reducer.attributes(event.attributes, tally) if event.attributes else {},
            event.dropped_attributes,
        )

    def _link(self, link: Link, tally: Tally) -> Link:
        return _replace(link, attributes=self.reducer.attributes(link.attributes, tally)) if link.attributes else link

    def _described(self, record: SpanRecord) -> SpanRecord:
        """Return the record with a resource and a scope that can be recorded; no limit is meant for either."""
        tally, attributes = Tally(), self.reducer.attributes
        resource, scope = record.resource, record.scope
        if resource is not None:
            resource = _replace(resource, attributes=attributes(resource.attributes, tally))
        if scope is not None:
            scope = _replace(scope, attributes=attributes(scope.attributes, tally))
        return _replace(record, resource=resource, scope=scope, repaired=record.repaired + tally.repaired)

    def _reject(self, source: str, reason: str, foreign: Any) -> None:
        """Count what a source could not read as a span, and say the first of its kind.

        What it was is said by its type: its content has passed no redaction. An error is ours, or a library's, and says what is wrong.
        """
        key = f"{source}: {reason}"
        with self.accounts.mutex:
            self.accounts.rejected[key] += 1
            first = self.accounts.rejected[key] == 1
        if first:
            shown = self.reducer.show(foreign) if isinstance(foreign, Exception) else f"a {type(foreign).__name__}"
            log.warning("source %s rejected a span: %s (%s)", source, reason, shown)


def _shown_options(build: Any) -> str:
    """Return the options of a source, for a message."""
    names = list(inspect.signature(build).parameters)[1:]
    return f"the options {', '.join(names)}" if names else "no options"
