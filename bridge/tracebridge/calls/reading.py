"""Reading traces back, and changing what is stored, through an adapter that can be read: one that can be edited, else the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tracebridge.calls.core import one_id
from tracebridge.calls.sharing import Sharing
from tracebridge.errors import (
    DeliveryError,
    InvalidParameterError,
    NoReaderError,
    ReadError,
    TraceNotFoundError,
    misuse,
)
from tracebridge.ids.custom import TraceId
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT, RUN_TAG, TraceEditor, TraceReader, reader_of
from tracebridge.reading.filters import build_query
from tracebridge.reading.finished import FinishedSpan
from tracebridge.reading.search import DEFAULT_MAX_RESULTS, Condition, Order, Query
from tracebridge.reading.trace import PagedList, Trace, trace_of
from tracebridge.records.record import Kind, SpanRecord, carried
from tracebridge.records.values import Tally
from tracebridge.spans.live import LiveTrace
from tracebridge.spans.noop import NOOP_TRACE_ID

_log = logger("tracebridge")

READ_WAIT_S = 10.0  # longest wait for the reader's own destination to have what was queued before the call


def _listed(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return a list of IDs. Raises InvalidParameterError for a text, as MLflow does: each of its letters would be one."""
    if isinstance(given, str):
        raise misuse(InvalidParameterError, f"give a list of experiment IDs, such as [{given!r}], not a text.")
    return tuple(given or ())


def _is_open(record: SpanRecord, open_spans: Mapping[str, Any]) -> bool:
    """Return whether a record is what is there already of a span that is open, and not the other half of its call."""
    span = open_spans.get(record.span_id.hex())
    return span is not None and (record.shared or record.kind == Kind.SERVER) == (span.kind == Kind.SERVER)


