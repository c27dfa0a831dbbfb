"""The configuration as a mapping in code, typed: what an editor completes and a type checker checks.

Made by `python -m tracebridge.settings.shipped`; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

AttributeValue = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float] | Sequence[bool]


class SendingQueueConfig(TypedDict, total=False):
    """How delivery groups spans for this destination."""

    max_batch: int
    """Most spans in one request."""
    max_in_flight: int
    """Requests under way at once; above 1 first sends may overtake each other."""
    flush_interval: str | Literal[0]
    """Longest time that a finished span waits for others, to be sent with them."""


class RetryOnFailureConfig(TypedDict, total=False):
    """How delivery waits when this destination is failing."""

    initial_interval: str | Literal[0]
    """Pause before a failed batch is tried again; each further one is twice as long, with jitter."""
    max_interval: str | Literal[0]
    """Longest pause between two tries."""
    max_elapsed_time: str | Literal[0]
    """Give a batch up after this long; 0 means never."""


class ConsoleConfig(TypedDict, total=False):
    """Options of the `console` adapter."""

    stream: Literal["stdout", "stderr"]
    """Where lines go."""
    color: Literal["auto", "always", "never"]
    """Colour; auto means only on a terminal."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped; people wait for these."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class TlsConfig(TypedDict, total=False):
    """TLS towards one destination. Verification is on unless it is switched off here."""

    ca_file: str | os.PathLike[str] | None
    """PEM file of the authorities to trust instead of the system's."""
    cert_file: str | os.PathLike[str] | None
    """PEM file of the client certificate."""
    key_file: str | os.PathLike[str] | None
    """PEM file of the client certificate's private key."""
    insecure_skip_verify: bool
    """Accept any certificate. For tests only."""


class JaegerThriftConfig(TypedDict, total=False):
    """Options of the `jaeger_thrift` adapter."""

    endpoint: str
    """An agent, udp://host:6831 (compact) or :6832 (binary), or a collector, http://host:14268/api/traces."""
    protocol: Literal["compact", "binary"]
    """Thrift's protocol over UDP; HTTP is always binary."""
    max_packet_size: str | int
    """Most bytes of a datagram."""
    compression: Literal["gzip", "none"]
    """Whether HTTP bodies are compressed; a Jaeger 1 collector does not take it."""
    query_endpoint: str | None
    """Base address of the system's query API; makes show, search and get_trace work. Asked with the same headers and TLS."""
    ui: str | None
    """Address of a trace in the system's own UI, with {trace_id} for its 32 hex digits."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    headers: Mapping[str, str]
    """Headers of every request; over gRPC, the metadata of every call."""
    timeout: str | Literal[0]
    """Longest wait for one answer."""
    tls: TlsConfig | None
    """TLS towards this destination."""
    proxy: str | None
    """HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class KafkaTlsConfig(TypedDict, total=False):
    """TLS towards the brokers."""

    enabled: bool
    """Whether the brokers' ports speak TLS."""
    ca_file: str | os.PathLike[str] | None
    """PEM file of the authorities to trust instead of the system's."""
    cert_file: str | os.PathLike[str] | None
    """PEM file of the client certificate."""
    key_file: str | os.PathLike[str] | None
    """PEM file of the client certificate's private key."""
    insecure_skip_verify: bool
    """Accept any certificate. For tests only."""


