"""What shippers wrap a line in, taken off again: container runtimes, syslog, journald, log agents and log stores.

Only what is known for what it is comes off. An application's own log line that merely quotes a span line, in a text field or
behind words of its own, stays an ordinary log line: otherwise whoever can make an application log a text could forge a span.

| envelope | how it is known | source |
|---|---|---|
| CRI | `TIME stdout F `; `P` lines are parts of one line | Kubernetes, CRI logging format |
| Docker json-file | an object with `log` and `stream` | Docker, JSON File logging driver |
| syslog | RFC 5424 and RFC 3164 headers, and rsyslog's file formats | RFC 5424 section 6, RFC 3164 section 4 |
| journald | `MESSAGE=` in the export format; `MESSAGE` beside `__REALTIME_TIMESTAMP` in JSON | systemd, journal export formats |
| Fluent Bit, Fluentd | `log` beside `kubernetes`, `stream`, `container_name` … | Fluent Bit, Kubernetes filter |
| Filebeat, Logstash, Vector, Cloud Logging, CloudWatch, Loki, Splunk | the text's field beside the fields they add | their manuals |
| docker compose, kubectl | `name | ` and `[pod/…] ` and a time in front | their `logs` commands |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

MAX_LEVELS = 4  # envelopes inside envelopes
MAX_PARTS = 64 * 2**20  # bytes of one line that came in parts

_TIME = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"  # RFC 3339; applications' own formatters leave out the zone
_NO_LEVEL = (
    rb"(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b)"  # an application's line, not a host's
)
_CRI = re.compile(rb"(" + _TIME + rb") (stdout|stderr) ([FP])(?::[FP])* ")
_PREFIXES = [
    re.compile(pattern)
    for pattern in (
        # RFC 5424: <PRI>1 TIME HOST APP PROCID MSGID SD MSG
        rb"(?:<\d{1,3}>)?1 (?:" + _TIME + rb"|-) \S{1,255} \S{1,48} \S{1,128} \S{1,32} "
        rb"(?:-|(?:\[[^\]\"]*(?:\"(?:[^\"\\]|\\.)*\"[^\]\"]*)*\])+) (?:\xef\xbb\xbf)?",
        # RFC 3164 and rsyslog's files: <PRI>TIME HOST TAG[PID]: MSG
        rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?|"
        + _TIME
        + rb") "
        + _NO_LEVEL
        + rb"[^\s\"{]{1,255} [^\s\"{\[:]{1,128}(?:\[[^\]\"{]{1,64}\])?: ?",
        rb"<\d{1,3}>",
        rb"MESSAGE=",
        rb"\[pod/[^\]\"{]+\] ",
        rb"[\w.-]{1,128} +\| ",
        _TIME + rb"[ \t]+",
    )
]

_MARKS: tuple[tuple[str, frozenset[str]], ...] = (
    ("log_processed", frozenset({"kubernetes", "stream"})),
    ("log", frozenset({"stream", "kubernetes", "docker", "container_id", "container_name", "ecs_cluster"})),
    ("MESSAGE", frozenset({"__REALTIME_TIMESTAMP", "_BOOT_ID", "_MACHINE_ID", "SYSLOG_IDENTIFIER"})),
    ("message", frozenset({"agent", "@metadata", "input", "source_type", "logStream", "logGroup", "ingestionTime", "syslogtag", "programname"})),
    ("msg", frozenset({"syslogtag", "programname", "fromhost"})),
    ("@message", frozenset({"@timestamp", "@log", "@logStream", "@ptr"})),
    ("textPayload", frozenset({"logName", "insertId"})),
    ("jsonPayload", frozenset({"logName", "insertId"})),
    ("line", frozenset({"labels"})),
    ("_raw", frozenset({"_time", "sourcetype", "index"})),
)  # fmt: skip
"""A field that holds a line, and fields of which one must stand beside it: a shipper's own, which no application writes."""

_OBJECTS = frozenset({"agent", "input", "kubernetes", "docker", "labels"})  # such words are a shipper's only as objects

