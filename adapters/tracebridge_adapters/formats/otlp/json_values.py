"""The values in OTLP JSON, in every form in which programs write them.

protobuf's JSON mapping allows several (64-bit numbers as text, enums by name, either case of keys); exporters add their own: numbers as `{low,
high}` (protobuf.js), exponents, IDs in base64 (protobuf's own mapping of bytes), attribute values as Go prints its structs
(`{"Value": {"StringValue": …}}`). What is none of these becomes text and is counted: never nothing.
"""

from __future__ import annotations

import base64
import binascii
import functools
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from tracebridge.records.record import Kind, StatusCode, Value
from tracebridge.records.values import INT64_MAX, INT64_MIN, Tally

MAX_NUMBER_TEXT = 64  # characters; longer ones are not numbers of 64 bits
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_encode = msgspec.json.Encoder(enc_hook=str).encode


def get(given: Any, key: str, default: Any = None) -> Any:
    """Return a field under its lowerCamelCase or its original snake_case name; null means absent. Raises ValueError for a value that is not an object."""
    if not isinstance(given, dict):
        raise ValueError(f"{given!r:.40} is not an object")
    value = given.get(key)
    if value is None:
        value = given.get(_snake(key))
    return default if value is None else value


@functools.cache
def _snake(key: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key)


def items(given: Any, key: str) -> list[Any]:
    """Return a repeated field. Raises ValueError when it is something else."""
    value = get(given, key, ())
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{key} is not a list")
    return list(value)


def text(given: Any, key: str, tally: Tally) -> str:
    """Return a field of text; anything else is shown as text, and counted."""
    value = get(given, key, "")
    return value if isinstance(value, str) else _shown(value, tally)


def number(value: Any) -> int:
    """Return an integer: a number, its text, or the two halves that protobuf.js makes of one. Raises ValueError."""
    if type(value) is int:
        return value
    if isinstance(value, dict) and isinstance(value.get("low"), int) and isinstance(value.get("high"), int):
        return int(value["high"] << 32 | value["low"] & 0xFFFFFFFF)
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    if isinstance(value, str) and len(value) <= MAX_NUMBER_TEXT:
        try:
            return int(value)
        except ValueError:
            whole = float(value)
            if math.isfinite(whole):
                return int(whole)
    raise ValueError(f"{value!r:.40} is not a number")


def time_ns(given: Any, key: str, tally: Tally) -> int:
    """Return a time; 0 where there is none, and for anything else, which is counted."""
    try:
        return max(0, number(get(given, key, 0)))
    except (ValueError, OverflowError):
        tally.repaired += 1
        return 0


def count(given: Any, key: str, tally: Tally) -> int:
    """Return a number of dropped things; 0 for anything else, which is counted."""
    return min(time_ns(given, key, tally), INT64_MAX)


def identifier(given: Any, key: str, size: int) -> bytes:
    """Return an ID: hex digits (fewer are left-padded, as for IDs of 64 bits), base64, or its bytes as numbers. Raises ValueError."""
    value = get(given, key, "")
    raw = _id_bytes(value, size)
    if raw is None or not any(raw):
        raise ValueError(f"{key} {value!r:.60} is not an ID of {size} bytes")
    return raw


def _id_bytes(value: Any, size: int) -> bytes | None:
    if isinstance(value, dict) and all(name.isdecimal() for name in value):  # what JSON.stringify makes of a Uint8Array
        value = list(value.values())
    try:
        if isinstance(value, list):
            raw = bytes(value)
        elif not isinstance(value, str):
            return None
        elif len(value) == 2 * size:
            raw = bytes.fromhex(value)
        elif len(value.rstrip("=")) == (size * 8 + 5) // 6:
            raw = from_base64(value)
        else:
            raw = bytes.fromhex(value.zfill(2 * size))
    except (ValueError, TypeError):
        return None
    return raw if len(raw) == size else None