class SaslConfig(TypedDict, total=False):
    """How the brokers know this program; unused without a username."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    """How the password is proved."""
    username: str | None
    """The account, where the brokers want one."""
    password: str | None
    """Its password."""


class KafkaConfig(TypedDict, total=False):
    """Options of the `kafka` adapter."""

    brokers: Sequence[str]
    """Where to ask for the cluster, as host:port."""
    topic: str | None
    """The topic; by default otlp_spans, or zipkin for the two Zipkin encodings."""
    encoding: Literal["otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto"]
    """How a message's value is written."""
    key: Literal["trace_id", "none"]
    """What chooses the partition: the trace ID (32 lower-case hex digits, as Collectors write it; one message a trace), or nothing (one message a batch)."""
    partitioner: Literal["fnv1a", "murmur2", "crc32"]
    """How a key chooses its partition: as Collectors do, as Java's client, or as librdkafka. All that write to a topic should use the same."""
    compression: Literal["zstd", "lz4", "snappy", "gzip", "none"]
    """How messages are compressed."""
    max_message_bytes: str | int
    """Most bytes of a message before compression; not above the topic's max.message.bytes."""
    timeout: str | Literal[0]
    """Longest wait for the acknowledgement of a batch; a broker's fail-over takes many seconds."""
    tls: KafkaTlsConfig | None
    """TLS towards the brokers."""
    sasl: SaslConfig | None
    """The account, where the brokers want one."""
    client_id: str
    """The name under which brokers log and limit this program."""
    properties: Mapping[str, str]
    """Further properties of librdkafka, for what has no option here."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class SignConfig(TypedDict, total=False):
    """The key that signs lines, for `tracebridge replay --verify`."""

    key: str
    """The key, 32 characters or more, the same where lines are verified; from the environment."""
    id: str
    """The key's name, which stands on each line: a new one for a new key."""


class LogConfig(TypedDict, total=False):
    """Options of the `log` adapter."""

    stream: Literal["stdout", "stderr", "file", "logger", "structlog"]
    """Where lines go."""
    path: str | os.PathLike[str] | None
    """The file, with stream: file; created 0600, reopened after a logrotate."""
    logger: str | None
    """With stream: logger, the standard logger's name; with stream: structlog, a name for get_logger or `module:logger`."""
    profile: Literal["otel", "ecs", "datadog", "gcp", "otlp_json"]
    """Whose names the fields have: OpenTelemetry's, Elastic's (ECS), Datadog's or Google Cloud's; or lines of OTLP JSON."""
    project: str | None
    """The Google Cloud project that profile: gcp names in its traces."""
    resource: Literal["always", "root", "off"]
    """Which lines carry the resource, the name of the service and the like: every one, those of roots, or none."""
    max_line_bytes: int
    """Longest line, in bytes."""
    extra_lines: Sequence[Literal["span.start", "span.event", "trace.end"]]
    """Lines besides the one that every finished span gets."""
    sign: SignConfig | None
    """Sign every line, so that `replay --verify` knows it for ours."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class MemoryConfig(TypedDict, total=False):
    """Options of the `memory` adapter: none but how spans are grouped."""

    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class MlflowConfig(TypedDict, total=False):
    """Options of the `mlflow` adapter."""

    endpoint: str
    """Address of the tracking server."""
    experiment_name: str | None
    """Experiment that gets the traces, made where there is none; it is looked up with the first delivery."""
    experiment_id: str | None
    """The same by its ID; without either, the default experiment."""
    username: str | None
    """User for basic authentication."""
    password: str | None
    """Password for basic authentication."""
    token: str | None
    """Bearer token; user and password together come before it."""
    workspace: str | None
    """Workspace, on a server that has several."""
    ui: str | None
    """Address of a trace in a UI, with {trace_id} for its 32 hex digits; by default the server's own."""
    headers: Mapping[str, str]
    """Headers of every request; over gRPC, the metadata of every call."""
    timeout: str | Literal[0]
    """Longest wait for one answer."""
    tls: TlsConfig | None
    """TLS towards this destination."""
    proxy: str | None
    """HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


OtelExporterConfig = TypedDict(
    "OtelExporterConfig",
    {
        # The exporter's class, or a function that returns an exporter.
        'class': str,
        # Keyword arguments of the class.
        'args': Mapping[str, Any],
        # Names for inputs, outputs and span type; mlflow for an MLflow server.
        'dialect': Literal["openinference", "mlflow", "genai"],
        # How spans are grouped into requests.
        'sending_queue': SendingQueueConfig | None,
        # How a failing destination is retried.
        'retry_on_failure': RetryOnFailureConfig | None,
    },
    total=False,
)
"""Options of the `otel_exporter` adapter."""


class OtlpFileConfig(TypedDict, total=False):
    """Options of the `otlp_file` adapter."""

    path: str | os.PathLike[str]
    """The file; created 0600, appended to."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class OtlpGrpcConfig(TypedDict, total=False):
    """Options of the `otlp_grpc` adapter."""

    endpoint: str
    """Address; https:// for TLS, http:// for none."""
    compression: Literal["gzip", "none"]
    """Whether bodies are compressed."""
    query_endpoint: str | None
    """Base address of the system's query API; makes show, search and get_trace work. Asked with the same headers and TLS."""
    ui: str | None
    """Address of a trace in the system's own UI, with {trace_id} for its 32 hex digits."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    headers: Mapping[str, str]
    """Headers of every request; over gRPC, the metadata of every call."""
    timeout: str | Literal[0]
    """Longest wait for one answer."""
    tls: TlsConfig | None
    """TLS towards this destination."""
    proxy: str | None
    """HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class OtlpHttpConfig(TypedDict, total=False):
    """Options of the `otlp_http` adapter."""

    endpoint: str
    """Base address; /v1/traces is added unless it ends so already."""
    encoding: Literal["protobuf", "json"]
    """How the body is written."""
    compression: Literal["gzip", "none"]
    """Whether bodies are compressed."""
    query_endpoint: str | None
    """Base address of the system's query API; makes show, search and get_trace work. Asked with the same headers and TLS."""
    ui: str | None
    """Address of a trace in the system's own UI, with {trace_id} for its 32 hex digits."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    headers: Mapping[str, str]
    """Headers of every request; over gRPC, the metadata of every call."""
    timeout: str | Literal[0]
    """Longest wait for one answer."""
    tls: TlsConfig | None
    """TLS towards this destination."""
    proxy: str | None
    """HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class RetentionConfig(TypedDict, total=False):
    """When the store forgets. Several may be given; whichever comes first counts."""

    max_age: str | Literal[0]
    """Delete traces that are older than this; 0 keeps them."""
    max_traces: int
    """Keep at most this many traces; 0 keeps all."""
    max_bytes: str | int | None
    """Keep the file within this size, the oldest traces going first; 0 bounds nothing. By default 1GiB, for files that version 0.2.0 or a later one made; one of before keeps everything until this is set."""


