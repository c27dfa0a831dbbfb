"""Attribute values as JSON can carry them, so that they come back with their types.

JSON has no bytes and no NaN: these stand in an object with one key, `$base64` or `$float`. An object of the user's own that
looks like one of ours is wrapped in `$object`, so that nothing is taken for what it is not.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

from tracebridge.records.record import Value

BYTES, FLOAT, OBJECT = "$base64", "$float", "$object"
_OURS = {BYTES, FLOAT, OBJECT}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_PLAIN = frozenset([str, int, bool])
_PLAIN_BACK = _PLAIN | {float}  # no NaN comes out of JSON


def shown(attributes: dict[str, Value]) -> dict[str, Any]:
    """Return a mapping for JSON: the very same one when nothing in it needs help."""
    if _PLAIN.issuperset(map(type, attributes.values())):
        return attributes
    return {key: show(value) for key, value in attributes.items()}


def show(value: Value) -> Any:
    """Return one value for JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else {FLOAT: str(value)}
    if isinstance(value, bytes):
        return {BYTES: base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [show(item) for item in value]
    if isinstance(value, dict):
        out = {key: show(item) for key, item in value.items()}
        return {OBJECT: out} if is_marked(out) else out
    return value


def is_marked(given: dict[str, Any]) -> bool:
    """Return whether an object is what stands for bytes, a NaN or an object that looks like one of ours."""
    return len(given) == 1 and not _OURS.isdisjoint(given)


def restored(given: dict[str, Any]) -> dict[str, Value]:
    """Return the mapping that `shown` was given. Raises NoBase64Error for what it cannot have written."""
    if _PLAIN_BACK.issuperset(map(type, given.values())):
        return given
    return {key: restore(value) for key, value in given.items()}


def restore(value: Any) -> Value:
    """Return the value that `show` was given."""
    if isinstance(value, list):
        return [restore(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, held),) = value.items()
            if key == OBJECT and isinstance(held, dict):
                return restored(held)
            if key == FLOAT and isinstance(held, str) and held in _FLOATS:
                return _FLOATS[held]
            if key == BYTES and isinstance(held, str):
                return from_base64(held)
        return restored(value)
    return value


def from_base64(text: str) -> bytes:
    """Return what a text in base64 stands for. Raises NoBase64Error."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: not ASCII
        raise NoBase64Error(f"{BYTES} without base64: {text!r:.40}") from error


class NoBase64Error(ValueError):
    """What stands for bytes does not say which."""
