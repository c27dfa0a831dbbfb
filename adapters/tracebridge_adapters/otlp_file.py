"""OTLP JSON lines in a file: one TracesData a line, as the Collector's file exporter writes and its receiver reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tracebridge.plugins.adapter import Context
from tracebridge_adapters.json_file import JsonFileAdapter, JsonFileOptions


@dataclass(frozen=True, kw_only=True)
class OtlpFileOptions(JsonFileOptions):
    """Options of the `otlp_file` adapter."""


class OtlpFileAdapter(JsonFileAdapter):
    """Appends one line a batch (OpenTelemetry specification, OTLP file exporter)."""

    Options: ClassVar[type[OtlpFileOptions]] = OtlpFileOptions

    def __init__(self, options: OtlpFileOptions, context: Context) -> None:
        from tracebridge_adapters.formats.otlp import json

        super().__init__(json.encode, options, context)
