"""Options classes described for people: what `tracebridge adapters NAME` prints."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml

from tracebridge.plugins.options import Secret
from tracebridge.settings.parsers import FORMS
from tracebridge.settings.reader import hints_of, is_required, keys_of

_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true | false",
    Secret: "secret text",
    Any: "any value",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """One option: its dotted key, its type and default as people write them, its help."""

    key: str
    type: str
    default: str
    """How the default would be written in YAML; empty where there is none."""
    required: bool
    help: str
    limits: str = ""
    """Which values it takes, beyond its type; empty where there are no such bounds."""
    example: str = ""
    """A value as it is written in YAML; empty where the type says it all."""


def describe(options: type[Any], prefix: str = "", default: Any = None) -> list[Described]:
    """Return every option of a class, nested ones dotted; its own first, then those that it inherits.

    `default` is the instance that stands in when a nested group is left out: it may differ from the class's defaults.
    """
    hints = hints_of(options)
    out: list[Described] = []
    for name, field in keys_of(options).items():
        hint = hints[name]
        value = _default(field) if default is None else getattr(default, field.name)
        if (nested := options_in(hint)) is not hint and nested is not None:  # one that may be left out, or several
            out.append(_described(prefix + name, hint, "", field))
            out += describe(nested, f"{prefix}{name}{'[]' if get_origin(hint) is list else ''}.")
        elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
            out += describe(hint, f"{prefix}{name}.", value)
        else:
            shown = "" if is_required(field) else as_yaml(value, hint)
            out.append(_described(prefix + name, hint, shown, field))
    return out


def _described(key: str, hint: Any, default: str, field: dataclasses.Field[Any]) -> Described:
    data = field.metadata
    example = in_yaml(data["examples"][0]) if data["examples"] else ""
    return Described(key, type_name(hint), default, is_required(field), data["help"], limits(hint, data), example)


def limits(hint: Any, metadata: Mapping[str, Any]) -> str:
    """Return the bounds of an option in words: `at least 1ms`, `1 to 64`, `https only`."""
    low, high = (
        None if metadata[key] is None else as_yaml(metadata[key], _one(hint)) for key in ("minimum", "maximum")
    )
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None or high is not None:
        return f"at least {low}" if low is not None else f"at most {high}"
    return f"{' or '.join(metadata['schemes'])} only" if metadata["schemes"] else ""


def _one(hint: Any) -> Any:
    """Return what an annotation is when it may also be None."""
    if get_origin(hint) in {Union, types.UnionType}:
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def in_yaml(value: Any) -> str:
    """Return a value on one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf, sort_keys=False).removesuffix("...\n").strip()


def options_in(hint: Any) -> type[Any] | None:
    """Return the options class that an annotation is, may be (`X | None`) or has several of (`list[X]`); else None."""
    if get_origin(hint) in {Union, types.UnionType, list}:
        return next((found for part in get_args(hint) if (found := options_in(part)) is not None), None)
    return hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None


def type_name(hint: Any) -> str:
    """Return an annotation as a person would say it."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return type_name(next(a for a in get_args(hint) if a is not type(None)))
    if origin is Annotated:
        return FORMS[get_args(hint)[1]].name
    if origin is Literal:
        return " | ".join(str(choice) for choice in get_args(hint))
    if origin is list:
        return f"list of {type_name(get_args(hint)[0])}"
    if origin is dict:
        return f"mapping to {type_name(get_args(hint)[1])}"
    return _NAMES.get(hint, "mapping")


def as_yaml(value: Any, hint: Any) -> str:
    """Return a default as it would be written, or an empty text for "nothing"."""
    if value is None or value in ([], {}):
        return ""
    if get_origin(hint) is Annotated:
        shown: str = FORMS[get_args(hint)[1]].show(value)
        return shown
    return in_yaml(value) if isinstance(value, (bool, list, dict)) else str(value)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default
