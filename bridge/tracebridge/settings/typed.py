"""The configuration's types for editors and type checkers, made from the options classes: `tracebridge.Config`."""

from __future__ import annotations

import dataclasses
import keyword
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from tracebridge.plugins.options import Secret
from tracebridge.plugins.registry import adapter_class, receiver_class
from tracebridge.settings.model import Settings
from tracebridge.settings.reader import hints_of, keys_of

HEAD: Final = '''"""The configuration as a mapping in code, typed: what an editor completes and a type checker checks.

Made by `python -m tracebridge.settings.shipped`; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

AttributeValue = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float] | Sequence[bool]
'''
FORMS: Final = {
    "duration": "str | Literal[0]",
    "size": "str | int",
    "ratio": "float | str",
    "path": "str | os.PathLike[str]",
    "location": "str | os.PathLike[str]",
    "attribute": "AttributeValue",
}
PLAIN: Final = {str: "str", Secret: "str", int: "int", float: "float", bool: "bool"}


def typed_mapping(adapters: Iterable[str], receivers: Iterable[str]) -> str:
    """Return the text of a module that types a file that may use these adapters and receivers."""
    made: dict[str, str] = {}
    names = []
    for name in adapters:
        options = adapter_class(name).Options
        _define(options, made)
        names.append(_name(options))
    made["RelayConfig"] = _relay(receivers, made)
    _define(Settings, made)
    union = "\n    | ".join([*names, "Mapping[str, Any]", "None"])
    anybody = f'AdapterConfig = (\n    {union}\n)\n"""One destination: ours, or a stranger\'s, whose options only its package knows."""\n'
    whole = made.pop(_name(Settings)) + _field(
        "adapters", "Mapping[str, AdapterConfig]", "Destinations, each under `type` or `type/name`."
    )
    whole += _field(
        "stages",
        "Sequence[str | Mapping[str, Any]]",
        "What happens to finished spans before they are queued, in order.",
    )
    whole += _field("relay", "RelayConfig | None", "Where `tracebridge relay` reads: one receiver, with its options.")
    return "\n\n".join([HEAD, *made.values(), anybody, whole])


def _relay(receivers: Iterable[str], made: dict[str, str]) -> str:
    """Return the definition of where a relay reads, and add those that it needs."""
    body = ""
    for name in receivers:
        options = receiver_class(name).Options
        _define(options, made)
        body += _field(name, f"{_name(options)} | None", (options.__doc__ or "").strip().partition("\n")[0])
    return f'class RelayConfig(TypedDict, total=False):\n    """Where `tracebridge relay` reads: one of these."""\n\n{body}'


def _name(options: type[Any]) -> str:
    """Return what the typed mapping of an options class is called.

    >>> _name(Settings)
    'Config'
    """
    return options.__name__.removesuffix("Options").removesuffix("Settings") + "Config"


def _define(options: type[Any], made: dict[str, str]) -> None:
    """Add the definition of an options class, after those that it needs."""
    if _name(options) in made:
        return
    hints, fields = hints_of(options), keys_of(options)
    for key in fields:
        for nested in _options_in(hints[key]):
            _define(nested, made)
    doc = (options.__doc__ or "").strip().partition("\n")[0]
    if any(keyword.iskeyword(key) for key in fields):  # the class form cannot spell such a key
        items = "".join(
            f"        # {fields[key].metadata['help']}\n        {key!r}: {_type(hints[key])},\n" for key in fields
        )
        made[_name(options)] = (
            f'{_name(options)} = TypedDict(\n    "{_name(options)}",\n    {{\n{items}    }},\n    total=False,\n)\n"""{doc}"""\n'
        )
        return
    body = "".join(_field(key, _type(hints[key]), field.metadata["help"]) for key, field in fields.items())
    made[_name(options)] = f'class {_name(options)}(TypedDict, total=False):\n    """{doc}"""\n\n{body}'


def _field(key: str, kind: str, help: str) -> str:
    return f'    {key}: {kind}\n    """{help}"""\n'


def _options_in(hint: Any) -> Iterator[type[Any]]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for part in get_args(hint):
        yield from _options_in(part)


def _type(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return " | ".join(
            dict.fromkeys(
                "None" if part is type(None) else _type(part).removesuffix(" | None") for part in get_args(hint)
            )
        )
    if origin is Annotated:
        return FORMS.get(get_args(hint)[1], "str")
    if origin is Literal:
        return f"Literal[{', '.join(repr(choice) for choice in get_args(hint))}]".replace("'", '"')
    if origin is list:
        return f"Sequence[{_type(get_args(hint)[0]).removesuffix(' | None')}]"
    if origin is dict:
        return f"Mapping[str, {_type(get_args(hint)[1])}]"
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return f"{_name(hint)} | None"
    return PLAIN.get(hint, "Any")
