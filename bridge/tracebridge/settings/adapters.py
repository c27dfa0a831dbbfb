"""The `adapters:` part of a configuration: which destinations there are, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracebridge.errors import ConfigError, nearest
from tracebridge.plugins.registry import adapter_class, known_adapters
from tracebridge.settings.environment import filled
from tracebridge.settings.model import AdapterSettings
from tracebridge.settings.problems import Problem
from tracebridge.settings.reader import BAD, OptionsReader
from tracebridge.settings.safe_keys import joined, shown_key
from tracebridge.settings.tree import Node


def adapters_of(
    reader: OptionsReader, whole: Node, environ: Mapping[str, str], read: dict[str, Node]
) -> dict[str, AdapterSettings]:
    """Return the destinations by their keys; `read` gets the nodes that their options were read from."""
    node = whole.value.get("adapters")
    if node is None or node.value in (None, {}):
        message = "no destination is named; there has to be one at least, such as `adapters: {store: {}}`"
        reader.bad(node or whole, "" if node is None else "adapters", "missing-key", message)
        return {}
    if not isinstance(node.value, dict):
        reader.bad(node, "adapters", "wrong-type", "adapters must be a mapping of `type` or `type/name` to options")
        return {}
    chosen: dict[str, AdapterSettings] = {}
    for key, child in node.value.items():
        found = _adapter(reader, key, child, node, environ, read)
        if found is not None:
            chosen[key] = found
    return chosen


def _adapter(
    reader: OptionsReader, key: str, child: Node, parent: Node, environ: Mapping[str, str], read: dict[str, Node]
) -> AdapterSettings | None:
    kind, slash, name = key.partition("/")
    path, place = joined("adapters", shown_key(key)), parent.key_places.get(key, parent.place)
    known = known_adapters()
    if slash and not name:
        reader.problems.append(Problem("bad-key", f'"{shown_key(key)}" has no name after the slash', path, place))
        return None
    if kind != kind.strip() or name != name.strip():
        message = "there are blanks around the type or the name of a destination"
        reader.problems.append(Problem("bad-key", message, path, place))
        return None
    if kind not in known:
        near = nearest(kind, known)
        shown = shown_key(kind, alone=child.value is None and not near)
        path = joined("adapters", shown_key(key, alone=child.value is None and not near))
        hint = f'; did you mean "{near}"?' if near else "" if known else "; known: none; is the package installed?"
        reader.problems.append(Problem("unknown-adapter", f'unknown adapter "{shown}"{hint}', path, place, known, near))
        return None
    try:
        options_class: Any = adapter_class(kind).Options
    except ConfigError as error:
        reader.problems.append(Problem("broken-adapter", str(error), path, place))
        return None
    read[key] = filled(kind, options_class, child, environ)
    options = reader.options(options_class, read[key], path)
    return None if options is BAD else AdapterSettings(name=key, type=kind, options=options)
