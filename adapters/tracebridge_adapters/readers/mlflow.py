"""MLflow's trace API, 3.x (`/api/3.0/mlflow/traces`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from tracebridge.errors import Misconfigured
from tracebridge.plugins.adapter import Context
from tracebridge.reading.search import Page, Query
from tracebridge.records.record import SpanRecord
from tracebridge.records.span_identity import in_order
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.files import mlflow_json
from tracebridge_adapters.options import link_of
from tracebridge_adapters.readers.mlflow_experiment import UNKNOWN, MlflowExperiment
from tracebridge_adapters.readers.searching import kept, search
from tracebridge_adapters.wires.http_get import HttpReader

TRACES = "/api/3.0/mlflow/traces"
CHANGES = "/api/2.0/mlflow/traces"  # what changes a trace has no newer path
MAX_FOUND = 100  # traces that one custom ID is looked up for
MAX_PAGE = 500  # the most that the server gives at once


class _Deleted(msgspec.Struct):
    traces_deleted: int = 0


class MlflowReader:
    """Reads traces back, and changes them; those of one experiment unless a search names others."""

    def __init__(self, server: HttpReader, context: Context, experiment: MlflowExperiment, ui: str | None) -> None:
        self._server = server
        self._experiment = experiment
        self._take_apart = partial(take_apart, trace_id_attribute=context.trace_id_attribute)
        self._trace_id_attribute = context.trace_id_attribute
        self._ui = ui

    def get(self, trace_id: bytes) -> list[SpanRecord]:
        """Return the trace's spans in start order, root first; empty when the trace is unknown."""
        asked = {"trace_id": mlflow_json.TRACE_PREFIX + trace_id.hex(), "allow_partial": "true"}
        document = self._server.get(f"{TRACES}/get", asked, missing=UNKNOWN)
        return [] if document is None else in_order([span for trace in self._decoded(document) for span in trace])

    def find(self, custom_trace_id: str) -> list[bytes]:
        """Return the wire IDs of the experiment's traces that carry this custom ID, newest first."""
        if any(char in custom_trace_id for char in "'\"%_\\"):
            return self._found([], custom_trace_id)
        key = f"`{self._trace_id_attribute}`"
        tagged = self._found([f"tags.{key} = '{custom_trace_id}'"], custom_trace_id)
        return tagged or self._found([f"span.attributes.{key} LIKE '%{custom_trace_id}%'"], custom_trace_id)

    def _found(self, filters: Sequence[str], custom_trace_id: str) -> list[bytes]:
        traces = map(in_order, self._many(self._ids(filters, MAX_FOUND)))
        return [t[0].trace_id for t in traces if any(span.custom_trace_id == custom_trace_id for span in t)]

    def search(self, query: Query) -> Page:
        """Return one page of traces that match, newest first."""

        named = [condition for condition in query.conditions if condition.field == "experiment_id"]
        experiments = [str(value) for condition in named for value in condition.values]
        rest = [condition for condition in query.conditions if condition not in named]

        def fetch(first_ms: int, last_ms: int, limit: int) -> tuple[list[list[SpanRecord]], bool]:
            most = min(limit, MAX_PAGE)
            ids = self._ids([f"timestamp_ms >= {first_ms}", f"timestamp_ms <= {last_ms}"], most, experiments)
            return self._many(ids), len(ids) >= most

        narrowed = msgspec.structs.replace(query, conditions=rest)
        return search(narrowed.with_own_ids(self._trace_id_attribute), fetch)

    def set_tag(self, trace_id: bytes, key: str, value: str) -> bool:
        """Set a tag on the trace; False when it is unknown."""
        if not self.get(trace_id):  # MLflow answers with what its database said about keys
            return False
        return self._change_tag("PATCH", trace_id, {"key": key, "value": value})

    def delete_tag(self, trace_id: bytes, key: str) -> bool:
        """Delete a tag from the trace; False when the trace or the tag is unknown."""
        return self._change_tag("DELETE", trace_id, {"key": key})

    def _change_tag(self, method: str, trace_id: bytes, body: dict[str, str]) -> bool:
        path = f"{CHANGES}/{mlflow_json.TRACE_PREFIX}{trace_id.hex()}/tags"
        return self._server.change(method, path, msgspec.json.encode(body), missing=UNKNOWN) is not None

    def delete(self, trace_ids: Sequence[bytes]) -> int:
        """Delete whole traces, each from its experiment; return how many there were."""
        places: dict[str, list[str]] = {}
        for trace_id in trace_ids:
            for span in self.get(trace_id)[:1]:
                places.setdefault(span.experiment_id, []).append(mlflow_json.TRACE_PREFIX + trace_id.hex())
        return sum(self._delete(experiment, ids) for experiment, ids in places.items())

    def _delete(self, experiment: str, ids: Sequence[str]) -> int:
        asked = {"experiment_id": experiment, "request_ids": ids}
        answer = self._server.post(f"{CHANGES}/delete-traces", msgspec.json.encode(asked))
        try:
            return msgspec.json.decode(answer, type=_Deleted).traces_deleted
        except ValueError as error:
            raise self._foreign(error) from error

    def _ids(self, filters: Sequence[str], limit: int, experiments: Sequence[str] = ()) -> list[bytes]:
        asked = {
            "locations": [
                {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
                for experiment in experiments or [self._experiment.id()]
            ],
            "filter": " AND ".join(filters),
            "max_results": limit,
            "order_by": ["timestamp_ms DESC"],
        }
        document = self._server.post(f"{TRACES}/search", msgspec.json.encode(asked))
        try:
            return mlflow_json.trace_ids(document)
        except ValueError as error:
            raise self._foreign(error) from error

    def _many(self, ids: Sequence[bytes]) -> list[list[SpanRecord]]:
        if not ids:
            return []
        asked = {"trace_ids": [mlflow_json.TRACE_PREFIX + each.hex() for each in ids]}
        return self._decoded(self._server.get(f"{TRACES}/batchGet", asked) or b"{}")

    def _decoded(self, document: bytes) -> list[list[SpanRecord]]:
        try:
            traces = kept(mlflow_json.decode(document, self._take_apart), self._server.shown_url)
        except ValueError as error:
            raise self._foreign(error) from error
        return [[self._without_own_id(record) for record in trace] for trace in traces]

    def _without_own_id(self, record: SpanRecord) -> SpanRecord:
        """Return a record without the tag that only MLflow's search needs."""
        if record.custom_trace_id is None or record.tags.get(self._trace_id_attribute) != record.custom_trace_id:
            return record
        tags = {key: value for key, value in record.tags.items() if key != self._trace_id_attribute}
        return msgspec.structs.replace(record, tags=tags)

    def _foreign(self, error: ValueError) -> Misconfigured:
        return Misconfigured(f"{self._server.shown_url}: {error}; is query_endpoint an MLflow server?")

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of the trace in MLflow's UI; None before the experiment is known, because no network is used."""
        if self._ui is not None:
            return link_of(self._ui, trace_id)
        experiment = self._experiment.known
        traces = f"{self._server.shown_url}/#/experiments/{experiment}/traces"
        return None if experiment is None else f"{traces}?selectedEvaluationId=tr-{trace_id.hex()}"