class StoreConfig(TypedDict, total=False):
    """Options of the `store` adapter."""

    path: str | os.PathLike[str]
    """The SQLite file; `:memory:` for none."""
    retention: RetentionConfig | None
    """When the store forgets."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into transactions."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class ZipkinConfig(TypedDict, total=False):
    """Options of the `zipkin` adapter."""

    endpoint: str
    """Where spans are posted, path included."""
    encoding: Literal["json", "protobuf"]
    """How the body is written; protobuf needs Zipkin 2.8."""
    compression: Literal["gzip", "none"]
    """Whether bodies are compressed."""
    query_endpoint: str | None
    """Base address of the system's query API; makes show, search and get_trace work. Asked with the same headers and TLS."""
    ui: str | None
    """Address of a trace in the system's own UI, with {trace_id} for its 32 hex digits."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    headers: Mapping[str, str]
    """Headers of every request; over gRPC, the metadata of every call."""
    timeout: str | Literal[0]
    """Longest wait for one answer."""
    tls: TlsConfig | None
    """TLS towards this destination."""
    proxy: str | None
    """HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class ZipkinFileConfig(TypedDict, total=False):
    """Options of the `zipkin_file` adapter."""

    path: str | os.PathLike[str]
    """The file; created 0600, appended to."""
    dialect: Literal["openinference", "mlflow", "genai"]
    """Names for inputs, outputs and span type; mlflow for an MLflow server."""
    sending_queue: SendingQueueConfig | None
    """How spans are grouped into requests."""
    retry_on_failure: RetryOnFailureConfig | None
    """How a failing destination is retried."""


