"""Options classes described for people: what `tracebridge adapters NAME` prints."""

from __future__ import annotations

import dataclasses
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

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
            out.append(Described(prefix + name, type_name(hint), "", is_required(field), field.metadata["help"]))
            out += describe(nested, f"{prefix}{name}{'[]' if get_origin(hint) is list else ''}.")
        elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
            out += describe(hint, f"{prefix}{name}.", value)
        else:
            shown = "" if is_required(field) else as_yaml(value, hint)
            out.append(Described(prefix + name, type_name(hint), shown, is_required(field), field.metadata["help"]))
    return out


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
    return _NAMES.get(hint) or str(getattr(hint, "__name__", "mapping"))


def as_yaml(value: Any, hint: Any) -> str:
    """Return a default as it would be written, or an empty text for "nothing"."""
    if value is None or value in ([], {}):
        return ""
    if get_origin(hint) is Annotated:
        shown: str = FORMS[get_args(hint)[1]].show(value)
        return shown
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default
