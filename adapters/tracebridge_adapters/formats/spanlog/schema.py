"""The JSON Schema (draft 2020-12) of a line, made from the structs that write and check it. Shipped in tracebridge_config."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracebridge_adapters.formats.spanlog.line import ALWAYS, AT_THE_END, END
from tracebridge_adapters.formats.spanlog.profiles import PROFILES


def line_schema() -> dict[str, Any]:
    """Return the schema: a line is right when it is right in one of the profiles."""
    lines = [profile.line for profile in PROFILES.values()]
    _, definitions = msgspec.json.schema_components(lines, ref_template="#/$defs/{name}")
    for name, profile in PROFILES.items():
        line = definitions[profile.line.__name__]
        line["required"] += [profile.spelling.get(field, field) for field in ALWAYS]
        event = profile.spelling.get("event", "event")
        line["if"] = {"properties": {event: {"const": END}}}
        line["then"] = {"required": [profile.spelling.get(field, field) for field in AT_THE_END]}
        line["title"], line["description"] = name, f"A line in the profile {name}."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "spanlog/1",
        "description": "One finished span, one log line; other fields, added on the way, are allowed.",
        "anyOf": [{"$ref": f"#/$defs/{line.__name__}"} for line in lines],
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the schema as the file is kept."""
    return json.dumps(line_schema(), indent=2, ensure_ascii=False) + "\n"
