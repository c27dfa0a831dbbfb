"""Options classes described: for `tracebridge adapters NAME` and the JSON Schema."""

from __future__ import annotations

import dataclasses
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tracebridge.settings.options import Secret
from tracebridge.settings.quantities import show_duration, show_size
from tracebridge.settings.reader import hints_of

_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Secret: "secret text",
    Any: "any value",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """One option: its dotted key, its type and default as people write them, its help."""

    key: str
    type: str
    default: str
    """How the default would be written; empty for none, `(required)` where there must be a value."""
    help: str


def describe(options: type[Any], prefix: str = "") -> list[Described]:
    """Return every option of a class, nested ones dotted, in order of declaration."""
    hints = hints_of(options)
    out: list[Described] = []
    for field in dataclasses.fields(options):
        if "help" not in field.metadata:
            continue
        hint = hints[field.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            out += describe(hint, f"{prefix}{field.name}.")
            continue
        out.append(Described(prefix + field.name, type_name(hint), _default(field, hint), field.metadata["help"]))
    return out


def type_name(hint: Any) -> str:
    """Return an annotation as a person would say it."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return type_name(next(a for a in get_args(hint) if a is not type(None)))
    if origin is Annotated:
        mark = str(get_args(hint)[1])
        return {"url": "address", "class": "pkg.mod:Name"}.get(mark, mark)
    if origin is Literal:
        return " | ".join(str(choice) for choice in get_args(hint))
    if origin is list:
        return f"list of {type_name(get_args(hint)[0])}"
    if origin is dict:
        return f"mapping to {type_name(get_args(hint)[1])}"
    known: str = _NAMES.get(hint, "")
    return known or str(getattr(hint, "__name__", "mapping"))


def _default(field: dataclasses.Field[Any], hint: Any) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "(required)"
    if value is None or value in ([], {}):
        return ""
    mark = get_args(hint)[1] if get_origin(hint) is Annotated else None
    if mark == "duration":
        return show_duration(value)
    if mark == "size":
        return show_size(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
