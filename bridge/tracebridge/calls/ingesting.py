"""Finished records made elsewhere: what sources and replay hand in, under the rules that our own spans meet at the call."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from tracebridge.calls.common_record import common_bytes, ending_of
from tracebridge.calls.deciding import Deciding
from tracebridge.calls.misuse import log
from tracebridge.calls.repair import repair
from tracebridge.errors import ConfigError
from tracebridge.journal.base import encode_record
from tracebridge.plugins.registry import SOURCES, load
from tracebridge.plugins.source import Intake
from tracebridge.records.entities import read_kind
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord, Value
from tracebridge.records.values import Tally
from tracebridge.spans.span import MAX_NAME
from tracebridge.stages.stage import Encoded

AT_ONCE = 256  # records that are queued under one hold of the lock
_replace = msgspec.structs.replace
_TEXTS = ("name", "span_type", "end_cause", "opened_at", "status_message", "trace_state", "experiment_id")
_OPTIONAL_TEXTS = ("custom_trace_id", "id_scheme", "custom_span_id", "span_id_scheme")


class Described(NamedTuple):
    """A resource and a scope that were handed in, and what is recorded of them."""

    resource: Any
    scope: Any
    our_resource: Resource | None
    our_scope: Scope | None
    repaired: int
    ending: bytes | None
    """How a common record with them ends in the journal (`common_record`); None when something about them was repaired."""


class Ingesting(Deciding):
    """`ingest` and `source`."""

    _described_last = Described(None, None, None, None, 0, b"")

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
        self.ingest_all((record,))

    def ingest_all(self, records: Sequence[SpanRecord]) -> None:
        """Take finished records made elsewhere, in their order, each as `ingest` does; together they cost less."""
        if self._off:
            if self._closed:
                for _ in records:
                    self._refuse_after_close(
                        "ingest_after_close", "a record was ingested after close(); it is not delivered."
                    )
            return
        self._ingest(records)

    def _ingest(self, records: Sequence[SpanRecord]) -> None:
        if self._accounts.is_inside():
            self._accounts.aside(self._ingest, records)
            return
        ready: list[bytes] = []
        for record in records:
            made: Encoded | None = self._thinned(self._ingested(record))
            if isinstance(made, bytes):
                ready.append(made)
                if len(ready) < AT_ONCE:
                    continue
                made = None
            self._queue(ready, made)  # before the next is looked at: what becomes of it may depend on this one
            ready = []
        if ready:
            self._queue(ready, None)
        if self._journal.commits:
            self._journal.commit()
        self._on_first_trace()

    def _queue(self, ready: Sequence[bytes], other: Encoded | None) -> None:
        """Append what is ready to the journal, and see to another one, if there is one, that is not queued."""
        accounts, group = self._accounts, None
        try:
            if not accounts.acquire(False):
                accounts.wait_turn()
            append = self._journal.append
            for data in ready:
                append(data)
                accounts.ingested += 1  # after it: an append may wait for room, and readers look meanwhile
            if other is not None:
                group = self._not_queued(object(), other)
                accounts.ingested += 1
        except BaseException:
            accounts.let_go()
            raise
        accounts.release()
        if other is not None:
            self._after_stages(other, group)

    def _ingested(self, record: SpanRecord) -> Encoded:
        """Return the record as the journal keeps it, or why it is not queued."""
        try:
            data = self._common(record)
            if data is not None:
                return data
            given, record = record, repair(record)
            if record is not given and read_kind(given.kind) is None:
                self._warn(
                    "bad_kind", f"unknown kind of a record: {self._told(given.kind)}; the span is recorded as INTERNAL."
                )
            trace = self._table.traces.get(record.trace_id.hex())
            if trace is not None and record.custom_trace_id is None and trace.custom_id is not None:
                record = _replace(record, custom_trace_id=trace.custom_id)
            record = self._described(record)
            plain = self._plain_attributes(record)
            if plain is not None:
                try:
                    return encode_record(_replace(record, attributes=plain))
                except UnicodeEncodeError:
                    pass
            return self._stages.encode(self._limited(record))
        except Exception:
            self._broken("ingest")
            bare = repair(
                SpanRecord(
                    record.trace_id, record.span_id, record.parent_id, "", record.start_time_ns, record.end_time_ns
                )
            )
            return encode_record(
                _replace(bare, name=self._reducer.show(record.name)[:MAX_NAME], repaired=bare.repaired + 1)
            )

    def _common(self, record: SpanRecord) -> bytes | None:
        """Return the bytes of a record that needs no repair, meets no limit and holds no secret, as nearly all do; None for any other.

        Its attributes are copied before they are looked at, so that another thread cannot change them in between.
        """
        if not self._stages.fast_path or type(record) is not SpanRecord:
            return None
        traces = self._table.traces
        if traces and type(record.trace_id) is bytes and record.trace_id.hex() in traces:
            return None
        ending = self._described_as(record.resource, record.scope).ending
        if ending is None or type(record.attributes) is not dict or len(record.attributes) > self._most_attributes:
            return None
        attributes = self._reducer.fast_attributes(record.attributes)
        return None if attributes is None else common_bytes(record, attributes, ending)

    def _plain_attributes(self, record: SpanRecord) -> dict[str, Value] | None:
        """Return a copy of the attributes of a record that holds nothing else, all within the limits and none of them a secret; else None."""
        if (
            self._stages.fast_path
            and not (record.events or record.links or record.status_message)
            and type(record.tags) is type(record.attributes) is dict
            and not record.tags
            and record.inputs is None
            and record.outputs is None
            and len(record.name) <= MAX_NAME
            and len(record.attributes) <= self._most_attributes
        ):
            return self._reducer.fast_attributes(record.attributes)
        return None

    def _limited(self, record: SpanRecord) -> SpanRecord:
        """Apply the limits that our own spans meet at the call, and reduce every value to what can be recorded."""
        tally, limits, text = Tally(), self._limits, self._reducer.text
        attributes, over = self._within(record.attributes, limits.attribute_count_limit, tally)
        texts = {name: text(getattr(record, name), tally) for name in _TEXTS}
        texts |= {name: text(own, tally) for name in _OPTIONAL_TEXTS if (own := getattr(record, name)) is not None}
        texts |= {name: texts[name][:MAX_NAME] for name in ("name", "span_type")}
        return _replace(
            record,
            **texts,
            attributes=attributes,
            inputs=None if record.inputs is None else self._reducer.payload(record.inputs, tally),
            outputs=None if record.outputs is None else self._reducer.payload(record.outputs, tally),
            events=tuple([self._event(event, tally) for event in record.events[: limits.event_count_limit]]),
            links=tuple([self._link(link, tally) for link in record.links[: limits.link_count_limit]]),
            tags={key: text(value, tally) for key, value in self._reducer.attributes(record.tags, tally).items()},
            dropped_attributes=record.dropped_attributes + over,
            dropped_events=record.dropped_events + max(0, len(record.events) - limits.event_count_limit),
            dropped_links=record.dropped_links + max(0, len(record.links) - limits.link_count_limit),
            truncated=record.truncated + tally.truncated,
            repaired=record.repaired + tally.repaired,
        )

    def _within(self, given: dict[str, Value], most: int, tally: Tally) -> tuple[dict[str, Value], int]:
        """Return recordable attributes, at most so many, and how many there were over that."""
        reduced = self._reducer.attributes(given, tally)
        over = len(reduced) - most
        return (reduced, 0) if over <= 0 else (dict(list(reduced.items())[:most]), over)

    def _event(self, event: Event, tally: Tally) -> Event:
        return Event(
            self._reducer.text(event.name, tally),
            event.time_ns,
            self._reducer.attributes(event.attributes, tally) if event.attributes else {},
            event.dropped_attributes,
        )

    def _link(self, link: Link, tally: Tally) -> Link:
        attributes = self._reducer.attributes(link.attributes, tally) if link.attributes else {}
        return _replace(link, trace_state=self._reducer.text(link.trace_state, tally), attributes=attributes)

    def _described(self, record: SpanRecord) -> SpanRecord:
        """Return the record with copies of its resource and its scope that can be recorded."""
        if record.resource is None and record.scope is None:
            return record
        described = self._described_as(record.resource, record.scope)
        return _replace(
            record,
            resource=described.our_resource,
            scope=described.our_scope,
            repaired=record.repaired + described.repaired,
        )

    def _described_as(self, resource: Any, scope: Any) -> Described:
        """Return what is recorded of a resource and a scope. A source names the same two with every span: what came last is remembered."""
        last = self._described_last
        if last.resource is not resource or last.scope is not scope:
            last = self._described_last = self._describe(resource, scope)
        return last

    def _describe(self, resource: Any, scope: Any) -> Described:
        tally, text, attributes = Tally(), self._reducer.text, self._reducer.attributes
        our_resource = our_scope = None
        if type(resource) is Resource:
            our_resource = Resource(attributes(resource.attributes, tally), text(resource.schema_url, tally))
        if type(scope) is Scope:
            our_scope = Scope(
                text(scope.name, tally),
                text(scope.version, tally),
                attributes(scope.attributes, tally),
                text(scope.schema_url, tally),
            )
        missing = (resource is not None and our_resource is None) + (scope is not None and our_scope is None)
        repaired = tally.repaired + tally.truncated + missing
        ending = None if repaired else ending_of(our_resource, our_scope)
        return Described(resource, scope, our_resource, our_scope, repaired, ending)

    def _reject(self, source: str, reason: str, foreign: Any) -> None:
        """Count what a source could not read as a span, and say the first of its kind.

        What it was is said by its type: its content has passed no redaction. An error is ours, or a library's, and says what is wrong.
        """
        key = f"{source}: {reason}"
        with self._accounts.mutex:
            self._accounts.rejected[key] += 1
            first = self._accounts.rejected[key] == 1
        if first:
            shown = self._reducer.show(foreign) if isinstance(foreign, Exception) else f"a {type(foreign).__name__}"
            log.warning("source %s rejected a span: %s (%s)", source, reason, shown)


def _shown_options(build: Any) -> str:
    """Return the options of a source, for a message."""
    names = list(inspect.signature(build).parameters)[1:]
    return f"the options {', '.join(names)}" if names else "no options"
