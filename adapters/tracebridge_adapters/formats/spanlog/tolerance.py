"""Span lines that a shipper rewrote: only what a span cannot be without is required, everything else is taken as it can be.

Filebeat and Logstash add `tags` of their own, Lua makes `74105.0` of an integer, syslog-ng's json-parser makes every value text, and some
write null for what is absent. A field that is not as it was written is read in the nearest way, or left out; each is named, to be counted in the record's `repaired`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tracebridge_adapters.formats.spanlog.line import END, EventFields, Line, LinkFields
from tracebridge_adapters.formats.spanlog.values import BYTES, OBJECT, NoBase64Error, from_base64

_TYPES: Final[Mapping[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(Line)}
_PARTS: Final[Mapping[str, Any]] = {"events": EventFields, "links": LinkFields}
_TIMES: Final = ("start_time_unix_nano", "end_time_unix_nano")
_HAPPENED: Final = ("span.end", "span.start", "span.event", "trace.end")
_NANO: Final = 10**9
_DEFAULTS: Final = {"span_name": "", "span_kind": "unspecified", "span_status": "unset"}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def fitted(named: Mapping[str, Any]) -> tuple[Line, list[str]]:
    """Return the line that these fields are, and the names of those that were not as they were written.

    Raises ValueError where an ID, or every time, is missing or cannot be told.
    """
    fields: dict[str, Any] = {}
    odd: list[str] = []
    for name, value in named.items():
        if name not in _TYPES:
            continue
        read = _exact(name, value)
        if read is None:
            odd.append(name)
            read = _nearest(name, value)
        if read is not None:
            fields[name] = read
    fields["event"] = _happened(named.get("event"), fields)
    if fields["event"] == END:
        _complete(fields, odd)
    try:
        line = msgspec.convert(fields, Line)
    except msgspec.ValidationError as error:  # an ID, or the schema
        raise ValueError(str(error)) from error
    return line, odd


def _exact(name: str, value: Any) -> Any:
    """Return a value that is as the writer writes it; None for any other."""
    try:
        msgspec.convert(value, _TYPES[name])
    except (msgspec.ValidationError, RecursionError):
        return None
    return value


def _nearest(name: str, value: Any) -> Any:
    """Return what a value must have been; None where that cannot be told."""
    if value is None:
        return None
    if name in _PARTS:
        return _parts(_PARTS[name], _json(value))
    for other in _readings(value):
        read = _exact(name, other)
        if read is not None:
            return read
    try:
        return msgspec.to_builtins(msgspec.convert(value, _TYPES[name], strict=False))
    except (msgspec.ValidationError, RecursionError):
        return None


def _readings(value: Any) -> list[Any]:
    """Return other ways to read a value, the likeliest first."""
    if isinstance(value, float) and value.is_integer():
        return [int(value), str(int(value))]
    if isinstance(value, bool):
        return [int(value)]
    if isinstance(value, int):
        return [str(value), bool(value)]
    if isinstance(value, str):
        return [value.lower(), _json(value)]
    return []


def _json(value: Any) -> Any:
    """Return what a text says as JSON, or the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return value


def _parts(kind: Any, given: Any) -> list[Any] | None:
    """Return those of a list that are whole."""
    out = []
    for each in given if isinstance(given, list) else ():
        try:
            out.append(msgspec.to_builtins(msgspec.convert(each, kind, strict=False)))
        except (msgspec.ValidationError, RecursionError):
            continue
    return out


def _happened(given: Any, fields: Mapping[str, Any]) -> str:
    """Return what the line tells; a field that a shipper put something else into is told by what stands beside it."""
    if given in _HAPPENED:
        return str(given)
    return END if "span_status" in fields or "end_time_unix_nano" in fields else "span.start"


def _complete(fields: dict[str, Any], odd: list[str]) -> None:
    """Put in what a span needs and the line lacks. Raises ValueError when no time is told."""
    start, end = (_nanos(fields.get(name)) for name in _TIMES)
    if start is None:
        start = _instant(fields.get("start_time"))
    duration = fields.get("duration_ns")
    if end is None and start is not None:
        end = start + duration if isinstance(duration, int) else None
    if start is None and end is not None:
        start = end - duration if isinstance(duration, int) else None
    start, end = (end if start is None else start), (start if end is None else end)
    if start is None or end is None:
        raise ValueError("neither a start nor an end that can be read")
    for name, value in zip(_TIMES, (str(start), str(end)), strict=True):
        if fields.get(name) != value:
            fields[name] = value
            odd += [name] if name not in odd else []
    for name, default in _DEFAULTS.items():
        if name not in fields:
            fields[name] = default
            odd += [name] if name not in odd else []


def _nanos(text: Any) -> int | None:
    return int(text) if isinstance(text, str) else None


def _instant(text: Any) -> int | None:
    """Return nanoseconds from RFC 3339 with any number of digits; None for anything else."""
    if not isinstance(text, str):
        return None
    whole, dot, rest = text.removesuffix("Z").partition(".")
    try:
        since = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC) - _EPOCH
        return (since.days * 86_400 + since.seconds) * _NANO + (int(rest.ljust(9, "0")[:9]) if dot else 0)
    except ValueError:
        return None


def without_broken_bytes(given: Any, odd: list[str]) -> Any:
    """Return a JSON value in which bytes that are not base64 are the text that stands there; each adds `$base64` to `odd`."""
    if isinstance(given, list):
        return [without_broken_bytes(each, odd) for each in given]
    if not isinstance(given, dict):
        return given
    own = given.get(OBJECT) if len(given) == 1 else None
    if isinstance(own, dict):  # a mapping of the user's that only looks like bytes
        return {OBJECT: {key: without_broken_bytes(value, odd) for key, value in own.items()}}
    held = given.get(BYTES) if len(given) == 1 else None
    if not isinstance(held, str):
        return {key: without_broken_bytes(value, odd) for key, value in given.items()}
    try:
        from_base64(held)
    except NoBase64Error:
        odd.append(BYTES)
        return held
    return given


def notes_of_odd(names: list[str]) -> list[str]:
    """Return notes on the fields that were not as they were written, for a person to read."""
    return [f"field {name} was not as it was written" for name in dict.fromkeys(names)]
