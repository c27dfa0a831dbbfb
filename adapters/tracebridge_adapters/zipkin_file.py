"""Zipkin v2 JSON in a file: one array a line, each of which a Zipkin server takes as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tracebridge.plugins.adapter import Context
from tracebridge.plugins.options import FilePath, option
from tracebridge_adapters.json_file import JsonFileAdapter, JsonFileOptions


@dataclass(frozen=True, kw_only=True)
class ZipkinFileOptions(JsonFileOptions):
    """Options of the `zipkin_file` adapter."""

    path: FilePath = option("./zipkin.jsonl", help="The file; created 0600, appended to.")


class ZipkinFileAdapter(JsonFileAdapter):
    """Appends one line a batch."""

    Options: ClassVar[type[ZipkinFileOptions]] = ZipkinFileOptions

    def __init__(self, options: ZipkinFileOptions, context: Context) -> None:
        from tracebridge_adapters.formats.zipkin import json

        super().__init__(json.encode, options, context)
