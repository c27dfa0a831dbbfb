"""Names under which OpenTelemetry has a span told in systems that have no field for it.

Source: OpenTelemetry specification, "Mapping to non-OTLP formats", and "Propagating context" for `w3c.tracestate`.
"""

from __future__ import annotations

from typing import Final

STATUS_KEY: Final = "otel.status_code"
STATUS_MESSAGE_KEY: Final = "otel.status_description"
ERROR_KEY: Final = "error"
TRACE_STATE_KEY: Final = "w3c.tracestate"
SCOPE_NAME: Final = "otel.scope.name"
SCOPE_VERSION: Final = "otel.scope.version"
DROPPED: Final = {
    "dropped_attributes": "otel.dropped_attributes_count",
    "dropped_events": "otel.dropped_events_count",
    "dropped_links": "otel.dropped_links_count",
}
"""By the field of a record that holds the number."""
OWN_SCOPE_NAME: Final = "tracebridge"