def _is_within(trace: Sequence[SpanRecord], experiment_id: str | None) -> bool:
    """Return whether a trace is there, and in an experiment where one is given."""
    return bool(trace) and experiment_id in {None, trace[0].experiment_id or DEFAULT_EXPERIMENT}


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what an adapter says of a failing destination into an error of the call."""
    try:
        yield
    except DeliveryError as error:
        raise misuse(ReadError, str(error)) from None  # what is behind it has words of the server, uncleaned


class Reading(Sharing):
    """The calls that read: live spans first, then the destination. Each raises ReadError when that does not answer."""

    def get_trace(
        self,
        trace_id: str | TraceId | None = None,
        display: bool = True,
        flush: bool = False,
        *,
        request_id: str | TraceId | None = None,
    ) -> Trace:
        """Return a trace by the caller's own ID or the wire ID; spans that are still open are in it.

        `display` and `flush` are MLflow's and change nothing here. Waits, for a bounded time, until the readable
        destination has what was queued before. Raises TraceNotFoundError, or NoReaderError when no configured adapter
        can be read back and the trace is not open here.
        """
        key = one_id(trace_id, request_id)
        live = self._find(key)
        spans: list[Any] = []  # the two halves of a call may share an ID, as Zipkin's do
        open_spans = {} if live is None else live.spans.copy()
        if self._exchange is not None:
            elsewhere = next((found for wire in self._wires(key) if (found := self._open_elsewhere(wire))), [])
            open_spans = {record.span_id.hex(): self._handle(record) for record in elsewhere} | open_spans
        reader = self._reader(required=not open_spans)
        if reader is not None:
            name, adapter = reader
            self._wait_for(name)
            try:
                with _answering():
                    records = self._read(adapter, "" if key is None else key, live)
                spans = [FinishedSpan(record) for record in records if not _is_open(record, open_spans)]
            except ReadError as error:
                if not open_spans:
                    raise
                _log.warning("%s; only the open spans of the trace are told", error)
        spans += open_spans.values()
        if not spans:
            raise misuse(TraceNotFoundError, f"Trace with ID {self._reducer.show(key)} not found.")
        return trace_of(spans, live.tags if live is not None else None)

    @_answering()
    def search_traces(
        self,
        experiment_ids: Sequence[str] | None = None,
        filter_string: str | None = None,
        max_results: int = DEFAULT_MAX_RESULTS,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
        run_id: str | None = None,
        include_spans: bool = True,
        model_id: str | None = None,
        locations: Sequence[str] | None = None,
        flush: bool = False,
    ) -> PagedList:
        """Return finished traces, newest first, as a list with `.token` for the next page.

        `filter_string` takes the subset in `tracebridge.reading.filters`. `experiment_ids` or `locations` (experiment IDs as well) name the experiments
        to look in; a trace that was started without one is in "0". `run_id` is what `start_trace` was given. `flush` changes nothing here.
        Raises InvalidParameterError for a filter outside the subset and for `model_id`, which only MLflow's own client records; NoReaderError
        when no configured adapter can be read back.
        """
        if model_id is not None:
            raise misuse(
                InvalidParameterError,
                "search_traces takes experiment_ids or locations, filter_string, max_results, order_by, page_token, run_id and include_spans; "
                "no model is recorded with a trace (model_id): tag the trace and search by tags.KEY.",
            )
        query = build_query(filter_string, max_results, order_by, page_token)
        if run_id is not None:
            query = query.narrowed(Condition("tag", "=", str(run_id), RUN_TAG))
        experiments = tuple(dict.fromkeys(str(each) for each in _listed(experiment_ids) + _listed(locations)))
        if experiments:
            query = query.narrowed(Condition("experiment_id", "IN", experiments))
        name, adapter = self._need_reader()
        self._wait_for(name)
        page = adapter.search(query)
        traces = [trace_of([FinishedSpan(record) for record in spans], None, include_spans) for spans in page.traces]
        return PagedList(traces, page.token)

    @_answering()
    def set_trace_tag(
        self,
        trace_id: str | TraceId | None = None,
        key: str = "",
        value: Any = None,
        *,
        request_id: str | TraceId | None = None,
    ) -> None:
        """Set a tag: on an open trace for every destination, on a finished one in the store.

        Counted and otherwise ignored where the caller cannot know better: for a no-op span's trace, and for one that tracebridge
        closed itself when no adapter can be changed. So is a tag beyond `limits.attribute_count_limit` of an open trace.

        Raises TraceNotFoundError, or NoReaderError when no configured adapter can be changed.
        """
        wanted = one_id(trace_id, request_id)
        key, text = self._reducer.text(key, Tally()), self._reducer.text(value, Tally())
        live = self._find(wanted)
        if live is not None and (root := live.root) is not None:
            if key not in live.tags and len(live.tags) >= self._limits.attribute_count_limit:
                self._warn(
                    "tag_over_limit",
                    f"a trace has {len(live.tags)} tags already, limits.attribute_count_limit; another is not kept",
                )
                return
            live.tags = {**live.tags, key: text}
            if self._keeps_open:
                self._note(root, tags={key: text})
            return
        if (shared := self._shared_root(wanted)) is not None:
            self._change_shared(shared, tags={key: text})
            return
        if self._is_beyond(wanted):
            return
        editor, wire = self._editable(wanted)
        masked = self._stages.redact(SpanRecord(wire, bytes(8), None, "", 0, 0, tags={key: text}))
        for name, shown in masked.tags.items():
            if not editor.set_tag(wire, name, shown):
                raise misuse(TraceNotFoundError, f"Trace with ID {self._reducer.show(wanted)} not found.")

    @_answering()
    def delete_trace_tag(
        self, trace_id: str | TraceId | None = None, key: str = "", *, request_id: str | TraceId | None = None
    ) -> None:
        """Delete a tag from an open trace, or from the store; ignored where `set_trace_tag` is.

        Raises TraceNotFoundError for an unknown trace or tag, NoReaderError when no configured adapter can be changed.
        """
        wanted, key = one_id(trace_id, request_id), self._reducer.text(key, Tally())
        live = self._find(wanted)
        if live is not None and live.roots:
            if key not in live.tags:
                raise misuse(
                    TraceNotFoundError, f"No tag with name: {key} in trace with ID {self._reducer.show(wanted)}."
                )
            live.tags = {name: value for name, value in live.tags.items() if name != key}
            return
        if self._is_beyond(wanted):
            return
        editor, wire = self._editable(wanted)
        if not editor.delete_tag(wire, key):
            raise misuse(TraceNotFoundError, f"No tag with name: {key} in trace with ID {self._reducer.show(wanted)}.")

    @_answering()
    def delete_traces(
        self,
        experiment_id: str | None = None,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: Sequence[str | TraceId] | None = None,
        *,
        request_ids: Sequence[str | TraceId] | None = None,
    ) -> int:
        """Delete finished traces from the store, by ID or up to a start time (Unix ms); return how many there were.

        Exactly one of `trace_ids` (or `request_ids`) and `max_timestamp_millis` must be given, else
        InvalidParameterError. `max_traces` bounds a deletion by time, oldest first. Traces of another experiment than `experiment_id`, where one
        is given, stay.
        """
        ids = trace_ids if trace_ids is not None else request_ids
        if (ids is None) == (max_timestamp_millis is None):
            raise misuse(
                InvalidParameterError, "Either `max_timestamp_millis` or `trace_ids` must be specified, not both."
            )
        if ids is not None and max_traces is not None:
            raise misuse(InvalidParameterError, "`max_traces` can't be specified if `trace_ids` is specified.")
        name, adapter = self._need_reader()
        if not isinstance(adapter, TraceEditor):
            raise misuse(NoReaderError, f"traces of adapter {name} cannot be deleted; configure the `store` adapter.")
        self._wait_for(name)
        if ids is None:
            conditions = [Condition("timestamp_ms", "<=", int(max_timestamp_millis or 0))]
            if experiment_id is not None:
                conditions.append(Condition("experiment_id", "=", str(experiment_id)))
            return self._delete_oldest(adapter, conditions, max_traces)
        wires = [wire for text in ids for wire in self._wire_ids(adapter, text)]
        return adapter.delete([wire for wire in wires if _is_within(adapter.get(wire), experiment_id)])

    # ------------------------------------------------------------------ inside

    def _delete_oldest(self, adapter: Any, conditions: Sequence[Condition], most: int | None) -> int:
        deleted = 0
        while most is None or deleted < most:
            size = DEFAULT_MAX_RESULTS if most is None else min(DEFAULT_MAX_RESULTS, most - deleted)
            oldest = Query(conditions, [Order("timestamp_ms")], max_results=size)
            found = [spans[0].trace_id for spans in adapter.search(oldest).traces if spans]
            if not found:
                break
            deleted += adapter.delete(found)
        return deleted

    def _reader(self, required: bool) -> tuple[str, TraceReader] | None:
        found = [
            (name, reader)
            for name, delivery in self._parts.deliveries.items()
            if (reader := reader_of(delivery.adapter))
        ]
        if found:
            return min(found, key=lambda pair: self._rank(*pair))
        if required:
            raise misuse(
                NoReaderError,
                "none of the configured adapters can be read back; add `store: {path: ./tracebridge.db}`, or give an adapter "
                "its query_endpoint.",
            )
        return None

    def _rank(self, name: str, reader: TraceReader) -> int:
        """Return how late a destination is read: the store before a server that can be edited, and that before the others."""
        if isinstance(self._parts.deliveries[name].adapter, TraceEditor):
            return 0
        return 1 if isinstance(reader, TraceEditor) else 2

    def _need_reader(self) -> tuple[str, TraceReader]:
        reader = self._reader(required=True)
        assert reader is not None  # noqa: S101 - required=True raises instead
        return reader

    def _is_beyond(self, wanted: str | TraceId | None) -> bool:
        """Return whether no tag can be changed any more through no fault of the caller's, and count it."""
        if type(wanted) is str and wanted == NOOP_TRACE_ID:
            self._accounts.note_misuse("tag_of_noop")
            return True
        if self._closed_trace(wanted) is None or any(
            isinstance(reader_of(d.adapter), TraceEditor) for d in self._parts.deliveries.values()
        ):
            return False
        self._warn("late_tag", "a tag came after its trace had been closed here, where nothing can be changed any more")
        return True

    def _editable(self, wanted: str | TraceId | None) -> tuple[TraceEditor, bytes]:
        name, adapter = self._need_reader()
        if not isinstance(adapter, TraceEditor):
            raise misuse(NoReaderError, f"traces of adapter {name} cannot be changed; configure the `store` adapter.")
        self._wait_for(name)
        wires = self._wire_ids(adapter, "" if wanted is None else wanted)
        if not wires:
            raise misuse(TraceNotFoundError, f"Trace with ID {self._reducer.show(wanted)} not found.")
        return adapter, wires[0]

    def _wire_ids(self, adapter: TraceReader, given: str | TraceId) -> list[bytes]:
        """Every wire ID that this may mean: what the destination has under the text as a custom ID, else what it derives."""
        found = (
            None
            if type(given) is TraceId or not issubclass(type(given), str)
            else adapter.find(carried(str.__str__(given)))
        )
        if found:
            return found
        return [wire.trace_id for wire in self._ids.meanings(given)]

    def _read(self, adapter: TraceReader, key: str | TraceId, live: LiveTrace | None) -> list[Any]:
        wires = [live.trace_id] if live is not None else self._wire_ids(adapter, key)
        return next((spans for wire in wires if (spans := adapter.get(wire))), [])

    def _wait_for(self, name: str) -> None:
        """Give the reader's destination a bounded time to have what was queued before this call."""
        delivery = self._parts.deliveries[name]
        with self._accounts.lock:
            end = self._journal.end
            delivery.request_flush(end)
            self._accounts.lock.notify_all()
            arrived = self._accounts.wait_for(lambda: delivery.flushed(end), READ_WAIT_S)
        if not arrived:
            _log.warning("%s has not taken every span within %gs; reading what is there", name, READ_WAIT_S)
