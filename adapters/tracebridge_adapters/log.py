"""Structured log lines, one a span (`spanlog/1`), for teams whose only channel is a log pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import DeliveryOptions, FilePath, Secret, option
from tracebridge.plugins.signing import Key
from tracebridge_adapters.formats.spanlog.choices import ExtraLine, ProfileName, ResourceChoice

if TYPE_CHECKING:
    from tracebridge.records.record import SpanRecord
    from tracebridge_adapters.wires.loggers import Emit
    from tracebridge_adapters.wires.stream import FileWire, StandardStream

MAX_BATCH_SPANS = 1_000
DEFAULT_MAX_LINE_BYTES = 15_000  # container runtimes split lines at 16 KiB
MIN_LINE_BYTES = 4_096  # what is never cut fits in (in otlp_json: but for an ID of control characters), and a pipe takes as much in one piece


@dataclass(frozen=True, kw_only=True)
class SignOptions:
    """The key that signs lines, for `tracebridge replay --verify`."""

    key: Secret = option(
        help="The key, 32 characters or more, the same where lines are verified; from the environment.",
        examples=["${env:SPAN_LINE_KEY}"],
    )
    id: str = option(
        "1", help="The key's name, which stands on each line: a new one for a new key.", examples=["2026-11"]
    )

    def __post_init__(self) -> None:
        """Refuse a key that cannot be used."""
        Key(self.id, self.key.reveal())


@dataclass(frozen=True, kw_only=True)
class LogOptions(DeliveryOptions):
    """Options of the `log` adapter."""

    stream: Literal["stdout", "stderr", "file", "logger", "structlog"] = option("stdout", help="Where lines go.")
    path: FilePath | None = option(
        None,
        help="The file, with stream: file; created 0600, reopened after a logrotate.",
        examples=["./spans.log"],
    )
    logger: str | None = option(
        None,
        help="With stream: logger, the standard logger's name; with stream: structlog, a name for get_logger or `module:logger`.",
        examples=("spans", "myapp.logs:span_logger"),
    )
    profile: ProfileName = option(
        "otel",
        help="Whose names the fields have: OpenTelemetry's, Elastic's (ECS), Datadog's or Google Cloud's; or lines of OTLP JSON.",
    )
    project: str | None = option(
        None, help="The Google Cloud project that profile: gcp names in its traces.", examples=["my-project"]
    )
    resource: ResourceChoice = option(
        "always",
        help="Which lines carry the resource, the name of the service and the like: every one, those of roots, or none.",
    )
    max_line_bytes: int = option(DEFAULT_MAX_LINE_BYTES, help="Longest line, in bytes.", minimum=MIN_LINE_BYTES)
    extra_lines: list[ExtraLine] = option(factory=list, help="Lines besides the one that every finished span gets.")
    sign: SignOptions | None = option(
        None,
        help="Sign every line, so that `replay --verify` knows it for ours.",
        examples=[{"id": "2026-11", "key": "${env:SPAN_LINE_KEY}"}],
    )

    def __post_init__(self) -> None:
        """Refuse a stream without its target and a target without its stream."""
        if (self.stream == "file") != (self.path is not None):
            raise ValueError("path goes with stream: file, and stream: file needs a path")
        if self.stream == "logger" and self.logger is None:
            raise ValueError("stream: logger needs a logger")
        if self.logger is not None and self.stream not in ("logger", "structlog"):
            raise ValueError("logger goes with stream: logger or stream: structlog")
        if self.project is not None and self.profile != "gcp":
            raise ValueError("project goes with profile: gcp")
        if self.sign is not None and self.profile == "otlp_json":
            raise ValueError("sign does not go with profile: otlp_json, whose spans stand in a form of OpenTelemetry's")


class LogAdapter:
    """Writes finished lines, or emits their fields through a logger of the application's: structlog's or the standard library's."""

    Options: ClassVar[type[LogOptions]] = LogOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None
    takes_encoded = True

    def __init__(self, options: LogOptions, context: Context) -> None:
        import secrets

        from tracebridge_adapters.encoders import span_lines
        from tracebridge_adapters.formats.files.spanlog_writers import writer_of

        self._writer = writer_of(
            options.profile,
            trace_id_attribute=context.trace_id_attribute,
            resource=options.resource,
            max_line_bytes=options.max_line_bytes,
            extra_lines=options.extra_lines,
            project=options.project or "",
            key=None if options.sign is None else Key(options.sign.id, options.sign.key.reveal()),
        )
        self._encode = span_lines(self._writer)
        self._numbering = self._writer.numbering(secrets.token_hex(4))
        self._lock = threading.Lock()  # with max_in_flight above 1: numbers are given in the order of the lines
        self._seq = 0
        self._begun: tuple[bytes, int] = (b"", 0)
        self._wire, self._emitter = _target(options)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line a record, and the extra lines that were asked for."""
        return self._encode(records)

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Number the lines and emit them, one write each. Raises Retryable or Misconfigured when the target takes none.

        A body that comes again goes on where it stopped. Numbers are given here and not in `encode`, so that a line
        that was never written leaves no gap.
        """
        with self._lock:
            begun, done = self._begun
            if begun is not body:
                done = 0
            emit, numbering = self._emitter(), self._numbering
            try:
                for line in body.splitlines(keepends=True)[done:]:
                    emit(line[:-2] + numbering % (self._seq + 1))
                    self._seq += 1
                    done += 1
            except BaseException:
                self._begun = (body, done)
                raise
            self._begun = (b"", 0)
        return Sent()

    def close(self) -> None:
        """Close the file; standard streams and loggers stay their owner's."""
        if self._wire is not None:
            self._wire.close()


def _target(options: LogOptions) -> tuple[FileWire | StandardStream | None, Callable[[], Emit]]:
    """Return the wire, if there is one, and what makes an emitter; it is asked anew for each batch.

    A bound logger that was kept would escape the application's later configuration, and structlog's `capture_logs`.
    """
    from tracebridge_adapters.wires.loggers import logging_emitter, structlog_emitter
    from tracebridge_adapters.wires.stream import FileWire, StandardStream

    if options.stream == "logger":
        return None, lambda: logging_emitter(options.logger or "")
    if options.stream == "structlog":
        import structlog  # noqa: F401 - what emitting imports; see `Adapter` for why it is imported here

        as_text = options.profile in TEXT_PROFILES
        return None, lambda: structlog_emitter(options.logger, as_text=as_text)
    wire = FileWire(options.path or "") if options.stream == "file" else StandardStream(options.stream)
    return wire, lambda: wire.write


TEXT_PROFILES = frozenset(["ecs", "gcp", "otlp_json"])
"""Profiles that go to structlog as one text: `message` is a name that `logging` keeps for itself, and resourceSpans must stand first."""
