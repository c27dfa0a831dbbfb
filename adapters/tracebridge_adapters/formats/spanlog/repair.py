"""Records that no client made: text that UTF-8 cannot carry, integers beyond 64 bits, members of enumerations."""

from __future__ import annotations

from typing import Any

import msgspec

from tracebridge.records.record import SpanRecord

_MIN, _MAX = -(2**63), 2**64 - 1


def repair(record: SpanRecord) -> SpanRecord:
    """Return the record as JSON can carry it, counted as repaired."""
    whole: SpanRecord = _repair_value(record)
    return msgspec.structs.replace(whole, repaired=record.repaired + 1)


def _repair_value(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if _MIN <= value <= _MAX else _digits(value)
    if isinstance(value, (list, tuple)):
        return [_repair_value(item) for item in value]
    if isinstance(value, dict):
        return {_repair_value(key): _repair_value(item) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        return type(value)(*[_field(value, name) for name in value.__struct_fields__])
    return value


def _field(struct: Any, name: str) -> Any:
    """Return a field, repaired; instants may be integers of any size, because lines carry them as text."""
    value = getattr(struct, name)
    return value if name.endswith("time_ns") else _repair_value(value)


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # past sys.set_int_max_str_digits
        return hex(number)