class KafkaReceiverConfig(TypedDict, total=False):
    """Options of the `kafka` receiver."""

    brokers: Sequence[str]
    """Where to ask for the cluster, as host:port."""
    topics: Mapping[str, Literal["auto", "otlp_proto", "otlp_json", "zipkin_json", "zipkin_proto", "zipkin_thrift"]]
    """The topics, and how their messages are written; auto tells each message by its bytes."""
    group: str
    """The consumer group: relays of one group share the partitions."""
    start: Literal["earliest", "latest"]
    """Where a partition begins for which the group has committed nothing, or nothing that is still there."""
    session_timeout: str | Literal[0]
    """After how long a member that is not heard of loses its partitions."""
    dead_letter_topic: str | None
    """Keep messages that hold no spans in this topic, with their place and the reason in headers."""
    tls: KafkaTlsConfig | None
    """TLS towards the brokers."""
    sasl: SaslConfig | None
    """The account, where the brokers want one."""
    client_id: str
    """The name under which brokers log and limit this program; a short mark of the configuration is put behind it."""
    properties: Mapping[str, str]
    """Further properties of librdkafka, for what has no option here."""
    max_unsettled: int
    """Most spans that were read and that not every destination has yet: reading pauses there, and so many at most come twice after a kill."""
    commit_interval: str | Literal[0]
    """How often what every destination has is committed."""
    dead_letter_file: str | os.PathLike[str] | None
    """Keep messages that hold no spans in this file, one JSON object a line."""


class RelayConfig(TypedDict, total=False):
    """Where `tracebridge relay` reads: one of these."""

    kafka: KafkaReceiverConfig | None
    """Options of the `kafka` receiver."""


class ResourceConfig(TypedDict, total=False):
    """What produces the spans."""

    attributes: Mapping[str, AttributeValue]
    """OpenTelemetry resource attributes of every span; service.name first of all."""


class TraceIdConfig(TypedDict, total=False):
    """How the caller's own trace IDs become wire IDs."""

    scheme: str
    """How a trace ID is read: auto recognises unambiguous forms and hashes the rest, any other name one form."""
    span_scheme: str
    """How your own span IDs are read; a scheme that has a form of 8 bytes."""
    generate: str | None
    """Makes the ID of each new trace that is given none: called as f(name, attributes), returns text."""
    max_bits: Literal[128, 64]
    """With 64, for Zipkin and Jaeger of old, trace IDs are cut to their last 16 hex digits."""
    attribute: str
    """Attribute under which the original text travels."""
    on_duplicate: Literal["error", "join"]
    """A custom ID that is open already: refuse it, or add another root to that trace."""


class PropagationConfig(TypedDict, total=False):
    """Which headers carry a trace into this process and out of it."""

    extract: Sequence[str]
    """Header formats that are read; the first one that names a parent span wins."""
    inject: Sequence[str]
    """Header formats that are written, all of them each time: this is how a migration runs."""
    correlation_header: str
    """The header of the format correlation, which carries your own trace ID as it is."""
    unsampled: Literal["drop", "record"]
    """Spans of a trace that the caller decided not to sample: count and drop them, or deliver them all the same."""


class MatchConfig(TypedDict, total=False):
    """What a trace's root has to be for a rule to decide about it; all that is given has to fit."""

    name: str | None
    """The root's name; * stands for any text."""
    kind: Literal["internal", "server", "client", "producer", "consumer"] | None
    """The root's kind."""
    attributes: Mapping[str, AttributeValue]
    """What the root has at its start: the value itself, or a list of which it is one; in text, * stands for any text."""
    service: str | None
    """The service.name of what produced it; * stands for any text."""


class RuleConfig(TypedDict, total=False):
    """Another ratio for the traces whose root fits."""

    match: MatchConfig | None
    """What the root has to be."""
    ratio: float | str
    """The share of these traces that is kept."""


