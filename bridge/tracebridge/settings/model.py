"""The whole configuration as frozen values: one class per top-level key of the YAML file."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tracebridge.masking.known import KnownSecrets, secrets_of_address
from tracebridge.masking.patterns import masker
from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.options import (
    Age,
    AttributeValue,
    DeliveryOptions,
    Duration,
    EngineName,
    FilePath,
    Function,
    HeaderFormatName,
    IdScheme,
    Location,
    PrivateUrl,
    Secret,
    Size,
    option,
)
from tracebridge.plugins.stage import StageOptions
from tracebridge.settings.sampling import SamplingSettings

if TYPE_CHECKING:  # only a relay has one
    from tracebridge.plugins.receiver import ReceiverOptions


@dataclass(frozen=True, kw_only=True)
class ResourceSettings:
    """What produces the spans."""

    attributes: dict[str, AttributeValue] = option(
        factory=dict,
        help="OpenTelemetry resource attributes of every span; service.name first of all.",
        examples=[{"service.name": "checkout"}],
    )

    def __post_init__(self) -> None:
        """Refuse a service name that no system would show."""
        name = self.attributes.get("service.name", "-")
        if not isinstance(name, str) or not name:
            raise ValueError("attributes.service.name must be text with something in it; put it in quotes")


@dataclass(frozen=True, kw_only=True)
class TraceIdSettings:
    """How the caller's own trace IDs become wire IDs."""

    scheme: IdScheme = option(
        "auto",
        help="How a trace ID is read: auto recognises unambiguous forms and hashes the rest, any other name one form.",
        examples=["hash", "uuid", "datadog"],
    )
    span_scheme: IdScheme = option(
        "auto", help="How your own span IDs are read; a scheme that has a form of 8 bytes.", examples=["hash", "hex"]
    )
    generate: Function | None = option(
        None,
        help="Makes the ID of each new trace that is given none: called as f(name, attributes), returns text.",
        examples=["shop.tracing:new_trace_id"],
    )
    max_bits: Literal[128, 64] = option(
        128, help="With 64, for Zipkin and Jaeger of old, trace IDs are cut to their last 16 hex digits."
    )
    attribute: str = option(DEFAULT_TRACE_ID_ATTRIBUTE, help="Attribute under which the original text travels.")
    on_duplicate: Literal["error", "join"] = option(
        "error", help="A custom ID that is open already: refuse it, or add another root to that trace."
    )

    def __post_init__(self) -> None:
        """Refuse a scheme of trace IDs for spans."""
        from tracebridge.plugins.registry import AUTO_SCHEME, ID_SCHEMES, load

        if self.span_scheme != AUTO_SCHEME and getattr(load(ID_SCHEMES, self.span_scheme), "derive_span", None) is None:
            raise ValueError(
                "span_scheme must have a form of 8 bytes, as hex, decimal, snowflake, datadog and hash have"
            )


@dataclass(frozen=True, kw_only=True)
class PropagationSettings:
    """Which headers carry a trace into this process and out of it."""

    extract: list[HeaderFormatName] = option(
        factory=lambda: ["tracecontext", "baggage"],
        help="Header formats that are read; the first one that names a parent span wins.",
        examples=[["tracecontext", "baggage", "b3", "uber"]],
    )
    inject: list[HeaderFormatName] = option(
        factory=lambda: ["tracecontext", "baggage"],
        help="Header formats that are written, all of them each time: this is how a migration runs.",
        examples=[["tracecontext", "baggage", "b3"]],
    )
    correlation_header: str = option(
        "X-Request-ID", help="The header of the format correlation, which carries your own trace ID as it is."
    )
    unsampled: Literal["drop", "record"] = option(
        "drop",
        help="Spans of a trace that the caller decided not to sample: count and drop them, or deliver them all the same.",
    )

    def __post_init__(self) -> None:
        """Refuse a header that no request could have, and formats named twice."""
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", self.correlation_header):
            raise ValueError("correlation_header must be the name of an HTTP header, such as X-Request-ID")
        for key in ("extract", "inject"):
            names = getattr(self, key)
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names a format twice; its order is its precedence, so name each once")


@dataclass(frozen=True, kw_only=True)
class OpenTelemetrySettings:
    """How this process's own OpenTelemetry, if it has any, goes together with tracebridge."""

    current_span: Literal["shared", "separate"] = option(
        "shared", help="Whether a span that is current here is the parent of what OpenTelemetry starts meanwhile."
    )


