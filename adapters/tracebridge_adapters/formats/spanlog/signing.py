"""What is signed of a span line, so that a shipper may write the line anew: keys in another order, numbers spelled otherwise or as text, fields added.

Every value is taken as text, numbers and truth values by what they mean. Which texts look like one of those and are texts all the same stands in the
signature, and is signed: otherwise `"1.10"` could be made `"1.1"`. What others derive or set anew is left out: `timestamp`, `level`, `start_time`,
`duration_ms`, `writer`, `seq`.

    sign = KEY ID "." NUMBERS OF THOSE TEXTS "." MAC        such as  2026-11.3,17.Qm9…
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
from msgspec import UNSET

from tracebridge.plugins.signing import Key, Proof
from tracebridge_adapters.formats.spanlog.line import Line

_encode = msgspec.json.Encoder(enc_hook=str).encode
_is_sign = re.compile(r"([A-Za-z0-9_-]{1,32})\.((?:[0-9]{1,6},){0,4096}[0-9]{0,6})\.([A-Za-z0-9_=-]{1,64})").fullmatch
_is_whole = re.compile(r"[+-]?[0-9]+").fullmatch
_is_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_FIRST = frozenset("+-.0123456789tTfFnN")
_WORDS: Final = {"true": "true", "false": "false", "null": "null", "none": "null"}
_LARGEST_WHOLE = 2.0**70  # floats that are whole beyond it are spelled as floats
_LONGEST_NUMBER = 400  # characters


class _Canonical:
    """Values as text, in one order, each with its number; `texts` are the numbers of those that are texts though they do not look it."""

    def __init__(self, texts: Collection[int] | None) -> None:
        self.texts: list[int] = []
        self._known = texts
        self._count = 0

    def of(self, value: Any) -> Any:
        """Return a value with every leaf as the text that it means."""
        kind = type(value)
        if kind is dict:
            out = {}
            for key in sorted(value):
                item = value[key]
                if type(item) is str and item[:1] not in _FIRST:  # nearly every one
                    self._count += 1
                    out[key] = item
                else:
                    out[key] = self.of(item)
            return out
        if kind is list or kind is tuple:
            return [self.of(item) for item in value]
        self._count += 1
        if value is None or kind is bool:
            return "null" if value is None else "true" if value else "false"
        return _number(value) if kind is int or kind is float else self._text(value if kind is str else str(value))

    def _text(self, value: str) -> str:
        if value[:1] not in _FIRST or (meant := _meant(value)) is None:
            return value
        number = self._count
        if self._known is None or number in self._known:
            self.texts.append(number)
            return value
        return meant


def _meant(text: str) -> str | None:
    """Return the number or truth value that a text spells, as `_number` spells it; None for any other text."""
    if len(text) > _LONGEST_NUMBER:
        return None
    if _is_whole(text):
        return str(int(text))
    if _is_number(text):
        return _number(float(text))
    return _WORDS.get(text.lower())


def _number(value: float) -> str:
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) > _LARGEST_WHOLE or not value.is_integer():
            return repr(value)
        value = int(value)
    return str(value)


def canonical(line: Any, resource: Any, texts: Collection[int] | None = None) -> tuple[bytes, str]:
    """Return what is signed of a line in its own names, and the numbers of texts that look like something else; `texts` are those that a signature names."""
    leaves = _Canonical(texts)
    of = leaves.of
    whole = [
        line.event, line.trace_id, line.span_id, _given(line.parent_span_id), line.trace_flags or "01", _given(line.custom_trace_id),
        line.service, _given(line.span_name), _given(line.span_kind), _given(line.start_time_unix_nano), _given(line.end_time_unix_nano),
        _given(line.duration_ns), _given(line.span_status), of(line.attributes), of(_given(line.inputs)), of(_given(line.outputs)),
        None if resource is UNSET else of(resource),
    ]  # fmt: skip
    rare = (
        _rare(line, of) if hasattr(line, "scope") else _NOTHING_RARE
    )  # which the lines of most spans have no place for
    return _encode([*whole, rare]), ",".join(map(str, leaves.texts))


def _rare(line: Any, of: Callable[[Any], Any]) -> list[Any]:
    """Return what of a line is signed and most spans do not have."""
    scope = line.scope
    out = [getattr(line, name) or empty for name, empty in _PLAIN]
    out += [_given(getattr(line, name)) for name in ("event_name", "id_scheme", "custom_span_id", "span_id_scheme")]
    out += [
        [[each.time_unix_nano, each.name, of(each.attributes), each.dropped_attributes] for each in line.events],
        [[each.trace_id, each.span_id, each.trace_state, of(each.attributes), each.dropped_attributes, each.flags] for each in line.links],
        None if scope is UNSET else [scope.name, scope.version, of(scope.attributes), scope.schema_url],
        sorted(line.tags.items()),
        sorted(line.truncated.items()),
    ]  # fmt: skip
    return out


_PLAIN: Final = tuple(
    [(name, "") for name in ("status_message", "error_type", "error_message", "error_stack", "trace_state", "opened_at", "resource_schema_url", "experiment_id")]
    + [("span_type", "UNKNOWN"), ("end_cause", "finished")]
    + [(name, False) for name in ("parent_is_remote", "zipkin_shared", "debug")]
    + [(name, 0) for name in ("dropped_attributes", "dropped_events", "dropped_links", "truncated_values", "repaired", "redacted")]
)  # fmt: skip


def _given(value: Any) -> Any:
    return None if value is UNSET else value


_NOTHING_RARE: Final = _rare(Line("", "info", "span.end", "spanlog/1", "", ""), lambda value: value)


def _bytes(key_id: str, texts: str, data: bytes) -> bytes:
    return f"{key_id}\n{texts}\n".encode() + data


def signature(key: Key, line: Any, resource: Any) -> str:
    """Return what stands under `sign` on a line."""
    data, texts = canonical(line, resource)
    return f"{key.id}.{texts}.{key.mac(_bytes(key.id, texts, data))}"


def proof_of(line: Any) -> Proof | None:
    """Return the proof that a line carries; None when it has none. One that is not ours proves nothing."""
    if not line.sign:
        return None
    found = _is_sign(line.sign)
    if found is None:
        return Proof("?", "", bytes)
    key_id, texts, mac = found.groups()

    def signed() -> bytes:
        numbers = frozenset(int(number) for number in texts.split(",") if number)
        return _bytes(key_id, texts, canonical(line, line.resource, numbers)[0])

    return Proof(key_id, mac, signed)
