"""The writer of each profile of span lines, without what reads them."""

from __future__ import annotations

from typing import Any

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge_adapters.formats.spanlog.choices import ProfileName
from tracebridge_adapters.formats.spanlog.writer import Writer


def writer_of(profile: ProfileName, *, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE, **choices: Any) -> Writer:
    """Return the writer of a profile; `choices` are those of `Writer`."""
    if profile == "otlp_json":
        from tracebridge_adapters.formats.files.spanlog_otlp import OtlpWriter

        return OtlpWriter(trace_id_attribute=trace_id_attribute, **choices)
    return Writer(profile, **choices)