def from_base64(value: str) -> bytes:
    """Return bytes from base64, the URL-safe alphabet and missing padding included. Raises ValueError."""
    plain = value.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{value!r:.40} is not base64") from error


_URL_SAFE = str.maketrans("-_", "+/")


def enum(value: Any, kind: type[Kind] | type[StatusCode], prefix: str, tally: Tally) -> int:
    """Return an enum's number, from that or its name; one that is not known is read as 0, which means "not said"."""
    if isinstance(value, str) and not value.isdecimal():
        name = value.removeprefix(prefix).upper()
        if name in kind.__members__:
            return int(kind[name])
        tally.repaired += 1
        return 0
    try:
        found = number(value)
    except (ValueError, OverflowError):
        tally.repaired += 1
        return 0
    return found if found in {int(member) for member in kind} else 0


def attributes(holder: Any, tally: Tally) -> dict[str, Value]:
    """Return the attributes of a span, an event, a link, a scope or a resource."""
    return _pairs(get(holder, "attributes", ()), tally)


def _pairs(pairs: Any, tally: Tally) -> dict[str, Value]:
    if isinstance(pairs, dict):  # a plain mapping, as consoles print it
        tally.repaired += 1
        return {key: _value(value, tally) for key, value in pairs.items()}
    out: dict[str, Value] = {}
    for pair in pairs if isinstance(pairs, (list, tuple)) else [pairs]:
        if isinstance(pair, dict) and isinstance(key := get(pair, "key", ""), str):
            out[key] = _value(pair.get("value"), tally)
        else:
            out[_shown(pair, tally)] = None
    return out


def _value(given: Any, tally: Tally) -> Value:
    """Return an AnyValue's value: the one of its fields that is there."""
    if given is None:
        return None
    if not isinstance(given, dict):
        tally.repaired += 1  # a bare value
        return given if isinstance(given, (str, bool, int, float)) else _shown(given, tally)
    for key, value in given.items():
        if value is not None and (read := _READERS.get(key) or _READERS.get(_FOREIGN.get(key, ""))) is not None:
            try:
                return read(value, tally)
            except (ValueError, TypeError, OverflowError):
                return _shown(value, tally)
    if len(given) == 1 and isinstance(inner := given.get("Value"), dict):  # Go's struct around the one field
        return _value(inner, tally)
    return _shown(given, tally) if any(value is not None for value in given.values()) else None


def _string(value: Any, tally: Tally) -> str:
    return value if isinstance(value, str) else _shown(value, tally)


def _bool(value: Any, tally: Tally) -> bool:
    if isinstance(value, bool):
        return value
    tally.repaired += 1
    return str(value).lower() in ("true", "1")


def _int(value: Any, tally: Tally) -> Value:
    whole = number(value)
    return whole if INT64_MIN <= whole <= INT64_MAX else _shown(value, tally)


def _double(value: Any, _tally: Tally) -> float:
    return _SPECIAL[value] if isinstance(value, str) and value in _SPECIAL else float(value)


def _array(value: Any, tally: Tally) -> list[Value]:
    return [_value(item, tally) for item in (value if isinstance(value, list) else items(value, "values"))]


def _kvlist(value: Any, tally: Tally) -> dict[str, Value]:
    return _pairs(value if isinstance(value, list) else get(value, "values", ()), tally)


def _bytes(value: Any, _tally: Tally) -> bytes:
    return bytes(value) if isinstance(value, list) else from_base64(value)


_READERS = {
    "stringValue": _string,
    "boolValue": _bool,
    "intValue": _int,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _kvlist,
    "bytesValue": _bytes,
}
_FOREIGN: Mapping[str, str] = {
    spelled: key for key in _READERS for spelled in (_snake(key), key[0].upper() + key[1:])
}  # snake_case, and Go's field names


def _shown(value: Any, tally: Tally) -> str:
    """Return anything as text, and count it."""
    tally.repaired += 1
    return value if isinstance(value, str) else _encode(value).decode("utf-8", "replace")
