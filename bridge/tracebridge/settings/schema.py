"""The JSON Schema (draft 2020-12) of the YAML file, made from the options classes, so that an editor explains every key."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from tracebridge.plugins.options import Secret
from tracebridge.plugins.registry import (
    adapter_class,
    known_receivers,
    known_stages,
    own_header_formats,
    receiver_class,
    stage_class,
)
from tracebridge.settings.describe import options_in
from tracebridge.settings.model import Settings
from tracebridge.settings.parsers import FORMS
from tracebridge.settings.reader import hints_of, is_required, keys_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
REFERENCE: Final = {"$ref": "#/$defs/reference"}
_SIMPLE: Final[dict[Any, str]] = {str: "string", Secret: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(adapters: Iterable[str]) -> dict[str, Any]:
    """Return the schema of a file that may use these adapters. Imports each adapter; raises ConfigError as that does."""
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "title": "tracebridge configuration",
        "description": "One file: what produces spans, how they are treated, and where they go.",
        **_object(Settings, None),
    }
    patterns = {}
    definitions: dict[str, Any] = {
        "reference": {
            "type": "string",
            "pattern": r"\$\{((env:)?[A-Za-z_][A-Za-z0-9_]*(:-[^}\n]*)?|file:[^}\n]+)\}",
            "description": "An environment variable, ${VAR} or ${VAR:-default}, or what a file holds, ${file:/run/secrets/token}.",
        }
    }
    for name in adapters:
        options = adapter_class(name).Options
        definitions[name] = {**_object(options, None), "type": ["object", "null"]}
        patterns[f"^{re.escape(name)}(/\\S(.*\\S)?)?$"] = {
            "$ref": f"#/$defs/{name}",
            "description": _first_paragraph(options),
        }
    schema["properties"]["adapters"] = {
        "type": "object",
        "description": "Destinations, each under `type` or `type/name`.",
        "minProperties": 1,
        "patternProperties": patterns,
        "additionalProperties": False,
        "examples": [{"zipkin": {"endpoint": "http://localhost:9411/api/v2/spans"}}],
    }
    schema["properties"]["stages"] = _stages(definitions)
    schema["properties"]["relay"] = _relay()
    schema["required"] = ["adapters"]
    schema["$defs"] = definitions
    return schema


def _stages(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the list of stages, and add those that are installed to the definitions."""
    patterns = {}
    for name in known_stages():
        options = stage_class(name).Options
        definitions[f"stage {name}"] = {**_object(options, None), "type": ["object", "null"]}
        patterns[f"^{re.escape(name)}(/\\S(.*\\S)?)?$"] = {
            "$ref": f"#/$defs/stage {name}",
            "description": _first_paragraph(options),
        }
    one = {"type": "object", "minProperties": 1, "maxProperties": 1, "patternProperties": patterns}
    return {
        "type": "array",
        "description": "What happens to finished spans before they are queued, in order: each stage under `type` or `type/name`, with its options.",
        "items": {"anyOf": [{"type": "string"}, one]},
        "default": [],
        "examples": [[{"redact_customer": {"on_error": "hold_back"}}]],
    }


def _relay() -> dict[str, Any]:
    """Return the schema of where `tracebridge relay` reads: the receivers that are installed."""
    receivers = {}
    for name in known_receivers():
        options = receiver_class(name).Options
        receivers[name] = {**_object(options, None), "description": _first_paragraph(options)}
    return {
        "type": ["object", "null"],
        "description": "Where `tracebridge relay` reads: one receiver, with its options.",
        "properties": receivers,
        "additionalProperties": False,
        "maxProperties": 1,
    }


