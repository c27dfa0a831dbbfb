"""What can be chosen about span lines; apart from their writer, so that reading a configuration does not load it."""

from __future__ import annotations

from typing import Literal

ProfileName = Literal["otel", "ecs", "datadog", "gcp", "otlp_json"]
ResourceChoice = Literal["always", "root", "off"]
ExtraLine = Literal["span.start", "span.event", "trace.end"]
