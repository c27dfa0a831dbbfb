"""A span of OpenTelemetry's, as far as we look at it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Stranger(NamedTuple):
    """A span that OpenTelemetry made, by its IDs (hex), its flags, and its resource where it tells."""

    trace_id: str
    span_id: str
    flags: int
    resource: dict[str, Any]