def _object(options: type[Any], default: Any) -> dict[str, Any]:
    """Return the schema of an options class; `default` is the instance whose values are the defaults."""
    hints = hints_of(options)
    properties = {}
    required = []
    for name, field in keys_of(options).items():
        hint = hints[name]
        made: Any = dataclasses.MISSING
        if default is not None:
            made = getattr(default, field.name)
        elif field.default_factory is not dataclasses.MISSING:
            made = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            made = field.default
        schema = {"description": field.metadata["help"]}
        if get_origin(hint) is not list and (nested := options_in(hint)) is not None:
            schema |= {**_object(nested, None if made is dataclasses.MISSING else made), "type": ["object", "null"]}
        else:
            schema |= _value(hint, field.metadata)
            if made is not dataclasses.MISSING and made is not None and made not in ([], {}):
                schema["default"] = _written(made, hint)
        shown = (
            list(field.metadata["examples"]) or _choices(hint) or [schema[key] for key in schema if key == "default"]
        )
        if shown and "properties" not in schema:
            schema["examples"] = shown
        properties[name] = schema
        if is_required(field):
            required.append(name)
    out: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return out | ({"required": required} if required else {})


def _value(hint: Any, metadata: Any) -> dict[str, Any]:
    """Return the schema of one value; anything that is not text may also come from a variable."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        inner = _value(next(a for a in get_args(hint) if a is not type(None)), metadata)
        return {"anyOf": [*inner.get("anyOf", [inner]), {"type": "null"}]}
    if origin is Literal:
        return {"anyOf": [{"enum": list(get_args(hint))}, REFERENCE]}
    if origin is Annotated:
        return _form(get_args(hint)[1], metadata)
    if origin is list:
        return {"type": "array", "items": _value(get_args(hint)[0], metadata)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(get_args(hint)[1], metadata)}
    if hint in {str, Secret}:
        return {"type": "string"}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object(hint, None)
    if hint not in _SIMPLE:
        return {}
    limits = {"minimum": metadata.get("minimum"), "maximum": metadata.get("maximum")}
    simple = {"type": _SIMPLE[hint], **{key: limit for key, limit in limits.items() if limit is not None}}
    return {"anyOf": [simple, REFERENCE]}


def _form(mark: str, metadata: Any) -> dict[str, Any]:
    pattern = FORMS[mark].pattern
    if mark == "url":
        schemes = "|".join(re.escape(scheme) for scheme in metadata.get("schemes") or ("http", "https"))
        pattern = rf"^({schemes})://[^\s/]+"
    if mark == "attribute":
        one: list[dict[str, Any]] = [{"type": kind} for kind in ("string", "boolean", "number")]
        return {"anyOf": [*one, *({"type": "array", "items": item} for item in one)]}
    if mark == "header_format":
        return {"anyOf": [{"enum": own_header_formats()}, {"type": "string", "pattern": pattern}]}
    choices: list[dict[str, Any]] = [{"type": "string", "pattern": pattern}, REFERENCE]
    if mark == "duration":
        choices.insert(1, {"const": 0})
    if mark == "size":
        choices.insert(1, {"type": "integer", "minimum": 0})
    if mark == "ratio":
        choices.insert(1, {"type": "number", "minimum": 0, "maximum": 1})
    return {"anyOf": choices}


def _choices(hint: Any) -> list[Any]:
    """Return every value of an option that has few, and headers for an option that takes them."""
    if hint == dict[str, Secret]:
        return [{"authorization": "Bearer ${env:TOKEN}"}]
    if get_origin(hint) is list:
        inner = _choices(get_args(hint)[0])
        return [inner] if inner else []
    return [True, False] if hint is bool else list(get_args(hint)) if get_origin(hint) is Literal else []


def _written(value: Any, hint: Any) -> Any:
    """Return a default as it would stand in the file."""
    return FORMS[get_args(hint)[1]].show(value) if get_origin(hint) is Annotated else value


def _first_paragraph(options: type[Any]) -> str:
    module = sys.modules.get(options.__module__)
    return " ".join((getattr(module, "__doc__", None) or options.__doc__ or "").partition("\n\n")[0].split())