_STREAMS = ("stdout", "stderr")  # of which parts are held, one line each at the most
_DOCKER_KEYS = frozenset({"log", "stream", "time", "attrs"})

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class OwnEnvelope:
    """What wraps lines, and only the user knows of: nothing, by default."""

    prefix: re.Pattern[bytes] | None = None
    """What stands in front of each line."""
    field: str | None = None
    """The field, of a JSON object a line, that holds the line. Nothing else tells such an object from an application's own words."""

    def without_prefix(self, text: bytes) -> bytes:
        """Return what stands behind the prefix; all of it where there is none."""
        found = self.prefix.match(text) if self.prefix is not None else None
        return text[found.end() :] if found is not None else text

    def out_of_field(self, text: bytes) -> bytes | None:
        """Return what the field holds; None where there is none."""
        if self.field is None or text[:1] != b"{":
            return None
        try:
            given = _decode(text)
        except _NO_JSON:
            return None
        value = given.get(self.field)
        if isinstance(value, dict):
            return _encode(value)
        return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else None


class Unwrapper:
    """Takes envelopes off the lines of one file. Holds the parts of lines that a container runtime split."""

    def __init__(self) -> None:
        self._parts: dict[bytes, bytearray] = {}

    @property
    def waits(self) -> bool:
        """Whether the beginning of a line is held whose end has not come yet."""
        return bool(self._parts)

    def give_up(self) -> list[bytes]:
        """Return the beginnings of lines whose end will not come, and forget them."""
        held = [bytes(part) for part in self._parts.values()]
        self._parts.clear()
        return held

    def unwrap(self, line: bytes) -> bytes | None:
        """Return what is inside the outermost envelope; None when there is none, b"" for a part that has to wait."""
        if line[:1] == b"{":
            return self._from_object(line)
        found = _CRI.match(line)
        if found is not None:
            return self._from_cri(found[2], found[3] == b"P", line[found.end() :])
        for prefix in _PREFIXES:
            found = prefix.match(line)
            if found is not None and found.end():
                return line[found.end() :]
        return None

    def _from_cri(self, stream: bytes, partial: bool, text: bytes) -> bytes:
        return self._joined(b"cri " + stream, text, more=partial)

    def _joined(self, key: bytes, text: bytes, *, more: bool) -> bytes:
        """Return a line whose parts are all there, b"" while some are missing."""
        held = self._parts.get(key)
        if held is None and not more:
            return text
        held = self._parts.setdefault(key, bytearray())
        if len(held) + len(text) <= MAX_PARTS:
            held += text
        if more:
            return b""
        del self._parts[key]
        return bytes(held)

    def _from_object(self, line: bytes) -> bytes | None:
        try:
            given = _decode(line)
        except _NO_JSON:
            return None
        found = _inner(given) if isinstance(given, dict) else None
        if found is None:
            return None
        key, value = found
        text = value.rstrip(b"\r\n")
        if key == "log" and given.keys() <= _DOCKER_KEYS and given.get("stream") in _STREAMS:
            return self._from_docker(given["stream"].encode(), text, whole=value.endswith(b"\n"))
        return text

    def _from_docker(self, stream: bytes, text: bytes, *, whole: bool) -> bytes:
        """Join what the Docker runtime split at 16 KiB: the last part alone ends in a newline.

        Some agents write the same fields with the newline stripped; a text that is an object by itself is no part.
        """
        key = b"log " + stream
        if not whole and _is_object(text):
            self._parts.pop(key, None)
            return text
        return self._joined(key, text, more=not whole)


def _is_object(text: bytes) -> bool:
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    try:
        _decode(text)
    except _NO_JSON:
        return False
    return True


def _inner(given: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Return the field that holds the line, and the line."""
    for key, beside in _MARKS:
        value = given.get(key)
        if value is None or not any(
            mark not in _OBJECTS or isinstance(given[mark], dict) for mark in beside & given.keys()
        ):
            continue
        if isinstance(value, str):
            return key, value.encode("utf-8", "surrogatepass")
        if isinstance(value, dict):
            return key, _encode({**_taken_out(given), **value})
        if isinstance(value, list):  # journald writes what is no UTF-8 as numbers
            try:
                return key, bytes(value)
            except (TypeError, ValueError):
                return None
    return None


def _taken_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Cloud Logging takes out of a line's fields into its own entry (Google Cloud, Structured logging, special fields)."""
    return {field: given[key] for key, field in _CLOUD_LOGGING.items() if key in given}


_CLOUD_LOGGING = {"trace": "logging.googleapis.com/trace", "spanId": "logging.googleapis.com/spanId"}