@dataclass(frozen=True, kw_only=True)
class LifecycleSettings:
    """How spans that are never ended are treated, and how the client closes."""

    strict: bool = option(False, help="Raise on every misuse, such as the end of an unknown span.")
    max_open: Duration = option(3600.0, help="A span open longer than this is reported as a leak.", minimum=0.001)
    on_leak: Literal["report", "close"] = option("report", help="Report a leaked span, or also close it.")
    late_children: Duration = option(
        30.0, help="How long children may outlive their root; 0s closes them with it.", minimum=0
    )
    shutdown_timeout: Duration = option(5.0, help="Longest time close() and process exit deliver.", minimum=0)
    flush_on_sigterm: bool = option(
        False, help="On SIGTERM, deliver for at most shutdown_timeout before the signal takes its course."
    )


@dataclass(frozen=True, kw_only=True)
class LimitsSettings:
    """How much one span may carry; what is over is cut or left out, and counted."""

    attribute_count_limit: int = option(
        128, help="Most attributes of a span; further ones are left out and counted.", minimum=1
    )
    attribute_value_length_limit: int = option(65536, help="Longest text of an attribute, in characters.", minimum=16)
    payload_length_limit: Size = option(2**20, help="Most that inputs or outputs may weigh.", minimum=64)
    event_count_limit: int = option(128, help="Most events of a span.", minimum=0)
    link_count_limit: int = option(128, help="Most links of a span.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class RedactionSettings:
    """Which values are masked before anything is queued."""

    keys: Literal["default", "none"] = option("default", help="Mask values under keys that name secrets.")
    deny_keys: list[str] = option(
        factory=list, help="More keys whose values are masked; upper and lower case are the same.", examples=[["ssn"]]
    )
    allow_keys: list[str] = option(
        factory=list,
        help="Keys whose values are never masked, although their names look like those of secrets.",
        examples=[["session_token_count"]],
    )
    deny_values: list[str] = option(
        factory=list,
        help="Mask text that matches: card (payment cards), jwt, or a regular expression (in linear time with tracebridge[re2]).",
        examples=[["card", "jwt"]],
    )
    action: Literal["mask", "drop"] = option("mask", help="Replace the value, or leave the whole attribute out.")

    def __post_init__(self) -> None:
        """Refuse patterns that cannot be compiled, and those that could take exponential time."""
        for i, pattern in enumerate(self.deny_values):
            try:
                masker(pattern)
            except ValueError as error:
                raise ValueError(f"deny_values[{i}]: {error}") from None


MEMORY_JOURNAL = 64 * 2**20  # bytes
DISK_JOURNAL = 512 * 2**20  # bytes
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SMALLEST_DISK_JOURNAL = 2**20  # bytes


@dataclass(frozen=True, kw_only=True)
class UnclaimedSettings:
    """What waits in the journal's directory for adapters that this configuration does not name."""

    max_age: Age = option(
        math.inf, help="Drop what ended longer ago, counted under the adapter's name.", examples=["30d"], minimum=1
    )
    max_bytes: Size | None = option(
        None, help="Drop the oldest of it when it takes more than this; without it, it waits.", examples=["1GiB"]
    )


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The queue between finished spans and delivery: in memory, or on disk where it survives the process."""

    directory: FilePath | None = option(
        None,
        help="Keep the journal in this folder, so that spans survive crashes and restarts; without it, in memory.",
        examples=["./spans"],
    )
    max_bytes: Size | None = option(
        None,
        help="Most that the journal of one process may hold: 64MiB in memory and 512MiB on disk when not given.",
        examples=["512MiB"],
        minimum=4096,
    )
    on_full: Literal["drop_oldest", "block"] = option(
        "drop_oldest", help="When full: forget the oldest for the adapters that lag, or make the caller wait first."
    )
    block_timeout: Duration = option(1.0, help="Longest wait of one call with on_full: block.", minimum=0)
    max_directory_bytes: Size | None = option(
        None,
        help="Most that the whole folder may hold: above it, what dead processes left is dropped, the oldest first; without it, no bound.",
        examples=["8GiB"],
        minimum=SMALLEST_DISK_JOURNAL,
    )
    unclaimed: UnclaimedSettings = option(
        factory=UnclaimedSettings, help="What waits there for adapters that this configuration does not name."
    )
    fsync: Literal["never", "interval", "always"] = option(
        "interval",
        help="On disk, what a power loss can cost: all that the system had not written; one second; or nothing, but each end waits for the disk.",
    )

    def __post_init__(self) -> None:
        """Refuse a journal on disk that could not hold its own segments."""
        if self.directory is not None and self.max_bytes is not None and self.max_bytes < SMALLEST_DISK_JOURNAL:
            raise ValueError("max_bytes must be at least 1MiB with directory")

    @property
    def bound(self) -> int:
        """`max_bytes`, or its default."""
        return self.max_bytes or (MEMORY_JOURNAL if self.directory is None else DISK_JOURNAL)


@dataclass(frozen=True, kw_only=True)
class OpenSpansSettings:
    """Spans that any process may change and end by their IDs."""

    engine: EngineName | None = option(
        None,
        help="Where shared spans are kept while they are open: directory (one host), redis, postgresql; without it no span is shared.",
        examples=["directory", "redis"],
    )
    url: Location | None = option(
        None,
        help="The engine's folder or address: ./open-spans, redis://host:6379/0, postgresql://user@host/database.",
        examples=["./open-spans", "redis://localhost:6379/0"],
    )
    share: Literal["asked", "all"] = option("asked", help="Share the spans that are started with shared=True, or all.")
    timeout: Duration = option(
        1.0, help="Longest wait of one call for the engine; the span goes on without it then.", minimum=0.01
    )


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Where the numbers of `client.stats()` are shown as metrics."""

    listen: str | None = option(
        None,
        help="Serve them to Prometheus at http://HOST:PORT/metrics; loopback only, port 0 takes a free one.",
        examples=["127.0.0.1:9464"],
    )
    opentelemetry: bool = option(
        False, help="Make OpenTelemetry instruments of them, by the process's global meter provider."
    )

    def __post_init__(self) -> None:
        """Refuse an address that cannot be one of this machine alone."""
        if self.listen is not None and (self.address[0] not in LOOPBACK or not 0 <= self.address[1] < 65_536):
            raise ValueError("listen must be a loopback address with a port, such as 127.0.0.1:9464")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`; port -1 when it has none."""
        host, _, port = (self.listen or "").rpartition(":")
        return host.strip("[]"), int(port) if port.isascii() and port.isdecimal() else -1


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """One destination."""

    name: str
    """The key in the file: `zipkin` or `otlp_http/main`."""
    type: str
    """The part before the slash: an entry point of `tracebridge.adapters`."""
    options: DeliveryOptions
    files: tuple[str, ...] = ()
    """Files that options came from, such as `${file:/run/secrets/token}`."""
    reread: Callable[[], Settings] | None = field(default=None, repr=False, compare=False)
    """Reads the same configuration again, with what these files hold now. Raises ConfigError."""


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """One stage."""

    name: str
    """The key in the file: `redact_customer` or `redact_customer/second`."""
    type: str
    """The part before the slash: an entry point of `tracebridge.stages`."""
    options: StageOptions


@dataclass(frozen=True, kw_only=True)
class ReceiverSettings:
    """Where `tracebridge relay` reads."""

    type: str
    """The key in the file: an entry point of `tracebridge.receivers`."""
    options: ReceiverOptions


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A whole, checked configuration."""

    file_format: str = option("1.0", help="Version of this file's format.")
    resource: ResourceSettings = option(factory=ResourceSettings, help="What produces the spans.")
    trace_ids: TraceIdSettings = option(factory=TraceIdSettings, help="How your own trace IDs become wire IDs.")
    propagation: PropagationSettings = option(
        factory=PropagationSettings, help="Which headers carry a trace in and out."
    )
    sampling: SamplingSettings | None = option(None, help="Which traces are delivered; without it, all.")
    opentelemetry: OpenTelemetrySettings = option(
        factory=OpenTelemetrySettings, help="One tree with OpenTelemetry's instrumentation."
    )
    lifecycle: LifecycleSettings = option(factory=LifecycleSettings, help="Spans that are never ended; closing.")
    limits: LimitsSettings = option(factory=LimitsSettings, help="How much one span may carry.")
    redaction: RedactionSettings = option(factory=RedactionSettings, help="What is masked.")
    journal: JournalSettings = option(factory=JournalSettings, help="The queue before delivery.")
    open_spans: OpenSpansSettings = option(factory=OpenSpansSettings, help="Spans that any process may end.")
    metrics: MetricsSettings = option(factory=MetricsSettings, help="Where the numbers are shown as metrics.")
    adapters: Mapping[str, AdapterSettings] = field(default_factory=dict)
    stages: Sequence[StageSettings] = ()
    relay: ReceiverSettings | None = None
    """Where `tracebridge relay` reads; other programs pass it over."""
    disabled: bool = False
    """True when OTEL_SDK_DISABLED switches tracing off."""

    def __post_init__(self) -> None:
        """Have the secrets in here masked in every foreign text, as long as these settings live."""
        object.__setattr__(self, "_known_secrets", KnownSecrets(_secrets_in(self)))


def _secrets_in(value: Any) -> Iterator[str]:
    """Yield every secret in options of any kind, those in addresses too."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, PrivateUrl):
        yield from secrets_of_address(value)
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _secrets_in(getattr(value, each.name))
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets_in(item)
