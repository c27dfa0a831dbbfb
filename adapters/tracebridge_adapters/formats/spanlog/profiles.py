"""Profiles: the same line under the names that a log store knows.

A profile is a spelling of `Line`'s fields plus a few fields that the store derives from others. Where the names come from is
said, with dates, in docs/logs.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tracebridge.records.record import SpanRecord
from tracebridge_adapters.formats.spanlog.line import CommonLine, Line

Dress = Callable[[Any, SpanRecord, str], None]
"""Fill the derived fields of a line: its line, its record, the cloud project."""


class Profile:
    """One spelling of a line. `derived` maps an attribute's name to its spelling, type and default.

    The types are made when they are asked for: making those of every profile takes longer than importing any format.
    """

    def __init__(
        self,
        name: str,
        spelling: Mapping[str, str],
        dress: Dress | None,
        derived: Mapping[str, tuple[str, Any, Any]],
    ) -> None:
        self.spelling, self.dress = spelling, dress
        """Spelled names of `Line`'s fields where they differ; what fills the fields that are derived from others."""
        self._name, self._derived = name, derived

    @cached_property
    def line(self) -> Any:
        """The type of a line: the fields, spelled, and the derived ones after them."""
        return self._spelled(Line)

    @cached_property
    def common_line(self) -> Any:
        """The same for a span that has nothing out of the ordinary."""
        return self._spelled(CommonLine)

    def _spelled(self, struct: type[CommonLine]) -> Any:
        names = {**self.spelling, **{own: spelled for own, (spelled, _, _) in self._derived.items()}}
        if not names:
            return struct
        fields: list[Any] = []
        for field in msgspec.structs.fields(struct):
            kind = _OTHER_TYPES.get(names.get(field.name, ""), field.type)
            fields.append((field.name, kind) if field.required else (field.name, kind, default_of(field)))
        fields += [(own, kind, default) for own, (_, kind, default) in self._derived.items()]
        known = {own: names[own] for own, *_ in fields if own in names}
        return msgspec.defstruct(self._name, fields, rename=known, omit_defaults=True)


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """Return a field's default as `defstruct` takes it."""
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return msgspec.field(default_factory=field.default_factory)


# ---------------------------------------------------------------------- ecs

ECS_VERSION: Final = "8.17.0"
_ECS_NAMES: Final = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "event": "event.action",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "parent_span_id": "parent.id",
    "service": "service.name",
    "span_name": "message",
    "start_time": "event.start",
    "duration_ns": "event.duration",
    "attributes": "labels",
    "error_type": "error.type",
    "error_message": "error.message",
    "error_stack": "error.stack_trace",
}
ECS_PREFIX: Final = "spanlog."
"""ECS asks for a name of one's own before fields that it does not have."""
_OUTCOMES = {"ok": "success", "error": "failure", "unset": "unknown"}
_LABELS = (str, int, float, bool)


def _dress_ecs(line: Any, record: SpanRecord, _: str) -> None:
    line.ecs_version = ECS_VERSION
    if line.span_status is not UNSET:
        line.event_outcome = _OUTCOMES[line.span_status]
    if record.parent_id is None:
        line.transaction_id = line.span_id
    labels = {key: value for key, value in line.attributes.items() if isinstance(value, _LABELS)}
    if len(labels) < len(line.attributes):  # labels hold no nested objects
        line.other_attributes = {key: value for key, value in line.attributes.items() if key not in labels}
        line.attributes = labels


# ---------------------------------------------------------------------- datadog

_DATADOG_NAMES: Final = {
    "duration_ns": "duration",
    "error_type": "error.kind",
    "error_message": "error.message",
    "error_stack": "error.stack",
}
_LOW_64_BITS = 2**64 - 1


def _dress_datadog(line: Any, record: SpanRecord, _: str) -> None:
    line.dd_trace_id = str(int.from_bytes(record.trace_id, "big") & _LOW_64_BITS)
    line.dd_span_id = str(int.from_bytes(record.span_id, "big"))
    line.dd_service = line.service
    attributes = record.resource.attributes if record.resource is not None else {}
    line.dd_env = _text(attributes.get("deployment.environment.name") or attributes.get("deployment.environment"))
    line.dd_version = _text(attributes.get("service.version"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


# ---------------------------------------------------------------------- gcp

GCP_TRACE: Final = "logging.googleapis.com/trace"
_GCP_NAMES: Final = {
    "timestamp": "time",
    "level": "severity",
    "span_name": "message",
    "trace_id": GCP_TRACE,
    "span_id": "logging.googleapis.com/spanId",
}


def _dress_gcp(line: Any, record: SpanRecord, project: str) -> None:
    line.level = line.level.upper()
    if project:
        line.trace_id = f"projects/{project}/traces/{line.trace_id}"
    line.trace_sampled = bool(record.flags & 1)


_OTHER_TYPES: Final[dict[str, Any]] = {
    "severity": Literal["INFO", "WARNING", "ERROR"],
    GCP_TRACE: Annotated[str, Meta(pattern="^(projects/[^/]+/traces/)?[0-9a-f]{32}$")],
}

PROFILES: Final[Mapping[str, Profile]] = {
    "otel": Profile("Line", {}, None, {}),
    "ecs": Profile(
        "EcsLine",
        {name: _ECS_NAMES.get(name, ECS_PREFIX + name) for name in Line.__struct_fields__},
        _dress_ecs,
        {
            "other_attributes": ("spanlog.attributes", dict[str, Any] | UnsetType, UNSET),
            "transaction_id": ("transaction.id", str, ""),
            "event_outcome": ("event.outcome", Literal["success", "failure", "unknown"] | UnsetType, UNSET),
            "ecs_version": ("ecs.version", str, ""),
        },
    ),
    "datadog": Profile(
        "DatadogLine",
        _DATADOG_NAMES,
        _dress_datadog,
        {
            "dd_trace_id": ("dd.trace_id", str, ""),
            "dd_span_id": ("dd.span_id", str, ""),
            "dd_service": ("dd.service", str, ""),
            "dd_env": ("dd.env", str, ""),
            "dd_version": ("dd.version", str, ""),
        },
    ),
    "gcp": Profile(
        "GcpLine",
        _GCP_NAMES,
        _dress_gcp,
        {"trace_sampled": ("logging.googleapis.com/trace_sampled", bool | UnsetType, UNSET)},
    ),
}  # fmt: skip
