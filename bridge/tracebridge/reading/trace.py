"""What `get_trace` and `search_traces` return: a trace read back, under MLflow's field names, and its JSON form (read in MLflow 3.18)."""

from __future__ import annotations

import datetime
import html
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from tracebridge.errors import InvalidParameterError, misuse
from tracebridge.ids.custom import TraceId
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT, RUN_TAG
from tracebridge.reading.finished import FinishedSpan
from tracebridge.reading.usage import COST_KEYS, USAGE_KEYS, total
from tracebridge.records.entities import TraceState
from tracebridge.records.mlflow_span import COST, USAGE, as_json, record_of, span_as_dict
from tracebridge.records.record import EndCause, SpanRecord
from tracebridge.spans.noop import AnySpan
from tracebridge.spans.span import Span

PREVIEW_CHARACTERS = 1000  # of inputs and outputs in TraceInfo, as MLflow keeps
TOKEN_USAGE, TRACE_COST = "mlflow.trace.tokenUsage", "mlflow.trace.cost"  # in trace_metadata, as JSON text
_MS = 1_000_000  # nanoseconds
S = TypeVar("S", bound=AnySpan | FinishedSpan)


@dataclass
class TraceInfo:
    """What is known of a trace as a whole. Times are milliseconds, as MLflow has them."""

    trace_id: str
    """The caller's own ID, or 32 hex digits."""
    wire_trace_id: str
    request_time: int
    """Start of the root, Unix milliseconds."""
    execution_duration: int | None
    """Duration of the root, milliseconds; None while it is open."""
    state: TraceState
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    trace_metadata: dict[str, str] = field(default_factory=dict)
    """The run, and the tokens and the cost of all spans, where they tell any."""
    experiment_id: str | None = None
    client_request_id: str | None = None

    @property
    def request_id(self) -> str:
        """MLflow 2's name for `trace_id`."""
        return self.trace_id

    @property
    def request_metadata(self) -> dict[str, str]:
        """MLflow 2's name for `trace_metadata`."""
        return self.trace_metadata

    @property
    def timestamp_ms(self) -> int:
        """MLflow 2's name for `request_time`."""
        return self.request_time

    @timestamp_ms.setter
    def timestamp_ms(self, value: int) -> None:
        self.request_time = value

    @property
    def execution_time_ms(self) -> int | None:
        """MLflow 2's name for `execution_duration`."""
        return self.execution_duration

    @execution_time_ms.setter
    def execution_time_ms(self, value: int | None) -> None:
        self.execution_duration = value

    @property
    def status(self) -> TraceState:
        """MLflow 2's name for `state`."""
        return self.state

    @status.setter
    def status(self, value: TraceState) -> None:
        self.state = value

    @property
    def token_usage(self) -> dict[str, int] | None:
        """Tokens of the whole trace: input_tokens, output_tokens and total_tokens; None where no span tells of any."""
        text = self.trace_metadata.get(TOKEN_USAGE)
        return None if text is None else json.loads(text)

    @property
    def cost(self) -> dict[str, float] | None:
        """Cost of the whole trace in US dollars: input_cost, output_cost and total_cost; None where no span tells of any."""
        text = self.trace_metadata.get(TRACE_COST)
        return None if text is None else json.loads(text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as MLflow's JSON has them."""
        moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=self.request_time)
        place = {"experiment_id": self.experiment_id or DEFAULT_EXPERIMENT}
        given = {
            "trace_id": self.trace_id,
            "client_request_id": self.client_request_id,
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": place},
            "request_preview": self.request_preview,
            "response_preview": self.response_preview,
            "request_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "execution_duration_ms": self.execution_duration,
            "state": self.state.value,
            "trace_metadata": dict(self.trace_metadata),
            "tags": dict(self.tags),
        }
        return {key: value for key, value in given.items() if value is not None and value != {}}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> TraceInfo:
        """Return what `to_dict`, ours or MLflow's, wrote. Raises InvalidParameterError for anything else."""
        try:
            trace_id = str(d["trace_id"])
            moment = datetime.datetime.fromisoformat(str(d["request_time"]))
            if moment.tzinfo is None:
                raise ValueError(f"{d['request_time']} has no time zone")
            place = (d.get("trace_location") or {}).get("mlflow_experiment") or {}
            since = moment - datetime.datetime.fromtimestamp(0, datetime.UTC)
            return cls(
                trace_id=trace_id,
                wire_trace_id=TraceId(trace_id).wire_trace_id,
                request_time=since // datetime.timedelta(milliseconds=1),
                execution_duration=d.get("execution_duration_ms"),
                state=TraceState(d.get("state", "STATE_UNSPECIFIED")),
                request_preview=d.get("request_preview"),
                response_preview=d.get("response_preview"),
                tags=dict(d.get("tags") or {}),
                trace_metadata=dict(d.get("trace_metadata") or {}),
                experiment_id=place.get("experiment_id"),
                client_request_id=d.get("client_request_id"),
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise misuse(InvalidParameterError, f"not the info of a trace in MLflow's JSON form: {error!r}.") from error


@dataclass
class TraceData:
    """A trace's spans in start order, root first where there is one."""

    spans: list[AnySpan | FinishedSpan] = field(default_factory=list)

    @property
    def request(self) -> str | None:
        """The root's inputs as JSON text."""
        return self._of_root("inputs")

    @property
    def response(self) -> str | None:
        """The root's outputs as JSON text."""
        return self._of_root("outputs")

    def _of_root(self, name: str) -> str | None:
        value = next((getattr(span, name) for span in self.spans if span.parent_id is None), None)
        return None if value is None else as_json(value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as MLflow's JSON has them."""
        return {"spans": [span.to_dict() for span in self.spans]}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> TraceData:
        """Return what `to_dict`, ours or MLflow's, wrote. Raises InvalidParameterError for anything else."""
        spans = d.get("spans") if isinstance(d, Mapping) else None
        if not isinstance(spans, list):
            raise misuse(
                InvalidParameterError, "not the data of a trace in MLflow's JSON form: a mapping with a list of spans."
            )
        return cls([FinishedSpan.from_dict(span) for span in spans])


@dataclass
class Trace:
    """A trace read back."""

    info: TraceInfo
    data: TraceData

    @property
    def trace_id(self) -> str:
        """The caller's own ID, or 32 hex digits."""
        return self.info.trace_id

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as MLflow's JSON has them."""
        return {"info": self.info.to_dict(), "data": self.data.to_dict()}

    def to_json(self, pretty: bool = False) -> str:
        """Return `to_dict` as JSON text, which MLflow's own `Trace.from_json` reads too."""
        return as_json(self.to_dict(), indent=2 if pretty else None)

    @classmethod
    def from_dict(cls, trace_dict: Mapping[str, Any]) -> Trace:
        """Return the trace that `to_dict`, ours or MLflow's, wrote. Raises InvalidParameterError for anything else."""
        if not isinstance(trace_dict, Mapping) or not {"info", "data"} <= trace_dict.keys():
            raise misuse(
                InvalidParameterError, "not a trace in MLflow's JSON form: a mapping with the keys 'info' and 'data'."
            )
        info, data = TraceInfo.from_dict(trace_dict["info"]), TraceData.from_dict(trace_dict["data"])
        if data.spans:
            info.wire_trace_id = data.spans[0].wire_trace_id
        return cls(info, data)

    @classmethod
    def from_json(cls, trace_json: str) -> Trace:
        """Return the trace that `to_json`, ours or MLflow's, wrote. Raises InvalidParameterError for anything else."""
        try:
            given = json.loads(trace_json)
        except (TypeError, ValueError, RecursionError) as error:
            raise misuse(InvalidParameterError, f"not a trace in JSON: {error}.") from error
        return cls.from_dict(given)

    def _repr_html_(self) -> str:
        """Return the picture that a notebook shows: a waterfall, shut off from the notebook's own page."""
        from tracebridge.html.document import framed

        return framed([_as_record(span) for span in self.data.spans]) if self.data.spans else html.escape(repr(self))

    def search_spans(
        self, span_type: str | None = None, name: str | re.Pattern[str] | None = None, span_id: str | None = None
    ) -> list[AnySpan | FinishedSpan]:
        """Return the spans that have this type, name and ID; None matches all, a compiled pattern every name that it is found in.

        Raises InvalidParameterError for a name that is neither text nor a pattern, and for a type that is not text.
        """
        for what, given, kinds in (("name", name, (str, re.Pattern)), ("span_type", span_type, (str,))):
            if given is not None and not isinstance(given, kinds):
                raise misuse(InvalidParameterError, f"search_spans: {what} cannot be a {type(given).__name__}.")
        return [
            span
            for span in self.data.spans
            if span_type in {None, span.span_type}
            and (name.search(span.name) is not None if isinstance(name, re.Pattern) else name in {None, span.name})
            and span_id in {None, span.span_id}
        ]


def _as_record(span: AnySpan | FinishedSpan) -> SpanRecord:
    """Return a span's record; one that is still open lasts until now."""
    if isinstance(span, FinishedSpan):
        return span.record
    record, end_ns = record_of(span_as_dict(span)), span.end_time_ns
    if end_ns is not None:
        return record
    return replace(record, end_time_ns=max(time.time_ns(), record.start_time_ns), end_cause=EndCause.UNFINISHED.value)


class PagedList(list[Trace]):
    """A page of traces; `token` leads to the next page, None on the last."""

    def __init__(self, traces: Iterable[Trace], token: str | None) -> None:
        super().__init__(traces)
        self.token = token


def root_first(spans: Iterable[S]) -> list[S]:
    """Return spans in start order, with those that have no parent in front."""
    return sorted(spans, key=lambda span: (span.parent_id is not None, span.start_time_ns))


def trace_of(
    spans: Sequence[Span | FinishedSpan], tags: dict[str, str] | None = None, include_spans: bool = True
) -> Trace:
    """Build a Trace from live and finished spans of one trace (at least one)."""
    ordered = root_first(spans)
    root = ordered[0]
    open_ = any(isinstance(span, Span) and span.cause is None for span in ordered)
    known = {"OK": TraceState.OK, "ERROR": TraceState.ERROR}
    state = TraceState.IN_PROGRESS if open_ else known.get(root.status.status_code, TraceState.STATE_UNSPECIFIED)
    end_ns = root.end_time_ns
    all_tags = dict(tags if tags is not None else {} if isinstance(root, Span) else root.record.tags)
    info = TraceInfo(
        trace_id=root.trace_id,
        wire_trace_id=root.wire_trace_id,
        request_time=root.start_time_ns // _MS,
        execution_duration=None if end_ns is None else max(0, end_ns - root.start_time_ns) // _MS,
        state=state,
        request_preview=_preview(root.inputs),
        response_preview=_preview(root.outputs),
        tags=all_tags,
        trace_metadata=_metadata(ordered, all_tags),
        experiment_id=(root._trace.experiment_id if isinstance(root, Span) else root.record.experiment_id)
        or DEFAULT_EXPERIMENT,
        client_request_id=root.trace_id if root.trace_id != root.wire_trace_id else None,
    )
    return Trace(info, TraceData(list(ordered) if include_spans else []))


def _metadata(spans: Sequence[AnySpan | FinishedSpan], tags: Mapping[str, str]) -> dict[str, str]:
    """Return what MLflow keeps beside the tags: which run it was, and what all spans together used and cost."""
    usage, cost = total(spans, USAGE, USAGE_KEYS), total(spans, COST, COST_KEYS)
    told = {RUN_TAG: tags.get(RUN_TAG), TOKEN_USAGE: usage and as_json(usage), TRACE_COST: cost and as_json(cost)}
    return {key: text for key, text in told.items() if text}


def _preview(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else as_json(value)
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
