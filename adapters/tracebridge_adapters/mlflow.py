"""An MLflow tracking server: OTLP in MLflow's dialect, each trace in its experiment, and read back from there.

`MLFLOW_TRACKING_URI` and its companions fill what the options leave out, with the meaning that MLflow gives them (read in 3.18).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from tracebridge.errors import Misconfigured, Rejected
from tracebridge.plugins.adapter import RUN_TAG, Context, Part, Sent, TraceReader
from tracebridge.plugins.options import Duration, Secret, Url, option
from tracebridge_adapters.options import PLACE, HttpOptions, check_headers

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord, Value

TRACES_PATH = "/v1/traces"
EXPERIMENT_HEADER, RUN_HEADER, WORKSPACE_HEADER = "x-mlflow-experiment-id", "x-mlflow-run-id", "x-mlflow-workspace"
NAME = "mlflow.traceTag.mlflow.traceName"  # by which the server finds a trace; of what comes as OTLP it does not make it itself
UNKNOWN = "RESOURCE_DOES_NOT_EXIST"
MAX_BATCH_SPANS = 1_000  # the server writes a request in one transaction
MAX_BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class MlflowOptions(HttpOptions):
    """Options of the `mlflow` adapter."""

    endpoint: Url = option("http://localhost:5000", help="Address of the tracking server.", schemes=["http", "https"])
    experiment_name: str | None = option(
        None,
        help="Experiment that gets the traces, made where there is none; it is looked up with the first delivery.",
        examples=["checkout"],
    )
    experiment_id: str | None = option(
        None, help="The same by its ID; without either, the default experiment.", examples=["3"]
    )
    username: str | None = option(None, help="User for basic authentication.", examples=["ann"])
    password: Secret | None = option(
        None, help="Password for basic authentication.", examples=["${env:MLFLOW_PASSWORD}"]
    )
    token: Secret | None = option(
        None, help="Bearer token; user and password together come before it.", examples=["${env:MLFLOW_TOKEN}"]
    )
    workspace: str | None = option(None, help="Workspace, on a server that has several.", examples=["team-a"])
    timeout: Duration = option(30.0, help="Longest wait for one answer.", minimum=0.001)
    ui: Url | None = option(
        None,
        help="Address of a trace in a UI, with {trace_id} for its 32 hex digits; by default the server's own.",
        examples=["https://mlflow.example/trace/{trace_id}"],
    )

    def __post_init__(self) -> None:
        """Refuse what no header can carry, an address with parameters, a template without its place, and settings of TLS that contradict each other."""
        if "?" in self.endpoint:
            raise ValueError("endpoint must be a base address, without a ?")
        placed = {"token": self.token, "workspace": self.workspace, "experiment_id": self.experiment_id}
        check_headers({**self.headers, **{name: value for name, value in placed.items() if value}})
        if self.ui is not None and PLACE not in self.ui:
            raise ValueError(f"ui must have {PLACE} where the ID of the trace belongs")
        if self.tls.insecure_skip_verify and self.tls.ca_file is not None:
            raise ValueError("tls.insecure_skip_verify and tls.ca_file contradict each other, to MLflow too; give one")


class MlflowAdapter:
    """Sends ExportTraceServiceRequest bodies, each to one experiment and one run.

    A body begins with the names of these two, empty where the trace has none, each with a zero byte behind it.
    """

    Options: ClassVar[type[MlflowOptions]] = MlflowOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = MAX_BATCH_BYTES
    reader: TraceReader | None

    def __init__(self, options: MlflowOptions, context: Context) -> None:
        from tracebridge_adapters.dialects import MLFLOW_TAG, attributes_for
        from tracebridge_adapters.formats.otlp import protobuf
        from tracebridge_adapters.formats.otlp.answer import is_answer, read_partial_success
        from tracebridge_adapters.readers.mlflow import MlflowReader
        from tracebridge_adapters.readers.mlflow_experiment import MlflowExperiment
        from tracebridge_adapters.wires.http import HttpWire
        from tracebridge_adapters.wires.http_get import HttpReader

        self._read_partial_success, self._is_answer = read_partial_success, is_answer
        self._encode = protobuf.encode
        self._shown = attributes_for("mlflow", context.trace_id_attribute)
        self._own_id_tag = MLFLOW_TAG + context.trace_id_attribute  # MLflow's page and its search know traces by tags
        access, endpoint = options.access.with_headers(headers_of(options)), options.endpoint.rstrip("/")
        self._wire = HttpWire(
            endpoint + TRACES_PATH,
            access,
            compression="gzip",
            content_type="application/x-protobuf",
            on_500="reject",
            max_connections=options.sending_queue.max_in_flight,
        )
        self._server = HttpReader(endpoint, access)
        self._experiment = MlflowExperiment(
            self._server, name=options.experiment_name, experiment_id=options.experiment_id
        )
        self.reader = MlflowReader(self._server, context, self._experiment, options.ui)

    def encode(self, records: Sequence[SpanRecord]) -> Sequence[Part]:
        """Return a request for each experiment and run, in the order in which these first appear, and before it their names."""
        places: dict[bytes, list[SpanRecord]] = {}
        for record in records:
            places.setdefault(_place(record), []).append(record)
        return [Part(place + self._encode(group, self._attributes_of), group) for place, group in places.items()]

    def _attributes_of(self, record: SpanRecord) -> dict[str, Value]:
        shown = self._shown(record)
        if record.parent_id is not None:
            return shown
        own = {} if record.custom_trace_id is None else {self._own_id_tag: record.custom_trace_id}
        return {NAME: record.name, **own, **shown}

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """POST the request to its experiment, which is looked up first where it has to be.

        An experiment that a trace named and the server does not know is the trace's fault (Rejected), the configured one is not (Misconfigured).
        """
        named, run, request = body.split(b"\0", 2)
        experiment = named.decode() or self._experiment.id()
        headers = {EXPERIMENT_HEADER: experiment} | ({RUN_HEADER: run.decode()} if run else {})
        try:
            answer = self._wire.post(request, headers)
        except Misconfigured as error:
            if UNKNOWN in str(error) and named:
                said = str(error).removesuffix("; check the path")
                raise Rejected(f"{said}; the trace was started with experiment_id={experiment!r}") from error
            raise
        rejected, message = self._read_partial_success(answer.body, answer.content_type)
        doubt = "" if self._is_answer(answer.body, answer.content_type) else answer.doubt
        return Sent(rejected=rejected, message=answer.without_secrets(message), doubt=doubt)

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of a trace in MLflow's UI; None before the experiment is known."""
        return None if self.reader is None else self.reader.link(trace_id)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
        self._server.close()


def _place(record: SpanRecord) -> bytes:
    """Return where MLflow puts a span, as a body begins. What no header can carry is left out, and so goes to the configured place."""
    given = (record.experiment_id, record.tags.get(RUN_TAG, ""))
    return b"".join((text.encode() if text.isascii() and text.isprintable() else b"") + b"\0" for text in given)


def headers_of(options: MlflowOptions) -> dict[str, Secret]:
    """Return the headers to send. As with MLflow, what stands in the address comes first, then user and password, then the token."""
    headers = dict(options.headers)
    if "@" not in urlsplit(options.endpoint).netloc:
        if options.username and options.password:
            pair = f"{options.username}:{options.password.reveal()}"
            headers["authorization"] = Secret("Basic " + base64.b64encode(pair.encode()).decode())
        elif options.token:
            headers["authorization"] = Secret(f"Bearer {options.token.reveal()}")
    if options.workspace:
        headers[WORKSPACE_HEADER] = Secret(options.workspace)
    return headers
