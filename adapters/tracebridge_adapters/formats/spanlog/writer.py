"""Records to lines. One struct a line, encoded in one call; everything that most spans lack is set afterwards."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tracebridge.masking.printable import printable_json
from tracebridge.plugins.signing import Key
from tracebridge.records.record import UNKNOWN_SERVICE, EndCause, Kind, Resource, SpanRecord, StatusCode, Value
from tracebridge_adapters.formats.spanlog.choices import ExtraLine, ResourceChoice
from tracebridge_adapters.formats.spanlog.cut import EXCEPTION, MAX_NAME, Render, cap_names, cut_to_size, has_long_names
from tracebridge_adapters.formats.spanlog.line import END, SCHEMA, CommonLine, Level, What, rfc3339
from tracebridge_adapters.formats.spanlog.profiles import PROFILES
from tracebridge_adapters.formats.spanlog.rare import is_common, set_rare
from tracebridge_adapters.formats.spanlog.repair import repair
from tracebridge_adapters.formats.spanlog.signing import signature
from tracebridge_adapters.formats.spanlog.values import show, shown

_Source = tuple[str, Any]
"""The service, and the resource encoded."""

_RESERVED: Final = 64  # bytes that a number and its writer add at most

_NOT_REDUCED = (UnicodeEncodeError, OverflowError, TypeError)
"""What encoding raises for a record that no client made: a client reduces every value when it is handed in."""

_encode = msgspec.json.Encoder(enc_hook=str).encode
_STATUS: dict[int, Any] = {int(code): code.name.lower() for code in StatusCode}
_KINDS: dict[int, Any] = {int(kind): kind.name.lower() for kind in Kind}
_FLAGS = [f"{flags:02x}" for flags in range(256)]
_FINISHED = EndCause.FINISHED.value
_ERROR = int(StatusCode.ERROR)
_NO_RESOURCE = Resource()


class Writer:
    """Makes lines in one profile.

    `resource` says which lines carry it, `max_line_bytes` bounds a line with its newline (None: no bound), `extra_lines` are
    written besides one `span.end` a span, `project` is the cloud project that the gcp profile names in its trace; `key` signs the lines.
    """

    def __init__(
        self,
        profile: str = "otel",
        *,
        resource: ResourceChoice = "always",
        max_line_bytes: int | None = None,
        extra_lines: Collection[ExtraLine] = (),
        project: str = "",
        key: Key | None = None,
    ) -> None:
        chosen = PROFILES[profile]
        self._line: Any = chosen.line
        self._common: Any = chosen.common_line
        self._dress, self._spelling = chosen.dress, chosen.spelling
        self._resource = resource
        self._always = resource == "always"
        self._max_bytes = sys.maxsize if max_line_bytes is None else max_line_bytes - _RESERVED
        self._extra = frozenset(extra_lines)
        self._short_way = not self._extra
        self._project = project
        self._key = key
        self._known: tuple[Resource, _Source] = (_NO_RESOURCE, (UNKNOWN_SERVICE, msgspec.Raw(b"{}")))

    def encode(self, record: SpanRecord) -> bytes:
        """Return the record's lines, in the order in which things happened; never raises because of what is in it."""
        if self._short_way and is_common(record) and len(record.name) <= MAX_NAME:
            try:
                line = self._encoded(self._filled(self._common, record), record)
            except _NOT_REDUCED:
                line = b""
            if line and len(line) <= self._max_bytes:
                return line
        line = self._fitting(record, self._render)
        return line if not self._extra else b"".join(self._with_extra(record, line))

    def shared_of(self, resource: Resource) -> tuple[Any, ...] | None:
        """Return what the twin in C needs to know of a resource; None where lines of this writer are not what it makes."""
        if not self._short_way or self._common is not CommonLine or self._key is not None or resource.schema_url:
            return None
        try:
            service, attributes = _encode(resource.service_name), _encode(shown(resource.attributes))
        except _NOT_REDUCED:
            return None
        if printable_json(service + attributes) != service + attributes:
            return None
        others = attributes if self._always else b""
        return service, b"" if self._resource == "off" else attributes, others, MAX_NAME, self._max_bytes

    def numbering(self, writer: str) -> bytes:
        """Return what ends the lines of one writer in place of their brace: `line[:-2] + numbering % seq`."""
        names = [self._spelling.get(name, name).encode() for name in ("writer", "seq")]
        return b',"%b":"%b","%b":%%d}\n' % (names[0], writer.encode(), names[1])

    def _fitting(self, record: SpanRecord, render: Render) -> bytes:
        """Return the line that `render` makes of a record, cut to size where it must be."""
        counts: dict[str, int] = {}
        if (record.events or len(record.name) + len(record.status_message) > MAX_NAME) and has_long_names(record):
            record, counts["names"] = cap_names(record)
        try:
            line = render(record, counts)
        except _NOT_REDUCED:
            record = repair(record)
            line = render(record, counts)
        if len(line) > self._max_bytes:
            line = cut_to_size(record, counts, self._max_bytes, render)
        return line

    def _render(self, record: SpanRecord, counts: dict[str, int]) -> bytes:
        """Return the `span.end` line."""
        line = self._filled(self._line, record)
        if not is_common(record):
            set_rare(line, record)
        line.truncated = counts
        return self._encoded(line, record)

    def _filled(self, line: Any, record: SpanRecord) -> Any:
        """Return a line of this type with what every span has."""
        duration = record.end_time_ns - record.start_time_ns
        start, end = str(record.start_time_ns), str(record.end_time_ns)
        known, source = self._known
        service, resource = source if record.resource is known else self._source(record)
        # by position, in the order of Line's fields
        return line(
            rfc3339(end if duration >= 0 else start),
            "info" if record.status != _ERROR and record.end_cause == _FINISHED else level_of(record),
            END,
            SCHEMA,
            record.trace_id.hex(),
            record.span_id.hex(),
            UNSET if record.parent_id is None else record.parent_id.hex(),
            _FLAGS[record.flags & 0xFF],
            UNSET if record.custom_trace_id is None else record.custom_trace_id,
            service,
            record.name,
            _KINDS.get(record.kind, "unspecified"),
            rfc3339(start),
            start,
            end,
            duration / 1e6 if duration >= 0 else 0.0,
            duration if duration >= 0 else 0,
            _STATUS.get(record.status, "unset"),
            shown(record.attributes) if record.attributes else {},
            UNSET if record.inputs is None else show(record.inputs),
            UNSET if record.outputs is None else show(record.outputs),
            resource if self._always or self._carries_resource(record) else UNSET,
        )

    def _encoded(self, line: Any, record: SpanRecord) -> bytes:
        if self._key is not None and line.event == END:
            line.sign = signature(self._key, line, self._resource_on(line, record))
        if self._dress is not None:
            self._dress(line, record, self._project)
        data = _encode(line)
        return printable_json(data) + b"\n"

    @staticmethod
    def _resource_on(line: Any, record: SpanRecord) -> Any:
        """Return the resource as a reader of the line will know it."""
        if line.resource is UNSET:
            return UNSET
        return shown((record.resource if record.resource is not None else _NO_RESOURCE).attributes)

    def _carries_resource(self, record: SpanRecord) -> bool:
        return self._resource == "always" or (self._resource == "root" and record.parent_id is None)

    def _source(self, record: SpanRecord) -> _Source:
        """Return what stands for the resource. The last one is remembered, because nearly all are the same one."""
        resource = record.resource if record.resource is not None else _NO_RESOURCE
        known, source = self._known
        if known is not resource:
            encoded = msgspec.Raw(_encode(shown(resource.attributes)))
            source = resource.service_name, encoded
            self._known = (resource, source)
        return source

    # ------------------------------------------------------------------ the other lines

    def _with_extra(self, record: SpanRecord, end: bytes) -> list[bytes]:
        lines = []
        if "span.start" in self._extra:
            lines.append(self._extra_line(record, "span.start", record.start_time_ns))
        if "span.event" in self._extra:
            lines += [
                self._extra_line(
                    record, "span.event", event.time_ns, attributes=event.attributes, event_name=_short(event.name)
                )
                for event in record.events
            ]
        lines.append(end)
        if "trace.end" in self._extra and record.parent_id is None:
            lines.append(self._extra_line(record, "trace.end", record.end_time_ns, tags=record.tags))
        return lines

    def _identity(self, record: SpanRecord, what: What, time_ns: int, level: Level) -> Any:
        """Return a line that says which span it is about, and no more."""
        start = str(record.start_time_ns)
        return self._line(
            rfc3339(str(time_ns)),
            level,
            what,
            SCHEMA,
            record.trace_id.hex(),
            record.span_id.hex(),
            UNSET if record.parent_id is None else record.parent_id.hex(),
            _FLAGS[record.flags & 0xFF],
            UNSET if record.custom_trace_id is None else record.custom_trace_id,
            self._source(record)[0],
            record.name,
            _KINDS.get(record.kind, "unspecified"),
            rfc3339(start),
            start,
        )

    def _extra_line(
        self,
        record: SpanRecord,
        what: ExtraLine,
        time_ns: int,
        *,
        attributes: dict[str, Value] | None = None,
        event_name: str | UnsetType = UNSET,
        tags: dict[str, str] | None = None,
    ) -> bytes:
        """Return a line that tells a part of what the `span.end` line tells; no reader makes a span of it."""

        def render(told: SpanRecord, counts: dict[str, int]) -> bytes:
            failed = event_name == EXCEPTION or (what == "trace.end" and told.status == _ERROR)
            line = self._identity(told, what, time_ns, "error" if failed else "info")
            line.event_name = event_name
            line.attributes, line.tags, line.truncated = shown(told.attributes), told.tags, counts
            if what == "trace.end":
                line.end_time_unix_nano = str(told.end_time_ns)
                line.duration_ns, line.duration_ms = told.duration_ns, told.duration_ns / 1e6
                line.span_status, line.status_message = _STATUS.get(told.status, "unset"), told.status_message
            return self._encoded(line, told)

        part = replace(
            record, attributes=attributes or {}, events=(), links=(), inputs=None, outputs=None, tags=tags or {}
        )
        return self._fitting(part, render)


def level_of(record: SpanRecord) -> Level:
    """Return a line's level: `error` when the status is, `warning` when the span was closed unended."""
    return "error" if record.status == _ERROR else "info" if record.end_cause == _FINISHED else "warning"


def _short(name: str) -> str:
    """Return an event's name as a line can carry it."""
    return name[:MAX_NAME].encode("utf-8", "backslashreplace").decode()