class KeepConfig(TypedDict, total=False):
    """What makes a whole trace worth keeping, whatever was decided at its start."""

    errors: bool
    """Keep a trace in which a span ended with the status ERROR."""
    slower_than: str | Literal[0] | None
    """Keep a trace in which a span took longer than this."""
    names: Sequence[str]
    """Keep a trace that has a span of such a name; * stands for any text."""
    attributes: Mapping[str, AttributeValue]
    """Keep a trace in which a span has one of these attributes: the value itself, or a list of which it is one."""
    wait: str | Literal[0]
    """Longest time that a trace's first finished span waits for the root's end."""
    max_spans: int
    """Most spans of one trace that wait."""
    max_bytes: str | int
    """Most that all waiting spans together may take."""


class SamplingConfig(TypedDict, total=False):
    """Which traces are delivered: decided at their start by a share of all, and, once they are whole, by what is in them."""

    ratio: float | str
    """The share of the traces that begin here that is kept."""
    rules: Sequence[RuleConfig]
    """Other ratios for some traces: the first rule that fits the root decides."""
    keep: KeepConfig | None
    """What is kept whatever the ratio says, decided when the root has ended."""
    max_traces_per_second: int | None
    """Most traces a second that begin here and are kept by ratio and rules."""
    parent: Literal["obey", "threshold", "ignore"]
    """With a parent elsewhere: its sampled flag decides, or the threshold that came along, or what is set here."""
    randomness: Literal["auto", "id", "hash"]
    """What is drawn by: the trace ID where that is random and its hash where it is not, always the ID, or always the hash."""
    attributes: Sequence[Literal["jaeger", "datadog", "priority"]]
    """Attributes that say the same to others: sampler.type and sampler.param on roots; _dd.rule_psr on roots; sampling.priority on what `keep` kept."""


class OpenTelemetryConfig(TypedDict, total=False):
    """How this process's own OpenTelemetry, if it has any, goes together with tracebridge."""

    current_span: Literal["shared", "separate"]
    """Whether a span that is current here is the parent of what OpenTelemetry starts meanwhile."""


class LifecycleConfig(TypedDict, total=False):
    """How spans that are never ended are treated, and how the client closes."""

    strict: bool
    """Raise on every misuse, such as the end of an unknown span."""
    max_open: str | Literal[0]
    """A span open longer than this is reported as a leak."""
    on_leak: Literal["report", "close"]
    """Report a leaked span, or also close it."""
    late_children: str | Literal[0]
    """How long children may outlive their root; 0s closes them with it."""
    shutdown_timeout: str | Literal[0]
    """Longest time close() and process exit deliver."""
    flush_on_sigterm: bool
    """On SIGTERM, deliver for at most shutdown_timeout before the signal takes its course."""


class LimitsConfig(TypedDict, total=False):
    """How much one span may carry; what is over is cut or left out, and counted."""

    attribute_count_limit: int
    """Most attributes of a span; further ones are left out and counted."""
    attribute_value_length_limit: int
    """Longest text of an attribute, in characters."""
    payload_length_limit: str | int
    """Most that inputs or outputs may weigh."""
    event_count_limit: int
    """Most events of a span."""
    link_count_limit: int
    """Most links of a span."""


class RedactionConfig(TypedDict, total=False):
    """Which values are masked before anything is queued."""

    keys: Literal["default", "none"]
    """Mask values under keys that name secrets."""
    deny_keys: Sequence[str]
    """More keys whose values are masked; upper and lower case are the same."""
    allow_keys: Sequence[str]
    """Keys whose values are never masked, although their names look like those of secrets."""
    deny_values: Sequence[str]
    """Mask text that matches: card (payment cards), jwt, or a regular expression (in linear time with tracebridge[re2])."""
    action: Literal["mask", "drop"]
    """Replace the value, or leave the whole attribute out."""


