"""Structured log lines, one a span (`spanlog/1`), for teams whose only channel is a log pipeline."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec

from tracebridge.adapter import Context, Sent
from tracebridge.record import SpanRecord
from tracebridge.settings.options import DeliveryOptions, FilePath, option
from tracebridge_adapters.formats.spanlog import ResourceChoice, encode_line
from tracebridge_adapters.wires.stream import FileWire, StandardStream

MAX_BATCH_SPANS = 1_000
DEFAULT_MAX_LINE_BYTES = 15_000  # container runtimes split lines at 16 KiB

_seq = itertools.count(1)  # one numbering for the whole process: order, and gaps, can be seen


@dataclass(frozen=True, kw_only=True)
class LogOptions(DeliveryOptions):
    """Options of the `log` adapter."""

    stream: Literal["stdout", "stderr", "file", "logger"] = option("stdout", help="Where lines go.")
    path: FilePath | None = option(None, help="The file, with stream: file; created 0600, reopened after a logrotate.")
    logger: str | None = option(None, help="The logger's name, with stream: logger.")
    profile: Literal["otel"] = option("otel", help="The names of the fields.")
    max_line_bytes: int = option(DEFAULT_MAX_LINE_BYTES, help="Longest line, in bytes.", minimum=2048)
    resource: ResourceChoice = option("always", help="Which lines carry the resource.")

    def __post_init__(self) -> None:
        """Refuse a stream without its target and a target without its stream."""
        if (self.stream == "file") != (self.path is not None):
            raise ValueError("path goes with stream: file, and stream: file needs a path")
        if (self.stream == "logger") != (self.logger is not None):
            raise ValueError("logger goes with stream: logger, and stream: logger needs a logger")


class LogAdapter:
    """Emits through structlog: finished lines to a bytes logger, or fields to a logger of the application's."""

    Options: ClassVar[type[LogOptions]] = LogOptions
    max_batch_spans = MAX_BATCH_SPANS
    max_batch_bytes: int | None = None

    def __init__(self, options: LogOptions, context: Context) -> None:  # noqa: ARG002 - the contract's signature
        self._resource: ResourceChoice = options.resource
        self._max_line_bytes = options.max_line_bytes
        self._profile = options.profile
        self._wire: FileWire | StandardStream | None = None
        self._logger_name = options.logger or ""
        if options.stream == "file":
            self._wire = FileWire(options.path or "")
        elif options.stream != "logger":
            self._wire = StandardStream(options.stream)

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line a record."""
        return b"".join(
            [
                encode_line(
                    record, next(_seq), resource=self._resource, max_bytes=self._max_line_bytes, profile=self._profile
                )
                for record in records
            ]
        )

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Emit the lines, one write each. Raises Retryable or Misconfigured when the target takes none."""
        if self._wire is None:
            logger = _application_logger(self._logger_name)
            for line in body.splitlines():
                _emit(logger, msgspec.json.decode(line))
            return Sent()
        logger = _line_logger(self._wire)
        for line in body.splitlines(keepends=True):
            logger._logger.msg(line)
        return Sent()

    def close(self) -> None:
        """Close the file; standard streams stay their owner's."""
        if self._wire is not None:
            self._wire.close()


class _LineLogger:
    """What structlog wraps: finished bytes, one line, one write."""

    def __init__(self, wire: FileWire | StandardStream) -> None:
        self._wire = wire

    def msg(self, line: bytes) -> None:
        """Write one line."""
        self._wire.write(line)


def _line_logger(wire: FileWire | StandardStream) -> Any:
    """Return a structlog logger over a wire; no processors, because a line is rendered once, in the format.

    Made anew for each batch: a bound logger that is kept escapes structlog's later reconfiguration.
    """
    import structlog

    return structlog.wrap_logger(_LineLogger(wire), processors=[]).bind()


def _application_logger(name: str) -> Any:
    """Return the application's logger: structlog's when structlog has been configured, else the standard library's."""
    import structlog

    return structlog.get_logger(name) if structlog.is_configured() else logging.getLogger(name)


def _emit(logger: Any, fields: dict[str, Any]) -> None:
    """Hand the fields over in the logger's own way, at the line's own level."""
    level = fields.pop("level")
    method = logger.error if level == "error" else logger.info
    if isinstance(logger, logging.Logger):
        text = msgspec.json.encode({"timestamp": fields.pop("timestamp"), "level": level, **fields}).decode()
        method("%s", text)
    else:
        event = fields.pop("event")
        method(event, **fields)