class UnclaimedConfig(TypedDict, total=False):
    """What waits in the journal's directory for adapters that this configuration does not name."""

    max_age: str
    """Drop what ended longer ago, counted under the adapter's name."""
    max_bytes: str | int | None
    """Drop the oldest of it when it takes more than this; without it, it waits."""


class JournalConfig(TypedDict, total=False):
    """The queue between finished spans and delivery: in memory, or on disk where it survives the process."""

    directory: str | os.PathLike[str] | None
    """Keep the journal in this folder, so that spans survive crashes and restarts; without it, in memory."""
    max_bytes: str | int | None
    """Most that the journal of one process may hold: 64MiB in memory and 512MiB on disk when not given."""
    on_full: Literal["drop_oldest", "block"]
    """When full: forget the oldest for the adapters that lag, or make the caller wait first."""
    block_timeout: str | Literal[0]
    """Longest wait of one call with on_full: block."""
    max_directory_bytes: str | int | None
    """Most that the whole folder may hold: above it, what dead processes left is dropped, the oldest first; without it, no bound."""
    unclaimed: UnclaimedConfig | None
    """What waits there for adapters that this configuration does not name."""
    fsync: Literal["never", "interval", "always"]
    """On disk, what a power loss can cost: all that the system had not written; one second; or nothing, but each end waits for the disk."""


class OpenSpansConfig(TypedDict, total=False):
    """Spans that any process may change and end by their IDs."""

    engine: str | None
    """Where shared spans are kept while they are open: directory (one host), redis, postgresql; without it no span is shared."""
    url: str | os.PathLike[str] | None
    """The engine's folder or address: ./open-spans, redis://host:6379/0, postgresql://user@host/database."""
    share: Literal["asked", "all"]
    """Share the spans that are started with shared=True, or all."""
    timeout: str | Literal[0]
    """Longest wait of one call for the engine; the span goes on without it then."""


class MetricsConfig(TypedDict, total=False):
    """Where the numbers of `client.stats()` are shown as metrics."""

    listen: str | None
    """Serve them to Prometheus at http://HOST:PORT/metrics; loopback only, port 0 takes a free one."""
    opentelemetry: bool
    """Make OpenTelemetry instruments of them, by the process's global meter provider."""


AdapterConfig = (
    ConsoleConfig
    | JaegerThriftConfig
    | KafkaConfig
    | LogConfig
    | MemoryConfig
    | MlflowConfig
    | OtelExporterConfig
    | OtlpFileConfig
    | OtlpGrpcConfig
    | OtlpHttpConfig
    | StoreConfig
    | ZipkinConfig
    | ZipkinFileConfig
    | Mapping[str, Any]
    | None
)
"""One destination: ours, or a stranger's, whose options only its package knows."""


class Config(TypedDict, total=False):
    """A whole, checked configuration."""

    file_format: str
    """Version of this file's format."""
    resource: ResourceConfig | None
    """What produces the spans."""
    trace_ids: TraceIdConfig | None
    """How your own trace IDs become wire IDs."""
    propagation: PropagationConfig | None
    """Which headers carry a trace in and out."""
    sampling: SamplingConfig | None
    """Which traces are delivered; without it, all."""
    opentelemetry: OpenTelemetryConfig | None
    """One tree with OpenTelemetry's instrumentation."""
    lifecycle: LifecycleConfig | None
    """Spans that are never ended; closing."""
    limits: LimitsConfig | None
    """How much one span may carry."""
    redaction: RedactionConfig | None
    """What is masked."""
    journal: JournalConfig | None
    """The queue before delivery."""
    open_spans: OpenSpansConfig | None
    """Spans that any process may end."""
    metrics: MetricsConfig | None
    """Where the numbers are shown as metrics."""
    adapters: Mapping[str, AdapterConfig]
    """Destinations, each under `type` or `type/name`."""
    stages: Sequence[str | Mapping[str, Any]]
    """What happens to finished spans before they are queued, in order."""
    relay: RelayConfig | None
    """Where `tracebridge relay` reads: one receiver, with its options."""
